# A batch: rows as a struct of arrays, with an arena for everything that has no fixed size.
#
#   row i           = slot i of every array below
#   text            = a span of the arena; spans may overlap (account and native lie inside raw)
#   owned batch     = allocated once, filled by decoders, emptied by clear(), never resized
#   view            = read-only columns over the bytes that encode() made, in a journal segment or in memory
#
# Encoded form, little endian, every part padded to 8 bytes so that a view needs no copy:
#   0  u32 version   4  u32 count   8  u32 arena bytes   12  u32 columns left out, bit i for the i-th of the struct
#   16 the columns in the order of the struct, `count` slots each; then the arena
# Left out is a column that holds in each row what it usually holds: TIME_NONE, NO_PATH, or zeros; a view's column then
# lies in memory that all views share and nobody can write. Rows of the registry leave out half of their bytes so.
# Version 3, which is read and no longer written, leaves out none.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    BATCH_VERSION = 4
    BATCH_VERSION_WHOLE = 3          # the one before
    BATCH_HEADER_BYTES = 16
    BATCH_COLUMNS = 18

cdef enum:
    NO_PATH = 0xFFFFFFFF             # a row of an account that is not enrolled

cdef extern from *:
    """
    #define TIME_NONE INT64_MIN      /* no time given */
    """
    const int64_t TIME_NONE

cdef struct Text:                    # a span of the arena
    uint32_t at
    uint32_t size

cdef struct Columns:
    uint32_t  count                  # rows in use
    uint32_t  rows_max               # slots of every array
    uint32_t  arena_used             # bytes
    uint32_t  arena_max
    int64_t*  received_ns            # wall clock, ns since 1970, when the frame's last byte arrived
    int64_t*  occurred_ns            # as the transmitter says, or TIME_NONE
    uint32_t* path                   # index into the path table, or NO_PATH
    uint32_t* sequence               # the frame's own number, as sent
    uint32_t* level                  # the status word behind the row (gbt26875_levels.pxd), or 0
    Text*     account                # upper case, as in the transmitter's key
    Text*     realm                  # empty where the listener names none
    Text*     point                  # system, zone, detector, as the transmitter gives it, joined by '/'
    Text*     native                 # the transmitter's own code and text; UTF-8 without NUL
    Text*     details                # what else the frame says: a JSON object, or empty; rows of a frame share it
    Text*     identity               # token, sequence, account and data: what makes two frames the same
    Text*     raw                    # the whole frame as received; rows of one frame share it
    uint16_t* condition              # Condition
    uint16_t* flags                  # Flag, ored
    uint8_t*  kind                   # RowKind
    uint8_t*  protocol               # Protocol
    uint8_t*  signal_class           # SignalClass
    uint8_t*  state                  # State
    uint8_t*  arena

cdef struct Row:                     # one row on its way into a batch; spans already in the arena
    int64_t  received_ns
    int64_t  occurred_ns
    uint32_t path
    uint32_t sequence
    uint32_t level
    Text     account
    Text     realm
    Text     point
    Text     native
    Text     details
    Text     identity
    Text     raw
    uint16_t condition
    uint16_t flags
    uint8_t  kind
    uint8_t  protocol
    uint8_t  signal_class
    uint8_t  state


cdef inline bint batch_has_room(const Columns* c, uint32_t rows, uint32_t arena_bytes) noexcept nogil:
    return c.count + rows <= c.rows_max and arena_bytes <= c.arena_max - c.arena_used

cdef inline Text batch_text(Columns* c, const uint8_t* bytes, uint32_t size) noexcept nogil:
    """Copy `size` bytes into the arena; the caller has asked batch_has_room."""
    cdef Text text
    text.at = c.arena_used if size else 0        # so that a column of empty texts is left out
    text.size = size
    memcpy(c.arena + c.arena_used, bytes, size)
    c.arena_used += size
    return text

cdef inline void batch_push(Columns* c, const Row* row) noexcept nogil:
    """Add one row; the caller has asked batch_has_room."""
    cdef uint32_t i = c.count
    c.received_ns[i] = row.received_ns
    c.occurred_ns[i] = row.occurred_ns
    c.path[i] = row.path
    c.sequence[i] = row.sequence
    c.level[i] = row.level
    c.account[i] = row.account
    c.realm[i] = row.realm
    c.point[i] = row.point
    c.native[i] = row.native
    c.details[i] = row.details
    c.identity[i] = row.identity
    c.raw[i] = row.raw
    c.condition[i] = row.condition
    c.flags[i] = row.flags
    c.kind[i] = row.kind
    c.protocol[i] = row.protocol
    c.signal_class[i] = row.signal_class
    c.state[i] = row.state
    c.count = i + 1

cdef Row batch_row(const Columns* c, uint32_t index) noexcept nogil
cdef void batch_move(Columns* c, uint32_t source, uint32_t target) noexcept nogil
cdef size_t columns_layout(Columns* c, uint8_t* memory, uint32_t rows, uint32_t left_out=*) noexcept nogil
cdef bint header_is_sound(const uint32_t* header) noexcept nogil

cdef class Batch:
    cdef Columns columns             # borrowed by decoders for the length of a call
    cdef uint8_t* memory             # owned; NULL in a view
    cdef object encoded              # the bytes under a view; None in an owned batch

    cdef str text(self, Text span)
    cdef Text keep(self, bytes text)
