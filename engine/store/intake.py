"""What has come from the source and is not being written yet: read ahead, bounded in rows and bytes."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from engine.store.copy import entry_bytes
from engine.store.source import Entry


class Intake:
    """Reads the source while a transaction runs, so that the next one takes all that came meanwhile.

    rows_max, bytes_max  when either is reached, the source is not read further until take()
    """

    def __init__(self, entries: AsyncIterator[Entry], rows_max: int, bytes_max: int) -> None:
        self._rows_max = rows_max
        self._bytes_max = bytes_max
        self._held: list[Entry] = []
        self._rows = 0
        self._bytes = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._full = asyncio.Event()
        self._reader = asyncio.create_task(self._read(entries), name="store-intake")
        self._reader.add_done_callback(self._note_end)

    def _note_end(self, reader: asyncio.Task[None]) -> None:
        self._filled.set()
        self._full.set()
        if not reader.cancelled():
            reader.exception()           # it is raised by take(), or nobody asks any more

    async def _read(self, entries: AsyncIterator[Entry]) -> None:
        async for entry in entries:
            self._held.append(entry)
            self._rows += len(entry[1])
            self._bytes += entry_bytes(entry[1], entry[2])
            self._filled.set()
            if self._rows >= self._rows_max or self._bytes >= self._bytes_max:
                self._room.clear()
                self._full.set()
            await self._room.wait()

    async def full(self) -> None:
        """Return when there is as much as may be, no more to come, or hurry() is called."""
        await self._full.wait()

    def hurry(self) -> None:
        """Let full() return with whatever there is: nothing else is to be done meanwhile."""
        self._full.set()

    async def take(self) -> list[Entry]:
        """Return everything there is, at least one entry; [] when the source has ended.

        Raises  what the source raised, once all that came before is taken
        """
        await self._filled.wait()
        held, self._held = self._held, []
        self._rows = self._bytes = 0
        self._room.set()
        if not self._reader.done():
            self._filled.clear()
            self._full.clear()
        elif not held:
            self._reader.result()
        return held

    async def close(self) -> None:
        """Stop reading; what is held is forgotten."""
        self._reader.cancel()
        await asyncio.wait([self._reader])   # raises when our caller is cancelled, never what the reader did
