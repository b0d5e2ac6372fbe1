# One event as a CloudEvent inside a Server-Sent Events block, written into the arena of an outcome.
#
#   id: 1767225600000001
#   data: {"specversion":"1.0","id":"1767225600000001","type":"io.tocsin.alarm.raised", ... ,"data":{ ... }}
#   (empty line)
#
# In `data`, facility, class, verification, priority, detectors, accepted, revision and count are the alarm's, so that a
# subscriber who asks for one class also sees how its alarms end; signal_class, condition, state, point, native, details
# and both times are those of the signal behind the event, or of the alarm where a person or a deadline made it. reason,
# rule and rule_version say why there is this event; by and why are the person's.
#
# An event that is not durable has no number: no id line, no sequence, and an id made from the row.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from codec.batch cimport Columns
from codec.json_text cimport JSON_BYTES_PER_BYTE
from engine.filter.outcome cimport Events, Outcome
from engine.filter.registry cimport FACILITY_ID_BYTES_MAX, FACILITY_NAME_BYTES_MAX, AREA_BYTES_MAX, Facility

cdef enum:
    EVENT_FIXED_BYTES_MAX = 1536     # everything of a block but the texts of the row and the source
    EVENT_FACILITY_BYTES_MAX = 7 * FACILITY_NAME_BYTES_MAX + FACILITY_ID_BYTES_MAX + AREA_BYTES_MAX
    EVENT_DETAILS_BYTES_MAX = 4096   # of a row's details; the codec's limit
    EVENT_TEXT_BYTES_MAX = 512       # of each text of a row; the codec's own limits are not higher
    SOURCE_BYTES_MAX = 256

cdef struct Part:                    # borrowed bytes
    const uint8_t* at
    uint32_t       size

cdef struct Said:                    # what an event says of the signal behind it
    uint32_t row                     # of the batch, or NO_ROW: the texts go into the outcome
    uint8_t  protocol
    uint8_t  signal_class
    uint8_t  state
    uint16_t condition
    int64_t  occurred_ns
    int64_t  received_ns
    Part     account
    Part     realm
    Part     point
    Part     native
    Part     details
    Part     by                      # who made the event, and why; empty: no person did
    Part     why
    uint64_t hash                    # of the row, where the event has no number
    bint     confirms                # as of Events

cdef struct Step:                    # what the alarm adds
    uint64_t number                  # of the event; 0: not durable
    uint64_t alarm                   # its id; 0: none
    uint64_t signal                  # the number of the signal behind it; 0: none
    int64_t  opened_ns
    const Facility* facility         # NULL: none
    Part     rule                    # its name
    uint32_t rule_version
    uint32_t count
    uint32_t revision
    uint32_t detectors
    uint8_t  type                    # EventType
    uint8_t  signal_class            # of the alarm
    uint8_t  verification
    uint8_t  priority
    uint8_t  reason                  # Reason
    uint8_t  accepted


cdef inline uint32_t event_text(uint32_t size) noexcept nogil:
    return size if size < EVENT_TEXT_BYTES_MAX else EVENT_TEXT_BYTES_MAX

cdef inline uint32_t event_details(uint32_t size) noexcept nogil:
    """The bytes of a row's details that an event carries: all of them, or none, as half of an object is no JSON."""
    return size if size <= EVENT_DETAILS_BYTES_MAX else 0

cdef inline uint64_t event_bytes_max(const Said* said, uint32_t source_size) noexcept nogil:
    """Bytes of arena that suffice for an event; account and realm stand in it twice, and once more without a row."""
    return EVENT_FIXED_BYTES_MAX + EVENT_FACILITY_BYTES_MAX + source_size + event_details(said.details.size) \
        + (JSON_BYTES_PER_BYTE + 1) * <uint64_t>(
            event_text(said.native.size) + event_text(said.point.size) + event_text(said.by.size)
            + event_text(said.why.size) + 2 * (event_text(said.account.size) + event_text(said.realm.size)))

cdef void said_of(Said* said, const Columns* c, uint32_t row) noexcept nogil
cdef uint64_t volatile_hash(const Columns* c, uint32_t row) noexcept nogil
cdef uint8_t* event_envelope(uint8_t* out, const Said* said, const Step* step, const char* kind, const uint8_t* source,
                             uint32_t source_size) noexcept nogil
cdef void fill_columns(Events* e, uint32_t i, const Said* said, const Step* step) noexcept nogil
cdef bint event_push(Outcome outcome, const Said* said, const Step* step, const uint8_t* source,
                     uint32_t source_size, bint silent) noexcept nogil
