"""Rows that are many and can wait: batches that go into the journal between the appends of the intake, in their order.

They take no room that signals need, and a fire waits for at most one of them: some milliseconds of the disk. A few wait
here, so that the disk has its next one at once, and while it writes the loop judges the one before.
"""
from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from codec.batch import Batch
from engine.journal.errors import Full, JournalError, Unavailable
from engine.journal.space import Room

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

OUTSTANDING_MAX = 3              # handed over and not yet durable: one on its way to the disk, the others behind it


class Bulk:
    """Of one pipeline; one hands over at a time."""

    def __init__(self, engine: Pipeline) -> None:
        self._engine = engine
        self._waiting: deque[tuple[Batch, asyncio.Future[None]]] = deque()

    @property
    def waiting(self) -> bool:
        """Whether a batch waits for its append."""
        return bool(self._waiting)

    def hand(self, batch: Batch) -> asyncio.Future[None]:
        """Hand over a batch, which stays as it is until the result comes: None when it is durable, or JournalError.

        Fewer than OUTSTANDING_MAX have no result yet. Where one fails, or its future is cancelled before its append,
        those behind it are dropped: what is durable has no gap.
        """
        engine = self._engine
        assert len(self._waiting) < OUTSTANDING_MAX
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if engine.journal.room() is not Room.OK:
            done.set_exception(Full("what can wait finds no room"))
            return done
        self._waiting.append((batch, done))
        engine.journal_idle.clear()
        engine.rows_waiting.set()
        return done

    async def append(self) -> None:
        """JOURNAL: append the next one that waits, if one does."""
        if not self._waiting:
            return
        batch, done = self._waiting.popleft()
        if done.cancelled():
            self._drop(Unavailable("what went before is not wanted any more"))
            return
        try:
            await self._engine.journal.append(0, batch)
        except JournalError as error:
            if not done.done():
                done.set_exception(error)
            self._drop(error)
            return
        if not done.done():
            done.set_result(None)

    def _drop(self, error: JournalError) -> None:
        """Give up what waits behind one that failed or is no longer wanted."""
        while self._waiting:
            _, done = self._waiting.popleft()
            if not done.done():
                done.set_exception(error)
                done.exception()     # whoever was cancelled asks no more
