"""The begins and ends of our own line faults in a batch, as bytes of a COPY."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from codec.batch cimport Batch, Columns
from codec.words cimport STATE_RAISED
from engine.own_rows cimport is_own_line_fault
from engine.store.copy cimport COPY_FIELD_BYTES_MAX, PUT_16, Copy, copy_room, put_64, put_bool, put_text, put_time
from engine.store.copy_words cimport PROTOCOLS, WORD_BYTES_MAX, put_word

LINE_FAULT_COLUMNS = ("id", "at", "raised", "protocol", "account", "realm", "rest")

cdef enum:
    FIELDS = 7


cdef class LineFaultCopy(Copy):
    def __init__(self, uint32_t partition=0):
        assert partition < 1024
        self.base = <uint64_t>partition << 53

    def add(self, Batch batch not None, uint64_t first, uint32_t begin, uint32_t end, int64_t dropped_before_ns):
        cdef Columns* c = &batch.columns
        cdef uint32_t i
        cdef uint64_t added = 0
        cdef bint room = True
        assert self.exports == 0
        assert begin <= end <= c.count
        with nogil:
            for i in range(begin, end):
                if is_own_line_fault(c, i) and c.received_ns[i] >= dropped_before_ns:
                    room = self.put(c, i, self.base | (first + i))
                    if not room:
                        break
                    added += 1
        self.rows += added
        if not room:
            raise MemoryError()
        return added

    cdef bint put(self, const Columns* c, uint32_t i, uint64_t id) noexcept nogil:
        """Write row `i` in the order of LINE_FAULT_COLUMNS; False when there is no memory."""
        cdef uint8_t* at
        if not copy_room(&self.buffer, 2 + FIELDS * COPY_FIELD_BYTES_MAX + WORD_BYTES_MAX + c.account[i].size
                         + c.realm[i].size + c.point[i].size):
            return False
        at = self.buffer.memory + self.buffer.used
        PUT_16(at, FIELDS)
        at = put_64(at + 2, <int64_t>id)
        at = put_time(at, c.received_ns[i])
        at = put_bool(at, c.state[i] == STATE_RAISED)
        at = put_word(at, PROTOCOLS, c.protocol[i])
        at = put_text(at, c.arena, c.account[i])
        at = put_text(at, c.arena, c.realm[i])
        at = put_text(at, c.arena, c.point[i])
        self.buffer.used = at - self.buffer.memory
        return True
