"""A journal that PostgreSQL has not seen: how fast it goes in when the database is back.

drain.bare     asyncpg sends finished binary COPY bytes, as in `copy`
drain.engine   the store from its position on: journal and outcome log read from the disk, joined, encoded, committed
Target         engine / bare at least 0.5, with a million signals
"""
import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import asyncpg  # type: ignore[import-untyped]

from benchmarks.copy import Bench, bare, entry, finished, once
from benchmarks.harness import Result, Rounds, Size, digest, ratio
from engine.clock import Clock
from engine.journal import Journal, JournalSettings, RealDisk
from engine.journal.segments import LogStart, SegmentLog
from engine.journal.space import SpaceSettings
from engine.sources import StoredRows
from engine.store.embedded import EmbeddedPostgres
from engine.store.migrate import migrate
from engine.store.writer import Store

RATIO_MIN = 0.5
SEGMENT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows of one append, appends in the journal."""
    rows: int
    appends: int


SHAPES: dict[Size, Shape] = {"smoke": Shape(100, 3), "full": Shape(5000, 200)}


def run(size: Size, rounds: int = 1) -> list[Result]:
    """Measure both in turn on one database of their own."""
    with tempfile.TemporaryDirectory(prefix="tocsin-drain-") as name:
        Path(name).chmod(0o755)          # the database never runs as root and must reach its files all the same
        return asyncio.run(run_in(Path(name), size, rounds))


async def run_in(directory: Path, size: Size, rounds: int) -> list[Result]:
    shape = SHAPES[size]
    server = EmbeddedPostgres(directory / "postgres", Clock())
    await server.start()
    rates: dict[str, list[float]] = {"bare": [], "engine": []}
    try:
        connection = await asyncpg.connect(server.url)
        await migrate(connection)
        one = entry(1, shape.rows)
        bench = Bench(connection, [one] * shape.appends, [finished(one)] * shape.appends, shape.rows * shape.appends)
        for turn in range(rounds):
            rates["bare"].append(await once(bench, bare, f"bare {turn}"))
            await connection.execute("TRUNCATE tocsin.signal_row")
            rates["engine"].append(await drained(directory / f"journal-{turn}", server.url, shape))
            arrived = await connection.fetchval("SELECT count(*) FROM tocsin.signal_row")
            assert arrived == bench.rows, f"{arrived} of {bench.rows} rows arrived"
        await connection.close()
    finally:
        await server.stop()
    found = {side: Rounds(tuple(values)) for side, values in rates.items()}
    compared = {"ratio": ratio(found["engine"], found["bare"]), "ratio_min": RATIO_MIN}
    return [Result(f"drain.{side}", size, bench.rows, "row", found[side].median, found[side].spread,
                   digest(bench.finished[0]), compared if side == "engine" else {}) for side in rates]


async def drained(place: Path, url: str, shape: Shape) -> float:
    """Fill a journal, then let a store that begins catch up with it; return rows a second."""
    disk, clock = RealDisk(place), Clock()
    journal = await Journal.open(disk, clock, JournalSettings())
    outcomes = await SegmentLog.open(disk, clock, "outcomes", SpaceSettings(SEGMENT_BYTES),
                                     lambda: LogStart(journal.name, journal.first), name=journal.name, cut_after=0)
    _, batch, outcome = entry(1, shape.rows)
    for _ in range(shape.appends):
        span = await journal.append(0, batch)
        outcomes.append_now(outcome.encode(), span.rows, 0, first=span.first)
    store = Store(StoredRows(journal, outcomes), url, clock)
    begin = perf_counter()
    running = asyncio.create_task(store.run())
    await store.wait_stored(span.last)
    seconds = perf_counter() - begin
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    for part in (outcomes, journal, disk):
        await part.close()
    return shape.rows * shape.appends / seconds
