"""1,000,000 supervised paths: how many bytes each takes, and what finding one by its key and touching it costs.

paths.dict        a Python dict with the same keys, each to a small list: what must be beaten by far
paths.table       the engine's path table with its two indexes, and the timing wheel with every path filed
Memory is private anonymous memory of a fresh process (smaps_rollup) before and after, divided by the paths.
Lookups come in an order that no cache foresees.
"""
import json
import random
import subprocess
import sys
from array import array
from importlib import import_module
from time import perf_counter

from benchmarks.harness import ROOT, SEED, Result, Rounds, Size, digest, exists, in_turn, memory_bytes

PATHS: dict[Size, int] = {"smoke": 2_000, "full": 1_000_000}
LOOKUPS: dict[Size, int] = {"smoke": 1_000, "full": 1_000_000}
SUPERVISION_MS = 90_000
FLEET = "benchmarks.fleet"
Report = dict[str, float]


def run(size: Size, rounds: int = 3) -> list[Result]:
    """Measure each side in processes of its own, so that none finds the other's memory."""
    sides = ["dict", *(["table"] if exists(FLEET) else [])]
    reports: dict[str, list[Report]] = {side: [] for side in sides}

    def one(side: str) -> float:
        reports[side].append(in_process(side, size))
        return reports[side][-1]["lookups_per_s"]

    found = in_turn(rounds, {side: lambda side=side: one(side) for side in sides})  # type: ignore[misc]
    return [result(size, side, found[side], reports[side]) for side in sides]


def result(size: Size, side: str, found: Rounds, reports: list[Report]) -> Result:
    middle = sorted(reports, key=lambda report: report["bytes_per_path"])[len(reports) // 2]
    facts: dict[str, float | int | str] = {
        "paths": PATHS[size], **{name: value for name, value in middle.items() if "_per_path" in name}}
    found_sum = int(middle["found_sum"])
    return Result(f"paths.{side}", size, LOOKUPS[size], "lookup", found.median, found.spread,
                  digest(found_sum.to_bytes(8, "little")), facts)


def in_process(side: str, size: Size) -> Report:
    done = subprocess.run([sys.executable, "-m", "benchmarks.paths", side, size], cwd=ROOT, capture_output=True,
                          text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(done.stderr)
    report: Report = json.loads(done.stdout)
    return report


def measure_dict(paths: int, order: "array[int]") -> Report:
    """A key object and a list of [index, last seen, deadline] for each path."""
    keys = [f"dc09:{index:06X}/default/0/0/0".encode() for index in range(paths)]
    wanted = [keys[index] for index in order]
    before, begin = memory_bytes(), perf_counter()
    table = {bytes(bytearray(key)): [index, 1_000_000_000 + index, 2_000_000_000 + index]
             for index, key in enumerate(keys)}
    seconds, occupied = perf_counter() - begin, memory_bytes() - before
    begin = perf_counter()
    found_sum = 0
    for key in wanted:
        path = table[key]
        path[1] = 3_000_000_000
        found_sum += path[0]
    return {"bytes_per_path": occupied / paths, "fill_ns_per_path": seconds * 1e9 / paths, "found_sum": found_sum,
            "lookups_per_s": len(order) / (perf_counter() - begin)}


def measure_table(paths: int, order: "array[int]") -> Report:
    """The engine's own, driven in C."""
    deadlines = array("I", [SUPERVISION_MS] * paths)
    before, begin = memory_bytes(), perf_counter()
    fleet = import_module(FLEET).Fleet(paths)
    fleet.enrol(SUPERVISION_MS)
    seconds, in_paths = perf_counter() - begin, memory_bytes() - before
    fleet.file(deadlines)
    occupied = memory_bytes() - before
    begin = perf_counter()
    found_sum = fleet.find(order, 1_000)
    return {"bytes_per_path": occupied / paths, "wheel_bytes_per_path": (occupied - in_paths) / paths,
            "fill_ns_per_path": seconds * 1e9 / paths, "found_sum": found_sum,
            "lookups_per_s": len(order) / (perf_counter() - begin)}


def main(side: str, size: Size) -> Report:
    order = array("I", random.Random(SEED).choices(range(PATHS[size]), k=LOOKUPS[size]))
    report = {"dict": measure_dict, "table": measure_table}[side](PATHS[size], order)
    assert report["found_sum"] == sum(order)
    return report


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], "full" if sys.argv[2] == "full" else "smoke")))
