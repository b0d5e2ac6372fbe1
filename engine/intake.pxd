# The intake: the batch that is being filled while the one before it is flushed.
#
# It is what LISTEN and SUPERVISE hand their rows to, and what ADMIT sifts: ADMIT is an Intake that knows the frames
# of the last minutes. Tickets say what a reply waits for: ticket t is durable once the append that took rows up to
# t has returned. They live in memory alone and say nothing about journal numbers.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from codec.batch cimport Batch, Columns

cdef enum:
    TICKET_DURABLE = 0       # nothing to wait for

cdef enum Urgency:
    URGENCY_DEFERRABLE = 0   # test and info: the first to be refused, when the batch or the journal runs full
    URGENCY_NORMAL = 1
    URGENCY_FIRE = 2         # fire, gas and prealarm: the last

cdef struct Mark:            # where a frame's rows begin, to take them out again
    uint32_t row
    uint32_t arena

cdef enum Offer:             # what became of a frame's rows
    OFFER_NEW = 0
    OFFER_KNOWN = 1          # a frame that was admitted before; its rows are out again
    OFFER_NOTHING = 2        # status words in which nothing is new; likewise
    OFFER_NO_ROOM = 3        # likewise, and no reply may leave

cdef struct Offered:
    uint64_t ticket          # what the reply waits for
    uint8_t  outcome         # Offer

cdef class Intake:
    cdef readonly Batch batch
    cdef Columns* rows               # of the batch
    cdef readonly uint64_t offered   # ticket of the newest row in the batch
    cdef readonly uint64_t durable   # every ticket up to this one is on the disk
    cdef Mark full_for[3]            # by Urgency: beyond so many rows and bytes it finds no room
    cdef Mark full_for_own           # likewise for what the engine itself finds, such as line faults
    cdef Urgency urgency             # of the last frame that was offered, unless nothing was new in its status
    cdef public int urgency_min      # Urgency: less urgent rows find the journal too full for them

    cdef Mark mark(self) noexcept nogil
    cdef void withdraw(self, Mark mark) noexcept nogil
    cdef bint crowded(self) noexcept nogil
    cdef bint has_room_later(self, Urgency urgency) noexcept nogil
    cdef bint fits(self, Mark full) noexcept nogil
    cdef bint has_room(self, Urgency urgency) noexcept nogil
    cdef bint has_room_for_own(self) noexcept nogil
    cdef Urgency urgency_since(self, Mark mark) noexcept nogil
    cdef Offered offer(self, Mark mark) noexcept nogil
