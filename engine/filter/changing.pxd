# What people change, and what time does: registry, rules, test modes, answers; and ticks.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from codec.batch cimport Columns
from engine.filter.filter cimport Filter

cdef void change_registry(Filter f, const Columns* c, uint32_t row) noexcept nogil
cdef int change(Filter f, const Columns* c, uint32_t row, uint64_t number) except -1
cdef int due(Filter f, int64_t now_ns, uint64_t number) except -1
