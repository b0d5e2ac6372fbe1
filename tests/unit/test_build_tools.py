"""What the build says on a machine that lacks something: one line that names the packages."""
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "check-build-tools"


@pytest.mark.parametrize(("machine", "printed", "missing"), [
    # program on the path -> what it prints of itself; None: it fails, as a Python that is too old does
    ({"gcc": "", "python3.11": "", "python3": ""}, "python3.11", ""),
    ({"gcc": "", "python3.13": "python3.13-venv", "python3.11": ""}, "python3.11", ""),
    ({"gcc": "", "python3.13": None, "python3": ""}, "python3", ""),
    ({"python3": ""}, "", "missing: apt-get install gcc"),
    ({"gcc": "", "python3": "python3-venv\\npython3-dev"}, "", "missing: apt-get install python3-venv python3-dev"),
    ({"gcc": "", "python3.12": "python3.12-dev", "python3": "python3-venv"}, "",
     "missing: apt-get install python3.12-dev"),
    ({"gcc": None, "python3": ""}, "", "missing: apt-get install libc6-dev"),
    ({"gcc": ""}, "", "missing: apt-get install python3 python3-venv python3-dev (Python 3.11 or newer)"),
])
def test_what_is_missing_is_one_line(tmp_path: Path, machine: dict[str, str | None], printed: str,
                                     missing: str) -> None:
    for name, says in machine.items():
        program = tmp_path / name
        program.write_text("#!/bin/sh\nexit 1\n" if says is None else f"#!/bin/sh\nprintf '{says}'\n")
        program.chmod(0o755)
    done = subprocess.run(["/bin/sh", str(SCRIPT)], env={"PATH": str(tmp_path)}, capture_output=True, text=True,
                          timeout=30, check=False)
    assert (done.stdout.strip(), done.stderr.strip()) == (printed, missing)
    assert done.returncode == (1 if missing else 0)
