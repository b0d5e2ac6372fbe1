"""Entries of a journal's file, checked and joined into batches. The picture stands in `gather.pxd`."""
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.buffer cimport PyBUF_READ
from libc.string cimport memcmp, memcpy, memmove

from codec.batch cimport BATCH_HEADER_BYTES, Text, columns_layout, header_is_sound
from codec.limits cimport BATCH_ARENA_BYTES_MAX, BATCH_ROWS_MAX
from codec.words cimport ROW_CHANGE
from engine.replay.crc32 cimport crc32_update
from engine.words cimport CHANGE_RULES

import zlib

from engine.journal.layout import ENTRY_MAGIC

cdef bytes MAGIC = ENTRY_MAGIC
cdef const char* magic_bytes = MAGIC
assert sizeof(EntryHeader) == ENTRY_HEADER


cdef inline size_t padded(size_t size) noexcept nogil:
    return (size + 7) & ~<size_t>7


cdef inline void move_texts(Text* target, const Text* source, uint32_t rows, uint32_t shift) noexcept nogil:
    cdef uint32_t i
    for i in range(rows):
        target[i].at = source[i].at + shift
        target[i].size = source[i].size


cdef void columns_join(Columns* c, const Columns* more) noexcept nogil:
    """Append the rows of `more`; the caller has seen that there is room."""
    cdef uint32_t n = c.count, rows = more.count, shift = c.arena_used
    memcpy(c.received_ns + n, more.received_ns, rows * 8)
    memcpy(c.occurred_ns + n, more.occurred_ns, rows * 8)
    memcpy(c.path + n, more.path, rows * 4)
    memcpy(c.sequence + n, more.sequence, rows * 4)
    memcpy(c.level + n, more.level, rows * 4)
    move_texts(c.account + n, more.account, rows, shift)
    move_texts(c.realm + n, more.realm, rows, shift)
    move_texts(c.point + n, more.point, rows, shift)
    move_texts(c.native + n, more.native, rows, shift)
    move_texts(c.details + n, more.details, rows, shift)
    move_texts(c.identity + n, more.identity, rows, shift)
    move_texts(c.raw + n, more.raw, rows, shift)
    memcpy(c.condition + n, more.condition, rows * 2)
    memcpy(c.flags + n, more.flags, rows * 2)
    memcpy(c.kind + n, more.kind, rows)
    memcpy(c.protocol + n, more.protocol, rows)
    memcpy(c.signal_class + n, more.signal_class, rows)
    memcpy(c.state + n, more.state, rows)
    memcpy(c.arena + shift, more.arena, more.arena_used)
    c.count += rows
    c.arena_used += more.arena_used


