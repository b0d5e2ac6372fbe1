"""A start: how much later an engine is ready that knows a million paths than one that knows none.

start.empty   `tocsin serve` on a new data directory, until the line that says ready
start.known   the same on one whose snapshot and touches have all the paths
Target        later_s at most 1; both without a database, for which a start does not wait
"""
import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.harness import Result, Size, digest, in_turn
from benchmarks.servers import ENGINE_CONFIGURATION, engine
from codec.batch import Batch
from codec.words import RowKind
from engine.admit.admit import Admit
from engine.clock import Clock
from engine.filter.filter import Filter
from engine.housekeeping import SNAPSHOT
from engine.journal import Journal, JournalSettings, RealDisk
from engine.listen.windows import Windows
from engine.paths import PathTable
from engine.supervise.listening import ListeningClock
from engine.supervise.touch_file import TouchFile

LATER_S_MAX = 1.0
ROWS = 5000                      # of one batch of enrolments
TEXT_BYTES = 80
NOBODY = 'database = "postgresql://tocsin@127.0.0.1:9/none"\n'
HASH_KEY = bytes(16)


@dataclass(frozen=True, slots=True)
class Shape:
    """How many paths are known."""
    paths: int


SHAPES: dict[Size, Shape] = {"smoke": Shape(1000), "full": Shape(1_000_000)}


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure both in turn. A rate is that of starts: its inverse is what one takes."""
    shape = SHAPES[size]
    with tempfile.TemporaryDirectory(prefix="tocsin-start-") as name:
        known = Path(name) / "known"
        known.mkdir()
        asyncio.run(remember(known / "data" / "journal", shape.paths))
        empty = (Path(name) / f"empty-{number}" for number in range(rounds))
        sides: dict[str, Callable[[], float]] = {"empty": lambda: started_on(next(empty)),
                                                 "known": lambda: started_on(known)}
        found = in_turn(rounds, sides)
    later_s = 1 / found["known"].median - 1 / found["empty"].median
    facts: dict[str, dict[str, float | int | str]] = {
        "empty": {"ready_s": 1 / found["empty"].median},
        "known": {"ready_s": 1 / found["known"].median, "later_s": later_s, "later_s_max": LATER_S_MAX,
                  "paths": shape.paths}}
    return [Result(f"start.{side}", size, 1, "start", found[side].median, found[side].spread,
                   digest(repr(shape).encode()), facts[side])
            for side in sides]


def started_on(directory: Path) -> float:
    """Start an engine, and stop it in order; return starts a second."""
    directory.mkdir(exist_ok=True)
    began = perf_counter()
    with engine(directory, NOBODY + ENGINE_CONFIGURATION):
        return 1 / (perf_counter() - began)


async def remember(directory: Path, count: int) -> None:
    """Write what an engine that knows so many paths leaves when it stops."""
    paths = PathTable(max(count, 1000), HASH_KEY)
    for first in range(0, count, ROWS):
        batch = Batch(ROWS, ROWS * TEXT_BYTES)
        for number in range(first, min(first + ROWS, count)):
            batch.add(kind=RowKind.ROW_ENROLMENT, path=number,
                      native=f"dc09:{number:06X}/default/L0 supervision=3600000")
        paths.apply(batch)
    disk, clock = RealDisk(directory), Clock()
    journal = await Journal.open(disk, clock, JournalSettings())
    tick = Batch(1, 64)
    tick.add(kind=RowKind.ROW_TICK, received_ns=clock.wall_ns())
    judging = Filter(journal.first + 1, security=False, medical=False, hash_key=HASH_KEY)
    span = await journal.append(0, tick)
    judging.apply(span.first, tick)
    lease = await anext(journal.acquire())
    await journal.snapshot(lease, SNAPSHOT, span.last, {
        "paths": paths.save(), "admit": Admit(1024, 1 << 20, 1000, 1, HASH_KEY).save(), "windows": Windows(0).save(),
        "filter": judging.save(), "listening": (0).to_bytes(8, "little")})
    touches = TouchFile(disk, journal.name, paths)
    await touches.resume(0, 90_000, count)
    await touches.write(ListeningClock(0, clock.monotonic_ns()))
    for part in (touches, journal, disk):
        await part.close()
