# What was open at one transmitter at an earlier time, from the journal's rows and their verdicts.
#
# The verdict's reason says whether a row changed what is open: REASON_STATE, and REASON_MASS_LOSS for a line fault that
# is told as one of many. Two ways, the first of which reads less:
#
#   undo     rows from the time asked for to now, when what is open now is known: what was raised before that time and
#            still stands was open then. That is all, unless something from before was restored meanwhile.
#   replay   rows from the oldest kept on, through the same rules as ever. A restore that ends nothing here, ended
#            something that was raised before: it was open then, since when is not known.

from libc.stdint cimport uint8_t, uint32_t

from codec.batch cimport Columns
from engine.filter.outcome cimport Outcome
from engine.filter.states cimport StateItem, States

cdef class Past:
    cdef States states
    cdef uint8_t protocol
    cdef bytes account
    cdef bytes realm
    cdef const uint8_t* account_text # borrowed from account
    cdef const uint8_t* realm_text
    cdef uint32_t account_size
    cdef uint32_t realm_size
    cdef readonly list lost          # ended, and raised before what is kept: (class, condition, point or None)
    cdef readonly bint sure          # False: more may have been open than is known

    cdef bint is_change(self, const Columns* c, Outcome outcome, uint32_t row) noexcept nogil
    cdef StateItem* find(self, const Columns* c, uint32_t row) noexcept nogil
    cdef bint ends_one(self, const Columns* c, uint32_t row) noexcept nogil
    cdef int lose(self, const Columns* c, uint32_t row) except -1
