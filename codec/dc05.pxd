# The data field of ADM-CID (Contact ID, ANSI/SIA DC-05).

from libc.stdint cimport uint8_t
from codec.findings cimport Findings
from codec.frame cimport Span
from codec.status cimport Status

cdef Status read_contact_id(const uint8_t* start, Span rest, Findings* findings) noexcept nogil
