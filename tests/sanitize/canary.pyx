"""Faults planted for `make sanitize`, which must catch them. Compiled by BUILD=sanitize alone."""
from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport free, malloc


def over_read(uint8_t size):
    """Return the byte behind `size` bytes of the heap."""
    cdef volatile uint8_t* data = <volatile uint8_t*>malloc(size)
    if data == NULL:
        raise MemoryError()
    for at in range(size):
        data[at] = at
    found = data[size]
    free(<void*>data)
    return found


def overshift(uint8_t places):
    """Return 1 shifted by so many places in 32 bits."""
    cdef int32_t one = 1
    return one << places


def sound(uint8_t size):
    """Do the like without a fault."""
    return <int32_t>size + 1
