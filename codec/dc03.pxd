# The data field of SIA-DCS (the SIA format, ANSI/SIA DC-03).

from libc.stdint cimport uint8_t
from codec.findings cimport Findings
from codec.frame cimport Span
from codec.status cimport Status

cdef Status read_sia(const uint8_t* start, Span rest, Findings* findings) noexcept nogil
