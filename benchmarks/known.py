"""A data directory whose engine knows a fleet of paths: what it leaves when it stops, written by its own parts.

The transmitters are those of `benchmarks.frames.heartbeats`: dc09:000000, dc09:000001, ... with line L0.
"""
import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from benchmarks.servers import Server, engine
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

FLEET = "benchmarks.fleet"
HASH_KEY = bytes(16)
ENROLMENTS = 8192                # judged at once
SUPERVISION_MS = 3_600_000       # a silent path would be a signal of its own
PATHS_MAX_MIN = 1000             # the least that paths.max may be
# Nobody answers at the database's address, and a start does not wait for it; snapshots are taken at the end alone.
CONFIGURATION = """\
database = "postgresql://tocsin@127.0.0.1:9/none"
[unknown_accounts]
policy = "enrol"
rate = 1000000
limit = {paths}
[supervision]
default = "3600s"
[paths]
max = {paths}
[journal]
snapshot_every = "1d"
"""


def configuration(paths: int) -> str:
    """Return that of an engine with room for so many paths."""
    return CONFIGURATION.format(paths=max(paths, PATHS_MAX_MIN))


@contextmanager
def known_engine(directory: Path, paths: int) -> Iterator[Server]:
    """Run an engine that knows so many paths, with its data in the new directory `directory`, until the block ends."""
    directory.mkdir()
    asyncio.run(remember(directory / "data" / "journal", paths))
    with engine(directory, configuration(paths)) as server:
        yield server


async def remember(directory: Path, count: int, supervision_ms: int = SUPERVISION_MS, *, judged: bool = False) -> None:
    """Write snapshot and touches of `count` paths into the journal directory `directory`.

    judged  the filter knows them too, as after their enrolment
    """
    fleet = import_module(FLEET).Fleet(count)
    fleet.enrol(supervision_ms)
    paths = fleet.table
    disk, clock = RealDisk(directory), Clock()
    journal = await Journal.open(disk, clock, JournalSettings())
    tick = Batch(1, 64)
    tick.add(kind=RowKind.ROW_TICK, received_ns=clock.wall_ns())
    judging = Filter(journal.first + 1, paths_max=max(count, PATHS_MAX_MIN), hash_key=HASH_KEY)
    if judged:
        enrol(judging, paths, count, supervision_ms)
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


def enrol(judging: Filter, paths: PathTable, count: int, supervision_ms: int) -> None:
    """Let the filter judge the enrolments of all paths, numbered below every row of the journal."""
    batch = Batch(ENROLMENTS, ENROLMENTS * 128)
    for first in range(0, count, ENROLMENTS):
        batch.clear()
        for number in range(first, min(first + ENROLMENTS, count)):
            key = paths.key_text(number)
            account = key.partition(":")[2].partition("/")[0]
            batch.add(kind=RowKind.ROW_ENROLMENT, protocol=1, path=number, account=account, received_ns=1,
                      native=f"{key} supervision={supervision_ms}")
        judging.apply(first + 1, batch)
