# The path table: who we know, and when we heard them last.
#
# A path is one way by which a transmitter reaches us. Its record is one cache line: a heartbeat costs one index slot,
# one record and one store. Records never move and are never removed: a number means its path as long as the journal
# lives. The memory is reserved for `paths_max` and committed by the kernel as it is used.
# Receiver threads look up while the loop adds, and write heard_ms, seen_ms, silence_ms, peer and frames; it, the rest.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp
from codec.batch cimport NO_PATH, Columns
from engine.atomics cimport load_64, load_ordered_64, store_8, store_ordered_8
from engine.index cimport INDEX_NONE, Index, Probe, __builtin_prefetch, index_first, index_next
from engine.learned cimport Learned
from engine.observed cimport Observed
from engine.path_key cimport LISTENER_TEXT_BYTES_MAX, ListenerText, PathKey, PathText
from engine.path_role cimport PathRole, PathTimes
from engine.siphash cimport HashKey, siphash

cdef enum:
    RETURNED_MAX = 4096
    CHANGED_MAX = 65536
    LISTENERS_MAX = 256
    PATH_TEXT_BYTES_MAX = 320        # protocol:account@realm/listener/R/L/N
    REVISITS_MAX = 4096
    REPORTED_NONE = 7
    MARK_ROLE = 8

cdef enum PathState:         # what is on its way to the journal has a state of its own
    PATH_NEW = 0             # in memory alone: its enrolment is not journalled
    PATH_PENDING = 1         # its enrolment is on the way
    PATH_UP = 2
    PATH_RAISING = 3         # silent past its supervision time; the line fault is on the way
    PATH_FAULT = 4           # the line fault is raised
    PATH_RETURNED = 5        # in fault, and heard again: its fault is about to be cleared
    PATH_CLEARING = 6        # the end of its fault is on the way
    PATH_STATE_COUNT = 7

cdef enum PathTrait:         # what the fast path must know of a path
    TRAIT_WATCHED = 1        # its clear heartbeats are looked at before they count
    TRAIT_COMMAND = 2        # a command waits for its next frame
    TRAIT_UNNAMED = 4        # the registry names its transmitter no longer: the policy decides about each frame

cdef struct Path:            # 64 bytes
    PathKey  key
    int64_t  heard_ms        # listening time of the last valid frame
    int64_t  seen_ms         # wall clock of it, for people; 0 = never
    uint32_t supervision_ms  # 0 = not supervised
    uint32_t silence_ms      # longest silence of this quarter of an hour
    uint32_t peer            # hash of the address that spoke last
    uint16_t frames          # valid frames of this quarter of an hour; stops at 65535
    uint8_t  state           # PathState
    uint8_t  marks           # state that the database holds, or REPORTED_NONE; MARK_ROLE; upper half: PathTrait, ored

