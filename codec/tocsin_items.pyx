"""Reading MessagePack values one after the other; see tocsin_items.pxd.

Rejected: the msgpack package, which makes a Python object of every value; a recursive reader, whose depth the sender
would choose. What is passed over is counted instead: so many values are still to come.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    PENDING_MAX = 4096           # values inside of one that is passed over; more cannot stand in a frame


cdef inline bint read_size(const uint8_t* bytes, uint32_t* at, uint32_t end, uint32_t width,
                           uint64_t* value) noexcept nogil:
    """Read a big-endian number of `width` bytes. Return False when they are not there."""
    cdef uint32_t i
    if end - at[0] < width:
        return False
    value[0] = 0
    for i in range(width):
        value[0] = value[0] << 8 | bytes[at[0] + i]
    at[0] += width
    return True


cdef bint next_array(const uint8_t* bytes, uint32_t* at, uint32_t end, uint32_t* elements) noexcept nogil:
    """Read the head of an array and move on behind it. Return False, at the same place, when none stands there."""
    cdef uint32_t place = at[0]
    cdef uint64_t count
    cdef uint8_t head
    if place >= end:
        return False
    head = bytes[place]
    place += 1
    if head & 0xF0 == 0x90:
        count = head & 0x0F
    elif head == 0xDC or head == 0xDD:
        if not read_size(bytes, &place, end, 2 if head == 0xDC else 4, &count):
            return False
    else:
        return False
    elements[0] = <uint32_t>min(count, <uint64_t>PENDING_MAX)
    at[0] = place
    return True


cdef bint head_of(const uint8_t* bytes, uint32_t* at, uint32_t end, Value* value, uint64_t* inside,
                  uint64_t* skipped) noexcept nogil:
    """Read one head: fill the value as far as it says, and tell how many values follow inside and bytes are its own.

    Returns  False when the bytes end too early, or for C1, which is no head
    """
    cdef uint8_t head = bytes[at[0]]
    at[0] += 1
    inside[0] = skipped[0] = 0
    value.kind = VALUE_OTHER
    if head < 0x80:
        value.kind = VALUE_NUMBER
        value.number = head
        return True
    if head < 0x90:
        inside[0] = 2 * <uint64_t>(head & 0x0F)
        return True
    if head < 0xA0:
        inside[0] = head & 0x0F
        return True
    if head < 0xC0:
        value.kind = VALUE_TEXT
        skipped[0] = head & 0x1F
        return True
    if head >= 0xE0 or head == 0xC2 or head == 0xC3:         # negative number, boolean
        return True
    if head == 0xC0:
        value.kind = VALUE_NIL
        return True
    if head == 0xC1:
        return False
    return long_head(head, bytes, at, end, value, inside, skipped)


cdef bint long_head(uint8_t head, const uint8_t* bytes, uint32_t* at, uint32_t end, Value* value, uint64_t* inside,
                    uint64_t* skipped) noexcept nogil:
    """As head_of, for the heads that a length or a number follows: C4..DF."""
    if head <= 0xC6:                                         # bytes
        return read_size(bytes, at, end, 1 << (head - 0xC4), skipped)
    if head <= 0xC9:                                         # extension: a length, then its type
        if not read_size(bytes, at, end, 1 << (head - 0xC7), skipped):
            return False
        skipped[0] += 1
        return True
    if head <= 0xCB:                                         # fractions
        skipped[0] = 4 if head == 0xCA else 8
        return True
    if head <= 0xCF:
        value.kind = VALUE_NUMBER
        return read_size(bytes, at, end, 1 << (head - 0xCC), &value.number)
    if head <= 0xD3:                                         # signed: a number unless its first bit is set
        if at[0] < end and bytes[at[0]] < 0x80:
            value.kind = VALUE_NUMBER
        return read_size(bytes, at, end, 1 << (head - 0xD0), &value.number)
    if head <= 0xD8:                                         # extension of 1, 2, 4, 8 or 16 bytes, and its type
        skipped[0] = 1 + (<uint64_t>1 << (head - 0xD4))
        return True
    if head <= 0xDB:
        value.kind = VALUE_TEXT
        return read_size(bytes, at, end, 1 << (head - 0xD9), skipped)
    if head <= 0xDD:
        return read_size(bytes, at, end, 2 if head == 0xDC else 4, inside)
    if not read_size(bytes, at, end, 2 if head == 0xDE else 4, inside):
        return False
    inside[0] *= 2
    return True


cdef bint next_value(const uint8_t* bytes, uint32_t* at, uint32_t end, Value* value) noexcept nogil:
    """Read the value at `at` and move on behind it and all that is inside it.

    Returns  False when no whole value stands there
    Cost     one look at each of its bytes at most
    """
    cdef uint64_t pending = 1, inside, skipped
    cdef Value inner
    cdef bint first = True
    while pending:
        if at[0] >= end:
            return False
        if not head_of(bytes, at, end, value if first else &inner, &inside, &skipped):
            return False
        if skipped > end - at[0]:
            return False
        if first:
            value.at = at[0]
            value.size = <uint32_t>skipped
            first = False
        at[0] += <uint32_t>skipped
        pending += inside
        pending -= 1
        if pending > PENDING_MAX:
            return False
    return True
