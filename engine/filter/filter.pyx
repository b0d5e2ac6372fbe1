"""FILTER: judges signals, keeps alarms, numbers events. The picture stands in `filter.pxd`."""
cimport cython
from libc.stdint cimport int64_t
from libc.string cimport memset

from codec.batch cimport Batch, Text
from codec.json_text cimport JSON_BYTES_PER_BYTE, JSON_TIME_BYTES, json_string, json_time
from codec.words cimport ROW_CANARY, ROW_SIGNAL, STATE_CLEARED
from engine.filter.alarms cimport (
    NO_SLOT, Item, Place, alarm_is_open, alarm_keep, alarm_release, alarms_add, alarms_check, alarms_create,
    alarms_destroy, alarms_find, alarms_remove, alarms_seek, place_hash, place_of,
)
from engine.filter.event cimport SOURCE_BYTES_MAX, event_bytes_max, event_push
from engine.filter.rules cimport (
    RULE_ALARM, RULE_ALARM_CHOSEN, RULE_CANARY, RULE_CLASS_OFF, RULE_NO_ALARM_OPEN, RULE_NONE, RULE_RESTORE,
    RULE_UNTRACKED, RULES_VERSION, is_off, priority_of, rule_of, verification_of, verification_rank,
)
from engine.filter.snapshot cimport Saved, snapshot_header, snapshot_load, snapshot_save
from engine.words cimport (
    EVENT_CLEARED, EVENT_RAISED, EVENT_UPDATED, REASON_ALARM, REASON_CANARY, REASON_CLASS_OFF, REASON_NO_ALARM_OPEN,
    REASON_NONE, REASON_RESTORE, REASON_STATE, VERDICT_FORWARD, VERDICT_NONE, VERDICT_SUPPRESS, VERIFICATION_CANARY,
)

from codec.words import CLASS_TEXT, CONDITION_TEXT, PROTOCOL_TEXT
from engine.words import REASON_TEXT, VERDICT_TEXT, VERIFICATION_TEXT

cdef enum:
    ALARMS_LIMIT = 1 << 30

assert max(VERDICT_TEXT) < VERDICTS
assert max(REASON_TEXT) < REASONS
assert max(CLASS_TEXT) < CLASSES


cdef inline uint32_t items_max(uint64_t alarms_max) noexcept:
    # Nearly every alarm has one item; a thousand more let a small table still hold big fires.
    return <uint32_t>(2 * alarms_max + 1024)


cdef inline bint makes_event(uint16_t rule) noexcept nogil:
    return rule == RULE_ALARM or rule == RULE_ALARM_CHOSEN or rule == RULE_RESTORE or rule == RULE_CANARY


cdef inline uint16_t row_rule(const Choice* choice, const Columns* c, uint32_t row) noexcept nogil:
    if c.kind[row] != ROW_SIGNAL:
        return RULE_CANARY if c.kind[row] == ROW_CANARY else RULE_NONE
    return rule_of(choice, c.signal_class[row], c.state[row], c.condition[row])


cdef bytes quoted(str text):
    """A text as a JSON string; ValueError when it is longer than a source may be."""
    cdef bytes raw = text.encode()
    cdef uint8_t[SOURCE_BYTES_MAX * JSON_BYTES_PER_BYTE + 2] out
    cdef uint8_t* end
    if not 1 <= len(raw) <= SOURCE_BYTES_MAX:
        raise ValueError(f"source of {len(raw)} bytes; 1..{SOURCE_BYTES_MAX} are allowed")
    end = json_string(out, <const uint8_t*>raw, <uint32_t>len(raw))
    return <bytes>(<char*>out)[:end - out]


cdef str time_text(int64_t ns):
    cdef uint8_t[JSON_TIME_BYTES] out
    json_time(out, ns)
    return (<bytes>(<char*>out)[1:JSON_TIME_BYTES - 1]).decode()


