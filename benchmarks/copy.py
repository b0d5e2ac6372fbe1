"""COPY: the engine's way from batch to PostgreSQL, against a bare client that sends the same finished bytes.

copy.bare        asyncpg sends bytes that were finished before the clock started
copy.engine      engine.store: encode the batch, send, position in the same transaction
Target           engine / bare at least 0.8, on the same database, the same table, the same bytes
The database is the engine's own, as it starts it: fsync and synchronous_commit on.
"""
import asyncio
import struct
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import asyncpg  # type: ignore[import-untyped]

from benchmarks.harness import Result, Size, digest, in_turn, need
from benchmarks.servers import engine

RATIO_MIN = 0.8
PIECE_BYTES = 1 << 20            # of one message to the server
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = b"\xff\xff"
RECEIVED_US = 820_540_800_000_000    # since 2000, as PostgreSQL counts
TABLE = "benchmark_copy"
COLUMNS = ("id bigint, received_at timestamptz, protocol text, account text, class text, condition text, state text, "
           "point text, native text, raw bytea")


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows of one COPY, COPYs of one round."""
    rows: int
    copies: int


SHAPES: dict[Size, Shape] = {"smoke": Shape(100, 2), "full": Shape(5000, 40)}


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure the bare client on the engine's own database.

    Raises  NotBuilt without the engine
    """
    need("engine.pipeline", "engine.store.embedded")
    with tempfile.TemporaryDirectory(prefix="tocsin-copy-") as name, engine(Path(name)) as server:
        return run_on(server.database, size, rounds)


def run_on(database: str, size: Size, rounds: int) -> list[Result]:
    """Measure on the PostgreSQL at this URL, in a table of our own that is dropped at the end."""
    shape = SHAPES[size]
    finished = finished_bytes(shape.rows)
    found = in_turn(rounds, {"bare": lambda: asyncio.run(bare(database, finished, shape))})
    return [Result("copy.bare", size, shape.rows * shape.copies, "row", found["bare"].median, found["bare"].spread,
                   digest(finished), {"rows_per_copy": shape.rows, "bytes_per_row": len(finished) / shape.rows})]


async def bare(database: str, finished: bytes, shape: Shape) -> float:
    """Send the finished bytes `copies` times into a fresh table; return rows a second."""
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(f"DROP TABLE IF EXISTS {TABLE}; CREATE TABLE {TABLE} ({COLUMNS})")
        begin = perf_counter()
        for _ in range(shape.copies):
            await connection.copy_to_table(TABLE, source=pieces(finished), format="binary")
        seconds = perf_counter() - begin
        stored = await connection.fetchval(f"SELECT count(*) FROM {TABLE}")
        assert stored == shape.rows * shape.copies, f"{stored} rows arrived"
        await connection.execute(f"DROP TABLE {TABLE}")
        return shape.rows * shape.copies / seconds
    finally:
        await connection.close()


async def pieces(finished: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(finished), PIECE_BYTES):
        yield finished[at:at + PIECE_BYTES]


def finished_bytes(rows: int) -> bytes:
    """Return a whole binary COPY of `rows` fire signals, header and trailer included."""
    parts = [COPY_HEADER]
    for index in range(rows):
        account = f"{index % 10_000:06X}".encode()
        raw = b'\n4D3F002A"SIA-DCS"0001L0#%s[#%s|Nri1/FA000]\r' % (account, account)
        fields = (struct.pack(">q", index), struct.pack(">q", RECEIVED_US + index), b"dc09", account, b"fire",
                  b"smoke", b"raised", b"1/000", b"FA", raw)
        parts.append(struct.pack(">h", len(fields)))
        parts += [struct.pack(">i", len(text)) + text for text in fields]
    return b"".join([*parts, COPY_TRAILER])
