# What rows of the registry lead to, asked for before their turn comes: a transmitter's slot in the index, its record,
# and its facility's lie at places that no cache foresees, and a full reading names a million of them.
#
#   NAMES_AHEAD rows before its turn        the name or the facility's id is hashed, its index slot asked for
#   RECORDS_AHEAD before it                 the transmitter's record, or the index slot of the facility of a new one
#   FACILITIES_AHEAD before it              the facility's record
#
# Nothing hangs on it but time, and a hash that is used again.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from codec.batch cimport Columns
from codec.words cimport ROW_CHANGE
from engine.filter.place cimport Place, place_of
from engine.filter.registry cimport NO_FACILITY, Fields, Registry, field_next, fields_of, name_hash
from engine.index cimport INDEX_NONE, Probe, __builtin_prefetch, index_fetch, index_first, index_next
from engine.siphash cimport siphash
from engine.words cimport CHANGE_FACILITY, CHANGE_POINT, CHANGE_TRANSMITTER

cdef enum:
    NAMES_AHEAD = 24
    RECORDS_AHEAD = 16
    FACILITIES_AHEAD = 8
    CHANGES_AHEAD = 32               # a power of two

cdef struct ChangesAhead:
    uint32_t next                    # the row for which all is asked already; UINT32_MAX: none of this batch is
    uint64_t name[CHANGES_AHEAD]     # hashes, by row modulo CHANGES_AHEAD; 0: none
    uint64_t facility[CHANGES_AHEAD]
    uint32_t slot[CHANGES_AHEAD]     # of the transmitter, probably


cdef inline void ahead_name(ChangesAhead* ahead, const Registry* r, const Columns* c, uint32_t row) noexcept nogil:
    cdef uint32_t at = row % CHANGES_AHEAD
    cdef Place name
    ahead.name[at] = ahead.facility[at] = 0
    ahead.slot[at] = INDEX_NONE
    if row >= c.count or c.kind[row] != ROW_CHANGE:
        return
    if c.condition[row] == CHANGE_FACILITY:
        ahead_named_facility(ahead, r, c, row)
    elif (c.condition[row] == CHANGE_TRANSMITTER or c.condition[row] == CHANGE_POINT) and place_of(&name, c, row):
        ahead.name[at] = name_hash(r, &name)
        index_fetch(&r.by_name, ahead.name[at])

cdef inline void ahead_named_facility(ChangesAhead* ahead, const Registry* r, const Columns* c,
                                      uint32_t row) noexcept nogil:
    cdef Fields fields = fields_of(c, row)
    cdef const uint8_t* id
    cdef uint32_t size = field_next(&fields, &id)
    if size:
        ahead.facility[row % CHANGES_AHEAD] = siphash(&r.key, id, size)
        index_fetch(&r.by_facility, ahead.facility[row % CHANGES_AHEAD])

cdef inline void ahead_record(ChangesAhead* ahead, const Registry* r, const Columns* c, uint32_t row) noexcept nogil:
    cdef uint32_t at = row % CHANGES_AHEAD
    cdef Probe probe
    cdef const char* record
    if ahead.name[at] == 0:
        return
    probe = index_first(&r.by_name, ahead.name[at])
    ahead.slot[at] = index_next(&r.by_name, &probe)
    if ahead.slot[at] != INDEX_NONE:
        record = <const char*>&r.transmitters[ahead.slot[at]]
        __builtin_prefetch(record)
        __builtin_prefetch(record + 64)
        __builtin_prefetch(&r.networks[ahead.slot[at]])
    elif c.condition[row] == CHANGE_TRANSMITTER:
        ahead_named_facility(ahead, r, c, row)

cdef inline void ahead_facility(const ChangesAhead* ahead, const Registry* r, uint32_t row) noexcept nogil:
    cdef uint32_t at = row % CHANGES_AHEAD, facility = NO_FACILITY
    cdef Probe probe
    if ahead.slot[at] != INDEX_NONE:
        facility = r.transmitters[ahead.slot[at]].facility
    elif ahead.facility[at]:
        probe = index_first(&r.by_facility, ahead.facility[at])
        facility = index_next(&r.by_facility, &probe)
    if facility != NO_FACILITY:
        __builtin_prefetch(&r.facilities[facility])
        __builtin_prefetch(<const char*>&r.facilities[facility] + 64)

cdef inline uint64_t look_ahead(ChangesAhead* ahead, const Registry* r, const Columns* c,
                                uint32_t row) noexcept nogil:
    """Ask for what later rows need; return the hash of the name in a row, 0 where it has none."""
    cdef uint32_t at
    if ahead.next != row:
        for at in range(row, row + NAMES_AHEAD):
            ahead_name(ahead, r, c, at)
        for at in range(row, row + RECORDS_AHEAD):
            ahead_record(ahead, r, c, at)
        for at in range(row, row + FACILITIES_AHEAD):
            ahead_facility(ahead, r, at)
    ahead.next = row + 1
    ahead_name(ahead, r, c, row + NAMES_AHEAD)
    ahead_record(ahead, r, c, row + RECORDS_AHEAD)
    ahead_facility(ahead, r, row + FACILITIES_AHEAD)
    return ahead.name[row % CHANGES_AHEAD]
