"""The TCP side of LISTEN.

All connections share one receive buffer: a read is taken whole before the next begins, so a connection keeps memory
of its own only for the beginning of a frame that was cut, and for replies that wait. It holds its place among
`connections_max` from the moment when it comes until its socket is gone.
"""
import socket as sockets

from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.buffer cimport PyBUF_WRITE
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from codec.limits cimport REPLY_BYTES_MAX
from codec.status cimport BAD_FIELD, BAD_START, OK
from codec.words cimport FRAME_HEARTBEAT
from engine.histogram cimport histogram_add
from engine.listen.address cimport set_peer_hash
from engine.listen.counters cimport REFUSED_FRAME_TIMEOUT, REFUSED_GARBAGE_LIMIT, SHED_CONNECTION, Refusal
from engine.listen.receiver cimport ACTION_HOLD, ACTION_NO_ROOM, ACTION_REPLY, ACTION_WAIT, PROTOCOL_ANY
from engine.listen.shares import Shares
from engine.paths cimport path_fetch

WRITE_BUFFER_BYTES_MAX = 65536   # replies that a peer leaves unread before we stop reading from it


cdef class TcpListener:
    def __cinit__(self, Receiver receiver not None, Clock clock not None, ListeningClock listening not None,
                  uint16_t listener, Histogram heartbeat_latency not None, Histogram signal_latency not None, *,
                  uint32_t connections_max, uint32_t held_per_connection_max, uint32_t held_max,
                  uint32_t garbage_bytes_max, int64_t idle_ns, int64_t frame_ns, on_rows not None,
                  uint8_t protocol=PROTOCOL_ANY):
        self.receiver = receiver
        self.counters = &receiver.counters
        self.clock = clock
        self.listening = listening
        self.listener = listener
        self.protocol = protocol
        self.on_rows = on_rows
        self.heartbeat_latency = heartbeat_latency
        self.signal_latency = signal_latency
        self.limits = TcpLimits(connections_max, held_per_connection_max, held_max, garbage_bytes_max, idle_ns,
                                frame_ns)
        self.buffer = <uint8_t*>malloc(READ_BYTES_MAX)
        self.out = <uint8_t*>malloc(OUT_BYTES_MAX)
        if self.buffer == NULL or self.out == NULL:
            raise MemoryError()
        self.buffer_view = PyMemoryView_FromMemory(<char*>self.buffer, READ_BYTES_MAX, PyBUF_WRITE)
        self.connections = set()
        self.closing = {}
        self.shares = Shares(connections_max)
        self.waiting = {}
        self.closed = {}

    def __dealloc__(self):
        free(self.buffer)
        free(self.out)

    @property
    def held_in(self):
        return self.held

    def connection(self):
        """Make the protocol object of a new connection; the factory that the event loop calls."""
        return TcpConnection(self)

    def drops(self):
        """Return how often frames may have been lost here by our own doing: those behind a signal that was not kept."""
        return self.closed.get("not_durable", 0)

    def count_closed(self, str reason not None):
        self.closed[reason] = self.closed.get(reason, 0) + 1

    def refuse(self, TcpConnection connection not None, str reason not None):
        """Close a new connection at once for want of room, and count it."""
        self.counters.shed[<int>SHED_CONNECTION] += 1
        self.connections.discard(connection)
        self.count_closed(reason)
        connection.cut_off()

    def release(self, uint64_t durable):
        """Write every reply whose ticket is durable, connection by connection, and read on where that stopped it."""
        cdef TcpConnection connection
        for connection in list(self.waiting):
            connection.release(durable)

    def withhold(self, uint64_t failed):
        """Close the connections that wait for a ticket up to `failed`: an order cannot be kept over a missing reply."""
        cdef TcpConnection connection
        for connection in list(self.waiting):
            if connection.waits_for(failed):
                self.counters.replies_withheld += connection.held_in
                connection.close("not_durable")
            elif connection.held_in == 0:
                connection.release(0)  # it waited for room alone

    def sweep(self):
        """Close connections that are idle, or whose frame does not end. Called about once a second.

        One that was closed and whose peer does not take its last bytes is cut off after the time of a frame.
        """
        cdef int64_t now_ns = self.clock.monotonic_now()
        cdef TcpConnection connection
        for connection in list(self.connections):
            if connection.began_ns and now_ns - connection.began_ns > self.limits.frame_ns:
                connection.refuse(connection.carry, connection.carry_size, REFUSED_FRAME_TIMEOUT)
                connection.close("frame_timeout")
            elif connection.held_in == 0 and now_ns - connection.read_ns > self.limits.idle_ns:
                connection.close("idle")
        for connection, since_ns in list(self.closing.items()):
            if now_ns - since_ns > self.limits.frame_ns:
                connection.cut_off()

    def drain(self):
        """Take no further frames; connections without held replies are closed, the others when theirs are out."""
        cdef TcpConnection connection
        self.draining = True
        for connection in list(self.connections):
            if connection.held_in == 0:
                connection.close("shutdown")

    cdef int remember_reply(self, TcpConnection connection, const Taken* taken, int64_t received_ns) except -1:
        connection.hold(taken)
        self.waiting[connection] = None
        self.held += 1
        return 0

    cdef uint32_t peek(self, const uint8_t* data, uint32_t size, const Arrival* arrival) noexcept nogil:
        """Look at the frames ahead and return how many; see UdpListener.peek. The last may be garbage, or cut."""
        cdef uint32_t at = 0, count = 0, i
        while count < PEEKED_MAX and at < size:
            self.receiver.peek(data + at, size - at, arrival, &self.peeked[count])
            count += 1
            if self.peeked[count - 1].status != OK:
                break
            at += self.peeked[count - 1].frame.size
        for i in range(count):
            if self.peeked[i].status == OK:
                path_fetch(self.receiver.paths.path, self.receiver.paths.learned, &self.receiver.paths.by_key,
                           self.peeked[i].hash)
        return count

    cdef bint has_place(self, TcpConnection connection) noexcept nogil:
        """Tell whether a connection may bring one more reply that waits. The last eighth is for those without one."""
        cdef uint32_t held = connection.marks_head - connection.marks_tail
        return (held < self.limits.held_per_connection_max
                and self.held < self.limits.held_max - (self.limits.held_max // 8 if held else 0))

    cdef Pass take_frames(self, TcpConnection connection, uint32_t size, uint32_t* at, Taken* taken) noexcept nogil:
        """Take frames until the bytes end or a reply must be held; that one is then in `taken`."""
        cdef uint32_t heartbeats = 0, others = 0
        cdef Peeked* peeked
        cdef int64_t passed_ns
        cdef Pass how = PASS_DONE
        taken.action = ACTION_WAIT
        while at[0] < size:
            if self.out_size + REPLY_BYTES_MAX > OUT_BYTES_MAX:
                how = PASS_OUT_FULL
                break
            if not self.has_place(connection):
                how = PASS_HELD
                break
            if self.peeked_next == self.peeked_in:
                self.peeked_in = self.peek(self.buffer + at[0], size - at[0], &connection.arrival)
                self.peeked_next = 0
            peeked = &self.peeked[self.peeked_next]
            self.peeked_next += 1
            self.receiver.take_peeked(self.buffer + at[0], size - at[0], peeked, &connection.arrival, taken)
            if taken.action == ACTION_WAIT:
                break
            if taken.action == ACTION_NO_ROOM:
                how = PASS_HELD
                break
            self.counters.bytes += taken.size
            at[0] += taken.size
            if BAD_START <= taken.status <= BAD_FIELD:
                connection.garbage_bytes += taken.size
                if connection.garbage_bytes > self.limits.garbage_bytes_max:
                    how = PASS_GARBAGE
                    break
            else:
                connection.garbage_bytes -= min(connection.garbage_bytes, taken.size)
            if taken.action == ACTION_REPLY and connection.marks_head != connection.marks_tail:
                taken.action = ACTION_HOLD
                taken.ticket = 0
            if taken.action == ACTION_HOLD:
                break
            if taken.action == ACTION_REPLY:
                memcpy(self.out + self.out_size, taken.reply, taken.reply_size)
                self.out_size += taken.reply_size
                self.counters.replies[taken.protocol][taken.answer] += 1
                heartbeats += taken.kind == FRAME_HEARTBEAT
                others += taken.kind != FRAME_HEARTBEAT
        if heartbeats + others:
            passed_ns = self.clock.monotonic_now() - connection.read_ns
            histogram_add(&self.heartbeat_latency.data, passed_ns, heartbeats)
            histogram_add(&self.signal_latency.data, passed_ns, others)
        return how


cdef class TcpConnection:
    def __cinit__(self, TcpListener owner not None):
        self.owner = owner
        memset(&self.arrival, 0, sizeof(Arrival))
        self.arrival.listener = owner.listener
        self.arrival.protocol = owner.protocol
        self.arrival.waits = True

    def __dealloc__(self):
        free(self.carry)
        free(self.marks)

    @property
    def held_in(self):
        return self.marks_head - self.marks_tail

    # What the event loop calls.

    def connection_made(self, transport):
        cdef bytes source
        self.transport = transport
        self.direct = transport if isinstance(transport, TcpTransport) else None
        self.read_ns = self.owner.clock.monotonic_now()
        self.note_peer(transport.get_extra_info("peername"))
        source = PyBytes_FromStringAndSize(<char*>self.arrival.address, 16)
        # Who is connected goes first: a new one could only add to what waits for the journal.
        if self.owner.draining or self.owner.receiver.intake.crowded():
            refusal = "too_many" if self.owner.draining else "crowded"
        else:
            refusal = self.owner.shares.take(source)
        if refusal:
            self.owner.refuse(self, refusal)
            return
        self.source = source
        self.owner.counters.connections_accepted += 1
        self.owner.connections.add(self)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES_MAX)

    def get_buffer(self, sizehint):
        if self.carry_size:
            memcpy(self.owner.buffer, self.carry, self.carry_size)
        return self.owner.buffer_view[self.carry_size:]

    def buffer_updated(self, uint32_t size):
        self.run(self.carry_size + size)
        self.owner.on_rows()

    def eof_received(self):
        # A peer that has said all it will say still waits for what is held; then the connection ends.
        self.peer_done = True
        return self.held_in > 0 or self.paused_for_replies

    def pause_writing(self):
        self.paused_for_writing = True
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self):
        self.paused_for_writing = False
        if not self.paused_for_replies and self.transport is not None:
            self.transport.resume_reading()

    def connection_lost(self, error):
        if self in self.owner.connections:
            self.owner.connections.discard(self)
            self.owner.count_closed("peer")
        self.forget_held()
        self.owner.closing.pop(self, None)
        if self.source is not None:
            self.owner.shares.give_back(self.source)
        self.source = None
        self.transport = self.direct = self.ending = None

    # What becomes of the bytes.

    cdef void refuse(self, const uint8_t* data, uint32_t size, Refusal why) noexcept:
        """Count and keep what this connection is closed for."""
        self.owner.counters.rejected[0][<int>why] += 1
        self.owner.receiver.refused.note(data, size, 0, why, NULL, self.arrival.peer, self.arrival.address,
                                         self.arrival.port, self.arrival.received_ns)

    cdef int run(self, uint32_t size) except -1:
        """Take the frames in the first `size` bytes of the shared buffer; keep what is left of them."""
        cdef uint32_t at = 0
        cdef Pass how = PASS_OUT_FULL
        if self.owner.draining or self.transport is None:
            return 0
        while how == PASS_OUT_FULL:
            how = self.advance(size, &at)
        if how == PASS_GARBAGE:
            self.refuse(self.owner.buffer, size, REFUSED_GARBAGE_LIMIT)
            self.close("garbage")
            return 0
        if at or self.began_ns == 0:
            self.began_ns = self.read_ns
        if at == size or how == PASS_HELD:
            self.began_ns = 0
        self.keep(self.owner.buffer + at, size - at)
        if how == PASS_HELD and not self.paused_for_replies:
            self.paused_for_replies = True
            self.transport.pause_reading()
            self.owner.waiting[self] = None  # also without a reply of its own: it waits for room
        return 0

    cdef Pass advance(self, uint32_t size, uint32_t* at) except *:
        """Make one pass over the bytes and write the replies that it gathered."""
        cdef Taken taken
        cdef Pass how
        cdef int64_t now_ns = self.owner.clock.monotonic_now()
        self.read_ns = now_ns
        self.arrival.monotonic_ns = now_ns
        self.arrival.received_ns = self.owner.clock.wall_now()
        self.arrival.heard_ms = self.owner.listening.update(now_ns)
        self.owner.peeked_in = self.owner.peeked_next = 0    # what is left there was another connection's
        while True:
            if size - at[0] < ALONE_BYTES:
                how = self.owner.take_frames(self, size, at, &taken)
            else:
                with nogil:
                    how = self.owner.take_frames(self, size, at, &taken)
            if how != PASS_DONE or taken.action != ACTION_HOLD:
                break
            self.owner.remember_reply(self, &taken, now_ns)
        if self.owner.out_size:
            size, self.owner.out_size = self.owner.out_size, 0   # first: `out` is everybody's
            if self.direct is not None:
                self.direct.send(self.owner.out, size)
            else:
                self.transport.write(PyBytes_FromStringAndSize(<char*>self.owner.out, size))
        return how

    cdef int keep(self, const uint8_t* data, uint32_t size) except -1:
        """Keep the beginning of an unfinished frame, or frames that may not be taken yet."""
        cdef uint8_t* kept = NULL
        if size:
            kept = <uint8_t*>malloc(size)
            if kept == NULL:
                raise MemoryError()
            memcpy(kept, data, size)
        free(self.carry)
        self.carry = kept
        self.carry_size = size
        return 0

    cdef int hold(self, const Taken* taken) except -1:
        """Queue a reply behind those that wait already."""
        cdef uint32_t slots = self.owner.limits.held_per_connection_max
        cdef HeldMark* mark
        if self.marks == NULL:
            self.marks = <HeldMark*>calloc(slots, sizeof(HeldMark))
            if self.marks == NULL:
                raise MemoryError()
            self.held_bytes = bytearray()
        mark = &self.marks[self.marks_head % slots]
        mark.ticket = taken.ticket
        mark.received_ns = self.arrival.monotonic_ns
        mark.size = taken.reply_size
        mark.protocol = taken.protocol
        mark.answer = taken.answer
        self.held_bytes += taken.reply[:taken.reply_size]
        self.marks_head += 1
        return 0

    def release(self, uint64_t durable):
        """Write the replies at the head of the queue whose tickets are durable; go on reading where they stopped it."""
        cdef uint32_t slots = self.owner.limits.held_per_connection_max, size = 0
        cdef HeldMark* mark
        cdef int64_t now_ns = self.owner.clock.monotonic_now()
        while self.marks_tail != self.marks_head:
            mark = &self.marks[self.marks_tail % slots]
            if mark.ticket > durable:
                break
            size += mark.size
            histogram_add(&self.owner.signal_latency.data, now_ns - mark.received_ns, 1)
            self.owner.counters.replies[mark.protocol][mark.answer] += 1
            self.marks_tail += 1
            self.owner.held -= 1
        if size:
            self.transport.write(bytes(self.held_bytes[:size]))
            del self.held_bytes[:size]
        if self.marks_tail == self.marks_head:
            self.owner.waiting.pop(self, None)
            if self.owner.draining or self.peer_done and not self.paused_for_replies:   # a cut frame stays cut
                self.close("peer" if self.peer_done else "shutdown")
                return
        if self.paused_for_replies:
            self.read_on()

    cdef bint waits_for(self, uint64_t ticket) noexcept:
        """Tell whether a held reply waits for a ticket up to this; a repeated frame's may stand behind later ones."""
        cdef uint32_t slots = self.owner.limits.held_per_connection_max, at
        for at in range(self.marks_tail, self.marks_head):
            if 0 < self.marks[at % slots].ticket <= ticket:
                return True
        return False

    def read_on(self):
        """Take the frames that were kept, then let the loop read again."""
        cdef uint32_t size = self.carry_size
        self.paused_for_replies = False
        if size:
            memcpy(self.owner.buffer, self.carry, size)
            self.run(size)
            self.owner.on_rows()
        if self.peer_done and not self.paused_for_replies and self.held_in == 0:
            self.close("peer")
        elif not self.paused_for_replies and not self.paused_for_writing and self.transport is not None:
            self.transport.resume_reading()

    def close(self, str reason not None):
        """Close from our side. Replies that were written still leave; held ones do not."""
        if self in self.owner.connections:
            self.owner.connections.discard(self)
            self.owner.count_closed(reason)
        self.forget_held()
        transport, self.transport = self.transport, None
        if transport is not None:
            self.ending = transport
            self.owner.closing[self] = self.owner.clock.monotonic_now()
            transport.close()

    def cut_off(self):
        """End the socket without waiting for anything."""
        transport, self.transport = self.transport or self.ending, None
        self.owner.closing.pop(self, None)
        if transport is not None:
            transport.abort()

    def forget_held(self):
        self.owner.held -= self.marks_head - self.marks_tail
        self.marks_tail = self.marks_head
        self.owner.waiting.pop(self, None)

    def note_peer(self, peername):
        """Write the peer's address into what every frame of this connection arrives with."""
        if not peername:
            return
        host, port = peername[:2]
        family = sockets.AF_INET6 if ":" in host else sockets.AF_INET
        raw = sockets.inet_pton(family, host.partition("%")[0])
        raw = raw if family == sockets.AF_INET6 else bytes(10) + b"\xff\xff" + raw
        memcpy(self.arrival.address, <const char*>raw, 16)
        self.arrival.port = port
        set_peer_hash(&self.arrival)
