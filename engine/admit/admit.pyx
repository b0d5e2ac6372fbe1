"""ADMIT: retransmissions are recognised before the journal, and their replies wait for the first copy.

Entries hold 64-bit keyed hashes of the frame, not its bytes: a false match needs two frames of one path within ten
minutes that collide under a key nobody outside knows, one chance in 2^64 for each pair.
"""
import struct

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t
from libc.string cimport memcmp, memcpy

from codec.batch cimport (NO_PATH, TIME_NONE, Batch, Columns, Row, batch_has_room, batch_move, batch_push,
                          batch_row)
from codec.words cimport CONDITION_RESET, PROTOCOL_GBT26875, PROTOCOL_TOCSIN, ROW_LEVEL, ROW_SIGNAL, STATE_CLEARED
from engine.index cimport (INDEX_NONE, Probe, index_create, index_destroy, index_first, index_next, index_put,
                           index_remove)
from engine.intake cimport (OFFER_KNOWN, OFFER_NEW, OFFER_NO_ROOM, OFFER_NOTHING, TICKET_DURABLE,
                            Mark, Offered)
from engine.memory cimport memory_release, memory_reserve
from engine.siphash cimport siphash

ADMIT_VERSION = 4

cdef enum:
    HEADER_BYTES = 24                # of what `save` returns


cdef bint same_frame(const Columns* c, uint32_t first, uint32_t second) noexcept nogil:
    """Tell whether two neighbouring rows are signals of one frame: a frame that is known is not journalled again."""
    return ((c.path[first] == c.path[second] or c.protocol[first] == PROTOCOL_TOCSIN)
            and c.received_ns[first] == c.received_ns[second]
            and c.identity[first].size == c.identity[second].size
            and memcmp(c.arena + c.identity[first].at, c.arena + c.identity[second].at, c.identity[first].size) == 0)


cdef inline bint is_reset(const Columns* c, uint32_t row) noexcept nogil:
    """Tell whether a row says that a panel was reset whose components we remember."""
    return (c.condition[row] == CONDITION_RESET and c.protocol[row] == PROTOCOL_GBT26875
            and c.kind[row] == ROW_SIGNAL and c.state[row] != STATE_CLEARED)


