# How records come into the path table's indexes: one at a time, or a snapshot's millions.
#
# Each record looks at a slot of either index, in an order that no cache foresees. So where there are many, the slots of
# the next ones are asked for while one is entered.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy
from codec.batch cimport NO_PATH
from codec.limits cimport ACCOUNT_BYTES_MAX
from engine.index cimport INDEX_NONE, Probe, index_fetch, index_first, index_next, index_put
from engine.path_key cimport ListenerText, PathKey
from engine.path_records cimport (CHANGED_MAX, PATH_FAULT, PATH_NEW, PATH_PENDING, PATH_RAISING, PATH_UP, REPORTED_NONE,
                                  Path, PathRecords, path_hash, path_reported)
from engine.siphash cimport HashKey, siphash

cdef enum:
    LINKS_AHEAD = 16

cdef enum TakenRecord:       # what came of a record of a snapshot
    RECORD_OTHER = 0         # another path had its number
    RECORD_KNOWN = 1         # its path is in the indexes already, or it has none
    RECORD_NEW = 2           # its path has to be entered into the indexes

cdef struct KeyHashes:       # of one key
    uint64_t path
    uint64_t transmitter


cdef inline uint64_t transmitter_hash(const HashKey* hash_key, const PathKey* key) noexcept nogil:
    # The realm belongs to a transmitter's name, the listener does not; paths of two listeners with one realm meet
    # in the comparison of same_transmitter, so the hash leaves both out.
    cdef uint8_t name[18]
    memcpy(name, key.account, 16)
    name[16] = key.protocol
    name[17] = key.account_size
    return siphash(hash_key, name, 18)

cdef inline KeyHashes hash_ahead(PathRecords paths, const PathKey* key) noexcept nogil:
    """Hash a key for link_path, and have the slots that it will look at brought into the cache."""
    cdef KeyHashes hashes
    hashes.path = path_hash(&paths.hash_key, key)
    hashes.transmitter = transmitter_hash(&paths.hash_key, key)
    index_fetch(&paths.by_key, hashes.path)
    index_fetch(&paths.by_transmitter, hashes.transmitter)
    return hashes

cdef inline bint same_transmitter(const PathKey* one, const PathKey* other) noexcept nogil:
    return (one.account_size == other.account_size and one.protocol == other.protocol
            and memcmp(one.account, other.account, ACCOUNT_BYTES_MAX) == 0)

cdef inline void relieve_expected(PathRecords paths, uint32_t expected, uint32_t number) noexcept nogil:
    """End the waiting for a transmitter that now has a path of its own, `number`."""
    cdef ListenerText* here = &paths.listener_text[paths.path[number].key.listener]
    cdef ListenerText* there = &paths.listener_text[paths.path[expected].key.listener]
    if (paths.expected(expected) and here.realm_size == there.realm_size
            and memcmp(here.realm, there.realm, here.realm_size) == 0):
        paths.relieve(expected)

cdef inline void link_path(PathRecords paths, uint32_t number, KeyHashes hashes) noexcept nogil:
    """Enter path `number` into both indexes; the last path of the transmitter gets it as its sibling."""
    cdef Probe probe = index_first(&paths.by_transmitter, hashes.transmitter)
    cdef uint32_t first
    index_put(&paths.by_key, hashes.path, number)
    paths.sibling[number] = NO_PATH
    while True:
        first = index_next(&paths.by_transmitter, &probe)
        if first == INDEX_NONE:
            index_put(&paths.by_transmitter, hashes.transmitter, number)
            return
        if same_transmitter(&paths.path[first].key, &paths.path[number].key):
            relieve_expected(paths, first, number)
            while paths.sibling[first] != NO_PATH:
                first = paths.sibling[first]
                relieve_expected(paths, first, number)
            paths.sibling[first] = number
            return

cdef inline uint8_t take_record(PathRecords paths, uint32_t number, const Path* saved) noexcept nogil:
    """Take one record over, all but its place in the indexes; return a TakenRecord."""
    cdef Path* path = &paths.path[number]
    cdef bint known = path.key.account_size != 0
    if known and memcmp(&path.key, &saved.key, sizeof(PathKey)) != 0:
        return RECORD_OTHER
    memcpy(path, saved, sizeof(Path))
    if path.state > PATH_PENDING and path_reported(path) != path.state and paths.changed_count < CHANGED_MAX:
        paths.changed[paths.changed_count] = number      # the store has not told it yet
        paths.changed_count += 1
    # What was on its way when the table was saved is decided by the journal that follows.
    if path.state == PATH_PENDING:
        path.state = PATH_NEW
    elif path.state == PATH_RAISING:
        path.state = PATH_UP
    elif path.state > PATH_FAULT:
        path.state = PATH_FAULT
    paths.states[path.state] += 1
    path.marks = REPORTED_NONE   # traits are the configuration's, which may be another one now
    return RECORD_NEW if path.key.account_size and not known else RECORD_KNOWN

cdef inline bint take_records(PathRecords paths, uint32_t first, uint32_t count, const Path* saved) noexcept nogil:
    """Take the records of a snapshot over; False where another path had a number."""
    cdef KeyHashes ahead[LINKS_AHEAD]
    cdef KeyHashes hashes
    cdef uint8_t taken
    cdef uint32_t i
    for i in range(min(count, <uint32_t>LINKS_AHEAD)):
        ahead[i] = hash_ahead(paths, &saved[i].key)
    for i in range(count):
        hashes = ahead[i % LINKS_AHEAD]
        if i + LINKS_AHEAD < count:
            ahead[i % LINKS_AHEAD] = hash_ahead(paths, &saved[i + LINKS_AHEAD].key)
        taken = take_record(paths, first + i, &saved[i])
        if taken == RECORD_OTHER:
            return False
        if taken == RECORD_NEW:
            link_path(paths, first + i, hashes)
    return True
