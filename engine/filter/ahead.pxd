# Who speaks in the rows that are judged soon, asked for before their turn: the records of a million transmitters lie at
# places that no cache foresees.
#
#   by path   where an enrolment said whose the path of a row is. It only proposes: the name in the row decides, so
#             that a number may mean another path one day, or nothing
#   by name   any other row: a hash, and a walk of the index
#
# Three steps, so many rows before a row's turn, ask for what the next one reads: the owner of the path; by that or by
# name the records; what is open there. Rejected: each step for 4 or 16 rows at once, which lets the memory rest while
# they are judged, and costs a tenth to a quarter more.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from codec.batch cimport Columns
from codec.words cimport CLASS_PREALARM, ROW_ENROLMENT, ROW_SIGNAL
from engine.filter.place cimport Place, place_of
from engine.filter.registry cimport NO_TRANSMITTER, Registry, name_hash
from engine.filter.states cimport States, states_fetch, states_fetch_item
from engine.index cimport INDEX_NONE, Probe, __builtin_prefetch, index_fetch, index_first, index_next

cdef enum:
    PATHS_AHEAD = 24                 # rows
    RECORDS_AHEAD = 16
    OPEN_AHEAD = 8
    RING = 32                        # rows; a power of two above PATHS_AHEAD

cdef struct Ahead:
    uint64_t hash[RING]              # of a row's name, by row modulo RING; 0: found by path, or not asked for


cdef inline uint32_t path_transmitter(const Registry* r, uint32_t path) noexcept nogil:
    """Whose path it is, as an enrolment said; NO_TRANSMITTER where none did."""
    return r.path_owner[path] - 1 if path < r.paths_max else <uint32_t>NO_TRANSMITTER

cdef inline void fetch_transmitter(const Registry* r, const States* s, uint32_t slot,
                                   uint8_t signal_class) noexcept nogil:
    __builtin_prefetch(&r.transmitters[slot])
    if signal_class <= CLASS_PREALARM:       # it asks for the points that came lately as well
        __builtin_prefetch(<const char*>&r.transmitters[slot] + 64)
    states_fetch(s, slot)

cdef inline void ahead_path(Ahead* ahead, const Registry* r, const Columns* c, uint32_t row) noexcept nogil:
    ahead.hash[row % RING] = 0       # the compiler drops calls of a function that does nothing but ask
    if row < c.count and c.path[row] < r.paths_max:
        __builtin_prefetch(&r.path_owner[c.path[row]])

cdef inline void ahead_record(Ahead* ahead, const Registry* r, const States* s, const Columns* c,
                              uint32_t row) noexcept nogil:
    cdef uint32_t slot
    cdef Place name
    if row >= c.count or c.kind[row] != ROW_SIGNAL and c.kind[row] != ROW_ENROLMENT:
        return
    slot = path_transmitter(r, c.path[row])
    if slot != NO_TRANSMITTER:
        fetch_transmitter(r, s, slot, c.signal_class[row])
    elif place_of(&name, c, row):
        ahead.hash[row % RING] = name_hash(r, &name)
        index_fetch(&r.by_name, ahead.hash[row % RING])

cdef inline void ahead_open(const Ahead* ahead, const Registry* r, const States* s, const Columns* c,
                            uint32_t row) noexcept nogil:
    cdef uint32_t slot
    cdef Probe probe
    if row >= c.count or c.kind[row] != ROW_SIGNAL:
        return
    if ahead.hash[row % RING]:
        probe = index_first(&r.by_name, ahead.hash[row % RING])
        slot = index_next(&r.by_name, &probe)      # by its hash alone: a wrong one costs nothing but time
        if slot != INDEX_NONE:
            fetch_transmitter(r, s, slot, c.signal_class[row])
        return
    slot = path_transmitter(r, c.path[row])
    if slot != NO_TRANSMITTER:
        states_fetch_item(s, slot)
