"""An append-only log in segments: the journal is one, the outcome log another.

One writer, any number of readers, all on one loop. An entry is published (readable, counted in `last`) only after its
write came back; a failed write ends the segment at its last good entry, and its numbers stay a hole.
"""
import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from engine.clock import Clock
from engine.journal.disk import Disk, File
from engine.journal.errors import Ahead, Trimmed, Unavailable
from engine.journal.layout import SEGMENT_HEADER_BYTES, Entry, Header, Segment, encode_entry, entry_bytes
from engine.journal.reading import Cursor, oldest_of
from engine.journal.recovery import Recovered, as_handed, recover, segment_name
from engine.journal.space import Room, Space, SpaceSettings
from engine.journal.tail import Tail

log = logging.getLogger("engine.journal")
ENTRIES_PER_TURN = 16  # entries that a reader takes from memory before others get the loop
LARGE_ROWS = 1024  # an entry of so many is a turn of its own


@dataclass(frozen=True, slots=True)
class LogStart:
    """Where a log begins that is not there yet.

    name   16 bytes; both logs of an engine have the journal's
    first  the least number that it may give
    mark   what `seek` begins with
    """

    name: bytes
    first: int
    mark: int = 0


class SegmentLog:
    """See the module. Made by `open`."""

    def __init__(self, disk: Disk, clock: Clock, prefix: str, space: SpaceSettings, memory_bytes: int,
                 recovered: Recovered) -> None:
        self.disk = disk
        self.segments = recovered.segments
        newest = self.segments[-1]
        self.name = newest.header.name
        empty = newest.end == SEGMENT_HEADER_BYTES
        self.last = newest.header.base - 1 if empty else newest.last  # or where numbers were skipped to
        self.mark = newest.mark
        self.next = self.last + 1
        self.synced = newest.last
        self.largest = 0
        self._clock = clock
        self._prefix = prefix
        self._space = Space(disk, prefix, space, lambda: self.segments)
        self._tail = Tail(memory_bytes, newest.last, newest.mark)
        self._file: File | None = recovered.file  # of the newest segment; None when it was given up
        self._fresh: tuple[Segment, File] | None = None  # made, with nothing durable in it yet
        self._unsynced: list[File] = []  # closed segments that `sync` still has to flush
        self._sync_failed = False
        self._appending = False
        self._trimming = asyncio.Lock()
        self._skip_to = 0
        self._grown = asyncio.Event()
        self._closed = False

    @classmethod
    async def open(cls, disk: Disk, clock: Clock, prefix: str, space: SpaceSettings, start: Callable[[], LogStart], *,
                   memory_bytes: int = 16 << 20, name: bytes | None = None, cut_after: int | None = None,
                   handed: list[Segment] | None = None) -> "SegmentLog":
        """Open the log, or begin it where `start` says.

        cut_after  None for a durable log. Else the log is derivable: what comes after that number is dropped
        name       the name that it must have; a derivable log of another name is dropped
        handed     what `finish` returned a moment ago: where the disk agrees, the log is not looked through
        Raises     Damaged, Full, Unavailable
        """
        recovered = as_left = await as_handed(disk, prefix, handed) if handed else None
        recovered = recovered or await recover(disk, prefix, name, cut_after)
        if recovered is None:
            begin = start()
            header = Header(begin.name, 1, clock.wall_ns(), begin.first, 0, 0, begin.mark)
            file = await disk.create(segment_name(prefix, 1), space.segment_bytes)
            await file.write(0, header.encode(), sync=True)
            recovered = Recovered([Segment(header, file.name, space.segment_bytes, SEGMENT_HEADER_BYTES, 0,
                                           begin.mark)], file)
        opened = cls(disk, clock, prefix, space, memory_bytes, recovered)
        if as_left:
            opened.synced = opened.segments[-1].header.previous_last
        if not await opened._space.prepare_reserve() and opened._newest.size == space.reserve_bytes:
            opened._newest.reserve = True  # it was made of the reserve, and there is no other one yet
        return opened

    # -- appending

    async def append(self, payload: bytes, rows: int, mark: int, *, urgent: bool = False, upto: int = -1) -> Entry:
        """Append durably under the next numbers; one at a time.

        urgent  may use the reserve
        upto    segments of numbers up to it may be deleted to make room
        Raises  Full, Unavailable: the rows are not taken, and the numbers not given again if they may be on the disk
        """
        assert not self._appending, "one append at a time"
        assert rows > 0 and not self._closed
        self._appending = True
        try:
            await self._make_room(entry_bytes(len(payload)), upto)
            file = await self._place(entry_bytes(len(payload)), urgent)
            entry = Entry(self.next, rows, mark, self._newest.last, payload)
            offset, data = self._encode(entry)
            try:
                await file.write(offset, data, sync=True)
            except BaseException:  # a cancelled wait too: nobody knows what reached the disk
                self._give_up(entry)
                raise
            self.synced = entry.last
            self._publish(entry, data)
            return entry
        finally:
            self._appending = False
            self._skip()

    def append_now(self, payload: bytes, rows: int, mark: int, *, first: int) -> Entry:
        """Append without making it durable: `sync` does that. At most the page cache is touched.

        first   greater than every number before
        Raises  Full, Unavailable
        """
        assert not self._appending and not self._closed
        assert rows > 0 and first >= self.next, f"{first} after {self.next - 1}"
        self.next = first
        file = self._place_now(entry_bytes(len(payload)))
        entry = Entry(first, rows, mark, self._newest.last, payload)
        offset, data = self._encode(entry)
        try:
            file.write_now(offset, data)
        except BaseException:
            self._give_up(entry)
            self.next = entry.first  # the log is derivable: the same entry may be offered again
            raise
        self._publish(entry, data)
        return entry

    async def sync(self) -> int:
        """Make everything appended before the call durable; return the last number of it.

        Raises  Unavailable, and from then on always: what the disk has is no longer known, until the log is opened
                again with `cut_after` the last number that this returned
        """
        if self._sync_failed:
            raise Unavailable(f"an earlier flush of {self._prefix} failed")
        last, closed = self._newest.last, self._unsynced
        self._unsynced = []
        try:
            for file in [*closed, *([self._file] if self._file else [])]:
                await file.sync()
            await self.disk.sync_names()
        except BaseException:
            self._sync_failed = True
            log.error("%s could not be flushed after number %d: no snapshot can be written any more; look at the "
                      "disk, then restart the engine", self._prefix, self.synced)
            raise
        finally:
            for file in closed:
                file.close()
        self.synced = last
        return last

    def skip_past(self, number: int) -> None:
        """Give only numbers greater than `number` from now on; an append that is under way keeps its own."""
        self._skip_to = max(self._skip_to, number)
        if not self._appending:
            self._skip()

    def _skip(self) -> None:
        if self._skip_to > self.last:
            self.last = self._skip_to
            self.next = max(self.next, self._skip_to + 1)
            self._wake()

    @property
    def _newest(self) -> Segment:
        return self.segments[-1]

    def _fits(self, size: int, urgent: bool) -> bool:
        """Whether the newest segment can take an entry of this size."""
        newest = self._newest
        return self._file is not None and newest.end + size <= newest.size and (urgent or not newest.reserve)

    async def _place(self, size: int, urgent: bool) -> File:
        """Return the file for an entry of this size; after it `_encode` knows the place."""
        if self._fits(size, urgent):
            assert self._file is not None
            return self._file
        name = segment_name(self._prefix, self._newest.header.ordinal + 1)
        file, bytes_now, reserve = await self._space.take(name, SEGMENT_HEADER_BYTES + size, urgent)
        return self._begin(file, bytes_now, reserve)

    def _place_now(self, size: int) -> File:
        if self._fits(size, urgent=True):
            assert self._file is not None
            return self._file
        name = segment_name(self._prefix, self._newest.header.ordinal + 1)
        return self._begin(*self._space.take_now(name, SEGMENT_HEADER_BYTES + size), reserve=False)

    def _begin(self, file: File, size: int, reserve: bool) -> File:
        """Make a segment in `file`; it joins the log with its first entry."""
        newest = self._newest
        header = Header(self.name, newest.header.ordinal + 1, self._clock.wall_ns(), self.next, newest.last,
                        newest.end, newest.mark)
        self._fresh = (Segment(header, file.name, size, SEGMENT_HEADER_BYTES, newest.last, newest.mark, reserve), file)
        return file

    def _encode(self, entry: Entry) -> tuple[int, bytes]:
        """Return where the entry goes and its bytes, with the segment's header where it is the first."""
        if self._fresh is None:
            return self._newest.end, encode_entry(entry, self._newest.header.seed)
        header = self._fresh[0].header
        return 0, header.encode() + encode_entry(entry, header.seed)

    def _publish(self, entry: Entry, data: bytes) -> None:
        """Let readers see the entry."""
        if self._fresh is not None:
            segment, file = self._fresh
            self._fresh = None
            if self._file is not None:
                if self.synced >= self._newest.last:
                    self._file.close()
                else:
                    self._unsynced.append(self._file)
            self._file = file
            self.segments.append(segment)
            segment.end = 0
        segment = self._newest
        segment.note(max(segment.end, SEGMENT_HEADER_BYTES), segment.last, segment.mark)
        segment.end += len(data)
        segment.last, segment.mark = entry.last, entry.mark
        self.last, self.mark, self.next = entry.last, entry.mark, entry.last + 1
        self.largest = max(self.largest, len(data))
        self._tail.push(entry)
        self._wake()

    def _give_up(self, entry: Entry) -> None:
        """Never write to these pages again, nor give these numbers."""
        self.next = entry.last + 1
        if self._fresh is not None:
            segment, file = self._fresh
            self._fresh = None
            self._space.discard(segment.file)
            file.close()
        elif self._file is not None:
            log.error("%s: given up at offset %d after a failed write; what is before it stays, what comes goes into a "
                      "new file", self._newest.file, self._newest.end)
            if self.synced >= self._newest.last:
                self._file.close()
            else:
                self._unsynced.append(self._file)
            self._file = None

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    # -- reading

    @property
    def first_kept(self) -> int:
        """The oldest number that can be read; `read(after=first_kept - 1)` begins with it."""
        return oldest_of(self.segments)

    async def read(self, after: int, until: int | None = None) -> AsyncGenerator[Entry]:
        """Yield the entries after number `after` in order, and wait for more; end at `until`, or when closed.

        An entry is yielded whole, also when `after` or `until` lies inside it.
        Raises  Trimmed, Ahead, Damaged, Unavailable
        """
        if after > self.last:
            raise Ahead(self.last)
        position, cursor = after, Cursor(self)
        while until is None or position < until:
            if position < self.segments[0].header.previous_last:
                raise Trimmed(self.first_kept)
            grown, head = self._grown, self.last
            entries = self._tail.after(position, ENTRIES_PER_TURN)
            if entries is None:
                entries = await cursor.after(position)
            else:
                cursor.leave()
            for entry in entries:
                yield entry
                position = entry.last
                if until is not None and position >= until:
                    return
                if entry.rows >= LARGE_ROWS:
                    await asyncio.sleep(0)  # the next may take as long
            if entries:
                await asyncio.sleep(0)  # who catches up must not keep the loop
            elif self._closed or (until is not None and head >= until):
                return
            else:
                await grown.wait()

    async def grown(self) -> None:
        """Return when the next entry is there."""
        await self._grown.wait()

    async def seek(self, mark: int) -> int:
        """Return the position after which the first entry follows whose mark is greater than `mark`.

        Raises  Trimmed, Ahead (both with a mark), Damaged, Unavailable
        """
        if mark < self.segments[0].header.base_mark:
            raise Trimmed(self.segments[0].header.base_mark)
        if mark >= self.mark:
            if mark > self.mark:
                raise Ahead(self.mark)
            return self.last
        found = self._tail.seek(mark)
        return await Cursor(self).seek(mark) if found is None else found

    # -- space

    @property
    def bytes_used(self) -> int:
        """The bytes of all segments."""
        return self._space.bytes_used

    def room(self, upto: int) -> Room:
        """Say what may still be appended, when everything up to `upto` could be deleted."""
        newest = self._newest
        remaining = newest.size - newest.end if self._file is not None and not newest.reserve else 0
        trimmable = sum(segment.size for segment in self.segments[:-1] if segment.last <= upto)
        return self._space.room(self._space.left(remaining, trimmable), self.largest)

    def prepare(self) -> None:
        """Make the next segment ahead of time once half of this one is used."""
        newest = self._newest
        if self._file is None or newest.end * 2 > newest.size:
            self._space.prepare_spare(segment_name(self._prefix, newest.header.ordinal + 1))

    async def _make_room(self, size: int, upto: int) -> None:
        """Delete the oldest segments up to `upto`, where a segment for an entry of this size needs their place."""
        if not self._fits(size, urgent=False):
            try:
                await self.trim(upto, bytes_max=self._space.bytes_for(size + SEGMENT_HEADER_BYTES))
            except Unavailable as error:  # whether there is room all the same is seen when it is taken
                log.warning("an old segment could not be deleted; when this lasts, the journal fills: %s", error)

    async def trim(self, upto: int, *, bytes_max: int | None = None, keep_ns: int | None = None) -> int:
        """Delete whole segments, oldest first, of numbers up to `upto`; return how many.

        A segment goes when the next one was begun more than `keep_ns` ago, or when all take more than `bytes_max`.
        Raises  Unavailable
        """
        count, now_ns = 0, self._clock.wall_ns()
        async with self._trimming:
            while len(self.segments) > 1 and self.segments[0].last <= upto:
                old = keep_ns is not None and now_ns - self.segments[1].header.created_ns > keep_ns
                if not old and (bytes_max is None or self.bytes_used <= bytes_max):
                    break
                await self._remove_oldest()
                count += 1
            if await self._space.prepare_reserve():
                self._newest.reserve = False
        return count

    async def _remove_oldest(self) -> None:
        """Delete the oldest segment; if that fails it stays the oldest, so that never one in the middle is missing."""
        segment = self.segments.pop(0)
        try:
            await self.disk.remove(segment.file)
        except BaseException:
            self.segments.insert(0, segment)
            raise

    async def finish(self) -> list[Segment] | None:
        """Write no more; the files stay open for readers. The newest file may still have to be flushed.

        Returns  the segments for the next `open`, or None where that must look for itself
        Raises   Unavailable
        """
        assert not self._appending
        if self._unsynced:
            await self.sync()
        whole = self._file is not None and self._fresh is None and not self._sync_failed
        await self._space.close()
        return list(self.segments) if whole else None

    async def close(self) -> None:
        """Let the readers end; close the files. Nothing is flushed that `sync` did not flush."""
        if self._closed:
            return
        assert not self._appending
        self._closed = True
        self._wake()
        for file in [*self._unsynced, *([self._file] if self._file else [])]:
            file.close()
        await self._space.close()
