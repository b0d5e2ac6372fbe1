"""Supervising 1,000,000 paths: the CPU it takes for each second that passes.

wheel.heap        a heap of deadlines, lazily filed again: what the timer wheel is held against
wheel.wheel       the engine's timer wheel
The fleet is alive: every path is touched within its time, so nothing falls due, and what is left is the cost of
looking. Time is given, not waited for: the simulated seconds pass as fast as the work allows.
"""
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter

from benchmarks.harness import SEED, Result, Size, digest, exists, in_turn

SUPERVISION_S = 90
WHEEL = "engine.supervise.wheel"


@dataclass(frozen=True, slots=True)
class Shape:
    """Paths, and simulated seconds of a round (one whole supervision time at least visits each path once)."""
    paths: int
    seconds: int


SHAPES: dict[Size, Shape] = {"smoke": Shape(500, 180), "full": Shape(1_000_000, 180)}


def run(size: Size, rounds: int = 3) -> list[Result]:
    """Measure both in turn; a row is one path supervised for one simulated second."""
    shape = SHAPES[size]
    sides: dict[str, Callable[[Shape], tuple[float, int]]] = {"heap": in_heap}
    if exists(WHEEL):
        sides["wheel"] = in_wheel
    visits: dict[str, int] = {}

    def one(side: str) -> float:
        seconds, visits[side] = sides[side](shape)
        return shape.paths * shape.seconds / seconds

    found = in_turn(rounds, {side: lambda side=side: one(side) for side in sides})  # type: ignore[misc]
    return [Result(f"wheel.{side}", size, shape.paths * shape.seconds, "path second", found[side].median,
                   found[side].spread, digest(visits[side].to_bytes(8, "little")),
                   {"paths": shape.paths, "visits_per_second": visits[side] / shape.seconds,
                    "cpu_ms_per_second": shape.paths / found[side].median * 1e3}) for side in sides]


def first_deadlines(shape: Shape) -> list[int]:
    """Simulated seconds at which each path is looked at first; spread as a fleet's heartbeats are."""
    dice = random.Random(SEED)
    return [dice.randrange(1, SUPERVISION_S + 1) for _ in range(shape.paths)]


def in_heap(shape: Shape) -> tuple[float, int]:
    """Return (seconds it took, visits). Every visit finds the path alive and files it for a whole time later."""
    heap = [(due, path) for path, due in enumerate(first_deadlines(shape))]
    heapq.heapify(heap)
    visits, begin = 0, perf_counter()
    for now in range(1, shape.seconds + 1):
        while heap[0][0] <= now:
            heapq.heapreplace(heap, (now + SUPERVISION_S, heap[0][1]))
            visits += 1
    return perf_counter() - begin, visits


def in_wheel(shape: Shape) -> tuple[float, int]:
    """Return (seconds it took, visits) of the engine's wheel over the same fleet."""
    import_module(WHEEL)
    raise NotImplementedError("engine.supervise.wheel is there: file first_deadlines(shape), advance by seconds")
