"""Prove that the sanitizers would catch a fault: each planted one must end its process, and a sound call must not."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import codec.dc09

PLANTED = {"sound(3)": None, "over_read(16)": "heap-buffer-overflow", "overshift(40)": "shift exponent 40 is too large"}


def check() -> str:
    """Return what is wrong with the run; empty: all faults are caught."""
    if Path(codec.dc09.__file__).parents[1] != Path.cwd():
        return f"not this build is tested, but {codec.dc09.__file__}"
    for call, expected in PLANTED.items():
        done = subprocess.run([sys.executable, "-c", f"from tests.sanitize import canary; canary.{call}"],
                              capture_output=True, text=True, env=os.environ, check=False)
        if expected is None and done.returncode:
            return f"{call} should pass: {done.stderr}"
        if expected is not None and (done.returncode == 0 or expected not in done.stderr):
            return f"{call} was not caught: exit {done.returncode} {done.stderr}"
    return ""


if __name__ == "__main__":
    sys.exit(check() or 0)
