# The parts of epoll and of stream sockets that Cython's own headers leave out.

from libc.stdint cimport uint32_t, uint64_t
from engine.listen.sockets cimport sockaddr_in6, socklen_t

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <sys/epoll.h>
    #include <sys/socket.h>
    #include <netinet/in.h>
    #include <netinet/tcp.h>
    """
    ctypedef union epoll_data:
        void* ptr
    struct epoll_event:
        uint32_t   events
        epoll_data data
    int EPOLL_CLOEXEC
    int EPOLL_CTL_ADD
    int EPOLL_CTL_MOD
    int EPOLL_CTL_DEL
    uint32_t EPOLLIN
    uint32_t EPOLLOUT
    uint32_t EPOLLERR
    uint32_t EPOLLHUP
    uint32_t EPOLLRDHUP
    uint32_t EPOLLET
    int epoll_create1(int flags) nogil
    int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) nogil
    int epoll_wait(int epoll, epoll_event* events, int count, int timeout_ms) nogil
    int SOCK_NONBLOCK
    int SOCK_CLOEXEC
    int MSG_NOSIGNAL
    int IPPROTO_TCP
    int TCP_NODELAY
    int SO_ERROR
    int accept4(int fd, sockaddr_in6* peer, socklen_t* size, int flags) nogil
    int setsockopt(int fd, int level, int name, const void* value, socklen_t size) nogil
    ssize_t recv(int fd, void* to, size_t size, int flags) nogil
    ssize_t send(int fd, const void* data, size_t size, int flags) nogil
