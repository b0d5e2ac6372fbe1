"""1,000,000 supervised paths: how many bytes each takes, and what finding one costs.

paths.dict        the same keys in a Python dict, each to a small list: what must be beaten by far
paths.table       the engine's path table with its index
Memory is private anonymous memory of a fresh process (smaps_rollup) before and after, divided by the paths.
"""
import json
import random
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from time import perf_counter

from benchmarks.harness import ROOT, SEED, Result, Rounds, Size, digest, exists, in_turn, memory_bytes

PATHS: dict[Size, int] = {"smoke": 2_000, "full": 1_000_000}
LOOKUPS: dict[Size, int] = {"smoke": 1_000, "full": 1_000_000}
TABLE = "engine.supervise.paths"


def run(size: Size, rounds: int = 3) -> list[Result]:
    """Measure each side in processes of its own, so that none finds the other's memory."""
    sides = ["dict", *(["table"] if exists(TABLE) else [])]
    reports: dict[str, list[dict[str, float]]] = {side: [] for side in sides}

    def one(side: str) -> float:
        reports[side].append(in_process(side, size))
        return reports[side][-1]["lookups_per_s"]

    found = in_turn(rounds, {side: lambda side=side: one(side) for side in sides})  # type: ignore[misc]
    return [result(size, side, found[side], reports[side]) for side in sides]


def result(size: Size, side: str, found: Rounds, reports: list[dict[str, float]]) -> Result:
    middle = sorted(reports, key=lambda report: report["bytes_per_path"])[len(reports) // 2]
    facts: dict[str, float | int | str] = {
        "paths": PATHS[size], "bytes_per_path": middle["bytes_per_path"],
        "ns_per_new_path": middle["seconds_to_fill"] * 1e9 / PATHS[size]}
    found_sum = int(reports[0]["found_sum"])
    return Result(f"paths.{side}", size, LOOKUPS[size], "lookup", found.median, found.spread,
                  digest(found_sum.to_bytes(8, "little")), facts)


def in_process(side: str, size: Size) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-m", "benchmarks.paths", side, size], cwd=ROOT, capture_output=True,
                          text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(done.stderr)
    report: dict[str, float] = json.loads(done.stdout)
    return report


def measure(side: str, size: Size) -> dict[str, float]:
    """Fill the table, then look paths up in an order that no cache foresees."""
    keys = [f"dc09:{index:06X}/default/0/0/0".encode() for index in range(PATHS[size])]
    order = random.Random(SEED).choices(range(PATHS[size]), k=LOOKUPS[size])
    wanted = [keys[index] for index in order]
    before, begin = memory_bytes(), perf_counter()
    look_up = SIDES[side](keys)
    seconds_to_fill, occupied = perf_counter() - begin, memory_bytes() - before
    begin = perf_counter()
    found_sum = look_up(wanted)
    seconds = perf_counter() - begin
    assert found_sum == sum(order)
    return {"bytes_per_path": occupied / len(keys), "seconds_to_fill": seconds_to_fill, "found_sum": found_sum,
            "lookups_per_s": len(wanted) / seconds}


def in_dict(keys: list[bytes]) -> Callable[[list[bytes]], int]:
    """A key object and a list of [index, last seen, deadline] for each path."""
    table = {bytes(bytearray(key)): [index, 1_000_000_000 + index, 2_000_000_000 + index]
             for index, key in enumerate(keys)}
    return lambda wanted: sum(table[key][0] for key in wanted)


def in_table(keys: list[bytes]) -> Callable[[list[bytes]], int]:
    """The engine's own: filled and asked through what it shows to Python."""
    import_module(TABLE)
    raise NotImplementedError("engine.supervise.paths is there: fill a table with `keys`, sum the indexes found")


SIDES: dict[str, Callable[[list[bytes]], Callable[[list[bytes]], int]]] = {"dict": in_dict, "table": in_table}

if __name__ == "__main__":
    chosen: Size = "full" if sys.argv[2] == "full" else "smoke"
    sys.stdout.write(json.dumps(measure(sys.argv[1], chosen)))
