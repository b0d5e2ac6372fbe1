"""Writes the events of mass losses. The JSON of their data stands in `losses_view.pyx`."""
from libc.string cimport memset

from codec.batch cimport TIME_NONE
from codec.json_text cimport json_literal, json_number
from codec.words cimport CLASS_FAULT, CONDITION_LINE_FAULT, STATE_CLEARED, STATE_RAISED
from engine.filter.event cimport Said, Step, event_envelope, fill_columns
from engine.filter.losses cimport LOSS_JSON_BYTES_MAX
from engine.filter.losses_view cimport write_loss
from engine.filter.outcome cimport NO_ROW, Events, outcome_room
from engine.words cimport EVENT_LOST, EVENT_RESTORED, REASON_MASS_LOSS

cdef enum:
    ENVELOPE_BYTES_MAX = 512         # of the block, without source and data


cdef bint network_event_push(Outcome outcome, const Losses* losses, const Loss* loss, uint64_t number,
                             const uint8_t* source, uint32_t source_size) noexcept nogil:
    """Add one event to `outcome`; False when there is no memory for it.

    number  of the event
    source  borrowed; a JSON string with its quotes
    """
    cdef uint32_t i = outcome.events_count
    cdef Events* e
    cdef Said said
    cdef Step step
    cdef uint8_t* start
    cdef uint8_t* out
    cdef uint8_t* json
    if not outcome_room(outcome, 1, ENVELOPE_BYTES_MAX + source_size + LOSS_JSON_BYTES_MAX):
        return False
    e = &outcome.events
    memset(&said, 0, sizeof(said))
    memset(&step, 0, sizeof(step))
    said.row = NO_ROW
    said.signal_class = CLASS_FAULT
    said.condition = CONDITION_LINE_FAULT
    said.state = STATE_CLEARED if loss.restored else STATE_RAISED
    said.received_ns = loss.now_ns
    said.occurred_ns = TIME_NONE
    step.number = number
    step.opened_ns = loss.since_ns
    step.type = EVENT_RESTORED if loss.restored else EVENT_LOST
    step.signal_class = CLASS_FAULT
    step.reason = REASON_MASS_LOSS
    fill_columns(e, i, &said, &step)
    e.facility[i].size = e.facility_name[i].size = e.area[i].size = e.rule[i].size = 0
    e.account[i].size = e.realm[i].size = e.point[i].size = 0
    start = out = outcome.arena + outcome.arena_used
    out = json_literal(out, b"id: ")
    out = json_number(out, number)
    out = json_literal(out, b"\ndata: ")
    json = out
    out = event_envelope(out, &said, &step, b"network", source, source_size)
    out = write_loss(out, losses, loss)
    out = json_literal(out, b"}")
    e.json[i].at = outcome.arena_used + <uint32_t>(json - start)
    e.json[i].size = <uint32_t>(out - json)
    out = json_literal(out, b"\n\n")
    e.block[i].at = outcome.arena_used
    e.block[i].size = <uint32_t>(out - start)
    outcome.arena_used += <uint32_t>(out - start)
    outcome.events_count = i + 1
    return True