cdef class PathRecords:
    cdef Path* path                  # owned, aligned to 64
    cdef uint32_t* sibling           # the next path of the same transmitter, or NO_PATH
    cdef int64_t* enrolled_ms        # wall clock
    cdef Learned* learned            # zeros until written: offset_s 0 with `seen` 0 says nothing
    cdef Observed* observed          # zeros until written: how long it was silent in the quarters of an hour before
    cdef PathRole* role              # of those that are not alone or have times of their own, in no order
    cdef uint32_t* role_at           # by path: its entry there, + 1; 0 = none
    cdef uint32_t role_count
    cdef readonly object named       # NamedTimes: what configuration and registry say of transmitters
    cdef bint naming                 # it says something
    cdef int64_t now_ms              # listening time, as SUPERVISE last told it
    cdef uint32_t revisit[REVISITS_MAX]    # paths with another time, or with others beside them than before
    cdef uint32_t revisits           # beyond REVISITS_MAX all are looked at
    cdef uint32_t count
    cdef uint32_t paths_max
    cdef Index by_key
    cdef Index by_transmitter        # number of the transmitter's first path
    cdef HashKey hash_key
    cdef uint32_t states[7]          # paths in each PathState
    cdef uint32_t returned[RETURNED_MAX]   # paths in PATH_RETURNED
    cdef uint32_t returned_count
    cdef uint32_t changed[CHANGED_MAX]     # paths whose state changed since the store last asked
    cdef uint32_t changed_count            # beyond CHANGED_MAX the store finds them by looking at all
    cdef public bint shared          # receiver threads touch paths too
    cdef public bint observing       # `observed` is written
    cdef readonly uint64_t peer_changes
    cdef readonly list listeners     # [(name, realm)]; a path key holds the index
    cdef dict listener_numbers
    cdef ListenerText* listener_text # owned; by listener number

    cdef uint32_t add(self, const PathKey* key, uint32_t supervision_ms, int64_t heard_ms,
                      int64_t seen_ms) noexcept nogil
    cdef void fill(self, uint32_t number, const PathKey* key, uint32_t supervision_ms, int64_t heard_ms,
                   int64_t seen_ms) noexcept nogil
    cdef PathText write_text(self, uint32_t number, char* out) noexcept nogil
    cdef void give_times(self, uint32_t number, const PathTimes* times) noexcept nogil
    cdef void place(self, uint32_t number, const PathTimes* times=*) noexcept nogil
    cdef int write_times(self, uint32_t number, char* out) noexcept nogil
    cdef void note_revisit(self, uint32_t number) noexcept nogil
    cdef void note_return(self, uint32_t number) noexcept nogil
    cdef bint expected(self, uint32_t number) noexcept nogil
    cdef void relieve(self, uint32_t number) noexcept nogil
    cdef void set_state(self, uint32_t number, uint8_t state) noexcept nogil


cdef inline uint64_t path_hash(const HashKey* hash_key, const PathKey* key) noexcept nogil:
    return siphash(hash_key, <const uint8_t*>key, sizeof(PathKey))

cdef inline void path_fetch(const Path* path, const Learned* learned, const Index* by_key,
                            uint64_t hash) noexcept nogil:
    """Have what a hash leads to brought into the cache, without waiting for it; the slot should be there.

    learned  is asked for as well: the first frame of a path in a quarter of an hour is looked at closely
    """
    cdef Probe probe = index_first(by_key, hash)
    cdef uint32_t number = index_next(by_key, &probe)
    if number != INDEX_NONE:
        __builtin_prefetch(&path[number])
        __builtin_prefetch(&learned[number])

cdef inline uint32_t path_find(const Path* path, const Index* by_key, const HashKey* hash_key,
                               const PathKey* key) noexcept nogil:
    """Return the number of the path with this key, or NO_PATH."""
    return path_find_hashed(path, by_key, path_hash(hash_key, key), key)

cdef inline uint32_t path_find_hashed(const Path* path, const Index* by_key, uint64_t hash,
                                      const PathKey* key) noexcept nogil:
    cdef Probe probe = index_first(by_key, hash)
    cdef uint32_t number
    while True:
        number = index_next(by_key, &probe)
        if number == INDEX_NONE:
            return NO_PATH
        if memcmp(&path[number].key, key, sizeof(PathKey)) == 0:
            return number

cdef inline uint8_t path_reported(const Path* path) noexcept nogil:
    return path.marks & 7

cdef inline void path_set_reported(Path* path, uint8_t state) noexcept nogil:
    store_8(&path.marks, path.marks & 0xF8 | state)

cdef inline bint path_has_role(const Path* path) noexcept nogil:
    return path.marks & MARK_ROLE

cdef inline void path_mark_role(Path* path) noexcept nogil:
    store_8(&path.marks, path.marks | MARK_ROLE)

cdef inline bint path_has_trait(const Path* path, PathTrait trait) noexcept nogil:
    return path.marks >> 4 & trait

cdef inline void path_set_trait(Path* path, PathTrait trait) noexcept nogil:
    store_8(&path.marks, path.marks | trait << 4)

cdef inline void path_clear_trait(Path* path, PathTrait trait) noexcept nogil:
    store_8(&path.marks, path.marks & ~(trait << 4))
