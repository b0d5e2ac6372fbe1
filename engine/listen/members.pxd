# The transmitters that one message speaks of: a gateway's message has rows of many. Each has a path of its own, whose
# receiver number is the gateway's key id; here they are found, and kept until it is known that the message counts.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from codec.batch cimport Columns
from codec.frame cimport Frame
from codec.limits cimport FRAME_SIGNALS_MAX
from engine.path_key cimport PathKey
from engine.paths cimport PathTable

cdef struct Members:
    uint32_t count                   # of rows with an account of their own
    uint32_t unknown                 # accounts among them that have no path yet
    uint32_t paths[FRAME_SIGNALS_MAX]        # of those that are known, NO_PATH for the others
    PathKey  strangers[FRAME_SIGNALS_MAX]

cdef void members_find(Members* members, const Frame* frame, uint16_t listener, Columns* c, uint32_t first,
                       PathTable paths) noexcept nogil
cdef bint carries_alarm(const Columns* c, uint32_t first) noexcept nogil
cdef void members_part(Columns* c, uint32_t first, const Frame* frame, bint refuse) noexcept nogil
cdef uint32_t members_take_lives(Columns* c, uint32_t first) noexcept nogil
