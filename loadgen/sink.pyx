"""The null receiver: answers every DC-09 frame with the shortest ACK and remembers nothing.

The generator measures itself against it before it measures a receiver: what it cannot reach here, it cannot reach
anywhere. It checks no checksum; replies repeat the frame's sequence, receiver, line and account.
"""
from codec.crc16 cimport crc16
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcmp, memcpy, memmove
from loadgen.clock cimport monotonic_now
from loadgen.dc09_client cimport FRAME_HEAD_BYTES, frame_size
from loadgen.kernel cimport (EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLLIN, IPPROTO_UDP, MSG_DONTWAIT, MSG_NOSIGNAL,
                             SEGMENT_CONTROL_BYTES, SEGMENT_CONTROL_SIZE, SOCK_CLOEXEC, UDP_SEGMENT, accept4, cmsghdr,
                             epoll_create1, epoll_ctl, epoll_event, epoll_wait, iovec, mmsghdr, poll, pollfd, recv,
                             recvmmsg, send, sendmmsg, sockaddr_storage)
from posix.unistd cimport close

cdef enum:
    DATAGRAMS_MAX = 256      # of one recvmmsg
    DATAGRAM_BYTES_MAX = 512
    UDP_SEGMENTS_MAX = 48
    ORIGIN_BYTES_MAX = 64    # sequence, receiver, line and account of a frame
    ANSWER_BYTES_MAX = 96
    READ_BYTES = 65536
    ANSWERS_BYTES = 131072   # an answer is shorter than its frame, so that this holds those of a whole read
    PEERS_MAX = 65536        # file descriptors
    POLL_MS = 20
    EVENTS_MAX = 256

cdef const char* HEX = b"0123456789ABCDEF"


cdef inline void put_hex4(uint8_t* out, uint32_t value) noexcept nogil:
    out[0] = HEX[value >> 12 & 15]
    out[1] = HEX[value >> 8 & 15]
    out[2] = HEX[value >> 4 & 15]
    out[3] = HEX[value & 15]


cdef uint32_t write_answer(const uint8_t* frame, uint32_t size, uint8_t* out) noexcept nogil:
    """Write the ACK to a whole frame, at most ANSWER_BYTES_MAX bytes; return its size, 0 when it cannot be answered."""
    cdef const uint8_t* token = frame + FRAME_HEAD_BYTES + 1
    cdef const uint8_t* end = frame + size
    cdef const uint8_t* origin = <const uint8_t*>memchr(token, 34, end - token)
    if origin == NULL:
        return 0
    origin += 1
    cdef const uint8_t* data = <const uint8_t*>memchr(origin, 91, end - origin)
    if data == NULL or data - origin > ORIGIN_BYTES_MAX:
        return 0
    cdef uint32_t origin_size = data - origin, body = 5 + origin_size + 2
    out[0] = 10
    memcpy(out + 9, b'"ACK"', 5)
    memcpy(out + 14, origin, origin_size)
    memcpy(out + 14 + origin_size, b"[]\r", 3)
    put_hex4(out + 1, crc16(out + 9, body))
    put_hex4(out + 5, body)
    return body + 10


cdef struct Datagrams:           # DATAGRAMS_MAX of each; `names` is shared: answers go where their datagrams came from
    mmsghdr* into
    mmsghdr* out
    iovec*   parts
    uint8_t* controls
    uint8_t* frames
    uint8_t* answers             # packed, so that equal ones to one peer can leave together
    sockaddr_storage* names
    uint32_t segments            # answers of one message; 1 where the kernel does not cut


cdef bint joins(const mmsghdr* message, const mmsghdr* from_peer, uint32_t size) noexcept nogil:
    """Tell whether an answer of `size` bytes can leave with those of `message`: the same peer and the same size."""
    return (message.msg_hdr.msg_namelen == from_peer.msg_hdr.msg_namelen
            and (<uint16_t*>(<uint8_t*>message.msg_hdr.msg_control + sizeof(cmsghdr)))[0] == size
            and memcmp(message.msg_hdr.msg_name, from_peer.msg_hdr.msg_name, message.msg_hdr.msg_namelen) == 0)


