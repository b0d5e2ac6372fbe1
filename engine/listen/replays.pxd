# The encrypted frames of the last minute, to tell a recording from a transmitter that lives. DC-09 has no code against
# replay but its stamp: within the window the same bytes would be believed again.
#
# Two sets of hashes. The younger one takes what comes; when its time is over, or it is full, it becomes the older one
# and the older one is emptied. So a frame is remembered for `span` at least, unless more came than were planned for.

from libc.stdint cimport int64_t, uint64_t
from codec.frame cimport Frame
from engine.path_key cimport PathKey
from engine.siphash cimport HashKey

cdef class Replays:
    cdef uint64_t* sets[2]           # owned; open addressing, 0 = free
    cdef uint64_t slots[2]           # of each, a power of two
    cdef uint64_t slots_wanted       # a set that is smaller grows when it is emptied
    cdef uint64_t count              # in the younger one
    cdef int younger
    cdef int64_t span_ns
    cdef int64_t turned_ns           # when the younger one began
    cdef HashKey hash_key
    cdef readonly uint64_t found     # frames that had come before
    cdef readonly uint64_t early     # times that a set was full before its time

    cdef bint is_replay(self, const PathKey* key, const Frame* frame, int64_t now_ns) noexcept nogil
    cdef bint holds(self, int which, uint64_t hash) noexcept nogil
    cdef void turn(self, int64_t now_ns) noexcept nogil
