# What of the Linux socket interface the generator uses and Cython does not declare.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from posix.time cimport timespec

cdef extern from "sys/uio.h" nogil:
    struct iovec:
        void* iov_base
        size_t iov_len

cdef extern from "sys/socket.h" nogil:
    struct sockaddr_storage:
        pass
    struct msghdr:
        void* msg_name
        uint32_t msg_namelen
        iovec* msg_iov
        size_t msg_iovlen
        void* msg_control
        size_t msg_controllen
        int msg_flags
    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    struct cmsghdr:
        size_t cmsg_len
        int cmsg_level
        int cmsg_type
    int MSG_DONTWAIT, MSG_NOSIGNAL, MSG_WAITFORONE, SOCK_NONBLOCK, SOCK_CLOEXEC
    int sendmmsg(int fd, mmsghdr* messages, unsigned int count, int flags)
    int recvmmsg(int fd, mmsghdr* messages, unsigned int count, int flags, timespec* timeout)
    int setsockopt(int fd, int level, int option, const void* value, uint32_t size)
    ssize_t send(int fd, const void* data, size_t size, int flags)
    ssize_t recv(int fd, void* data, size_t size, int flags)
    int accept4(int fd, void* address, void* size, int flags)

cdef extern from "netinet/in.h" nogil:
    int IPPROTO_UDP

cdef extern from "sys/epoll.h" nogil:
    ctypedef union epoll_data_t:
        uint32_t u32
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int EPOLLIN, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CLOEXEC
    int epoll_create1(int flags)
    int epoll_ctl(int epoll, int operation, int fd, epoll_event* event)
    int epoll_wait(int epoll, epoll_event* events, int count, int timeout_ms)

cdef extern from "poll.h" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    short POLLOUT
    int poll(pollfd* fds, unsigned long count, int timeout_ms)

cdef extern from "sys/prctl.h" nogil:
    int PR_SET_TIMERSLACK, PR_SET_PDEATHSIG
    int prctl(int option, unsigned long value)

cdef enum:
    UDP_SEGMENT = 103            # linux/udp.h; older C libraries lack it, and the next
    UDP_GRO = 104
    SEGMENT_CONTROL_BYTES = 24   # CMSG_SPACE of a 16-bit number
    SEGMENT_CONTROL_SIZE = 18    # CMSG_LEN of it
