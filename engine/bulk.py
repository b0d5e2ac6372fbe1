"""Rows that are many and can wait: batches that go into the journal between the appends of the intake, one at a time.

They take no room that signals need, and a fire waits for at most one of them: some milliseconds of the disk.
"""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from codec.batch import Batch
from engine.journal.errors import Full, JournalError
from engine.journal.space import Room

if TYPE_CHECKING:
    from engine.pipeline import Pipeline


class Bulk:
    """Of one pipeline; one hands over at a time."""

    def __init__(self, engine: Pipeline) -> None:
        self._engine = engine
        self._next: tuple[Batch, asyncio.Future[None]] | None = None

    @property
    def waiting(self) -> bool:
        """Whether a batch waits for its append."""
        return self._next is not None

    def hand(self, batch: Batch) -> asyncio.Future[None]:
        """Hand over a batch, which stays as it is until the result comes: None when it is durable, or JournalError.

        The one before has come to its end.
        """
        engine = self._engine
        assert self._next is None
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if engine.journal.room() is not Room.OK:
            done.set_exception(Full("what can wait finds no room"))
            return done
        self._next = batch, done
        engine.journal_idle.clear()
        engine.rows_waiting.set()
        return done

    async def append(self) -> None:
        """JOURNAL: append what waits, if something does."""
        if self._next is None:
            return
        batch, done = self._next
        self._next = None
        try:
            if not done.cancelled():
                await self._engine.journal.append(0, batch)
        except JournalError as error:
            if not done.done():
                done.set_exception(error)
            return
        if not done.done():
            done.set_result(None)
