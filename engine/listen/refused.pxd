# The last refused frames, for the installer on the phone: a few of each source, in a table that never grows.
#
# A source has a row of its own by the hash of its address; two whose hashes meet share one. The same bytes refused for
# the same reason right after each other are one entry with a count, so that a repeating transmitter does not push out
# what it sent before. Whoever speaks under many addresses pushes out everybody's: it is a help, not a record.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from codec.frame cimport Frame
from codec.limits cimport ACCOUNT_BYTES_MAX, FRAME_BYTES_MAX

cdef enum:
    REFUSED_SOURCES = 256
    REFUSED_PER_SOURCE = 4
    REFUSED_BYTES_MAX = FRAME_BYTES_MAX  # of a frame that are kept: all; of garbage the beginning
    REFUSED_ANSWER_BYTES_MAX = 64        # the longest answer to a refused frame is a NAK of 48 bytes

cdef struct RefusedFrame:
    int64_t  received_ns     # 0: free; each frame's own, so that it can stand for the frame in a list
    uint64_t count           # how often in a row; received_ns is that of the last time
    uint8_t  address[16]
    uint16_t port
    uint8_t  protocol
    uint8_t  status          # Status, or Refusal
    uint8_t  account_size    # 0: the header could not be read
    uint8_t  account[ACCOUNT_BYTES_MAX]
    uint8_t  answer_size     # 0: silence
    uint8_t  answer[REFUSED_ANSWER_BYTES_MAX]
    uint32_t size            # of the frame or of what was passed over
    uint8_t  bytes[REFUSED_BYTES_MAX]

cdef class RefusedFrames:
    cdef RefusedFrame* frames        # owned; REFUSED_SOURCES rows of REFUSED_PER_SOURCE
    cdef uint8_t* turn               # owned; which of its row is written next
    cdef int64_t latest_ns           # received_ns of the newest frame
    cdef RefusedFrame* latest        # the newest frame; NULL before the first

    cdef void note(self, const uint8_t* data, uint32_t size, uint8_t protocol, uint8_t status, const Frame* frame,
                   uint32_t peer, const uint8_t* address, uint16_t port, int64_t received_ns) noexcept nogil
    cdef void note_answer(self, const uint8_t* reply, uint32_t size) noexcept nogil
