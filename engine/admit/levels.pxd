# The last status word of each component that is not quiet. A word says how things stand; only this memory can tell
# what is new in it (codec/gbt26875_levels.pxd has the rule).
#
# One entry a component whose word is not 0, found by a keyed hash and compared byte by byte. A word counts from the
# moment it is offered, so that what comes next is compared with it; until its rows are durable the entry remembers
# their ticket, for which the reply to a repeated word waits. When an append fails, every word goes back to the last
# durable one, and a repetition makes the rows again.
#
# After a panel's reset its components are quiet, and many panels do not say so of each: a detector that fires again
# would only repeat its last word. So a reset makes the last words of its path stale: of the next word each set bit is
# news, whatever the one before said. The entry with the key RESETS counts the resets of a path; every other entry
# knows how many there had been at its word.
#
#   changes   words that are not durable yet, oldest first: set_durable(t) closes those up to t, fail() undoes the rest
#   free      entries that became quiet, for reuse

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from codec.batch cimport Columns
from engine.index cimport Index
from engine.siphash cimport HashKey

cdef enum:
    LEVEL_KEY_BYTES_MAX = 80     # data type, point (21 at most); without a path also account (16) and realm (32)
    LEVEL_UNKNOWN = 0xFFFFFFFF   # no entry: the component is quiet, or the memory is full
    LEVEL_BYTES_MAX = 112        # of one entry
    RESET_BITS = 1048576
    RESETS = 0                   # no data type: the entry that counts a path's resets

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
    uint16_t resets          # of its path, at the word
    uint16_t durable_resets  # at the durable word
    uint8_t  key_size
    uint8_t  key[LEVEL_KEY_BYTES_MAX]

cdef struct Sought:          # a component that was looked for
    uint64_t hash
    uint32_t number          # of its entry, or LEVEL_UNKNOWN
    uint32_t size            # of its key; 0: too long for one
    uint16_t resets          # of its path; not looked for, and 0, where the component has no entry

cdef struct Change:
    uint64_t ticket          # TICKET_UNSEALED until the frame is offered as a whole
    uint32_t entry
    uint16_t word
    uint16_t word_before     # to take a frame back that found no room
    uint16_t resets
    uint16_t resets_before
    uint64_t ticket_before

cdef class Levels:
    cdef Level* entries              # owned; entries_max of them
    cdef uint32_t* free              # owned; numbers of entries that became quiet
    cdef Change* changes             # owned; a ring of changes_max
    cdef uint8_t* may_have_reset     # owned; a bit for the paths of each number modulo RESET_BITS
    cdef uint32_t entries_max
    cdef uint32_t used               # entries ever used
    cdef uint32_t free_count
    cdef uint32_t changes_max
    cdef uint64_t head               # changes ever made
    cdef uint64_t tail               # the oldest that is not durable
    cdef Index by_key
    cdef HashKey hash_key
    cdef readonly uint64_t unremembered  # words for which there was no room: they will be new each time

    cdef uint32_t key_of(self, const Columns* c, uint32_t row, uint32_t source, uint8_t* key) noexcept nogil
    cdef uint32_t find(self, uint64_t hash, uint32_t path, const uint8_t* key, uint32_t size) noexcept nogil
    cdef Sought look(self, const Columns* c, uint32_t row, uint32_t source, uint8_t* key) noexcept nogil
    cdef uint16_t resets_of(self, const Columns* c, uint32_t row) noexcept nogil
    cdef Sought seek(self, const Columns* c, uint32_t row, uint8_t* key) noexcept nogil
    cdef uint16_t compared(self, const Sought* sought, uint16_t word) noexcept nogil
    cdef void change(self, uint32_t number, uint16_t word, uint16_t resets) noexcept nogil
    cdef void reset(self, const Columns* c, uint32_t row, uint64_t since) noexcept nogil
    cdef uint32_t add(self, uint64_t hash, uint32_t path, const uint8_t* key, uint32_t size) noexcept nogil
    cdef void drop_quiet(self, uint32_t entry) noexcept nogil
    cdef bint says_nothing_new(self, const Columns* c, uint32_t row, uint64_t* ticket) noexcept nogil
    cdef int sift(self, Columns* c, uint32_t row) noexcept nogil
    cdef void seal(self, uint64_t since, uint64_t ticket) noexcept nogil
    cdef void take_back(self, uint64_t since) noexcept nogil
    cdef void set_durable(self, uint64_t ticket) noexcept nogil
    cdef void fail(self) noexcept nogil
    cdef void replay(self, const Columns* c, uint32_t row) noexcept nogil
    cdef void replay_reset(self, const Columns* c, uint32_t row) noexcept nogil
    cdef bint is_saved(self, uint32_t number) noexcept nogil
    cdef size_t saved_bytes(self) noexcept nogil
    cdef void save_to(self, uint8_t* out) noexcept nogil
