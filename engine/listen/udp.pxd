# UDP: many datagrams in, many replies out, two system calls for each batch and no object for any of them.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from codec.limits cimport REPLY_BYTES_MAX
from engine.clock cimport Clock
from engine.histogram cimport Histogram
from engine.listen.counters cimport Counters
from engine.listen.receiver cimport Arrival, Peeked, Receiver, Taken
from engine.listen.sockets cimport iovec, mmsghdr, msghdr, sockaddr_in6
from engine.supervise.listening cimport ListeningClock

cdef enum:
    DATAGRAMS = 64               # of one recvmmsg; more only push each other out of the cache
    ROUNDS_MAX = 4               # of one wake-up, so that nothing else waits longer than some 1 ms
    DATAGRAM_BYTES_MAX = 4608    # the longest frame and what may stand before it
    CONTROL_BYTES = 64           # room for one IP_PKTINFO or IPV6_PKTINFO
    HELD_PER_SEND = 64
    RANK_HEARTBEAT = 0           # of a reply: who is dropped first
    RANK_SIGNAL = 1              # and the Urgency
    RANKS = 4

cdef struct HeldReply:           # a reply that waits for its ticket
    uint64_t ticket
    int64_t  received_ns         # monotonic, for the latency histogram
    sockaddr_in6 peer            # large enough for both families
    uint16_t peer_size
    uint16_t size
    uint16_t control_size
    uint8_t  protocol
    uint8_t  answer
    uint8_t  control[CONTROL_BYTES]
    uint8_t  bytes[REPLY_BYTES_MAX]

cdef class UdpListener:
    cdef Receiver receiver
    cdef Counters* counters          # of the receiver
    cdef Clock clock
    cdef ListeningClock listening
    cdef int fd
    cdef uint16_t listener
    cdef uint8_t protocol            # the one that it takes, or PROTOCOL_ANY
    cdef bint from_called_address    # bound to all addresses: reply from the one that was called
    cdef readonly object socket
    # Buffers of one round; all owned.
    cdef uint8_t* buffers            # DATAGRAMS of DATAGRAM_BYTES_MAX
    cdef mmsghdr* received
    cdef iovec* received_at
    cdef sockaddr_in6* peers
    cdef Peeked* peeked              # the first frame of each datagram
    cdef uint8_t* controls
    cdef mmsghdr* replies            # several frames of one datagram give several replies
    cdef iovec* replies_at
    cdef uint8_t* reply_bytes
    cdef uint8_t* reply_protocol
    cdef uint8_t* reply_answer
    cdef uint8_t* reply_rank
    cdef uint32_t replies_count
    cdef uint32_t round_heartbeats   # of them
    cdef bint behind                 # the kernel's buffer is nearly full: heartbeats get no reply
    cdef int64_t round_ns            # monotonic clock when the round was received
    # Replies that wait: a ring in the order of arrival.
    cdef HeldReply* held
    cdef uint32_t held_max
    cdef uint32_t held_for[RANKS]    # by rank: with so many waiting such a reply is dropped
    cdef uint64_t held_head
    cdef uint64_t held_tail
    cdef uint64_t released           # every ticket up to this one is durable
    cdef readonly uint64_t wakeups
    cdef Histogram heartbeat_latency
    cdef Histogram signal_latency

    cdef void prepare(self)
    cdef int receive(self) noexcept nogil
    cdef void peek(self, uint32_t count, const Arrival* arrival) noexcept nogil
    cdef void take_datagram(self, uint32_t index, Arrival* arrival, Taken* taken) noexcept nogil
    cdef void add_reply(self, uint32_t index, const Taken* taken) noexcept nogil
    cdef void hold(self, uint32_t index, const Arrival* arrival, const Taken* taken) noexcept nogil
    cdef HeldReply* new_held(self, uint8_t rank, const msghdr* to, size_t control_size) noexcept nogil
    cdef void keep_reply(self, uint32_t index) noexcept nogil
    cdef bint falls_behind(self) noexcept nogil
    cdef uint32_t send(self, uint32_t count) noexcept nogil
    cdef void send_replies(self) noexcept nogil
    cdef uint32_t send_held(self) noexcept nogil
