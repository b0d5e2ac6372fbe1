# How a path in line fault is counted: at once in its cell and in the three causes that cover it.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from engine.filter.losses cimport (
    AREAS, CAUSE_ALL, CELLS, GROUPS, LOSS_STEPS, NO_CAUSE, Losses, LossPath, Standing,
)

cdef inline uint32_t area_of(uint32_t cell) noexcept nogil:
    """The cause that is a cell's area."""
    return cell // GROUPS

cdef inline uint32_t group_of(uint32_t cell) noexcept nogil:
    return AREAS + cell % GROUPS

cdef inline bint covers(uint32_t cause, uint32_t cell) noexcept nogil:
    return cause == CAUSE_ALL or cause == area_of(cell) or cause == group_of(cell)

cdef inline uint32_t* step_of(Losses* l, int64_t ns, uint32_t cell) noexcept nogil:
    return &l.steps[<uint32_t>(ns // l.step_ns % LOSS_STEPS) * CELLS + cell]

cdef inline bint is_recent(const Losses* l, int64_t ns) noexcept nogil:
    """Whether a path of no loss that went at `ns` is recent, not old."""
    return ns // l.step_ns > l.now_ns // l.step_ns - LOSS_STEPS

cdef inline void count_supervised(Losses* l, uint32_t cell, int32_t by) noexcept nogil:
    l.cells[cell].supervised += by
    l.causes[area_of(cell)].supervised += by
    l.causes[group_of(cell)].supervised += by
    l.causes[CAUSE_ALL].supervised += by

cdef inline void count_fault(Losses* l, uint32_t cell, int32_t by) noexcept nogil:
    l.cells[cell].faults += by
    l.causes[area_of(cell)].faults += by
    l.causes[group_of(cell)].faults += by
    l.causes[CAUSE_ALL].faults += by

cdef inline void count_recent(Losses* l, uint32_t cell, int32_t by) noexcept nogil:
    l.cells[cell].recent += by
    l.causes[area_of(cell)].recent += by
    l.causes[group_of(cell)].recent += by
    l.causes[CAUSE_ALL].recent += by

cdef inline void count_member(Losses* l, Standing* s, uint32_t cell, int32_t by) noexcept nogil:
    l.cells[cell].members += by
    l.causes[area_of(cell)].members += by
    l.causes[group_of(cell)].members += by
    l.causes[CAUSE_ALL].members += by
    s.members += by
    s.areas[area_of(cell)] += by
    s.groups[cell % GROUPS] += by

cdef inline uint8_t standing_over(const Losses* l, uint32_t cell) noexcept nogil:
    """The loss that takes a path which goes now: the narrowest that stands."""
    if l.standing[area_of(cell)].id:
        return <uint8_t>area_of(cell)
    if l.standing[group_of(cell)].id:
        return <uint8_t>group_of(cell)
    return CAUSE_ALL if l.standing[CAUSE_ALL].id else NO_CAUSE

cdef inline void path_count(Losses* l, LossPath* path) noexcept nogil:
    """Count a path that is in fault."""
    cdef Standing* s
    count_fault(l, path.cell, 1)
    if path.cause != NO_CAUSE:
        s = &l.standing[path.cause]
        count_member(l, s, path.cell, 1)
        s.peak = max(s.peak, s.members)
    elif is_recent(l, path.went_ns):
        count_recent(l, path.cell, 1)
        step_of(l, path.went_ns, path.cell)[0] += 1

cdef inline void path_uncount(Losses* l, LossPath* path) noexcept nogil:
    count_fault(l, path.cell, -1)
    if path.cause != NO_CAUSE:
        count_member(l, &l.standing[path.cause], path.cell, -1)
    elif is_recent(l, path.went_ns):
        count_recent(l, path.cell, -1)
        step_of(l, path.went_ns, path.cell)[0] -= 1
