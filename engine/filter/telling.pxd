# What the filter says: verdicts, and the events of alarms and of mass losses. Events are numbered here and nowhere
# else.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from codec.batch cimport Columns
from engine.filter.alarms cimport Alarm
from engine.filter.event cimport Part, Said
from engine.filter.filter cimport Filter

cdef void decide(Filter f, uint32_t row, uint8_t verdict, uint8_t reason,
                 uint16_t rule) noexcept nogil
cdef void tell(Filter f, const Said* said, uint64_t signal, uint8_t type, uint8_t reason, uint16_t rule,
               Alarm* alarm) noexcept nogil
cdef void tell_row(Filter f, const Columns* c, uint32_t row, uint64_t signal, uint8_t type, uint8_t reason,
                   uint16_t rule, Alarm* alarm) noexcept nogil
cdef void tell_alone(Filter f, Alarm* alarm, uint8_t type, uint8_t reason, int64_t now_ns, Part by,
                     Part why) noexcept nogil
cdef void tell_losses(Filter f, int64_t now_ns, uint64_t number) noexcept nogil
cdef void tell_volatile(Filter f, const Columns* c, uint32_t row) noexcept nogil
cdef void sing(Filter f, const Columns* c, uint32_t row, uint64_t signal) noexcept nogil
