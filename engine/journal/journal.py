"""The journal: batches in, durable, numbered; batches out, in order, from any position that is kept.

This is the seam to a cluster: what is called here names no file and no path. On one machine there is one partition, 0.
"""
import logging
import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from codec.batch import Batch
from engine.clock import Clock
from engine.journal.consumers import Consumers
from engine.journal.disk import Disk
from engine.journal.errors import JournalError
from engine.journal.layout import Segment
from engine.journal.segments import LogStart, SegmentLog
from engine.journal.snapshots import Sections, Snapshot, Snapshots
from engine.journal.space import Room, SpaceSettings

log = logging.getLogger("engine.journal")
NEVER = (1 << 63) - 1
SECOND_NS = 1_000_000_000
FlushHook = Callable[[float, int, int], None]


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """The journal's limits.

    segment_bytes  size of one file
    memory_bytes   newest batches kept in memory for readers that keep up
    bytes_max      all files together
    keep_seconds   how long batches stay that nobody needs any more
    reserve_part   0..0.5 of bytes_max, set aside for urgent appends
    low_part       0..0.5 of bytes_max; with less than this left, info and test should wait
    consumers      nothing is deleted before each of these has committed past it
    snapshots      nothing is deleted before each of these has a snapshot after it
    """

    segment_bytes: int = 64 << 20
    memory_bytes: int = 16 << 20
    bytes_max: int = 4 << 30
    keep_seconds: int = 7 * 24 * 3600
    reserve_part: float = 0.05
    low_part: float = 0.10
    consumers: tuple[str, ...] = ("store",)
    snapshots: tuple[str, ...] = ("engine",)

    def space(self) -> SpaceSettings:
        """Return the limits in bytes."""
        assert 0 <= self.reserve_part <= 0.5 and 0 <= self.low_part <= 0.5
        return SpaceSettings(self.segment_bytes, self.bytes_max, int(self.bytes_max * self.reserve_part),
                             int(self.bytes_max * self.low_part))


@dataclass(frozen=True, slots=True)
class Span:
    """The numbers of the rows of one batch: first, first + 1, ..., last."""

    partition: int
    first: int
    rows: int

    @property
    def last(self) -> int:
        """The number of the last row."""
        return self.first + self.rows - 1


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a journal: after the row `number`. `journal` is its name, 16 bytes."""

    journal: bytes
    partition: int
    number: int


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write a partition and to keep its state. A later lease has a greater epoch."""

    partition: int
    epoch: int


