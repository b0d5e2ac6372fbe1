"""The table of mass losses. What counts how, and when a loss is told, stands in `losses.pxd`.

Rejected: a list of recent paths in the order of going (three random lines for each path that returns, and a million
steps at once when the window passes them by), instead of counts for 32 steps of the window; and a tag of the loss in
each cell alone (a path that was broken before could not be told from a member).
"""
from libc.stdint cimport INT64_MAX, int32_t
from libc.string cimport memcmp, memcpy, memset

from engine.filter.losses_counts cimport (
    area_of, count_recent, count_supervised, covers, group_of, is_recent, path_count, path_uncount, standing_over,
)
from engine.memory cimport memory_release, memory_reserve, memory_reserve_wide

cdef size_t STEPS_BYTES = <size_t>LOSS_STEPS * CELLS * sizeof(uint32_t)

assert sizeof(LossPath) == 16


cdef int losses_create(Losses* l, uint32_t paths_max) except -1:
    """Make an empty table. Raises MemoryError and then holds nothing."""
    memset(l, 0, sizeof(Losses))
    l.paths_max = paths_max
    try:
        l.paths = <LossPath*>memory_reserve_wide(<size_t>paths_max * sizeof(LossPath))
        l.steps = <uint32_t*>memory_reserve(STEPS_BYTES)
        l.cells = <LossCount*>memory_reserve(CELLS * sizeof(LossCount))
        l.standing = <Standing*>memory_reserve(CAUSES * sizeof(Standing))
    except MemoryError:
        losses_destroy(l)
        raise
    losses_clear(l)
    return 0


cdef void losses_destroy(Losses* l) noexcept:
    memory_release(l.paths, <size_t>l.paths_max * sizeof(LossPath))
    memory_release(l.steps, STEPS_BYTES)
    memory_release(l.cells, CELLS * sizeof(LossCount))
    memory_release(l.standing, CAUSES * sizeof(Standing))
    l.paths = NULL
    l.steps = NULL
    l.cells = NULL
    l.standing = NULL


cdef void losses_clear(Losses* l) noexcept nogil:
    """Make the numbers of an empty table, whose arrays are zeros."""
    cdef uint32_t cause
    l.step_ns = 1
    l.deadline_ns = INT64_MAX
    for cause in range(CAUSES):
        l.met_ns[cause] = INT64_MAX
    l.areas[AREAS - 1].size = l.groups[GROUPS - 1].size = 5
    memcpy(l.areas[AREAS - 1].text, b"other", 5)
    memcpy(l.groups[GROUPS - 1].text, b"other", 5)


cdef uint32_t number_of(LossName* names, uint32_t* used, uint32_t last, const uint8_t* text,
                        uint32_t size) noexcept nogil:
    """The number of a name, a new one when it is new; the last one when it is too long, or there are too many."""
    cdef uint32_t number
    if size > LOSS_NAME_BYTES_MAX:
        return last
    for number in range(used[0]):
        if names[number].size == size and memcmp(names[number].text, text, size) == 0:
            return number
    if used[0] == last:
        return last
    number = used[0]
    names[number].size = <uint8_t>size
    memcpy(names[number].text, text, size)
    used[0] = number + 1
    return number


# -- counts --------------------------------------------------------------------------------------------------------


cdef void losses_recount(Losses* l) noexcept nogil:
    """Count all paths again: after loading, and when the window got another width."""
    cdef uint32_t at, cause
    memset(l.steps, 0, STEPS_BYTES)
    memset(l.cells, 0, CELLS * sizeof(LossCount))
    memset(l.causes, 0, CAUSES * sizeof(LossCount))
    for cause in range(CAUSES):
        l.standing[cause].members = 0
        memset(l.standing[cause].areas, 0, AREAS * sizeof(uint32_t))
        memset(l.standing[cause].groups, 0, GROUPS * sizeof(uint32_t))
    for at in range(l.paths_used):
        if l.paths[at].flags:
            count_supervised(l, l.paths[at].cell, 1)
            if l.paths[at].flags & PATH_FAULT:
                path_count(l, &l.paths[at])


cdef void forget_step(Losses* l, uint32_t step) noexcept nogil:
    """The paths of one step are recent no longer."""
    cdef uint32_t cell
    cdef uint32_t* counts = &l.steps[step * CELLS]
    for cell in range(CELLS):
        if l.cells[cell].recent and counts[cell]:
            count_recent(l, cell, -<int32_t>counts[cell])
            counts[cell] = 0


