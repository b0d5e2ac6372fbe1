"""Finished bytes of PostgreSQL's binary COPY, made from batches and outcomes without a Python object per row.

Rejected: asyncpg's own encoding of tuples, two to three times the time; COPY in text form, which must look at every
byte for escapes.
"""
from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from codec.batch cimport Batch, Columns, NO_PATH, TIME_NONE, Text
from codec.words cimport ROW_SIGNAL
from engine.filter.outcome cimport NO_ROW, Events, Outcome, Verdicts
from engine.store.copy_words cimport (
    CLASSES, CONDITIONS, EVENT_TYPES, PROTOCOLS, REASONS, STATES, VERDICTS, VERIFICATIONS, WORD_BYTES_MAX, put_word,
)
from engine.words cimport VERIFICATION_CANARY

SIGNAL_COLUMNS = (
    "id", "received_at", "occurred_at", "protocol", "account", "realm", "class", "condition", "state", "point",
    "native", "details", "raw", "path", "sequence", "flags", "rule", "rule_version", "verdict", "reason")
EVENT_COLUMNS = (
    "number", "type", "alarm_id", "signal_id", "opened_at", "received_at", "class", "condition", "state",
    "verification", "priority", "count", "revision", "data", "occurred_at", "protocol", "account", "realm",
    "signal_class", "point", "native", "details", "facility", "facility_name", "area", "reason", "rule_name",
    "rule_version", "detectors", "accepted")
PATH_COLUMNS = (
    "key", "number", "transmitter", "protocol", "account", "realm", "listener", "receiver", "line", "network",
    "state", "last_seen_at", "supervision_ms", "enrolled_at", "peer")
HEARTBEAT_COLUMNS = ("path", "received_at")
ROLLUP_COLUMNS = ("path", "quarter", "frames", "longest_silence_ms")

cdef enum:
    SIGNAL_FIELDS = 20
    EVENT_FIELDS = 30
    PATH_FIELDS = 15
    HEARTBEAT_FIELDS = 2
    ROLLUP_FIELDS = 4
    BUFFER_BYTES_MIN = 65536
    SIGNAL_ROW_BYTES = 2 + SIGNAL_FIELDS * COPY_FIELD_BYTES_MAX + 6 * WORD_BYTES_MAX   # without its texts
    EVENT_ROW_BYTES = 3 + EVENT_FIELDS * COPY_FIELD_BYTES_MAX + 7 * WORD_BYTES_MAX     # without texts and JSON

cdef const char* SIGNATURE = b"PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

assert len(SIGNAL_COLUMNS) == SIGNAL_FIELDS
assert len(EVENT_COLUMNS) == EVENT_FIELDS
assert len(PATH_COLUMNS) == PATH_FIELDS
assert len(HEARTBEAT_COLUMNS) == HEARTBEAT_FIELDS
assert len(ROLLUP_COLUMNS) == ROLLUP_FIELDS


cdef inline uint8_t* put_sane_time(uint8_t* at, int64_t ns) noexcept nogil:
    """timestamptz of a clock that is not ours: NULL where no honest clock stands."""
    return put_time(at, ns) if sane(ns) else put_null(at)


cdef inline uint8_t* put_details(uint8_t* at, const uint8_t* arena, Text details) noexcept nogil:
    """jsonb, or NULL where the row says nothing more."""
    return put_jsonb(at, arena + details.at, details.size) if details.size else put_null(at)


cdef bint copy_room(Buffer* buffer, size_t more) noexcept nogil:
    """Make room for `more` bytes; False when there is no memory, and then nothing has changed."""
    cdef size_t size = buffer.size
    cdef uint8_t* memory
    if more <= size - buffer.used:
        return True
    if size < BUFFER_BYTES_MIN:
        size = BUFFER_BYTES_MIN
    while size - buffer.used < more:
        size *= 2
    memory = <uint8_t*>realloc(buffer.memory, size)
    if memory == NULL:
        return False
    buffer.memory = memory
    buffer.size = size
    return True