@cython.final
cdef class Filter:
    def __cinit__(self, uint64_t next_event, str source not None="tocsin", bint security=False, bint medical=False,
                  uint64_t alarms_max=1000000, *, bytes hash_key not None):
        if next_event == 0:
            raise ValueError("next_event 0 is no event number")
        if alarms_max > ALARMS_LIMIT:
            raise ValueError(f"alarms_max {alarms_max}; at most {ALARMS_LIMIT}")
        if len(hash_key) != 16:
            raise ValueError(f"hash_key of {len(hash_key)} bytes; 16 are needed")
        self.source_text = quoted(source)
        self.source = self.source_text
        self.source_size = <uint32_t>len(self.source_text)
        self.choice.security = security
        self.choice.medical = medical
        self.next_event = next_event
        self.alarms_max = <uint32_t>alarms_max
        self.hash_key = hash_key
        self.outcome = Outcome(1, 1, 1)      # real memory also for the first empty batch
        alarms_create(&self.alarms, self.alarms_max, items_max(alarms_max), hash_key)

    def __dealloc__(self):
        alarms_destroy(&self.alarms)

    @property
    def alarms_open(self):
        return self.alarms.alarms_open

    def apply(self, uint64_t first, Batch batch not None):
        cdef const Columns* c = &batch.columns
        cdef uint32_t row
        if c.count == 0:
            self.outcome.clear()
            return self.outcome.encode()
        if first <= self.position:
            raise ValueError(f"signal {first} after position {self.position}")
        self.prepare(c)
        with nogil:
            for row in range(c.count):
                self.judge(c, row, first + row)
        self.position = first + c.count - 1
        return self.outcome.encode()

    def show(self, Batch batch not None):
        cdef const Columns* c = &batch.columns
        cdef uint32_t row
        self.prepare(c)
        with nogil:
            for row in range(c.count):
                self.outcome.verdicts.rule_version[row] = 0
                self.outcome.verdicts.rule[row] = RULE_NONE
                self.outcome.verdicts.verdict[row] = VERDICT_NONE
                self.outcome.verdicts.reason[row] = REASON_NONE
                if c.kind[row] == ROW_SIGNAL and makes_event(row_rule(&self.choice, c, row)) \
                        and not is_off(&self.choice, c.signal_class[row]):
                    self.tell_volatile(c, row)
        return self.outcome.encode()

    cdef int prepare(self, const Columns* c) except -1:
        """Make room for everything that the rows of one batch can make, so that nothing need be asked for later."""
        cdef uint32_t row, events = 0
        cdef uint64_t arena = 0
        cdef Outcome o = self.outcome
        with nogil:
            for row in range(c.count):
                if makes_event(row_rule(&self.choice, c, row)):
                    events += 1
                    arena += event_bytes_max(c, row, self.source_size)
        assert arena <= <uint64_t>0xFFFFFFFF    # 16384 rows at some 21 kB
        if c.count > o.rows_max or events > o.events_max or arena > o.arena_max:
            self.outcome = Outcome(max(c.count, o.rows_max), max(events, o.events_max),
                                   <uint32_t>max(arena, <uint64_t>o.arena_max))
        self.outcome.clear()
        self.outcome.rows = c.count
        return 0

    cdef void judge(self, const Columns* c, uint32_t row, uint64_t signal) noexcept nogil:
        """Give one row its verdict, and the event that it makes."""
        cdef uint16_t rule = row_rule(&self.choice, c, row)
        if rule == RULE_NONE:
            # ROW_CHANGE: registry, test modes, answers and new rules will act here. ROW_TICK: deadlines will.
            self.decide(row, VERDICT_NONE, REASON_NONE, RULE_NONE)
            return
        if rule == RULE_CANARY:
            self.sing(c, row, signal)
            return
        self.signals[c.signal_class[row] & (CLASSES - 1)] += 1
        if rule == RULE_ALARM or rule == RULE_ALARM_CHOSEN:
            self.raises(c, row, signal, rule)
        elif rule == RULE_RESTORE:
            self.clears(c, row, signal)
        elif rule == RULE_CLASS_OFF:
            self.decide(row, VERDICT_SUPPRESS, REASON_CLASS_OFF, rule)
        else:
            self.decide(row, VERDICT_SUPPRESS, REASON_STATE, rule)

    cdef void raises(self, const Columns* c, uint32_t row, uint64_t signal, uint16_t rule) noexcept nogil:
        """A signal that makes an alarm: it opens one, updates the one of its place, or leaves without being kept."""
        cdef uint8_t signal_class = c.signal_class[row]
        cdef uint8_t verification = verification_of(signal_class, c.condition[row], c.flags[row])
        cdef uint8_t priority = priority_of(signal_class, verification)
        cdef uint8_t type = EVENT_UPDATED
        cdef uint32_t slot = NO_SLOT
        cdef uint64_t hash = 0
        cdef Text point = c.point[row]
        cdef Place place
        cdef Alarm passing
        cdef Alarm* alarm = &passing
        if place_of(&place, c, row):
            hash = place_hash(&self.alarms, &place)
            slot = alarms_find(&self.alarms, &place, hash)
            if slot == NO_SLOT:
                type = EVENT_RAISED
                slot = alarms_add(&self.alarms, &place, hash)
        if slot != NO_SLOT:
            alarm = &self.alarms.slots[slot]
            alarm_keep(&self.alarms, alarm, signal_class, c.condition[row], c.arena + point.at, point.size, signal,
                       c.level[row] != 0)
        else:
            type = EVENT_RAISED
            memset(&passing, 0, sizeof(passing))
            self.untracked += 1
            rule = RULE_UNTRACKED
        if type == EVENT_RAISED:
            alarm.id = signal
            alarm.opened_ns = c.received_ns[row]
        if alarm.priority == 0 or priority < alarm.priority:
            alarm.priority = priority
            alarm.signal_class = signal_class
            alarm.condition = c.condition[row]
        if verification_rank(verification) > verification_rank(alarm.verification):
            alarm.verification = verification
        alarm.count += 1
        self.decide(row, VERDICT_FORWARD, REASON_ALARM, rule)
        self.tell(c, row, signal, type, alarm)

    cdef void clears(self, const Columns* c, uint32_t row, uint64_t signal) noexcept nogil:
        """A restore: it ends what fits at its place, and the alarm with the last of it."""
        cdef uint8_t signal_class = c.signal_class[row]
        cdef uint32_t slot = NO_SLOT
        cdef uint64_t hash = 0
        cdef Text point = c.point[row]
        cdef Place place
        cdef Alarm* alarm = NULL
        if place_of(&place, c, row):
            hash = place_hash(&self.alarms, &place)
            slot = alarms_find(&self.alarms, &place, hash)
        if slot != NO_SLOT:
            alarm = &self.alarms.slots[slot]
        if alarm == NULL or not alarm_release(&self.alarms, alarm, signal_class, c.arena + point.at, point.size,
                                                c.level[row] != 0):
            if is_off(&self.choice, signal_class):
                self.decide(row, VERDICT_SUPPRESS, REASON_CLASS_OFF, RULE_CLASS_OFF)
            else:
                self.decide(row, VERDICT_SUPPRESS, REASON_NO_ALARM_OPEN, RULE_NO_ALARM_OPEN)
            return
        self.decide(row, VERDICT_FORWARD, REASON_RESTORE, RULE_RESTORE)
        if alarm_is_open(alarm):
            self.tell(c, row, signal, EVENT_UPDATED, alarm)
        else:
            self.tell(c, row, signal, EVENT_CLEARED, alarm)
            alarms_remove(&self.alarms, slot, hash)

    cdef void sing(self, const Columns* c, uint32_t row, uint64_t signal) noexcept nogil:
        """The engine's own row: an event like that of a new alarm, which nothing remembers."""
        cdef Alarm passing
        memset(&passing, 0, sizeof(passing))
        passing.id = signal
        passing.opened_ns = c.received_ns[row]
        passing.verification = VERIFICATION_CANARY
        passing.count = 1
        self.decide(row, VERDICT_FORWARD, REASON_CANARY, RULE_CANARY)
        self.tell(c, row, signal, EVENT_RAISED, &passing)

    cdef void decide(self, uint32_t row, uint8_t verdict, uint8_t reason, uint16_t rule) noexcept nogil:
        self.outcome.verdicts.verdict[row] = verdict
        self.outcome.verdicts.reason[row] = reason
        self.outcome.verdicts.rule[row] = rule
        self.outcome.verdicts.rule_version[row] = RULES_VERSION if rule else 0
        if rule and rule != RULE_CANARY:     # counted are verdicts on signals
            self.verdicts[verdict * REASONS + reason] += 1

    cdef void tell(self, const Columns* c, uint32_t row, uint64_t signal, uint8_t type, Alarm* alarm) noexcept nogil:
        """Number and write the event that a signal makes of its alarm; the only place that numbers events."""
        cdef Step step
        alarm.revision += 1
        alarm.event = self.next_event
        alarm.changed_ns = c.received_ns[row]
        step.number = self.next_event
        step.alarm = alarm.id
        step.signal = signal
        step.opened_ns = alarm.opened_ns
        step.count = alarm.count
        step.revision = alarm.revision
        step.type = type
        step.signal_class = alarm.signal_class
        step.verification = alarm.verification
        step.priority = alarm.priority
        self.next_event += 1
        event_push(self.outcome, c, row, &step, self.source, self.source_size)

    cdef void tell_volatile(self, const Columns* c, uint32_t row) noexcept nogil:
        """Write an event that has no number, over an alarm that is looked at and left as it is.

        A restore is told as an update, never as cleared: whether it ends the alarm is decided when it is durable.
        """
        cdef Step step
        cdef Place place
        cdef uint32_t slot = NO_SLOT
        cdef const Alarm* alarm
        memset(&step, 0, sizeof(step))
        step.type = EVENT_UPDATED if c.state[row] == STATE_CLEARED else EVENT_RAISED
        step.signal_class = c.signal_class[row]
        step.opened_ns = c.received_ns[row]
        step.verification = verification_of(c.signal_class[row], c.condition[row], c.flags[row])
        step.priority = priority_of(c.signal_class[row], step.verification)
        if place_of(&place, c, row):
            slot = alarms_find(&self.alarms, &place, place_hash(&self.alarms, &place))
        if slot != NO_SLOT:
            alarm = &self.alarms.slots[slot]
            step.type = EVENT_UPDATED
            step.alarm = alarm.id
            step.opened_ns = alarm.opened_ns
            step.count = alarm.count
            step.revision = alarm.revision
            if alarm.priority <= step.priority or c.state[row] == STATE_CLEARED:
                step.priority = alarm.priority
                step.signal_class = alarm.signal_class
            if verification_rank(alarm.verification) > verification_rank(step.verification) \
                    or c.state[row] == STATE_CLEARED:
                step.verification = alarm.verification
        event_push(self.outcome, c, row, &step, self.source, self.source_size)

    def save(self):
        return snapshot_save(&self.alarms, self.next_event, self.position)

    def load(self, bytes saved not None):
        cdef Saved header = snapshot_header(saved)
        cdef uint64_t room = max(<uint64_t>self.alarms_max, <uint64_t>header.alarms)
        cdef Alarms loaded
        # A snapshot may hold more than a configuration made smaller allows: those stay until they are cleared.
        alarms_create(&loaded, <uint32_t>room, max(items_max(self.alarms_max), header.items), self.hash_key)
        try:
            snapshot_load(&loaded, saved)
        except ValueError:
            alarms_destroy(&loaded)
            raise
        loaded.alarms_max = self.alarms_max
        loaded.items_max = items_max(self.alarms_max)
        alarms_destroy(&self.alarms)
        self.alarms = loaded
        self.next_event = header.next_event
        self.position = header.position

    def check(self):
        assert self.next_event >= 1
        alarms_check(&self.alarms)

    def open_alarms(self, uint64_t after=0, limit=None):
        cdef uint32_t slot = self.alarms.oldest
        cdef uint64_t rest = self.alarms.alarms_open if limit is None else <uint64_t>limit
        cdef list rows = []
        if after:
            with nogil:
                slot = alarms_seek(&self.alarms, after + 1)
        while slot != NO_SLOT and rest:
            rows.append(self.alarm_row(&self.alarms.slots[slot]))
            slot = self.alarms.slots[slot].newer
            rest -= 1
        return rows

    def alarm(self, uint64_t alarm_id):
        cdef uint32_t slot
        with nogil:
            slot = alarms_seek(&self.alarms, alarm_id) if alarm_id else NO_SLOT
        if slot == NO_SLOT or self.alarms.slots[slot].id != alarm_id:
            return None
        return self.alarm_row(&self.alarms.slots[slot])

    cdef dict alarm_row(self, const Alarm* alarm):
        cdef uint32_t at = alarm.item
        cdef const Item* item
        cdef const Place* place = &alarm.place
        account = (<bytes>place.text[:place.account_size]).decode("utf-8", "replace")
        realm = (<bytes>(place.text + place.account_size)[:place.realm_size]).decode("utf-8", "replace")
        protocol = PROTOCOL_TEXT.get(place.protocol, "unknown")
        items = []
        while at != NO_SLOT:
            item = &self.alarms.items[at]
            items.append({
                "signal_id": str(item.signal), "class": CLASS_TEXT.get(item.signal_class, "unknown"),
                "condition": CONDITION_TEXT.get(item.condition, "unknown"),
                "point": (<bytes>item.point[:item.point_size]).decode("utf-8", "replace")})
            at = item.next
        return {
            "alarm_id": str(alarm.id), "event_id": str(alarm.event),
            "transmitter": f"{protocol}:{account}@{realm}" if realm else f"{protocol}:{account}",
            "protocol": protocol, "account": account, "realm": realm, "facility": None, "area": None,
            "class": CLASS_TEXT.get(alarm.signal_class, "unknown"),
            "condition": CONDITION_TEXT.get(alarm.condition, "unknown"),
            "verification": VERIFICATION_TEXT.get(alarm.verification, "unknown"), "priority": alarm.priority,
            "revision": alarm.revision, "count": alarm.count, "first_received_at": time_text(alarm.opened_ns),
            "received_at": time_text(alarm.changed_ns), "open": items,
            "open_beyond": [text for number, text in CLASS_TEXT.items() if alarm.unkept >> number & 1
                            or alarm.unkept_words and number == alarm.signal_class],
        }

    def verdict_counts(self):
        return {(verdict, reason): self.verdicts[number * REASONS + cause]
                for number, verdict in VERDICT_TEXT.items() for cause, reason in REASON_TEXT.items()
                if self.verdicts[number * REASONS + cause]}

    def signal_counts(self):
        return {text: self.signals[number] for number, text in CLASS_TEXT.items() if self.signals[number]}
