# How many records the registry names, and how many of them a full reading has not named yet: so that a reading which
# named all of them need not look at each at its end. Counted along, and again where tables were filled from a snapshot.

from libc.stdint cimport uint32_t

from engine.filter.registry cimport Registry


cdef inline void set_named(Registry* r, uint32_t* generation, bint gone) noexcept nogil:
    """The registry names a record, or does so no longer."""
    cdef uint32_t before = generation[0]
    generation[0] = 0 if gone else r.reading or r.generation or 1
    r.named += (generation[0] != 0) - (before != 0)
    r.unread -= r.reading != 0 and before != 0 and before != r.reading

cdef inline void count_named(Registry* r, uint32_t generation) noexcept nogil:
    r.named += generation != 0
    r.unread += r.reading != 0 and generation != 0 and generation != r.reading

cdef inline void registry_count(Registry* r) noexcept nogil:
    """Count what the registry names in freshly filled tables."""
    cdef uint32_t i
    r.named = r.unread = 0
    for i in range(r.facilities_used):
        count_named(r, r.facilities[i].generation)
    for i in range(r.transmitters_used):
        count_named(r, r.transmitters[i].generation)
    for i in range(r.points_used):
        count_named(r, r.points[i].generation)
