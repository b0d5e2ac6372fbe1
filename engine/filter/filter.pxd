# FILTER: rows in, verdicts and numbered events out. Deterministic: no clock, no I/O, nothing random that shows.
#
#   apply       the rows of one journal entry -> one verdict each, and the events that they make
#   judge       one row: its own rule by class, state and condition (rules.pxd); then it raises, clears or is state
#               (judging.pxd); what people changed and what is due is done by changing.pxd
#   show        rows that could not be journalled -> events without number; remembers nothing
#   telling.pxd numbers and writes events, here and nowhere else
#
# A fire, gas or prealarm that is not a restore makes one event, at once, whatever is remembered, full or switched.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from codec.batch cimport Columns
from engine.filter.acceptance cimport Acceptance
from engine.filter.alarms cimport Alarms
from engine.filter.changes_ahead cimport ChangesAhead
from engine.filter.losses cimport Losses, LossRules
from engine.filter.outcome cimport Outcome
from engine.filter.registry cimport Registry
from engine.filter.rulebook cimport Book
from engine.filter.states cimport States

cdef enum:
    VERDICTS = 4             # as many as there are, and a power of two above the reasons
    REASONS = 32
    CLASSES = 16

cdef class Filter:
    # What is remembered: saved, loaded, and a function of the journal alone.
    cdef Alarms alarms
    cdef Registry registry
    cdef States states
    cdef Losses losses
    cdef Acceptance acceptance
    cdef Book book
    cdef LossRules loss_rules        # of `book`
    cdef object rulebook             # the Rulebook behind `book`
    cdef object test_modes           # TestModes
    cdef int64_t test_due_ns         # when the next one ends; INT64_MAX: none is on
    cdef int64_t time_ns             # of the last tick: never goes back
    cdef readonly uint64_t next_event
    cdef readonly uint64_t position

    # What the configuration says.
    cdef bint fixed_rules            # rows that change the rules are passed over
    cdef bint silent                 # alarms' events are made without what subscribers get
    cdef uint32_t alarms_max
    cdef uint32_t transmitters_max
    cdef uint32_t paths_max
    cdef bytes source_text           # a JSON string with its quotes
    cdef const uint8_t* source       # borrowed from source_text
    cdef uint32_t source_size
    cdef bytes hash_key

    # Since the start of this process: counters, and room that is used again.
    cdef readonly uint64_t untracked
    cdef readonly uint64_t unaccepted_total
    cdef list overdue                # ids of alarms that nobody accepted, since somebody asked last
    cdef ChangesAhead changes_ahead
    cdef uint64_t row_hash           # of the name in the row at hand; 0: not made
    cdef bint failed                 # there was no memory for an event
    cdef uint64_t verdicts[VERDICTS * REASONS]
    cdef uint64_t signals[CLASSES]
    cdef Outcome outcome

    cdef int make_tables(self) except -1
    cdef void free_tables(self) noexcept
    cdef int prepare(self, const Columns* c) except -1
    cdef void judge(self, const Columns* c, uint32_t row, uint64_t signal) noexcept nogil
    cdef int make_alarms(self, uint64_t alarms, uint64_t items) except -1
    cdef void limit_alarms(self) noexcept
    cdef int set_rules(self, object rulebook) except -1
    cdef int set_tests(self, bytes saved) except -1
