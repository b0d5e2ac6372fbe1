"""Verdicts and events. Which there are stands in `telling.pxd`."""
from libc.string cimport memset

from codec.words cimport STATE_CLEARED, STATE_RAISED
from codec.batch cimport TIME_NONE
from engine.filter.alarms cimport NO_SLOT, Item, alarms_find, place_hash
from engine.filter.event cimport Step, event_push, said_of, volatile_hash
from engine.filter.filter cimport REASONS
from engine.filter.judging cimport Origin, origin_of, place_for
from engine.filter.network_event cimport network_event_push
from engine.filter.losses cimport Loss, losses_due
from engine.filter.outcome cimport NO_ROW
from engine.filter.place cimport LANE_REAL, LANE_TEST, Place
from engine.filter.registry cimport NO_FACILITY, NO_TRANSMITTER, Facility, Transmitter
from engine.filter.rulebook cimport FIRST_BOOK_RULE
from engine.filter.rules cimport RULE_CANARY, RULE_COUNT, class_urgency, is_late, priority_of, verification_rank
from engine.words cimport (
    EVENT_RAISED, EVENT_UPDATED, REASON_ALARM, REASON_CANARY, REASON_RESTORE, REASON_TEST, VERDICT_FORWARD,
    VERIFICATION_CANARY, VERIFICATION_LATE, VERIFICATION_TEST, VERIFICATION_UNCONFIRMED,
)

from engine.filter.rules import RULE_NAME

cdef enum:
    NAME_BYTES_MAX = 31

cdef struct Name:
    uint8_t size
    uint8_t text[NAME_BYTES_MAX]

cdef Name[RULE_COUNT] own_rules      # constants after import


cdef int fill_names() except -1:
    cdef int number, i
    for rule, text in RULE_NAME.items():
        number = rule
        raw = text.replace("_", "-").encode()
        assert len(raw) <= NAME_BYTES_MAX
        own_rules[number].size = len(raw)
        for i in range(len(raw)):
            own_rules[number].text[i] = raw[i]
    return 0


fill_names()


cdef Part rule_name(Filter f, uint16_t rule) noexcept nogil:
    """Return the name of a rule: one of the engine's own, or one of the rulebook."""
    cdef Part name
    memset(&name, 0, sizeof(name))
    if rule >= FIRST_BOOK_RULE and rule - FIRST_BOOK_RULE < f.book.count:
        name.at = <const uint8_t*>f.book.rules[rule - FIRST_BOOK_RULE].name
        name.size = f.book.rules[rule - FIRST_BOOK_RULE].name_size
    elif 0 < rule < RULE_COUNT:
        name.at = own_rules[rule].text
        name.size = own_rules[rule].size
    return name


cdef void decide(Filter f, uint32_t row, uint8_t verdict, uint8_t reason,
                 uint16_t rule) noexcept nogil:
    f.outcome.verdicts.verdict[row] = verdict
    f.outcome.verdicts.reason[row] = reason
    f.outcome.verdicts.rule[row] = rule
    f.outcome.verdicts.rule_version[row] = f.book.version if rule else 0
    if rule and rule != RULE_CANARY:     # counted are verdicts on signals
        f.verdicts[verdict * REASONS + reason] += 1


cdef void step_of(Filter f, const Alarm* alarm, uint8_t type, uint8_t reason, uint16_t rule,
                  Step* step) noexcept nogil:
    memset(step, 0, sizeof(Step))
    step.alarm = alarm.id
    step.opened_ns = alarm.opened_ns
    step.facility = &f.registry.facilities[alarm.facility] if alarm.facility != NO_FACILITY else NULL
    step.rule = rule_name(f, rule)
    step.rule_version = f.book.version
    step.count = alarm.count
    step.revision = alarm.revision
    step.detectors = alarm.detectors
    step.type = type
    step.signal_class = alarm.signal_class
    step.verification = alarm.verification
    step.priority = alarm.priority
    step.reason = reason
    step.accepted = alarm.accepted


cdef void tell(Filter f, const Said* said, uint64_t signal, uint8_t type, uint8_t reason, uint16_t rule,
               Alarm* alarm) noexcept nogil:
    """Number and write the event that something makes of its alarm."""
    cdef Step step
    alarm.revision += 1
    alarm.event = f.next_event
    alarm.changed_ns = said.received_ns
    step_of(f, alarm, type, reason, rule, &step)
    step.number = f.next_event
    step.signal = signal
    f.next_event += 1
    if not event_push(f.outcome, said, &step, f.source, f.source_size, f.silent):
        f.failed = True


cdef void tell_row(Filter f, const Columns* c, uint32_t row, uint64_t signal, uint8_t type, uint8_t reason,
                   uint16_t rule, Alarm* alarm) noexcept nogil:
    """The same of a signal."""
    cdef Said said
    said_of(&said, c, row)
    tell(f, &said, signal, type, reason, rule, alarm)


