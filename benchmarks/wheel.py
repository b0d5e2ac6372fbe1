"""Supervising 1,000,000 paths: the CPU it takes for each second that passes.

wheel.heap        a heap of deadlines, lazily filed again: what the timing wheel is held against
wheel.wheel       the engine's wheel and path table: take out what came due, read when it was heard, file it again
The fleet is alive: every path is heard each HEARTBEAT_S, so nothing falls silent, and what is left is the cost of
looking; the touches themselves are outside the clock. Time is given, not waited for: the simulated seconds pass as
fast as the work allows.
"""
import heapq
import random
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter

from benchmarks.harness import SEED, Result, Size, digest, exists, in_turn

SUPERVISION_S = 90
HEARTBEAT_S = 30
FLEET = "benchmarks.fleet"


@dataclass(frozen=True, slots=True)
class Shape:
    """Paths, and simulated seconds of a round (one whole supervision time at least visits each path once)."""
    paths: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Looked:
    """CPU seconds of a round, visits, and the dearest of its simulated seconds in CPU seconds."""
    seconds: float
    visits: int
    worst: float


SHAPES: dict[Size, Shape] = {"smoke": Shape(500, 180), "full": Shape(1_000_000, 180)}


def run(size: Size, rounds: int = 3) -> list[Result]:
    """Measure both in turn; a row is one path supervised for one simulated second."""
    shape = SHAPES[size]
    sides: dict[str, Callable[[Shape], Looked]] = {"heap": in_heap}
    if exists(FLEET):
        sides["wheel"] = in_wheel
    last: dict[str, Looked] = {}

    def one(side: str) -> float:
        last[side] = sides[side](shape)
        return shape.paths * shape.seconds / last[side].seconds

    found = in_turn(rounds, {side: lambda side=side: one(side) for side in sides})  # type: ignore[misc]
    return [Result(f"wheel.{side}", size, shape.paths * shape.seconds, "path-second", found[side].median,
                   found[side].spread, digest(last[side].visits.to_bytes(8, "little")),
                   {"paths": shape.paths, "visits_per_second": last[side].visits / shape.seconds,
                    "cpu_ms_per_second": shape.paths / found[side].median * 1e3,
                    "worst_second_cpu_ms": last[side].worst * 1e3}) for side in sides]


def first_deadlines(shape: Shape) -> list[int]:
    """Simulated ms at which each path is looked at first; spread as a fleet's heartbeats are."""
    dice = random.Random(SEED)
    return [dice.randrange((SUPERVISION_S - HEARTBEAT_S) * 1000, SUPERVISION_S * 1000) for _ in range(shape.paths)]


def in_heap(shape: Shape) -> Looked:
    """Each path beats in the seconds that are its number modulo HEARTBEAT_S."""
    heap = [(due, path) for path, due in enumerate(first_deadlines(shape))]
    heapq.heapify(heap)
    visits, total, worst = 0, 0.0, 0.0
    for second in range(1, shape.seconds + 1):
        begin = perf_counter()
        while heap[0][0] < second * 1000:
            path = heap[0][1]
            heard = second - (second - path) % HEARTBEAT_S
            heapq.heapreplace(heap, ((heard + SUPERVISION_S) * 1000, path))
            visits += 1
        took = perf_counter() - begin
        total, worst = total + took, max(worst, took)
    return Looked(total, visits, worst)


def in_wheel(shape: Shape) -> Looked:
    """The same fleet in the engine's table and wheel, driven in C."""
    fleet = import_module(FLEET).Fleet(shape.paths)
    fleet.enrol(SUPERVISION_S * 1000)
    fleet.file(array("I", first_deadlines(shape)))
    visits, total, worst = 0, 0.0, 0.0
    for second in range(1, shape.seconds + 1):
        fleet.touch(second % HEARTBEAT_S, HEARTBEAT_S, second * 1000)
        begin = perf_counter()
        visits += fleet.look(second * 1000)
        took = perf_counter() - begin
        total, worst = total + took, max(worst, took)
    return Looked(total, visits, worst)