cdef bint copy_signal(Buffer* buffer, const Columns* c, const Verdicts* v, uint32_t i, uint64_t id) noexcept nogil:
    """Write row `i` in the order of SIGNAL_COLUMNS; False when there is no memory."""
    cdef uint8_t* at
    cdef size_t texts = <size_t>c.account[i].size + c.realm[i].size + c.point[i].size + c.native[i].size
    if not copy_room(buffer, SIGNAL_ROW_BYTES + texts + c.details[i].size + c.raw[i].size):
        return False
    at = buffer.memory + buffer.used
    PUT_16(at, SIGNAL_FIELDS)
    at = put_64(at + 2, <int64_t>id)
    at = put_time(at, c.received_ns[i])
    at = put_sane_time(at, c.occurred_ns[i])
    at = put_word(at, PROTOCOLS, c.protocol[i])
    at = put_text(at, c.arena, c.account[i])
    at = put_text(at, c.arena, c.realm[i])
    at = put_word(at, CLASSES, c.signal_class[i])
    at = put_word(at, CONDITIONS, c.condition[i])
    at = put_word(at, STATES, c.state[i])
    at = put_text(at, c.arena, c.point[i])
    at = put_text(at, c.arena, c.native[i])
    at = put_details(at, c.arena, c.details[i])
    at = put_text(at, c.arena, c.raw[i])
    at = put_null(at) if c.path[i] == NO_PATH else put_64(at, c.path[i])
    at = put_64(at, c.sequence[i])
    at = put_32(at, c.flags[i])
    at = put_32(at, v.rule[i])
    at = put_64(at, v.rule_version[i])
    at = put_word(at, VERDICTS, v.verdict[i])
    at = put_word(at, REASONS, v.reason[i])
    buffer.used = at - buffer.memory
    return True


cdef uint8_t* put_event_row(uint8_t* at, const Columns* c, uint32_t row) noexcept nogil:
    """Write what an event says of the row behind it; the JSON is made again of that.

    Whole, as the codec's limits for a text are not above those of an event.
    """
    at = put_null(at)
    at = put_null(at) if c.occurred_ns[row] == TIME_NONE else put_time(at, c.occurred_ns[row])
    at = put_word(at, PROTOCOLS, c.protocol[row])
    at = put_text(at, c.arena, c.account[row])
    at = put_text(at, c.arena, c.realm[row])
    at = put_word(at, CLASSES, c.signal_class[row])
    at = put_text(at, c.arena, c.point[row])
    at = put_text(at, c.arena, c.native[row])
    return put_details(at, c.arena, c.details[row])


cdef uint8_t* put_event_json(uint8_t* at, const Events* e, const uint8_t* arena, uint32_t i) noexcept nogil:
    """Write the JSON of an event that has no signal of the batch behind it, and what is known of its alarm."""
    at = put_jsonb(at, arena + e.json[i].at, e.json[i].size)
    at = put_null(at)
    if e.account[i].size == 0:               # of no transmitter
        at = put_null(put_null(put_null(at)))
    else:
        at = put_word(at, PROTOCOLS, e.protocol[i])
        at = put_text(at, arena, e.account[i])
        at = put_text(at, arena, e.realm[i])
    at = put_word(at, CLASSES, e.signal_class[i])
    at = put_text(at, arena, e.point[i])
    return put_null(put_null(at))


cdef uint8_t* put_judgement(uint8_t* at, const Events* e, const uint8_t* arena, uint32_t i) noexcept nogil:
    """Write what the filter says of the alarm beside the signal."""
    at = put_some(at, arena, e.facility[i])
    at = put_some(at, arena, e.facility_name[i])
    at = put_some(at, arena, e.area[i])
    at = put_word(at, REASONS, e.reason[i])
    at = put_some(at, arena, e.rule[i])
    at = put_64(at, e.rule_version[i])
    at = put_32(at, e.detectors[i])
    return put_bool(at, e.accepted[i])