cdef void open_message(Datagrams* d, uint32_t at, const mmsghdr* to_peer, uint8_t* answer,
                       uint32_t size) noexcept nogil:
    cdef cmsghdr* control = <cmsghdr*>(d.controls + at * SEGMENT_CONTROL_BYTES)
    cdef mmsghdr* message = &d.out[at]
    control.cmsg_len = SEGMENT_CONTROL_SIZE
    control.cmsg_level = IPPROTO_UDP
    control.cmsg_type = UDP_SEGMENT
    (<uint16_t*>(<uint8_t*>control + sizeof(cmsghdr)))[0] = size
    message.msg_hdr.msg_iov[0].iov_base = answer
    message.msg_hdr.msg_iov[0].iov_len = size
    message.msg_hdr.msg_name = to_peer.msg_hdr.msg_name
    message.msg_hdr.msg_namelen = to_peer.msg_hdr.msg_namelen
    message.msg_hdr.msg_control = control
    message.msg_hdr.msg_controllen = 0  # a single answer needs none


cdef uint32_t answer_all(Datagrams* d, int count, int64_t* answered) noexcept nogil:
    """Write the answers to `count` datagrams; return in how many messages."""
    cdef uint32_t messages = 0, joined = 0, used = 0, i, size
    cdef const uint8_t* frame
    for i in range(<uint32_t>count):
        frame = d.frames + i * DATAGRAM_BYTES_MAX
        size = d.into[i].msg_len
        if frame_size(frame, size) != size:
            continue
        size = write_answer(frame, size, d.answers + used)
        if not size:
            continue
        if joined and joined < d.segments and joins(&d.out[messages - 1], &d.into[i], size):
            d.out[messages - 1].msg_hdr.msg_iov[0].iov_len += size
            d.out[messages - 1].msg_hdr.msg_controllen = SEGMENT_CONTROL_BYTES
            joined += 1
        else:
            open_message(d, messages, &d.into[i], d.answers + used, size)
            messages += 1
            joined = 1
        used += size
        answered[0] += 1
    return messages


cdef void send_all(int fd, Datagrams* d, uint32_t messages) noexcept nogil:
    cdef uint32_t at = 0
    cdef int sent
    while at < messages:
        sent = sendmmsg(fd, d.out + at, messages - at, MSG_NOSIGNAL)
        if sent < 0:
            d.segments = 1  # perhaps this kernel does not cut messages up; the answers of this one are lost
        at += sent if sent > 0 else 1


cdef int64_t udp_slice(int fd, Datagrams* d, int64_t until_ns) noexcept nogil:
    """Answer datagrams until `until_ns`; return how many answers left."""
    cdef int64_t answered = 0
    cdef int count, i
    cdef pollfd wait
    wait.fd = fd
    wait.events = EPOLLIN
    while monotonic_now() < until_ns:
        for i in range(DATAGRAMS_MAX):
            d.into[i].msg_hdr.msg_namelen = sizeof(sockaddr_storage)
        count = recvmmsg(fd, d.into, DATAGRAMS_MAX, MSG_DONTWAIT, NULL)
        if count <= 0:
            poll(&wait, 1, POLL_MS)
            continue
        send_all(fd, d, answer_all(d, count, &answered))
    return answered


cdef struct Peer:                # one TCP connection
    uint32_t in_used
    uint8_t* into                # READ_BYTES


cdef int64_t answer_stream(int fd, Peer* peer, uint8_t* answers) noexcept nogil:
    """Read once from a connection and answer its whole frames; return how many, -1 when it ended."""
    cdef ssize_t got = recv(fd, peer.into + peer.in_used, READ_BYTES - peer.in_used, MSG_DONTWAIT)
    cdef uint32_t at = 0, used = 0, size
    cdef int64_t count = 0
    if got <= 0:
        return 0 if got < 0 and (errno == EAGAIN or errno == EINTR) else -1
    peer.in_used += <uint32_t>got
    while at < peer.in_used and used < ANSWERS_BYTES - ANSWER_BYTES_MAX:
        size = frame_size(peer.into + at, peer.in_used - at)
        if size == 0:
            break
        if size > 1:
            used += write_answer(peer.into + at, size, answers + used)
            count += 1
        at += size
    peer.in_used -= at
    memmove(peer.into, peer.into + at, peer.in_used)
    at = 0
    while at < used:
        got = send(fd, answers + at, used - at, MSG_NOSIGNAL)  # blocking: the generator reads at least every turn
        if got < 0:
            return -1
        at += <uint32_t>got
    return count


