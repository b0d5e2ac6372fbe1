# The key of a path: who, and by which way; and its numbers as text, with the leading zeros that the frame gave them.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy
from codec.frame cimport NUMBER_NONE, Frame, number_digits, number_pack, number_value
from codec.limits cimport ACCOUNT_BYTES_MAX

cdef struct PathKey:         # 32 bytes, compared as a whole; unused bytes are zero
    uint8_t  account[ACCOUNT_BYTES_MAX]
    uint32_t receiver
    uint32_t line
    uint32_t network
    uint16_t listener        # index into PathTable.listeners
    uint8_t  protocol
    uint8_t  account_size


cdef enum:
    LISTENER_TEXT_BYTES_MAX = 64

cdef struct ListenerText:
    char     name[LISTENER_TEXT_BYTES_MAX]
    char     realm[LISTENER_TEXT_BYTES_MAX]
    uint32_t realm_size

cdef struct PathText:            # where the parts of a path's text lie in it
    uint32_t size
    uint32_t account_at
    uint32_t realm_at
    uint32_t realm_size
    uint32_t rest_at             # listener and numbers: `default/R1/L0`


cdef inline void path_key_of(const Frame* frame, uint16_t listener, PathKey* key) noexcept nogil:
    memcpy(key.account, frame.account, ACCOUNT_BYTES_MAX)
    key.receiver = frame.receiver
    key.line = frame.line
    key.network = frame.network
    key.listener = listener
    key.protocol = frame.protocol
    key.account_size = frame.account_size

cdef inline int write_number(char* out, const char* letter, uint32_t number) noexcept nogil:
    """Write `/L0` for a line number that is there; return the bytes written."""
    if number == NUMBER_NONE:
        return 0
    return snprintf(out, 12, b"/%s%0*X", letter, <int>number_digits(number), number_value(number))

cdef inline str number_text(uint32_t number):
    """Show a receiver, line or network number as the frame gave it, with its leading zeros; None when it did not."""
    return f"{number_value(number):0{number_digits(number)}X}" if number != NUMBER_NONE else None

cdef inline uint32_t number_of(text) except? 0:
    return number_pack(int(text, 16), len(text)) if text is not None else NUMBER_NONE