cdef class Gatherer:
    def __cinit__(self, file, uint32_t seed, uint64_t offset, uint64_t until, uint64_t after=0, uint64_t last=0):
        self.file = file
        self.seed = seed
        self.until = until
        self.after = after
        self.last = last
        self.buffer = bytearray(READ_BYTES)
        self.read_to = offset
        self.file.seek(offset)

    @property
    def offset(self):
        return self.read_to - (self.filled - self.at)

    def skip(self, uint64_t offset):
        self.at = self.filled = 0
        self.read_to = offset
        self.last = 0
        self.file.seek(offset)

    def fill(self, Batch batch not None):
        cdef const uint8_t* bytes
        cdef const EntryHeader* header
        cdef Columns* c = &batch.columns
        cdef Found found
        if c.rows_max < BATCH_ROWS_MAX or c.arena_max < BATCH_ARENA_BYTES_MAX:
            raise ValueError("a batch that cannot hold the largest entry")
        batch.clear()
        self.ended = False
        while True:
            bytes = <const uint8_t*>PyByteArray_AS_STRING(self.buffer)
            with nogil:
                found = self.walk(c, bytes)
            if found == FOUND_FULL:
                break
            if found == FOUND_PART and self.refill():
                continue
            if found == FOUND_LARGE:
                header = <const EntryHeader*>(bytes + self.at)
                if zlib.crc32(PyMemoryView_FromMemory(<char*>bytes + self.at + ENTRY_HEADER, header.payload_bytes,
                                                      PyBUF_READ), self.seed) == header.payload_checksum \
                        and self.take(c, bytes + self.at):
                    continue
            self.ended = True
            break
        return self.first if c.count else 0

    cdef bint refill(self) except -1:
        """Read on; tell whether anything came."""
        cdef char* bytes = PyByteArray_AS_STRING(self.buffer)
        cdef size_t wanted
        memmove(bytes, bytes + self.at, self.filled - self.at)
        self.filled -= self.at
        self.at = 0
        if self.filled == <size_t>len(self.buffer):
            self.buffer.extend(bytearray(len(self.buffer)))
        wanted = min(len(self.buffer) - self.filled, self.until - self.read_to)
        if wanted == 0:
            return False
        with memoryview(self.buffer) as whole, whole[self.filled:self.filled + wanted] as room:
            wanted = self.file.readinto(room)
        self.filled += wanted
        self.read_to += wanted
        return wanted != 0

    cdef Found walk(self, Columns* c, const uint8_t* bytes) noexcept nogil:
        """Take entries until something has to be done about one."""
        cdef const EntryHeader* header
        cdef size_t size
        while True:
            if self.at + ENTRY_HEADER > self.filled:
                return FOUND_PART
            header = <const EntryHeader*>(bytes + self.at)
            if memcmp(header.magic, magic_bytes, 4) != 0 or header.zero \
                    or crc32_update(self.seed, bytes + self.at + 8, ENTRY_HEADER - 8) != header.checksum:
                return FOUND_NONE
            size = ENTRY_HEADER + padded(header.payload_bytes)
            if self.at + size > self.filled:
                return FOUND_PART
            if header.first <= self.after:           # a position always lies between two entries
                self.last = header.first + header.rows - 1
                self.at += size
                continue
            if c.count and (header.first != self.first + c.count or c.count >= GATHER_ROWS
                            or c.count + <uint64_t>header.rows > c.rows_max
                            or c.arena_used + <uint64_t>header.payload_bytes > c.arena_max):
                return FOUND_FULL
            if header.payload_bytes >= LARGE_BYTES:
                return FOUND_LARGE
            if crc32_update(self.seed, bytes + self.at + ENTRY_HEADER, header.payload_bytes) \
                    != header.payload_checksum or not self.take(c, bytes + self.at):
                return FOUND_NONE

    cdef bint take(self, Columns* c, const uint8_t* at) noexcept nogil:
        """Append the rows of an entry whose checksums are right; False when it cannot be what it says it is."""
        cdef const EntryHeader* header = <const EntryHeader*>at
        cdef const uint32_t* head = <const uint32_t*>(at + ENTRY_HEADER)
        cdef Columns rows
        cdef size_t size
        if self.last and (header.previous != self.last or header.first <= self.last):
            return False
        if header.payload_bytes < BATCH_HEADER_BYTES or not header_is_sound(head) or head[1] != header.rows:
            return False
        size = BATCH_HEADER_BYTES + columns_layout(&rows, <uint8_t*>head + BATCH_HEADER_BYTES, head[1], head[3])
        if size + head[2] != header.payload_bytes:
            return False
        rows.count = head[1]
        rows.arena_used = head[2]
        rows.arena = <uint8_t*>head + size
        if c.count == 0:
            self.first = header.first
        columns_join(c, &rows)
        self.last = header.first + header.rows - 1
        self.at += ENTRY_HEADER + padded(header.payload_bytes)
        return True


def room():
    return Batch(BATCH_ROWS_MAX, BATCH_ARENA_BYTES_MAX)


def rules_in(Batch batch not None):
    cdef const Columns* c = &batch.columns
    cdef list found = []
    cdef uint32_t row
    cdef bint changes = False
    with nogil:
        for row in range(c.count):
            changes |= c.kind[row] == ROW_CHANGE
    if changes:
        for row in range(c.count):
            if c.kind[row] == ROW_CHANGE and c.condition[row] == CHANGE_RULES:
                found.append((row, batch.text(c.native[row])))
    return found


def span_ns(Batch batch not None):
    cdef const Columns* c = &batch.columns
    return (c.received_ns[0], c.received_ns[c.count - 1]) if c.count else None
