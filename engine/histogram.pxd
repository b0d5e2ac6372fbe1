# temporary, replaced at merge
from libc.stdint cimport int64_t, uint64_t
cdef enum:
    BUCKETS = 16
cdef struct HistogramData:
    uint64_t counts[17]
    uint64_t sum_ns
cdef inline void histogram_add(HistogramData* h, int64_t ns, uint64_t count) noexcept nogil:
    h.counts[0] += count
    h.sum_ns += ns * count
cdef class Histogram:
    cdef HistogramData data
