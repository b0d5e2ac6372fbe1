# Numbers as digits and back.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef inline void put_hex(uint8_t* out, uint64_t value, uint32_t digits) noexcept nogil:
    """Write the lowest `digits` hex digits of a number, upper case."""
    cdef uint8_t digit
    while digits:
        digits -= 1
        digit = value & 15
        out[digits] = digit + (48 if digit < 10 else 55)
        value >>= 4

cdef inline void put_decimal(uint8_t* out, uint32_t value, uint32_t digits) noexcept nogil:
    """Write the lowest `digits` decimal digits of a number."""
    while digits:
        digits -= 1
        out[digits] = 48 + value % 10
        value //= 10

cdef inline int hex_value(uint8_t digit) noexcept nogil:
    """Return what a hex digit of either case stands for, -1 when it is none."""
    if 48 <= digit <= 57:
        return digit - 48
    digit |= 32
    return digit - 87 if 97 <= digit <= 102 else -1

cdef inline int64_t hex_number(const uint8_t* at, uint32_t digits) noexcept nogil:
    """Return at most 15 hex digits as a number, -1 when one of them is none."""
    cdef int64_t number = 0
    cdef uint32_t i
    cdef int value
    for i in range(digits):
        value = hex_value(at[i])
        if value < 0:
            return -1
        number = number << 4 | value
    return number
