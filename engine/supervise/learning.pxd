# What supervision time a path should have, by the silences that it showed.
#
# Three of its usual silences must fit: an operator polls so often that two lost polls in a row are no fault. The time
# is rounded up to one that people use. From FRAMES_MIN frames on there is a proposal; with `apply` it becomes the time
# of a path that nobody named one for, by a row of the journal, so that a replay gives it the same.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from engine.clock cimport Clock
from engine.intake cimport Intake
from engine.observed cimport Interval
from engine.paths cimport PathTable

cdef enum:
    SLICE_PATHS = 2048           # looked at in one turn
    POLLS = 3                    # that must fit into a time
    JITTER_PARTS = 16            # a silence that is longer than its interval by one of so many parts is still on time

cdef class Learner:
    cdef PathTable paths
    cdef Intake intake
    cdef Clock clock
    cdef readonly str mode           # off, propose, apply
    cdef uint32_t min_ms
    cdef uint32_t max_ms
    cdef uint32_t at                 # the path that is looked at next
    cdef uint64_t ticket             # of the rows that are on their way
    cdef readonly uint64_t learned

    cdef Interval interval(self, uint32_t number) noexcept nogil
    cdef bint named(self, uint32_t number) noexcept nogil
    cdef uint32_t proposed_ms(self, const Interval* interval) noexcept nogil
    cdef uint32_t wanted_ms(self, uint32_t number) noexcept nogil
    cdef bint push(self, uint32_t number, uint32_t time_ms, int64_t wall_ns) noexcept nogil
