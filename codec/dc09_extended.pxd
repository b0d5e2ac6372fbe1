# The extended data of ANSI/SIA DC-09: the bracketed fields behind the data, drawn in dc09_extended.pyx.

from libc.stdint cimport uint8_t, uint32_t
from codec.details cimport Details
from codec.frame cimport Frame

cdef inline uint32_t closing_bracket(const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil:
    """Return where the first ']' before a '[', a '_' or the end is; else the last ']'; else `end`."""
    cdef uint32_t last = end
    while at < end:
        if data[at] == 0x5D:
            last = at
            if at + 1 == end or data[at + 1] == 0x5B or data[at + 1] == 0x5F:
                break
        at += 1
    return last

cdef uint32_t read_extended(Frame* frame, uint32_t at, uint32_t end) noexcept nogil
cdef void write_extended(Details* d, const Frame* frame) noexcept nogil
cdef uint8_t trigger_of(const Frame* frame) noexcept nogil
cdef void hide_keys(const Frame* frame, uint8_t* copy) noexcept nogil
