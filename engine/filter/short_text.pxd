# Texts of a few bytes, compared and copied without a call: by words that overlap, where there are as many bytes.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef inline bint same_text(const uint8_t* one, const uint8_t* other, uint32_t size) noexcept nogil:
    cdef uint64_t a, b
    cdef uint32_t c, d, at = 0
    if size >= 8:
        while at + 8 <= size:
            memcpy(&a, one + at, 8)
            memcpy(&b, other + at, 8)
            if a != b:
                return False
            at += 8
        memcpy(&a, one + size - 8, 8)
        memcpy(&b, other + size - 8, 8)
        return a == b
    if size >= 4:
        memcpy(&c, one, 4)
        memcpy(&d, other, 4)
        if c != d:
            return False
        memcpy(&c, one + size - 4, 4)
        memcpy(&d, other + size - 4, 4)
        return c == d
    while at < size:
        if one[at] != other[at]:
            return False
        at += 1
    return True

cdef inline void copy_text(uint8_t* target, const uint8_t* source, uint32_t size) noexcept nogil:
    cdef uint64_t a, b
    cdef uint32_t c, d, at = 0
    if size >= 8:
        while at + 8 <= size:
            memcpy(&a, source + at, 8)
            memcpy(target + at, &a, 8)
            at += 8
        memcpy(&b, source + size - 8, 8)
        memcpy(target + size - 8, &b, 8)
    elif size >= 4:
        memcpy(&c, source, 4)
        memcpy(&d, source + size - 4, 4)
        memcpy(target, &c, 4)
        memcpy(target + size - 4, &d, 4)
    else:
        while at < size:
            target[at] = source[at]
            at += 1
