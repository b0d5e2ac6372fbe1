# More than one core for UDP: a thread without the GIL for each of the sockets that share an address (SO_REUSEPORT).
#
#     socket ──► ReceiverThread ──► reply              a clear heartbeat of a path that is up: all of it happens here
#                      │ ring, eventfd
#                ReceiverListener (the loop) ──► as if it had received the datagram itself; replies by the same socket
#
# A thread writes: of a path its touch, its own counters, histogram, log of heartbeats, clock and ring. All else is the
# loop's, so that no two write one thing, and nobody waits for anybody.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from codec.batch cimport Batch
from codec.frame cimport Frame
from engine.heartbeats cimport HeartbeatLog
from engine.listen.handed cimport Handed, HandedRing
from engine.listen.receiver cimport Arrival, Peeked, Tally, Taken
from engine.listen.udp cimport UdpListener
from engine.paths cimport Path
from engine.supervise.listening cimport Follower

cdef enum:
    WAIT_MS_MAX = 250                # at the socket; well below what listening time calls a stall
    ERRORS_MAX = 1000                # one after the other, 1 ms apart: beyond, the socket is broken
    # Where frames come fast a thread sleeps while some gather, for a wake-up costs as much as several frames.
    GATHER_NS_MAX = 500000           # at most so long: a reply is later by as much
    GATHER_FRAMES = 64               # are enough
    GATHER_FRAME_NS_MAX = 100000     # nanoseconds from frame to frame: slower ones are waited for
    GATHER_WINDOW_NS = 4000000       # how fast they come is seen over so long

cdef enum Look:              # what a thread makes of a frame
    LOOK_TAKEN = 0           # touched, and answered where it asks for that
    LOOK_RETURNED = 1        # a heartbeat of a path in fault: the loop ends the fault
    LOOK_OTHER = 2           # the loop's

cdef class ReceiverThread(UdpListener):
    cdef Tally tally
    cdef HeartbeatLog heartbeats     # its part of the receiver's
    cdef Follower follower           # the same as `listening`
    cdef Batch scratch               # what is read of a frame only to know whether it is a fire
    cdef HandedRing ring
    cdef uint32_t asked              # 1: the loop was woken and has not begun
    cdef uint8_t stopping
    cdef readonly int failed         # errno that ended the thread; 0 = none
    cdef int64_t dropped             # datagrams for which the ring had no room
    cdef int wake_fd                 # owned eventfds: wakes the loop,
    cdef int stop_fd                 # wakes the thread
    cdef object thread
    cdef int64_t frame_ns            # from frame to frame, in the last window
    cdef int64_t window_ns           # monotonic clock when this one began
    cdef int64_t window_frames       # in it

    cdef int serve(self) noexcept nogil
    cdef bint gather(self, int taken, int64_t now_ns) noexcept nogil
    cdef Look look(self, const Peeked* peeked, const Arrival* arrival, bint also_returned, Taken* taken) noexcept nogil
    cdef bint touch(self, const Frame* frame, uint32_t number, const Arrival* arrival,
                    bint also_returned) noexcept nogil
    cdef bint hand_over(self, uint32_t index, uint32_t at, const Arrival* arrival) noexcept nogil
    cdef bint may_be_fire(self, const uint8_t* data, uint32_t size, const Arrival* arrival) noexcept nogil

cdef class ReceiverListener(UdpListener):
    cdef readonly ReceiverThread hearing

    cdef void adopt(self, uint32_t index, const Handed* handed) noexcept nogil
