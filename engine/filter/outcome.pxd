# What FILTER made of one batch: a verdict for every row, and the events that leave.
#
# An outcome belongs to the journal span of its batch: verdict i is that of row i. Events have columns of their own
# and an arena with their finished text. Like a batch it encodes to bytes and is viewed in place.
#
#   0  u32 version   4  u32 rows   8  u32 events   12  u32 arena bytes
#   16 the columns in the order of the struct, each padded to 8 bytes; then the arena

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from codec.batch cimport Text

cdef enum:
    OUTCOME_VERSION = 3
    OUTCOME_VERSION_BEFORE = 2       # is read, and no longer written: it ends without `confirms`, which is read as 0
    OUTCOME_HEADER_BYTES = 16
    NO_ROW = 0xFFFFFFFF      # an event that no row of this batch made (a deadline did)

cdef struct Verdicts:        # one slot a row of the batch
    uint32_t* rule_version
    uint16_t* rule           # number of the rule that decided
    uint8_t*  verdict        # Verdict
    uint8_t*  reason         # Reason

cdef struct Events:          # one slot an event, in the order in which they are numbered
    uint64_t* number         # rises by one from event to event, over batches and restarts
    uint64_t* alarm          # the alarm's id: the number of the signal that raised it
    uint64_t* signal         # the number of the signal behind this event
    int64_t*  opened_ns      # received_ns of the signal that raised the alarm
    int64_t*  received_ns    # of the signal behind this event
    uint32_t* row            # of the batch, or NO_ROW: no signal of it is behind the event
    uint32_t* count          # raised signals that the alarm has seen
    uint32_t* revision       # 1 at raised, one more with each event
    Text*     block          # in the arena: the event as a Server-Sent Events block, ready to be sent
    Text*     json           # in the arena: the CloudEvent alone, a part of the block
    Text*     facility       # in the arena, as all texts here; these three empty where the registry names none
    Text*     facility_name
    Text*     area           # province/commune/team
    Text*     rule           # name of the rule behind it
    Text*     account        # these three where no signal of the batch is behind the event; else empty
    Text*     realm
    Text*     point
    uint32_t* rule_version
    uint32_t* detectors      # different ones that raised the alarm
    uint16_t* condition
    uint8_t*  type           # EventType
    uint8_t*  signal_class
    uint8_t*  state
    uint8_t*  verification
    uint8_t*  priority
    uint8_t*  reason         # Reason: why there is this event
    uint8_t*  accepted       # whether a subscriber has taken the alarm over
    uint8_t*  protocol       # of who is behind the event
    uint8_t*  confirms       # 1: a signal by which an alarm that was raised before is confirmed, or is so again

cdef class Outcome:
    cdef uint32_t rows               # verdicts in use
    cdef uint32_t rows_max
    cdef uint32_t events_count       # events in use
    cdef uint32_t events_max
    cdef uint32_t arena_used
    cdef uint32_t arena_max
    cdef Verdicts verdicts
    cdef Events events
    cdef uint8_t* arena
    cdef uint8_t* memory             # owned; NULL in a view of the version that is written
    cdef uint8_t* grown              # owned: events and arena, once there were more than at first
    cdef object encoded

    cdef str text(self, Text span)

cdef bint outcome_room(Outcome outcome, uint32_t events, uint64_t arena) noexcept nogil
cdef size_t verdicts_layout(Verdicts* v, uint8_t* memory, uint32_t rows) noexcept nogil
cdef size_t events_layout(Events* e, uint8_t* memory, uint32_t events) noexcept nogil
