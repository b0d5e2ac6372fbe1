# The fields of a change: texts in the native column of its row, a tab between two.

from libc.stdint cimport int64_t, uint8_t, uint32_t

from codec.batch cimport Columns

cdef struct Fields:                  # the texts of a change, a tab between two
    const uint8_t* at
    const uint8_t* end
    bint           more

cdef inline Fields fields_of(const Columns* c, uint32_t row) noexcept nogil:
    cdef Fields fields
    fields.at = c.arena + c.native[row].at
    fields.end = fields.at + c.native[row].size
    fields.more = c.native[row].size != 0
    return fields

cdef inline uint32_t field_next(Fields* fields, const uint8_t** start) noexcept nogil:
    """Give the next field; beyond the last one, empty ones."""
    cdef uint32_t size
    start[0] = fields.at
    while fields.at < fields.end and fields.at[0] != c'\t':
        fields.at += 1
    size = <uint32_t>(fields.at - start[0])
    fields.more = fields.at < fields.end
    fields.at += fields.more
    return size

cdef inline int64_t field_number(Fields* fields) noexcept nogil:
    """Read the next field as a whole number, 0 or more; -1 when it is none."""
    cdef const uint8_t* start
    cdef uint32_t size = field_next(fields, &start), i
    cdef int64_t number = 0
    if size == 0 or size > 18:
        return -1
    for i in range(size):
        if not c'0' <= start[i] <= c'9':
            return -1
        number = number * 10 + start[i] - c'0'
    return number
