# Listening time: a clock that advances only while the engine can hear.

from libc.stdint cimport int64_t

cdef class ListeningClock:
    cdef int64_t now_ms              # listening time
    cdef int64_t seen_ns             # monotonic clock at the last update
    cdef int64_t stall_ns            # a longer gap between two updates was a stall
    cdef readonly int64_t credited_ms  # time that did not count, since the start
    cdef int64_t hour_ns             # monotonic clock when the hour began whose credit is counted
    cdef int64_t hour_credited_ms
    cdef bint hour_overdrawn         # more time was lost in it than may be credited

    cdef int64_t update(self, int64_t monotonic_ns) noexcept nogil
    cdef int64_t credit(self, int64_t monotonic_ns, int64_t lost_ns) noexcept nogil
