# A hierarchical timing wheel over ids 0..ids_max-1: who is due, asked of millions, for 8 bytes each.
#
#   tick      64 ms of the caller's monotonic clock; tick T begins at 64 * T ms
#   level 0   256 slots of 1 tick          reaches 16.3 s      a slot comes out on its tick: never early
#   level 1   256 slots of 256 ticks       reaches 69 min      a slot comes out where it begins:
#   level 2   256 slots of 65536 ticks     reaches 12.3 days   early by less than its length
#   level 3   256 slots of 2^24 ticks      reaches 8.6 years   (what lies beyond is filed at the reach)
#
# Nothing moves down inside the wheel. An id that comes out early goes to the caller, who knows the real deadline
# (last seen + supervision time, moved on by every heartbeat in between) and files it again: one visit does both the
# cascade and the lazy re-arm. No deadline is kept here.
#
# Each slot is a circular doubly linked list that runs through its own sentinel, so that unlinking an id needs no slot.
#   links[0]                 never used: next == 0 says "in no list", which is what untouched memory says too
#   links[1..1024]           sentinels of the slots, level by level
#   links[PENDING]           sentinel of what has come out and was not yet fetched
#   links[FIRST_ID + id]     the ids

from libc.stdint cimport int64_t, uint32_t

cdef enum:
    TICK_MS = 64
    TICK_SHIFT = 6
    LEVELS = 4
    LEVEL_SHIFT = 8
    LEVEL_SLOTS = 256
    PENDING = 1025               # 1 + LEVELS * LEVEL_SLOTS
    FIRST_ID = 1026
    WHEEL_IDS_MAX = 0x7FFFFFFF   # FIRST_ID + id stays within uint32_t
    SLOTS_VISITED_MAX = 65536    # empty slots that one advance() may walk over: some 0.3 ms

cdef struct Link:                # 8 bytes, so that an id's own link is one cache line
    uint32_t next
    uint32_t prev

cdef class Wheel:
    cdef Link* links             # owned; reserved for all ids at once, paid for page by page when first touched
    cdef size_t reserved_bytes
    cdef int64_t current         # the last tick that was visited
    cdef uint32_t ids_max
    cdef uint32_t ids_touched    # no id from here on was ever filed
    cdef uint32_t filed_count    # ids in a slot or pending

    # All deadlines and `now` are ms of one monotonic clock. An id beyond ids_max is our error and aborts.
    cdef void file(self, uint32_t id, int64_t deadline_ms) noexcept nogil      # files again if filed
    cdef void remove(self, uint32_t id) noexcept nogil                         # nothing if not filed
    cdef bint filed(self, uint32_t id) noexcept nogil

    # Fill `due` with ids that have come out, at most due_max; they are then in the wheel no more.
    # A full `due` means: call again. Work is bounded by due_max and SLOTS_VISITED_MAX, so after a jump of hours
    # it may return early; behind() says so, and the next call goes on where this one stopped.
    cdef uint32_t advance(self, int64_t now_ms, uint32_t* due, uint32_t due_max) noexcept nogil
    cdef bint behind(self, int64_t now_ms) noexcept nogil

    cdef uint32_t slot_of(self, int64_t deadline_ms) noexcept nogil
    cdef void unlink(self, Link* link) noexcept nogil
    cdef void release(self, uint32_t slot) noexcept nogil
    cdef uint32_t fetch(self, uint32_t* due, uint32_t due_max) noexcept nogil
    cdef uint32_t known(self, uint32_t id) except? 0xFFFFFFFF                 # for Python: raises IndexError
