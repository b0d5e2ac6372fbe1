"""The bytes of a segment. Little endian; every part begins at a multiple of 8.

Segment header, 88 bytes at offset 0
   0  magic "TOCSEGM1"       8  u32 version           12  u32 size of this header
  16  name of the log, 16   32  u64 ordinal           40  i64 created, ns since 1970
  48  u64 base: the first number that can be in it    56  u64 the last number before it, 0 in the very first segment
  64  u64 bytes of the segment before that count      72  u64 mark before it
  80  u32 crc32 of bytes 0..79                        84  u32 zero
Entry, 48 bytes and its payload, filled up with zeros to a multiple of 8
   0  u32 magic              4  u32 crc32 of bytes 8..47, begun with the segment's seed
   8  u32 payload bytes     12  u32 crc32 of the payload, begun with the segment's seed
  16  u32 rows              20  u32 zero
  24  u64 first number      32  u64 last number before it     40  u64 mark
After the last entry: zeros to the end of the file.

The seed is crc32 of name and ordinal: bytes of another segment, or of a payload, are never taken for an entry. An entry
is written by one call, and the next only after it; so at most the last one of a log can be torn, and a closed segment
(another follows) must be whole up to the offset that its successor names.
"""
import struct
import zlib
from dataclasses import dataclass, field

SEGMENT_MAGIC = b"TOCSEGM1"
VERSION = 1
SEGMENT_LAYOUT = struct.Struct("<8sII16sQqQQQQ")
CHECKSUM_LAYOUT = struct.Struct("<II")
SEGMENT_HEADER_BYTES = SEGMENT_LAYOUT.size + CHECKSUM_LAYOUT.size
ENTRY_MAGIC = b"\xa7TOE"
ENTRY_PREFIX = struct.Struct("<4sI")
ENTRY_LAYOUT = struct.Struct("<IIIIQQQ")
ENTRY_HEADER_BYTES = ENTRY_PREFIX.size + ENTRY_LAYOUT.size
INDEX_EVERY_BYTES = 256 << 10
assert SEGMENT_HEADER_BYTES == 88 and ENTRY_HEADER_BYTES == 48


@dataclass(frozen=True, slots=True)
class Entry:
    """One payload with the numbers of its rows.

    first     number of its first row
    rows      1..2^32-1; the rows are first, first + 1, ...
    mark      the log's second number: in the outcome log the next event number after this entry
    previous  the last number before it; first is greater, by more than one where numbers were skipped
    """

    first: int
    rows: int
    mark: int
    previous: int
    payload: bytes

    @property
    def last(self) -> int:
        """The number of the last row."""
        return self.first + self.rows - 1


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a segment says; the fields of the drawing above."""

    name: bytes
    ordinal: int
    created_ns: int
    base: int
    previous_last: int
    previous_end: int
    base_mark: int

    @property
    def seed(self) -> int:
        """What the checksums of its entries begin with."""
        return seed_of(self.name, self.ordinal)

    def encode(self) -> bytes:
        """Return the 88 bytes."""
        head = SEGMENT_LAYOUT.pack(SEGMENT_MAGIC, VERSION, SEGMENT_HEADER_BYTES, self.name, self.ordinal,
                                   self.created_ns, self.base, self.previous_last, self.previous_end, self.base_mark)
        return head + CHECKSUM_LAYOUT.pack(zlib.crc32(head), 0)


@dataclass(slots=True)
class Segment:
    """One file of a log, as far as it is known.

    end      bytes that count; the next entry goes there
    last     number of its last entry (previous_last while it has none); mark likewise
    index    (last number before, mark before, offset) of some entries, rising; grows when the segment is walked
    reserve  it was made of the space that only urgent entries may take
    """

    header: Header
    file: str
    size: int
    end: int
    last: int
    mark: int
    reserve: bool = False
    index: list[tuple[int, int, int]] = field(default_factory=list)

    def note(self, offset: int, last: int, mark: int) -> None:
        """Remember that the entry at `offset` follows `last` and `mark`, where that makes later searches shorter."""
        if offset >= (self.index[-1][2] if self.index else SEGMENT_HEADER_BYTES) + INDEX_EVERY_BYTES:
            self.index.append((last, mark, offset))


def seed_of(name: bytes, ordinal: int) -> int:
    """Return what the checksums of a segment's entries begin with."""
    return zlib.crc32(ordinal.to_bytes(8, "little"), zlib.crc32(name))


def decode_header(data: bytes) -> Header | None:
    """Return the header at the start of `data`, or None when it is none of ours or not whole."""
    if len(data) < SEGMENT_HEADER_BYTES or not data.startswith(SEGMENT_MAGIC):
        return None
    if CHECKSUM_LAYOUT.unpack_from(data, SEGMENT_LAYOUT.size) != (zlib.crc32(data[:SEGMENT_LAYOUT.size]), 0):
        return None
    _, version, size, *fields = SEGMENT_LAYOUT.unpack_from(data)
    return Header(*fields) if (version, size) == (VERSION, SEGMENT_HEADER_BYTES) else None


def padded(size: int) -> int:
    """Return `size` rounded up to a multiple of 8."""
    return (size + 7) & ~7


def entry_bytes(payload_bytes: int) -> int:
    """Return how many bytes of a segment an entry takes."""
    return ENTRY_HEADER_BYTES + padded(payload_bytes)


def encode_entry(entry: Entry, seed: int) -> bytes:
    """Return the entry as it stands in a segment with this seed."""
    head = ENTRY_LAYOUT.pack(len(entry.payload), zlib.crc32(entry.payload, seed), entry.rows, 0, entry.first,
                             entry.previous, entry.mark)
    padding = bytes(padded(len(entry.payload)) - len(entry.payload))
    return b"".join((ENTRY_PREFIX.pack(ENTRY_MAGIC, zlib.crc32(head, seed)), head, entry.payload, padding))


def entry_size(data: bytes, at: int, seed: int) -> int:
    """Return the bytes of the entry whose header is at `at`, or 0 when no sound header is there."""
    if at + ENTRY_HEADER_BYTES > len(data):
        return 0
    magic, checksum = ENTRY_PREFIX.unpack_from(data, at)
    if magic != ENTRY_MAGIC or checksum != zlib.crc32(data[at + 8:at + ENTRY_HEADER_BYTES], seed):
        return 0
    return entry_bytes(int(ENTRY_LAYOUT.unpack_from(data, at + 8)[0]))


def decode_entry(data: bytes, at: int, seed: int) -> Entry | None:
    """Return the entry at `at`, or None when it is not whole or not sound."""
    size = entry_size(data, at, seed)
    if size == 0 or at + size > len(data):
        return None
    payload_bytes, checksum, rows, zero, first, previous, mark = ENTRY_LAYOUT.unpack_from(data, at + 8)
    start = at + ENTRY_HEADER_BYTES
    payload = data[start:start + payload_bytes]
    if zero or zlib.crc32(payload, seed) != checksum or any(data[start + payload_bytes:at + size]):
        return None
    return Entry(first, rows, mark, previous, payload)


def find_entry(data: bytes, start: int, seed: int) -> int | None:
    """Return the offset of the first sound entry at or after `start`, or None."""
    at = data.find(ENTRY_MAGIC, start)
    while at >= 0:
        if at % 8 == 0 and decode_entry(data, at, seed) is not None:
            return at
        at = data.find(ENTRY_MAGIC, at + 1)
    return None
