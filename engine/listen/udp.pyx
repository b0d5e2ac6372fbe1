"""The UDP side of LISTEN.

One wake-up takes datagrams in rounds of 64 until the socket is empty, at most 4 rounds; each round is one recvmmsg,
a loop without the GIL, and one sendmmsg. Replies that must wait for the journal lie in a ring until their ticket is
durable. Rejected: asyncio's DatagramProtocol (one object and one system call a datagram, a quarter of the rate).
"""
import socket as sockets

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from codec.status cimport BAD_LENGTH, OK
from codec.words cimport FRAME_HEARTBEAT
from engine.histogram cimport histogram_add
from engine.index cimport Index
from engine.intake cimport TICKET_DURABLE, URGENCY_DEFERRABLE, URGENCY_FIRE, URGENCY_NORMAL
from engine.learned cimport Learned
from engine.listen.address cimport leave_interface_open, note_peer
from engine.listen.counters cimport SHED_HEARTBEAT_REPLY, SHED_HELD_REPLY, SHED_REPLY
from engine.listen.receiver cimport ACTION_HOLD, ACTION_REPLY, ACTION_WAIT, PROTOCOL_ANY
from engine.listen.sockets cimport (MSG_DONTWAIT, SO_MEMINFO, SOL_SOCKET, getsockopt, iovec, mmsghdr, msghdr,
                                    recvmmsg, sendmmsg, sockaddr_in6, socklen_t)
from engine.memory cimport memory_release, memory_reserve
from engine.paths cimport Path, path_fetch

IP_PKTINFO, IPV6_RECVPKTINFO = 8, 49

cdef enum:
    MEMINFO_DROPS = 8            # place of the drop count in what SO_MEMINFO returns
    REPLIES = 256                # replies of one round; a datagram may hold several frames


cdef inline uint8_t rank_of(const Taken* taken) noexcept nogil:
    return RANK_HEARTBEAT if taken.kind == FRAME_HEARTBEAT else RANK_SIGNAL + taken.urgency


