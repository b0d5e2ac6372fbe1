# Mass losses for others: as JSON of an event, as rows for people, as bytes.

from libc.stdint cimport uint8_t

from engine.filter.losses cimport Loss, Losses

cdef class LossesTable:
    cdef Losses losses

cdef uint8_t* write_loss(uint8_t* out, const Losses* l, const Loss* loss) noexcept nogil
cdef list losses_standing(const Losses* l)
cdef list losses_save(const Losses* l)
cdef int losses_load(Losses* l, bytes saved) except -1
