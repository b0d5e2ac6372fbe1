"""`python -m benchmarks [NAME ...] [--smoke] [--rounds N] [--json FILE]`: measure and print, one line a figure."""
import argparse
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.harness import NotBuilt, Refused, Result, Size, machine, refuse_slow_builds, tell

NAMES = ("udp", "mixed", "generator", "tcp", "connections", "decode", "wire", "encrypted", "levels", "crc", "copy",
         "wheel", "paths", "journal", "takeover", "start", "snapshot", "manypaths", "durable", "drain", "alarms",
         "stages", "storm", "receivers", "states", "judging", "massloss", "registry", "vanish", "replay")


def measure(name: str, size: Size, rounds: int | None) -> list[Result]:
    """Run one benchmark by its name; `rounds` None takes its own number."""
    module = import_module(f"benchmarks.{name}")
    found: list[Result] = module.run(size) if rounds is None else module.run(size, rounds)
    return found


def main(words: list[str]) -> int:
    """Return 0 when all was measured, 1 when something was refused, 2 when something is not built."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; without any: all")
    parser.add_argument("--smoke", action="store_true", help="the smallest size: proves that it runs, measures nothing")
    parser.add_argument("--rounds", type=int, help="rounds of each pair, from 1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append one JSON line for each figure")
    chosen = parser.parse_args(words)
    if unknown := set(chosen.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if chosen.rounds is not None and chosen.rounds < 1:
        parser.error("--rounds begins at 1")
    try:
        refuse_slow_builds()
    except Refused as refusal:
        tell(f"refused: {refusal}")
        return 1
    tell("  ".join(f"{name}={value}" for name, value in machine().items()))
    return max(show_one(name, "smoke" if chosen.smoke else "full", chosen.rounds, chosen.json)
               for name in chosen.names or NAMES)


def show_one(name: str, size: Size, rounds: int | None, file: Path | None) -> int:
    """Measure one benchmark and show it; return its exit status."""
    try:
        results = measure(name, size, rounds)
    except NotBuilt as missing:
        tell(f"{name}: waits for {missing}")
        return 2
    except Refused as refusal:
        tell(f"{name}: refused: {refusal}")
        return 1
    for result in results:
        tell(result.line())
        if file is not None:
            with file.open("a") as out:
                out.write(result.record() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