cdef bint copy_event(Buffer* buffer, const Events* e, const uint8_t* arena, uint32_t i, const Columns* c,
                     uint64_t base) noexcept nogil:
    """Write event `i` in the order of EVENT_COLUMNS; False when there is no memory.

    arena  of the JSON
    c      rows that the events were made of
    """
    cdef uint32_t row = e.row[i]
    cdef uint8_t* at
    cdef size_t texts = <size_t>e.facility[i].size + e.facility_name[i].size + e.area[i].size + e.rule[i].size
    if row != NO_ROW:
        texts += <size_t>c.account[row].size + c.realm[row].size + c.point[row].size + c.native[row].size
        texts += c.details[row].size
    else:
        texts += <size_t>e.json[i].size + e.account[i].size + e.realm[i].size + e.point[i].size
    if not copy_room(buffer, EVENT_ROW_BYTES + texts):
        return False
    at = buffer.memory + buffer.used
    PUT_16(at, EVENT_FIELDS)
    at = put_64(at + 2, <int64_t>(base | e.number[i]))
    at = put_word(at, EVENT_TYPES, e.type[i])
    at = put_64(at, <int64_t>(base | e.alarm[i])) if e.alarm[i] else put_null(at)
    at = put_64(at, <int64_t>(base | e.signal[i]))
    at = put_time(at, e.opened_ns[i])
    at = put_time(at, e.received_ns[i])
    at = put_word(at, CLASSES, e.signal_class[i])
    at = put_word(at, CONDITIONS, e.condition[i])
    at = put_word(at, STATES, e.state[i])
    at = put_word(at, VERIFICATIONS, e.verification[i])
    at = put_16(at, e.priority[i])
    at = put_64(at, e.count[i])
    at = put_64(at, e.revision[i])
    if row == NO_ROW:
        at = put_event_json(at, e, arena, i)
    else:
        at = put_event_row(at, c, row)
    at = put_judgement(at, e, arena, i)
    buffer.used = at - buffer.memory
    return True


cdef bint copy_path(Buffer* buffer, const PathRow* row) noexcept nogil:
    """Write one row in the order of PATH_COLUMNS; False when there is no memory."""
    cdef uint8_t* at
    cdef size_t texts = <size_t>row.key.size + row.transmitter.size + row.protocol.size + row.account.size
    texts += <size_t>row.realm.size + row.listener.size + row.receiver.size + row.line.size
    texts += <size_t>row.network.size + row.state.size + row.peer.size
    if not copy_room(buffer, 2 + PATH_FIELDS * COPY_FIELD_BYTES_MAX + texts):
        return False
    at = buffer.memory + buffer.used
    PUT_16(at, PATH_FIELDS)
    at = put_span(at + 2, row.key)
    at = put_64(at, row.number)
    at = put_span(at, row.transmitter)
    at = put_span(at, row.protocol)
    at = put_span(at, row.account)
    at = put_span(at, row.realm)
    at = put_span(at, row.listener)
    at = put_span(at, row.receiver)
    at = put_span(at, row.line)
    at = put_span(at, row.network)
    at = put_span(at, row.state)
    at = put_sane_time(at, row.last_seen_ns)
    at = put_64(at, row.supervision_ms) if row.supervision_ms > 0 else put_null(at)
    at = put_sane_time(at, row.enrolled_ns)
    at = put_span(at, row.peer)
    buffer.used = at - buffer.memory
    return True


