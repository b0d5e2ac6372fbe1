"""Frames over UDP; see udp.pxd."""
from libc.errno cimport EAGAIN, EINTR, EINVAL, EIO, ENOBUFS, errno
from libc.stdlib cimport calloc, free
from loadgen.clock cimport monotonic_now
from loadgen.kernel cimport (IPPROTO_UDP, MSG_DONTWAIT, MSG_NOSIGNAL, POLLOUT, SEGMENT_CONTROL_BYTES,
                             SEGMENT_CONTROL_SIZE, UDP_SEGMENT, cmsghdr, poll, pollfd, recvmmsg, sendmmsg)
from loadgen.transmitters cimport book_reply

cdef enum:
    SEND_TRIES_MAX = 8       # of one batch on a full socket, 1 ms apart


cdef uint32_t group(const Udp* udp, uint32_t first, uint32_t end) noexcept nogil:
    """Return how many frames from `first` on can leave as one message: equal sizes, within the segment limit."""
    cdef uint32_t count = 1
    while (first + count < end and count < udp.segments
           and udp.frames[first + count].size == udp.frames[first].size):
        count += 1
    return count


cdef void fill(Udp* udp, uint32_t message, uint32_t first, uint32_t count) noexcept nogil:
    """Make message number `message` of `count` equal frames."""
    cdef cmsghdr* control = <cmsghdr*>(udp.out_control + message * SEGMENT_CONTROL_BYTES)
    cdef mmsghdr* out = &udp.out[message]
    udp.out_parts[message].iov_base = udp.buffer + udp.frames[first].at
    udp.out_parts[message].iov_len = <size_t>count * udp.frames[first].size
    out.msg_hdr.msg_control = NULL
    out.msg_hdr.msg_controllen = 0
    if count > 1:
        control.cmsg_len = SEGMENT_CONTROL_SIZE
        control.cmsg_level = IPPROTO_UDP
        control.cmsg_type = UDP_SEGMENT
        (<uint16_t*>(<uint8_t*>control + sizeof(cmsghdr)))[0] = udp.frames[first].size
        out.msg_hdr.msg_control = control
        out.msg_hdr.msg_controllen = SEGMENT_CONTROL_BYTES


cdef uint32_t send_run(Udp* udp, uint32_t first, uint32_t end) noexcept nogil:
    """Send the frames first..end of one socket; return how many left, 0 with errno set when none did."""
    cdef uint32_t messages = 0, at = first, count
    cdef int sent, i
    while at < end:
        count = group(udp, at, end)
        fill(udp, messages, at, count)
        messages += 1
        at += count
    sent = sendmmsg(udp.fds[udp.frames[first].socket], udp.out, messages, MSG_DONTWAIT | MSG_NOSIGNAL)
    if sent <= 0:
        return 0
    udp.messages += sent
    at = first
    for i in range(sent):
        at += group(udp, at, end)
    return at - first


cdef bint recover(Udp* udp, uint32_t socket, uint32_t tries) noexcept nogil:
    """After a failed send: return whether the same frames are worth another try."""
    cdef pollfd wait
    if errno == EINTR:
        return True
    if errno == EAGAIN or errno == ENOBUFS:
        wait.fd = udp.fds[socket]
        wait.events = POLLOUT
        poll(&wait, 1, 1)
        return tries < SEND_TRIES_MAX
    if udp.segments > 1 and (errno == EIO or errno == EINVAL):
        udp.segments = 1  # this interface does not cut messages up
        return True
    udp.errors += 1  # a reported ICMP error is gone now, so that one more try is fair
    return tries < 2


cdef void udp_flush(Udp* udp) noexcept nogil:
    cdef uint32_t at = 0, end, sent, tries = 0
    while at < udp.count:
        end = at + 1
        while end < udp.count and udp.frames[end].socket == udp.frames[at].socket:
            end += 1
        sent = send_run(udp, at, end)
        tries = 0 if sent else tries + 1
        at += sent
        if not sent and not recover(udp, udp.frames[at].socket, tries):
            udp.unsendable += end - at
            at = end
            tries = 0
    udp.count = 0
    udp.used = 0


cdef void udp_receive(Udp* udp, uint32_t socket, Book* book) noexcept nogil:
    cdef int count, i
    cdef int64_t now
    while True:
        count = recvmmsg(udp.fds[socket], udp.into, UDP_REPLIES_MAX, MSG_DONTWAIT, NULL)
        if count < 0:
            udp.errors += errno != EAGAIN and errno != EINTR
            return
        now = monotonic_now()
        for i in range(count):
            book_reply(book, udp.replies + i * UDP_REPLY_BYTES_MAX, udp.into[i].msg_len, now)
        if count < UDP_REPLIES_MAX:
            return


cdef class UdpSockets:
    def __cinit__(self, list fds not None, bint segment=True):
        cdef Udp* udp = &self.udp
        cdef uint32_t i
        if not fds or len(fds) > 0xFFFF:
            raise ValueError("udp: 1 to 65535 sockets")
        self.fds = <int*>calloc(len(fds), sizeof(int))
        udp.buffer = <uint8_t*>calloc(UDP_BUFFER_BYTES, 1)
        udp.frames = <UdpFrame*>calloc(UDP_FRAMES_MAX, sizeof(UdpFrame))
        udp.out = <mmsghdr*>calloc(UDP_FRAMES_MAX, sizeof(mmsghdr))
        udp.out_parts = <iovec*>calloc(UDP_FRAMES_MAX, sizeof(iovec))
        udp.out_control = <uint8_t*>calloc(UDP_FRAMES_MAX, SEGMENT_CONTROL_BYTES)
        udp.into = <mmsghdr*>calloc(UDP_REPLIES_MAX, sizeof(mmsghdr))
        udp.into_parts = <iovec*>calloc(UDP_REPLIES_MAX, sizeof(iovec))
        udp.replies = <uint8_t*>calloc(UDP_REPLIES_MAX, UDP_REPLY_BYTES_MAX)
        if (self.fds == NULL or udp.buffer == NULL or udp.frames == NULL or udp.out == NULL or udp.out_parts == NULL
                or udp.out_control == NULL or udp.into == NULL or udp.into_parts == NULL or udp.replies == NULL):
            raise MemoryError()
        for i in range(len(fds)):
            self.fds[i] = fds[i]
        for i in range(UDP_FRAMES_MAX):
            udp.out[i].msg_hdr.msg_iov = &udp.out_parts[i]
            udp.out[i].msg_hdr.msg_iovlen = 1
        for i in range(UDP_REPLIES_MAX):
            udp.into_parts[i].iov_base = udp.replies + i * UDP_REPLY_BYTES_MAX
            udp.into_parts[i].iov_len = UDP_REPLY_BYTES_MAX
            udp.into[i].msg_hdr.msg_iov = &udp.into_parts[i]
            udp.into[i].msg_hdr.msg_iovlen = 1
        udp.fds = self.fds
        udp.sockets = len(fds)
        udp.segments = UDP_SEGMENTS_MAX if segment else 1

    def __dealloc__(self):
        free(self.fds)
        free(self.udp.buffer)
        free(self.udp.frames)
        free(self.udp.out)
        free(self.udp.out_parts)
        free(self.udp.out_control)
        free(self.udp.into)
        free(self.udp.into_parts)
        free(self.udp.replies)

    def counts(self):
        return {"messages": self.udp.messages, "unsendable": self.udp.unsendable, "errors": self.udp.errors,
                "segments": self.udp.segments}
