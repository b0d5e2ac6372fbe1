# Latencies, counted straight into the counters of an HdrHistogram: 2 ns a value instead of 830.
#
#   bucket          = how many times the value must be halved to fit the finest 2^(magnitude + 1) steps
#   index           = (bucket + 1) << magnitude, plus the value's place in the upper half of its bucket
#   The lowest trackable value is 1 (unit magnitude 0), which the Python side asserts.

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from *:
    """
    static inline int latency_bit_length(uint64_t value) { return 64 - __builtin_clzll(value | 1); }
    """
    int latency_bit_length(uint64_t value) noexcept nogil

cdef struct Latency:
    int64_t* counts          # borrowed from the histogram that the Recorder keeps alive
    int64_t  highest         # ns; larger values are counted as this one, and in `clamped`
    uint32_t magnitude       # sub_bucket_half_count_magnitude
    int64_t  total
    int64_t  min
    int64_t  max             # ns, unclamped
    int64_t  clamped

cdef inline uint32_t latency_index(uint32_t magnitude, int64_t value) noexcept nogil:
    """Return the counter of `value` ns, 0 and up."""
    cdef uint64_t mask = (<uint64_t>2 << magnitude) - 1
    cdef uint32_t bucket = latency_bit_length(<uint64_t>value | mask) - (magnitude + 1)
    return ((bucket + 1) << magnitude) + <uint32_t>(value >> bucket) - (<uint32_t>1 << magnitude)

cdef inline void latency_record(Latency* latency, int64_t value) noexcept nogil:
    """Count one value in ns; a negative one (a clock fault) counts as 0."""
    if value < 0:
        value = 0
    latency.total += 1
    if value > latency.max:
        latency.max = value
    if value < latency.min:
        latency.min = value
    if value > latency.highest:
        value = latency.highest
        latency.clamped += 1
    latency.counts[latency_index(latency.magnitude, value)] += 1

cdef class Recorder:
    cdef Latency latency
    cdef readonly object histogram
    cdef object counts       # keeps the ctypes array alive