cdef class Sink:
    """See sink.pyi."""
    cdef int fd, epoll
    cdef bint stream
    cdef Datagrams datagrams
    cdef Peer* peers
    cdef uint8_t* answers

    def __cinit__(self, int fd, bint stream):
        self.fd = fd
        self.stream = stream
        self.epoll = -1
        if stream:
            self.prepare_stream()
        else:
            self.prepare_datagrams()

    def __dealloc__(self):
        cdef uint32_t i
        free(self.datagrams.into)
        free(self.datagrams.out)
        free(self.datagrams.parts)
        free(self.datagrams.controls)
        free(self.datagrams.frames)
        free(self.datagrams.answers)
        free(self.datagrams.names)
        if self.peers != NULL:
            for i in range(PEERS_MAX):
                if self.peers[i].into != NULL:
                    close(i)
                    free(self.peers[i].into)
        free(self.peers)
        free(self.answers)
        if self.epoll >= 0:
            close(self.epoll)

    cdef int prepare_datagrams(self) except -1:
        cdef uint32_t i
        cdef Datagrams* d = &self.datagrams
        d.into = <mmsghdr*>calloc(DATAGRAMS_MAX, sizeof(mmsghdr))
        d.out = <mmsghdr*>calloc(DATAGRAMS_MAX, sizeof(mmsghdr))
        d.parts = <iovec*>calloc(2 * DATAGRAMS_MAX, sizeof(iovec))
        d.controls = <uint8_t*>calloc(DATAGRAMS_MAX, SEGMENT_CONTROL_BYTES)
        d.frames = <uint8_t*>calloc(DATAGRAMS_MAX, DATAGRAM_BYTES_MAX)
        d.answers = <uint8_t*>calloc(DATAGRAMS_MAX, ANSWER_BYTES_MAX)
        d.names = <sockaddr_storage*>calloc(DATAGRAMS_MAX, sizeof(sockaddr_storage))
        if (d.into == NULL or d.out == NULL or d.parts == NULL or d.controls == NULL or d.frames == NULL
                or d.answers == NULL or d.names == NULL):
            raise MemoryError()
        d.segments = UDP_SEGMENTS_MAX
        for i in range(DATAGRAMS_MAX):
            d.parts[2 * i].iov_base = d.frames + i * DATAGRAM_BYTES_MAX
            d.parts[2 * i].iov_len = DATAGRAM_BYTES_MAX
            d.into[i].msg_hdr.msg_iov = &d.parts[2 * i]
            d.out[i].msg_hdr.msg_iov = &d.parts[2 * i + 1]
            d.into[i].msg_hdr.msg_iovlen = d.out[i].msg_hdr.msg_iovlen = 1
            d.into[i].msg_hdr.msg_name = &d.names[i]
        return 0

    cdef int prepare_stream(self) except -1:
        self.peers = <Peer*>calloc(PEERS_MAX, sizeof(Peer))
        self.answers = <uint8_t*>calloc(ANSWERS_BYTES, 1)
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        if self.peers == NULL or self.answers == NULL or self.epoll < 0:
            raise MemoryError()
        if self.watch(self.fd) < 0:
            raise OSError("epoll_ctl")
        return 0

    cdef int watch(self, int fd) noexcept nogil:
        cdef epoll_event event
        event.events = EPOLLIN
        event.data.u64 = fd
        return epoll_ctl(self.epoll, EPOLL_CTL_ADD, fd, &event)

    cdef void accept_all(self) noexcept nogil:
        cdef int fd
        while True:
            fd = accept4(self.fd, NULL, NULL, SOCK_CLOEXEC)
            if fd < 0:
                return
            assert fd < PEERS_MAX
            self.peers[fd].in_used = 0
            self.peers[fd].into = <uint8_t*>calloc(READ_BYTES, 1)
            assert self.peers[fd].into != NULL
            self.watch(fd)

    cdef int64_t stream_slice(self, int64_t until_ns) noexcept nogil:
        cdef epoll_event events[EVENTS_MAX]
        cdef int64_t answered = 0, got
        cdef int i, count, fd
        while monotonic_now() < until_ns:
            count = epoll_wait(self.epoll, events, EVENTS_MAX, POLL_MS)
            for i in range(count):
                fd = events[i].data.u32
                if fd == self.fd:
                    self.accept_all()
                    continue
                got = answer_stream(fd, &self.peers[fd], self.answers)
                if got < 0:
                    free(self.peers[fd].into)
                    self.peers[fd].into = NULL
                    close(fd)
                else:
                    answered += got
        return answered

    def run(self, int64_t until_ns):
        cdef int64_t answered
        with nogil:
            answered = self.stream_slice(until_ns) if self.stream else udp_slice(self.fd, &self.datagrams, until_ns)
        return answered


def answer_to(bytes frame not None):
    cdef uint8_t out[ANSWER_BYTES_MAX]
    if frame_size(frame, len(frame)) != len(frame):
        return b""
    return out[:write_answer(frame, len(frame), out)]
