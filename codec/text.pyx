"""Text from the wire: checked as UTF-8, else taken for Windows-1252, so that what is stored is always text."""
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

cdef enum:
    REPLACEMENT = 0xFFFD         # stands for NUL, and for the bytes that Windows-1252 does not have


cdef uint32_t utf8_character(const uint8_t* at, uint32_t size) noexcept nogil:
    """How many bytes the well-formed UTF-8 character at `at` has, 1..4 (RFC 3629, section 4); 0 when it is none."""
    cdef uint8_t c = at[0]
    cdef uint32_t need, i
    if c < 0x80:
        return 1
    need = 2 if 0xC2 <= c <= 0xDF else 3 if 0xE0 <= c <= 0xEF else 4 if 0xF0 <= c <= 0xF4 else 0
    if need == 0 or need > size:
        return 0
    if (c == 0xE0 and at[1] < 0xA0) or (c == 0xED and at[1] > 0x9F) or (c == 0xF0 and at[1] < 0x90) \
            or (c == 0xF4 and at[1] > 0x8F):
        return 0
    for i in range(1, need):
        if at[i] & 0xC0 != 0x80:
            return 0
    return need


cdef bint whole_text(const uint8_t* bytes, uint32_t size, uint32_t size_max, uint32_t* kept) noexcept nogil:
    """Whether all `size` bytes are UTF-8 without NUL; `kept` is what of them fits `size_max`, whole characters."""
    cdef uint32_t at = 0, step
    kept[0] = 0
    while at < size:
        step = utf8_character(bytes + at, size - at)
        if step == 0 or bytes[at] == 0:
            return False
        at += step
        if at <= size_max:
            kept[0] = at
    return True


cdef bint is_utf8(const uint8_t* bytes, uint32_t size) noexcept nogil:
    """Whether all bytes are UTF-8; NUL is."""
    cdef uint32_t at = 0, step
    while at < size:
        step = utf8_character(bytes + at, size - at)
        if step == 0:
            return False
        at += step
    return True


cdef uint32_t clean_character(const uint8_t* bytes, uint32_t size, bint utf8, uint8_t* out,
                              uint32_t* written) noexcept nogil:
    """Write the first character of a text as UTF-8 and return how many bytes it took.

    utf8      whether the whole text is UTF-8; else its bytes are read as Windows-1252
    out       filled; at most 4 bytes, `written` of them
    """
    if bytes[0] == 0:
        written[0] = utf8_put(REPLACEMENT, out)
    elif utf8:
        written[0] = utf8_character(bytes, size)
        memcpy(out, bytes, written[0])
        return written[0]
    elif 0x80 <= bytes[0] < 0xA0:
        written[0] = utf8_put(WINDOWS_1252[bytes[0] - 0x80], out)
    else:
        written[0] = utf8_put(bytes[0], out)
    return 1


cdef uint32_t clean_text(const uint8_t* bytes, uint32_t size, uint8_t* out, uint32_t out_max, bint* cut) noexcept nogil:
    """Write the bytes as UTF-8 without NUL: as they are when they are UTF-8, else read as Windows-1252.

    out      filled; at most `out_max` bytes, whole characters
    cut      set when not all of them fitted
    Returns  bytes written
    """
    cdef uint8_t character[4]
    cdef uint32_t at = 0, written = 0, need
    cdef bint utf8 = is_utf8(bytes, size)
    cut[0] = False
    while at < size:
        at += clean_character(bytes + at, size - at, utf8, character, &need)
        if written + need > out_max:
            cut[0] = True
            break
        memcpy(out + written, character, need)
        written += need
    return written
