"""From the events found in a frame to rows: one copy of the frame, and texts that are spans of it where they can be."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy, memset

from codec.batch cimport TIME_NONE, Columns, Row, Text, batch_has_room, batch_push, batch_text
from codec.dc09_details cimport set_details
from codec.dc09_extended cimport hide_keys
from codec.limits cimport NATIVE_BYTES_MAX, POINT_BYTES_MAX
from codec.status cimport BATCH_FULL, OK, Status
from codec.text cimport clean_text, whole_text
from codec.words cimport FLAG_CLEANED, FLAG_CUT, ROW_SIGNAL


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
    cdef uint32_t count = batch.count, arena_used = batch.arena_used, i
    cdef uint16_t details_flags = 0
    cdef bint said_more = text.extended.size != 0 or findings.modifiers != 0
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
    memset(&row.details, 0, sizeof(Text))    # in one store: it is read back as one
    row.raw = batch_text(batch, frame.start, frame.size)
    whole = batch_text(batch, text.start, text.size) if text != frame else row.raw
    start = text.start
    row.identity = text_of(whole, text.identity)
    if text.account_text.size == text.account_size \
            and memcmp(text.start + text.account_text.at, text.account, text.account_size) == 0:
        row.account = text_of(whole, text.account_text)
    else:
        row.account = batch_text(batch, text.account, text.account_size)
    row.kind = ROW_SIGNAL
    row.protocol = text.protocol
    if text.extended.size:
        start = batch.arena + whole.at   # from here on the copy, in which keys are hidden
        hide_keys(text, batch.arena + whole.at)
    for i in range(findings.count):
        found = &findings.found[i]
        row.flags = origin.flags | flags | found.flags
        if said_more and not set_details(text, findings, i, &row, &details_flags, batch):
            batch.count = count
            batch.arena_used = arena_used
            return BATCH_FULL
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
