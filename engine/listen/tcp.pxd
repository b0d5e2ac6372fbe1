# TCP: many frames on one connection, cut anywhere; replies leave in the order of their frames.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from engine.clock cimport Clock
from engine.histogram cimport Histogram
from engine.listen.counters cimport Counters, Refusal
from engine.listen.receiver cimport Arrival, Peeked, Receiver, Taken
from engine.listen.tcp_transport cimport TcpTransport
from engine.supervise.listening cimport ListeningClock

cdef enum:
    READ_BYTES_MAX = 65536       # of one read, carried bytes included
    OUT_BYTES_MAX = 65536        # replies gathered before they are written
    ALONE_BYTES = 1024           # below, frames take less time than other threads would lose by waking for it
    PEEKED_MAX = 16              # frames looked at before the first of them is taken

cdef enum Pass:                  # how far one pass over the received bytes came
    PASS_DONE = 0                # what is left is the beginning of a frame
    PASS_OUT_FULL = 1            # write what was gathered and go on
    PASS_HELD = 2                # no further frame until replies were released, or there is room for its rows
    PASS_GARBAGE = 3             # more garbage than a connection may send

cdef struct HeldMark:            # one reply in a connection's queue
    uint64_t ticket              # 0: ready, but a reply before it is not
    int64_t  received_ns         # monotonic
    uint16_t size
    uint8_t  protocol
    uint8_t  answer

cdef struct TcpLimits:
    uint32_t connections_max
    uint32_t held_per_connection_max
    uint32_t held_max
    uint32_t garbage_bytes_max
    int64_t  idle_ns
    int64_t  frame_ns

cdef class TcpListener:
    # For the life of the listener.
    cdef Receiver receiver
    cdef Counters* counters          # of the receiver
    cdef Clock clock
    cdef ListeningClock listening
    cdef Histogram heartbeat_latency
    cdef Histogram signal_latency
    cdef TcpLimits limits
    cdef object on_rows              # called after each read that may have filled the intake
    cdef uint16_t listener
    cdef uint8_t protocol            # the one that it takes, or PROTOCOL_ANY
    cdef uint8_t* buffer             # owned; one for all connections, used from read to read
    cdef object buffer_view
    cdef uint8_t* out                # owned
    cdef uint32_t out_size
    cdef Peeked peeked[PEEKED_MAX]   # of the pass over a connection's bytes that is being made
    cdef uint32_t peeked_in
    cdef uint32_t peeked_next        # of them, the one to be taken
    cdef readonly set connections
    cdef readonly dict closing       # closed by us, still with bytes that the peer has not taken: since when
    cdef readonly object shares      # who holds how many places
    cdef readonly dict closed        # reason -> connections
    cdef dict waiting                # connections with held replies, or stopped for want of room, oldest first
    cdef uint32_t held
    cdef readonly bint draining

    cdef uint32_t peek(self, const uint8_t* data, uint32_t size, const Arrival* arrival) noexcept nogil
    cdef bint has_place(self, TcpConnection connection) noexcept nogil
    cdef Pass take_frames(self, TcpConnection connection, uint32_t size, uint32_t* at, Taken* taken) noexcept nogil
    cdef int remember_reply(self, TcpConnection connection, const Taken* taken, int64_t received_ns) except -1

cdef class TcpConnection:
    cdef TcpListener owner
    cdef object transport            # None as soon as we have closed it
    cdef TcpTransport direct         # the transport where it is one of ours, None = another kind
    cdef object ending               # the transport after that
    cdef bytes source                # whose place it holds, None = none
    cdef Arrival arrival
    cdef uint8_t* carry              # owned; the unread tail of the last read, NULL while empty
    cdef uint32_t carry_size
    cdef uint32_t garbage_bytes
    cdef int64_t read_ns             # monotonic clock of the last read
    cdef int64_t began_ns            # of the first byte of an unfinished frame, 0 = none
    cdef HeldMark* marks             # owned; a ring, NULL until the first reply is held
    cdef uint32_t marks_head
    cdef uint32_t marks_tail
    cdef bytearray held_bytes        # of the marked replies, in order
    cdef bint paused_for_replies     # held replies stop the reading
    cdef bint paused_for_writing     # the peer does not take its replies
    cdef bint peer_done              # it closed its sending side

    cdef Pass advance(self, uint32_t size, uint32_t* at) except *
    cdef int keep(self, const uint8_t* data, uint32_t size) except -1
    cdef int run(self, uint32_t size) except -1
    cdef void refuse(self, const uint8_t* data, uint32_t size, Refusal why) noexcept
    cdef int hold(self, const Taken* taken) except -1
    cdef bint waits_for(self, uint64_t ticket) noexcept
