"""Bugs that an engine might have, planted on purpose: what the simulation must find, or it proves nothing.

Each is a context manager that makes every engine within it wrong in one way.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from codec.batch import Batch
from engine.admit.admit import Admit
from engine.forward.hub import Forward
from engine.journal.errors import JournalError, Unavailable
from engine.journal.memory_disk import MemoryFile
from engine.journal.segments import SegmentLog
from engine.pipeline import Pipeline
from engine.sources import StoredRows
from engine.store import transaction
from engine.store.writer import Store
from engine.supervise.touch_file import TouchFile

ALL = 1 << 62                    # as a ticket: every reply
PLANTED: dict[str, Callable[[], AbstractContextManager[None]]] = {}


def planted(plant: Callable[[], Iterator[None]]) -> Callable[[], AbstractContextManager[None]]:
    made = contextmanager(plant)
    PLANTED[plant.__name__.replace("_", " ")] = made
    return made


@planted
def acknowledges_before_it_flushes() -> Iterator[None]:
    append = Pipeline.append

    async def early(self: Pipeline) -> None:
        for listener in self.listeners():
            listener.release(ALL)
        await append(self)

    with patch.object(Pipeline, "append", early):
        yield


@planted
def does_not_flush() -> Iterator[None]:
    write = MemoryFile.write

    async def unflushed(self: MemoryFile, offset: int, data: bytes, sync: bool) -> None:
        await write(self, offset, data, False)

    with patch.object(MemoryFile, "write", unflushed):
        yield


@planted
def flushes_again_after_a_failed_flush() -> Iterator[None]:
    write = MemoryFile.write

    async def stubborn(self: MemoryFile, offset: int, data: bytes, sync: bool) -> None:
        await write(self, offset, data, False)
        while sync:
            try:
                await self.sync()
                return
            except Unavailable:
                continue

    with patch.object(MemoryFile, "write", stubborn):
        yield


@planted
def forgets_its_position_in_the_database() -> Iterator[None]:
    read = Store._read_position

    async def behind(self: Store, connection: Any) -> int:
        number = await read(self, connection)
        return number - 1 if number else number

    with patch.object(Store, "_read_position", behind), \
            patch.object(transaction.Transaction, "_attempt", attempt_without_the_position):
        yield


async def attempt_without_the_position(self: Any, connection: Any, group: Any, after: int, write: Any) -> Any:
    """Write rows and position in two transactions, whatever position the database has."""
    written = transaction.Written(transaction.last_number(group[-1]))
    async with connection.transaction():
        await write(connection, self._rows.rows, self._copy_signals, written)
        if self._rows.event_rows:
            await write(connection, self._rows.event_rows, self._copy_events, written)
    await connection.execute(transaction.MOVE_POSITION, *self.key, written.position, None)
    return written


@planted
def moves_its_position_in_a_transaction_of_its_own() -> Iterator[None]:
    with patch.object(transaction.Transaction, "_attempt", attempt_without_the_position):
        yield


@planted
def forgets_what_it_admitted() -> Iterator[None]:
    class Forgetful(Admit):
        def load(self, saved: bytes) -> None:
            """It is all new again."""

        def apply(self, batch: Batch) -> None:
            """It is all new again."""

    with patch("engine.remembering.Admit", Forgetful):
        yield


@planted
def counts_the_time_that_it_was_down() -> Iterator[None]:
    resume = TouchFile.resume

    async def slept(self: TouchFile, listening_ms: int, grace_ms: int, known: int) -> int:
        return await resume(self, listening_ms, 0, known) + 30_000

    with patch.object(TouchFile, "resume", slept):
        yield


@planted
def forgets_who_was_heard() -> Iterator[None]:
    async def forgotten(self: TouchFile) -> None:
        return None

    resume = TouchFile.resume

    async def without_grace(self: TouchFile, listening_ms: int, grace_ms: int, known: int) -> int:
        return await resume(self, listening_ms, 0, known)

    with patch.object(TouchFile, "_load", forgotten), patch.object(TouchFile, "resume", without_grace):
        yield


@planted
def lets_subscribers_begin_anew() -> Iterator[None]:
    follow = Forward.follow

    async def anew(self: Forward, subscriber: Any, question: Any) -> None:
        object.__setattr__(question, "after", None)
        await follow(self, subscriber, question)

    with patch.object(Forward, "follow", anew):
        yield


@planted
def takes_snapshots_before_the_outcomes_are_flushed() -> Iterator[None]:
    async def unflushed(self: SegmentLog) -> int:
        return self.segments[-1].last

    with patch.object(SegmentLog, "sync", unflushed):
        yield


@planted
def shows_no_fire_that_it_cannot_keep() -> Iterator[None]:
    def lose(self: Pipeline, sealed: Batch, ticket: int, error: JournalError) -> None:
        self.admit.fail(ticket)
        self.paths.retract(sealed)
        for listener in self.listeners():
            listener.withhold(ticket)

    with patch.object(Pipeline, "lose", lose):
        yield


@planted
def answers_what_it_lost() -> Iterator[None]:
    lose = Pipeline.lose

    def generous(self: Pipeline, sealed: Batch, ticket: int, error: JournalError) -> None:
        for listener in self.listeners():
            listener.release(ticket)
        lose(self, sealed, ticket, error)

    with patch.object(Pipeline, "lose", generous):
        yield


@planted
def leaves_the_store_behind_after_a_refused_row() -> Iterator[None]:
    async def skip(self: Any, connection: Any, pieces: Any, copy: Any, written: Any) -> None:
        """Give the whole group up for one bad row."""

    with patch.object(transaction.Transaction, "_write_halving", skip):
        yield


@planted
def reads_the_journal_past_its_beginning() -> Iterator[None]:
    source = StoredRows.__call__

    async def skipping(self: StoredRows, after: int) -> Any:
        first = True
        async for entry in source(self, after):
            if not first or not after:
                yield entry
            first = False

    with patch.object(StoredRows, "__call__", skipping):
        yield
