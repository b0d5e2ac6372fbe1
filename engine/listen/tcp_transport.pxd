# The transport of a plain TCP connection: what a protocol of the event loop expects, and a way for C around it.

from libc.stdint cimport uint8_t, uint32_t

cdef class TcpTransport:
    cdef int fd                      # owned
    cdef int epoll                   # of the server, which outlives this
    cdef uint32_t wanted             # what epoll watches for: EPOLLIN, EPOLLOUT, each told once when it begins
    cdef object protocol             # None when its connection_lost was called
    cdef object call_soon            # of the event loop
    cdef object on_gone              # called with this when its descriptor is free
    cdef object peername
    cdef bytearray waiting           # bytes that the socket did not take; None: none yet
    cdef size_t high                 # more of them, and the protocol is asked to pause
    cdef bint asked_to_pause
    cdef bint closing                # nothing more is read; it ends when all is written
    cdef bint ended                  # nothing more happens but connection_lost

    cdef int watch(self, uint32_t events, bint on) except -1
    cdef int tell_epoll(self, int operation) except -1
    cdef int send(self, const uint8_t* data, size_t size) except -1
    cdef int on_writable(self) except -1
    cdef int on_end(self) except -1
    cdef int end(self, object error) except -1
