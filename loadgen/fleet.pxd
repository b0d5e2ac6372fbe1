# The open loop: what is due is sent, what has come is read, then it sleeps. One thread, no GIL.

from libc.stdint cimport int64_t, uint32_t
from loadgen.dc09_client cimport Stamp
from loadgen.pacing cimport Pace
from loadgen.patches cimport Patches
from loadgen.tcp cimport Tcp, TcpConnections
from loadgen.transmitters cimport Book, Transmitters
from loadgen.udp cimport Udp, UdpSockets

cdef enum:
    TURN_FRAMES_MAX = 512        # sent before replies are read again
    TURN_RETRIES_MAX = 64
    TURN_NS = 100000             # a turn is at most this often: frames leave up to this much after they are due
    IDLE_NS = 200000             # and the longest sleep: replies are read at least this often
    EVENTS_MAX = 256
    BLOCK_TRANSMITTERS_MAX = 64  # neighbours that share a socket, so that their frames can leave together

cdef struct Loop:
    Book*    book
    Udp*     udp                 # one of the two is NULL
    Tcp*     tcp
    Pace     pace
    Stamp    stamp
    int      epoll
    uint32_t links               # sockets or connections
    uint32_t block               # transmitter i speaks by link i / block % links
    int64_t  next                # frame
    Patches* patches             # heartbeats that nobody answers, nothing else is sent; NULL: replies are waited for
    int64_t  window              # most frames outstanding; 0: an open loop
    int64_t  stop_ns             # no frame is sent from here on
    int64_t  sent_ns             # when the last frame left, 0 while sending
    int64_t  grace_ns            # how long heartbeats' replies are waited for after that
    int64_t  behind_ns           # the latest that any frame left after it was due
    int64_t  turns

cdef class Fleet:
    cdef Loop loop
    cdef Patches patches
    cdef Transmitters transmitters
    cdef UdpSockets udp
    cdef TcpConnections tcp
