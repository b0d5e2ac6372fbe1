# The fault that operators see once of a transmitter: it says something that nobody here can read.

from libc.stdint cimport uint8_t, uint32_t
from codec.batch cimport Columns, Row, Text, batch_has_room, batch_push, batch_row, batch_text
from codec.frame cimport Frame
from codec.words cimport CLASS_FAULT, CONDITION_COMMUNICATION_FAULT, STATE_RAISED

cdef extern from *:
    """
    #define UNREADABLE "a token that is not read: "
    #define UNREADABLE_SIZE (sizeof(UNREADABLE) - 1)
    """
    const char* UNREADABLE
    const uint32_t UNREADABLE_SIZE

cdef inline void put_token(Columns* c, const Frame* frame) noexcept nogil:
    """Copy the token's text behind what was written last; what is not printable ASCII becomes a question mark."""
    cdef Text text = batch_text(c, frame.start + frame.token_text.at, frame.token_text.size)
    cdef uint32_t i
    for i in range(text.at, text.at + text.size):
        if not 0x20 <= c.arena[i] < 0x7F:
            c.arena[i] = 0x3F

cdef inline bint tell_unreadable(Columns* c, const Frame* frame) noexcept nogil:
    """Add the fault behind the frame's own rows. Returns whether there was room; else it is left to the next frame."""
    cdef Row row
    if not batch_has_room(c, 1, UNREADABLE_SIZE + frame.token_text.size):
        return False
    row = batch_row(c, c.count - 1)
    row.signal_class = CLASS_FAULT
    row.condition = CONDITION_COMMUNICATION_FAULT
    row.state = STATE_RAISED
    row.flags = 0
    row.identity.size = row.point.size = 0
    row.native = batch_text(c, <const uint8_t*>UNREADABLE, UNREADABLE_SIZE)
    put_token(c, frame)
    row.native.size += frame.token_text.size
    batch_push(c, &row)
    return True
