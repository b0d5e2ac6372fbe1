# The last refused frames, for the installer on the phone: a few of each source, in a table that never grows.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    REFUSED_SOURCES = 256    # sources share a row when their hashes meet
    REFUSED_PER_SOURCE = 4
    REFUSED_BYTES_MAX = 256  # of a frame that are kept

cdef struct RefusedFrame:
    int64_t  received_ns     # 0: free; each frame's own, so that it can stand for the frame in a list
    uint8_t  address[16]
    uint16_t port
    uint8_t  protocol
    uint8_t  status          # Status, or Refusal
    uint8_t  answer          # Answer
    uint32_t size            # of the frame or of what was passed over
    uint8_t  bytes[REFUSED_BYTES_MAX]

cdef class RefusedFrames:
    cdef RefusedFrame* frames        # owned; REFUSED_SOURCES rows of REFUSED_PER_SOURCE
    cdef uint8_t* turn               # owned; which of its row is written next
    cdef int64_t latest_ns           # received_ns of the newest frame

    cdef RefusedFrame* next_slot(self, uint32_t peer, int64_t received_ns) noexcept nogil
