"""A receiver that counts frames and answers none: what heartbeats without replies are measured against.

It asks the kernel for whole messages as they were sent (UDP_GRO), so that it is cheaper than any sender; a kernel that
cannot do that gives single datagrams, which are counted all the same. A frame is what was a datagram.
"""
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport calloc, free
from loadgen.clock cimport monotonic_now
from loadgen.kernel cimport (EPOLLIN, IPPROTO_UDP, MSG_DONTWAIT, UDP_GRO, cmsghdr, iovec, mmsghdr, poll, pollfd,
                             recvmmsg, setsockopt)

cdef enum:
    MESSAGES_MAX = 32        # of one recvmmsg
    MESSAGE_BYTES_MAX = 65536
    CONTROL_BYTES = 64
    POLL_MS = 20


cdef int64_t frames_of(const mmsghdr* message) noexcept nogil:
    """Return how many datagrams the kernel put together to this one."""
    cdef const cmsghdr* control = <const cmsghdr*>message.msg_hdr.msg_control
    cdef int size
    if message.msg_hdr.msg_controllen < sizeof(cmsghdr) + sizeof(int) or control.cmsg_type != UDP_GRO:
        return 1
    size = (<const int*>(<const uint8_t*>control + sizeof(cmsghdr)))[0]
    return 1 if size <= 0 else (message.msg_len + size - 1) // size


cdef class Counter:
    """See counter.pyi."""
    cdef int fd
    cdef mmsghdr* into
    cdef iovec* parts
    cdef uint8_t* bytes
    cdef uint8_t* controls

    def __cinit__(self, int fd):
        cdef int on = 1
        cdef size_t i
        self.fd = fd
        self.into = <mmsghdr*>calloc(MESSAGES_MAX, sizeof(mmsghdr))
        self.parts = <iovec*>calloc(MESSAGES_MAX, sizeof(iovec))
        self.bytes = <uint8_t*>calloc(MESSAGES_MAX, MESSAGE_BYTES_MAX)
        self.controls = <uint8_t*>calloc(MESSAGES_MAX, CONTROL_BYTES)
        if self.into == NULL or self.parts == NULL or self.bytes == NULL or self.controls == NULL:
            raise MemoryError()
        for i in range(MESSAGES_MAX):
            self.parts[i].iov_base = self.bytes + i * MESSAGE_BYTES_MAX
            self.parts[i].iov_len = MESSAGE_BYTES_MAX
            self.into[i].msg_hdr.msg_iov = &self.parts[i]
            self.into[i].msg_hdr.msg_iovlen = 1
            self.into[i].msg_hdr.msg_control = self.controls + i * CONTROL_BYTES
        setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on))

    def __dealloc__(self):
        free(self.into)
        free(self.parts)
        free(self.bytes)
        free(self.controls)

    cdef int64_t count(self, int64_t until_ns) noexcept nogil:
        cdef int64_t frames = 0
        cdef int got, i
        cdef pollfd wait
        wait.fd = self.fd
        wait.events = EPOLLIN
        while monotonic_now() < until_ns:
            for i in range(MESSAGES_MAX):
                self.into[i].msg_hdr.msg_controllen = CONTROL_BYTES
            got = recvmmsg(self.fd, self.into, MESSAGES_MAX, MSG_DONTWAIT, NULL)
            if got <= 0:
                poll(&wait, 1, POLL_MS)
            for i in range(got):
                frames += frames_of(&self.into[i])
        return frames

    def run(self, int64_t until_ns):
        cdef int64_t frames
        with nogil:
            frames = self.count(until_ns)
        return frames
