# Who belongs together: the paths of one transmitter, and what is kept of those that are not alone.
#
# Of a transmitter with very many paths the first CHAIN_MAX are looked at.

from libc.stdint cimport uint32_t
from libc.string cimport memcmp, memset
from codec.batch cimport NO_PATH
from engine.index cimport INDEX_NONE, Probe, index_first, index_next
from engine.path_linking cimport same_transmitter, transmitter_hash
from engine.path_role cimport CHAIN_MAX, Members, PathRole
from engine.path_records cimport PathRecords, path_has_role

cdef inline Members members_of(PathRecords paths, uint32_t number) noexcept nogil:
    """Return the paths of the transmitter of path `number`: those that spoke, or else the one that stands for it."""
    cdef Members members
    cdef uint32_t other = NO_PATH
    cdef Probe probe
    members.count = 0
    members.first = members.expected = NO_PATH
    if paths.path[number].key.account_size == 0:
        return members
    probe = index_first(&paths.by_transmitter, transmitter_hash(&paths.hash_key, &paths.path[number].key))
    while True:
        other = index_next(&paths.by_transmitter, &probe)
        if other == INDEX_NONE or same_transmitter(&paths.path[other].key, &paths.path[number].key):
            break
    while other != INDEX_NONE and other != NO_PATH and members.count < CHAIN_MAX:
        if not same_realm(paths, other, number):
            pass
        elif paths.expected(other):
            members.expected = other
        else:
            members.path[members.count] = other
            members.count += 1
            members.first = min(members.first, other)
        other = paths.sibling[other]
    if members.count == 0 and members.expected != NO_PATH:
        members.count = 1
        members.first = members.path[0] = members.expected
    return members

cdef inline bint same_realm(PathRecords paths, uint32_t one, uint32_t other) noexcept nogil:
    cdef const char* here = paths.listener_text[paths.path[one].key.listener].realm
    cdef const char* there = paths.listener_text[paths.path[other].key.listener].realm
    cdef uint32_t size = paths.listener_text[paths.path[one].key.listener].realm_size
    return size == paths.listener_text[paths.path[other].key.listener].realm_size and memcmp(here, there, size) == 0

cdef inline PathRole* role_of(PathRecords paths, uint32_t number) noexcept nogil:
    """Return the entry of a path that is not alone or has two times; of others NULL."""
    return &paths.role[paths.role_at[number] - 1] if path_has_role(&paths.path[number]) else NULL

cdef inline PathRole* role_made(PathRecords paths, uint32_t number) noexcept nogil:
    """Return the entry of a path, a new one if need be."""
    cdef PathRole* role
    if paths.role_at[number] == 0:
        role = &paths.role[paths.role_count]
        memset(role, 0, sizeof(PathRole))
        role.number = number
        role.lead = NO_PATH
        paths.role_count += 1
        paths.role_at[number] = paths.role_count
    return &paths.role[paths.role_at[number] - 1]
