# JSON, written straight into a buffer of C: strings, numbers and times, without a Python object.
#
# Every function takes the place where to write and returns the place behind what it wrote. The caller has made room:
#
#   string of n bytes   at most 6 n + 2        (a control character becomes \u00XX)
#   number              at most 20
#   time                29                     "2026-01-01T00:00:00.000000Z", with its quotes
#
# Strings are UTF-8 (RFC 3629): shortest form, no surrogates, at most U+10FFFF. A byte that belongs to no such sequence
# becomes U+FFFD, so that whatever comes in, what goes out is JSON (RFC 8259).

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, strlen

from codec.civil cimport Civil, civil_from_nanoseconds

cdef enum:
    JSON_BYTES_PER_BYTE = 6      # the most that one byte of a string takes
    JSON_TIME_BYTES = 29


cdef inline uint8_t* json_literal(uint8_t* out, const char* text) noexcept nogil:
    """Copy a constant of ours, as it stands."""
    cdef size_t size = strlen(text)
    memcpy(out, text, size)
    return out + size

cdef inline uint32_t utf8_size(const uint8_t* text, uint32_t size) noexcept nogil:
    """Bytes of the valid sequence that begins at `text`, 1..4; 0 when none does. `size` is at least 1."""
    cdef uint8_t head = text[0], low = 0x80, high = 0xBF
    cdef uint32_t count, i
    if head < 0x80:
        return 1
    if head < 0xC2 or head > 0xF4:
        return 0
    count = 2 if head < 0xE0 else 3 if head < 0xF0 else 4
    if count > size:
        return 0
    if head == 0xE0:
        low = 0xA0               # else the form is longer than it need be
    elif head == 0xED:
        high = 0x9F              # else a surrogate
    elif head == 0xF0:
        low = 0x90
    elif head == 0xF4:
        high = 0x8F
    if text[1] < low or text[1] > high:
        return 0
    for i in range(2, count):
        if text[i] & 0xC0 != 0x80:
            return 0
    return count

cdef inline uint8_t* json_control(uint8_t* out, uint8_t byte) noexcept nogil:
    """Write one byte that may not stand in a string as it is: quote, backslash, or below 0x20."""
    cdef uint8_t high = byte >> 4, low = byte & 15
    out[0] = c'\\'
    if byte == c'"' or byte == c'\\':
        out[1] = byte
        return out + 2
    memcpy(out + 1, b"u00", 3)
    out[4] = c'0' + high
    out[5] = c'0' + low if low < 10 else c'a' + low - 10
    return out + 6

cdef inline uint8_t* json_escaped(uint8_t* out, const uint8_t* text, uint32_t size) noexcept nogil:
    """Write the inside of a string, without its quotes."""
    cdef uint32_t at = 0, count
    cdef uint8_t byte
    while at < size:
        byte = text[at]
        if 0x20 <= byte < 0x80 and byte != c'"' and byte != c'\\':   # fast path: ASCII as it is
            out[0] = byte
            out += 1
            at += 1
        elif byte < 0x80:
            out = json_control(out, byte)
            at += 1
        else:
            count = utf8_size(text + at, size - at)
            if count == 0:
                memcpy(out, b"\xef\xbf\xbd", 3)
                out += 3
                at += 1
            else:
                memcpy(out, text + at, count)
                out += count
                at += count
    return out

cdef inline uint8_t* json_string(uint8_t* out, const uint8_t* text, uint32_t size) noexcept nogil:
    """Write a string with its quotes."""
    out[0] = c'"'
    out = json_escaped(out + 1, text, size)
    out[0] = c'"'
    return out + 1

cdef inline uint8_t* json_digits(uint8_t* out, uint64_t value, int width) noexcept nogil:
    """Write a number with leading zeros, exactly `width` digits; higher ones are lost."""
    cdef int i
    for i in range(width - 1, -1, -1):
        out[i] = <uint8_t>(c'0' + value % 10)
        value //= 10
    return out + width

cdef inline uint8_t* json_number(uint8_t* out, uint64_t value) noexcept nogil:
    """Write a number, as many digits as it has."""
    cdef uint64_t rest = value
    cdef int width = 1
    while rest >= 10:
        rest //= 10
        width += 1
    return json_digits(out, value, width)

cdef inline uint8_t* json_time(uint8_t* out, int64_t ns) noexcept nogil:
    """Write `ns` since 1970 as RFC 3339 in UTC, in quotes, cut to microseconds (what PostgreSQL keeps)."""
    cdef Civil c = civil_from_nanoseconds(ns)
    out[0] = c'"'
    out = json_digits(out + 1, c.year, 4)        # 1677..2262 is all that 64 bits of ns hold
    out[0] = c'-'
    out = json_digits(out + 1, c.month, 2)
    out[0] = c'-'
    out = json_digits(out + 1, c.day, 2)
    out[0] = c'T'
    out = json_digits(out + 1, c.hour, 2)
    out[0] = c':'
    out = json_digits(out + 1, c.minute, 2)
    out[0] = c':'
    out = json_digits(out + 1, c.second, 2)
    out[0] = c'.'
    out = json_digits(out + 1, c.nanosecond // 1000, 6)
    out[0] = c'Z'
    out[1] = c'"'
    return out + 2
