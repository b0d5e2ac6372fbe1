# Calendar arithmetic on the proleptic Gregorian calendar, without tables, time zones or the C library.
# Days are counted in eras of 400 years that begin on 1 March, so that the leap day is the last of its year.

from libc.stdint cimport int32_t, int64_t, uint32_t

cdef struct Civil:
    int32_t year
    int32_t month      # 1..12
    int32_t day        # 1..31
    int32_t hour
    int32_t minute
    int32_t second
    int32_t nanosecond

cdef inline int64_t days_from_civil(int64_t year, uint32_t month, uint32_t day) noexcept nogil:
    """Days from 1970-01-01 to a date; month 1..12, day 1..31."""
    cdef int64_t y = year - (1 if month <= 2 else 0)
    cdef int64_t era = (y if y >= 0 else y - 399) // 400
    cdef int64_t year_of_era = y - era * 400
    cdef int64_t day_of_year = (153 * <int64_t>(month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468

cdef inline int days_in_month(int64_t year, uint32_t month) noexcept nogil:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31

cdef inline int64_t nanoseconds_from_civil(int64_t year, uint32_t month, uint32_t day, uint32_t hour,
                                           uint32_t minute, uint32_t second) noexcept nogil:
    """ns since 1970 UTC of a date and time whose fields the caller has checked."""
    return ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 * 1000000000 \
        + <int64_t>second * 1000000000

cdef inline Civil civil_from_nanoseconds(int64_t ns) noexcept nogil:
    """The date and time, UTC, of `ns` since 1970."""
    cdef Civil c
    cdef int64_t second = ns // 1000000000
    if second * 1000000000 > ns:
        second -= 1
    c.nanosecond = <int32_t>(ns - second * 1000000000)
    cdef int64_t days = second // 86400
    if days * 86400 > second:
        days -= 1
    cdef int64_t rest = second - days * 86400
    c.hour = <int32_t>(rest // 3600)
    c.minute = <int32_t>(rest % 3600 // 60)
    c.second = <int32_t>(rest % 60)
    days += 719468
    cdef int64_t era = (days if days >= 0 else days - 146096) // 146097
    cdef int64_t day_of_era = days - era * 146097
    cdef int64_t year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    cdef int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    cdef int64_t shifted = (5 * day_of_year + 2) // 153
    c.day = <int32_t>(day_of_year - (153 * shifted + 2) // 5 + 1)
    c.month = <int32_t>(shifted + 3 if shifted < 10 else shifted - 9)
    c.year = <int32_t>(year_of_era + era * 400 + (1 if c.month <= 2 else 0))
    return c
