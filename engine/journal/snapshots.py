"""Snapshots: what the stages must remember, at a position of the journal, in one file that is there wholly or not.

Little endian. Header, 64 bytes: magic "TOCSNAP1", u32 version, u32 partition, name of the journal (16), u64 position,
i64 created (ns since 1970), u32 zero x3, u32 crc32 of the 60 bytes before. Then blocks: u32 kind, u32 bytes, u32 crc32
of the content (begun with the header's crc32), and the content. A NAME block begins a section, BYTES blocks are its
content, END (with the number of blocks before it, u64) says that nothing is missing.
"""
import logging
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.journal.disk import Bytes, Disk
from engine.journal.errors import JournalError

log = logging.getLogger("engine.journal")
MAGIC = b"TOCSNAP1"
VERSION = 1
HEADER = struct.Struct("<8sII16sQq12x")
CHECKSUM = struct.Struct("<I")
HEADER_BYTES = HEADER.size + CHECKSUM.size
BLOCK = struct.Struct("<III")
NAME, BYTES, END = 1, 2, 3
COUNT = struct.Struct("<Q")
KEPT = 2
Sections = Mapping[str, Bytes | Iterable[Bytes]]
assert HEADER_BYTES == 64


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot that was loaded.

    journal     name of its journal, 16 bytes
    at          it holds what the entries up to this number did
    created_ns  ns since 1970
    sections    by name: bytes, or a view of them
    """

    journal: bytes
    partition: int
    at: int
    created_ns: int
    sections: Mapping[str, Any]


def encode(journal: bytes, partition: int, at: int, created_ns: int, sections: Sections) -> Iterator[Bytes]:
    """Yield the bytes of a snapshot; draws the sections as it goes."""
    head = HEADER.pack(MAGIC, VERSION, partition, journal, at, created_ns)
    seed = zlib.crc32(head)
    yield head + CHECKSUM.pack(seed)
    count = 0
    for name, content in sections.items():
        text = name.encode()
        yield BLOCK.pack(NAME, len(text), zlib.crc32(text, seed)) + text
        count += 1
        for chunk in [content] if isinstance(content, (bytes, bytearray, memoryview)) else content:
            view = memoryview(chunk).cast("B")
            yield BLOCK.pack(BYTES, len(view), zlib.crc32(view, seed))
            yield view
            count += 1
    end = COUNT.pack(count)
    yield BLOCK.pack(END, len(end), zlib.crc32(end, seed)) + end


def decode(data: bytes) -> Snapshot:
    """Return the snapshot in `data`. Raises ValueError when a byte is wrong or missing."""
    if len(data) < HEADER_BYTES or CHECKSUM.unpack_from(data, HEADER.size)[0] != zlib.crc32(data[:HEADER.size]):
        raise ValueError("broken header")
    magic, version, partition, journal, at, created_ns = HEADER.unpack_from(data)
    if (magic, version) != (MAGIC, VERSION):
        raise ValueError("not a snapshot of this version")
    seed = zlib.crc32(data[:HEADER.size])
    view = memoryview(data)              # no block is copied before its section is joined
    parts: dict[str, list[memoryview]] = {}
    name, count, offset = "", 0, HEADER_BYTES
    while True:
        if offset + BLOCK.size > len(data):
            raise ValueError("the end is missing")
        kind, size, checksum = BLOCK.unpack_from(data, offset)
        content = view[offset + BLOCK.size:offset + BLOCK.size + size]
        offset += BLOCK.size + size
        if len(content) != size or zlib.crc32(content, seed) != checksum:
            raise ValueError(f"broken block before offset {offset}")
        if kind == END:
            break
        count += 1
        if kind == NAME:
            name = bytes(content).decode()
            parts[name] = []
        elif kind == BYTES and parts:
            parts[name].append(content)
        else:
            raise ValueError(f"unknown block before offset {offset}")
    if content != COUNT.pack(count) or offset != len(data):
        raise ValueError("blocks are missing")
    return Snapshot(journal, partition, at, created_ns, {name: b"".join(some) for name, some in parts.items()})


class Snapshots:
    """The snapshots of one journal, the two newest of each consumer."""

    def __init__(self, disk: Disk, journal: bytes, partition: int) -> None:
        self._disk = disk
        self._journal = journal
        self._partition = partition
        self._kept: dict[str, list[tuple[int, str]]] = {}  # (position, file), oldest first

    async def find(self) -> None:
        """Look at what is on the disk; snapshots of another journal are not ours, and stay."""
        for file in self._disk.list():
            match = re.fullmatch(r"snapshot-([a-z_]+)-(\d{20})\.snapshot", file)
            if match is None:
                continue
            head = await self._disk.read(file, 0, HEADER_BYTES)
            whole = len(head) == HEADER_BYTES and CHECKSUM.unpack_from(head, HEADER.size)[0] == \
                zlib.crc32(head[:HEADER.size])
            if whole and HEADER.unpack_from(head)[3] != self._journal:
                log.warning("%s belongs to another journal and is not used; nothing is lost", file)
                continue
            self._kept.setdefault(match[1], []).append((int(match[2]), file))
        for kept in self._kept.values():
            kept.sort()

    def needed(self, consumer: str) -> int | None:
        """Return the position of the oldest snapshot that may have to be loaded, or None."""
        kept = self._kept.get(consumer)
        return kept[0][0] if kept else None

    @property
    def consumers(self) -> list[str]:
        """Who has one."""
        return list(self._kept)

    async def write(self, consumer: str, at: int, created_ns: int, sections: Sections) -> None:
        """Write one durably; those before the last two go."""
        file = f"snapshot-{consumer}-{at:020d}.snapshot"
        await self._disk.replace(file, encode(self._journal, self._partition, at, created_ns, sections))
        kept = self._kept.setdefault(consumer, [])
        kept[:] = sorted({*kept, (at, file)})
        while len(kept) > KEPT:
            await self._disk.remove(kept[0][1])
            kept.pop(0)

    async def load(self, consumer: str, head: int) -> Snapshot | None:
        """Return the newest one that is whole and not after `head`, or None."""
        for at, file in reversed(self._kept.get(consumer, [])):
            try:
                found = decode(await self._disk.read(file, 0, self._disk.size(file)))
            except (ValueError, JournalError) as error:
                log.error("%s cannot be used, an older one or the whole journal is read instead: %s", file, error)
                continue
            if found.at == at and found.at <= head and found.journal == self._journal:
                return found
            log.error("%s cannot be used, an older one or the whole journal is read instead: its position is %d, the "
                      "journal ends at %d", file, found.at, head)
        return None
