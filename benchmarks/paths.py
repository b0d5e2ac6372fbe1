"""1,000, 1,000,000 and 10,000,000 supervised paths: the bytes of each, and what finding one and touching it costs.

paths.dict        a Python dict with the same keys, each to a small list: what must be beaten by far; 1,000,000
paths.table       the engine's path table with everything beside it: records, siblings, times of enrolment, habits, both
                  indexes, the timing wheel with every path filed, and the times that a start gave
paths.few, .many  the same with 1,000 and with 10,000,000
paths.small       `many` on pages of 4 KiB, as where the kernel has no large ones
Memory is private anonymous memory of a fresh process (smaps_rollup) before and after, divided by the paths, beside what
the sizes of the tables say. Lookups come in an order that no cache foresees, one at a time; `together_ns` is for 64
whose lines of memory are asked for at once, as a round of datagrams does it.
"""
import ctypes
import json
import random
import subprocess
import sys
from array import array
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter

from benchmarks.harness import ROOT, SEED, Result, Rounds, Size, digest, exists, in_turn, memory_bytes
from engine.supervise.touches import Touches

SUPERVISION_MS = 90_000
GRACE_MS = 90_000
FLEET = "benchmarks.fleet"
PR_SET_THP_DISABLE = 41
Report = dict[str, float]


@dataclass(frozen=True, slots=True)
class Side:
    """How many paths, and how many lookups of them."""
    paths: int
    lookups: int


SIDES: dict[Size, dict[str, Side]] = {
    "smoke": {"dict": Side(2_000, 1_000), "few": Side(100, 1_000), "table": Side(2_000, 1_000),
              "many": Side(4_000, 1_000), "small": Side(4_000, 1_000)},
    "full": {"dict": Side(1_000_000, 1_000_000), "few": Side(1_000, 1_000_000), "table": Side(1_000_000, 1_000_000),
             "many": Side(10_000_000, 1_000_000), "small": Side(10_000_000, 1_000_000)},
}


def run(size: Size, rounds: int = 3) -> list[Result]:
    """Measure each side in processes of its own, so that none finds the other's memory."""
    sides = [side for side in SIDES[size] if side == "dict" or exists(FLEET)]
    reports: dict[str, list[Report]] = {side: [] for side in sides}

    def one(side: str) -> float:
        reports[side].append(in_process(side, size))
        return reports[side][-1]["lookups_per_s"]

    found = in_turn(rounds, {side: lambda side=side: one(side) for side in sides})  # type: ignore[misc]
    return [result(size, side, found[side], reports[side]) for side in sides]


def result(size: Size, side: str, found: Rounds, reports: list[Report]) -> Result:
    middle = sorted(reports, key=lambda report: report["lookups_per_s"])[len(reports) // 2]
    facts: dict[str, float | int | str] = {
        "paths": SIDES[size][side].paths,
        **{name: value for name, value in middle.items() if name.endswith(("_per_path", "_ns"))}}
    found_sum = int(middle["found_sum"])
    return Result(f"paths.{side}", size, SIDES[size][side].lookups, "lookup", found.median, found.spread,
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
    return {"bytes_per_path": occupied / paths, "fill_ns": seconds * 1e9 / paths, "found_sum": found_sum,
            "lookups_per_s": len(order) / (perf_counter() - begin)}


def measure_table(paths: int, order: "array[int]") -> Report:
    """The engine's own, driven in C."""
    deadlines = array("I", [SUPERVISION_MS]) * paths
    before, begin = memory_bytes(), perf_counter()
    fleet = import_module(FLEET).Fleet(paths)
    fleet.enrol(SUPERVISION_MS)
    seconds = perf_counter() - begin
    fleet.show_habits()
    fleet.file(deadlines)
    touches = Touches(fleet.table)
    touches.resume(1, GRACE_MS, 0, life_ms=0)
    occupied = memory_bytes() - before
    found_sum = fleet.find(order, 1_000)
    begin = perf_counter()
    assert fleet.find(order, 2_000) == found_sum
    looked_up = perf_counter() - begin
    begin = perf_counter()
    assert fleet.find_together(order, 3_000) == found_sum
    together = perf_counter() - begin
    sizes = fleet.sizes()
    return {"bytes_per_path": occupied / paths, "summed_bytes_per_path": sum(sizes.values()) / paths,
            **{f"{name}_bytes_per_path": value / paths for name, value in sizes.items()},
            "fill_ns": seconds * 1e9 / paths, "together_ns": together * 1e9 / len(order), "found_sum": found_sum,
            "lookups_per_s": len(order) / looked_up}


def main(side: str, size: Size) -> Report:
    if side == "small":
        ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    shape = SIDES[size][side]
    order = array("I", random.Random(SEED).choices(range(shape.paths), k=shape.lookups))
    report = (measure_dict if side == "dict" else measure_table)(shape.paths, order)
    assert report["found_sum"] == sum(order)
    return report


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], "full" if sys.argv[2] == "full" else "smoke")))
