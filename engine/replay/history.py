"""What a journal keeps: where judging it can begin, and its rows in large batches.

Nothing is locked, cut or repaired: it works beside a running engine and on a copied directory. The last file may end in
an entry that is just being written, or that a crash tore; what cannot be read before that is damage, is told, and is
passed over.
"""
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from codec.batch import Batch
from engine.journal import examine
from engine.journal.layout import SEGMENT_HEADER_BYTES, Header, decode_header, find_entry
from engine.journal.snapshots import Snapshot
from engine.replay.gather import Gatherer, room, span_ns

SNAPSHOT = "snapshot-engine-"


class HistoryError(Exception):
    """There is no history that could be judged; the message is one line."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where judging begins.

    at          the rows after this number are judged; 0: all that are kept
    saved       what the filter remembered there; None: nothing
    next_event  number of the next event where nothing is remembered
    kept_ns     when the oldest row that is kept was received
    missing     what of the time before is not known, one line; empty when all that counts is
    """

    at: int
    saved: bytes | None
    next_event: int
    kept_ns: int
    missing: str


class Rooms:
    """Batches that are filled in turn; `batch` is the one to be filled next."""

    def __init__(self, count: int) -> None:
        self._turn = cycle([room() for _ in range(count)])
        self.batch = next(self._turn)

    def take(self) -> Batch:
        """Return the one that was filled, and turn to the next."""
        taken, self.batch = self.batch, next(self._turn)
        return taken


class History:
    """The journal in a data directory. Raises HistoryError, OSError."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        try:
            files = examine.segments(directory, "journal")
        except FileNotFoundError:
            files = []
        heads = [(path, decode_header(examine.head_of(path))) for path in files]
        if heads and heads[-1][1] is None:   # prepared for what comes next
            heads.pop()
        self.segments: list[tuple[Path, Header]] = [(path, header) for path, header in heads if header is not None]
        self.damage = [f"{path.name}: its header is broken, nothing of it is judged" for path, header in heads
                       if header is None]
        if not self.segments:
            raise HistoryError(f"{directory}: holds no journal; --data names the engine's data directory")

    @property
    def trimmed(self) -> bool:
        """Whether the beginning is no longer kept."""
        return self.segments[0][1].ordinal > 1

    def start(self, since_ns: int) -> Start:
        """Return where to begin so that all is known that counts at `since_ns`, or as much of it as can be.

        The beginning of the journal is the best place: then the other rules have judged everything. With the beginning
        gone it is the oldest snapshot written before that time, and without one the oldest row that is kept.
        """
        first = next(self.batches(0, Rooms(1)), None)
        span = span_ns(first[1]) if first else None
        if span is None:
            raise HistoryError(f"{self.directory}: holds no row yet")
        next_event = self.segments[0][1].base + 1
        if not self.trimmed:
            return Start(0, None, next_event, span[0], "")
        oldest = first[0] if first else 0
        for snapshot in self.snapshots():
            if snapshot.created_ns <= since_ns and snapshot.at >= oldest - 1 and "filter" in snapshot.sections:
                return Start(snapshot.at, bytes(snapshot.sections["filter"]), next_event, span[0], "")
        return Start(0, None, next_event, span[0], "older history is deleted and no snapshot is older than the time "
                     "asked for: alarms that were open and buildings that were registered before the oldest row are "
                     "not known")

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield the engine's snapshots of this journal that can be read, oldest first."""
        for file, snapshot in examine.snapshots(self.directory):
            if file.startswith(SNAPSHOT) and not isinstance(snapshot, str) \
                    and snapshot.journal == self.segments[0][1].name:
                yield snapshot

    def batches(self, after: int, rooms: Rooms) -> Iterator[tuple[int, Batch]]:
        """Yield the rows after a number: that of a batch's first row, and the batch, the next of `rooms` filled anew.

        What cannot be read is added to `damage`. Raises HistoryError when a file is deleted meanwhile.
        """
        for at in range(len(self.segments)):
            following = self.following(at)
            if following is None or following.previous_last > after:
                yield from self.batches_of(at, rooms, after)

    def following(self, at: int) -> Header | None:
        """Return the header of the file after one, None behind the last."""
        return self.segments[at + 1][1] if at + 1 < len(self.segments) else None

    def batches_of(self, at: int, rooms: Rooms, after: int = 0) -> Iterator[tuple[int, Batch]]:
        """Yield as `batches` does, out of one file."""
        path, header = self.segments[at]
        following = self.following(at)
        try:
            file = path.open("rb", buffering=0)
        except FileNotFoundError:
            raise HistoryError(f"{path.name} was deleted by the engine meanwhile, as it is no longer kept; ask for a "
                               "later time") from None
        with file:
            size = path.stat().st_size
            until = size if following is None else min(size, following.previous_end)
            os.posix_fadvise(file.fileno(), 0, until, os.POSIX_FADV_WILLNEED)    # the disk works while we judge
            if following is not None and (following.name, following.ordinal) != (header.name, header.ordinal + 1):
                self.damage.append(f"{path.name}: the file after it is not the one that belongs there")
            gatherer = Gatherer(file, header.seed, SEGMENT_HEADER_BYTES, until, after, header.previous_last)
            yield from self.gathered(gatherer, path, until, rooms, closed=following is not None)

    def gathered(self, gatherer: Gatherer, path: Path, until: int, rooms: Rooms, *,
                 closed: bool) -> Iterator[tuple[int, Batch]]:
        """Yield the batches of one file; go on behind what cannot be read."""
        while True:
            first = gatherer.fill(rooms.batch)
            if first:
                yield first, rooms.take()
            if not gatherer.ended:
                continue
            resumes = self.resumes(path, gatherer, until)
            if resumes is not None:
                self.damage.append(f"{path.name}: {resumes - gatherer.offset} bytes at offset {gatherer.offset} cannot "
                                   "be read and are passed over")
                gatherer.skip(resumes)
                continue
            if closed and gatherer.offset < until:
                self.damage.append(f"{path.name}: the last {until - gatherer.offset} bytes, from offset "
                                   f"{gatherer.offset}, cannot be read and are passed over")
            return

    def resumes(self, path: Path, gatherer: Gatherer, until: int) -> int | None:
        """Return the offset of the next entry that can be read, or None when there is none: the end."""
        if gatherer.offset >= until:
            return None
        with path.open("rb") as file:
            file.seek(gatherer.offset)
            data = file.read(until - gatherer.offset)
        if not data.strip(b"\0"):
            return None
        found = find_entry(data, 0, gatherer.seed)
        return None if found is None else gatherer.offset + found

    def row(self, number: int) -> dict[str, object] | None:
        """Return one row by its number, or None where it cannot be read."""
        found = next(self.batches(number - 1, Rooms(1)), None)
        if found is None or not found[0] <= number < found[0] + len(found[1]):
            return None
        return found[1].row(number - found[0])

