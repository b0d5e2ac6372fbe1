# The only place where time is read.

from libc.stdint cimport int64_t

cdef class Clock:
    cdef int64_t wall_now(self) noexcept nogil        # ns since 1970 UTC; may jump
    cdef int64_t monotonic_now(self) noexcept nogil   # ns; never goes back

cdef class FakeClock(Clock):
    cdef int64_t wall
    cdef int64_t monotonic
