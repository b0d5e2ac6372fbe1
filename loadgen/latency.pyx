"""A recorder that fills an HdrHistogram from C; see latency.pxd."""
import ctypes
import sys

from hdrh.histogram import HdrHistogram
from libc.stdint cimport uintptr_t

LATENCY_NS_MAX = 60_000_000_000
LATENCY_DIGITS = 3


cdef class Recorder:
    def __init__(self):
        self.histogram = HdrHistogram(1, LATENCY_NS_MAX, LATENCY_DIGITS)
        self.counts = self.histogram.counts
        assert self.histogram.unit_magnitude == 0
        assert ctypes.sizeof(self.counts) == 8 * self.histogram.counts_len
        self.latency.counts = <int64_t*><uintptr_t>ctypes.addressof(self.counts)
        self.latency.highest = LATENCY_NS_MAX
        self.latency.magnitude = self.histogram.sub_bucket_half_count_magnitude
        self.latency.total = self.latency.max = self.latency.clamped = 0
        self.latency.min = sys.maxsize

    def record(self, values):
        cdef int64_t value
        for value in values:
            latency_record(&self.latency, value)

    def sync(self):
        self.histogram.total_count = self.latency.total
        self.histogram.min_value = self.latency.min
        self.histogram.max_value = self.latency.max
        return self.histogram

    @property
    def max_ns(self):
        return self.latency.max
