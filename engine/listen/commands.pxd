# Commands to sites: each goes out once, with the reply to the next good frame of its path.

from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef class Commands:
    cdef dict waiting                # path number -> list of Command, oldest first
    cdef dict sent                   # path number -> list of the last ones that are done with

    cdef uint32_t take(self, uint32_t number, int64_t now_ns, uint8_t* out) noexcept with gil
    cdef int drop_expired(self, uint32_t number, int64_t now_ns) except -1