cdef bint copy_heartbeat(Buffer* buffer, const HeartbeatRow* row) noexcept nogil:
    """Write one row in the order of HEARTBEAT_COLUMNS; False when there is no memory."""
    cdef uint8_t* at
    if not copy_room(buffer, 2 + HEARTBEAT_FIELDS * COPY_FIELD_BYTES_MAX + row.path.size):
        return False
    at = buffer.memory + buffer.used
    PUT_16(at, HEARTBEAT_FIELDS)
    at = put_span(at + 2, row.path)
    at = put_time(at, row.received_ns)
    buffer.used = at - buffer.memory
    return True


cdef bint copy_rollup(Buffer* buffer, const RollupRow* row) noexcept nogil:
    """Write one row in the order of ROLLUP_COLUMNS; False when there is no memory."""
    cdef uint8_t* at
    if not copy_room(buffer, 2 + ROLLUP_FIELDS * COPY_FIELD_BYTES_MAX + row.path.size):
        return False
    at = buffer.memory + buffer.used
    PUT_16(at, ROLLUP_FIELDS)
    at = put_span(at + 2, row.path)
    at = put_time(at, row.quarter_ns)
    at = put_64(at, row.frames)
    at = put_64(at, row.longest_silence_ms)
    buffer.used = at - buffer.memory
    return True


cdef class Copy:
    def __cinit__(self):
        self.begin()

    def __dealloc__(self):
        free(self.buffer.memory)

    cdef int begin(self) except -1:
        if not copy_room(&self.buffer, COPY_HEADER_BYTES + COPY_TRAILER_BYTES):
            raise MemoryError()
        memcpy(self.buffer.memory, SIGNATURE, COPY_HEADER_BYTES)
        self.buffer.used = COPY_HEADER_BYTES
        self.rows = 0
        return 0

    def __len__(self):
        return self.buffer.used + COPY_TRAILER_BYTES

    def __getbuffer__(self, Py_buffer* view, int flags):
        # Room for the trailer: every writer asks for more than it uses, yet this must not rest on that.
        if self.exports == 0 and not copy_room(&self.buffer, COPY_TRAILER_BYTES):
            raise MemoryError()
        PUT_16(self.buffer.memory + self.buffer.used, -1)
        PyBuffer_FillInfo(view, self, self.buffer.memory, self.buffer.used + COPY_TRAILER_BYTES, 1, flags)
        self.exports += 1

    def __releasebuffer__(self, Py_buffer* view):
        self.exports -= 1

    def clear(self):
        assert self.exports == 0
        self.begin()


cdef class SignalCopy(Copy):
    cdef uint64_t base               # partition << 53
    cdef readonly uint64_t skipped   # rows of dropped days, since the last clear()

    def __init__(self, uint32_t partition=0):
        assert partition < 1024
        self.base = <uint64_t>partition << 53

    def clear(self):
        Copy.clear(self)
        self.skipped = 0

    def add(self, Batch batch not None, Outcome outcome not None, uint64_t first, uint32_t begin, uint32_t end,
            int64_t dropped_before_ns):
        cdef Columns* c = &batch.columns
        cdef Verdicts* v = &outcome.verdicts
        cdef uint32_t i
        cdef uint64_t added = 0, skipped = 0
        cdef size_t used = self.buffer.used
        cdef bint room = True
        assert self.exports == 0
        assert begin <= end <= c.count
        assert outcome.rows == c.count
        with nogil:
            for i in range(begin, end):
                if c.kind[i] != ROW_SIGNAL:
                    continue
                if c.received_ns[i] < dropped_before_ns:
                    skipped += 1
                    continue
                room = copy_signal(&self.buffer, c, v, i, self.base | (first + i))
                if not room:
                    break
                added += 1
        if not room:
            self.buffer.used = used
            raise MemoryError()
        self.rows += added
        self.skipped += skipped
        return added


