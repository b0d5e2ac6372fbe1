# An open-addressing index: 64-bit hash -> 32-bit number of a record that the caller keeps elsewhere.
#
# The index holds no keys. A lookup walks the candidates whose hash tag fits and the caller compares its own record:
#
#     probe = index_first(&index, hash)
#     while (found = index_next(&index, &probe)) != INDEX_NONE: if same(record[found], key): ...
#
# One slot is 8 bytes: the upper half of the hash as a tag, and number + 1 (0 = free). Linear probing; removal shifts
# the rest of the run back, so there are no tombstones. Load at most 5/8: an index is made for all the records that its
# owner may ever hold and does not grow.
#
# One thread writes. Others may look up meanwhile where nothing is ever removed: a slot is written once, as a whole, and
# who finds a number in it sees the record that was filled before index_put. Nobody waits for anybody.

from libc.stdint cimport uint32_t, uint64_t
from engine.atomics cimport acquire_64, publish_64
from engine.memory cimport memory_release, memory_reserve, memory_reserve_wide

cdef enum:
    INDEX_NONE = 0xFFFFFFFF

ctypedef uint64_t Slot       # upper half: tag; lower half: number + 1, 0 = free

cdef struct Index:
    Slot*    slots           # owned
    uint64_t mask            # slots - 1
    uint64_t count

cdef struct Probe:
    uint64_t at
    uint32_t tag

cdef extern from *:
    void __builtin_prefetch(const void* at) nogil

cdef inline int index_create(Index* index, uint64_t records, bint wide=False) except -1:
    """Allocate room for `records` numbers; raises MemoryError. Untouched pages cost nothing.

    wide  for the index that each frame looks into: see memory_reserve_wide
    """
    cdef size_t slots = 16
    while slots * 5 < records * 8:
        slots *= 2
    index.slots = <Slot*>(memory_reserve_wide(slots * sizeof(Slot)) if wide else memory_reserve(slots * sizeof(Slot)))
    index.mask = slots - 1
    index.count = 0
    return 0

cdef inline void index_destroy(Index* index) noexcept:
    memory_release(index.slots, (index.mask + 1) * sizeof(Slot))
    index.slots = NULL

cdef inline uint32_t slot_tag(Slot slot) noexcept nogil:
    return <uint32_t>(slot >> 32)

cdef inline uint32_t slot_number(Slot slot) noexcept nogil:
    return <uint32_t>slot

cdef inline uint64_t index_home(const Index* index, uint32_t tag) noexcept nogil:
    # The tag is spread again so that the slot does not depend on its low bits alone.
    return (<uint64_t>tag * <uint64_t>0x9E3779B97F4A7C15 >> 20) & index.mask

cdef inline Probe index_first(const Index* index, uint64_t hash) noexcept nogil:
    cdef Probe probe
    probe.tag = <uint32_t>(hash >> 32)
    probe.at = index_home(index, probe.tag)
    return probe

cdef inline void index_fetch(const Index* index, uint64_t hash) noexcept nogil:
    """Have the slot of a hash brought into the cache, without waiting for it."""
    __builtin_prefetch(&index.slots[index_first(index, hash).at])

cdef inline uint32_t index_next(const Index* index, Probe* probe) noexcept nogil:
    """Return the next number whose tag fits, or INDEX_NONE."""
    cdef Slot slot
    while True:
        slot = acquire_64(&index.slots[probe.at])
        if slot_number(slot) == 0:
            return INDEX_NONE
        probe.at = (probe.at + 1) & index.mask
        if slot_tag(slot) == probe.tag:
            return slot_number(slot) - 1

cdef inline void index_put(Index* index, uint64_t hash, uint32_t number) noexcept nogil:
    """Add a number; the caller knows that it is absent and that the index is not full."""
    cdef Probe probe = index_first(index, hash)
    while slot_number(index.slots[probe.at]) != 0:
        probe.at = (probe.at + 1) & index.mask
    publish_64(&index.slots[probe.at], <uint64_t>probe.tag << 32 | <uint64_t>number + 1)
    index.count += 1

cdef inline void index_remove(Index* index, uint64_t hash, uint32_t number) noexcept nogil:
    """Take a number out; nothing happens when it is absent."""
    cdef Probe probe = index_first(index, hash)
    cdef uint64_t hole = probe.at, at, home
    while slot_number(index.slots[hole]) != number + 1:
        if slot_number(index.slots[hole]) == 0:
            return
        hole = (hole + 1) & index.mask
    at = hole
    while True:
        index.slots[hole] = 0
        while True:
            at = (at + 1) & index.mask
            if slot_number(index.slots[at]) == 0:
                index.count -= 1
                return
            home = index_home(index, slot_tag(index.slots[at]))
            if ((at - home) & index.mask) >= ((at - hole) & index.mask):
                break
        index.slots[hole] = index.slots[at]
        hole = at
