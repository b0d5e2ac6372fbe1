# The numbers of a path's key as text: receiver, line and network, with the leading zeros that the frame gave them.

from libc.stdint cimport uint32_t
from libc.stdio cimport snprintf
from codec.frame cimport NUMBER_NONE, number_digits, number_pack, number_value

cdef inline int write_number(char* out, const char* letter, uint32_t number) noexcept nogil:
    """Write `/L0` for a line number that is there; return the bytes written."""
    if number == NUMBER_NONE:
        return 0
    return snprintf(out, 12, b"/%s%0*X", letter, <int>number_digits(number), number_value(number))

cdef inline str number_text(uint32_t number):
    """Show a receiver, line or network number as the frame gave it, with its leading zeros; None when it did not."""
    return f"{number_value(number):0{number_digits(number)}X}" if number != NUMBER_NONE else None

cdef inline uint32_t number_of(str text) except? 0:
    return number_pack(int(text, 16), len(text))