cdef class UdpListener:
    def __cinit__(self, Receiver receiver not None, Clock clock not None, ListeningClock listening not None,
                  socket not None, uint16_t listener, uint32_t held_max, Histogram heartbeat_latency not None,
                  Histogram signal_latency not None, uint8_t protocol=PROTOCOL_ANY):
        """Serve a bound, non-blocking UDP socket. `held_max` is the number of replies that may wait."""
        self.receiver = receiver
        self.counters = &receiver.counters
        self.clock = clock
        self.listening = listening
        self.socket = socket
        self.fd = socket.fileno()
        self.listener = listener
        self.protocol = protocol
        self.held_max = held_max
        # As in the intake: the less urgent gives way first, and the last eighth is for fire, gas and prealarm.
        self.held_for[RANK_HEARTBEAT] = held_max - held_max // 2
        self.held_for[RANK_SIGNAL + <int>URGENCY_DEFERRABLE] = held_max - held_max // 4
        self.held_for[RANK_SIGNAL + <int>URGENCY_NORMAL] = held_max - held_max // 8
        self.held_for[RANK_SIGNAL + <int>URGENCY_FIRE] = held_max
        self.heartbeat_latency = heartbeat_latency
        self.signal_latency = signal_latency
        self.buffers = <uint8_t*>malloc(DATAGRAMS * DATAGRAM_BYTES_MAX)
        self.received = <mmsghdr*>calloc(DATAGRAMS, sizeof(mmsghdr))
        self.received_at = <iovec*>calloc(DATAGRAMS, sizeof(iovec))
        self.peers = <sockaddr_in6*>calloc(DATAGRAMS, sizeof(sockaddr_in6))
        self.peeked = <Peeked*>calloc(DATAGRAMS, sizeof(Peeked))
        self.controls = <uint8_t*>calloc(DATAGRAMS, CONTROL_BYTES)
        self.replies = <mmsghdr*>calloc(REPLIES, sizeof(mmsghdr))
        self.replies_at = <iovec*>calloc(REPLIES, sizeof(iovec))
        self.reply_bytes = <uint8_t*>malloc(REPLIES * REPLY_BYTES_MAX)
        self.reply_protocol = <uint8_t*>calloc(REPLIES, 1)
        self.reply_answer = <uint8_t*>calloc(REPLIES, 1)
        self.reply_rank = <uint8_t*>calloc(REPLIES, 1)
        if (self.buffers == NULL or self.received == NULL or self.received_at == NULL or self.peers == NULL
                or self.peeked == NULL or self.controls == NULL or self.replies == NULL or self.replies_at == NULL
                or self.reply_bytes == NULL or self.reply_protocol == NULL or self.reply_answer == NULL
                or self.reply_rank == NULL):
            raise MemoryError()
        self.held = <HeldReply*>memory_reserve(<size_t>held_max * sizeof(HeldReply))
        self.ask_for_called_address()
        self.prepare()

    def __dealloc__(self):
        free(self.buffers)
        free(self.received)
        free(self.received_at)
        free(self.peers)
        free(self.peeked)
        free(self.controls)
        free(self.replies)
        free(self.replies_at)
        free(self.reply_bytes)
        free(self.reply_protocol)
        free(self.reply_answer)
        free(self.reply_rank)
        memory_release(self.held, <size_t>self.held_max * sizeof(HeldReply))

    def ask_for_called_address(self):
        """On a socket bound to every address, let the kernel say which one was called: the reply leaves from there."""
        address = self.socket.getsockname()[0]
        self.from_called_address = address in ("0.0.0.0", "::")
        if self.from_called_address:
            if self.socket.family == sockets.AF_INET6:
                self.socket.setsockopt(sockets.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
            if self.socket.family == sockets.AF_INET:
                self.socket.setsockopt(sockets.IPPROTO_IP, IP_PKTINFO, 1)

    cdef void prepare(self):
        """Lay out what the kernel fills; the sizes alone are set again for each round."""
        cdef uint32_t i
        for i in range(DATAGRAMS):
            self.received_at[i].iov_base = self.buffers + i * DATAGRAM_BYTES_MAX
            self.received_at[i].iov_len = DATAGRAM_BYTES_MAX
            self.received[i].msg_hdr.msg_name = &self.peers[i]
            self.received[i].msg_hdr.msg_iov = &self.received_at[i]
            self.received[i].msg_hdr.msg_iovlen = 1
            if self.from_called_address:
                self.received[i].msg_hdr.msg_control = self.controls + i * CONTROL_BYTES

    @property
    def held_in(self):
        return self.held_head - self.held_tail

    def kernel_drops(self):
        """Return the datagrams that the kernel dropped because the socket's buffer was full."""
        raw = self.socket.getsockopt(sockets.SOL_SOCKET, SO_MEMINFO, 36)
        return int.from_bytes(raw[MEMINFO_DROPS * 4:MEMINFO_DROPS * 4 + 4], "little") if len(raw) >= 36 else 0

    def drops(self):
        """Return how often frames may have been lost here by our own doing."""
        return self.kernel_drops()

    def on_readable(self):
        """Take what has arrived. Returns the datagrams taken; raises OSError when the socket itself fails."""
        cdef int taken, error
        with nogil:
            taken = self.receive()
            error = errno
        if taken < 0:
            raise OSError(error, "recvmmsg")
        return taken

    def release(self, uint64_t durable):
        """Send every reply whose ticket is durable. Returns how many left."""
        cdef uint32_t sent
        self.released = max(self.released, durable)
        with nogil:
            sent = self.send_held()
        return sent

    def sweep(self):
        """Send what the socket did not take before. Called about once a second: no datagram may come that does it."""
        self.release(self.released)

    def withhold(self, uint64_t failed):
        """Drop every reply that waits for a ticket up to `failed`: its rows could not be journalled.

        All are looked at: a repeated frame waits for the ticket of its first copy, behind replies with later tickets.
        What is durable and waits for the socket alone stays: its signal was kept, and its reply is owed.
        """
        cdef uint64_t at, kept = self.held_tail
        for at in range(self.held_tail, self.held_head):
            if self.released < self.held[at % self.held_max].ticket <= failed:
                self.counters.replies_withheld += 1
                continue
            if kept != at:
                self.held[kept % self.held_max] = self.held[at % self.held_max]
            kept += 1
        self.held_head = kept

    cdef int receive(self) noexcept nogil:
        cdef Arrival arrival
        cdef Taken taken
        cdef int count, i, rounds, total = 0
        memset(&arrival, 0, sizeof(Arrival))
        arrival.listener = self.listener
        arrival.protocol = self.protocol
        self.wakeups += 1
        if self.held_tail != self.held_head:
            self.send_held()             # what the socket did not take before
        for rounds in range(ROUNDS_MAX):
            self.behind = self.falls_behind()
            for i in range(DATAGRAMS):
                self.received[i].msg_hdr.msg_namelen = sizeof(sockaddr_in6)
                self.received[i].msg_hdr.msg_controllen = CONTROL_BYTES if self.from_called_address else 0
            count = recvmmsg(self.fd, self.received, DATAGRAMS, MSG_DONTWAIT, NULL)
            if count < 0:
                return total if errno == EAGAIN or errno == EINTR else -1
            arrival.received_ns = self.clock.wall_now()
            arrival.monotonic_ns = self.clock.monotonic_now()
            arrival.heard_ms = self.listening.update(arrival.monotonic_ns)
            self.round_ns = arrival.monotonic_ns
            self.peek(count, &arrival)
            for i in range(count):
                self.take_datagram(i, &arrival, &taken)
            self.send_replies()
            total += count
            if count < DATAGRAMS:
                break
        return total

    cdef void peek(self, uint32_t count, const Arrival* arrival) noexcept nogil:
        """Look at the first frame of each datagram, so that the records of their paths come into the cache together.

        With a million paths each is a wait for memory, twice: in the index and in the table.
        """
        cdef const Path* path = self.receiver.paths.path
        cdef const Learned* learned = self.receiver.paths.learned
        cdef const Index* by_key = &self.receiver.paths.by_key
        cdef uint32_t i
        for i in range(count):
            self.receiver.peek(self.buffers + i * DATAGRAM_BYTES_MAX, self.received[i].msg_len, arrival,
                               &self.peeked[i])
        for i in range(count):
            if self.peeked[i].status == OK:
                path_fetch(path, learned, by_key, self.peeked[i].hash)

    cdef void take_datagram(self, uint32_t index, Arrival* arrival, Taken* taken) noexcept nogil:
        """Take every frame of one datagram. What is left of an unfinished one is garbage: no more of it will come."""
        cdef const uint8_t* data = self.buffers + index * DATAGRAM_BYTES_MAX
        cdef uint32_t size = self.received[index].msg_len, at = 0
        self.counters.bytes += size
        if self.from_called_address:
            leave_interface_open(self.controls + index * CONTROL_BYTES, self.received[index].msg_hdr.msg_controllen)
        note_peer(arrival, &self.peers[index])
        while at < size:
            if at == 0:
                self.receiver.take_peeked(data, size, &self.peeked[index], arrival, taken)
            else:
                self.receiver.take(data + at, size - at, arrival, taken)
            if taken.action == ACTION_WAIT:
                self.receiver.refuse(data + at, size - at, NULL, arrival, BAD_LENGTH, taken)
            at += taken.size
            if taken.action == ACTION_REPLY and self.behind and taken.kind == FRAME_HEARTBEAT:
                self.counters.shed[<int>SHED_HEARTBEAT_REPLY] += 1
            elif taken.action == ACTION_REPLY:
                self.add_reply(index, taken)
            elif taken.action == ACTION_HOLD:
                self.hold(index, arrival, taken)

    cdef void add_reply(self, uint32_t index, const Taken* taken) noexcept nogil:
        """Put a reply that may leave at once into this round's batch."""
        cdef uint32_t i
        cdef mmsghdr* message
        if self.replies_count == REPLIES:
            self.send_replies()
        i = self.replies_count
        memcpy(self.reply_bytes + i * REPLY_BYTES_MAX, taken.reply, taken.reply_size)
        self.replies_at[i].iov_base = self.reply_bytes + i * REPLY_BYTES_MAX
        self.replies_at[i].iov_len = taken.reply_size
        message = &self.replies[i]
        message.msg_hdr.msg_name = &self.peers[index]
        message.msg_hdr.msg_namelen = self.received[index].msg_hdr.msg_namelen
        message.msg_hdr.msg_iov = &self.replies_at[i]
        message.msg_hdr.msg_iovlen = 1
        message.msg_hdr.msg_control = self.received[index].msg_hdr.msg_control
        message.msg_hdr.msg_controllen = self.received[index].msg_hdr.msg_controllen if self.from_called_address else 0
        self.reply_protocol[i] = taken.protocol
        self.reply_answer[i] = taken.answer
        self.reply_rank[i] = rank_of(taken)
        self.replies_count = i + 1
        self.round_heartbeats += taken.kind == FRAME_HEARTBEAT

    cdef void hold(self, uint32_t index, const Arrival* arrival, const Taken* taken) noexcept nogil:
        """Keep a reply until its ticket is durable. Without room it is dropped: the transmitter sends again."""
        cdef const msghdr* header = &self.received[index].msg_hdr
        cdef HeldReply* held = self.new_held(rank_of(taken), header,
                                             header.msg_controllen if self.from_called_address else 0)
        if held == NULL:
            return
        held.ticket = taken.ticket
        held.received_ns = arrival.monotonic_ns
        held.size = taken.reply_size
        held.protocol = taken.protocol
        held.answer = taken.answer
        memcpy(held.bytes, taken.reply, taken.reply_size)

    cdef HeldReply* new_held(self, uint8_t rank, const msghdr* to, size_t control_size) noexcept nogil:
        """Return the next place of the ring, with the addresses in it; NULL where none is left for this rank."""
        cdef HeldReply* held = &self.held[self.held_head % self.held_max]
        if self.held_head - self.held_tail >= self.held_for[rank]:
            self.counters.shed[<int>SHED_HELD_REPLY] += 1
            return NULL
        held.peer = (<const sockaddr_in6*>to.msg_name)[0]
        held.peer_size = to.msg_namelen
        held.control_size = control_size
        if control_size:
            memcpy(held.control, to.msg_control, control_size)
        self.held_head += 1
        return held

    cdef void keep_reply(self, uint32_t index) noexcept nogil:
        """Let a reply of this round, which the socket did not take, wait in the ring: its signal is durable."""
        cdef const msghdr* header = &self.replies[index].msg_hdr
        cdef HeldReply* held = self.new_held(self.reply_rank[index], header, header.msg_controllen)
        if held == NULL:
            return
        held.ticket = TICKET_DURABLE
        held.received_ns = self.round_ns
        held.size = self.replies_at[index].iov_len
        held.protocol = self.reply_protocol[index]
        held.answer = self.reply_answer[index]
        memcpy(held.bytes, self.replies_at[index].iov_base, held.size)

    cdef bint falls_behind(self) noexcept nogil:
        """Tell whether the kernel is about to drop datagrams: from three quarters of its buffer on, down to a half.

        A reply costs as much as two frames. Without those to heartbeats the buffer empties sooner: no signal is lost.
        """
        cdef uint32_t info[MEMINFO_DROPS + 1]
        cdef socklen_t size = sizeof(info)
        if getsockopt(self.fd, SOL_SOCKET, SO_MEMINFO, info, &size) != 0:
            return False
        return info[0] > info[1] - info[1] // 4 or self.behind and info[0] > info[1] // 2

    cdef uint32_t send(self, uint32_t count) noexcept nogil:
        """Send the first `count` prepared replies and count them; return how many the socket was done with."""
        cdef uint32_t sent = 0, i
        cdef int taken
        while sent < count:
            taken = sendmmsg(self.fd, self.replies + sent, count - sent, MSG_DONTWAIT)
            if taken > 0:
                sent += taken
            elif errno == EAGAIN:
                break
            elif errno != EINTR:
                # This peer cannot be reached (its network is gone, its port closed); the others can.
                self.counters.shed[<int>SHED_REPLY] += 1
                self.reply_answer[sent] = 0
                sent += 1
        for i in range(sent):
            self.counters.replies[self.reply_protocol[i]][self.reply_answer[i]] += 1
        return sent

    cdef void send_replies(self) noexcept nogil:
        """Send this round's replies and record how long they took.

        Of those that the socket does not take a heartbeat's is shed, and a signal's waits.
        """
        cdef int64_t passed_ns
        cdef uint32_t i, signals = self.replies_count - self.round_heartbeats
        if self.replies_count == 0:
            return
        for i in range(self.send(self.replies_count), self.replies_count):
            if self.reply_rank[i] == RANK_HEARTBEAT:
                self.counters.shed[<int>SHED_REPLY] += 1
            else:
                self.keep_reply(i)
                signals -= 1
        passed_ns = self.clock.monotonic_now() - self.round_ns
        histogram_add(&self.heartbeat_latency.data, passed_ns, self.round_heartbeats)
        histogram_add(&self.signal_latency.data, passed_ns, signals)
        self.replies_count = 0
        self.round_heartbeats = 0

    cdef uint32_t send_held(self) noexcept nogil:
        """Send what waits for tickets that are durable. What the socket does not take waits on: it is never shed."""
        cdef uint32_t total = 0, count, sent, i
        cdef HeldReply* held
        cdef int64_t now_ns = self.clock.monotonic_now()
        while True:
            count = 0
            while count < HELD_PER_SEND and self.held_tail + count != self.held_head:
                held = &self.held[(self.held_tail + count) % self.held_max]
                if held.ticket > self.released:
                    break
                self.replies_at[count].iov_base = held.bytes
                self.replies_at[count].iov_len = held.size
                self.replies[count].msg_hdr.msg_name = &held.peer
                self.replies[count].msg_hdr.msg_namelen = held.peer_size
                self.replies[count].msg_hdr.msg_iov = &self.replies_at[count]
                self.replies[count].msg_hdr.msg_iovlen = 1
                self.replies[count].msg_hdr.msg_control = held.control if held.control_size else NULL
                self.replies[count].msg_hdr.msg_controllen = held.control_size
                self.reply_protocol[count] = held.protocol
                self.reply_answer[count] = held.answer
                count += 1
            sent = self.send(count)
            for i in range(sent):
                held = &self.held[(self.held_tail + i) % self.held_max]
                histogram_add(&self.signal_latency.data, now_ns - held.received_ns, 1)
            self.held_tail += sent
            total += sent
            if sent < HELD_PER_SEND:
                return total
