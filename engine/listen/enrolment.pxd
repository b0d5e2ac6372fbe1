# Enrolment: what to do with an account that is not in the path table; and what is known beforehand of those that are.
#
# Two rosters: what the configuration names, made once, and what the registry names, which rows of the journal change
# while the engine runs. The configuration wins: where it names a transmitter, the registry's record is not used.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from codec.batch cimport Columns
from engine.intake cimport Intake
from engine.listen.roster cimport Registered, Roster, Secret
from engine.listen.roster_ahead cimport Ahead
from engine.path_key cimport PathKey
from engine.paths cimport PathTable

cdef enum:
    EXPECT_LOOKED = 4096             # records that one turn of `expect` looks at
    EXPECT_ROWS = 512                # rows that it offers
    SWEEP_RECORDS = 16384            # that one turn of `tend` looks at
    SWEEP_GONE = 1024                # of them taken out

cdef enum Policy:
    POLICY_ENROL = 0
    POLICY_QUARANTINE = 1            # stored and labelled, not supervised
    POLICY_REFUSE = 2                # no reply
    POLICY_LATER = 3                 # no room now; not a setting

cdef struct Admission:
    uint32_t path                    # NO_PATH unless enrolled
    uint8_t  policy                  # Policy that was applied

cdef struct Realm:                   # the last one that a change named: most name the same
    uint8_t  text[32]
    uint32_t size
    int      number

cdef class Enrolment:
    cdef PathTable paths
    cdef Roster configured
    cdef Roster registry
    cdef uint16_t* realm_of          # owned; the realm number of each listener
    cdef uint32_t realms_known       # listeners of the path table in it
    cdef dict realm_numbers
    cdef Realm realm
    cdef uint8_t policy
    cdef uint32_t limit              # paths beyond which nobody is enrolled unasked
    cdef uint32_t supervision_ms     # of those that nobody names
    cdef int64_t interval_ns         # between two enrolments
    cdef int64_t burst_ns
    cdef int64_t due_ns              # a next one may come after this time
    cdef dict listening              # realm number -> the first listener that this engine has for it
    cdef uint32_t expected_upto      # of all records: those before it have a path, or its row is on the way
    cdef uint32_t expected_again     # the first whose row was on the way
    cdef uint32_t expected_rows      # offered in this turn
    cdef uint32_t generation         # of the newest full reading
    cdef bint reading                # it has not ended
    cdef uint32_t sweep_upto         # records before it were looked at since it ended
    cdef readonly uint64_t enrolled
    cdef readonly uint64_t quarantined
    cdef readonly uint64_t refused
    cdef readonly uint32_t named     # by the registry now
    cdef readonly uint64_t no_room   # changes that found no room
    cdef readonly int64_t window_s   # past and future together, the widest of the registry's

    cdef int realm_number(self, str realm) except -1
    cdef int register(self, int protocol, str account, str realm, uint32_t supervision_ms, bytes key,
                      rules) except -1
    cdef int learn_realms(self) except -1
    cdef void write_name(self, const PathKey* key, PathKey* name) noexcept nogil
    cdef bint is_registrys(self, const Registered* entry) noexcept nogil
    cdef int name_of(self, str transmitter, PathKey* name) except -1
    cdef const Registered* find(self, const PathKey* key) noexcept nogil
    cdef const Secret* secret_of(self, const Registered* entry) noexcept nogil
    cdef bint is_unnamed(self, const PathKey* key) noexcept nogil
    cdef uint32_t time_of(self, const Registered* entry) noexcept nogil
    cdef Admission admit(self, const PathKey* key, int64_t monotonic_ns, int64_t heard_ms,
                         int64_t seen_ms) noexcept nogil
    cdef uint32_t first_path(self, const PathKey* name) noexcept nogil
    cdef uint32_t next_path(self, uint32_t number, const PathKey* name) noexcept nogil
    cdef int realm_in(self, const uint8_t* text, uint32_t size) except -2
    cdef int change(self, const Columns* c, uint32_t row, const Ahead* ahead) except -1
    cdef void settle(self, const Registered* entry) noexcept nogil
    cdef void take_out(self, Registered* entry) noexcept nogil
    cdef bint has_room(self, const Columns* rows) noexcept nogil
    cdef void push_row(self, Columns* rows, uint32_t number, int64_t received_ns, bint expected=*) noexcept nogil
    cdef int expect_one(self, const Registered* entry, Intake intake, int64_t heard_ms, int64_t received_ns) except -1