class Journal:
    """See the module. Made by `open`.

    on_flush  called after every flush with its seconds, bytes and rows
    """

    def __init__(self, log_opened: SegmentLog, clock: Clock, settings: JournalSettings) -> None:
        self.on_flush: list[FlushHook] = []
        self._log = log_opened
        self._clock = clock
        self._settings = settings
        self._snapshots = Snapshots(log_opened.disk, log_opened.name, 0)
        self._consumers = Consumers(log_opened.disk, clock, log_opened.name)
        self._lease = Lease(0, max(log_opened.next, clock.wall_ns() // 1000))
        self._boot = self._lease.epoch & 0x7FFFFFFF
        self._appends = 0
        self._upto = NEVER
        self._finished = False

    @classmethod
    async def open(cls, disk: Disk, clock: Clock, settings: JournalSettings | None = None, *,
                   name: bytes | None = None, handed: list[Segment] | None = None) -> "Journal":
        """Open the journal on this disk, or begin one: a random name, numbers from the microseconds since 1970.

        name    16 bytes for a new journal where chance is not wanted
        handed  what `finish` returned to the engine before us
        Raises  Damaged, Full, Unavailable
        """
        settings = settings or JournalSettings()
        opened = await SegmentLog.open(
            disk, clock, "journal", settings.space(),
            lambda: LogStart(name or uuid.uuid4().bytes, clock.wall_ns() // 1000),
            memory_bytes=settings.memory_bytes, handed=handed)
        journal = cls(opened, clock, settings)
        await journal._snapshots.find()
        await journal._consumers.find()
        log.info("journal %s opened: numbers %d to %d", opened.name.hex(), opened.first_kept, opened.last)
        return journal

    @property
    def name(self) -> bytes:
        """The journal's name, 16 bytes."""
        return self._log.name

    @property
    def first(self) -> int:
        """The oldest number that is kept; in a new journal the first that it gives."""
        return self._log.first_kept

    @property
    def trimmed(self) -> bool:
        """Whether its beginning is no longer kept."""
        return self._log.segments[0].header.ordinal > 1

    def append(self, partition: int, batch: Batch, *, urgent: bool = False) -> Coroutine[Any, Any, Span]:
        """Encode `batch` at once, so that it may be refilled; the awaited result comes when it is durable.

        urgent  the batch holds fire, gas or prealarm only, and may use the space set aside for them
        Raises  Full, Unavailable (awaited): nothing was taken; its numbers may stay a hole
        """
        assert partition == 0 and len(batch) > 0
        return self._append(batch.encode(), len(batch), urgent)

    async def _append(self, payload: bytes, rows: int, urgent: bool) -> Span:
        started_ns = self._clock.monotonic_ns()
        self._appends += 1
        entry = await self._log.append(payload, rows, self._boot << 32 | self._appends, urgent=urgent,
                                       upto=self.deletable())
        self._log.prepare()
        seconds = (self._clock.monotonic_ns() - started_ns) / SECOND_NS
        for hook in self.on_flush:
            hook(seconds, len(payload), rows)
        return Span(0, entry.first, rows)

    def durable(self, partition: int = 0) -> Position:
        """Return up to where everything is durable."""
        assert partition == 0
        return Position(self._log.name, 0, self._log.last)

    async def read(self, after: int, until: int | None = None) -> AsyncGenerator[tuple[Span, Batch]]:
        """Yield the batches after number `after` in order, and wait for more; end at `until`, or when closed.

        A batch is yielded whole. Batches are read-only views.
        Raises  Trimmed, Ahead, Damaged, Unavailable
        """
        async for entry in self._log.read(after, until):
            yield Span(0, entry.first, entry.rows), Batch.view(entry.payload)

    def skip_past(self, number: int) -> None:
        """Give only numbers greater than `number` from now on; for a database that knows more than the journal.

        To be told again after every start until something was appended.
        """
        self._log.skip_past(number)

    async def acquire(self) -> AsyncIterator[Lease]:
        """Yield the lease on each partition that is ours: on one machine partition 0, once."""
        yield self._lease

    async def snapshot(self, lease: Lease, consumer: str, at: int, sections: Sections) -> None:
        """Write what `consumer` remembers after number `at`; durable when it returns. The two newest are kept.

        sections  name -> bytes, or an iterable of them that is drawn on another thread: it must not look at
                  anything that changes meanwhile
        Raises    Full, Unavailable; the snapshots before stay
        """
        self._check(lease, consumer, at)
        await self._snapshots.write(consumer, at, self._clock.wall_ns(), sections)

    async def load(self, lease: Lease, consumer: str) -> Snapshot | None:
        """Return the newest snapshot that is whole, or None."""
        self._check(lease, consumer)
        return await self._snapshots.load(consumer, self._log.last)

    async def commit(self, lease: Lease, consumer: str, at: int) -> None:
        """Note that `consumer` needs nothing up to `at` any more. Written at most once a second.

        Raises  Full, Unavailable
        """
        self._check(lease, consumer, at)
        await self._consumers.commit(consumer, at)

    def committed(self, lease: Lease, consumer: str) -> int | None:
        """Return the last position that `consumer` committed, or one before; None when there is none."""
        self._check(lease, consumer)
        return self._consumers.told(consumer)

    async def forget(self, lease: Lease, consumer: str) -> None:
        """Keep nothing for `consumer` any longer."""
        self._check(lease, consumer)
        await self._consumers.forget(consumer)

    async def trim(self, upto: int = NEVER) -> int:
        """Delete the segments that are old, or beyond `bytes_max`, and that nobody needs; return how many.

        upto  what else is needed begins after it
        """
        self._upto = upto
        space = self._settings.space()
        return await self._log.trim(self.deletable(), bytes_max=space.bytes_max_normal,
                                    keep_ns=self._settings.keep_seconds * SECOND_NS)

    def room(self) -> Room:
        """Say what may still be appended."""
        return self._log.room(self.deletable())

    def stat(self) -> dict[str, int | str]:
        """Return figures for the status page and the metrics."""
        return {
            "name": self._log.name.hex(), "durable": self._log.last, "first_kept": self._log.first_kept,
            "next": self._log.next, "segments": len(self._log.segments), "bytes": self._log.bytes_used,
            "bytes_max": self._settings.bytes_max, "flushes": self._appends, "room": self.room().value,
        }

    async def finish(self) -> list[Segment] | None:
        """Write the last positions, and then nothing any more; return the segments for the next `open`, if it can."""
        try:
            await self._consumers.flush()
        except JournalError as error:
            log.warning("the last positions could not be written; the next start asks the database: %s", error)
        self._finished = True
        return await self._log.finish()

    async def close(self) -> None:
        """Write the last positions, end the readers, close the files; the disk stays open."""
        if not self._finished:
            await self.finish()
        await self._log.close()

    def deletable(self) -> int:
        """Return up to where no consumer and no kept snapshot needs anything; the outcome log is trimmed by it too."""
        written = self._consumers.written
        needs = [self._upto, *written.values()]
        needs += [-1 for consumer in self._settings.consumers if consumer not in written]
        for consumer in {*self._settings.snapshots, *self._snapshots.consumers}:
            at = self._snapshots.needed(consumer)
            needs.append(-1 if at is None else at)
        return min(needs)

    def _check(self, lease: Lease, consumer: str, at: int = 0) -> None:
        assert lease == self._lease, "not our lease"
        assert re.fullmatch("[a-z_]+", consumer), consumer
        assert at <= self._log.last, f"{at} is after the head {self._log.last}"
