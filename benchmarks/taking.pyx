"""The engine's receiver, driven in C as its sockets drive it; no socket and no journal."""
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset
from codec.batch cimport Batch
from engine.listen.receiver cimport ACTION_WAIT, Arrival, Receiver, Taken
from engine.paths cimport PathTable
from engine.admit.admit import Admit
from engine.heartbeats import HeartbeatLog
from engine.listen.enrolment import Enrolment
from engine.listen.refused import RefusedFrames

ROWS, ARENA_BYTES, FRAMES_REMEMBERED, WORDS_REMEMBERED = 16384, 1 << 24, 1 << 20, 1 << 20
WINDOW_NS, SUPERVISION_MS = 600_000_000_000, 3_600_000


cdef class Listening:
    cdef PathTable paths
    cdef object admit
    cdef Receiver receiver
    cdef uint16_t listener

    def __init__(self, uint32_t paths):
        self.paths = PathTable(max(paths, 1000), bytes(16))
        self.admit = Admit(ROWS, ARENA_BYTES, FRAMES_REMEMBERED, WINDOW_NS, bytes(16), WORDS_REMEMBERED)
        enrolment = Enrolment(self.paths, "enrol", 1e9, max(paths, 1000), SUPERVISION_MS, [])
        self.receiver = Receiver(self.paths, enrolment, self.admit, RefusedFrames(), HeartbeatLog(0))
        self.listener = enrolment.listen_on("default", "")

    def meet(self, bytes data not None, int64_t received_ns):
        self.take(data, received_ns)
        self.settle()

    def settle(self):
        """Let what gathered be durable, as the journal does."""
        cdef Batch rows = Batch.view(self.admit.batch.encode())
        self.admit.release(self.admit.take())
        self.paths.apply(rows, False)

    @property
    def rows_in(self):
        return len(self.admit)

    def save(self):
        return self.admit.save()

    def take(self, bytes data not None, int64_t received_ns):
        cdef const uint8_t* start = <const uint8_t*>PyBytes_AS_STRING(data)
        cdef uint32_t size = <uint32_t>len(data), at = 0, frames = 0
        cdef uint64_t reply_bytes = 0
        cdef Arrival arrival
        cdef Taken taken
        memset(&arrival, 0, sizeof(Arrival))
        arrival.listener = self.listener
        arrival.received_ns = arrival.monotonic_ns = received_ns
        arrival.heard_ms = received_ns // 1000000
        arrival.peer = 1
        with nogil:
            while at < size:
                self.receiver.take(start + at, size - at, &arrival, &taken)
                if taken.action == ACTION_WAIT:
                    break
                at += taken.size
                frames += 1
                reply_bytes += taken.reply_size
        return frames, reply_bytes