cdef void advance(Losses* l, int64_t now_ns, const LossRules* rules) noexcept nogil:
    """Move to a time; back is nowhere."""
    cdef int64_t step_ns = max(rules.within_ns // LOSS_STEPS, <int64_t>1), before, after
    now_ns = max(now_ns, l.now_ns)
    before = l.now_ns // l.step_ns
    after = now_ns // l.step_ns
    l.now_ns = now_ns
    if step_ns != l.step_ns:
        l.step_ns = step_ns
        losses_recount(l)
    elif after == before:
        if l.stale:
            refresh_all(l, rules)
        return
    elif l.causes[CAUSE_ALL].recent:
        before = max(before, after - LOSS_STEPS)
        while before < after:
            before += 1
            forget_step(l, <uint32_t>(before % LOSS_STEPS))
    refresh_all(l, rules)


# -- causes --------------------------------------------------------------------------------------------------------


cdef inline bint is_cause(const Losses* l, uint32_t cause) noexcept nogil:
    """Whether people would know what is lost."""
    if cause == CAUSE_ALL:
        return True
    if cause < AREAS:
        return cause != AREAS - 1 and l.areas[cause].size
    return cause != CAUSE_ALL - 1 and l.groups[cause - AREAS].size


cdef inline double share_of(const LossCount* c) noexcept nogil:
    """Of the paths that could go together, how many did."""
    cdef uint32_t all_ = c.supervised - c.faults + c.recent
    return <double>c.recent / all_ if all_ else 0.0


cdef inline bint is_met(const Losses* l, uint32_t cause, const LossRules* rules) noexcept nogil:
    cdef const LossCount* c = &l.causes[cause]
    return c.recent != 0 and c.recent >= rules.members and share_of(c) >= rules.share \
        and <uint64_t>c.recent * 4 >= c.members and is_cause(l, cause)


cdef void renew_deadline(Losses* l, const LossRules* rules) noexcept nogil:
    cdef uint32_t cause
    l.deadline_ns = INT64_MAX
    for cause in range(CAUSES):
        if l.met_ns[cause] != INT64_MAX:
            l.deadline_ns = min(l.deadline_ns, l.met_ns[cause] + rules.settle_ns)
        if l.standing[cause].id and l.standing[cause].low_ns != INT64_MAX:
            l.deadline_ns = min(l.deadline_ns, restore_ns(&l.standing[cause], rules))


cdef inline int64_t restore_ns(const Standing* s, const LossRules* rules) noexcept nogil:
    return max(s.low_ns + rules.settle_ns, s.told_ns + rules.within_ns)


cdef inline bint refresh_met(Losses* l, uint32_t cause, const LossRules* rules) noexcept nogil:
    """Look whether a cause is met; True when that changed."""
    cdef bint met = is_met(l, cause, rules)
    if met == (l.met_ns[cause] != INT64_MAX):
        return False
    l.met_ns[cause] = l.now_ns if met else INT64_MAX
    return True


cdef inline bint refresh_low(Losses* l, uint32_t cause, const LossRules* rules) noexcept nogil:
    """Look whether few enough of a loss are in fault; True when that changed."""
    cdef Standing* s = &l.standing[cause]
    cdef bint low = s.members == 0 or <double>s.members < rules.restored_share * s.peak
    if s.id == 0 or low == (s.low_ns != INT64_MAX):
        return False
    s.low_ns = l.now_ns if low else INT64_MAX
    return True


cdef void refresh_all(Losses* l, const LossRules* rules) noexcept nogil:
    cdef uint32_t cause
    for cause in range(CAUSES):
        refresh_met(l, cause, rules)
        refresh_low(l, cause, rules)
    l.stale = False
    renew_deadline(l, rules)


cdef inline void refresh(Losses* l, uint32_t cell, uint8_t member_of, const LossRules* rules) noexcept nogil:
    """Look again at all that a path of a cell can have changed."""
    cdef bint changed = refresh_met(l, area_of(cell), rules)
    changed |= refresh_met(l, group_of(cell), rules)
    changed |= refresh_met(l, CAUSE_ALL, rules)
    if member_of != NO_CAUSE:
        changed |= refresh_low(l, member_of, rules)
    if changed:
        renew_deadline(l, rules)


cdef inline bint about_to(const Losses* l, uint32_t cell) noexcept nogil:
    return l.met_ns[area_of(cell)] != INT64_MAX or l.met_ns[group_of(cell)] != INT64_MAX \
        or l.met_ns[CAUSE_ALL] != INT64_MAX


# -- paths ---------------------------------------------------------------------------------------------------------


cdef void losses_place(Losses* l, uint32_t path, const uint8_t* area, uint32_t area_size, const uint8_t* group,
                       uint32_t group_size) noexcept nogil:
    """A path is supervised, or moves. In fault it stays so, and leaves the loss whose member it was.

    area, group  borrowed; beyond LOSS_NAME_BYTES_MAX, or when all numbers are given, they are `other`. A group of NULL
                 is the one that the path has
    """
    cdef uint32_t cell, number
    cdef LossPath* p
    if path >= l.paths_max or group == NULL and not l.paths[path].flags:
        return
    p = &l.paths[path]
    number = p.cell % GROUPS if group == NULL else number_of(l.groups, &l.groups_used, GROUPS - 1, group, group_size)
    cell = number_of(l.areas, &l.areas_used, AREAS - 1, area, area_size) * GROUPS + number
    if p.flags and p.cell == cell:
        return
    if p.flags:
        leave(l, p)
    l.paths_used = max(l.paths_used, path + 1)
    p.cell = <uint16_t>cell
    p.cause = NO_CAUSE
    p.flags |= PATH_SUPERVISED
    l.stale = True
    count_supervised(l, cell, 1)
    if p.flags & PATH_FAULT:
        path_count(l, p)


cdef void leave(Losses* l, LossPath* p) noexcept nogil:
    if p.flags & PATH_FAULT:
        path_uncount(l, p)
        l.deadline_ns = min(l.deadline_ns, l.now_ns)     # what stood or was met need not any longer
    l.stale = True
    count_supervised(l, p.cell, -1)


cdef void losses_drop(Losses* l, uint32_t path) noexcept nogil:
    """A path is supervised no longer."""
    if path < l.paths_max and l.paths[path].flags:
        leave(l, &l.paths[path])
        memset(&l.paths[path], 0, sizeof(LossPath))


cdef bint losses_note(Losses* l, uint32_t path, bint raised, int64_t received_ns,
                      const LossRules* rules) noexcept nogil:
    """A line fault of a path is raised or cleared; said again, or of a path that is not supervised, it counts nothing.

    Returns  True when the path is, or was until now, part of a loss that stands, or is one of many that are about to be
             told as one
    """
    cdef LossPath* p
    cdef bint part
    cdef uint8_t member_of
    advance(l, received_ns, rules)
    if path >= l.paths_max or not l.paths[path].flags:
        return False
    p = &l.paths[path]
    if raised == (p.flags & PATH_FAULT != 0):
        return raised and (p.cause != NO_CAUSE or (is_recent(l, p.went_ns) and about_to(l, p.cell)))
    if raised:
        p.flags |= PATH_FAULT
        p.went_ns = l.now_ns
        p.cause = member_of = standing_over(l, p.cell)
        path_count(l, p)
        refresh(l, p.cell, member_of, rules)
        return member_of != NO_CAUSE or about_to(l, p.cell)
    member_of = p.cause
    part = member_of != NO_CAUSE or (is_recent(l, p.went_ns) and about_to(l, p.cell))
    path_uncount(l, p)
    p.flags = PATH_SUPERVISED
    p.went_ns = 0
    p.cause = NO_CAUSE
    refresh(l, p.cell, member_of, rules)
    return part


# -- what is told --------------------------------------------------------------------------------------------------


cdef uint32_t common(const Losses* l, uint32_t one, uint32_t other) noexcept nogil:
    """How many recent paths two causes have in common."""
    if one == other or other == CAUSE_ALL:
        return l.causes[one].recent
    if one == CAUSE_ALL:
        return l.causes[other].recent
    if one < AREAS and other >= AREAS:
        return l.cells[one * GROUPS + other - AREAS].recent
    if other < AREAS and one >= AREAS:
        return l.cells[other * GROUPS + one - AREAS].recent
    return 0


cdef inline bint explains(const Losses* l, uint32_t other, uint32_t one) noexcept nogil:
    return l.met_ns[other] != INT64_MAX and <uint64_t>common(l, one, other) * 5 >= <uint64_t>l.causes[one].recent * 4


cdef uint32_t choose(const Losses* l, uint32_t one) noexcept nogil:
    """The met cause that explains a met one best, maybe itself."""
    cdef uint32_t cause, most = 0, best = one
    cdef double share = 0.0
    for cause in range(CAUSES):
        if explains(l, cause, one):
            most = max(most, l.causes[cause].recent)
    for cause in range(CAUSES):
        if explains(l, cause, one) and <uint64_t>l.causes[cause].recent * 5 >= <uint64_t>most * 4:
            share = max(share, share_of(&l.causes[cause]))
    most = 0
    for cause in range(CAUSES - 1, -1, -1):      # everything first, then groups, then areas
        if explains(l, cause, one) and share_of(&l.causes[cause]) >= 0.9 * share and l.causes[cause].recent >= most:
            if cause == CAUSE_ALL:
                return cause
            most = l.causes[cause].recent
            best = cause
    return best


cdef uint32_t ripe(const Losses* l, const LossRules* rules) noexcept nogil:
    """Of the causes that are met long enough, the one with the most recent paths."""
    cdef uint32_t cause, found = NO_CAUSE
    for cause in range(CAUSES):
        if l.met_ns[cause] != INT64_MAX and l.met_ns[cause] + rules.settle_ns <= l.now_ns \
                and (found == NO_CAUSE or l.causes[cause].recent > l.causes[found].recent):
            found = cause
    return found


cdef void begin(Losses* l, uint32_t cause, uint64_t number) noexcept nogil:
    """A cause is lost: all of its recent paths become members."""
    cdef Standing* s = &l.standing[cause]
    cdef LossPath* p
    cdef uint32_t at
    l.last_id = s.id = max(number, l.last_id + 1)
    s.since_ns = INT64_MAX
    s.told_ns = l.now_ns
    s.low_ns = INT64_MAX
    s.peak = 0
    for at in range(l.paths_used):
        p = &l.paths[at]
        if p.flags & PATH_FAULT and p.cause == NO_CAUSE and covers(cause, p.cell) and is_recent(l, p.went_ns):
            path_uncount(l, p)
            p.cause = <uint8_t>cause
            path_count(l, p)
            s.since_ns = min(s.since_ns, p.went_ns)


cdef void end(Losses* l, uint32_t cause) noexcept nogil:
    """A loss is over: what is left of it counts as gone now."""
    cdef LossPath* p
    cdef uint32_t at
    for at in range(l.paths_used):
        p = &l.paths[at]
        if p.flags & PATH_FAULT and p.cause == cause:
            path_uncount(l, p)
            p.cause = NO_CAUSE
            p.went_ns = l.now_ns
            path_count(l, p)
    memset(&l.standing[cause], 0, sizeof(Standing))


cdef uint8_t shares(LossShare* out, const uint32_t* members, uint32_t count, const LossCount* totals,
                    uint32_t stride) noexcept nogil:
    """The LOSS_SHARES_MAX largest parts, falling; return how many there are."""
    cdef uint32_t number, used = 0, at
    for number in range(count):
        if members[number] == 0:
            continue
        at = used
        while at > 0 and out[at - 1].members < members[number]:
            if at < LOSS_SHARES_MAX:
                out[at] = out[at - 1]
            at -= 1
        if at < LOSS_SHARES_MAX:
            out[at].number = number
            out[at].members = members[number]
            out[at].supervised = totals[number * stride].supervised
            used = min(used + 1, <uint32_t>LOSS_SHARES_MAX)
    return <uint8_t>used


cdef void losses_describe(const Losses* l, uint32_t cause, Loss* loss) noexcept nogil:
    """Fill in a loss as it stands now."""
    cdef const Standing* s = &l.standing[cause]
    cdef uint32_t number = 0 if cause == CAUSE_ALL else cause if cause < AREAS else cause - AREAS
    memset(loss, 0, sizeof(Loss))
    loss.id = s.id
    loss.since_ns = s.since_ns
    loss.told_ns = s.told_ns
    loss.now_ns = l.now_ns
    loss.members = s.members
    loss.supervised = l.causes[cause].supervised
    loss.peak = s.peak
    loss.kind = LOSS_ALL if cause == CAUSE_ALL else LOSS_AREA if cause < AREAS else LOSS_GROUP
    loss.number = <uint8_t>number
    if loss.kind == LOSS_GROUP:
        loss.areas_count = shares(loss.areas, s.areas, AREAS, &l.cells[number], GROUPS)
    else:
        loss.areas_count = shares(loss.areas, s.areas, AREAS, l.causes, 1)
    if loss.kind == LOSS_AREA:
        loss.groups_count = shares(loss.groups, s.groups, GROUPS, &l.cells[number * GROUPS], 1)
    else:
        loss.groups_count = shares(loss.groups, s.groups, GROUPS, &l.causes[AREAS], 1)


cdef bint losses_due(Losses* l, int64_t now_ns, uint64_t number, const LossRules* rules, Loss* told) noexcept nogil:
    """Find one thing to tell; to be called again until it returns False, when losses_deadline has come or passed.

    number  of the row that brought the time; a loss that begins takes it as its id
    told    filled when it returns True
    Cost    a few microseconds; telling something, one pass over the paths
    """
    cdef uint32_t cause
    advance(l, now_ns, rules)
    refresh_all(l, rules)
    for cause in range(CAUSES):
        if l.standing[cause].id and l.standing[cause].low_ns != INT64_MAX \
                and restore_ns(&l.standing[cause], rules) <= l.now_ns:
            losses_describe(l, cause, told)
            told.restored = True
            end(l, cause)
            refresh_all(l, rules)
            return True
    cause = ripe(l, rules)
    if cause == NO_CAUSE:
        return False
    cause = choose(l, cause)
    begin(l, cause, number)
    losses_describe(l, cause, told)
    refresh_all(l, rules)
    return True


cdef int losses_check(const Losses* l) except -1:
    """Raise AssertionError unless the counts are those of the paths. Walks everything."""
    cdef uint32_t at, cause, cell, step
    cdef const LossPath* p
    cells = {}
    steps = {}
    losses = {}
    for at in range(l.paths_max if l.paths_max < 10000 else l.paths_used):
        p = &l.paths[at]
        assert p.flags in (0, PATH_SUPERVISED, PATH_SUPERVISED | PATH_FAULT)
        assert p.flags & PATH_FAULT or p.went_ns == 0
        assert p.flags or (at >= l.paths_used or p.cell == p.cause == 0)
        if not p.flags:
            continue
        counts = cells.setdefault(p.cell, [0, 0, 0, 0])
        counts[0] += 1
        if p.flags & PATH_FAULT:
            counts[1] += 1
            if p.cause != NO_CAUSE:
                assert l.standing[p.cause].id and covers(p.cause, p.cell)
                counts[3] += 1
                losses[p.cause] = losses.get(p.cause, 0) + 1
            elif is_recent(l, p.went_ns):
                counts[2] += 1
                key = (p.went_ns // l.step_ns % LOSS_STEPS, p.cell)
                steps[key] = steps.get(key, 0) + 1
    sums = [[0, 0, 0, 0] for cause in range(CAUSES)]
    for cell in range(CELLS):
        if cell not in cells:
            assert count_list(&l.cells[cell]) == [0, 0, 0, 0]
            continue
        assert cells[cell] == count_list(&l.cells[cell])
        for cause in (area_of(cell), group_of(cell), CAUSE_ALL):
            sums[cause] = [a + b for a, b in zip(sums[cause], cells[cell], strict=True)]
    for step in range(LOSS_STEPS * CELLS):
        if l.steps[step]:
            assert steps.pop((step // CELLS, step % CELLS)) == l.steps[step]
    assert not steps
    for cause in range(CAUSES):
        assert sums[cause] == count_list(&l.causes[cause])
        assert l.standing[cause].members == losses.get(cause, 0) <= l.standing[cause].peak
        assert sum([l.standing[cause].areas[at] for at in range(AREAS)]) == l.standing[cause].members
        assert sum([l.standing[cause].groups[at] for at in range(GROUPS)]) == l.standing[cause].members
    return 0


cdef list count_list(const LossCount* c):
    return [c.supervised, c.faults, c.recent, c.members]
