# Bytes of a frame as characters: hex and decimal digits, accounts, and text that is to become valid UTF-8.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from codec.batch cimport TIME_NONE
from codec.civil cimport days_in_month, nanoseconds_from_civil

cdef extern from *:
    """
    #include <stdint.h>

    /* Value + 1 of each hex digit of either case; 0: no hex digit. */
    static const uint8_t HEX[256] __attribute__((unused)) = {
        ['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8, ['8'] = 9, ['9'] = 10,
        ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
        ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    };

    /* The characters of Windows-1252 from 0x80 to 0x9F; 0xFFFD where it has none. */
    static const uint16_t WINDOWS_1252[32] __attribute__((unused)) = {
        0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
        0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD,
        0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
        0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178,
    };
    """
    const uint8_t HEX[256]
    const uint16_t WINDOWS_1252[32]


cdef inline bint is_digit(uint8_t c) noexcept nogil:
    return c - 0x30 <= 9 and c >= 0x30

cdef inline bint is_upper(uint8_t c) noexcept nogil:
    return c >= 0x41 and c <= 0x5A

cdef inline bint is_lower(uint8_t c) noexcept nogil:
    return c >= 0x61 and c <= 0x7A

cdef inline bint is_alphanumeric(uint8_t c) noexcept nogil:
    return is_digit(c) or is_upper(c) or is_lower(c)

cdef inline uint8_t upper(uint8_t c) noexcept nogil:
    return c - 0x20 if is_lower(c) else c

cdef inline uint32_t put_decimal(uint8_t* out, uint64_t number) noexcept nogil:
    """Write a number in decimal digits and return how many, 1..20."""
    cdef uint8_t digits[20]
    cdef uint32_t count = 0, i
    while True:
        digits[count] = 0x30 + <uint8_t>(number % 10)
        count += 1
        number //= 10
        if number == 0:
            break
    for i in range(count):
        out[i] = digits[count - 1 - i]
    return count

cdef inline uint32_t utf8_put(uint32_t character, uint8_t* out) noexcept nogil:
    """Write a character and return its bytes, 1..4."""
    if character < 0x80:
        out[0] = <uint8_t>character
        return 1
    if character < 0x800:
        out[0] = <uint8_t>(0xC0 | character >> 6)
        out[1] = <uint8_t>(0x80 | character & 0x3F)
        return 2
    if character < 0x10000:
        out[0] = <uint8_t>(0xE0 | character >> 12)
        out[1] = <uint8_t>(0x80 | character >> 6 & 0x3F)
        out[2] = <uint8_t>(0x80 | character & 0x3F)
        return 3
    out[0] = <uint8_t>(0xF0 | character >> 18)
    out[1] = <uint8_t>(0x80 | character >> 12 & 0x3F)
    out[2] = <uint8_t>(0x80 | character >> 6 & 0x3F)
    out[3] = <uint8_t>(0x80 | character & 0x3F)
    return 4

cdef inline bint is_account(uint8_t c) noexcept nogil:
    """A letter or a digit, or one of `- . _ + *`: nothing that parts a path's key, a list or a line."""
    return is_alphanumeric(c) or c == 0x2D or c == 0x2E or c == 0x5F or c == 0x2B or c == 0x2A

cdef inline int two_digits(const uint8_t* at) noexcept nogil:
    """The value of two decimal digits; beyond 10000 when they are none."""
    if not is_digit(at[0]) or not is_digit(at[1]):
        return 100000
    return (at[0] - 0x30) * 10 + at[1] - 0x30

cdef inline int64_t stamp_of(const uint8_t* at) noexcept nogil:
    """Read the 19 bytes HH:MM:SS,MM-DD-YYYY as ns since 1970 UTC; TIME_NONE unless they are a time of 1970..2261."""
    cdef int hour = two_digits(at), minute = two_digits(at + 3), second = two_digits(at + 6)
    cdef int month = two_digits(at + 9), day = two_digits(at + 12)
    cdef int year = two_digits(at + 15) * 100 + two_digits(at + 17)
    if at[2] != 0x3A or at[5] != 0x3A or at[8] != 0x2C or at[11] != 0x2D or at[14] != 0x2D:
        return TIME_NONE
    if hour > 23 or minute > 59 or second > 59 or month < 1 or month > 12 or year < 1970 or year > 2261:
        return TIME_NONE
    if day < 1 or day > days_in_month(year, month):
        return TIME_NONE
    return nanoseconds_from_civil(year, month, day, hour, minute, second)

cdef bint is_utf8(const uint8_t* bytes, uint32_t size) noexcept nogil
cdef uint32_t clean_character(const uint8_t* bytes, uint32_t size, bint utf8, uint8_t* out,
                              uint32_t* written) noexcept nogil
cdef bint whole_text(const uint8_t* bytes, uint32_t size, uint32_t size_max, uint32_t* kept) noexcept nogil
cdef uint32_t clean_text(const uint8_t* bytes, uint32_t size, uint8_t* out, uint32_t out_max, bint* cut) noexcept nogil
