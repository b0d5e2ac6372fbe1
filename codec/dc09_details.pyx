"""The details of the rows of a DC-09 frame: its extended data, then the modifiers of DC-03 that hold for the event.

A file of its own, and called only where there are any: a frame without them pays one comparison.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport strlen

from codec.batch cimport Columns, Row, batch_has_room, batch_text
from codec.codes.lookup cimport Meaning
from codec.dc09_extended cimport write_extended
from codec.details cimport Details, details_begin, details_clear, details_close, details_end, details_string
from codec.findings cimport MODIFIERS_MAX, Finding, Findings, Modifier
from codec.frame cimport Frame
from codec.words cimport (CLASS_FIRE, CLASS_GAS, CLASS_INFO, CLASS_SUPERVISORY, CONDITION_FIRE, CONDITION_GAS,
                          CONDITION_MANUAL_CALL_POINT, CONDITION_UNKNOWN, CONDITION_WATER_LEAK, FLAG_CLEANED, FLAG_CUT,
                          STATE_CLEARED, STATE_RAISED)

cdef enum:
    MODIFIER_NAMES = 11

cdef struct ModifierName:
    uint8_t first
    uint8_t second
    const char* key

# The modifiers of DC-03, in the order in which they stand in the details; ri, the area, is in the point. Date and time
# are the panel's own, without a zone: they are shown, and no time is made of them.
cdef ModifierName MODIFIERS[MODIFIER_NAMES]
MODIFIERS[:] = [
    ModifierName(c'd', c'a', b"event_date"), ModifierName(c't', c'i', b"event_time"),
    ModifierName(c'i', c'd', b"user"), ModifierName(c'p', c'i', b"peripheral"),
    ModifierName(c'a', c'i', b"automation"), ModifierName(c'p', c'h', b"phone"), ModifierName(c'l', c'v', b"level"),
    ModifierName(c'v', c'a', b"value"), ModifierName(c'p', c't', b"path"), ModifierName(c'r', c'g', b"route_group"),
    ModifierName(c's', c's', b"sub_subscriber")]


cdef int modifier_name(uint8_t first, uint8_t second) noexcept nogil:
    """The index of a modifier that is kept in the details, or -1."""
    cdef int i
    for i in range(MODIFIER_NAMES):
        if MODIFIERS[i].first == first and MODIFIERS[i].second == second:
            return i
    return -1


cdef void apply_trigger(const uint8_t* start, Findings* findings, uint8_t trigger, bint contact_id) noexcept nogil:
    """Let the alarm trigger of a frame say what the codes do not: that an event which we cannot name is a fire.

    A known code keeps its meaning, and a family that already means an alarm keeps its class.
    """
    cdef uint32_t i
    cdef Finding* found
    cdef Meaning meaning
    meaning.state = STATE_RAISED
    meaning.known = False
    if trigger == 0x46 or trigger == 0x4D:
        meaning.signal_class = CLASS_FIRE
        meaning.condition = CONDITION_FIRE if trigger == 0x46 else CONDITION_MANUAL_CALL_POINT
    elif trigger == 0x47:
        meaning.signal_class = CLASS_GAS
        meaning.condition = CONDITION_GAS
    elif trigger == 0x57:
        meaning.signal_class = CLASS_SUPERVISORY
        meaning.condition = CONDITION_WATER_LEAK
    else:
        return                           # a sensor or a contact says nothing of what it saw
    for i in range(findings.count):
        found = &findings.found[i]
        if found.meaning.known or found.meaning.condition != CONDITION_UNKNOWN:
            continue
        if found.meaning.signal_class == CLASS_INFO or found.meaning.signal_class == meaning.signal_class:
            found.meaning = meaning
            if contact_id and found.native.size and start[found.native.at] == 0x33:
                found.meaning.state = STATE_CLEARED


cdef void write_modifiers(Details* d, const uint8_t* start, const Findings* findings, uint32_t count) noexcept nogil:
    """Add the modifiers that hold behind the first `count` of them: of each name the last."""
    cdef uint32_t name, i
    cdef const Modifier* last
    for name in range(MODIFIER_NAMES):
        last = NULL
        for i in range(count):
            if findings.modifier[i].name == name:
                last = &findings.modifier[i]
        if last != NULL:
            details_begin(d, MODIFIERS[name].key, <uint32_t>strlen(MODIFIERS[name].key))
            details_string(d, start + last.value.at, last.value.size)
            details_end(d)


cdef bint set_details(const Frame* text, const Findings* findings, uint32_t index, Row* row,
                      uint16_t* flags, Columns* batch) noexcept nogil:
    """Give a row its details, in the arena; those of the row before where no modifier came between.

    index    of the row's event; the rows of a frame are given theirs in order
    row      filled: details, and FLAG_CUT and FLAG_CLEANED besides the flags it has
    flags    what the details last written say of themselves; kept from row to row
    Returns  whether there was room
    """
    cdef Details details
    cdef uint32_t modifiers = min(findings.found[index].modifiers, <uint32_t>MODIFIERS_MAX), size
    if findings.found[index].modifiers > MODIFIERS_MAX:
        row.flags |= FLAG_CUT
    if index == 0 or modifiers != min(findings.found[index - 1].modifiers, <uint32_t>MODIFIERS_MAX):
        details_clear(&details)
        write_extended(&details, text)
        write_modifiers(&details, text.start, findings, modifiers)
        size = details_close(&details)
        if not batch_has_room(batch, 1, size):
            return False
        row.details = batch_text(batch, details.bytes, size)
        flags[0] = (FLAG_CUT if details.cut else 0) | (FLAG_CLEANED if details.cleaned else 0)
    row.flags |= flags[0]
    return True
