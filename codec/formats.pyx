"""The registry of wire formats.

One port carries them all: the first byte of a frame says which format it is; where that byte is a common letter, so
does the second. A format is added by its own .pyx and .pxd and one `register` line at the end of this file.
"""
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

from codec.dc09 cimport DC09
from codec.gbt26875 cimport GBT26875
from codec.limits cimport ACCOUNT_BYTES_MAX
from codec.status cimport BAD_START, NEED_DATA
from codec.surgard cimport SURGARD
from codec.tocsin cimport TOCSIN

cdef const Format* by_first_byte[256]
cdef uint8_t second_byte[256]        # what must follow; 0: anything


cdef int register(uint8_t first, const Format* format, uint8_t second=0) except -1:
    if by_first_byte[first] != NULL:
        raise ValueError(f"two formats begin with {first:#04x}")
    by_first_byte[first] = format
    second_byte[first] = second
    return 0


cdef const Format* format_of(uint8_t first) noexcept nogil:
    """Return the format whose frames begin with `first`, or NULL."""
    return by_first_byte[first]


cdef uint32_t find_start(const uint8_t* data, uint32_t size) noexcept nogil:
    """Return how many bytes to pass over until one may begin a frame; `size` when none does."""
    cdef uint32_t at = 0
    while at < size:
        if by_first_byte[data[at]] != NULL and (second_byte[data[at]] == 0 or at + 1 == size
                                                or second_byte[data[at]] == data[at + 1]):
            break
        at += 1
    return at


cdef Status split(const uint8_t* data, uint32_t size, Frame* frame) noexcept nogil:
    """Read the frame that begins at data[0] by the format that its first byte names.

    Returns  OK (frame filled) | NEED_DATA | BAD_START | the format's BAD_*
    """
    if size == 0:
        return NEED_DATA
    cdef const Format* format = by_first_byte[data[0]]
    if format == NULL:
        return BAD_START
    memset(frame.account, 0, ACCOUNT_BYTES_MAX)  # accounts are compared and hashed as 16 bytes
    return format.split(data, size, frame)


register(0x0A, &DC09)
register(0x40, &GBT26875)
register(0xC1, &TOCSIN)
register(0x53, &SURGARD, second=0x52)
