# The parts of the Linux socket interface that Cython's own headers leave out.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <sys/socket.h>
    #include <netinet/in.h>
    #include <string.h>
    #include <errno.h>
    #include <poll.h>
    #ifndef SO_MEMINFO
    #define SO_MEMINFO 55
    #endif
    """
    struct iovec:
        void*  iov_base
        size_t iov_len
    struct in6_addr:
        uint8_t s6_addr[16]
    struct sockaddr_in6:
        uint16_t sin6_family
        uint16_t sin6_port
        in6_addr sin6_addr
    struct in_addr:
        uint32_t s_addr
    struct sockaddr_in:
        uint16_t sin_family
        uint16_t sin_port
        in_addr  sin_addr
    struct msghdr:
        void*    msg_name
        uint32_t msg_namelen
        iovec*   msg_iov
        size_t   msg_iovlen
        void*    msg_control
        size_t   msg_controllen
        int      msg_flags
    struct mmsghdr:
        msghdr   msg_hdr
        uint32_t msg_len
    struct timespec:
        pass
    int AF_INET
    int AF_INET6
    int MSG_DONTWAIT
    ctypedef unsigned int socklen_t
    int SOL_SOCKET
    int SO_MEMINFO
    int getsockopt(int fd, int level, int name, void* value, socklen_t* size) nogil
    int recvmmsg(int fd, mmsghdr* messages, uint32_t count, int flags, timespec* timeout) nogil
    int sendmmsg(int fd, mmsghdr* messages, uint32_t count, int flags) nogil
    uint16_t ntohs(uint16_t value) nogil
    struct pollfd:
        int   fd
        short events
        short revents
    short POLLIN
    short POLLNVAL
    int poll(pollfd* watched, unsigned long count, int timeout_ms) nogil
