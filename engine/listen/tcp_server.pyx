"""Plain TCP without the event loop's transports.

The loop watches one descriptor, an epoll of the listener's own. A wake-up takes what is ready on up to 256
connections: one read each into the listener's buffer, the frames, one write of their replies, no Python between.
The rows of all of them go on together.
"""
import socket as sockets

from libc.errno cimport EAGAIN, ECONNABORTED, EINTR, EMFILE, ENFILE, ENOBUFS, ENOMEM, errno
from libc.stdint cimport uint32_t
from libc.string cimport memcpy
from posix.unistd cimport close

from engine.listen.epoll cimport (EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLERR, EPOLLHUP,
                                  EPOLLIN, EPOLLOUT, EPOLLRDHUP, IPPROTO_TCP, SOCK_CLOEXEC, SOCK_NONBLOCK, TCP_NODELAY,
                                  accept4, epoll_create1, epoll_ctl, epoll_event, epoll_wait, recv, setsockopt)
from engine.listen.sockets cimport AF_INET, ntohs, sockaddr_in, sockaddr_in6, socklen_t
from engine.listen.tcp cimport READ_BYTES_MAX

cdef enum:
    READY_MAX = 256              # of one wake-up, so that nothing else waits longer than some 2 ms
    READS_MAX = 4                # of one connection in a wake-up
    ACCEPTED_MAX = 64            # of one wake-up: who is connected already goes on beside a storm of new ones
REST_S = 0.1


cdef class TcpServer:
    def __cinit__(self, TcpListener listener not None, socket not None, loop not None):
        cdef epoll_event event
        self.listener = listener
        self.loop = loop
        self.socket = socket
        self.listening = socket.fileno()
        self.transports = set()
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        if self.epoll < 0:
            raise OSError(errno, "epoll_create1")
        self.watch_for_new()
        loop.add_reader(self.epoll, self.on_ready)

    def __dealloc__(self):
        if self.epoll >= 0:
            close(self.epoll)

    @property
    def sockets(self):
        return () if self.socket is None else (self.socket,)

    def close(self):
        """Accept nobody any more. Those who are connected stay until they end or are ended."""
        if self.socket is None:
            return
        if self.resting is not None:
            self.resting.cancel()
        # Another process may have this socket too: closing ours would not take it out of epoll.
        epoll_ctl(self.epoll, EPOLL_CTL_DEL, self.listening, NULL)
        self.listening = -1
        self.socket.close()
        self.socket = None
        self.leave_loop()

    def leave_loop(self):
        """Let the loop forget this server when there is nothing left to hear of."""
        if self.socket is None and not self.transports:
            self.loop.remove_reader(self.epoll)

    def watch_for_new(self):
        """Let epoll tell of new connections."""
        cdef epoll_event event
        self.resting = None
        event.events = EPOLLIN
        event.data.ptr = NULL
        if self.socket is not None and epoll_ctl(self.epoll, EPOLL_CTL_ADD, self.listening, &event) != 0:
            raise OSError(errno, "epoll_ctl")

    def on_ready(self):
        """Take what is ready. The loop calls it again at once when there is more."""
        cdef epoll_event ready[READY_MAX]
        cdef int i, count = epoll_wait(self.epoll, ready, READY_MAX, 0)
        cdef TcpTransport transport
        for i in range(count):
            if ready[i].data.ptr == NULL:
                self.accept_some()
                continue
            # It is alive: what has ended leaves `transports` in a later turn of the loop.
            transport = <TcpTransport>ready[i].data.ptr
            if ready[i].events & EPOLLOUT and transport.wanted & EPOLLOUT:
                transport.on_writable()
            if transport.ended:
                continue
            if transport.wanted & EPOLLIN:
                self.read(transport, ready[i].events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP) != 0)
            elif ready[i].events & (EPOLLERR | EPOLLHUP):
                transport.on_end()       # nobody reads, so what it sent last is lost; it got no reply to that
        self.listener.on_rows()

    def on_gone(self, transport):
        self.transports.discard(transport)
        self.leave_loop()

    cdef int accept_some(self) except -1:
        """Take new connections."""
        cdef sockaddr_in6 peer
        cdef socklen_t size
        cdef int i, fd, one = 1
        cdef TcpConnection connection
        cdef TcpTransport transport
        for i in range(ACCEPTED_MAX):
            size = sizeof(peer)
            fd = accept4(self.listening, &peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC)
            if fd < 0:
                if errno in (EMFILE, ENFILE, ENOBUFS, ENOMEM):
                    # Nobody can be taken: asking again at once would only turn in a circle.
                    epoll_ctl(self.epoll, EPOLL_CTL_DEL, self.listening, NULL)
                    self.resting = self.loop.call_later(REST_S, self.watch_for_new)
                elif errno == EINTR or errno == ECONNABORTED:
                    continue
                return 0
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
            connection = TcpConnection(self.listener)
            transport = TcpTransport(fd, self.epoll, peername_of(&peer), connection, self.loop.call_soon, self.on_gone)
            self.transports.add(transport)
            connection.connection_made(transport)
        return 0

    cdef int read(self, TcpTransport transport, bint to_the_end) except -1:
        """Read and take the frames; to_the_end: the peer has ended, which is told once, so read until that comes."""
        cdef TcpConnection connection = <TcpConnection>transport.protocol
        cdef uint32_t kept, room
        cdef ssize_t got
        cdef int reads
        for reads in range(READS_MAX):
            kept = connection.carry_size
            room = READ_BYTES_MAX - kept
            got = recv(transport.fd, self.listener.buffer + kept, room, 0)
            if got > 0:
                if kept:
                    memcpy(self.listener.buffer, connection.carry, kept)
                connection.run(kept + <uint32_t>got)
                if transport.ended or not transport.wanted & EPOLLIN or got < room and not to_the_end:
                    return 0
            elif got == 0:
                transport.watch(EPOLLIN, False)
                if not connection.eof_received():
                    transport.close()
                return 0
            elif errno != EINTR:
                return 0 if errno == EAGAIN else transport.end(OSError(errno, "recv"))
        return transport.tell_epoll(EPOLL_CTL_MOD)   # there may be more: in its next turn


cdef object peername_of(const sockaddr_in6* peer):
    """Return (host, port)."""
    cdef const sockaddr_in* four = <const sockaddr_in*>peer
    if peer.sin6_family == AF_INET:
        return sockets.inet_ntop(sockets.AF_INET, (<const char*>&four.sin_addr)[:4]), ntohs(four.sin_port)
    return sockets.inet_ntop(sockets.AF_INET6, (<const char*>&peer.sin6_addr)[:16]), ntohs(peer.sin6_port)
