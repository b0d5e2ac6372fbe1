"""Clocks. Every stage takes one as an argument; nothing else in the program reads the time."""
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

SECOND_NS = 1_000_000_000


cdef class Clock:
    cdef int64_t wall_now(self) noexcept nogil:
        cdef timespec t
        clock_gettime(CLOCK_REALTIME, &t)
        return <int64_t>t.tv_sec * 1000000000 + t.tv_nsec

    cdef int64_t monotonic_now(self) noexcept nogil:
        cdef timespec t
        clock_gettime(CLOCK_MONOTONIC, &t)
        return <int64_t>t.tv_sec * 1000000000 + t.tv_nsec

    def wall_ns(self):
        return self.wall_now()

    def monotonic_ns(self):
        return self.monotonic_now()


cdef class FakeClock(Clock):
    def __init__(self, int64_t wall_ns=1_767_225_600_000_000_000, int64_t monotonic_ns=0):
        self.wall = wall_ns
        self.monotonic = monotonic_ns

    cdef int64_t wall_now(self) noexcept nogil:
        return self.wall

    cdef int64_t monotonic_now(self) noexcept nogil:
        return self.monotonic

    def advance(self, int64_t ns):
        self.wall += ns
        self.monotonic += ns

    def jump(self, int64_t ns):
        self.wall += ns
