# Heartbeats on their way to rows of their own (`store.heartbeats = "all"`): a ring, best effort, the first to be shed.
# One thread writes a ring, and the loop takes out of it; a receiver thread has one of its own, a part of the loop's.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from engine.atomics cimport acquire_64, publish_64

cdef struct Heartbeat:
    int64_t  received_ns
    uint32_t path

cdef class HeartbeatLog:
    cdef Heartbeat* ring             # owned; NULL when heartbeats are not kept
    cdef uint32_t capacity
    cdef uint64_t head
    cdef uint64_t tail
    cdef uint64_t lost
    cdef list parts                  # of other threads; what is asked of this log is asked of them too

cdef inline void heartbeat_note(HeartbeatLog log, uint32_t path, int64_t received_ns) noexcept nogil:
    """Keep one heartbeat; without room it is shed and counted."""
    if log.ring == NULL:
        return
    if log.head - acquire_64(&log.tail) == log.capacity:
        publish_64(&log.lost, log.lost + 1)
        return
    log.ring[log.head % log.capacity].received_ns = received_ns
    log.ring[log.head % log.capacity].path = path
    publish_64(&log.head, log.head + 1)
