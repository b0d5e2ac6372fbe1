# The load generator's clocks: it shares nothing with the engine, so it cannot take the engine's.

from libc.stdint cimport int64_t
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

cdef inline int64_t monotonic_now() noexcept nogil:
    """ns from an arbitrary start, the same for all processes of a machine; never goes back."""
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return <int64_t>t.tv_sec * 1000000000 + t.tv_nsec

cdef inline int64_t wall_now() noexcept nogil:
    """ns since 1970 UTC; may jump."""
    cdef timespec t
    clock_gettime(CLOCK_REALTIME, &t)
    return <int64_t>t.tv_sec * 1000000000 + t.tv_nsec
