"""Durable appends: the journal's group commit, against bare write and fdatasync on the same file system.

journal.bare_sync      one write and one fdatasync for each append, no collecting
journal.bare_write     the same writes, never synced: the bound of the file system's memory
journal.commit         the journal: appends in order, one outstanding, rows collect meanwhile
An append is an encoded batch of `rows` signals. With more rows an append the cost of the sync is shared by more.
"""
import asyncio
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from time import perf_counter

from benchmarks.harness import Result, Rounds, Size, digest, exists, in_turn, ratio

RECEIVED_NS = 1_767_225_600_000_000_000
ROWS_OF_AN_APPEND = (1, 64, 1024)


@dataclass(frozen=True, slots=True)
class Shape:
    """Appends in a round, for each number of rows."""
    appends: int


SHAPES: dict[Size, Shape] = {"smoke": Shape(5), "full": Shape(500)}


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure the bare sides, and the journal beside them where it is built."""
    results = []
    for rows in ROWS_OF_AN_APPEND:
        results += run_rows(size, rounds, rows)
    return results


def run_rows(size: Size, rounds: int, rows: int) -> list[Result]:
    appends = SHAPES[size].appends
    encoded = batch_bytes(rows)
    with tempfile.TemporaryDirectory(prefix="tocsin-journal-") as name:
        sides: dict[str, Callable[[], float]] = {
            "bare_sync": lambda: bare(Path(name), encoded, appends, sync=True) * rows,
            "bare_write": lambda: bare(Path(name), encoded, appends, sync=False) * rows,
        }
        if exists("engine.journal.log"):
            sides["commit"] = lambda: asyncio.run(journalled(Path(name), rows, appends)) * rows
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
    """Append the same batch to a fresh journal, one after the other; return appends a second."""
    raise NotImplementedError("engine.journal is there: open one under `directory` and await journal.append")


def batch_bytes(rows: int) -> bytes:
    """Return an encoded batch of fire signals."""
    return bytes(batch_of(rows).encode())


def batch_of(rows: int):  # type: ignore[no-untyped-def]
    """Return a batch of `rows` fire signals, always the same."""
    batch = import_module("codec.batch").Batch(rows, rows * 256)
    for index in range(rows):
        added = batch.add(protocol=1, path=index, sequence=index % 9999 + 1, received_ns=RECEIVED_NS + index,
                          account=f"{index:06X}", point=f"1/{index % 512:03d}", native="FA",
                          signal_class=1, condition=1, state=1, identity=b"FA", raw=b"\n0000002AFA\r")
        assert added
    return batch
