"""`make day`: a scripted day of a small province on the real engine, and a table that says how each scene ended.

Exit 0: each ended as a fire officer would want. 1: one did not, or could not be played; what is needed to look into it
is kept, and said.
"""
from __future__ import annotations

import sys
import time
import traceback

from tests.day.province import Province
from tests.day.script import Day, Line
from tests.integration.engine import new_directory, remove_directory

WIDTHS = (7, 22, 50)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def shown(line: Line, passed_s: float, new_scene: bool) -> str:
    """Return a line of the table; what left the engine stands below what happened."""
    clock, scene = f"{int(passed_s) // 60:3}:{int(passed_s) % 60:02}", line.scene if new_scene else ""
    head = f"{clock:<{WIDTHS[0]}}{scene:<{WIDTHS[1]}}{line.happens:<{WIDTHS[2]}} wanted: {line.wanted}"
    mark = "  ok   " if line.right else "  WRONG"
    return f"{head}\n{mark:<{WIDTHS[0] + WIDTHS[1]}}-> {line.left}"


def main() -> int:
    data, began, lines = new_directory(), time.monotonic(), []
    say("a day of the province: transmitters, registry, subscribers and PostgreSQL are real, hours are seconds\n")
    failed = ""
    try:
        with Province(data) as province:
            for line in Day(province).play():
                say(shown(line, time.monotonic() - began, not lines or lines[-1].scene != line.scene))
                lines.append(line)
            province.stop()
    except Exception:  # whatever it is, what was seen so far is told
        failed = traceback.format_exc()
    wrong = [line for line in lines if not line.right]
    scenes = {line.scene for line in lines}
    say(f"\n{len(scenes)} scenes, {len(lines)} lines, {len(wrong)} wrong, {time.monotonic() - began:.0f} s")
    if failed or wrong:
        say(failed + f"log, journal and database are in {data}")
        return 1
    remove_directory(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
