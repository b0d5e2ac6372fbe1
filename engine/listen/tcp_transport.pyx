"""The transport of a plain TCP connection.

Replies go from the listener's buffer straight to the socket. Rejected: the event loop's own transport, which makes a
bytes object of every read's replies, calls into Python five times for each read and writes at the end of its turn.
"""
from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.errno cimport EAGAIN, EINTR, errno
from posix.unistd cimport close

from engine.listen.epoll cimport (EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET, EPOLLIN, EPOLLOUT,
                                  EPOLLRDHUP, MSG_NOSIGNAL, SO_ERROR, epoll_ctl, epoll_event, send)
from engine.listen.sockets cimport MSG_DONTWAIT, SOL_SOCKET, getsockopt, socklen_t

cdef enum:
    HIGH_BYTES = 65536


cdef class TcpTransport:
    def __cinit__(self, int fd, int epoll, peername not None, protocol not None, call_soon not None, on_gone not None):
        self.fd = fd
        self.epoll = epoll
        self.peername = peername
        self.protocol = protocol
        self.call_soon = call_soon
        self.on_gone = on_gone
        self.high = HIGH_BYTES
        self.wanted = EPOLLIN
        self.tell_epoll(EPOLL_CTL_ADD)

    def __dealloc__(self):
        if self.fd >= 0:
            close(self.fd)

    # What a protocol may call.

    def write(self, bytes data not None):
        self.send(<const uint8_t*><const char*>data, len(data))

    def pause_reading(self):
        self.watch(EPOLLIN, False)

    def resume_reading(self):
        if not self.closing:
            self.watch(EPOLLIN, True)

    def close(self):
        if self.closing:
            return
        self.closing = True
        self.watch(EPOLLIN, False)
        if not self.waiting:
            self.end(None)

    def abort(self):
        self.closing = True
        self.end(None)

    def is_closing(self):
        return self.closing

    def set_write_buffer_limits(self, size_t high):
        self.high = high

    def get_write_buffer_size(self):
        return len(self.waiting) if self.waiting else 0

    def get_extra_info(self, name, default=None):
        return self.peername if name == "peername" else default

    # What the server calls.

    cdef int watch(self, uint32_t events, bint on) except -1:
        """Let epoll tell of these events, or no more."""
        cdef uint32_t wanted = self.wanted | events if on else self.wanted & ~events
        if self.ended or wanted == self.wanted:
            return 0
        self.wanted = wanted
        return self.tell_epoll(EPOLL_CTL_MOD)

    cdef int tell_epoll(self, int operation) except -1:
        """Tell epoll what is wanted; what is ready already is told at once, again too.

        An event is told when it begins, once: asked each time whether it still is, epoll would look at each socket
        that was just emptied, 7% of the time with one frame in a read.
        """
        cdef epoll_event event
        event.events = self.wanted | EPOLLET | EPOLLRDHUP
        event.data.ptr = <void*>self
        if epoll_ctl(self.epoll, operation, self.fd, &event) != 0:
            raise OSError(errno, "epoll_ctl")
        return 0

    cdef int send(self, const uint8_t* data, size_t size) except -1:
        """Give the socket what it takes and keep the rest; a protocol that writes too much is asked to pause."""
        cdef ssize_t went = 0
        if self.ended:
            return 0
        if not self.waiting:
            went = send(self.fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL)
            if went < 0:
                if errno != EAGAIN and errno != EINTR:
                    return self.end(OSError(errno, "send"))
                went = 0
        if <size_t>went == size:
            return 0
        if self.waiting is None:
            self.waiting = bytearray()
        self.waiting += data[went:size]
        self.watch(EPOLLOUT, True)
        if <size_t>len(self.waiting) > self.high and not self.asked_to_pause:
            self.asked_to_pause = True
            self.protocol.pause_writing()
        return 0

    cdef int on_writable(self) except -1:
        """The socket takes bytes again."""
        cdef ssize_t went
        if self.ended:
            return 0
        went = send(self.fd, PyByteArray_AS_STRING(self.waiting), len(self.waiting), MSG_DONTWAIT | MSG_NOSIGNAL)
        if went < 0:
            return 0 if errno == EAGAIN or errno == EINTR else self.end(OSError(errno, "send"))
        del self.waiting[:went]
        if not self.waiting:
            self.watch(EPOLLOUT, False)
            if self.closing:
                return self.end(None)
        if self.asked_to_pause and <size_t>len(self.waiting) <= self.high // 4:
            self.asked_to_pause = False
            self.protocol.resume_writing()
        return 0

    cdef int on_end(self) except -1:
        """The connection was cut, or both sides have said all."""
        cdef int error = 0
        cdef socklen_t size = sizeof(error)
        getsockopt(self.fd, SOL_SOCKET, SO_ERROR, &error, &size)
        return self.end(OSError(error, "connection lost") if error else None)

    cdef int end(self, object error) except -1:
        """End it now; its protocol hears of that in the loop's next turn, since it may be in the middle of its work."""
        if not self.ended:
            epoll_ctl(self.epoll, EPOLL_CTL_DEL, self.fd, NULL)
            self.ended = self.closing = True
            self.call_soon(self.lose, error)
        return 0

    def lose(self, error):
        """Tell the protocol, and free the descriptor."""
        protocol, self.protocol = self.protocol, None
        close(self.fd)
        self.fd = -1
        self.waiting = None
        self.on_gone(self)
        protocol.connection_lost(error)
