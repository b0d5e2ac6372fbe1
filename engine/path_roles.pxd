# The paths of one transmitter: which is the primary, how long each may be silent now, and whether all are gone.
#
# The primary path is the first enrolled one, unless the configuration names another. No heartbeat comes by here.

from libc.stdint cimport int64_t, uint32_t
from codec.batch cimport NO_PATH
from engine.atomics cimport load_64, replace_64
from engine.path_members cimport role_made, role_of
from engine.path_role cimport Members, SYSTEM_CLEARING, SYSTEM_FAULT, SYSTEM_RAISING, SYSTEM_UP, PathRole, PathTimes
from engine.path_records cimport PATH_FAULT, PATH_RAISING, PATH_UP, Path, PathRecords, path_has_role, path_mark_role

cdef inline const PathTimes* times_among(PathRecords paths, const Members* members) noexcept nogil:
    """Return the times that somebody gave the transmitter, or NULL."""
    cdef uint32_t i, number
    for i in range(members.count + 1):
        number = members.path[i] if i < members.count else members.expected
        if number != NO_PATH and paths.role_at[number] and paths.role[paths.role_at[number] - 1].times.primary_ms:
            return &paths.role[paths.role_at[number] - 1].times
    return NULL

cdef inline void assign_roles(PathRecords paths, const Members* members, const PathTimes* times,
                              uint32_t primary) noexcept nogil:
    """Tell each path of a transmitter what it is and how long it may be silent.

    times    NULL: as each has them;  primary  NO_PATH: the first
    """
    cdef uint32_t i, number, time_ms
    cdef PathRole* role
    cdef PathTimes given
    if times != NULL:
        given = times[0]             # the entry that they stand in is among those that are written
    for i in range(members.count):
        number = members.path[i]
        if times == NULL and members.count == 1 and paths.role_at[number] == 0:
            continue
        role = role_made(paths, number)
        if times != NULL:
            role.times = given
        role.several = members.count > 1
        role.lead = NO_PATH
        role.alternate = False
        if role.several or role.times.alternate_ms:
            path_mark_role(&paths.path[number])
        if role.times.alternate_ms:
            role.lead = members.first if primary == NO_PATH else primary
            role.alternate = number != role.lead
        if role.times.primary_ms:
            time_ms = role.times.alternate_ms if role.alternate else role.times.primary_ms
            paths.path[number].supervision_ms = time_ms

cdef inline void take_roles(PathRecords paths, const PathRole* saved, uint32_t count) noexcept nogil:
    """Take the entries of a snapshot over. What was on its way is decided by the journal that follows."""
    cdef uint32_t i
    cdef PathRole* role
    for i in range(count):
        if saved[i].number < paths.count:
            role = role_made(paths, saved[i].number)
            role.times, role.system = saved[i].times, saved[i].system
            if role.system == SYSTEM_RAISING:
                role.system = SYSTEM_UP
            elif role.system == SYSTEM_CLEARING:
                role.system = SYSTEM_FAULT

cdef inline void settle_system(PathRole* role, bint raised) noexcept nogil:
    """Let a system fault, or its end, that was on its way arrive."""
    if raised and role.system == SYSTEM_RAISING:
        role.system = SYSTEM_FAULT
    elif not raised and role.system == SYSTEM_CLEARING:
        role.system = SYSTEM_UP

cdef inline void retract_system(PathRole* role, bint raised) noexcept nogil:
    """Take a row back that did not reach the journal; rows are taken back in their order."""
    if raised and role.system != SYSTEM_FAULT:
        role.system = SYSTEM_UP
    elif not raised and role.system == SYSTEM_CLEARING:
        role.system = SYSTEM_FAULT

cdef inline bint is_down(const Path* path) noexcept nogil:
    """Tell whether a path is in fault, and was not heard since."""
    return path.state == PATH_RAISING or path.state == PATH_FAULT

cdef inline uint32_t shortest_ms(PathRecords paths, uint32_t number) noexcept nogil:
    """Return the shorter of the times that a path has, whatever its primary does."""
    cdef const PathRole* role = role_of(paths, number)
    if role == NULL or not role.alternate:
        return paths.path[number].supervision_ms
    return min(role.times.alone_ms, role.times.alternate_ms)

cdef inline uint32_t time_ms(PathRecords paths, uint32_t number) noexcept nogil:
    """Return how long a path may be silent now, 0 = as long as it likes."""
    cdef const PathRole* role = role_of(paths, number)
    if role != NULL and role.alternate and is_down(&paths.path[role.lead]):
        return shortest_ms(paths, number)
    return paths.path[number].supervision_ms

cdef inline int64_t deadline_ms(PathRecords paths, uint32_t number) noexcept nogil:
    """Return the listening time at which a path has been silent for too long.

    An alternate path whose primary is gone must be heard within its shorter time from the end of the primary's: what
    it kept silent before was its right.
    """
    cdef const PathRole* role = role_of(paths, number)
    cdef int64_t heard_ms = load_64(&paths.path[number].heard_ms), begin_ms = heard_ms
    cdef const Path* lead
    if role == NULL or not role.alternate or not is_down(&paths.path[role.lead]):
        return heard_ms + paths.path[number].supervision_ms
    lead = &paths.path[role.lead]
    begin_ms = max(begin_ms, load_64(&lead.heard_ms) + lead.supervision_ms)
    return min(heard_ms + role.times.alternate_ms, begin_ms + role.times.alone_ms)

cdef inline void begin_anew(PathRecords paths, uint32_t number) noexcept nogil:
    """Have SUPERVISE look at a path that has another time; one that would be over begins now.

    What the path kept silent before was its right.
    """
    cdef Path* path = &paths.path[number]
    if path.state == PATH_UP and path.supervision_ms and deadline_ms(paths, number) <= paths.now_ms:
        replace_64(&path.heard_ms, load_64(&path.heard_ms), paths.now_ms)
    paths.note_revisit(number)

cdef inline void supervise_path(PathRecords paths, uint32_t number, uint32_t primary_ms, uint32_t alternate_ms,
                                uint32_t alone_ms) noexcept nogil:
    """Give a path a time, or its whole transmitter three where it has, or had, a time for other paths."""
    cdef PathTimes times = PathTimes(primary_ms, alternate_ms, alone_ms)
    if alternate_ms or paths.role_at[number]:
        paths.give_times(number, &times)
    elif paths.path[number].supervision_ms != primary_ms:
        paths.path[number].supervision_ms = primary_ms
        begin_anew(paths, number)

cdef inline PathRole* system_of(PathRecords paths, const Members* members) noexcept nogil:
    """Return the entry that holds the state of the transmitter as a whole: that of its first path if none says more."""
    cdef uint32_t i
    for i in range(members.count):
        if path_has_role(&paths.path[members.path[i]]) and role_of(paths, members.path[i]).system:
            return role_of(paths, members.path[i])
    return role_made(paths, members.first)

cdef inline bint all_down(PathRecords paths, const Members* members, uint32_t falling) noexcept nogil:
    """Tell whether two or more paths are supervised, and all of them in fault, `falling` about to be."""
    cdef uint32_t i, supervised = 0
    cdef const Path* path
    for i in range(members.count):
        path = &paths.path[members.path[i]]
        if path.supervision_ms == 0 or path.state < PATH_UP:
            continue
        supervised += 1
        if members.path[i] != falling and not is_down(path):
            return False
    return supervised > 1
