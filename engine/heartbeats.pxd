# Heartbeats on their way to rows of their own (`store.heartbeats = "all"`): a ring, best effort, the first to be shed.

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef struct Heartbeat:
    int64_t  received_ns
    uint32_t path

cdef class HeartbeatLog:
    cdef Heartbeat* ring             # owned; NULL when heartbeats are not kept
    cdef uint32_t capacity
    cdef uint64_t head
    cdef uint64_t tail
    cdef readonly uint64_t shed

cdef inline void heartbeat_note(HeartbeatLog log, uint32_t path, int64_t received_ns) noexcept nogil:
    """Keep one heartbeat; without room it is shed and counted."""
    if log.ring == NULL:
        return
    if log.head - log.tail == log.capacity:
        log.shed += 1
        return
    log.ring[log.head % log.capacity].received_ns = received_ns
    log.ring[log.head % log.capacity].path = path
    log.head += 1
