# Listening time: a clock that advances only while the engine can hear.

from libc.stdint cimport int64_t

cdef enum:
    EARS_MAX = 64                    # receiver threads

cdef struct Heard:                   # a cache line, so that threads do not take it from each other
    int64_t at                       # monotonic clock when a thread was last at its socket
    int64_t unused[7]

cdef class ListeningClock:
    cdef int64_t now_ms              # listening time
    cdef int64_t seen_ns             # monotonic clock at the last update
    cdef int64_t stall_ns            # a longer gap between two updates was a stall
    cdef readonly int64_t credited_ms  # time that did not count, since the start
    cdef int64_t hour_ns             # monotonic clock when the hour began whose credit is counted
    cdef int64_t hour_credited_ms
    cdef bint hour_overdrawn         # more time was lost in it than may be credited
    # For threads, which write `heard_ns` and nothing else.
    cdef int64_t ahead_ns            # listening time minus monotonic clock
    cdef int64_t limit_ms            # followers go no further without us
    cdef int ears                    # threads that follow
    cdef Heard heard_ns[EARS_MAX]

    cdef int64_t update(self, int64_t monotonic_ns) noexcept nogil
    cdef int64_t credit(self, int64_t monotonic_ns, int64_t lost_ns) noexcept nogil
    cdef void publish(self) noexcept nogil
    cdef bint deaf_at(self, int64_t monotonic_ns) noexcept nogil

cdef class Follower(ListeningClock):
    cdef ListeningClock leader
    cdef int place                   # in leader.heard_ns
