# The counters of the Tocsin profile: for each key the highest one, and which of the 63 before it have come, with the
# tags of their messages. Only authentic messages get here, so there are no more windows than keys that are known.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from codec.batch cimport Columns

cdef enum:
    WINDOW_COUNTERS = 64

cdef enum Standing:          # of a message by its counter
    STANDING_NEW = 0
    STANDING_AGAIN = 1       # the same message: a retransmission, or a recording
    STANDING_STALE = 2       # its counter is used up, by another message or by time

cdef struct Window:
    uint32_t key_id          # 0: free
    uint32_t highest
    uint64_t came            # bit i: highest - i has come
    uint32_t tags[WINDOW_COUNTERS]   # the first 4 bytes of the tag, by counter modulo 64

cdef class Windows:
    cdef Window* windows             # owned; open addressing by key id
    cdef uint32_t slots              # a power of two
    cdef readonly uint32_t count
    cdef readonly uint64_t repeated
    cdef readonly uint64_t stale
    # What the last judgement found, to take it back; NULL: nothing.
    cdef Window* judged
    cdef uint32_t highest_before
    cdef uint32_t tag_before
    cdef uint64_t came_before

    cdef Window* window_of(self, uint32_t key_id) noexcept nogil
    cdef Standing judge(self, uint32_t key_id, uint32_t counter, const uint8_t* tag, uint32_t* highest) noexcept nogil
    cdef void take_back(self, uint32_t counter, int standing) noexcept nogil
    cdef void replay(self, const Columns* c, uint32_t row) noexcept nogil