cdef class Admit(Intake):
    def __cinit__(self, uint32_t rows_max, uint32_t arena_max, uint32_t entries_max, int64_t window_ns,
                  bytes hash_key not None, uint32_t levels_max=65536):
        self.levels = Levels(levels_max, 4 * rows_max, hash_key)
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

    cdef Entry* entry_of(self, uint32_t row, uint32_t ordinal) noexcept nogil:
        """Return the newest entry of signal `ordinal` of the frame that a row belongs to; NULL: none in the window."""
        cdef uint64_t hash = self.frame_hash(row, ordinal)
        cdef Probe probe = index_first(&self.by_frame, hash)
        cdef uint32_t slot
        while True:
            slot = index_next(&self.by_frame, &probe)
            if slot == INDEX_NONE:
                return NULL
            if self.entries[slot].frame == hash:
                break
        if self.rows.received_ns[row] - self.entries[slot].admitted_ns > self.window_ns:
            return NULL
        return &self.entries[slot]

    cdef uint64_t known_ticket(self, uint32_t row, uint32_t ordinal, bint* known) noexcept nogil:
        """Look for the entry of signal `ordinal` of a frame; set `known` and return the ticket of its first copy."""
        cdef Columns* c = self.rows
        cdef Entry* entry = self.entry_of(row, ordinal)
        cdef Probe newest
        cdef uint32_t other
        known[0] = False
        if entry == NULL:
            return TICKET_DURABLE
        if c.protocol[row] == PROTOCOL_TOCSIN \
                or (c.occurred_ns[row] != TIME_NONE and c.occurred_ns[row] == entry.stamp_ns):
            known[0] = True                  # the identity of the one has a counter that never comes twice
            return entry.ticket
        newest = index_first(&self.by_point, entry.point)
        while True:
            other = index_next(&self.by_point, &newest)
            if other == INDEX_NONE or self.entries[other].point == entry.point:
                break
        known[0] = other != INDEX_NONE and self.entries[other].group == entry.group \
            and self.entries[other].admitted_ns == entry.admitted_ns
        return entry.ticket

    cdef bint is_known(self, Mark mark, uint64_t* ticket) noexcept nogil:
        """Tell whether all signals of a frame were admitted before; raise `ticket` to what its reply waits for."""
        cdef Columns* c = self.rows
        cdef uint32_t row, signals = 0
        cdef bint known = True
        for row in range(mark.row, c.count):
            if c.kind[row] == ROW_SIGNAL and c.identity[row].size:
                signals += 1
                ticket[0] = max(ticket[0], self.known_ticket(row, signals, &known))
                if not known:
                    return False
        return signals != 0

    cdef bint is_known_by_stamp(self, Mark mark, uint64_t* ticket) noexcept nogil:
        """Tell whether a frame with status words was admitted before: one that is late must not count as news."""
        cdef Columns* c = self.rows
        cdef Entry* entry = self.entry_of(mark.row, 1)
        cdef uint32_t row
        if entry == NULL or entry.stamp_ns == TIME_NONE:
            return False
        for row in range(mark.row, c.count):
            if c.occurred_ns[row] == entry.stamp_ns:
                ticket[0] = max(ticket[0], entry.ticket)
                return True
        return False

    cdef bint says_nothing_new(self, Mark mark, uint64_t* ticket) noexcept nogil:
        """Tell whether a frame has status words alone, and each is the last one; raise `ticket` to what those wait for.

        The usual case: a periodic status. It costs one look for each word.
        """
        cdef uint32_t row
        for row in range(mark.row, self.rows.count):
            if self.rows.kind[row] != ROW_LEVEL or not self.levels.says_nothing_new(self.rows, row, ticket):
                return False
        return True

    cdef int sift(self, Mark mark) noexcept nogil:
        """Make signals of the status words of a frame; those in which nothing is new go.

        Returns  how many rows stay; -1: no room
        """
        cdef Columns* c = self.rows
        cdef uint32_t end = c.count, row
        cdef Row one
        cdef int signals
        for row in range(mark.row, end):         # behind the frame and back: what a word says stays in order
            if not batch_has_room(c, 1, 0):
                return -1
            one = batch_row(c, row)
            batch_push(c, &one)
            if one.kind == ROW_LEVEL:
                signals = self.levels.sift(c, c.count - 1)
                if signals < 0:
                    return -1
                if signals == 0:
                    c.count -= 1
        for row in range(end, c.count):
            batch_move(c, row, mark.row + row - end)
        c.count -= end - mark.row
        return <int>(c.count - mark.row)

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
        cdef uint64_t latest = TICKET_DURABLE, since = self.levels.head, unremembered
        cdef uint32_t row, signals = 0
        cdef bint levels = False
        cdef int kept = 1
        for row in range(mark.row, c.count):
            levels |= c.kind[row] == ROW_LEVEL
        if levels and self.says_nothing_new(mark, &latest):
            self.withdraw(mark)
            offered.ticket = latest if latest > self.durable else TICKET_DURABLE
            offered.outcome = OFFER_NOTHING
            return offered
        latest = TICKET_DURABLE
        if self.is_known_by_stamp(mark, &latest) if levels else self.is_known(mark, &latest):
            self.urgency = self.urgency_since(mark)
            self.withdraw(mark)
            self.duplicates += 1
            offered.ticket = latest if latest > self.durable else TICKET_DURABLE
            offered.outcome = OFFER_KNOWN
            return offered
        unremembered = self.levels.unremembered
        if levels:
            kept = self.sift(mark)
        self.urgency = self.urgency_since(mark)
        if kept < 0 or not self.has_room(self.urgency):
            self.levels.take_back(since)
            self.levels.unremembered = unremembered
            self.withdraw(mark)
            offered.ticket = TICKET_DURABLE
            offered.outcome = OFFER_NO_ROOM
            return offered
        self.offered += c.count - mark.row
        for row in range(mark.row, c.count):
            if is_reset(c, row):
                self.levels.reset(c, row, since)
        self.levels.seal(since, self.offered)
        for row in range(mark.row, c.count):
            if c.kind[row] == ROW_SIGNAL and c.identity[row].size:
                signals += 1
                self.remember(row, signals, self.offered)
        offered.ticket = self.offered
        offered.outcome = OFFER_NEW
        return offered

    def release(self, uint64_t ticket):
        """Note that every row up to `ticket` is durable, and with it the words that it brought."""
        self.durable = ticket
        self.levels.set_durable(ticket)

    def fail(self, uint64_t ticket):
        """Forget the frames whose append failed: when they come again they are new.

        What they superseded stays forgotten as well; a repetition of that counts as new, which errs to the safe side.
        Status words go back to the last durable ones.
        """
        while self.head != self.tail and self.entries[(self.head - 1) % self.entries_max].ticket > self.durable:
            self.head -= 1
            self.forget(self.head)
        self.levels.fail()
        self.durable = ticket

    cdef void replay_resets(self, uint32_t first) noexcept nogil:
        """Count the resets of the journalled frame that begins at row `first`, before its words."""
        cdef Columns* c = self.rows
        cdef uint32_t row
        for row in range(first, c.count):
            if row > first and not same_frame(c, row - 1, row):
                break
            if is_reset(c, row):
                self.levels.replay_reset(c, row)

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
                if ordinal == 1:
                    self.replay_resets(row)
                if c.level[row]:
                    self.levels.replay(c, row)
        self.rows = own

    def save(self):
        """Return every durable entry as bytes, with the key of its hashes; then the status words."""
        cdef uint64_t number, count = 0
        cdef Entry* entry
        cdef Entry* target
        for number in range(self.tail, self.head):
            count += self.entries[number % self.entries_max].ticket <= self.durable
        cdef bytes header = struct.pack("<IIQQ", ADMIT_VERSION, count, self.hash_key.first, self.hash_key.second)
        cdef size_t size = HEADER_BYTES + count * sizeof(Entry) + self.levels.saved_bytes()
        cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
        memcpy(PyBytes_AS_STRING(out), PyBytes_AS_STRING(header), HEADER_BYTES)
        target = <Entry*>(PyBytes_AS_STRING(out) + HEADER_BYTES)
        for number in range(self.tail, self.head):
            entry = &self.entries[number % self.entries_max]
            if entry.ticket <= self.durable:
                target[0] = entry[0]
                target.ticket = TICKET_DURABLE
                target += 1
        self.levels.save_to(<uint8_t*>target)
        return out

    def load(self, bytes saved not None):
        """Fill an empty memory from what `save` gave; raises ValueError when it is no such thing."""
        if self.head != self.tail:
            raise ValueError("admit already remembers frames")
        if len(saved) < HEADER_BYTES:
            raise ValueError("admit memory of the wrong version or length")
        version, count, first, second = struct.unpack_from("<IIQQ", saved)
        size = HEADER_BYTES + count * sizeof(Entry)
        if version != ADMIT_VERSION or len(saved) < size:
            raise ValueError("admit memory of the wrong version or length")
        self.levels.load(saved[size:])
        cdef const Entry* source = <const Entry*>(<const char*>PyBytes_AS_STRING(saved) + HEADER_BYTES)
        cdef uint64_t number, entries = count
        self.hash_key.first, self.hash_key.second = first, second
        for number in range(entries):
            self.enter(&source[number])

    def check(self):
        """Raise AssertionError unless the indexes lead to entries of the ring and to nothing else."""
        assert self.head - self.tail <= self.entries_max
        assert self.by_frame.count <= self.head - self.tail
        assert self.by_point.count <= self.head - self.tail
        self.levels.check()
