"""COPY: the engine's way from batch to PostgreSQL, against a bare client that sends the same finished bytes.

copy.bare        asyncpg sends bytes that were finished before the clock started, each COPY its own transaction
copy.engine      the store's transaction: encode the batch, send, move the position, commit
Target           engine / bare at least 0.8: same database, same table (emptied before each side), same rows a COPY
The database is started by the store's own launcher: fsync and synchronous_commit on.
"""
import asyncio
import struct
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from benchmarks.harness import Refused, Result, Rounds, Size, digest, ratio
from benchmarks.rows import batch_of
from codec.batch import Batch
from engine.clock import Clock
from engine.filter.outcome import Outcome
from engine.store.copy import SIGNAL_COLUMNS, SignalCopy
from engine.store.embedded import EmbeddedPostgres
from engine.store.migrate import migrate
from engine.store.partitions import Partitions
from engine.store.source import Entry
from engine.store.transaction import CONSUMER, Transaction, moment
from engine.store.writer import BEGIN_POSITION

RATIO_MIN = 0.8
PIECE_BYTES = 1 << 20            # of one message to the server
LOCK_S_MAX = 2.0
WRITE_S_MAX = 120.0
OUTCOME_VERSION = 3              # as in engine/filter/outcome.pxd


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows of one COPY, COPYs of one round."""
    rows: int
    copies: int


@dataclass(frozen=True, slots=True)
class Bench:
    """What both sides work with; the bytes of `finished[i]` are the rows of `entries[i]`."""
    connection: Any
    entries: list[Entry]
    finished: list[bytes]
    rows: int


SHAPES: dict[Size, Shape] = {"smoke": Shape(100, 2), "full": Shape(5000, 40)}


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure both sides in turn on one database of their own.

    Raises  Refused when not every row arrived
    """
    with tempfile.TemporaryDirectory(prefix="tocsin-copy-") as name:
        Path(name).chmod(0o755)          # the database never runs as root and must reach its files all the same
        return asyncio.run(run_in(Path(name), size, rounds))


async def run_in(directory: Path, size: Size, rounds: int) -> list[Result]:
    server = EmbeddedPostgres(directory / "postgres", Clock())
    await server.start()
    try:
        connection = await asyncpg.connect(server.url)
        try:
            await migrate(connection)
            return await run_on(connection, size, rounds)
        finally:
            await connection.close()
    finally:
        await server.stop()


async def run_on(connection: Any, size: Size, rounds: int) -> list[Result]:
    shape = SHAPES[size]
    entries = [entry(1 + index * shape.rows, shape.rows) for index in range(shape.copies)]
    bench = Bench(connection, entries, [finished(one) for one in entries], shape.rows * shape.copies)
    sides = {"bare": bare, "engine": stored}
    rates: dict[str, list[float]] = {side: [] for side in sides}
    await once(bench, stored, "warm up")             # makes the day's partition, too
    for turn in range(rounds):                       # in turn as harness.in_turn does it, but on one loop
        for side in list(sides) if turn % 2 == 0 else reversed(list(sides)):
            rates[side].append(await once(bench, sides[side], f"{side} {turn}"))
    found = {side: Rounds(tuple(values)) for side, values in rates.items()}
    facts: dict[str, float | int | str] = {
        "rows_per_copy": shape.rows, "bytes_per_row": sum(map(len, bench.finished)) / bench.rows}
    compared = {"ratio": ratio(found["engine"], found["bare"]), "ratio_min": RATIO_MIN}
    return [Result(f"copy.{side}", size, bench.rows, "row", found[side].median, found[side].spread,
                   digest(*bench.finished), facts | (compared if side == "engine" else {})) for side in sides]


async def once(bench: Bench, side: Callable[[Bench, str], Awaitable[None]], journal: str) -> float:
    """Empty the table, let one side write all rows, see that they are there; return rows a second."""
    await bench.connection.execute("TRUNCATE tocsin.signal_row")
    await bench.connection.execute(BEGIN_POSITION, journal, 0, CONSUMER, moment(Clock().wall_ns()))
    begin = perf_counter()
    await side(bench, journal)
    seconds = perf_counter() - begin
    arrived = await bench.connection.fetchval("SELECT count(*) FROM tocsin.signal_row")
    if arrived != bench.rows:
        raise Refused(f"{arrived} of {bench.rows} rows arrived")
    return bench.rows / seconds


async def bare(bench: Bench, journal: str) -> None:
    for data in bench.finished:
        await bench.connection.copy_to_table("signal_row", schema_name="tocsin", columns=SIGNAL_COLUMNS,
                                             format="binary", source=pieces(data))


async def stored(bench: Bench, journal: str) -> None:
    transaction = Transaction(journal, 0, Clock(), Partitions("signal_row", LOCK_S_MAX), WRITE_S_MAX)
    after = 0
    for one in bench.entries:
        after = (await transaction.write(bench.connection, [one], after)).position


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), PIECE_BYTES):
        yield data[at:at + PIECE_BYTES]


def entry(first: int, rows: int) -> Entry:
    """Return `rows` signals that are forwarded, numbered from `first`."""
    return first, Batch.view(batch_of(rows).encode()), forwarded(rows)


def forwarded(rows: int) -> Outcome:
    """Return an outcome that forwards every row and has no event. Its encoding is drawn in outcome.pxd."""
    columns = [struct.pack(f"<{rows}{code}", *[1] * rows) for code in ("I", "H", "B", "B")]
    header = struct.pack("<4I", OUTCOME_VERSION, rows, 0, 0)
    return Outcome.view(header + b"".join(column + bytes(-len(column) % 8) for column in columns))


def finished(one: Entry) -> bytes:
    """Return the whole binary COPY of an entry, header and trailer included."""
    copy = SignalCopy(0)
    first, batch, outcome = one
    added = copy.add(batch, outcome, first, 0, len(batch), -(1 << 63))
    assert added == len(batch)
    return bytes(memoryview(copy))
