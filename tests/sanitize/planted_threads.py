"""Prove that ThreadSanitizer would catch a race: two who touch a path as if each were alone; where they know, nothing.

`python -m tests.sanitize.planted_threads` runs both; with a word behind it, `alone` or `shared`, it does that itself.
"""
from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import engine.listen.receivers
from tests.unit.listen_world import bound, heartbeat
from tests.unit.test_receivers import Line

FOUND = 66                       # ThreadSanitizer's exit code
FRAMES = 200


def touch(how: str) -> None:
    """Let a thread and the loop hear the same path."""
    with ExitStack() as stack:
        line = Line(stack).start()
        line.world.paths.shared = how == "shared"
        beside = line.world.udp(stack.enter_context(bound()))
        for sequence in range(1, FRAMES + 1):
            line.panel.send(heartbeat("0001", sequence))
            line.panel.sendto(heartbeat("0001", sequence), beside.socket.getsockname())
            beside.on_readable()
            line.panel.recv(4096)


def check() -> str:
    """Return what is wrong with the run; empty: the race is caught, and what is none is not."""
    if Path(engine.listen.receivers.__file__).parents[2] != Path.cwd():
        return f"not this build is tested, but {engine.listen.receivers.__file__}"
    for how, expected in (("shared", 0), ("alone", FOUND)):
        done = subprocess.run([sys.executable, "-m", "tests.sanitize.planted_threads", how], capture_output=True,
                              text=True, env=os.environ, check=False)
        if done.returncode != expected:
            return f"{how}: exit {done.returncode}, not {expected}: {done.stderr}"
    return ""


if __name__ == "__main__":
    sys.exit(check() or 0 if len(sys.argv) == 1 else touch(sys.argv[1]))
