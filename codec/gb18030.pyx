"""GB 18030-2005 to UTF-8, for text fields of fixed size.

    00..7F                        ASCII
    81..FE  40..7E, 80..FE        two bytes: 126 x 190 characters
    81..FE  30..39  81..FE 30..39 four bytes, a linear number: below 39420 the rest of the basic plane,
                                  from 189000 on U+10000 and what follows

A field is padded with 00 or 20 at its end. It ends at its first 00; some firmware leaves old bytes behind it. A field
with control characters is no text but data of the vendor's own, and is shown as nothing. A byte that begins no
character, as where a fixed field cuts one, becomes U+FFFD. In each of these cases FLAG_CLEANED says that the frame
holds more than the text.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from codec.text cimport utf8_put
from codec.words cimport FLAG_CLEANED, FLAG_CUT

cdef enum:
    LEADS = 126                  # 81..FE
    TRAILS = 190                 # 40..7E, 80..FE
    PAIRS = 23940                # LEADS * TRAILS
    QUADS = 39420                # four-byte characters of the basic plane
    SUPPLEMENTARY = 189000       # the number of U+10000
    REPLACEMENT = 0xFFFD
    BAD_CHARACTER = 0xFFFFFFFF

cdef uint16_t pair[PAIRS]
cdef uint16_t quad[QUADS]


cdef int fill() except -1:
    """Let Python's codec tell the character of every two and four bytes."""
    cdef uint32_t i
    leads, digits = range(0x81, 0xFF), range(0x30, 0x3A)
    trails = [*range(0x40, 0x7F), *range(0x80, 0xFF)]
    text = bytes(byte for lead in leads for trail in trails for byte in (lead, trail)).decode("gb18030")
    if len(text) != PAIRS:
        raise ValueError(f"GB 18030 has {len(text)} characters of two bytes")
    for i in range(PAIRS):
        pair[i] = ord(text[i])
    every = (byte for first in range(0x81, 0x85) for second in digits for third in leads for fourth in digits
             for byte in (first, second, third, fourth))
    text = bytes(byte for _, byte in zip(range(4 * QUADS), every)).decode("gb18030")
    if len(text) != QUADS:
        raise ValueError(f"GB 18030 has {len(text)} characters of four bytes in the basic plane")
    for i in range(QUADS):
        quad[i] = ord(text[i])
    return 0


cdef inline bint is_lead(uint8_t c) noexcept nogil:
    return c >= 0x81 and c <= 0xFE


cdef inline bint is_digit(uint8_t c) noexcept nogil:
    return c >= 0x30 and c <= 0x39


cdef uint32_t read_character(const uint8_t* at, uint32_t size, uint32_t* step) noexcept nogil:
    """The character at `at` and, in `step`, its bytes; BAD_CHARACTER when there is none, with a step of one."""
    cdef uint32_t number
    step[0] = 1
    if at[0] < 0x80:
        return at[0]
    if not is_lead(at[0]) or size < 2:
        return BAD_CHARACTER
    if at[1] >= 0x40 and at[1] != 0x7F and at[1] != 0xFF:
        step[0] = 2
        return pair[(at[0] - 0x81) * TRAILS + at[1] - (0x40 if at[1] < 0x7F else 0x41)]
    if size < 4 or not is_digit(at[1]) or not is_lead(at[2]) or not is_digit(at[3]):
        return BAD_CHARACTER
    number = ((at[0] - 0x81) * 10 + at[1] - 0x30) * 1260 + (at[2] - 0x81) * 10 + at[3] - 0x30
    if number < QUADS:
        step[0] = 4
        return quad[number]
    if SUPPLEMENTARY <= number < SUPPLEMENTARY + 0x100000:
        step[0] = 4
        return number - SUPPLEMENTARY + 0x10000
    return BAD_CHARACTER


cdef inline bint is_control(uint8_t c) noexcept nogil:
    """Whether a byte stands in no text; tab and the ends of lines do."""
    return (c < 0x20 and c != 0x09 and c != 0x0A and c != 0x0D) or c == 0x7F


cdef uint32_t gb18030_text(const uint8_t* bytes, uint32_t size, uint8_t* out, uint32_t out_max,
                           uint16_t* flags) noexcept nogil:
    """Write the text of a field as UTF-8 without NUL.

    bytes    borrowed; the whole field
    out      filled; at most `out_max` bytes, whole characters
    flags    FLAG_CLEANED and FLAG_CUT are ored into it
    Returns  bytes written
    """
    cdef uint8_t character[4]
    cdef uint32_t at = 0, written = 0, step, need, code, end = 0
    while size and (bytes[size - 1] == 0 or bytes[size - 1] == 0x20):
        size -= 1
    while end < size and bytes[end] != 0:
        if is_control(bytes[end]):
            flags[0] |= FLAG_CLEANED
            return 0
        end += 1
    if end < size:
        flags[0] |= FLAG_CLEANED
    while at < end:
        code = read_character(bytes + at, end - at, &step)
        if code == BAD_CHARACTER:
            flags[0] |= FLAG_CLEANED
            code = REPLACEMENT
        need = utf8_put(code, character)
        if written + need > out_max:
            flags[0] |= FLAG_CUT
            break
        for code in range(need):
            out[written + code] = character[code]
        written += need
        at += step
    return written


fill()
