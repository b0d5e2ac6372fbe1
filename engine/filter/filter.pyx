"""FILTER: judges signals, keeps alarms, numbers events. The picture stands in `filter.pxd`."""
cimport cython
from libc.stdint cimport INT64_MAX, UINT32_MAX
from libc.string cimport memset

from codec.batch cimport Batch
from codec.json_text cimport JSON_BYTES_PER_BYTE, json_string
from codec.words cimport ROW_CANARY, ROW_CHANGE, ROW_ENROLMENT, ROW_SIGNAL, ROW_TICK
from engine.filter.acceptance cimport acceptance_destroy, acceptance_first
from engine.filter.ahead cimport (
    OPEN_AHEAD, PATHS_AHEAD, RECORDS_AHEAD, RING, Ahead, ahead_open, ahead_path, ahead_record,
)
from engine.filter.alarms cimport (
    NO_SLOT, alarms_check, alarms_create, alarms_destroy, alarms_seek, alarms_with,
)
from engine.filter.changing cimport change, change_registry, due
from engine.filter.event cimport SOURCE_BYTES_MAX
from engine.filter.judging cimport cancels, clears, meets_path, notes_state, raises
from engine.filter.listing cimport alarm_row, facility_row, name_text, transmitter_called
from engine.filter.losses cimport losses_check, losses_create, losses_deadline, losses_destroy
from engine.filter.losses_view cimport losses_standing
from engine.filter.place cimport Place
from engine.filter.registry cimport (
    NO_TRANSMITTER, Registry, facility_find, registry_check, registry_create, registry_destroy,
)
from engine.filter.rulebook cimport book_compile
from engine.filter.rules cimport (
    RULE_ALARM, RULE_ALARM_CHOSEN, RULE_CANARY, RULE_CANCEL, RULE_CLASS_OFF, RULE_NONE, RULE_RESTORE, is_off, rule_of,
)
from engine.filter.snapshot cimport filter_load, filter_save
from engine.filter.states cimport States, states_check, states_create, states_destroy
from engine.filter.states_view cimport states_counts, states_rows, states_stale, states_with
from engine.filter.telling cimport decide, sing, tell_volatile
from engine.words cimport (
    CHANGE_FACILITY, CHANGE_POINT, CHANGE_READING, CHANGE_TRANSMITTER, REASON_CLASS_OFF, REASON_NONE, VERDICT_NONE,
    VERDICT_SUPPRESS,
)

from codec.words import CLASS_TEXT, CONDITION_TEXT
from engine.filter.rulebook import default_rulebook
from engine.filter.test_modes import TestModes
from engine.words import REASON_TEXT, VERDICT_TEXT

CONDITION_NUMBER = {text: number for number, text in CONDITION_TEXT.items()}

cdef enum:
    ALARMS_LIMIT = 1 << 30

assert max(VERDICT_TEXT) < VERDICTS
assert max(REASON_TEXT) < REASONS
assert max(CLASS_TEXT) < CLASSES


cdef inline uint32_t items_max(uint64_t alarms_max) noexcept:
    # Nearly every alarm has one item; a thousand more let a small table still hold big fires.
    return <uint32_t>(2 * alarms_max + 1024)


cdef inline bint makes_event(uint16_t rule) noexcept nogil:
    return rule == RULE_ALARM or rule == RULE_ALARM_CHOSEN or rule == RULE_RESTORE


cdef bytes quoted(str text):
    """A text as a JSON string; ValueError when it is longer than a source may be."""
    cdef bytes raw = text.encode()
    cdef uint8_t[SOURCE_BYTES_MAX * JSON_BYTES_PER_BYTE + 2] out
    cdef uint8_t* end
    if not 1 <= len(raw) <= SOURCE_BYTES_MAX:
        raise ValueError(f"source of {len(raw)} bytes; 1..{SOURCE_BYTES_MAX} are allowed")
    end = json_string(out, <const uint8_t*>raw, <uint32_t>len(raw))
    return <bytes>(<char*>out)[:end - out]


