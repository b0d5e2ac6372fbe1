# FILTER: rows in, verdicts and numbered events out. Deterministic: no clock, no I/O, nothing random that shows.
#
#   apply   the rows of one journal entry -> one verdict each, and the events that they make
#   judge   one row: a rule by class, state and condition (rules.pxd); then it raises, or clears, or is only stored
#   show    rows that could not be journalled -> events without number; remembers nothing
#
# One signal makes at most one event, so a batch of n rows needs room for n.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from codec.batch cimport Columns
from engine.filter.alarms cimport Alarm, Alarms
from engine.filter.event cimport Step
from engine.filter.outcome cimport Outcome
from engine.filter.rules cimport Choice

cdef enum:
    VERDICTS = 4             # as many as there are, and a power of two above the reasons
    REASONS = 32
    CLASSES = 16

cdef class Filter:
    # What is remembered: saved, loaded, and a function of the journal alone.
    cdef Alarms alarms
    cdef readonly uint64_t next_event
    cdef readonly uint64_t position

    # What the configuration says.
    cdef Choice choice
    cdef uint32_t alarms_max
    cdef bytes source_text           # a JSON string with its quotes
    cdef const uint8_t* source       # borrowed from source_text
    cdef uint32_t source_size
    cdef bytes hash_key

    # Since the start of this process: counters, and room that is used again.
    cdef readonly uint64_t untracked
    cdef uint64_t verdicts[VERDICTS * REASONS]
    cdef uint64_t signals[CLASSES]
    cdef Outcome outcome

    cdef int prepare(self, const Columns* c) except -1
    cdef void judge(self, const Columns* c, uint32_t row, uint64_t signal) noexcept nogil
    cdef void raises(self, const Columns* c, uint32_t row, uint64_t signal, uint16_t rule) noexcept nogil
    cdef void clears(self, const Columns* c, uint32_t row, uint64_t signal) noexcept nogil
    cdef void sing(self, const Columns* c, uint32_t row, uint64_t signal) noexcept nogil
    cdef void decide(self, uint32_t row, uint8_t verdict, uint8_t reason, uint16_t rule) noexcept nogil
    cdef void tell(self, const Columns* c, uint32_t row, uint64_t signal, uint8_t type, Alarm* alarm) noexcept nogil
    cdef void tell_volatile(self, const Columns* c, uint32_t row) noexcept nogil
    cdef dict alarm_row(self, const Alarm* alarm)
