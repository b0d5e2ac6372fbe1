# The sockets of a plain TCP listener under an epoll of their own: one wake-up of the loop takes all that is ready.

from engine.listen.tcp cimport TcpConnection, TcpListener
from engine.listen.tcp_transport cimport TcpTransport

cdef class TcpServer:
    cdef TcpListener listener
    cdef object loop
    cdef object socket               # that listens, None when closed
    cdef int listening               # its descriptor, -1 when closed
    cdef int epoll                   # owned
    cdef set transports              # keeps those alive that epoll points to
    cdef readonly object resting            # the timer until which nobody is accepted, for want of descriptors; or None

    cdef int accept_some(self) except -1
    cdef int read(self, TcpTransport transport, bint to_the_end) except -1
