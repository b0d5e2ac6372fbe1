# Frames over several connected UDP sockets.
#
#   udp_space -> the caller writes a frame there -> udp_add -> ... -> udp_flush      out, in batches
#   udp_receive                                                                      in, everything that waits
#
# Neighbouring frames of one socket and one size leave as one message that the kernel cuts up again (UDP_SEGMENT), where
# it can; the receiver sees single datagrams either way.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from loadgen.kernel cimport iovec, mmsghdr
from loadgen.transmitters cimport Book

cdef enum:
    UDP_FRAMES_MAX = 512         # of one batch
    UDP_BUFFER_BYTES = 262144    # UDP_FRAMES_MAX frames of CLIENT_FRAME_BYTES_MAX
    UDP_SEGMENTS_MAX = 64        # frames of one message, as many as the oldest kernels take that know it
    UDP_REPLIES_MAX = 128        # datagrams of one recvmmsg
    UDP_REPLY_BYTES_MAX = 512

cdef struct UdpFrame:
    uint32_t at                  # in the batch's buffer
    uint16_t size
    uint16_t socket

cdef struct Udp:
    const int* fds               # borrowed from UdpSockets
    uint32_t sockets
    uint32_t segments            # frames of one message; 1 where the kernel does not cut
    uint32_t count               # frames in the batch
    uint32_t used                # bytes in the buffer
    uint8_t* buffer
    UdpFrame* frames
    mmsghdr* out                 # UDP_FRAMES_MAX messages with one iovec and one control each
    iovec*   out_parts
    uint8_t* out_control
    mmsghdr* into                # UDP_REPLIES_MAX messages over `replies`
    iovec*   into_parts
    uint8_t* replies
    int64_t  messages            # system's sends: frames or groups of them
    int64_t  unsendable          # frames that the kernel did not take
    int64_t  errors              # network errors seen on the sockets

cdef inline uint8_t* udp_space(Udp* udp) noexcept nogil:
    """Return where the next frame goes; the batch must not be full."""
    return udp.buffer + udp.used

cdef inline bint udp_full(const Udp* udp) noexcept nogil:
    return udp.count == UDP_FRAMES_MAX

cdef inline void udp_add(Udp* udp, uint32_t socket, uint32_t size) noexcept nogil:
    """Take the frame that was written at udp_space."""
    udp.frames[udp.count].at = udp.used
    udp.frames[udp.count].size = size
    udp.frames[udp.count].socket = socket
    udp.count += 1
    udp.used += size

cdef void udp_flush(Udp* udp) noexcept nogil
cdef void udp_receive(Udp* udp, uint32_t socket, Book* book) noexcept nogil

cdef class UdpSockets:
    cdef Udp udp
    cdef int* fds
