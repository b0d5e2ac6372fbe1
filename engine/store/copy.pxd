# PostgreSQL's binary COPY, written field by field into one growing buffer.
#
#   header     "PGCOPY\n\377\r\n\0", int32 flags 0, int32 extension length 0          19 bytes
#   row        int16 number of fields, then each field: int32 length, then the value; length -1 is NULL
#   trailer    int16 -1
# All numbers big endian. timestamptz = int64 microseconds since 2000-01-01 UTC; jsonb = version byte 1, then its text.
# Source: PostgreSQL documentation, "COPY", File Formats, Binary Format.
#
# Whoever writes a row first asks copy_room for its largest size; the put_* helpers do not look again.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from codec.batch cimport Text

cdef extern from *:
    """
    #define PUT_16(at, v) do { uint16_t put_ = __builtin_bswap16((uint16_t)(v)); memcpy((at), &put_, 2); } while (0)
    #define PUT_32(at, v) do { uint32_t put_ = __builtin_bswap32((uint32_t)(v)); memcpy((at), &put_, 4); } while (0)
    #define PUT_64(at, v) do { uint64_t put_ = __builtin_bswap64((uint64_t)(v)); memcpy((at), &put_, 8); } while (0)
    #define COPY_2000_US 946684800000000LL     /* 2000-01-01 in microseconds since 1970 */
    """
    void PUT_16(uint8_t* at, int64_t value) noexcept nogil
    void PUT_32(uint8_t* at, int64_t value) noexcept nogil
    void PUT_64(uint8_t* at, int64_t value) noexcept nogil
    const int64_t COPY_2000_US

cdef enum:
    COPY_HEADER_BYTES = 19
    COPY_TRAILER_BYTES = 2
    COPY_FIELD_BYTES_MAX = 12        # of a field with a number or a time: its length and 8 bytes

cdef struct Buffer:                  # owned by a Copy
    uint8_t* memory
    size_t   used
    size_t   size

cdef struct Span:                    # borrowed bytes; at == NULL is SQL NULL
    const uint8_t* at
    uint32_t       size

cdef struct PathRow:                 # one row of PATH_COLUMNS, in their order
    Span     key                     # transmitter's key and what the frame or listener says, as in an enrolment
    uint32_t number                  # index in the path table
    Span     transmitter             # `dc09:0123@realm`
    Span     protocol
    Span     account
    Span     realm
    Span     listener
    Span     receiver
    Span     line
    Span     network
    Span     state
    int64_t  last_seen_ns            # TIME_NONE = never
    int64_t  supervision_ms          # supervision time; 0 = not supervised, written as NULL
    int64_t  enrolled_ns             # TIME_NONE = not known
    Span     peer                    # last address, for people

cdef struct HeartbeatRow:            # one row of HEARTBEAT_COLUMNS
    Span     path                    # its key
    int64_t  received_ns

cdef struct RollupRow:               # one row of ROLLUP_COLUMNS
    Span     path
    int64_t  quarter_ns              # begin of the quarter hour
    uint32_t frames
    int64_t  longest_silence_ms


cdef inline bint sane(int64_t ns) noexcept nogil:
    """Tell whether a time is one of an honest clock: from 1970, where one that was never set begins, to 2200."""
    return 0 <= ns < 7258118400000000000LL

cdef inline uint8_t* put_16(uint8_t* at, int64_t value) noexcept nogil:
    PUT_32(at, 2); PUT_16(at + 4, value)
    return at + 6

cdef inline uint8_t* put_32(uint8_t* at, int64_t value) noexcept nogil:
    PUT_32(at, 4); PUT_32(at + 4, value)
    return at + 8

cdef inline uint8_t* put_64(uint8_t* at, int64_t value) noexcept nogil:
    PUT_32(at, 8); PUT_64(at + 4, value)
    return at + 12

cdef inline uint8_t* put_null(uint8_t* at) noexcept nogil:
    PUT_32(at, -1)
    return at + 4

cdef inline uint8_t* put_bool(uint8_t* at, bint value) noexcept nogil:
    PUT_32(at, 1)
    at[4] = value
    return at + 5

cdef inline uint8_t* put_time(uint8_t* at, int64_t ns) noexcept nogil:
    """timestamptz; rounds down to microseconds, so that no time is later than it was."""
    cdef int64_t us = ns // 1000
    if us * 1000 > ns:               # C division rounds towards zero
        us -= 1
    return put_64(at, us - COPY_2000_US)

cdef inline uint8_t* put_bytes(uint8_t* at, const uint8_t* bytes, uint32_t size) noexcept nogil:
    """text or bytea."""
    PUT_32(at, size)
    if size:
        memcpy(at + 4, bytes, size)
    return at + 4 + size

cdef inline uint8_t* put_span(uint8_t* at, Span span) noexcept nogil:
    return put_null(at) if span.at == NULL else put_bytes(at, span.at, span.size)

cdef inline uint8_t* put_text(uint8_t* at, const uint8_t* arena, Text text) noexcept nogil:
    return put_bytes(at, arena + text.at, text.size)

cdef inline uint8_t* put_jsonb(uint8_t* at, const uint8_t* json, uint32_t size) noexcept nogil:
    PUT_32(at, <int64_t>size + 1)
    at[4] = 1
    memcpy(at + 5, json, size)
    return at + 5 + size

cdef inline uint8_t* put_some(uint8_t* at, const uint8_t* arena, Text text) noexcept nogil:
    """A text, or NULL where it is empty."""
    return put_text(at, arena, text) if text.size else put_null(at)

cdef bint copy_room(Buffer* buffer, size_t more) noexcept nogil
cdef bint copy_path(Buffer* buffer, const PathRow* row) noexcept nogil
cdef bint copy_heartbeat(Buffer* buffer, const HeartbeatRow* row) noexcept nogil
cdef bint copy_rollup(Buffer* buffer, const RollupRow* row) noexcept nogil


cdef class Copy:                     # rows of one COPY; filled, sent, cleared, filled again
    cdef Buffer buffer               # owned; header first
    cdef Py_ssize_t exports          # memoryviews that are out; the buffer stands still while there are any
    cdef readonly uint64_t rows      # rows in the buffer

    cdef int begin(self) except -1
