# The details of a row while they are written: one JSON object, on one line, in a buffer of fixed size.
#
# A field is written whole or not at all: `details_begin` remembers where it begins, and `details_end` takes it out
# again when it did not fit. Texts become UTF-8 without U+0000 and without surrogates, in any form, so that what stands
# there is JSON which PostgreSQL's jsonb takes.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from codec.limits cimport DETAILS_BYTES_MAX
from codec.text cimport clean_character, is_utf8

cdef enum:
    DETAILS_ROOM = DETAILS_BYTES_MAX - 1     # the last byte is kept for the closing brace

cdef struct Details:
    uint32_t size            # bytes written; 0: nothing yet
    uint32_t field           # where the field under construction begins
    bint     full            # the field under construction does not fit
    bint     cut             # a field was left out
    bint     cleaned         # a text was no UTF-8, or held NUL
    uint8_t  bytes[DETAILS_BYTES_MAX]


cdef inline void details_clear(Details* d) noexcept nogil:
    d.size = d.field = 0
    d.full = d.cut = d.cleaned = False

cdef inline void details_put(Details* d, const void* bytes, uint32_t size) noexcept nogil:
    """Write bytes of ours as they are."""
    if size > DETAILS_ROOM - d.size:
        d.full = True
    if not d.full:
        memcpy(d.bytes + d.size, bytes, size)
        d.size += size

cdef inline void details_byte(Details* d, uint8_t byte) noexcept nogil:
    details_put(d, &byte, 1)

cdef inline void details_begin(Details* d, const char* name, uint32_t size) noexcept nogil:
    """Begin a field: its name, which needs no escape, and the colon."""
    d.field = d.size
    details_byte(d, c'{' if d.size == 0 else c',')
    details_byte(d, c'"')
    details_put(d, name, size)
    details_put(d, <const char*>b'":', 2)

cdef inline void details_end(Details* d) noexcept nogil:
    """End a field, or take it out when it did not fit."""
    if d.full:
        d.size = d.field
        d.full = False
        d.cut = True

cdef inline uint32_t details_close(Details* d) noexcept nogil:
    """End the object and return its size; 0 when it has no field."""
    if d.size:
        d.bytes[d.size] = c'}'
        return d.size + 1
    return 0

cdef void details_string(Details* d, const uint8_t* text, uint32_t size) noexcept nogil
cdef bint details_json(Details* d, const uint8_t* text, uint32_t size) noexcept nogil
