"""How much a log may still take, and where the space for the next segment comes from.

Three parts: what everybody may use, a reserve for urgent entries (a file of its own, allocated when there was room,
that becomes a segment when it is needed), and one spare segment made ahead of time so that a roll costs no allocation.
"""
import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from engine.journal.disk import Disk, File
from engine.journal.errors import Full, JournalError
from engine.journal.layout import Segment

log = logging.getLogger("engine.journal")
ROOM_BYTES_MIN = 4096


class Room(StrEnum):
    """What may still be appended."""

    OK = "ok"
    LOW = "low"  # classes that can wait (info, test) should be refused
    FULL = "full"  # urgent entries only


@dataclass(frozen=True, slots=True)
class SpaceSettings:
    """The limits of a log, in bytes.

    bytes_max      all its files together; None: as much as the disk has
    reserve_bytes  of these, for urgent entries alone; 0: no reserve
    low_bytes      with less left for the others, room is LOW
    segment_bytes  size of a segment
    """

    segment_bytes: int
    bytes_max: int | None = None
    reserve_bytes: int = 0
    low_bytes: int = 0

    @property
    def bytes_max_normal(self) -> int | None:
        """What everybody may use."""
        return None if self.bytes_max is None else self.bytes_max - self.reserve_bytes


class Space:
    """Gives a log its files."""

    def __init__(self, disk: Disk, prefix: str, settings: SpaceSettings, segments: Callable[[], list[Segment]]) -> None:
        self._disk = disk
        self._settings = settings
        self._segments = segments
        self._reserve = f"{prefix}.reserve"
        self._reserve_bytes = 0  # really set aside
        self._reserve_sought = False
        self._spare: tuple[str, File, int] | None = None
        self._making: asyncio.Task[None] | None = None
        self._orphan: str | None = None  # a file with unknown content; it goes before its name is used again

    @property
    def bytes_used(self) -> int:
        """All segments, the spare one included; not the reserve."""
        return sum(segment.size for segment in self._segments()) + self._spare_bytes

    @property
    def _spare_bytes(self) -> int:
        return self._spare[2] if self._spare else 0

    def _allowed(self, urgent: bool) -> int:
        """How many more bytes of segments the limit lets be made."""
        if self._settings.bytes_max is None:
            return self._disk.free_bytes()
        kept_back = 0 if urgent else self._settings.reserve_bytes
        return max(0, self._settings.bytes_max - kept_back - self.bytes_used)

    def left(self, remaining: int, trimmable: int) -> int:
        """Return how many bytes are left for entries that are not urgent.

        remaining  what the active segment can still take
        trimmable  what could be deleted at once
        """
        free = min(self._disk.free_bytes(), self._allowed(urgent=False))
        return remaining + self._spare_bytes + free + trimmable

    def room(self, left: int, largest: int) -> Room:
        """Judge what `left` returned; `largest` is the size of the largest entry so far."""
        if left < max(largest, ROOM_BYTES_MIN):
            return Room.FULL
        return Room.LOW if left < self._settings.low_bytes else Room.OK

    def bytes_for(self, need: int) -> int:
        """Return how much the segments may take at most so that one for `need` bytes can be made beside them."""
        size = 0 if self._spare is not None else max(need, self._settings.segment_bytes)
        by_disk = self.bytes_used + self._disk.free_bytes() - size
        limit = self._settings.bytes_max_normal
        return by_disk if limit is None else min(by_disk, limit - size)

    async def prepare_reserve(self) -> bool:
        """Set the reserve aside if it is not and there is room for it; return whether it is there."""
        size = self._settings.reserve_bytes
        if self._reserve_bytes == size:
            return True
        if not self._reserve_sought and self._reserve in self._disk.list():
            self._reserve_bytes = self._disk.size(self._reserve)
            if self._reserve_bytes == size:
                return True
            await self._disk.remove(self._reserve)  # of another size: the settings changed
            self._reserve_bytes = 0
        self._reserve_sought = True
        if self._allowed(urgent=True) < size or self._disk.free_bytes() < size:
            return False
        try:
            (await self._disk.create(self._reserve, size)).close()
        except JournalError as error:
            log.warning("no space could be set aside for fire, gas and prealarm, make room on the journal's disk: %s",
                        error)
            return False
        self._reserve_bytes = size
        return True

    def prepare_spare(self, file: str) -> None:
        """Begin to make the next segment ahead of time, unless that is done or there is no room."""
        size = self._settings.segment_bytes
        idle = self._spare is None and self._making is None and self._orphan is None
        if idle and self._allowed(urgent=False) >= size:
            self._making = asyncio.get_running_loop().create_task(self._make_spare(file, size))

    async def _make_spare(self, name: str, size: int) -> None:
        try:
            self._spare = (name, await self._disk.create(name, size), size)
        except JournalError as error:  # tried again when the segment is needed
            log.warning("the next segment could not be made ahead of time; without room when it is needed, rows are "
                        "refused: %s", error)
        finally:
            self._making = None

    async def take(self, name: str, need: int, urgent: bool) -> tuple[File, int, bool]:
        """Return a file of zeros for at least `need` bytes, its size, and whether it is of the reserve.

        Raises  Full, Unavailable
        """
        if self._making is not None:
            await asyncio.shield(self._making)
        if self._orphan is not None:
            await self._disk.remove(self._orphan)
            self._orphan = None
        if self._spare is not None:
            assert self._spare[0] == name
            _, file, size = self._spare
            if size < need:
                if need - size > self._allowed(urgent):
                    raise Full("the journal's limit is reached")
                await file.allocate(need)
            self._spare = None
            return file, max(size, need), False
        try:
            return await self._make(name, need, urgent)
        except asyncio.CancelledError:
            self._orphan = name
            raise

    async def _make(self, name: str, need: int, urgent: bool) -> tuple[File, int, bool]:
        """Make a segment's file: of the usual size, of what is left, of the reserve."""
        try:
            return *await self._create(name, need), False
        except Full:
            if not urgent:
                raise
        if self._reserve_bytes >= need:
            size, self._reserve_bytes = self._reserve_bytes, 0
            await self._disk.rename(self._reserve, name)
            log.error("fire, gas and prealarm now use the space that was set aside for them, everything else is "
                      "refused: make room on the journal's disk, or bring the database back so that stored segments "
                      "can go")
            return self._disk.open(name), size, True
        if need > self._allowed(urgent=True):
            raise Full("the journal's limit is reached, its reserve too")
        return await self._disk.create(name, need), need, False

    async def _create(self, name: str, need: int) -> tuple[File, int]:
        """Make a file of the usual size, or of a smaller one where there is not so much room."""
        allowed = self._allowed(urgent=False)
        size = max(need, min(self._settings.segment_bytes, allowed))
        if size > allowed:
            raise Full("the journal's limit is reached")
        while True:
            try:
                return await self._disk.create(name, size), size
            except Full:
                if size == need:
                    raise
                size = max(need, size // 4)

    def take_now(self, name: str, need: int) -> tuple[File, int]:
        """The same at once, for a log that is not durable by itself."""
        size = max(need, self._settings.segment_bytes)
        self._orphan = None
        return self._disk.create_now(name, size), size

    def discard(self, name: str) -> None:
        """Remove a file whose content is unknown before its name is used again."""
        self._orphan = name

    async def close(self) -> None:
        """Finish what was begun; a spare segment goes, it would be found empty."""
        if self._making is not None:
            await self._making
        if self._spare is not None:
            self._spare[1].close()
            self._orphan = self._spare[0]
            self._spare = None
        if self._orphan is not None:
            orphan, self._orphan = self._orphan, None    # once: then the name may be another engine's
            try:
                await self._disk.remove(orphan)
            except JournalError as error:
                log.warning("%s could not be deleted, the next start does it: %s", orphan, error)
