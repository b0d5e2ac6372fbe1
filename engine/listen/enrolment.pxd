# Enrolment: what to do with an account that is not in the path table.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from codec.aes cimport AesKey
from codec.batch cimport Columns
from engine.index cimport Index
from engine.intake cimport Intake
from engine.path_key cimport PathKey
from engine.paths cimport PathTable

cdef enum Policy:
    POLICY_ENROL = 0
    POLICY_QUARANTINE = 1            # stored and labelled, not supervised
    POLICY_REFUSE = 2                # no reply
    POLICY_LATER = 3                 # no room now; not a setting

cdef struct Registered:              # a transmitter that the configuration names
    PathKey  key                     # account and protocol; listener = realm number, the rest zero
    uint32_t supervision_ms
    AesKey   aes                     # rounds 0: no key, its frames come in clear
    uint8_t  mac_key[32]             # of a sender of the Tocsin profile
    uint8_t  has_mac_key
    int32_t  window_past_s           # as in the codec's Profile, and what follows
    int32_t  window_future_s
    uint8_t  encrypted_only
    uint8_t  check_clear_stamps
    uint8_t  reject_stale

cdef inline bint is_watched(const Registered* entry) noexcept nogil:
    """Tell whether clear frames of the transmitter must be looked at, too, before they prove life."""
    return entry.encrypted_only or entry.check_clear_stamps

cdef struct Admission:
    uint32_t path                    # NO_PATH unless enrolled
    uint8_t  policy                  # Policy that was applied

cdef class Enrolment:
    cdef PathTable paths
    cdef Registered* registered      # owned
    cdef uint32_t registered_count
    cdef Index by_name
    cdef uint16_t* realm_of          # owned; the realm number of each listener
    cdef dict realm_numbers
    cdef uint8_t policy
    cdef uint32_t limit              # paths beyond which nobody is enrolled unasked
    cdef uint32_t supervision_ms     # of those that the configuration does not name
    cdef int64_t interval_ns         # between two enrolments
    cdef int64_t burst_ns
    cdef int64_t due_ns              # a next one may come after this time
    cdef set listening               # numbers of the listeners that this engine has
    cdef bint expected_pending       # a row of theirs is on the way to the journal
    cdef uint32_t expected_upto      # of `registered`: those before it have a path, or its row is on the way
    cdef readonly uint64_t enrolled
    cdef readonly uint64_t quarantined
    cdef readonly uint64_t refused

    cdef int realm_number(self, str realm) except -1
    cdef int register(self, int protocol, str account, str realm, uint32_t supervision_ms, bytes key,
                      rules) except -1
    cdef const Registered* find(self, const PathKey* key) noexcept nogil
    cdef Admission admit(self, const PathKey* key, int64_t monotonic_ns, int64_t heard_ms,
                         int64_t seen_ms) noexcept nogil
    cdef list known(self, const Registered* entry)
    cdef bint has_room(self, const Columns* rows) noexcept nogil
    cdef void push_row(self, Columns* rows, uint32_t number, int64_t received_ns, bint expected=*) noexcept nogil
    cdef int expect_one(self, uint32_t entry, Intake intake, int64_t heard_ms, int64_t received_ns) except -1