cdef class EventCopy(Copy):
    cdef uint64_t base

    def __init__(self, uint32_t partition=0):
        assert partition < 1024
        self.base = <uint64_t>partition << 53

    def add(self, Batch batch not None, Outcome outcome not None, uint32_t begin, uint32_t end):
        cdef Columns* c = &batch.columns
        cdef uint32_t i, added = 0
        cdef size_t used = self.buffer.used
        cdef bint room = True
        assert self.exports == 0
        assert begin <= end <= outcome.events_count
        with nogil:
            for i in range(begin, end):
                if outcome.events.verification[i] == VERIFICATION_CANARY:
                    continue
                assert outcome.events.row[i] < c.count or outcome.events.row[i] == NO_ROW
                room = copy_event(&self.buffer, &outcome.events, outcome.arena, i, c, self.base)
                if not room:
                    break
                added += 1
        if not room:
            self.buffer.used = used
            raise MemoryError()
        self.rows += added
        return added


cdef Span span_of(object text):
    """Borrow the bytes of a bytes object, which the caller keeps; None is NULL."""
    cdef Span span
    span.at = NULL
    span.size = 0
    if text is not None:
        span.at = <uint8_t*>PyBytes_AS_STRING(text)
        span.size = <uint32_t>len(<bytes>text)
    return span


cdef bytes encoded(object text):
    return None if text is None else (<str>text).encode()


cdef class PathCopy(Copy):
    def add(self, str key not None, uint32_t number=0, *, str transmitter=None, str protocol=None, str account=None,
            str realm=None, str listener=None, str receiver=None, str line=None, str network=None, str state=None,
            last_seen_ns=None, int64_t supervision_ms=0, enrolled_ns=None, str peer=None):
        cdef PathRow row
        keep = [encoded(text) for text in (key, transmitter, protocol, account, realm, listener, receiver, line,
                                           network, state, peer)]
        assert self.exports == 0
        row.number = number
        row.key, row.transmitter, row.protocol = span_of(keep[0]), span_of(keep[1]), span_of(keep[2])
        row.account, row.realm, row.listener = span_of(keep[3]), span_of(keep[4]), span_of(keep[5])
        row.receiver, row.line, row.network = span_of(keep[6]), span_of(keep[7]), span_of(keep[8])
        row.state, row.peer = span_of(keep[9]), span_of(keep[10])
        row.last_seen_ns = TIME_NONE if last_seen_ns is None else <int64_t>last_seen_ns
        row.enrolled_ns = TIME_NONE if enrolled_ns is None else <int64_t>enrolled_ns
        row.supervision_ms = supervision_ms
        if not copy_path(&self.buffer, &row):
            raise MemoryError()
        self.rows += 1


cdef class HeartbeatCopy(Copy):
    def add(self, str path not None, int64_t received_ns):
        cdef bytes keep = path.encode()
        cdef HeartbeatRow row
        assert self.exports == 0
        row.path = span_of(keep)
        row.received_ns = received_ns
        if not copy_heartbeat(&self.buffer, &row):
            raise MemoryError()
        self.rows += 1


cdef class RollupCopy(Copy):
    def add(self, str path not None, int64_t quarter_ns, uint32_t frames, int64_t longest_silence_ms):
        cdef bytes keep = path.encode()
        cdef RollupRow row
        assert self.exports == 0
        row.path = span_of(keep)
        row.quarter_ns = quarter_ns
        row.frames = frames
        row.longest_silence_ms = longest_silence_ms
        if not copy_rollup(&self.buffer, &row):
            raise MemoryError()
        self.rows += 1


def entry_bytes(Batch batch not None, Outcome outcome not None):
    """An upper bound of what a batch and its outcome become in COPY, for the limits of a transaction."""
    cdef Columns* c = &batch.columns
    cdef uint32_t i
    cdef size_t size = <size_t>c.count * SIGNAL_ROW_BYTES + <size_t>outcome.events_count * EVENT_ROW_BYTES
    with nogil:
        for i in range(c.count):
            size += <size_t>c.raw[i].size + c.details[i].size    # shared in the arena, yet not in the table
    return size + c.arena_used + outcome.arena_used
