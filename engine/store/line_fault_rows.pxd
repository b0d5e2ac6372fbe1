# The begins and ends of our own line faults, straight from a batch to COPY bytes.

from libc.stdint cimport uint32_t, uint64_t

from codec.batch cimport Columns
from engine.store.copy cimport Copy


cdef class LineFaultCopy(Copy):      # rows of LINE_FAULT_COLUMNS
    cdef uint64_t base               # partition << 53

    cdef bint put(self, const Columns* c, uint32_t i, uint64_t id) noexcept nogil
