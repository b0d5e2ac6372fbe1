# What rows of the registry lead to, asked for before their turn comes: a record, the transmitter's first path and what
# comes behind it lie at places that no cache foresees, and a full reading names a million of them. Whose record says
# already what its row says needs no path; so those are asked for only while rows change something.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset
from codec.batch cimport Columns
from codec.limits cimport ACCOUNT_BYTES_MAX
from codec.words cimport ROW_CHANGE
from engine.index cimport INDEX_NONE, Probe, __builtin_prefetch, index_fetch, index_first, index_next
from engine.listen.roster cimport Roster
from engine.path_key cimport PathKey
from engine.path_linking cimport transmitter_hash
from engine.paths cimport PathTable
from engine.siphash cimport siphash

cdef enum:
    SLOTS_AHEAD = 24                 # rows before its turn whose slots are asked for
    RECORDS_AHEAD = 16               # and where they lead to
    PATHS_AHEAD = 8                  # and the first path of one that is new, or is to change
    AHEAD = 32                       # a power of two

cdef struct Ahead:
    uint64_t record[AHEAD]           # hashes, by row modulo AHEAD
    uint64_t paths[AHEAD]            # 0: none
    bint     changing                # the last row whose turn it was has changed something


cdef inline void name_of_row(const Columns* c, uint32_t row, int realm, PathKey* name) noexcept nogil:
    """Write the name of the record that a row of the registry is about; its account is of sane length."""
    memset(name, 0, sizeof(PathKey))
    memcpy(name.account, c.arena + c.account[row].at, c.account[row].size)
    name.account_size = c.account[row].size
    name.protocol = c.protocol[row]
    name.listener = realm

cdef inline void ahead_slots(Ahead* ahead, Roster roster, PathTable paths, const Columns* c, uint32_t row,
                             int realm) noexcept nogil:
    """Ask for the slots of a row that may come; realm: probably its. A wrong guess asks for what nobody needs."""
    cdef PathKey name
    ahead.record[row % AHEAD] = ahead.paths[row % AHEAD] = 0
    if row >= c.count or c.kind[row] != ROW_CHANGE or c.account[row].size > ACCOUNT_BYTES_MAX:
        return
    name_of_row(c, row, realm if c.realm[row].size else 0, &name)
    ahead.record[row % AHEAD] = siphash(&roster.hash_key, <const uint8_t*>&name, sizeof(PathKey))
    index_fetch(&roster.by_name, ahead.record[row % AHEAD])
    if ahead.changing:
        ahead.paths[row % AHEAD] = transmitter_hash(&paths.hash_key, &name)
        index_fetch(&paths.by_transmitter, ahead.paths[row % AHEAD])

cdef inline void ahead_records(const Ahead* ahead, Roster roster, uint32_t row) noexcept nogil:
    """Ask for the record that the slot of a row leads to."""
    cdef Probe probe = index_first(&roster.by_name, ahead.record[row % AHEAD])
    cdef uint32_t number = index_next(&roster.by_name, &probe)
    if number != INDEX_NONE:
        __builtin_prefetch(&roster.entries[number])

cdef inline void ahead_paths(const Ahead* ahead, PathTable paths, uint32_t row) noexcept nogil:
    """Ask for the first path of the transmitter of a row."""
    cdef Probe probe
    cdef uint32_t number
    if ahead.paths[row % AHEAD] == 0:
        return
    probe = index_first(&paths.by_transmitter, ahead.paths[row % AHEAD])
    number = index_next(&paths.by_transmitter, &probe)
    if number != INDEX_NONE:
        __builtin_prefetch(&paths.path[number])
        __builtin_prefetch(&paths.sibling[number])

cdef inline void ahead_begin(Ahead* ahead, Roster roster, PathTable paths, const Columns* c, uint32_t row,
                             int realm) noexcept nogil:
    """Before the first row of many."""
    cdef uint32_t at
    ahead.changing = True
    for at in range(row, row + SLOTS_AHEAD):
        ahead_slots(ahead, roster, paths, c, at, realm)
    for at in range(row, row + RECORDS_AHEAD):
        ahead_records(ahead, roster, at)

cdef inline void ahead_move(Ahead* ahead, Roster roster, PathTable paths, const Columns* c, uint32_t row,
                            int realm) noexcept nogil:
    """Before each row; then record[row % AHEAD] is the hash of its name, where its realm is the guessed one."""
    ahead_slots(ahead, roster, paths, c, row + SLOTS_AHEAD, realm)
    ahead_records(ahead, roster, row + RECORDS_AHEAD)
    ahead_paths(ahead, paths, row + PATHS_AHEAD)
