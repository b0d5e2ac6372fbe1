# When each path was last heard, as it is written every second; and how much time a start gives each of them.

from libc.stdint cimport int64_t, uint32_t
from engine.paths cimport PathTable

cdef class Touches:
    cdef PathTable paths
    cdef int64_t* given_ms           # owned; `heard_ms` as the last start set it, 0 = it did not: who still has it is
                                     # silent since
    cdef int pack(self, uint32_t start, uint32_t count, int64_t now_ms, uint32_t* out) noexcept nogil
    cdef void give_time(self, uint32_t number, int64_t now_ms, int64_t grace_ms, int64_t life_ms) noexcept nogil
