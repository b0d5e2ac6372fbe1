# The path table as COPY rows: states at once, last_seen_at now and then, quarter hours, single heartbeats.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from engine.paths cimport PathTable
from engine.store.copy cimport Copy, PathRow

cdef class PathChanges(Copy):
    cdef PathTable paths
    cdef uint32_t at                 # where the slow pass over all paths stands
    cdef int64_t pass_began_ms       # wall clock when this pass began; what was seen since the one before is written
    cdef int64_t pass_before_ms
    cdef bint look_at_all            # a write failed, or more changed than the list holds
    cdef bint hurried                # this pass looks at all, in larger slices
    cdef bint doubted                # what was told before counts for nothing in it: a write failed

    cdef int put(self, uint32_t number) except -1

cdef class Rollups(Copy):
    cdef PathTable paths
    cdef uint32_t at

cdef class HeartbeatRows(Copy):
    cdef PathTable paths
