"""What is open at the transmitters, for people: lists and counts out of `states.pxd`, ready for JSON."""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t, uint64_t

from codec.batch cimport Batch, Columns
from codec.json_text cimport JSON_TIME_BYTES, json_time
from engine.filter.states cimport (
    STATES_CONDITIONS, STATE_CHANGE_NONE, StateItem, states_check, states_counted, states_create, states_destroy,
    states_fetch, states_load, states_note, states_note_row, states_open, states_save, states_seconds,
)

from codec.words import CLASS_TEXT, CONDITION_TEXT

cdef enum:
    AHEAD = 16               # rows; the slot of one is asked for while others are worked on


cdef list states_rows(const States* s, uint32_t transmitter):
    """What is open at one transmitter, in the order of raising, ready for JSON."""
    cdef uint8_t[JSON_TIME_BYTES] time
    cdef const StateItem* item
    cdef uint32_t i, at
    rows = []
    if transmitter < s.transmitters_max:
        at = s.slots[transmitter].first
        for i in range(s.slots[transmitter].items):
            item = &s.items[at]
            json_time(time, item.since_ns)
            rows.append({
                "class": CLASS_TEXT[item.signal_class], "condition": CONDITION_TEXT.get(item.condition, "unknown"),
                "point": (<bytes>item.point[:item.point_size]).decode("utf-8", "replace"),
                "signal_id": str(item.signal), "since": (<bytes>(<char*>time)[1:JSON_TIME_BYTES - 1]).decode()})
            at = item.next
    return rows


cdef dict states_counts(const States* s):
    """How many are open of each condition that has any."""
    cdef uint32_t number
    counts = {}
    for number in range(STATES_CONDITIONS):
        if s.counts[number]:
            text = CONDITION_TEXT.get(number, "unknown")
            counts[text] = counts.get(text, 0) + s.counts[number]
    return counts


cdef int64_t next_stale(const States* s, int64_t at, int64_t before_ns) noexcept nogil:
    """The first transmitter from `at` on with an item from before a time, or -1."""
    cdef uint32_t before_s = states_seconds(before_ns), i, item
    while at < s.transmitters_used:
        if s.slots[at].items and s.slots[at].oldest_s <= before_s:
            item = s.slots[at].first
            for i in range(s.slots[at].items):
                if s.items[item].since_ns < before_ns:
                    return at
                item = s.items[item].next
        at += 1
    return -1


cdef list states_stale(const States* s, int64_t before_ns, int64_t after, uint32_t limit):
    """Slots above `after` (-1: all) with something open since before a time; `limit` of them."""
    cdef int64_t at = max(after, -1)
    found = []
    while len(found) < limit:
        with nogil:
            at = next_stale(s, at + 1, before_ns)
        if at < 0:
            break
        found.append(at)
    return found


cdef int64_t next_with(const States* s, int64_t at, uint16_t condition) noexcept nogil:
    cdef uint32_t bit = <uint32_t>1 << condition % 28, i, item
    while at < s.transmitters_used:
        if s.slots[at].mask & bit:
            item = s.slots[at].first
            for i in range(s.slots[at].items):
                if s.items[item].condition == condition:
                    return at
                item = s.items[item].next
        at += 1
    return -1


cdef list states_with(const States* s, uint16_t condition, int64_t after, uint32_t limit):
    """Slots above `after` (-1: all) with a condition open; `limit` of them."""
    cdef int64_t at = max(after, -1)
    found = []
    while s.counts[states_counted(condition)] and len(found) < limit:
        with nogil:
            at = next_with(s, at + 1, condition)
        if at < 0:
            break
        found.append(at)
    return found


@cython.final
cdef class StatesTable:

    def __cinit__(self, uint32_t transmitters_max, uint32_t items_max):
        states_create(&self.states, transmitters_max, items_max)

    def __dealloc__(self):
        states_destroy(&self.states)

    def note(self, uint32_t transmitter, uint8_t signal_class, uint16_t condition, uint8_t state,
             bytes point not None, uint64_t signal, int64_t received_ns):
        return ("none", "raised", "cleared")[states_note(
            &self.states, transmitter, signal_class, condition, state, <const uint8_t*>point, <uint32_t>len(point),
            signal, received_ns)]

    def note_batch(self, uint64_t first, Batch batch not None, bytes transmitters not None):
        cdef const Columns* c = &batch.columns
        cdef const uint32_t* slots = <const uint32_t*>PyBytes_AS_STRING(transmitters)
        cdef uint32_t row
        cdef uint64_t changes = 0
        if len(transmitters) != <Py_ssize_t>(c.count * sizeof(uint32_t)):
            raise ValueError("a transmitter of 4 bytes for each row")
        with nogil:
            for row in range(c.count):
                if row + AHEAD < c.count and slots[row + AHEAD] < self.states.transmitters_max:
                    states_fetch(&self.states, slots[row + AHEAD])
                changes += states_note_row(&self.states, slots[row], c, row, first + row) != STATE_CHANGE_NONE
        return changes

    def open(self, uint32_t transmitter, uint8_t signal_class, bytes point not None):
        return states_open(&self.states, transmitter, signal_class, <const uint8_t*>point, <uint32_t>len(point))

    def rows(self, uint32_t transmitter):
        return states_rows(&self.states, transmitter)

    def counts(self):
        return states_counts(&self.states)

    def stale(self, int64_t before_ns, int64_t after=-1, uint32_t limit=100):
        return states_stale(&self.states, before_ns, after, limit)

    def transmitters_with(self, uint16_t condition, int64_t after=-1, uint32_t limit=100):
        return states_with(&self.states, condition, after, limit)

    def save(self):
        return states_save(&self.states)

    def load(self, bytes saved not None):
        cdef States fresh
        states_create(&fresh, self.states.transmitters_max, self.states.items_max)
        try:
            states_load(&fresh, saved)
        except ValueError:
            states_destroy(&fresh)
            raise
        states_destroy(&self.states)
        self.states = fresh

    def check(self):
        states_check(&self.states)

    @property
    def unkept(self):
        return self.states.unkept

    @property
    def items_open(self):
        return self.states.items_open
