"""Rows of tocsin.alarm and tocsin.verdict_later as bytes of a COPY. The picture stands in `alarm_rows.pxd`."""
from libc.stdlib cimport free, realloc

from codec.batch cimport TIME_NONE, Batch, Text
from engine.filter.outcome cimport NO_ROW
from engine.index cimport (
    INDEX_NONE, Probe, index_create, index_destroy, index_first, index_next, index_put, index_remove,
)
from engine.store.copy cimport (
    COPY_FIELD_BYTES_MAX, PUT_16, copy_room, put_16, put_32, put_64, put_bytes, put_null, put_some, put_text, put_time,
)
from engine.store.copy_words cimport (
    CLASSES, CONDITIONS, EVENT_TYPES, PROTOCOLS, REASONS, VERDICTS, VERIFICATIONS, WORD_BYTES_MAX, put_word,
)
from engine.words cimport (
    EVENT_CLEARED, REASON_ACCEPTED, REASON_ANSWERED_FALSE, REASON_ANSWERED_TRUE, REASON_CLOSED, REASON_TEST_ENDED,
    VERDICT_FORWARD, VERIFICATION_CANARY, VERIFICATION_CONFIRMED,
)

ALARM_COLUMNS = (
    "id", "state", "protocol", "account", "facility", "facility_name", "area", "class", "condition", "point",
    "verification", "priority", "count", "revision", "detectors", "opened_at", "updated_at", "cleared_at", "signal_id",
    "event_number", "confirmed_at", "accepted_at", "answered")
VERDICT_COLUMNS = ("signal_id", "number", "verdict", "reason", "rule", "rule_version", "at")

cdef enum:
    ALARM_FIELDS = 23
    VERDICT_FIELDS = 7
    CHANGES_MIN = 1024
    ALARM_ROW_BYTES = 2 + ALARM_FIELDS * COPY_FIELD_BYTES_MAX + 6 * WORD_BYTES_MAX     # without its texts
    VERDICT_ROW_BYTES = 2 + VERDICT_FIELDS * COPY_FIELD_BYTES_MAX + 2 * WORD_BYTES_MAX

assert len(ALARM_COLUMNS) == ALARM_FIELDS
assert len(VERDICT_COLUMNS) == VERDICT_FIELDS


cdef inline uint8_t* put_happened(uint8_t* at, int64_t ns) noexcept nogil:
    return put_null(at) if ns == TIME_NONE else put_time(at, ns)


cdef inline uint8_t* put_answer(uint8_t* at, uint8_t answered) noexcept nogil:
    if answered == REASON_ANSWERED_TRUE:
        return put_bytes(at, <const uint8_t*>b"true", 4)
    return put_bytes(at, <const uint8_t*>b"false", 5) if answered else put_null(at)


cdef inline uint64_t alarm_hash(uint64_t alarm) noexcept nogil:
    """Spread numbers of our own: nobody outside chooses them."""
    return alarm * <uint64_t>0x9E3779B97F4A7C15


cdef inline bint teaches(const Events* e, uint32_t i) noexcept nogil:
    """Tell whether an event is a later verdict on the signal that raised its alarm."""
    return e.confirms[i] or e.reason[i] in (REASON_ANSWERED_TRUE, REASON_ANSWERED_FALSE, REASON_CLOSED,
                                            REASON_TEST_ENDED)


cdef class AlarmCopy(Copy):
    cdef bint put(self, const AlarmChange* change, uint64_t base) noexcept nogil:
        """Write one row in the order of ALARM_COLUMNS; False when there is no memory."""
        cdef const Events* e = change.events
        cdef const Columns* c = change.columns
        cdef const uint8_t* texts_of = change.arena
        cdef uint32_t i = change.last, row = e.row[i]
        cdef Text account = e.account[i], point = e.point[i]
        cdef uint8_t protocol = e.protocol[i]
        cdef uint8_t* at
        if row != NO_ROW:
            texts_of, account, point, protocol = c.arena, c.account[row], c.point[row], c.protocol[row]
        if not copy_room(&self.buffer, ALARM_ROW_BYTES + <size_t>account.size + point.size + e.facility[i].size
                         + e.facility_name[i].size + e.area[i].size):
            return False
        at = self.buffer.memory + self.buffer.used
        PUT_16(at, ALARM_FIELDS)
        at = put_64(at + 2, <int64_t>(base | change.alarm))
        at = put_word(at, EVENT_TYPES, EVENT_CLEARED if change.cleared_ns != TIME_NONE else e.type[i])
        if row == NO_ROW and account.size == 0:      # of no transmitter
            at = put_null(put_null(at))
        else:
            at = put_word(at, PROTOCOLS, protocol)
            at = put_text(at, texts_of, account)
        at = put_some(at, change.arena, e.facility[i])
        at = put_some(at, change.arena, e.facility_name[i])
        at = put_some(at, change.arena, e.area[i])
        at = put_word(at, CLASSES, e.signal_class[i])
        at = put_word(at, CONDITIONS, e.condition[i])
        at = put_text(at, texts_of, point)
        at = put_word(at, VERIFICATIONS, e.verification[i])
        at = put_16(at, e.priority[i])
        at = put_64(at, e.count[i])
        at = put_64(at, e.revision[i])
        at = put_32(at, e.detectors[i])
        at = put_time(at, e.opened_ns[i])
        at = put_time(at, e.received_ns[i])
        at = put_happened(at, change.cleared_ns)
        at = put_64(at, <int64_t>(base | e.signal[i]))
        at = put_64(at, <int64_t>(base | e.number[i]))
        at = put_happened(at, change.confirmed_ns)
        at = put_happened(at, change.accepted_ns)
        at = put_answer(at, change.answered)
        self.buffer.used = at - self.buffer.memory
        self.rows += 1
        return True