@cython.final
cdef class Filter:
    def __cinit__(self, uint64_t next_event, str source not None="tocsin", rules=None, uint64_t alarms_max=1000000,
                  uint32_t paths_max=2000000, *, bint fixed_rules=False, bint silent=False,
                  bytes hash_key not None):
        if next_event == 0:
            raise ValueError("next_event 0 is no event number")
        if alarms_max > ALARMS_LIMIT:
            raise ValueError(f"alarms_max {alarms_max}; at most {ALARMS_LIMIT}")
        if len(hash_key) != 16:
            raise ValueError(f"hash_key of {len(hash_key)} bytes; 16 are needed")
        self.source_text = quoted(source)
        self.source = self.source_text
        self.source_size = <uint32_t>len(self.source_text)
        self.fixed_rules = fixed_rules
        self.silent = silent
        self.next_event = next_event
        self.alarms_max = <uint32_t>alarms_max
        self.paths_max = paths_max
        self.hash_key = hash_key
        self.overdue = []
        self.test_modes = TestModes()
        self.test_due_ns = INT64_MAX
        self.set_rules(rules or default_rulebook())
        self.outcome = Outcome(1, 1, 1)      # real memory also for the first empty batch
        self.make_tables()

    cdef int make_tables(self) except -1:
        alarms_create(&self.alarms, self.alarms_max, items_max(self.alarms_max), self.hash_key)
        registry_create(&self.registry, self.paths_max, self.paths_max, self.hash_key)
        states_create(&self.states, self.paths_max, 2 * self.paths_max)
        losses_create(&self.losses, self.paths_max)
        return 0

    cdef int make_alarms(self, uint64_t alarms, uint64_t items) except -1:
        """Make the table anew, for so many at least: a snapshot may hold more than a configuration made smaller allows,
        and those stay until they are cleared."""
        alarms_destroy(&self.alarms)
        alarms_create(&self.alarms, <uint32_t>max(<uint64_t>self.alarms_max, alarms),
                      <uint32_t>max(<uint64_t>items_max(self.alarms_max), items), self.hash_key)
        return 0

    cdef void limit_alarms(self) noexcept:
        self.alarms.alarms_max = self.alarms_max
        self.alarms.items_max = items_max(self.alarms_max)

    cdef void free_tables(self) noexcept:
        alarms_destroy(&self.alarms)
        registry_destroy(&self.registry)
        states_destroy(&self.states)
        losses_destroy(&self.losses)
        acceptance_destroy(&self.acceptance)

    def __dealloc__(self):
        self.free_tables()

    cdef int set_rules(self, object rulebook) except -1:
        book_compile(&self.book, rulebook)
        self.rulebook = rulebook
        self.loss_rules.members = self.book.loss_members
        self.loss_rules.share = self.book.loss_share
        self.loss_rules.restored_share = self.book.restored_share
        self.loss_rules.within_ns = self.book.loss_within_ns
        self.loss_rules.settle_ns = self.book.loss_settle_ns
        return 0

    cdef int set_tests(self, bytes saved) except -1:
        self.test_modes.load(saved)
        due_us = self.test_modes.next_end_us()
        self.test_due_ns = INT64_MAX if due_us is None else <int64_t>due_us * 1000
        return 0

    @property
    def rules(self):
        return self.rulebook

    @property
    def alarms_open(self):
        return self.alarms.alarms_open

    @property
    def registry_seen(self):
        if self.registry.reading:            # it broke off, or goes on: nothing is known for sure
            return "", 0
        return self.registry.identity.decode("ascii", "replace"), self.registry.revision

    def apply(self, uint64_t first, Batch batch not None):
        cdef const Columns* c = &batch.columns
        cdef uint32_t row
        cdef const Registry* r = &self.registry
        cdef const States* s = &self.states
        cdef Ahead ahead
        if c.count == 0:
            self.outcome.clear()
            return self.outcome.encode()
        if first <= self.position:
            raise ValueError(f"signal {first} after position {self.position}")
        self.prepare(c)
        with nogil:
            for row in range(PATHS_AHEAD):
                ahead_path(&ahead, r, c, row)
            for row in range(RECORDS_AHEAD):
                ahead_record(&ahead, r, s, c, row)
            for row in range(OPEN_AHEAD):
                ahead_open(&ahead, r, s, c, row)
            for row in range(c.count):
                ahead_path(&ahead, r, c, row + PATHS_AHEAD)
                ahead_record(&ahead, r, s, c, row + RECORDS_AHEAD)
                ahead_open(&ahead, r, s, c, row + OPEN_AHEAD)
                self.row_hash = ahead.hash[row % RING]
                if c.kind[row] == ROW_SIGNAL:
                    self.judge(c, row, first + row)
                    continue
                decide(self, row, VERDICT_NONE, REASON_NONE, RULE_NONE)
                if c.kind[row] == ROW_CANARY:
                    sing(self, c, row, first + row)
                elif c.kind[row] == ROW_ENROLMENT:
                    meets_path(self, c, row)
                elif c.kind[row] == ROW_CHANGE and (
                        c.condition[row] == CHANGE_TRANSMITTER or c.condition[row] == CHANGE_POINT
                        or c.condition[row] == CHANGE_FACILITY):
                    change_registry(self, c, row)        # by the million at a first reading
                elif c.kind[row] == ROW_CHANGE:
                    with gil:
                        change(self, c, row, first + row)
                elif c.kind[row] == ROW_TICK:
                    with gil:
                        due(self, c.received_ns[row], first + row)
        self.row_hash = 0
        self.position = first + c.count - 1
        if self.failed:
            raise MemoryError()
        return self.outcome.encode()

    def show(self, Batch batch not None):
        cdef const Columns* c = &batch.columns
        cdef uint32_t row
        self.prepare(c)
        with nogil:
            for row in range(c.count):
                decide(self, row, VERDICT_NONE, REASON_NONE, RULE_NONE)
                if c.kind[row] == ROW_SIGNAL and not is_off(self.book.security, self.book.medical,
                                                            c.signal_class[row]) and makes_event(
                        rule_of(self.book.security, self.book.medical, c.signal_class[row], c.state[row],
                                c.condition[row])):
                    tell_volatile(self, c, row)
        if self.failed:
            raise MemoryError()
        return self.outcome.encode()

    cdef int prepare(self, const Columns* c) except -1:
        """Make room for the verdicts; that for events is made as they come, and kept."""
        cdef Outcome o = self.outcome
        if c.count > o.rows_max:
            self.outcome = Outcome(c.count, o.events_max, o.arena_max)
        self.outcome.clear()
        self.outcome.rows = c.count
        self.changes_ahead.next = UINT32_MAX
        return 0

    cdef void judge(self, const Columns* c, uint32_t row, uint64_t signal) noexcept nogil:
        """Give one signal its verdict, and the event that it makes."""
        cdef uint16_t rule = rule_of(self.book.security, self.book.medical, c.signal_class[row], c.state[row],
                                     c.condition[row])
        self.signals[c.signal_class[row] & (CLASSES - 1)] += 1
        if rule == RULE_ALARM or rule == RULE_ALARM_CHOSEN:
            raises(self, c, row, signal, rule)
        elif rule == RULE_RESTORE:
            clears(self, c, row, signal)
        elif rule == RULE_CANCEL:
            cancels(self, c, row, signal)
        elif rule == RULE_CLASS_OFF:
            decide(self, row, VERDICT_SUPPRESS, REASON_CLASS_OFF, rule)
        else:
            notes_state(self, c, row, signal, rule)

    def next_deadline_ns(self):
        cdef int64_t due_ns = min(self.test_due_ns, losses_deadline(&self.losses))
        if acceptance_first(&self.acceptance) != NULL:
            due_ns = min(due_ns, acceptance_first(&self.acceptance).due_ns)
        return None if due_ns == INT64_MAX else due_ns

    def take_overdue(self):
        overdue, self.overdue = self.overdue, []
        return overdue

    def save(self):
        return filter_save(self)

    def load(self, saved not None):
        cdef Filter loaded = Filter(1, rules=self.rulebook, alarms_max=self.alarms_max, paths_max=self.paths_max,
                                    fixed_rules=self.fixed_rules, hash_key=self.hash_key)
        filter_load(loaded, saved)
        self.alarms, loaded.alarms = loaded.alarms, self.alarms
        self.registry, loaded.registry = loaded.registry, self.registry
        self.states, loaded.states = loaded.states, self.states
        self.losses, loaded.losses = loaded.losses, self.losses
        self.acceptance, loaded.acceptance = loaded.acceptance, self.acceptance
        self.test_modes, self.test_due_ns, self.time_ns = loaded.test_modes, loaded.test_due_ns, loaded.time_ns
        self.set_rules(self.rulebook if self.fixed_rules else loaded.rulebook)
        self.next_event, self.position = loaded.next_event, loaded.position
        self.overdue = []

    def check(self):
        assert self.next_event >= 1
        alarms_check(&self.alarms)
        registry_check(&self.registry)
        states_check(&self.states)
        losses_check(&self.losses)

    def open_alarms(self, uint64_t after=0, limit=None, bint ended=False):
        cdef uint32_t slot = self.alarms.oldest
        cdef uint64_t rest = self.alarms.alarms_open if limit is None else <uint64_t>limit
        cdef list rows = []
        if after:
            with nogil:
                slot = alarms_seek(&self.alarms, after + 1)
        while slot != NO_SLOT and rest:
            rows.append(alarm_row(&self.alarms, &self.registry, &self.alarms.slots[slot]))
            slot = self.alarms.slots[slot].newer
            rest -= 1
        if ended:
            for slot in range(self.alarms.slots_used):
                if self.alarms.slots[slot].ended and not self.alarms.slots[slot].accepted:
                    rows.append(alarm_row(&self.alarms, &self.registry, &self.alarms.slots[slot]))
        return rows

    def alarm(self, uint64_t alarm_id):
        cdef uint32_t slot
        with nogil:
            slot = alarms_with(&self.alarms, alarm_id)
        return None if slot == NO_SLOT else alarm_row(&self.alarms, &self.registry, &self.alarms.slots[slot])

    def alarms_unaccepted(self):
        return self.alarms.unaccepted

    def facility(self, str facility_id not None):
        cdef bytes raw = facility_id.encode()
        cdef uint32_t slot = facility_find(&self.registry, <const uint8_t*>(<char*>raw), <uint32_t>len(raw))
        return facility_row(&self.registry, slot) if slot != NO_TRANSMITTER else None

    def place(self, str transmitter not None):
        cdef Place name
        cdef uint32_t slot = transmitter_called(&self.registry, transmitter, &name)
        return None if slot == NO_TRANSMITTER else facility_row(&self.registry,
                                                                self.registry.transmitters[slot].facility)

    def conditions(self, str transmitter not None):
        cdef Place name
        cdef uint32_t slot = transmitter_called(&self.registry, transmitter, &name)
        return [] if slot == NO_TRANSMITTER else states_rows(&self.states, slot)

    def with_conditions(self, condition=None, before_ns=None, after=None, uint32_t limit=100):
        cdef int64_t behind = -1 if after is None else <int64_t>after
        if condition is None:
            slots = states_stale(&self.states, INT64_MAX if before_ns is None else <int64_t>before_ns, behind, limit)
        else:
            slots = states_with(&self.states, CONDITION_NUMBER.get(condition, 0xFFFF), behind, limit)
        return [{"number": str(slot), "transmitter": name_text(&self.registry.transmitters[<uint32_t>slot].name),
                 **facility_row(&self.registry, self.registry.transmitters[<uint32_t>slot].facility),
                 "conditions": states_rows(&self.states, slot)} for slot in slots]

    def tests(self):
        return self.test_modes.listed()

    def mass_losses(self):
        return losses_standing(&self.losses)

    def registry_counts(self):
        return {"facilities": self.registry.facilities_used, "transmitters": self.registry.transmitters_used,
                "points": self.registry.points_used, "refused": self.registry.refused}

    def condition_counts(self):
        return states_counts(&self.states)

    def verdict_counts(self):
        return {(verdict, reason): self.verdicts[number * REASONS + cause]
                for number, verdict in VERDICT_TEXT.items() for cause, reason in REASON_TEXT.items()
                if self.verdicts[number * REASONS + cause]}

    def signal_counts(self):
        return {text: self.signals[number] for number, text in CLASS_TEXT.items() if self.signals[number]}
