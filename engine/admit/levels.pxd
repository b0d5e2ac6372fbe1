# The last status word of each component that is not quiet. A word says how things stand; only this memory can tell
# what is new in it (codec/gbt26875_levels.pxd has the rule).
#
# One entry a component whose word is not 0, found by a keyed hash and compared byte by byte. A word counts from the
# moment it is offered, so that what comes next is compared with it; until its rows are durable the entry remembers
# their ticket, for which the reply to a repeated word waits. When an append fails, every word goes back to the last
# durable one, and a repetition makes the rows again.
#
#   changes   words that are not durable yet, oldest first: set_durable(t) closes those up to t, fail() undoes the rest
#   free      entries that became quiet, for reuse

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from codec.batch cimport Columns
from engine.index cimport Index
from engine.siphash cimport HashKey

cdef enum:
    LEVEL_KEY_BYTES_MAX = 84     # data type, point (21 at most); without a path also account (16) and realm (32)
    LEVEL_UNKNOWN = 0xFFFFFFFF   # no entry: the component is quiet, or the memory is full
    LEVEL_BYTES_MAX = 112        # of one entry

cdef extern from *:
    """
    #define TICKET_UNSEALED UINT64_MAX   /* of a word whose frame is still being read */
    """
    const uint64_t TICKET_UNSEALED

cdef struct Level:
    uint64_t hash
    uint64_t ticket          # what a reply to the same word waits for; TICKET_DURABLE: nothing
    uint32_t path
    uint16_t word            # the last one offered
    uint16_t durable_word    # what an append that fails goes back to
    uint16_t waiting         # changes of it that are not durable
    uint8_t  key_size
    uint8_t  key[LEVEL_KEY_BYTES_MAX]

cdef struct Change:
    uint64_t ticket          # TICKET_UNSEALED until the frame is offered as a whole
    uint32_t entry
    uint16_t word
    uint16_t word_before     # to take a frame back that found no room
    uint64_t ticket_before

cdef class Levels:
    cdef Level* entries              # owned; entries_max of them
    cdef uint32_t* free              # owned; numbers of entries that became quiet
    cdef Change* changes             # owned; a ring of changes_max
    cdef uint32_t entries_max
    cdef uint32_t used               # entries ever used
    cdef uint32_t free_count
    cdef uint32_t changes_max
    cdef uint64_t head               # changes ever made
    cdef uint64_t tail               # the oldest that is not durable
    cdef Index by_key
    cdef HashKey hash_key
    cdef readonly uint64_t unremembered  # words for which there was no room: they will be new each time

    cdef uint32_t key_of(self, const Columns* c, uint32_t row, uint8_t* key) noexcept nogil
    cdef uint32_t find(self, uint64_t hash, uint32_t path, const uint8_t* key, uint32_t size) noexcept nogil
    cdef uint32_t add(self, uint64_t hash, uint32_t path, const uint8_t* key, uint32_t size) noexcept nogil
    cdef void drop_quiet(self, uint32_t entry) noexcept nogil
    cdef int sift(self, Columns* c, uint32_t row, uint64_t* ticket) noexcept nogil
    cdef void seal(self, uint64_t since, uint64_t ticket) noexcept nogil
    cdef void take_back(self, uint64_t since) noexcept nogil
    cdef void set_durable(self, uint64_t ticket) noexcept nogil
    cdef void fail(self) noexcept nogil
    cdef void replay(self, const Columns* c, uint32_t row) noexcept nogil
