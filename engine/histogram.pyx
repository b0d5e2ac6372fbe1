"""Latency histograms with fixed buckets, filled from C.

Rejected for the hot path: hdrhistogram, whose record() is a Python call for each value. Seventeen counters answer
the questions that an operator asks, and a scrape costs the same whatever the load was.
"""
from libc.string cimport memset

BOUNDS_NS = tuple(HISTOGRAM_BOUND_NS[i] for i in range(HISTOGRAM_BOUNDS))


cdef class Histogram:
    def __cinit__(self):
        memset(&self.data, 0, sizeof(HistogramData))
        self.parts = []

    def add(self, int64_t ns, uint64_t count=1):
        histogram_add(&self.data, ns, count)

    def snapshot(self):
        buckets = tuple(self.data.buckets[i] for i in range(HISTOGRAM_BUCKETS))
        readings = [(buckets, self.data.sum_ns, sum(buckets)), *(part.snapshot() for part in self.parts)]
        of_buckets, sums, counts = zip(*readings)
        return tuple(map(sum, zip(*of_buckets))), sum(sums), sum(counts)

    def part(self):
        part = Histogram()
        self.parts.append(part)
        return part
