# Status words. A word says how things stand, not what happened: the codec, which has no memory, hands it on as one row
# of kind level; whoever remembers the last word of the same component makes signals of it, one for each changed bit:
#
#   key      (path; account and realm too where the path is NO_PATH), level_source(level), point: compared byte by byte
#   before   the last word of that key, or 0, the quiet word, when none is known
#   rows     level_expand(columns, row, before); 0: nothing is new, and the row goes
#   after    remember level & LEVEL_BITS. Every signal that came from a word carries the whole level, so that the last
#            word of a key is that of its last signal in the journal.

from libc.stdint cimport uint8_t, uint32_t
from codec.batch cimport Columns
from codec.codes.lookup cimport Meaning

cdef enum:
    LEVEL_BITS = 0xFFFE          # bits of a word that speak; bit 0 (normal run, or test) neither adds nor suppresses

cdef inline uint32_t level_pack(uint32_t data_type, uint32_t subject, uint32_t word) noexcept nogil:
    """data_type 1, 2 or 21; subject: the system type (1), the component type (2) or 0; word: 16 bits. Never 0."""
    return data_type << 24 | subject << 16 | word

cdef inline uint32_t level_source(uint32_t level) noexcept nogil:
    """The data type: words of different ones are never compared."""
    return level >> 24

cdef inline uint32_t level_changes(uint32_t level, uint32_t before) noexcept nogil:
    """The bits that differ between two words; `before` may be a level or a bare word."""
    return (level ^ before) & LEVEL_BITS

cdef Meaning level_meaning(uint32_t level, uint32_t bit) noexcept nogil
cdef Meaning level_gist(uint32_t level) noexcept nogil
cdef Meaning operation_meaning(uint32_t data_type, uint32_t bit) noexcept nogil
cdef int level_expand(Columns* c, uint32_t index, uint32_t before) noexcept nogil
