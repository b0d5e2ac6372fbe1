"""Durable appends: the journal's group commit, against bare write and fdatasync on the same file system.

journal.bare_sync      one write and one fdatasync for each append, no collecting
journal.bare_write     the same writes, never synced: the bound of the file system's memory
journal.commit         the journal: checksums, encoding, its own thread for the flush
The journal appends one batch at a time, as the pipeline does: while one is flushed, rows collect for the next.
An append is an encoded batch of `rows` signals. With more rows an append the cost of the sync is shared by more.
"""
import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.harness import Result, Rounds, Size, digest, in_turn, ratio
from benchmarks.rows import batch_of
from engine.clock import Clock
from engine.journal import Journal, JournalSettings, RealDisk

ROWS_OF_AN_APPEND = (1, 64, 1024)


@dataclass(frozen=True, slots=True)
class Shape:
    """Appends in a round, for each number of rows."""
    appends: int


SHAPES: dict[Size, Shape] = {"smoke": Shape(5), "full": Shape(500)}


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure all three in turn, for each number of rows an append."""
    results = []
    for rows in ROWS_OF_AN_APPEND:
        results += run_rows(size, rounds, rows)
    return results


def run_rows(size: Size, rounds: int, rows: int) -> list[Result]:
    appends = SHAPES[size].appends
    encoded = batch_of(rows).encode()
    with tempfile.TemporaryDirectory(prefix="tocsin-journal-") as name:
        sides: dict[str, Callable[[], float]] = {
            "bare_sync": lambda: bare(Path(name), encoded, appends, sync=True) * rows,
            "bare_write": lambda: bare(Path(name), encoded, appends, sync=False) * rows,
            "commit": lambda: asyncio.run(journalled(Path(name), rows, appends)) * rows,
        }
        found = in_turn(rounds, sides)
    return [result(size, side, rows, appends, encoded, found) for side in sides]


def result(size: Size, side: str, rows: int, appends: int, encoded: bytes, found: dict[str, Rounds]) -> Result:
    facts: dict[str, float | int | str] = {
        "appends_per_s": found[side].median / rows, "append_bytes": len(encoded),
        "ratio_to_bare_sync": ratio(found[side], found["bare_sync"])}
    return Result(f"journal.{side}.{rows}", size, rows * appends, "row", found[side].median, found[side].spread,
                  digest(encoded), facts)


def bare(directory: Path, encoded: bytes, appends: int, sync: bool) -> float:
    """Append `encoded` so often to a new file; return appends a second."""
    path = directory / "bare"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    try:
        begin = perf_counter()
        for _ in range(appends):
            if os.write(file, encoded) != len(encoded):
                raise OSError("a short write")
            if sync:
                os.fdatasync(file)
        return appends / (perf_counter() - begin)
    finally:
        os.close(file)
        path.unlink()


async def journalled(directory: Path, rows: int, appends: int) -> float:
    """Append the same batch to a fresh journal, each when the one before is durable; return appends a second."""
    place = directory / "journal"
    journal = await Journal.open(RealDisk(place), Clock(), JournalSettings())
    try:
        batch = batch_of(rows)
        begin = perf_counter()
        for _ in range(appends):
            span = await journal.append(0, batch)
        seconds = perf_counter() - begin
        assert journal.durable().number == span.last
        return appends / seconds
    finally:
        await journal.close()
        shutil.rmtree(place)
