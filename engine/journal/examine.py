"""Looking at a journal from outside: what is whole, what is damaged, what it holds. Nothing is locked, cut or repaired.

It works beside a running engine and on a directory that an engine refuses. Bytes are judged by the rules of
recovery.py: a closed segment is whole up to the offset that its successor names; the last one may end in a torn entry,
which an engine cuts when it starts and which a running one is just writing.
"""
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.journal.layout import (
    SEGMENT_HEADER_BYTES,
    Entry,
    Header,
    Segment,
    decode_entry,
    decode_header,
    entry_size,
    find_entry,
)
from engine.journal.recovery import segment_ordinal, what_is_wrong
from engine.journal.snapshots import Snapshot, decode

LOGS = ("journal", "outcomes")


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that cannot be read.

    offset   of the first of them
    resumes  offset of the next entry that can be read, or None
    """

    offset: int
    what: str
    resumes: int | None = None


@dataclass(slots=True)
class SegmentReport:
    """One file of a log.

    end      bytes that hold header and entries
    first, last   numbers of its rows, 0 without any
    damage   in the order of the file; empty: whole
    torn     bytes behind the last entry that are no entry: an append that was cut off, or is under way
    """

    file: str
    size: int
    header: Header | None
    end: int = SEGMENT_HEADER_BYTES
    entries: int = 0
    rows: int = 0
    first: int = 0
    last: int = 0
    mark: int = 0
    damage: list[Damage] = field(default_factory=list)
    torn: int = 0

    def take(self, entry: Entry) -> None:
        """Count an entry in."""
        self.first = self.first or entry.first
        self.last, self.mark = entry.last, entry.mark
        self.entries += 1
        self.rows += entry.rows


def segments(directory: Path, log: str) -> list[Path]:
    """Return the files of a log's segments, oldest first. Raises OSError."""
    found = ((segment_ordinal(path.name, log), path) for path in directory.iterdir())
    return [path for _, path in sorted((ordinal, path) for ordinal, path in found if ordinal is not None)]


def examine(directory: Path, log: str) -> Iterator[SegmentReport]:
    """Yield what each segment of a log holds and what is wrong with it; one file in memory at a time.

    Raises  OSError
    """
    files = segments(directory, log)
    before: list[Segment] = []
    for at, path in enumerate(files):
        data = path.read_bytes()
        following = decode_header(head_of(files[at + 1])) if at + 1 < len(files) else None
        report = SegmentReport(path.name, len(data), decode_header(data))
        ordinal = segment_ordinal(path.name, log)
        assert ordinal is not None
        wrong = what_is_wrong(report.header, ordinal, before[0].header.name if before else None, before[-1:])
        if report.header is None:
            judge_headless(report, data, is_last=at == len(files) - 1)
        else:
            if wrong:
                report.damage.append(Damage(0, wrong))
            walk(report, data, following)
            before = [Segment(report.header, path.name, len(data), report.end, report.last, report.mark)]
        yield report


def head_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(SEGMENT_HEADER_BYTES)


def judge_headless(report: SegmentReport, data: bytes, *, is_last: bool) -> None:
    """A last segment without a header was prepared and never used, unless anything stands in it."""
    if not is_last or any(data):
        report.damage.append(Damage(0, "its header is broken"))
    report.end = 0


def walk(report: SegmentReport, data: bytes, following: Header | None) -> None:
    """Read the entries of a segment; go on behind what cannot be read."""
    assert report.header is not None
    seed, previous = report.header.seed, report.header.previous_last
    report.mark = report.header.base_mark
    until = following.previous_end if following is not None else len(data)
    at = SEGMENT_HEADER_BYTES
    while at < until:
        entry = decode_entry(data, at, seed)
        if entry is None:
            resumes = find_entry(data, at, seed)
            if resumes is None or resumes >= until:
                break
            report.damage.append(Damage(at, f"{resumes - at} bytes cannot be read", resumes))
            at, previous = resumes, -1
            continue
        if previous >= 0 and (entry.previous != previous or entry.first <= previous):
            report.damage.append(Damage(at, f"number {entry.first} does not join {previous}", at))
        report.take(entry)
        at += entry_size(data, at, seed)
        report.end, previous = at, entry.last
    if following is None:
        report.torn = len(data[at:].rstrip(b"\0"))
    elif report.end < until:
        report.damage.append(Damage(report.end, f"{until - report.end} bytes up to offset {until} cannot be read"))
    elif report.last and report.last != following.previous_last:
        report.damage.append(Damage(report.end, f"ends with number {report.last}; its successor says "
                                                f"{following.previous_last}"))


def entries(directory: Path, log: str, after: int = 0) -> Iterator[Entry]:
    """Yield the entries that can be read and have rows after number `after`, in order, whatever is damaged between.

    Raises  OSError
    """
    files = segments(directory, log)
    for at, path in enumerate(files):
        following = decode_header(head_of(files[at + 1])) if at + 1 < len(files) else None
        if following is not None and following.previous_last <= after:
            continue
        data = path.read_bytes()
        header = decode_header(data)
        if header is None:
            continue
        place = find_entry(data, SEGMENT_HEADER_BYTES, header.seed)
        while place is not None:
            entry = decode_entry(data, place, header.seed)
            assert entry is not None
            if entry.last > after:
                yield entry
            place += entry_size(data, place, header.seed)
            if decode_entry(data, place, header.seed) is None:
                place = find_entry(data, place, header.seed)


def snapshots(directory: Path) -> Iterator[tuple[str, Snapshot | str]]:
    """Yield file and content of each snapshot, or why it cannot be read; oldest first. Raises OSError."""
    for path in sorted(directory.glob("snapshot-*.snapshot")):
        try:
            yield path.name, decode(path.read_bytes())
        except ValueError as error:
            yield path.name, str(error)


def consumers(directory: Path) -> Iterator[tuple[str, str, int | None]]:
    """Yield name, journal's name in hex and position of each consumer; position None where the file is broken."""
    for path in sorted(directory.glob("consumer-*.position")):
        name = path.name.removeprefix("consumer-").removesuffix(".position")
        parts = path.read_text("ascii", "replace").split()
        checksum = f"{zlib.crc32(' '.join(parts[:2]).encode()):08x}"
        sound = len(parts) == 3 and parts[1].isdecimal() and parts[2] == checksum
        yield name, parts[0] if sound else "", int(parts[1]) if sound else None
