"""A start: how much later an engine is ready that knows very many paths than one that knows none.

start.empty   `tocsin serve` on a new data directory, until the line that says ready
start.known   the same on one whose snapshot and touches have 1,000,000 paths
start.many    the same with 10,000,000
Target        later_s at most 1 with 1,000,000; all without a database, for which a start does not wait
"""
import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from benchmarks.harness import Result, Size, digest, in_turn
from benchmarks.known import configuration, remember
from benchmarks.servers import engine

LATER_S_MAX = 1.0                # of `known`
PATHS: dict[Size, dict[str, int]] = {"smoke": {"known": 1000, "many": 2000},
                                     "full": {"known": 1_000_000, "many": 10_000_000}}


def run(size: Size, rounds: int = 3) -> list[Result]:
    """Measure all in turn. A rate is that of starts: its inverse is what one takes."""
    paths = PATHS[size]
    with tempfile.TemporaryDirectory(prefix="tocsin-start-") as name:
        empty = (Path(name) / f"empty-{number}" for number in range(rounds))
        sides: dict[str, Callable[[], float]] = {"empty": lambda: started_on(next(empty), 0)}
        for side, count in paths.items():
            asyncio.run(remember(Path(name) / side / "data" / "journal", count))
            sides[side] = lambda side=side, count=count: started_on(Path(name) / side, count)  # type: ignore[misc]
        found = in_turn(rounds, sides)
    facts: dict[str, dict[str, float | int | str]] = {side: {"ready_s": 1 / found[side].median} for side in sides}
    for side, count in paths.items():
        facts[side] |= {"paths": count, "later_s": 1 / found[side].median - 1 / found["empty"].median}
    facts["known"]["later_s_max"] = LATER_S_MAX
    return [Result(f"start.{side}", size, 1, "start", found[side].median, found[side].spread,
                   digest(repr((side, paths)).encode()), facts[side])
            for side in sides]


def started_on(directory: Path, paths: int) -> float:
    """Start an engine, and stop it in order; return starts a second."""
    directory.mkdir(exist_ok=True)
    began = perf_counter()
    with engine(directory, configuration(paths)):
        return 1 / (perf_counter() - began)
