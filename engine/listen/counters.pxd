# What LISTEN counts. Plain numbers in one struct; the metrics read them when they are scraped. Each thread that hears
# has a struct of its own, and a reading is their sum.

from libc.stdint cimport uint32_t, uint64_t
from codec.frame cimport ANSWER_COUNT
from codec.status cimport STATUS_COUNT
from codec.words cimport FRAME_KIND_COUNT, PROTOCOL_COUNT

cdef enum Refusal:                  # refused for a reason that no codec knows; goes on where Status ends
    REFUSED_UNKNOWN_ACCOUNT = 9      # policy "refuse"
    REFUSED_GARBAGE_LIMIT = 10       # the connection was closed for it
    REFUSED_FRAME_TIMEOUT = 11       # a frame that never ended; the connection was closed
    REFUSED_NOT_SERVED = 12          # its protocol is not taken here
    REFUSAL_COUNT = 13

cdef enum Shed:
    SHED_SIGNAL = 0                  # no room in the intake; no reply, the transmitter sends again
    SHED_HELD_REPLY = 1              # no room to hold its reply; likewise
    SHED_REPLY = 2                   # the socket did not take it
    SHED_CONNECTION = 3              # too many connections
    SHED_ENROLMENT = 4               # no room to enrol a new path; no reply
    SHED_HEARTBEAT_REPLY = 5         # the kernel was about to drop datagrams; the heartbeat counts all the same
    SHED_COUNT = 6

cdef struct Counters:                # of uint64_t alone: sums go through them in a row
    uint64_t frames[PROTOCOL_COUNT][FRAME_KIND_COUNT]
    uint64_t rejected[PROTOCOL_COUNT][REFUSAL_COUNT]   # protocol 0: bytes that no format begins with
    uint64_t replies[PROTOCOL_COUNT][ANSWER_COUNT]     # sent
    uint64_t replies_withheld        # their rows could not be journalled
    uint64_t shed[SHED_COUNT]
    uint64_t bytes
    uint64_t garbage_bytes
    uint64_t connections_accepted
    uint64_t peer_changes            # by receiver threads; the loop's own stand in the path table
    uint64_t handed                  # datagrams that receiver threads gave to the loop

cdef inline void counters_add(Counters* total, const Counters* more) noexcept nogil:
    cdef uint32_t i
    for i in range(sizeof(Counters) // sizeof(uint64_t)):
        (<uint64_t*>total)[i] += (<const uint64_t*>more)[i]
