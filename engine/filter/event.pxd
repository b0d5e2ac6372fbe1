# One event as a CloudEvent inside a Server-Sent Events block, written into the arena of an outcome.
#
#   id: 1767225600000001
#   data: {"specversion":"1.0","id":"1767225600000001","type":"io.tocsin.alarm.raised", ... ,"data":{ ... }}
#   (empty line)
#
# In `data`, class, verification, priority, revision and count are the alarm's, so that a subscriber who asks for one
# class also sees how its alarms end; signal_class, condition, state, point, native, details and both times are those
# of the signal behind the event.
#
# An event that is not durable has no number: no id line, no sequence, and an id made from the row.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from codec.batch cimport Columns
from codec.json_text cimport JSON_BYTES_PER_BYTE
from engine.filter.outcome cimport Outcome

cdef enum:
    EVENT_FIXED_BYTES_MAX = 1280     # everything of a block but the texts of the row and the source
    EVENT_DETAILS_BYTES_MAX = 4096   # of a row's details; the codec's limit
    EVENT_TEXT_BYTES_MAX = 512       # of each text of a row; the codec's own limits are not higher
    SOURCE_BYTES_MAX = 256

cdef struct Step:                    # what the alarm adds to the row
    uint64_t number                  # of the event; 0: not durable
    uint64_t alarm                   # its id; 0: none
    uint64_t signal                  # its number; 0: none
    int64_t  opened_ns
    uint32_t count
    uint32_t revision
    uint8_t  type                    # EventType
    uint8_t  signal_class            # of the alarm
    uint8_t  verification
    uint8_t  priority


cdef inline uint32_t event_text(uint32_t size) noexcept nogil:
    return size if size < EVENT_TEXT_BYTES_MAX else EVENT_TEXT_BYTES_MAX

cdef inline uint32_t event_details(uint32_t size) noexcept nogil:
    """The bytes of a row's details that an event carries: all of them, or none, as half of an object is no JSON."""
    return size if size <= EVENT_DETAILS_BYTES_MAX else 0

cdef inline uint64_t event_bytes_max(const Columns* c, uint32_t row, uint32_t source_size) noexcept nogil:
    """Bytes of arena that suffice for an event of this row; account and realm stand in it twice."""
    return EVENT_FIXED_BYTES_MAX + source_size + event_details(c.details[row].size) + JSON_BYTES_PER_BYTE * <uint64_t>(
        event_text(c.native[row].size) + event_text(c.point[row].size)
        + 2 * (event_text(c.account[row].size) + event_text(c.realm[row].size)))

cdef void event_push(Outcome outcome, const Columns* c, uint32_t row, const Step* step, const uint8_t* source,
                     uint32_t source_size) noexcept nogil
