# What the events of one transaction make of each alarm: its row as of the last of them, with what happened once (a
# confirmation, an acceptance, an answer, its end) taken from all of them. One row an alarm, however many events it has,
# and no look into the database: an alarm that was raised here is new, any other is changed by one statement.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from codec.batch cimport Columns
from engine.filter.outcome cimport Events, Outcome
from engine.index cimport Index
from engine.store.copy cimport Copy

cdef struct AlarmChange:
    uint64_t alarm                   # its id, without the partition
    const Columns* columns           # borrowed, as the next two: where its last event stands
    const Events* events
    const uint8_t* arena
    uint32_t last
    uint8_t answered                 # Reason of the last answer; 0: none
    int64_t confirmed_ns             # of the first event that says so, as the next two; TIME_NONE: none does
    int64_t accepted_ns
    int64_t cleared_ns

cdef class AlarmCopy(Copy):          # rows of ALARM_COLUMNS
    cdef bint put(self, const AlarmChange* change, uint64_t base) noexcept nogil

cdef class VerdictCopy(Copy):        # rows of VERDICT_COLUMNS
    cdef bint put(self, const Events* e, uint32_t i, uint64_t base) noexcept nogil

cdef class AlarmRows:
    cdef uint64_t base               # partition << 53
    cdef AlarmChange* changes        # owned; in the order in which their alarms were met
    cdef readonly uint32_t count
    cdef uint32_t room
    cdef Index by_alarm
    cdef list held                   # what the borrowed pointers lie in
    cdef readonly AlarmCopy new
    cdef readonly AlarmCopy changed
    cdef readonly VerdictCopy verdicts

    cdef AlarmChange* change_of(self, uint64_t alarm) except? NULL
    cdef int grow(self) except -1
