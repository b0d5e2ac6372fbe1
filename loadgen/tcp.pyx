"""Frames over TCP; see tcp.pxd.

No EPOLLOUT: a connection with unwritten bytes stays in the dirty list and is tried again at the next turn of the loop,
which comes within a fraction of a millisecond anyway.
"""
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdlib cimport calloc, free
from libc.string cimport memmove
from loadgen.clock cimport monotonic_now
from loadgen.dc09_client cimport CLIENT_FRAME_BYTES_MAX
from loadgen.kernel cimport MSG_DONTWAIT, MSG_NOSIGNAL, recv, send
from loadgen.transmitters cimport book_reply, book_reply_size


cdef uint8_t* tcp_space(Tcp* tcp, uint32_t connection) noexcept nogil:
    """Return where the next frame of a connection goes: its buffer, or the scratch when it is full or broken."""
    cdef Connection* c = &tcp.connections[connection]
    if c.fd < 0:
        return tcp.scratch
    if c.out_used + CLIENT_FRAME_BYTES_MAX > TCP_OUT_BYTES and c.out_at:
        memmove(c.out, c.out + c.out_at, c.out_used - c.out_at)
        c.out_used -= c.out_at
        c.out_at = 0
    return tcp.scratch if c.out_used + CLIENT_FRAME_BYTES_MAX > TCP_OUT_BYTES else c.out + c.out_used


cdef void tcp_add(Tcp* tcp, uint32_t connection, uint32_t size) noexcept nogil:
    """Take the frame that was written at tcp_space since its last call."""
    cdef Connection* c = &tcp.connections[connection]
    if c.fd < 0 or c.out_used + CLIENT_FRAME_BYTES_MAX > TCP_OUT_BYTES:
        tcp.unsendable += 1
        return
    c.out_used += size
    if not c.dirty:
        c.dirty = 1
        tcp.dirty[tcp.dirty_count] = connection
        tcp.dirty_count += 1


cdef void lose(Tcp* tcp, Connection* c) noexcept nogil:
    """Mark a connection as broken; Python closes and reopens it."""
    c.fd = -1
    c.out_at = c.out_used = c.in_used = 0
    tcp.broken += 1


cdef bint write_some(Tcp* tcp, Connection* c) noexcept nogil:
    """Write what the socket takes; return whether something is left for later."""
    cdef ssize_t sent
    if c.fd < 0:
        return False
    sent = send(c.fd, c.out + c.out_at, c.out_used - c.out_at, MSG_DONTWAIT | MSG_NOSIGNAL)
    if sent < 0:
        if errno == EAGAIN or errno == EINTR:
            return True
        lose(tcp, c)
        return False
    tcp.messages += 1
    c.out_at += <uint32_t>sent
    if c.out_at < c.out_used:
        return True
    c.out_at = c.out_used = 0
    return False


cdef void tcp_flush(Tcp* tcp) noexcept nogil:
    cdef uint32_t i, left = 0, index
    for i in range(tcp.dirty_count):
        index = tcp.dirty[i]
        if write_some(tcp, &tcp.connections[index]):
            tcp.dirty[left] = index
            left += 1
        else:
            tcp.connections[index].dirty = 0
    tcp.dirty_count = left


cdef void parse(Tcp* tcp, Connection* c, Book* book, int64_t now) noexcept nogil:
    """Take the whole frames out of a connection's read buffer and move the rest to its front."""
    cdef uint32_t at = 0, size
    while at < c.in_used:
        size = book_reply_size(book, c.into + at, c.in_used - at)
        if size == 0:
            break
        if size == 1:
            tcp.garbage += 1
        else:
            book_reply(book, c.into + at, size, now)
        at += size
    c.in_used -= at
    if at and c.in_used:
        memmove(c.into, c.into + at, c.in_used)


cdef void tcp_receive(Tcp* tcp, uint32_t connection, Book* book) noexcept nogil:
    cdef Connection* c = &tcp.connections[connection]
    cdef ssize_t got
    cdef size_t room
    while c.fd >= 0:
        room = TCP_IN_BYTES - c.in_used
        got = recv(c.fd, c.into + c.in_used, room, MSG_DONTWAIT)
        if got <= 0:
            if got == 0 or (errno != EAGAIN and errno != EINTR):
                lose(tcp, c)
            return
        c.in_used += <uint32_t>got
        parse(tcp, c, book, monotonic_now())
        if <size_t>got < room:
            return


cdef class TcpConnections:
    def __cinit__(self, list fds not None):
        cdef Tcp* tcp = &self.tcp
        cdef uint32_t i
        if not fds:
            raise ValueError("tcp: no connection")
        tcp.connections = <Connection*>calloc(len(fds), sizeof(Connection))
        tcp.dirty = <uint32_t*>calloc(len(fds), sizeof(uint32_t))
        tcp.scratch = <uint8_t*>calloc(CLIENT_FRAME_BYTES_MAX, 1)
        if tcp.connections == NULL or tcp.dirty == NULL or tcp.scratch == NULL:
            raise MemoryError()
        tcp.count = len(fds)
        for i in range(tcp.count):
            tcp.connections[i].fd = fds[i]
            tcp.connections[i].out = <uint8_t*>calloc(TCP_OUT_BYTES, 1)
            tcp.connections[i].into = <uint8_t*>calloc(TCP_IN_BYTES, 1)
            if tcp.connections[i].out == NULL or tcp.connections[i].into == NULL:
                raise MemoryError()

    def __dealloc__(self):
        cdef uint32_t i
        if self.tcp.connections != NULL:
            for i in range(self.tcp.count):
                free(self.tcp.connections[i].out)
                free(self.tcp.connections[i].into)
        free(self.tcp.connections)
        free(self.tcp.dirty)
        free(self.tcp.scratch)

    def broken(self):
        cdef uint32_t i
        return [i for i in range(self.tcp.count) if self.tcp.connections[i].fd < 0]

    def reopened(self, uint32_t connection, int fd):
        assert connection < self.tcp.count and self.tcp.connections[connection].fd < 0 <= fd
        self.tcp.connections[connection].fd = fd

    def counts(self):
        return {"messages": self.tcp.messages, "unsendable": self.tcp.unsendable, "errors": self.tcp.broken,
                "garbage": self.tcp.garbage}
