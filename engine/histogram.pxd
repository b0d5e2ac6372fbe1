# Latency histograms with fixed buckets, filled from C.
#
#   bucket i      = durations above bound i-1 and up to bound i (the last bucket: everything above the last bound)
#   not summed    = buckets hold their own counts here; the exposition sums them up as Prometheus wants
#   one writer    = each histogram is filled by one thread; a reader may see it between two stores
#
# A whole batch that took equally long is one call: histogram_add(h, ns, rows).

from libc.stdint cimport int64_t, uint64_t

cdef enum:
    HISTOGRAM_BOUNDS = 16
    HISTOGRAM_BUCKETS = 17           # one more, for what is above the last bound

cdef extern from *:
    """
    #ifndef TOCSIN_HISTOGRAM_BOUNDS
    #define TOCSIN_HISTOGRAM_BOUNDS
    static const int64_t HISTOGRAM_BOUND_NS[16] = {
        100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 25000000, 50000000, 100000000,
        250000000, 500000000, 1000000000, 2500000000, 5000000000, 10000000000 };
    #endif
    """
    const int64_t HISTOGRAM_BOUND_NS[16]

cdef struct HistogramData:
    uint64_t buckets[17]             # counts, HISTOGRAM_BUCKETS of them
    uint64_t sum_ns                  # of all durations; wraps after 584 years of waiting


cdef inline void histogram_add(HistogramData* h, int64_t ns, uint64_t count) noexcept nogil:
    """Count `count` durations of `ns` each; one below zero (a clock was set back) counts as zero."""
    cdef int i = 0
    if ns < 0:
        ns = 0
    while i < HISTOGRAM_BOUNDS and ns > HISTOGRAM_BOUND_NS[i]:
        i += 1
    h.buckets[i] += count
    h.sum_ns += <uint64_t>ns * count


cdef class Histogram:
    cdef HistogramData data          # borrowed by C code as long as it holds the object
    cdef list parts                  # of other threads; a reading of this one counts them in
