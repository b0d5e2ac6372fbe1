# What is open, for people: each cuts pages, and none costs more than one pass over the slots.

from libc.stdint cimport int64_t, uint16_t, uint32_t

from engine.filter.states cimport States

cdef class StatesTable:
    cdef States states

cdef list states_rows(const States* s, uint32_t transmitter)
cdef dict states_counts(const States* s)
cdef list states_stale(const States* s, int64_t before_ns, int64_t after, uint32_t limit)
cdef list states_with(const States* s, uint16_t condition, int64_t after, uint32_t limit)
