# The registry of wire formats: which one begins with a given byte. A new format is one line in formats.pyx.

from libc.stdint cimport uint8_t, uint32_t
from codec.frame cimport Format, Frame
from codec.status cimport Status

cdef const Format* format_of(uint8_t first) noexcept nogil
cdef uint32_t find_start(const uint8_t* data, uint32_t size) noexcept nogil
cdef Status split(const uint8_t* data, uint32_t size, Frame* frame) noexcept nogil
