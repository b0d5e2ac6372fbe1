# Where a frame of ANSI/SIA DC-09 may begin: the bytes before its first quote. Inline, because split needs it each time.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr

from codec.dc09 cimport LF, PREAMBLE_BINARY, PREAMBLE_HEXADECIMAL, QUOTE
from codec.frame cimport Frame
from codec.text cimport HEX

cdef inline bint is_preamble_byte(uint32_t at, uint8_t c, uint32_t zero_at) noexcept nogil:
    """Whether `c` may stand at offset `at` of a preamble whose fixed '0' stands at `zero_at`."""
    if at == zero_at:
        return c == 0x30
    if at == zero_at + 4:
        return c == QUOTE
    return HEX[c] != 0 or (zero_at == 3 and at < 3)

cdef inline int preamble_size(const uint8_t* data, uint32_t size) noexcept nogil:
    """Return the bytes before the first quote of a frame that begins with the LF at data[0].

    Returns  9 (hexadecimal) | 7 (binary) | 0 (too few bytes to tell) | -1 (no frame begins here)
    """
    cdef bint hexadecimal = True, binary = True
    cdef uint32_t at
    if size > PREAMBLE_HEXADECIMAL and data[9] == QUOTE and data[5] == 0x30 and HEX[data[1]] and HEX[data[2]] \
            and HEX[data[3]] and HEX[data[4]] and HEX[data[6]] and HEX[data[7]] and HEX[data[8]]:
        return PREAMBLE_HEXADECIMAL
    for at in range(1, size if size < 10 else 10):
        hexadecimal = hexadecimal and is_preamble_byte(at, data[at], 5)
        binary = binary and (at > PREAMBLE_BINARY or is_preamble_byte(at, data[at], 3))
        if not hexadecimal and not binary:
            return -1
    if binary and size > PREAMBLE_BINARY:
        return PREAMBLE_BINARY
    return 0

cdef inline bint holds_preamble(const uint8_t* data, uint32_t at, uint32_t end, Frame* frame) noexcept nogil:
    """Whether another frame begins inside data[at:end]."""
    cdef const uint8_t* found
    while at < end:
        found = <const uint8_t*>memchr(data + at, LF, end - at)
        if found == NULL:
            break
        at = <uint32_t>(found - data)
        if preamble_size(found, end - at) > 0:
            frame.examined = at
            return True
        at += 1
    frame.examined = end
    return False
