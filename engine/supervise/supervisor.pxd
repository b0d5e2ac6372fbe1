# SUPERVISE: who is silent past its time. It turns the wheel, looks at the paths that come out of it, and hands line
# faults to the intake as signals like any other; and a system fault, in the same frame as the line fault of the last
# path, when a transmitter with several has none left.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from engine.clock cimport Clock
from engine.intake cimport Intake
from engine.path_role cimport Members, PathRole
from engine.paths cimport Path, PathTable
from engine.supervise.listening cimport ListeningClock
from engine.supervise.wheel cimport Wheel

cdef enum:
    SLICE_PATHS = 1024           # paths looked at in one slice: some 0.1 ms
    SLICES_MAX = 8               # of one turn
    LOOK_AGAIN_MS = 5000         # after a line fault went to the journal
    RETRY_MS = 64                # a path whose row found no room is looked at again after this
    EXCUSED_EVERY_MS = 3_600_000  # a path gets time for dropped frames once in an hour

cdef class Supervisor:
    cdef PathTable paths
    cdef Wheel wheel
    cdef ListeningClock listening
    cdef Clock clock
    cdef Intake intake
    cdef uint32_t filed_upto         # paths below were filed in the wheel once
    cdef uint32_t due[SLICE_PATHS]
    cdef int64_t* excused_ms         # owned; listening time when a path last got time for dropped frames, 0 = never
    cdef int64_t drops               # of the sockets, as last told; -1 before
    cdef int64_t dropped_ms          # listening time when they last rose
    cdef int64_t doubted_ms          # listening time of the last fault that may be one of ours; 0 = none
    cdef readonly uint64_t excused   # faults that were put off, because a frame of the path may have been dropped
    cdef readonly uint64_t line_faults
    cdef readonly uint64_t cleared
    cdef readonly uint64_t looked_at
    cdef readonly uint64_t system_faults
    cdef readonly uint64_t system_cleared

    cdef bint turn_slices(self, int64_t now_ms, int64_t wall_ns) noexcept nogil
    cdef void look(self, uint32_t number, int64_t now_ms, int64_t wall_ns) noexcept nogil
    cdef bint excuse(self, uint32_t number, Path* path, int64_t time, int64_t now_ms) noexcept nogil
    cdef void file_alternates(self, uint32_t lead, int64_t now_ms) noexcept nogil
    cdef void revisit(self, int64_t now_ms, int64_t wall_ns) noexcept nogil
    cdef void reconcile(self, uint32_t number, int64_t wall_ns) noexcept nogil
    cdef bint push(self, uint32_t number, uint8_t state, int64_t wall_ns) noexcept nogil
    cdef void push_system(self, PathRole* role, uint8_t state, int64_t wall_ns) noexcept nogil
    cdef void push_row(self, uint32_t number, uint16_t condition, uint8_t state, int64_t wall_ns) noexcept nogil
