"""What supervision must not forget between two snapshots: who was heard, to the second.

A path's age is how long before the time of writing it was heard, in ms and 31 bits (24 days; older is as old). The
upper bit says that a start gave it time, and that it is silent since: no start gives such a path any more. Without
that, an engine that is started again every minute would never report a transmitter that is gone.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

from engine.atomics cimport load_64
from engine.memory cimport memory_release, memory_reserve
from engine.path_roles cimport deadline_ms, time_ms
from engine.paths cimport PATH_FAULT, Path

cdef enum:
    CHUNK_PATHS = 65536
    AGE_MS_MAX = 0x7FFFFFFF
    GIVEN = 0x80000000


cdef class Touches:
    def __cinit__(self, PathTable paths not None):
        self.paths = paths
        self.given_ms = <int64_t*>memory_reserve(<size_t>paths.paths_max * 8)

    def __dealloc__(self):
        if self.paths is not None:
            memory_release(self.given_ms, <size_t>self.paths.paths_max * 8)

    def ages(self, uint32_t count, int64_t now_ms):
        cdef uint32_t at = 0, size
        cdef uint32_t* out
        while at < count:
            size = min(count - at, <uint32_t>CHUNK_PATHS)
            chunk = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>size * 4)
            out = <uint32_t*>PyBytes_AS_STRING(chunk)
            with nogil:
                self.pack(at, size, now_ms, out)
            yield chunk
            at += size

    cdef int pack(self, uint32_t start, uint32_t count, int64_t now_ms, uint32_t* out) noexcept nogil:
        cdef uint32_t i, number
        cdef int64_t heard_ms
        for i in range(count):
            number = start + i
            heard_ms = load_64(&self.paths.path[number].heard_ms)
            out[i] = <uint32_t>min(max(now_ms - heard_ms, 0), <int64_t>AGE_MS_MAX)
            if self.given_ms[number] == heard_ms != 0:
                out[i] |= <uint32_t>GIVEN
        return 0

    def load(self, bytes ages not None, int64_t now_ms):
        cdef const uint32_t* age = <const uint32_t*>PyBytes_AS_STRING(ages)
        cdef uint32_t number
        for number in range(min(<uint32_t>(len(ages) // 4), self.paths.count)):
            self.paths.path[number].heard_ms = now_ms - (age[number] & <uint32_t>AGE_MS_MAX)
            self.given_ms[number] = self.paths.path[number].heard_ms if age[number] & <uint32_t>GIVEN else 0

    def resume(self, int64_t now_ms, int64_t grace_ms, uint32_t known, *, int64_t life_ms):
        cdef uint32_t number
        with nogil:
            for number in range(known, self.paths.count):
                self.paths.path[number].heard_ms = now_ms
            for number in range(self.paths.count):
                self.give_time(number, now_ms, grace_ms, life_ms)

    cdef void give_time(self, uint32_t number, int64_t now_ms, int64_t grace_ms, int64_t life_ms) noexcept nogil:
        cdef Path* path = &self.paths.path[number]
        cdef int64_t whole_ms = time_ms(self.paths, number), least_ms = min(grace_ms, whole_ms), left_ms
        path.heard_ms = min(path.heard_ms, now_ms)
        if path.state >= PATH_FAULT:
            return                       # its time is over; the other paths of its transmitter count from there
        if self.given_ms[number] == path.heard_ms != 0 and life_ms >= least_ms // 2:
            return
        left_ms = deadline_ms(self.paths, number) - now_ms
        left_ms = max(left_ms, 0) + least_ms
        path.heard_ms = min(max(path.heard_ms, now_ms + left_ms - whole_ms), now_ms)
        self.given_ms[number] = path.heard_ms
