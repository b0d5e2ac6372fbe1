"""From the events found in a frame to rows: one copy of the frame, and texts that are spans of it where they can be."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy, strlen

from codec.batch cimport TIME_NONE, Columns, Row, Text, batch_has_room, batch_push, batch_text
from codec.codes.lookup cimport Meaning
from codec.dc09_extended cimport hide_keys, write_extended
from codec.details cimport Details, details_begin, details_clear, details_close, details_end, details_string
from codec.limits cimport NATIVE_BYTES_MAX, POINT_BYTES_MAX
from codec.status cimport BATCH_FULL, OK, Status
from codec.text cimport clean_text, whole_text
from codec.words cimport (CLASS_FIRE, CLASS_GAS, CLASS_INFO, CLASS_SUPERVISORY, CONDITION_FIRE, CONDITION_GAS,
                          CONDITION_MANUAL_CALL_POINT, CONDITION_UNKNOWN, CONDITION_WATER_LEAK, FLAG_CLEANED, FLAG_CUT,
                          ROW_SIGNAL, STATE_CLEARED, STATE_RAISED)

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


cdef inline Text text_of(Text whole, Span span) noexcept nogil:
    cdef Text text
    text.at = whole.at + span.at
    text.size = span.size
    return text


cdef bint put_point(const uint8_t* start, Text whole, const Finding* found, Row* row, Columns* batch) noexcept nogil:
    """Write area/address, area/ or address into the arena. Return False when there is no room.

    start, whole   the frame that the findings are spans of, and where in the arena it stands
    """
    cdef uint8_t point[POINT_BYTES_MAX]
    cdef uint32_t size = 0, part
    row.point = Text(batch.arena_used, 0)
    if found.area.size:
        size = min(<uint32_t>found.area.size, <uint32_t>POINT_BYTES_MAX - 1)
        memcpy(point, start + found.area.at, size)
        point[size] = 0x2F
        size += 1
    part = min(<uint32_t>found.address.size, <uint32_t>POINT_BYTES_MAX - size)
    memcpy(point + size, start + found.address.at, part)
    if part < found.address.size or found.area.size >= POINT_BYTES_MAX:
        row.flags |= FLAG_CUT
    if size == 0 and part == found.address.size:
        row.point = text_of(whole, found.address)            # no copy: it stands in the frame
        return True
    size += part
    if not batch_has_room(batch, 1, size):
        return False
    row.point = batch_text(batch, point, size)
    return True


cdef bint put_native(const uint8_t* start, Text whole, Span native, Row* row, Columns* batch) noexcept nogil:
    """Set the native text, a span of the frame or a cleaned copy. Return False when there is no room."""
    cdef uint8_t cleaned[NATIVE_BYTES_MAX]
    cdef uint32_t size = native.size
    cdef bint cut = False
    if whole_text(start + native.at, native.size, NATIVE_BYTES_MAX, &size):
        if size < native.size:
            row.flags |= FLAG_CUT
        row.native = text_of(whole, native)
        row.native.size = size
        return True
    size = clean_text(start + native.at, native.size, cleaned, NATIVE_BYTES_MAX, &cut)
    row.flags |= FLAG_CLEANED | (FLAG_CUT if cut else 0)
    if not batch_has_room(batch, 1, size):
        return False
    row.native = batch_text(batch, cleaned, size)
    return True


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


cdef bint put_details(const Frame* text, const Findings* findings, uint32_t modifiers, Row* row,
                      Columns* batch) noexcept nogil:
    """Write what the frame says beside its events into the arena. Return False when there is no room."""
    cdef Details details
    cdef uint32_t size
    details_clear(&details)
    write_extended(&details, text)
    write_modifiers(&details, text.start, findings, modifiers)
    size = details_close(&details)
    if not batch_has_room(batch, 1, size):
        return False
    row.details = batch_text(batch, details.bytes, size)
    row.flags = (FLAG_CUT if details.cut or findings.cut else 0) | (FLAG_CLEANED if details.cleaned else 0)
    return True


cdef Status push_findings(const Frame* frame, const Findings* findings, const Origin* origin, uint16_t flags,
                          Columns* batch) noexcept nogil:
    """Add one row for each finding, all or none.

    flags    of all rows, besides the origin's and each finding's own
    Returns  OK | BATCH_FULL (the batch is as it was)
    """
    return push_decrypted(frame, frame, findings, origin, flags, batch)


cdef Status push_decrypted(const Frame* frame, const Frame* text, const Findings* findings, const Origin* origin,
                           uint16_t flags, Columns* batch) noexcept nogil:
    """As push_findings, where the findings are spans of `text` and `frame` is what was received.

    text     the frame in clear, or `frame` itself; when it is another, the arena keeps both
    """
    cdef uint32_t count = batch.count, arena_used = batch.arena_used, modifiers = 0, i
    cdef uint16_t details_flags = 0
    cdef const uint8_t* start
    cdef const Finding* found
    cdef Row row
    cdef Text whole
    if not batch_has_room(batch, findings.count, frame.size + (text.size if text != frame else 0) + text.account_size):
        return BATCH_FULL
    row.received_ns = origin.received_ns
    row.occurred_ns = text.stamp_ns if text.occurred_ns == TIME_NONE else text.occurred_ns
    row.path = origin.path
    row.sequence = text.sequence
    row.level = 0
    row.realm = origin.realm
    row.details = Text(0, 0)
    row.raw = batch_text(batch, frame.start, frame.size)
    whole = batch_text(batch, text.start, text.size) if text != frame else row.raw
    start = batch.arena + whole.at       # the copy: keys are hidden in it
    row.identity = text_of(whole, text.identity)
    if text.account_text.size == text.account_size \
            and memcmp(text.start + text.account_text.at, text.account, text.account_size) == 0:
        row.account = text_of(whole, text.account_text)
    else:
        row.account = batch_text(batch, text.account, text.account_size)
    row.kind = ROW_SIGNAL
    row.protocol = text.protocol
    if text.extended.size:
        hide_keys(text, batch.arena + whole.at)
    for i in range(findings.count):
        found = &findings.found[i]
        if (i == 0 and text.extended.size) or found.modifiers != modifiers:
            modifiers = found.modifiers
            row.flags = 0
            if not put_details(text, findings, modifiers, &row, batch):
                batch.count = count
                batch.arena_used = arena_used
                return BATCH_FULL
            details_flags = row.flags
        row.flags = origin.flags | flags | found.flags | details_flags
        row.condition = found.meaning.condition
        row.signal_class = found.meaning.signal_class
        row.state = found.meaning.state
        if not put_point(start, whole, found, &row, batch) \
                or not put_native(start, whole, found.native, &row, batch):
            batch.count = count
            batch.arena_used = arena_used
            return BATCH_FULL
        batch_push(batch, &row)
    return OK
