"""Opening a log again: which bytes of its segments count.

Rules: only the last segment can end in a torn entry; it is cut off there. Whatever else is wrong is damage, and is told
instead of repaired. With `cut_after` the log is derivable (its owner can make again what comes after that number), and
then everything after it goes, and what cannot be read is treated as not there.
"""
import logging
import re
from dataclasses import dataclass

from engine.journal.disk import Disk, File
from engine.journal.errors import Damaged
from engine.journal.layout import (
    ENTRY_MAGIC,
    SEGMENT_HEADER_BYTES,
    Header,
    Segment,
    decode_entry,
    decode_header,
    entry_size,
    find_entry,
    seed_of,
)

log = logging.getLogger("engine.journal")


@dataclass(slots=True)
class Recovered:
    """The segments of a log, oldest first, and the file of the last, open for writing."""

    segments: list[Segment]
    file: File


def segment_name(prefix: str, ordinal: int) -> str:
    """Return the file name of a segment."""
    return f"{prefix}-{ordinal:010d}.segment"


def segment_files(disk: Disk, prefix: str) -> list[tuple[int, str]]:
    """Return ordinal and file name of each segment on the disk, in order."""
    found = ((segment_ordinal(name, prefix), name) for name in disk.list())
    return sorted((ordinal, name) for ordinal, name in found if ordinal is not None)


def segment_ordinal(name: str, prefix: str) -> int | None:
    """Return the ordinal in the file name of a log's segment, None for another file."""
    match = re.fullmatch(re.escape(prefix) + r"-(\d{10})\.segment", name)
    return int(match[1]) if match else None


async def recover(disk: Disk, prefix: str, name: bytes | None, cut_after: int | None) -> Recovered | None:
    """Return what is there of the log, or None when it has to be begun.

    name       the log's name where it is known; a derivable log of another name is removed
    cut_after  None, or the last number to keep
    Raises     Damaged, Unavailable
    """
    segments = await find_segments(disk, prefix, name, cut_after is not None)
    if cut_after is not None:
        while len(segments) > 1 and segments[-1].header.previous_last >= cut_after:
            await disk.remove(segments.pop().file)
    if not segments:
        return None
    file = disk.open(segments[-1].file)
    try:
        await settle_last(disk, segments[-1], file, cut_after)
    except BaseException:
        file.close()
        raise
    return Recovered(segments, file)


async def as_handed(disk: Disk, prefix: str, segments: list[Segment]) -> Recovered | None:
    """Return a log as its last writer described it when it ended, or None when the disk does not look like that."""
    newest = segments[-1]
    if [one.file for one in segments] != [file for _, file in segment_files(disk, prefix)]:
        return None
    if decode_header(await disk.read(newest.file, 0, SEGMENT_HEADER_BYTES)) != newest.header:
        return None
    return Recovered(list(segments), disk.open(newest.file))


async def find_segments(disk: Disk, prefix: str, name: bytes | None, derivable: bool) -> list[Segment]:
    """Return the segments that have a header and join; what cannot be part of the log is removed."""
    files = segment_files(disk, prefix)
    headers = [decode_header(await disk.read(file, 0, SEGMENT_HEADER_BYTES)) for _, file in files]
    if not derivable and name is None and headers and headers[0] is not None:
        name = headers[0].name
    while files and headers[-1] is None:  # prepared but never used, or torn while it was begun
        headers.pop()
        ordinal, file = files.pop()
        if not derivable:
            await assert_unused(disk, file, ordinal, name)
        await disk.remove(file)
    segments: list[Segment] = []
    for (ordinal, file), header in zip(files, headers, strict=True):
        wrong = what_is_wrong(header, ordinal, name, segments)
        if wrong and not derivable:
            raise Damaged(file, 0, wrong)
        if wrong:
            break
        assert header is not None
        if segments:
            close_segment(segments[-1], header)
        size = disk.size(file)
        segments.append(Segment(header, file, size, SEGMENT_HEADER_BYTES, header.previous_last, header.base_mark))
    for _, file in reversed(files[len(segments):]):
        await disk.remove(file)
    return segments


async def assert_unused(disk: Disk, file: str, ordinal: int, name: bytes | None) -> None:
    """Raise Damaged if entries follow what should be a header: then it is not torn but broken."""
    data = await disk.read(file, 0, disk.size(file))
    at = find_entry(data, 0, seed_of(name, ordinal)) if name is not None else data.find(ENTRY_MAGIC)
    if at is not None and at >= 0:
        raise Damaged(file, 0, f"its header is broken, but an entry follows at offset {at}")


def what_is_wrong(header: Header | None, ordinal: int, name: bytes | None, before: list[Segment]) -> str:
    """Return why a segment cannot follow those before it, or nothing."""
    if header is None:
        return "its header is broken"
    if name is not None and header.name != name:
        return "it belongs to another journal"
    if header.ordinal != ordinal:
        return f"its header says that it is segment {header.ordinal}"
    if not before:
        return ""
    previous = before[-1]
    if ordinal != previous.header.ordinal + 1:
        return f"segment {previous.header.ordinal + 1} is missing before it"
    if not SEGMENT_HEADER_BYTES <= header.previous_end <= previous.size:
        return f"{previous.file} should hold {header.previous_end} bytes"
    if header.previous_last < previous.header.previous_last or header.base <= header.previous_last:
        return "its numbers do not join those of the segment before it"
    return ""


def close_segment(segment: Segment, following: Header) -> None:
    """Take over what its successor says about a segment."""
    segment.end = following.previous_end
    segment.last = following.previous_last
    segment.mark = following.base_mark


async def settle_last(disk: Disk, segment: Segment, file: File, cut_after: int | None) -> None:
    """Walk the last segment, cut off what is torn, and make sure that what stays is on the disk."""
    data = await disk.read(segment.file, 0, segment.size)
    segment.end, segment.last, segment.mark = SEGMENT_HEADER_BYTES, segment.header.previous_last, \
        segment.header.base_mark
    entry_at = 0
    while (entry := decode_entry(data, segment.end, segment.header.seed)) is not None:
        if entry.previous != segment.last or entry.first <= segment.last:
            if cut_after is not None:
                break
            raise Damaged(segment.file, segment.end, f"its first number {entry.first} does not join {segment.last}")
        if cut_after is not None and entry.last > cut_after:
            break
        segment.note(segment.end, segment.last, segment.mark)
        entry_at = segment.end
        segment.end += entry_size(data, segment.end, segment.header.seed)
        segment.last, segment.mark = entry.last, entry.mark
    if cut_after is None:
        following = find_entry(data, segment.end, segment.header.seed)
        if following is not None:
            raise Damaged(segment.file, segment.end, f"an entry cannot be read, but one follows at {following}")
        if entry_at:  # after a failed flush the cache may show what the disk lacks; the first takes its header along
            start = 0 if entry_at == SEGMENT_HEADER_BYTES else entry_at
            await file.write(start, data[start:segment.end], sync=True)
    rest = len(data) - data.count(0, segment.end) - segment.end
    if rest > 0:
        why = "its end was never acknowledged" if cut_after is None else "what was behind is made again"
        log.warning("%s: cut at offset %d, after number %d: %s, nothing is lost", segment.file, segment.end,
                    segment.last, why)
        await file.cut(segment.end, segment.size)
