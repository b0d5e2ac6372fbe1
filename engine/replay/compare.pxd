# Two outcomes of the same rows, side by side: how much of each there is, and where they differ.
#
# A row differs when the verdict, its reason, or the event that it made says something else: what leaves, of which
# class, how it is verified, how urgent, why. Numbers of events and of rules, and names of rules, may differ without
# that: two books name and number their rules each in its own way.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from codec.batch cimport Columns
from engine.filter.outcome cimport Outcome

cdef enum:
    VERDICTS = 4                     # of the tables below: powers of two above the numbers of the words
    REASONS = 32
    TYPES = 8
    VERIFICATIONS = 8
    PRIORITIES = 16
    AHEAD = 64                       # events that are looked through for the one that fits

cdef struct Tally:                   # of one side
    uint64_t verdicts[VERDICTS * REASONS]    # signals
    uint64_t events[TYPES * VERIFICATIONS]
    uint64_t priorities[PRIORITIES]          # of events that raise an alarm

cdef struct Difference:
    uint32_t row                     # of the batch, or NO_ROW
    int64_t  was                     # index of the event, or -1
    int64_t  would

cdef class Comparison:
    cdef int64_t since_ns            # rows and events before it are not looked at, nor those from `until_ns` on
    cdef int64_t until_ns
    cdef bytes area_text
    cdef const char* area
    cdef uint32_t area_size          # 0: everywhere
    cdef uint32_t parts              # of the area
    cdef readonly uint64_t signals
    cdef readonly uint64_t differences
    cdef Tally was
    cdef Tally would
    cdef Difference* found           # owned; room for the largest batch so far
    cdef size_t found_count
    cdef size_t found_max

    cdef int reserve(self, size_t wanted) except -1
    cdef void count_rows(self, const Columns* c, Outcome was, Outcome would) noexcept nogil
    cdef void count_events(self, Tally* tally, Outcome outcome) noexcept nogil
    cdef void compare_rows(self, const Columns* c, Outcome was, Outcome would) noexcept nogil
    cdef void compare_rest(self, Outcome was, Outcome would) noexcept nogil
    cdef void note(self, uint32_t row, int64_t was, int64_t would) noexcept nogil
    cdef bint looks_at(self, int64_t ns) noexcept nogil
    cdef bint is_here(self, Outcome outcome, int64_t event) noexcept nogil
