# One signal: it raises an alarm or adds to one, restores something, cancels, or is state.

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from codec.batch cimport Columns
from engine.filter.alarms cimport Alarm
from engine.filter.filter cimport Filter
from engine.filter.place cimport Lane, Place

cdef struct Origin:              # who speaks in a row, and where from
    Place    name                # only of one that has no record
    bint     named               # False: its texts are too long to be kept
    uint32_t transmitter         # NO_TRANSMITTER: no room, or nobody whom we know
    uint32_t facility            # NO_FACILITY: none
    bint     in_test

cdef void origin_of(Filter f, const Columns* c, uint32_t row, bint meet, Origin* origin) noexcept nogil
cdef bint place_for(Filter f, const Origin* origin, Lane lane, Place* place) noexcept nogil
cdef void raises(Filter f, const Columns* c, uint32_t row, uint64_t signal, uint16_t rule) noexcept nogil
cdef void clears(Filter f, const Columns* c, uint32_t row, uint64_t signal) noexcept nogil
cdef void cancels(Filter f, const Columns* c, uint32_t row, uint64_t signal) noexcept nogil
cdef void notes_state(Filter f, const Columns* c, uint32_t row, uint64_t signal, uint16_t rule) noexcept nogil
cdef void meets_path(Filter f, const Columns* c, uint32_t row) noexcept nogil
cdef void set_priority(Filter f, Alarm* alarm) noexcept nogil
cdef void places_paths(Filter f, uint32_t transmitter) noexcept nogil
cdef void await_acceptance(Filter f, Alarm* alarm, uint32_t slot, int64_t since_ns) noexcept nogil
cdef void finish(Filter f, uint32_t slot, uint64_t hash) noexcept nogil
