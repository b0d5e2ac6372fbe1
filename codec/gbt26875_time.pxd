# The time tag of GB/T 26875.3: second, minute, hour, day, month, year - 2000, a byte each, without a zone.
# The standard writes plain binary; some devices write BCD (0x59 for 59). Device clocks show China's time, UTC+8.

from libc.stdint cimport int64_t, uint8_t

from codec.batch cimport TIME_NONE
from codec.civil cimport Civil, civil_from_nanoseconds, days_in_month, nanoseconds_from_civil

cdef enum:
    TAG_BYTES = 6
    ZONE_S = 28800               # UTC+8, no summer time since 1991

cdef inline int64_t tag_time(int second, int minute, int hour, int day, int month, int year) noexcept nogil:
    """ns since 1970 UTC, or TIME_NONE when the numbers are no time of 2000..2099."""
    if second > 59 or minute > 59 or hour > 23 or month < 1 or month > 12 or year > 99:
        return TIME_NONE
    if day < 1 or day > days_in_month(2000 + year, month):
        return TIME_NONE
    return nanoseconds_from_civil(2000 + year, month, day, hour, minute, second) - <int64_t>ZONE_S * 1000000000

cdef inline int64_t tag_binary(const uint8_t* tag) noexcept nogil:
    return tag_time(tag[0], tag[1], tag[2], tag[3], tag[4], tag[5])

cdef inline int from_bcd(uint8_t c) noexcept nogil:
    """Two decimal digits, or 255, which no field of a time may be."""
    return (c >> 4) * 10 + (c & 15) if (c >> 4) <= 9 and (c & 15) <= 9 else 255

cdef inline int64_t tag_bcd(const uint8_t* tag) noexcept nogil:
    return tag_time(from_bcd(tag[0]), from_bcd(tag[1]), from_bcd(tag[2]), from_bcd(tag[3]), from_bcd(tag[4]),
                    from_bcd(tag[5]))

cdef inline void tag_put(uint8_t* out, int64_t ns) noexcept nogil:
    """Write `ns` since 1970 UTC as a tag of 6 bytes, plain binary; times outside 2000..2099 become all zeros."""
    cdef Civil c = civil_from_nanoseconds(ns + <int64_t>ZONE_S * 1000000000)
    cdef bint told = 2000 <= c.year <= 2099
    out[0] = c.second if told else 0
    out[1] = c.minute if told else 0
    out[2] = c.hour if told else 0
    out[3] = c.day if told else 0
    out[4] = c.month if told else 0
    out[5] = c.year - 2000 if told else 0
