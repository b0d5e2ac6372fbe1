"""ADMIT: retransmissions are recognised before the journal, and their replies wait for the first copy.

Entries hold 64-bit keyed hashes of the frame, not its bytes: a false match needs two frames of one path within ten
minutes that collide under a key nobody outside knows, one chance in 2^64 for each pair.
"""
import struct

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memcmp

from codec.batch cimport NO_PATH, TIME_NONE, Batch, Columns
from codec.words cimport ROW_SIGNAL
from engine.index cimport (INDEX_NONE, Probe, index_create, index_destroy, index_first, index_next, index_put,
                           index_remove)
from engine.intake cimport TICKET_DURABLE, Mark, Offered
from engine.memory cimport memory_release, memory_reserve
from engine.siphash cimport siphash

ADMIT_VERSION = 2


cdef bint same_frame(const Columns* c, uint32_t first, uint32_t second) noexcept nogil:
    """Tell whether two neighbouring rows are signals of one frame: a frame that is known is not journalled again."""
    return (c.path[first] == c.path[second] and c.received_ns[first] == c.received_ns[second]
            and c.identity[first].size == c.identity[second].size
            and memcmp(c.arena + c.identity[first].at, c.arena + c.identity[second].at, c.identity[first].size) == 0)


cdef class Admit(Intake):
    def __cinit__(self, uint32_t rows_max, uint32_t arena_max, uint32_t entries_max, int64_t window_ns,
                  bytes hash_key not None):
        self.entries_max = entries_max
        self.window_ns = window_ns
        self.hash_key.first, self.hash_key.second = struct.unpack("<QQ", hash_key)
        self.entries = <Entry*>memory_reserve(<size_t>entries_max * sizeof(Entry))
        index_create(&self.by_frame, entries_max)
        index_create(&self.by_point, entries_max)

    def __dealloc__(self):
        memory_release(self.entries, <size_t>self.entries_max * sizeof(Entry))
        index_destroy(&self.by_frame)
        index_destroy(&self.by_point)

    @property
    def entries_in(self):
        return self.head - self.tail

    cdef uint64_t frame_hash(self, uint32_t row, uint32_t ordinal) noexcept nogil:
        cdef Columns* c = self.rows
        cdef HashKey key = self.hash_key
        key.first ^= <uint64_t>c.path[row] << 16 | ordinal
        return siphash(&key, c.arena + c.identity[row].at, c.identity[row].size)

    cdef uint64_t point_hash(self, uint32_t row) noexcept nogil:
        cdef Columns* c = self.rows
        cdef HashKey key = self.hash_key
        key.second ^= <uint64_t>c.path[row] << 16
        if c.path[row] == NO_PATH:
            key.first ^= siphash(&self.hash_key, c.arena + c.account[row].at, c.account[row].size)
        return siphash(&key, c.arena + c.point[row].at, c.point[row].size)

    cdef uint64_t known_ticket(self, uint32_t row, uint32_t ordinal, bint* known) noexcept nogil:
        """Look for the entry of signal `ordinal` of a frame; set `known` and return the ticket of its first copy."""
        cdef Columns* c = self.rows
        cdef uint64_t hash = self.frame_hash(row, ordinal)
        cdef Probe probe = index_first(&self.by_frame, hash), newest
        cdef uint32_t slot, other
        cdef Entry* entry
        known[0] = False
        while True:
            slot = index_next(&self.by_frame, &probe)
            if slot == INDEX_NONE:
                return TICKET_DURABLE
            entry = &self.entries[slot]
            if entry.frame == hash:
                break
        if c.received_ns[row] - entry.admitted_ns > self.window_ns:
            return TICKET_DURABLE
        if c.occurred_ns[row] != TIME_NONE and c.occurred_ns[row] == entry.stamp_ns:
            known[0] = True
            return entry.ticket
        newest = index_first(&self.by_point, entry.point)
        while True:
            other = index_next(&self.by_point, &newest)
            if other == INDEX_NONE or self.entries[other].point == entry.point:
                break
        known[0] = other != INDEX_NONE and self.entries[other].group == entry.group \
            and self.entries[other].admitted_ns == entry.admitted_ns
        return entry.ticket

    cdef void forget(self, uint64_t number) noexcept nogil:
        """Take entry `number` out of the indexes that still lead to it."""
        cdef uint32_t slot = <uint32_t>(number % self.entries_max)
        index_remove(&self.by_frame, self.entries[slot].frame, slot)
        index_remove(&self.by_point, self.entries[slot].point, slot)

    cdef void supersede(self, Index* index, uint64_t hash, bint is_point) noexcept nogil:
        """Take the entry with this frame or point hash out of its index: a newer one comes."""
        cdef Probe probe = index_first(index, hash)
        cdef uint32_t slot
        while True:
            slot = index_next(index, &probe)
            if slot == INDEX_NONE:
                return
            if (self.entries[slot].point if is_point else self.entries[slot].frame) == hash:
                index_remove(index, hash, slot)
                return

    cdef void enter(self, const Entry* entry) noexcept nogil:
        """Add an entry; those whose window has ended, and the oldest when the ring is full, make room."""
        cdef uint32_t slot
        cdef bint expired
        while self.tail != self.head:
            expired = entry.admitted_ns - self.entries[self.tail % self.entries_max].admitted_ns > self.window_ns
            if not expired and self.head - self.tail < self.entries_max:
                break
            self.evicted += not expired
            self.forget(self.tail)
            self.tail += 1
        self.supersede(&self.by_frame, entry.frame, False)
        self.supersede(&self.by_point, entry.point, True)
        slot = <uint32_t>(self.head % self.entries_max)
        self.entries[slot] = entry[0]
        index_put(&self.by_frame, entry.frame, slot)
        index_put(&self.by_point, entry.point, slot)
        self.head += 1

    cdef void remember(self, uint32_t row, uint32_t ordinal, uint64_t ticket) noexcept nogil:
        cdef Entry entry
        entry.frame = self.frame_hash(row, ordinal)
        entry.group = self.frame_hash(row, 1)
        entry.point = self.point_hash(row)
        entry.ticket = ticket
        entry.admitted_ns = self.rows.received_ns[row]
        entry.stamp_ns = self.rows.occurred_ns[row]
        self.enter(&entry)

    cdef Offered offer(self, Mark mark) noexcept nogil:
        """Hand over one frame's rows: new ones stay and are remembered, known ones go out again."""
        cdef Columns* c = self.rows
        cdef Offered offered
        cdef uint64_t ticket, latest = TICKET_DURABLE
        cdef uint32_t row, signals = 0
        cdef bint known = True
        for row in range(mark.row, c.count):
            if c.kind[row] == ROW_SIGNAL and c.identity[row].size:
                signals += 1
                ticket = self.known_ticket(row, signals, &known)
                if not known:
                    break
                if ticket > latest:
                    latest = ticket
        if signals and known:
            self.withdraw(mark)
            self.duplicates += 1
            offered.ticket = latest if latest > self.durable else TICKET_DURABLE
            offered.is_new = False
            return offered
        self.offered += c.count - mark.row
        signals = 0
        for row in range(mark.row, c.count):
            if c.kind[row] == ROW_SIGNAL and c.identity[row].size:
                signals += 1
                self.remember(row, signals, self.offered)
        offered.ticket = self.offered
        offered.is_new = True
        return offered

    def fail(self, uint64_t ticket):
        """Forget the frames whose append failed: when they come again they are new.

        What they superseded stays forgotten as well; a repetition of that counts as new, which errs to the safe side.
        """
        while self.head != self.tail and self.entries[(self.head - 1) % self.entries_max].ticket > self.durable:
            self.head -= 1
            self.forget(self.head)
        self.durable = ticket

    def apply(self, Batch batch not None):
        """Remember the frames of a journalled batch, after a restart."""
        cdef Columns* own = self.rows
        cdef Columns* c = &batch.columns
        cdef uint32_t row, ordinal = 0
        self.rows = c
        for row in range(c.count):
            if c.kind[row] == ROW_SIGNAL and c.identity[row].size:
                ordinal = ordinal + 1 if row and same_frame(c, row - 1, row) else 1
                self.remember(row, ordinal, TICKET_DURABLE)
        self.rows = own

    def save(self):
        """Return every durable entry as bytes, with the key of its hashes."""
        cdef uint64_t number
        cdef Entry* entry
        cdef bytes out = PyBytes_FromStringAndSize(NULL, (self.head - self.tail) * sizeof(Entry))
        cdef Entry* target = <Entry*>PyBytes_AS_STRING(out)
        cdef uint64_t count = 0
        for number in range(self.tail, self.head):
            entry = &self.entries[number % self.entries_max]
            if entry.ticket <= self.durable:
                target[count] = entry[0]
                target[count].ticket = TICKET_DURABLE
                count += 1
        header = struct.pack("<IIQQ", ADMIT_VERSION, count, self.hash_key.first, self.hash_key.second)
        return header + out[:count * sizeof(Entry)]

    def load(self, bytes saved not None):
        """Fill an empty memory from what `save` gave; raises ValueError when it is no such thing."""
        if self.head != self.tail:
            raise ValueError("admit already remembers frames")
        if len(saved) < 24:
            raise ValueError("admit memory of the wrong version or length")
        version, count, first, second = struct.unpack_from("<IIQQ", saved)
        if version != ADMIT_VERSION or len(saved) != 24 + count * sizeof(Entry):
            raise ValueError("admit memory of the wrong version or length")
        cdef const Entry* source = <const Entry*>(<const char*>PyBytes_AS_STRING(saved) + 24)
        cdef uint64_t number, entries = count
        self.hash_key.first, self.hash_key.second = first, second
        for number in range(entries):
            self.enter(&source[number])

    def check(self):
        """Raise AssertionError unless the indexes lead to entries of the ring and to nothing else."""
        assert self.head - self.tail <= self.entries_max
        assert self.by_frame.count <= self.head - self.tail
        assert self.by_point.count <= self.head - self.tail
