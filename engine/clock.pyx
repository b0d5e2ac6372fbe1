"""Clocks. Every stage takes one as an argument; nothing else in the program reads the time."""
from libc.string cimport memset
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

cdef extern from "<sys/timex.h>" nogil:
    struct timex:
        unsigned int modes
        long offset
        int status
    int adjtimex(timex* reading)
    int STA_NANO
    int TIME_ERROR

SECOND_NS = 1_000_000_000


def clock_offset_seconds():
    cdef timex reading
    memset(&reading, 0, sizeof(timex))
    if adjtimex(&reading) in (-1, TIME_ERROR):
        return float("nan")
    return reading.offset / (1e9 if reading.status & STA_NANO else 1e6)


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
