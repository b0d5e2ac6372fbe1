# ADMIT: what is new. It remembers the frames of the last minutes and takes out those that it has admitted before.
#
# One entry a signal, in a ring in the order of admission, found through two indexes:
#   by_frame   hash of (path, frame identity, which signal of the frame) -> newest entry
#   by_point   hash of (path, point)                                     -> newest entry of that point
# A frame is known when all its signals have an entry within the window, and each either bears the same stamp or
# nothing but that frame itself came from its point since: a panel that never changes its sequence and sends alarm,
# restore, alarm has sent three signals. Frames without a stamp have no "same stamp".
#
# Rows of kind level are compared with the last word of their component (levels.pxd) and become a signal for each
# changed bit. A frame with such rows that says something new is known by its stamp alone: what else came from its
# points, the words tell.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from engine.admit.levels cimport Levels
from engine.index cimport Index
from engine.intake cimport Intake, Mark
from engine.siphash cimport HashKey

cdef struct Entry:
    uint64_t frame           # hash
    uint64_t point           # hash
    uint64_t ticket          # what its reply waited for
    int64_t  admitted_ns     # received_ns of the row
    int64_t  stamp_ns        # occurred_ns of the row
    uint64_t group           # hash of the frame's first signal; with admitted_ns it names one coming of the frame

cdef class Admit(Intake):
    cdef Entry* entries              # owned; a ring of entries_max slots
    cdef uint32_t entries_max
    cdef uint64_t head               # entries ever added; slot = number % entries_max
    cdef uint64_t tail               # oldest entry kept
    cdef Index by_frame
    cdef Index by_point
    cdef HashKey hash_key
    cdef int64_t window_ns
    cdef readonly Levels levels
    cdef readonly uint64_t duplicates
    cdef readonly uint64_t evicted   # entries that went before their window ended

    cdef uint64_t frame_hash(self, uint32_t row, uint32_t ordinal) noexcept nogil
    cdef uint64_t point_hash(self, uint32_t row) noexcept nogil
    cdef Entry* entry_of(self, uint32_t row, uint32_t ordinal) noexcept nogil
    cdef bint is_known(self, Mark mark, uint64_t* ticket) noexcept nogil
    cdef bint is_known_by_stamp(self, Mark mark, uint64_t* ticket) noexcept nogil
    cdef bint says_nothing_new(self, Mark mark, uint64_t* ticket) noexcept nogil
    cdef int sift(self, Mark mark) noexcept nogil
    cdef uint64_t known_ticket(self, uint32_t row, uint32_t ordinal, bint* known) noexcept nogil
    cdef void supersede(self, Index* index, uint64_t hash, bint is_point) noexcept nogil
    cdef void enter(self, const Entry* entry) noexcept nogil
    cdef void remember(self, uint32_t row, uint32_t ordinal, uint64_t ticket) noexcept nogil
    cdef void replay_resets(self, uint32_t first) noexcept nogil
    cdef void forget(self, uint64_t number) noexcept nogil
