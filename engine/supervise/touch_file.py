"""The files of touches: one is written every second, in turn, so that another one is always whole.

Little endian. Header, 64 bytes: magic "TOCTOUCH", u32 version, u32 paths, name of the journal (16), i64 listening time
now and at the life's start (ms), u64 number of the writing, 8 zeros; then u32 an age for each path
(see touches.pyx) and u32 crc32 of all before. After a kill the newest one is there, a second old. What a power
cut may tear are the unflushed ones; the flushed ones have files of their own.
"""
from __future__ import annotations

import asyncio
import logging
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.journal.disk import Disk, File
from engine.journal.errors import JournalError
from engine.paths import PathTable
from engine.supervise.listening import ListeningClock
from engine.supervise.touches import Touches

log = logging.getLogger("engine.supervise")
MAGIC, VERSION = b"TOCTOUCH", 1
HEADER = struct.Struct("<8sII16sqqQ8x")
CHECKSUM = struct.Struct("<I")
PAIRS = (("touches-0.touches", "touches-1.touches"), ("touches-2.touches", "touches-3.touches"))  # unflushed, flushed
EVERY_S = 1.0
FLUSHED_EVERY = 5                # a power cut takes at most so many writings
assert HEADER.size == 64


@dataclass(frozen=True, slots=True)
class Saved:
    """What was found: times in ms of listening time."""

    listening_ms: int
    began_ms: int
    order: int
    ages: bytes


def decode(data: bytes, journal: bytes) -> Saved | None:
    """Return what a file holds, or None when it is not whole or belongs to another journal."""
    if len(data) < HEADER.size:
        return None
    magic, version, paths, name, listening_ms, began_ms, order = HEADER.unpack_from(data)
    end = HEADER.size + 4 * paths
    if (magic, version, name) != (MAGIC, VERSION, journal) or len(data) < end + CHECKSUM.size:
        return None
    if CHECKSUM.unpack_from(data, end)[0] != zlib.crc32(data[:end]):
        return None
    return Saved(listening_ms, began_ms, order, data[HEADER.size:end])


def with_checksum(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the parts, and at the end their checksum."""
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
        yield part
    yield CHECKSUM.pack(checksum)


class TouchFile:
    """Reads them at a start, gives every path its time, and writes them from then on."""

    def __init__(self, disk: Disk, journal: bytes, paths: PathTable) -> None:
        self._disk = disk
        self._journal = journal
        self._paths = paths
        self._touches = Touches(paths)
        self._order = 0
        self._next = [0, 0]              # of each pair, the one to be written
        self._began_ms = 0
        self._files: dict[str, File] = {}
        self._trouble = ""

    async def resume(self, listening_ms: int, grace_ms: int, known: int) -> int:
        """Give every path its time, and return listening time now.

        listening_ms  as the snapshot has it, on which the touches are laid
        known         how many paths the snapshot has
        """
        saved = await self._load()
        life_ms = 0
        if saved is not None:
            self._order = saved.order
            if saved.listening_ms >= listening_ms:
                listening_ms = saved.listening_ms
                life_ms = saved.listening_ms - saved.began_ms
                self._touches.load(saved.ages, listening_ms)
                known = max(known, len(saved.ages) // 4)
        self._began_ms = listening_ms
        self._touches.resume(listening_ms, grace_ms, known, life_ms=life_ms)
        return listening_ms

    async def _load(self) -> Saved | None:
        """Return the newest that is whole; of each pair the other one is written next."""
        newest: list[Saved | None] = [None, None]
        for flushed, names in enumerate(PAIRS):
            for number, name in enumerate(names):
                found = await self._read(name)
                before = newest[flushed]
                if found is not None and (before is None or found.order > before.order):
                    newest[flushed] = found
                    self._next[flushed] = 1 - number
        return max((one for one in newest if one is not None), key=lambda one: one.order, default=None)

    async def _read(self, name: str) -> Saved | None:
        try:
            return decode(await self._disk.read(name, 0, self._disk.size(name)), self._journal)
        except FileNotFoundError:
            return None
        except JournalError as error:
            log.warning("%s cannot be read: %s", name, error)
            return None

    async def run(self, listening: ListeningClock) -> None:
        """Write every second, until cancelled. A disk that refuses is told once, and tried again.

        The first writing is flushed: a start after a power cut would else take the life before this one for the last.
        """
        unflushed = FLUSHED_EVERY
        while True:
            try:
                await self.write(listening, flush=unflushed >= FLUSHED_EVERY)
                unflushed = unflushed + 1 if unflushed < FLUSHED_EVERY else 1
                self._trouble = ""
            except JournalError as error:
                if not self._trouble:
                    log.warning("who was heard cannot be written, so a kill would make the next start less sure: %s",
                                error)
                self._trouble = str(error)
            await asyncio.sleep(EVERY_S)

    async def write(self, listening: ListeningClock, *, flush: bool = True) -> None:
        """Write once. Raises Full, Unavailable."""
        self._order += 1
        name = PAIRS[flush][self._next[flush]]
        self._next[flush] ^= 1
        if name not in self._files:
            self._files[name] = self._disk.open(name) if name in self._disk.list() else \
                await self._disk.create(name, 0)
        paths, now_ms = len(self._paths), listening.listening_ms
        header = HEADER.pack(MAGIC, VERSION, paths, self._journal, now_ms, self._began_ms, self._order)
        await self._files[name].write_beside(with_checksum(self._parts(header, paths, now_ms)))
        if flush:
            await self._files[name].sync()

    def _parts(self, header: bytes, paths: int, now_ms: int) -> Iterator[bytes]:
        yield header
        yield from self._touches.ages(paths, now_ms)

    async def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        self._files.clear()
