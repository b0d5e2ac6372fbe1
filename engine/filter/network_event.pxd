# A mass loss as an event: a CloudEvent of type io.tocsin.network.lost or .restored, numbered like those of alarms.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from engine.filter.losses cimport Loss, Losses
from engine.filter.outcome cimport Outcome

cdef bint network_event_push(Outcome outcome, const Losses* losses, const Loss* loss, uint64_t number,
                             const uint8_t* source, uint32_t source_size) noexcept nogil