cdef uint64_t said_of_alarm(Filter f, const Alarm* alarm, int64_t now_ns, Said* said) noexcept nogil:
    """What is known of an alarm without its signals: who sent the last one, and what was raised last.

    Returns the number of the signal that raised that, or the alarm's own
    """
    cdef uint64_t signal = alarm.id
    cdef const Transmitter* transmitter
    cdef const Item* item
    cdef uint32_t at = alarm.item
    memset(said, 0, sizeof(Said))
    said.row = NO_ROW
    said.signal_class = alarm.signal_class
    said.condition = alarm.condition
    said.state = STATE_RAISED
    said.received_ns = now_ns
    said.occurred_ns = TIME_NONE
    said.protocol = alarm.place.protocol
    said.account.at = alarm.place.text
    said.account.size = alarm.place.account_size
    said.realm.at = alarm.place.text + alarm.place.account_size
    said.realm.size = alarm.place.realm_size
    if alarm.transmitter != NO_TRANSMITTER:
        transmitter = &f.registry.transmitters[alarm.transmitter]
        said.protocol = transmitter.name.protocol
        said.account.at = transmitter.name.text
        said.account.size = transmitter.name.account_size
        said.realm.at = transmitter.name.text + transmitter.name.account_size
        said.realm.size = transmitter.name.realm_size
    said.point.at = alarm.place.text
    while at != NO_SLOT:
        item = &f.alarms.items[at]
        said.point.at = item.point
        said.point.size = item.point_size
        signal = item.signal
        at = item.next
    return signal


cdef void tell_alone(Filter f, Alarm* alarm, uint8_t type, uint8_t reason, int64_t now_ns, Part by,
                     Part why) noexcept nogil:
    """An event that no signal makes: a person, or a deadline."""
    cdef Said said
    cdef uint64_t signal = said_of_alarm(f, alarm, now_ns, &said)
    said.by = by
    said.why = why
    tell(f, &said, signal, type, reason, alarm.rule, alarm)


cdef void tell_losses(Filter f, int64_t now_ns, uint64_t number) noexcept nogil:
    """Tell the mass losses that are due, and those that are over."""
    cdef Loss loss
    while losses_due(&f.losses, now_ns, number, &f.loss_rules, &loss):
        if not network_event_push(f.outcome, &f.losses, &loss, f.next_event, f.source, f.source_size):
            f.failed = True
        f.next_event += 1


cdef void sing(Filter f, const Columns* c, uint32_t row, uint64_t signal) noexcept nogil:
    """The engine's own row: an event like that of a new alarm, which nothing remembers."""
    cdef Alarm passing
    memset(&passing, 0, sizeof(passing))
    passing.id = signal
    passing.opened_ns = c.received_ns[row]
    passing.verification = VERIFICATION_CANARY
    passing.facility = NO_FACILITY
    passing.count = 1
    decide(f, row, VERDICT_FORWARD, REASON_CANARY, RULE_CANARY)
    tell_row(f, c, row, signal, EVENT_RAISED, REASON_CANARY, RULE_CANARY, &passing)


cdef void tell_volatile(Filter f, const Columns* c, uint32_t row) noexcept nogil:
    """Write an event that has no number, over an alarm that is looked at and left as it is.

    A restore is told as an update, never as cleared: whether it ends the alarm is decided when it is durable.
    """
    cdef bint restore = c.state[row] == STATE_CLEARED
    cdef Alarm looked
    cdef Origin origin
    cdef Place place
    cdef Step step
    cdef Said said
    cdef uint32_t slot = NO_SLOT
    cdef uint8_t verification = VERIFICATION_LATE if is_late(c.flags[row]) else VERIFICATION_UNCONFIRMED
    memset(&looked, 0, sizeof(looked))
    origin_of(f, c, row, False, &origin)
    looked.facility = origin.facility
    looked.opened_ns = c.received_ns[row]
    if origin.in_test:
        verification = VERIFICATION_TEST
    if place_for(f, &origin, LANE_TEST if origin.in_test else LANE_REAL, &place):
        slot = alarms_find(&f.alarms, &place, place_hash(&f.alarms, &place))
    if slot != NO_SLOT:
        looked = f.alarms.slots[slot]
    if not restore or slot == NO_SLOT:
        if verification_rank(verification) > verification_rank(looked.verification) or not looked.verification:
            looked.verification = verification
        if not looked.signal_class or class_urgency(c.signal_class[row]) < class_urgency(looked.signal_class):
            looked.signal_class = c.signal_class[row]
        looked.priority = priority_of(looked.signal_class, looked.verification, looked.shift)
    step_of(f, &looked, EVENT_UPDATED if restore or slot != NO_SLOT else EVENT_RAISED,
            REASON_RESTORE if restore else REASON_TEST if origin.in_test else REASON_ALARM, 0, &step)
    said_of(&said, c, row)
    said.hash = volatile_hash(c, row)
    if not event_push(f.outcome, &said, &step, f.source, f.source_size, f.silent):
        f.failed = True
