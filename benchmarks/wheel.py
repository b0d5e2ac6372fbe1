"""Supervising 1,000,000 paths, and 10,000,000: the CPU it takes for each second that passes.

wheel.heap        a heap of deadlines, lazily filed again: what the timing wheel is held against; 1,000,000
wheel.wheel       the engine's wheel and path table: take out what came due, read when it was heard, file it again
wheel.supervisor  the engine's supervisor around both, 10,000,000: `longest_turn_ms` is the CPU of
                  its longest turn, in which the loop does nothing else
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
from time import perf_counter, thread_time

from benchmarks.harness import SEED, Result, Rounds, Size, digest, exists, in_turn
from engine.clock import SECOND_NS, FakeClock
from engine.intake import Intake
from engine.supervise.listening import ListeningClock
from engine.supervise.supervisor import Supervisor
from engine.supervise.wheel import Wheel

SUPERVISION_S = 90
HEARTBEAT_S = 30
FLEET = "benchmarks.fleet"
INTAKE_ROWS, INTAKE_BYTES = 8192, 1 << 22


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
    longest: float = 0.0             # turn, in CPU seconds


SHAPES: dict[Size, Shape] = {"smoke": Shape(500, 180), "full": Shape(1_000_000, 180)}
MANY: dict[Size, Shape] = {"smoke": Shape(2_000, 180), "full": Shape(10_000_000, 180)}
TICKS_PER_SECOND = 16            # turns of the supervisor where there is no more to do


def run(size: Size, rounds: int = 3) -> list[Result]:
    """Measure both in turn; a row is one path supervised for one simulated second."""
    sides: dict[str, Callable[[Shape], Looked]] = {"heap": in_heap}
    shapes = {"heap": SHAPES[size], "wheel": SHAPES[size], "supervisor": MANY[size]}
    if exists(FLEET):
        sides |= {"wheel": in_wheel, "supervisor": in_supervisor}
    last: dict[str, Looked] = {}

    def one(side: str) -> float:
        last[side] = sides[side](shapes[side])
        return shapes[side].paths * shapes[side].seconds / last[side].seconds

    found = in_turn(rounds, {side: lambda side=side: one(side) for side in sides})  # type: ignore[misc]
    return [result(size, side, shapes[side], found[side], last[side]) for side in sides]


def result(size: Size, side: str, shape: Shape, found: Rounds, last: Looked) -> Result:
    facts: dict[str, float | int | str] = {
        "paths": shape.paths, "visits_per_second": last.visits / shape.seconds,
        "cpu_ms_per_second": shape.paths / found.median * 1e3, "worst_second_cpu_ms": last.worst * 1e3}
    if last.longest:
        facts["longest_turn_ms"] = last.longest * 1e3
    return Result(f"wheel.{side}", size, shape.paths * shape.seconds, "path-second", found.median, found.spread,
                  digest(last.visits.to_bytes(8, "little")), facts)


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


def in_supervisor(shape: Shape) -> Looked:
    """Such a fleet, heard in no order, under the engine's own supervisor, on a clock that is moved a tick at a time.

    All in CPU of the thread. The first period, in which each path is filed where it will stay, counts for turns alone.
    """
    fleet = import_module(FLEET).Fleet(shape.paths)
    fleet.enrol(SUPERVISION_S * 1000)
    clock = FakeClock()
    supervisor = Supervisor(fleet.table, Wheel(shape.paths, 0), ListeningClock(0, clock.monotonic_ns()), clock,
                            Intake(INTAKE_ROWS, INTAKE_BYTES))
    visits, total, worst, longest = 0, 0.0, 0.0, 0.0
    for second in range(1, SUPERVISION_S + shape.seconds + 1):
        fleet.touch_once_in(HEARTBEAT_S, second)
        before, begin = supervisor.looked_at, thread_time()
        for _ in range(TICKS_PER_SECOND):
            clock.advance(SECOND_NS // TICKS_PER_SECOND)
            longest = max(longest, longest_turn(supervisor))
        if second > SUPERVISION_S:
            took = thread_time() - begin
            visits += supervisor.looked_at - before
            total, worst = total + took, max(worst, took)
    assert not supervisor.line_faults
    return Looked(total, visits, worst, longest)


def longest_turn(supervisor: Supervisor) -> float:
    """Turn until there is no more to do; return the CPU seconds of the longest turn."""
    longest, more = 0.0, True
    while more:
        begin = thread_time()
        more = supervisor.turn()
        longest = max(longest, thread_time() - begin)
    return longest
