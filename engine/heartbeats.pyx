"""The ring in which heartbeats wait to become rows."""
from engine.memory cimport memory_release, memory_reserve


HEARTBEAT_LOG_ROWS = 1 << 20      # some ten seconds of 100,000 a second


cdef class HeartbeatLog:
    def __cinit__(self, uint32_t capacity=0):
        self.capacity = capacity
        self.parts = []
        if capacity:
            self.ring = <Heartbeat*>memory_reserve(<size_t>capacity * sizeof(Heartbeat))

    def __dealloc__(self):
        memory_release(self.ring, <size_t>self.capacity * sizeof(Heartbeat))

    def __len__(self):
        return acquire_64(&self.head) - self.tail + sum(len(part) for part in self.parts)

    @property
    def shed(self):
        return acquire_64(&self.lost) + sum(part.shed for part in self.parts)

    def part(self):
        cdef HeartbeatLog part = HeartbeatLog(self.capacity)
        self.parts.append(part)
        return part
