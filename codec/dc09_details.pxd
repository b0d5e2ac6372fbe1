# What a DC-09 frame says beside its events: the details of its rows, and what a trigger makes of an unknown code.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from codec.batch cimport Columns, Row
from codec.findings cimport Findings
from codec.frame cimport Frame

cdef int modifier_name(uint8_t first, uint8_t second) noexcept nogil
cdef void apply_trigger(const uint8_t* start, Findings* findings, uint8_t trigger, bint contact_id) noexcept nogil
cdef bint set_details(const Frame* text, const Findings* findings, uint32_t index, Row* row,
                      uint16_t* flags, Columns* batch) noexcept nogil
