# When each frame is due, and which of them are signals. Both follow from the frame's number alone, so that a seed
# repeats a run, and a slow receiver cannot slow the load down.

from libc.stdint cimport int64_t, uint64_t

cdef struct Pace:
    int64_t  start_ns        # monotonic; frame 0 is due here
    double   period_ns       # frame k is due at start + k * period
    int64_t  frames          # 0..frames-1 are sent
    uint64_t seed
    uint64_t share           # frame k is a signal when its random number is below this

cdef inline uint64_t pace_random(uint64_t seed, uint64_t number) noexcept nogil:
    """Return 64 random bits for `number` (SplitMix64, Steele et al. 2014)."""
    cdef uint64_t z = seed + (number + 1) * <uint64_t>0x9E3779B97F4A7C15ULL
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9ULL
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EBULL
    return z ^ (z >> 31)

cdef inline int64_t pace_due(const Pace* pace, int64_t number) noexcept nogil:
    """Return the monotonic ns at which frame `number` is due."""
    return pace.start_ns + <int64_t>(<double>number * pace.period_ns)

cdef inline bint pace_is_signal(const Pace* pace, int64_t number) noexcept nogil:
    """Tell whether frame `number` is a signal; 53 bits decide, so that a share of 1 means all."""
    return (pace_random(pace.seed, number) >> 11) < pace.share

cdef void pace_set(Pace* pace, int64_t start_ns, double rate, int64_t frames, uint64_t seed, double share)
