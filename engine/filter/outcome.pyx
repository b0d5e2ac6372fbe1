"""Outcomes: the verdicts on the rows of one batch, and the events that they made."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from engine.words cimport VERIFICATION_CANARY

from engine.words import EVENT_TEXT, REASON_TEXT, VERDICT_TEXT, VERIFICATION_TEXT


cdef enum:
    DATA_BYTES = 6                   # `data: ` before an event's JSON


cdef inline size_t padded(size_t size) noexcept nogil:
    return (size + 7) & ~<size_t>7


cdef size_t verdicts_layout(Verdicts* v, uint8_t* memory, uint32_t rows) noexcept nogil:
    """Point the verdict columns into `memory`; return the bytes they take."""
    cdef uint8_t* at = memory
    v.rule_version = <uint32_t*>at; at += padded(<size_t>rows * 4)
    v.rule = <uint16_t*>at; at += padded(<size_t>rows * 2)
    v.verdict = at; at += padded(rows)
    v.reason = at; at += padded(rows)
    return at - memory


cdef size_t events_layout(Events* e, uint8_t* memory, uint32_t events) noexcept nogil:
    """Point the event columns into `memory`; return the bytes they take."""
    cdef uint8_t* at = memory
    cdef size_t eight = padded(<size_t>events * 8), four = padded(<size_t>events * 4)
    cdef size_t two = padded(<size_t>events * 2), one = padded(events)
    e.number = <uint64_t*>at; at += eight
    e.alarm = <uint64_t*>at; at += eight
    e.signal = <uint64_t*>at; at += eight
    e.opened_ns = <int64_t*>at; at += eight
    e.received_ns = <int64_t*>at; at += eight
    e.row = <uint32_t*>at; at += four
    e.count = <uint32_t*>at; at += four
    e.revision = <uint32_t*>at; at += four
    e.block = <Text*>at; at += eight
    e.json = <Text*>at; at += eight
    e.facility = <Text*>at; at += eight
    e.facility_name = <Text*>at; at += eight
    e.area = <Text*>at; at += eight
    e.rule = <Text*>at; at += eight
    e.account = <Text*>at; at += eight
    e.realm = <Text*>at; at += eight
    e.point = <Text*>at; at += eight
    e.rule_version = <uint32_t*>at; at += four
    e.detectors = <uint32_t*>at; at += four
    e.condition = <uint16_t*>at; at += two
    e.type = at; at += one
    e.signal_class = at; at += one
    e.state = at; at += one
    e.verification = at; at += one
    e.priority = at; at += one
    e.reason = at; at += one
    e.accepted = at; at += one
    e.protocol = at; at += one
    e.confirms = at; at += one
    return at - memory


cdef void copy_verdicts(Outcome source, Verdicts* verdicts) noexcept nogil:
    cdef uint32_t rows = source.rows
    memcpy(verdicts.rule_version, source.verdicts.rule_version, rows * 4)
    memcpy(verdicts.rule, source.verdicts.rule, rows * 2)
    memcpy(verdicts.verdict, source.verdicts.verdict, rows)
    memcpy(verdicts.reason, source.verdicts.reason, rows)


cdef void copy_events(Outcome source, Events* events) noexcept nogil:
    cdef uint32_t count = source.events_count
    memcpy(events.number, source.events.number, count * 8)
    memcpy(events.alarm, source.events.alarm, count * 8)
    memcpy(events.signal, source.events.signal, count * 8)
    memcpy(events.opened_ns, source.events.opened_ns, count * 8)
    memcpy(events.received_ns, source.events.received_ns, count * 8)
    memcpy(events.row, source.events.row, count * 4)
    memcpy(events.count, source.events.count, count * 4)
    memcpy(events.revision, source.events.revision, count * 4)
    memcpy(events.block, source.events.block, count * 8)
    memcpy(events.json, source.events.json, count * 8)
    memcpy(events.facility, source.events.facility, count * 8)
    memcpy(events.facility_name, source.events.facility_name, count * 8)
    memcpy(events.area, source.events.area, count * 8)
    memcpy(events.rule, source.events.rule, count * 8)
    memcpy(events.account, source.events.account, count * 8)
    memcpy(events.realm, source.events.realm, count * 8)
    memcpy(events.point, source.events.point, count * 8)
    memcpy(events.rule_version, source.events.rule_version, count * 4)
    memcpy(events.detectors, source.events.detectors, count * 4)
    memcpy(events.condition, source.events.condition, count * 2)
    memcpy(events.type, source.events.type, count)
    memcpy(events.signal_class, source.events.signal_class, count)
    memcpy(events.state, source.events.state, count)
    memcpy(events.verification, source.events.verification, count)
    memcpy(events.priority, source.events.priority, count)
    memcpy(events.reason, source.events.reason, count)
    memcpy(events.accepted, source.events.accepted, count)
    memcpy(events.protocol, source.events.protocol, count)
    memcpy(events.confirms, source.events.confirms, count)


cdef bint outcome_room(Outcome outcome, uint32_t events, uint64_t arena) noexcept nogil:
    """Make room for so many events more and so many bytes of their texts; False when there is no memory."""
    cdef uint64_t events_wanted = <uint64_t>outcome.events_count + events
    cdef uint64_t arena_wanted = outcome.arena_used + arena
    cdef Events moved
    cdef uint8_t* memory
    cdef size_t size
    if events_wanted <= outcome.events_max and arena_wanted <= outcome.arena_max:
        return True
    events_wanted = max(events_wanted + events_wanted // 2, <uint64_t>outcome.events_max)
    arena_wanted = max(arena_wanted + arena_wanted // 2, <uint64_t>outcome.arena_max)
    if arena_wanted > <uint64_t>0xFFFFFFFF:
        return False
    size = events_layout(&moved, NULL, <uint32_t>events_wanted)
    memory = <uint8_t*>malloc(size + arena_wanted)
    if memory == NULL:
        return False
    events_layout(&moved, memory, <uint32_t>events_wanted)
    copy_events(outcome, &moved)
    memcpy(memory + size, outcome.arena, outcome.arena_used)
    free(outcome.grown)
    outcome.grown = memory
    outcome.events = moved
    outcome.arena = memory + size
    outcome.events_max = <uint32_t>events_wanted
    outcome.arena_max = <uint32_t>arena_wanted
    return True


cdef class Outcome:
    def __cinit__(self, uint32_t rows_max=0, uint32_t events_max=0, uint32_t arena_max=0):
        cdef Verdicts no_verdicts
        cdef Events no_events
        cdef size_t verdicts_size = verdicts_layout(&no_verdicts, NULL, rows_max)
        cdef size_t events_size = events_layout(&no_events, NULL, events_max)
        if rows_max or events_max:
            self.memory = <uint8_t*>malloc(verdicts_size + events_size + arena_max)
            if self.memory == NULL:
                raise MemoryError()
            verdicts_layout(&self.verdicts, self.memory, rows_max)
            events_layout(&self.events, self.memory + verdicts_size, events_max)
            self.arena = self.memory + verdicts_size + events_size
        self.rows_max = rows_max
        self.events_max = events_max
        self.arena_max = arena_max

    def __dealloc__(self):
        free(self.memory)
        free(self.grown)

    def __len__(self):
        return self.rows

    @property
    def events_in(self):
        return self.events_count

    def clear(self):
        self.rows = self.events_count = self.arena_used = 0

    def encode(self):
        cdef Verdicts verdicts
        cdef Events events
        cdef size_t verdicts_size = verdicts_layout(&verdicts, NULL, self.rows)
        cdef size_t events_size = events_layout(&events, NULL, self.events_count)
        cdef size_t columns_size = verdicts_size + events_size
        cdef bytes out = PyBytes_FromStringAndSize(NULL, OUTCOME_HEADER_BYTES + columns_size + self.arena_used)
        cdef uint8_t* start = <uint8_t*>PyBytes_AS_STRING(out)
        cdef uint32_t* header = <uint32_t*>start
        memset(start + OUTCOME_HEADER_BYTES, 0, columns_size)
        header[0] = OUTCOME_VERSION
        header[1] = self.rows
        header[2] = self.events_count
        header[3] = self.arena_used
        verdicts_layout(&verdicts, start + OUTCOME_HEADER_BYTES, self.rows)
        events_layout(&events, start + OUTCOME_HEADER_BYTES + verdicts_size, self.events_count)
        copy_verdicts(self, &verdicts)
        copy_events(self, &events)
        memcpy(start + OUTCOME_HEADER_BYTES + columns_size, self.arena, self.arena_used)
        return out

    @staticmethod
    def view(bytes encoded not None):
        cdef Outcome outcome = Outcome()
        cdef uint8_t* start = <uint8_t*>PyBytes_AS_STRING(encoded)
        cdef uint32_t* header = <uint32_t*>start
        cdef size_t size = len(encoded), at = OUTCOME_HEADER_BYTES
        if size < OUTCOME_HEADER_BYTES or header[0] != OUTCOME_VERSION and header[0] != OUTCOME_VERSION_BEFORE:
            raise ValueError("no encoded outcome")
        at += verdicts_layout(&outcome.verdicts, start + at, header[1])
        at += events_layout(&outcome.events, start + at, header[2])
        if header[0] == OUTCOME_VERSION_BEFORE:
            at -= padded(header[2])
        if size != at + header[3]:
            raise ValueError("encoded outcome of the wrong length")
        if header[0] == OUTCOME_VERSION_BEFORE:
            outcome.events.confirms = outcome.memory = <uint8_t*>calloc(header[2] + 1, 1)
            if outcome.memory == NULL:
                raise MemoryError()
        outcome.rows = outcome.rows_max = header[1]
        outcome.events_count = outcome.events_max = header[2]
        outcome.arena_used = outcome.arena_max = header[3]
        outcome.arena = start + at
        outcome.encoded = encoded
        return outcome

    def blocks(self, *, bint numbered=True):
        cdef uint32_t i
        cdef Text block
        parts = []
        for i in range(self.events_count):
            if self.events.verification[i] == VERIFICATION_CANARY:
                continue
            block = self.events.block[i]
            if not numbered:             # from `data: ` on
                block.size -= self.events.json[i].at - DATA_BYTES - block.at
                block.at = self.events.json[i].at - DATA_BYTES
            parts.append(<bytes>self.arena[block.at:block.at + block.size])
        return b"".join(parts)

    cdef str text(self, Text span):
        return (<bytes>self.arena[span.at:span.at + span.size]).decode("utf-8", "replace")

    def verdict(self, uint32_t row):
        if row >= self.rows:
            raise IndexError(row)
        return {"verdict": VERDICT_TEXT[self.verdicts.verdict[row]], "reason": REASON_TEXT[self.verdicts.reason[row]],
                "rule": self.verdicts.rule[row], "rule_version": self.verdicts.rule_version[row]}

    def event(self, uint32_t index):
        cdef Events* e = &self.events
        if index >= self.events_count:
            raise IndexError(index)
        cdef Text json = e.json[index], block = e.block[index]
        texts = {name: self.text(span) for name, span in (
            ("facility", e.facility[index]), ("facility_name", e.facility_name[index]), ("area", e.area[index]),
            ("rule", e.rule[index]), ("account", e.account[index]), ("realm", e.realm[index]),
            ("point", e.point[index]))}
        return {"number": e.number[index], "alarm": e.alarm[index], "signal": e.signal[index],
                "opened_ns": e.opened_ns[index], "received_ns": e.received_ns[index],
                "row": None if e.row[index] == NO_ROW else e.row[index], "count": e.count[index],
                "revision": e.revision[index], "type": EVENT_TEXT[e.type[index]], "class": e.signal_class[index],
                "protocol": e.protocol[index], "condition": e.condition[index], "state": e.state[index],
                "verification": VERIFICATION_TEXT[e.verification[index]], "priority": e.priority[index],
                "reason": REASON_TEXT[e.reason[index]], "rule_version": e.rule_version[index], **texts,
                "detectors": e.detectors[index], "accepted": bool(e.accepted[index]),
                "confirms": bool(e.confirms[index]),
                "json": <bytes>self.arena[json.at:json.at + json.size],
                "block": <bytes>self.arena[block.at:block.at + block.size]}
