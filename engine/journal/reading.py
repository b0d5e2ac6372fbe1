"""Reading entries back from the segments' files."""
from bisect import bisect_right
from typing import Protocol

from engine.journal.disk import Disk
from engine.journal.errors import Damaged, Trimmed
from engine.journal.layout import ENTRY_HEADER_BYTES, SEGMENT_HEADER_BYTES, Entry, Segment, decode_entry, entry_size

READ_BYTES = 256 << 10


class Shelf(Protocol):
    """What a cursor needs of the log it reads."""

    disk: Disk
    segments: list[Segment]


class Cursor:
    """A place in the files of a log; walks forward, from segment to segment, up to what is published."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._segment: Segment | None = None
        self._offset = 0
        self._last = 0
        self._mark = 0

    def leave(self) -> None:
        """Forget the place; the next call looks it up again."""
        self._segment = None

    async def after(self, position: int) -> list[Entry]:
        """Return some of the entries after `position`, in order; none when there are none.

        Raises  Trimmed when they are deleted meanwhile, Damaged, Unavailable
        """
        if self._segment is None:
            self._place(position)
        while True:
            entries = await self._next()
            wanted = [entry for entry in entries if entry.last > position]
            if wanted or not entries:
                return wanted

    async def seek(self, mark: int) -> int:
        """Return the number before the first entry whose mark is greater than `mark`."""
        segments = self._shelf.segments
        at = bisect_right(segments, mark, key=lambda segment: segment.header.base_mark) - 1
        segment = segments[at]
        index = bisect_right(segment.index, mark, key=lambda point: point[1]) - 1
        self._enter(segment)
        if index >= 0:
            self._last, self._mark, self._offset = segment.index[index]
        while entries := await self._next():
            for entry in entries:
                if entry.mark > mark:
                    return entry.previous
        return self._last

    def _place(self, position: int) -> None:
        """Go to the segment, and the known place in it, from where `position` is found soonest."""
        segments = self._shelf.segments
        at = min(bisect_right(segments, position, key=lambda segment: segment.last), len(segments) - 1)
        segment = segments[at]
        self._enter(segment)
        index = bisect_right(segment.index, position, key=lambda point: point[0]) - 1
        if index >= 0:
            self._last, self._mark, self._offset = segment.index[index]

    def _enter(self, segment: Segment) -> None:
        self._segment = segment
        self._offset = SEGMENT_HEADER_BYTES
        self._last, self._mark = segment.header.previous_last, segment.header.base_mark

    async def _next(self) -> list[Entry]:
        """Return the next entries; none at the head."""
        segment = self._segment
        assert segment is not None
        while self._offset >= segment.end:
            segments = self._shelf.segments
            following = segment.header.ordinal + 1 - segments[0].header.ordinal
            if following < 0:
                raise Trimmed(oldest_of(segments))
            if following >= len(segments):
                return []
            segment = segments[following]
            self._enter(segment)
        try:
            return await self._read(segment)
        except FileNotFoundError:
            raise Trimmed(oldest_of(self._shelf.segments)) from None

    async def _read(self, segment: Segment) -> list[Entry]:
        """Return the entries that one read brings, at least one."""
        seed, size = segment.header.seed, READ_BYTES
        while True:
            end = min(segment.end, self._offset + size)
            data = await self._shelf.disk.read(segment.file, self._offset, end - self._offset)
            entries: list[Entry] = []
            at = 0
            while entry := decode_entry(data, at, seed):
                if entry.previous != self._last or entry.first <= self._last:
                    raise Damaged(segment.file, self._offset + at, f"number {entry.first} does not join {self._last}")
                segment.note(self._offset + at, self._last, self._mark)
                self._last, self._mark = entry.last, entry.mark
                at += entry_size(data, at, seed)
                entries.append(entry)
            if entries:
                self._offset += at
                return entries
            size = max(entry_size(data, 0, seed), ENTRY_HEADER_BYTES)
            if size <= len(data) or self._offset + size > segment.end:
                raise Damaged(segment.file, self._offset, "an entry cannot be read")


def oldest_of(segments: list[Segment]) -> int:
    """Return the oldest number that is kept."""
    return segments[0].header.base