cdef class VerdictCopy(Copy):
    cdef bint put(self, const Events* e, uint32_t i, uint64_t base) noexcept nogil:
        """Write one row in the order of VERDICT_COLUMNS; False when there is no memory."""
        cdef uint8_t* at
        if not copy_room(&self.buffer, VERDICT_ROW_BYTES):
            return False
        at = self.buffer.memory + self.buffer.used
        PUT_16(at, VERDICT_FIELDS)
        at = put_64(at + 2, <int64_t>(base | e.alarm[i]))
        at = put_32(at, <int64_t>e.revision[i] + 1)
        at = put_word(at, VERDICTS, VERDICT_FORWARD)
        at = put_word(at, REASONS, e.reason[i])
        at = put_32(at, 0)
        at = put_64(at, e.rule_version[i])
        at = put_time(at, e.received_ns[i])
        self.buffer.used = at - self.buffer.memory
        self.rows += 1
        return True


cdef class AlarmRows:
    def __cinit__(self, uint32_t partition=0):
        assert partition < 1024
        self.base = <uint64_t>partition << 53
        self.held = []
        self.new = AlarmCopy()
        self.changed = AlarmCopy()
        self.verdicts = VerdictCopy()
        self.grow()

    def __dealloc__(self):
        free(self.changes)
        index_destroy(&self.by_alarm)

    cdef int grow(self) except -1:
        """Make room for twice as many alarms."""
        cdef uint32_t room = max(2 * self.room, <uint32_t>CHANGES_MIN), i
        cdef Index index
        cdef AlarmChange* changes = <AlarmChange*>realloc(self.changes, room * sizeof(AlarmChange))
        if changes == NULL:
            raise MemoryError()
        self.changes = changes
        index_create(&index, room)
        if self.by_alarm.slots != NULL:
            index_destroy(&self.by_alarm)
        self.by_alarm = index
        self.room = room
        for i in range(self.count):
            index_put(&self.by_alarm, alarm_hash(self.changes[i].alarm), i)
        return 0

    cdef AlarmChange* change_of(self, uint64_t alarm) except? NULL:
        """Find what is known of an alarm, or begin with it."""
        cdef uint64_t hash = alarm_hash(alarm)
        cdef Probe probe = index_first(&self.by_alarm, hash)
        cdef uint32_t slot = index_next(&self.by_alarm, &probe)
        cdef AlarmChange* change
        while slot != INDEX_NONE:
            if self.changes[slot].alarm == alarm:
                return &self.changes[slot]
            slot = index_next(&self.by_alarm, &probe)
        if self.count == self.room:
            self.grow()
        change = &self.changes[self.count]
        change.alarm = alarm
        change.answered = 0
        change.confirmed_ns = change.accepted_ns = change.cleared_ns = TIME_NONE
        index_put(&self.by_alarm, hash, self.count)
        self.count += 1
        return change

    def let_go(self):
        cdef uint32_t i
        for i in range(self.count):
            index_remove(&self.by_alarm, alarm_hash(self.changes[i].alarm), i)
        self.count = 0
        self.held.clear()

    def clear(self):
        self.let_go()
        self.new.clear()
        self.changed.clear()
        self.verdicts.clear()

    def note(self, Batch batch not None, Outcome outcome not None, uint32_t begin, uint32_t end):
        cdef const Events* e = &outcome.events
        cdef AlarmChange* change
        cdef uint32_t i
        assert begin <= end <= outcome.events_count
        self.held.append((batch, outcome))
        for i in range(begin, end):
            if e.alarm[i] == 0 or e.verification[i] == VERIFICATION_CANARY:      # a mass loss; the engine's own
                continue
            assert e.row[i] < batch.columns.count or e.row[i] == NO_ROW
            change = self.change_of(e.alarm[i])
            change.columns = &batch.columns
            change.events = e
            change.arena = outcome.arena
            change.last = i
            if change.confirmed_ns == TIME_NONE and e.verification[i] == VERIFICATION_CONFIRMED:
                change.confirmed_ns = e.received_ns[i]
            if change.accepted_ns == TIME_NONE and e.reason[i] == REASON_ACCEPTED:
                change.accepted_ns = e.received_ns[i]
            if change.cleared_ns == TIME_NONE and e.type[i] == EVENT_CLEARED:
                change.cleared_ns = e.received_ns[i]
            if e.reason[i] == REASON_ANSWERED_TRUE or e.reason[i] == REASON_ANSWERED_FALSE:
                change.answered = e.reason[i]
            if teaches(e, i) and not self.verdicts.put(e, i, self.base):
                raise MemoryError()

    def write(self, uint64_t raised_from, uint32_t begin, uint32_t end):
        cdef uint32_t i
        cdef AlarmCopy copy
        for i in range(begin, min(end, self.count)):
            copy = self.new if self.changes[i].alarm >= raised_from else self.changed
            if not copy.put(&self.changes[i], self.base):
                raise MemoryError()
