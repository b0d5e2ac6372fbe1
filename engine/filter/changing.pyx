"""Changes and ticks. Which there are stands in `changing.pxd` and, for their fields, beside `Change` in words.pxd."""
from libc.stdint cimport INT64_MAX, uint8_t, uint16_t
from libc.string cimport memcmp, memset

from codec.limits cimport POINT_BYTES_MAX
from engine.filter.acceptance cimport Awaited, acceptance_count, acceptance_first
from engine.filter.alarms cimport (
    ANSWER_FALSE, ANSWER_TRUE, AWAITED_IN_VAIN, AWAITED_NOT, AWAITED_NOW, NO_SLOT, Alarm, Item, alarm_empty,
    alarms_find, alarms_free, alarms_with, place_hash,
)
from engine.filter.changes_ahead cimport look_ahead
from engine.filter.event cimport Part
from engine.filter.judging cimport (
    Origin, await_acceptance, finish, origin_of, place_for, places_paths, set_priority,
)
from engine.filter.listing cimport name_text, transmitter_called
from engine.filter.place cimport LANE_REAL, LANE_TEST, Place
from engine.filter.registry cimport (
    NO_FACILITY, NO_POINT, NO_TRANSMITTER, Fields, Registry, Transmitter, facility_change, facility_find,
    facility_meet, field_next, field_number, fields_of, point_add, point_change, point_find, reading_begins,
    reading_ends, transmitter_change,
)
from engine.filter.telling cimport tell_alone, tell_losses
from engine.index cimport index_put, index_remove
from engine.words cimport (
    CHANGE_ACCEPT, CHANGE_ANSWER, CHANGE_CLOSE, CHANGE_FACILITY, CHANGE_POINT, CHANGE_READ, CHANGE_READING,
    CHANGE_RULES, CHANGE_TEST, CHANGE_TRANSMITTER, EVENT_CLEARED, EVENT_UPDATED, REASON_ACCEPTED,
    REASON_ANSWERED_FALSE, REASON_ANSWERED_TRUE, REASON_CLOSED, REASON_TEST_ENDED, REASON_UNACCEPTED,
    VERIFICATION_CONFIRMED, VERIFICATION_FALSE, VERIFICATION_TEST, VERIFICATION_UNCONFIRMED,
)

from engine.config import ConfigError
from engine.filter.rulebook import Rulebook
from engine.filter.test_modes import TestMode

cdef enum:
    US = 1000
    OVERDUE_MAX = 1000           # alarms that nobody accepted, told by name at once

cdef int64_t FOREVER_US = INT64_MAX // US


cdef void change_registry(Filter f, const Columns* c, uint32_t row) noexcept nogil:
    cdef uint32_t slot
    cdef uint64_t hash = look_ahead(&f.changes_ahead, &f.registry, c, row)
    cdef uint16_t kind = c.condition[row]
    if kind == CHANGE_FACILITY:
        facility_change(&f.registry, c, row)
    elif kind == CHANGE_TRANSMITTER:
        slot = transmitter_change(&f.registry, c, row, hash)
        if slot != NO_TRANSMITTER:
            places_paths(f, slot)
    elif kind == CHANGE_POINT:
        point_change(&f.registry, c, row, hash)
    elif kind == CHANGE_READING:
        reading_begins(&f.registry)
    elif kind == CHANGE_READ:
        reading_ends(&f.registry, c, row)
        if f.registry.misplaced:
            f.registry.misplaced = False
            for slot in range(f.registry.transmitters_used):
                places_paths(f, slot)


cdef int change(Filter f, const Columns* c, uint32_t row, uint64_t number) except -1:
    """Take over what a person changed. A change that cannot be read changes nothing; the interface has refused it."""
    cdef uint16_t kind = c.condition[row]
    if kind == CHANGE_TEST:
        change_test(f, c, row)
    elif kind == CHANGE_ANSWER or kind == CHANGE_ACCEPT or kind == CHANGE_CLOSE:
        change_alarm(f, c, row)
    elif kind == CHANGE_RULES:
        if not f.fixed_rules:
            try:
                rules = Rulebook.from_json(native_text(c, row))
            except ConfigError:
                return 0
            f.set_rules(rules)
    else:
        change_registry(f, c, row)
    return 0


cdef str native_text(const Columns* c, uint32_t row):
    cdef const char* start = <const char*>(c.arena + c.native[row].at)
    return start[:c.native[row].size].decode("utf-8", "replace")


cdef inline str part_text(const uint8_t* at, uint32_t size):
    return (<const char*>at)[:size].decode("utf-8", "replace")


cdef int change_test(Filter f, const Columns* c, uint32_t row) except -1:
    """Begin, prolong or end a test mode; the records say until when, for every signal to see."""
    cdef Fields fields = fields_of(c, row)
    cdef int64_t until_us = field_number(&fields), until_ns
    cdef const uint8_t* id
    cdef uint32_t size = field_next(&fields, &id), facility, point
    cdef const uint8_t* by
    cdef uint32_t by_size = field_next(&fields, &by)
    cdef const uint8_t* why
    cdef uint32_t why_size = field_next(&fields, &why)
    cdef Origin origin
    cdef Transmitter* transmitter
    if until_us < 0 or until_us > FOREVER_US:
        return 0
    key = "" if size else name_of_row(f, c, row, &origin)
    if size and facility_meet(&f.registry, id, size) == NO_FACILITY \
            or not size and (origin.transmitter == NO_TRANSMITTER or c.point[row].size > POINT_BYTES_MAX):
        return 0
    spot = "" if size else part_text(c.arena + c.point[row].at, c.point[row].size)
    mode = TestMode(part_text(id, size), key, spot, c.received_ns[row] // US, until_us, part_text(by, by_size),
                    part_text(why, why_size))
    if not f.test_modes.set(mode):
        return 0
    until_ns = until_us * US
    if size:
        facility = facility_meet(&f.registry, id, size)
        if facility != NO_FACILITY:
            f.registry.facilities[facility].test_until_ns = until_ns
    elif c.point[row].size == 0:
        f.registry.transmitters[origin.transmitter].test_until_ns = until_ns
    else:
        point = point_add(&f.registry, origin.transmitter, c.arena + c.point[row].at, c.point[row].size)
        if point != NO_POINT:
            transmitter = &f.registry.transmitters[origin.transmitter]
            transmitter.points_tested += f.registry.points[point].test_until_ns == 0 and until_ns != 0
            transmitter.points_tested -= f.registry.points[point].test_until_ns != 0 and until_ns == 0
            f.registry.points[point].test_until_ns = until_ns
    if until_us == 0:
        end_test(f, mode, max(f.time_ns, c.received_ns[row]))
    note_test_due(f)
    return 0


cdef str name_of_row(Filter f, const Columns* c, uint32_t row, Origin* origin):
    """The key of the transmitter that a row names."""
    origin_of(f, c, row, True, origin)
    return "" if origin.transmitter == NO_TRANSMITTER else name_text(&f.registry.transmitters[origin.transmitter].name)


cdef int note_test_due(Filter f) except -1:
    due_us = f.test_modes.next_end_us()
    f.test_due_ns = INT64_MAX if due_us is None else <int64_t>due_us * US
    return 0


cdef int change_alarm(Filter f, const Columns* c, uint32_t row) except -1:
    """What a person says of an alarm: true or false, taken over, ended."""
    cdef Fields fields = fields_of(c, row)
    cdef int64_t id = field_number(&fields)
    cdef uint16_t kind = c.condition[row]
    cdef const uint8_t* answer
    cdef uint32_t answer_size = field_next(&fields, &answer) if kind == CHANGE_ANSWER else 0
    cdef bint is_true = answer_size == 4 and memcmp(answer, b"true", 4) == 0
    cdef bint is_false = answer_size == 5 and memcmp(answer, b"false", 5) == 0
    cdef Part by, why
    cdef uint32_t slot = alarms_with(&f.alarms, id) if id > 0 else NO_SLOT
    cdef Alarm* alarm
    by.size = field_next(&fields, &by.at)
    why.size = field_next(&fields, &why.at)
    if slot == NO_SLOT:
        return 0
    alarm = &f.alarms.slots[slot]
    if kind == CHANGE_ACCEPT:
        if not alarm.accepted:
            alarm.accepted = True
            tell_alone(f, alarm, EVENT_UPDATED, REASON_ACCEPTED, c.received_ns[row], by, why)
    elif kind == CHANGE_CLOSE:
        if not alarm.ended:
            alarm_empty(&f.alarms, alarm)
            alarm.accepted = True
            acceptance_count(&f.alarms, alarm)
            tell_alone(f, alarm, EVENT_CLEARED, REASON_CLOSED, c.received_ns[row], by, why)
            finish(f, slot, place_hash(&f.alarms, &alarm.place))
        return 0
    elif is_true:
        alarm.answered, alarm.verification = ANSWER_TRUE, VERIFICATION_CONFIRMED
        set_priority(f, alarm)
        tell_alone(f, alarm, EVENT_UPDATED, REASON_ANSWERED_TRUE, c.received_ns[row], by, why)
        if not alarm.ended:
            await_acceptance(f, alarm, slot, c.received_ns[row])
    elif is_false:
        alarm.answered, alarm.verification = ANSWER_FALSE, VERIFICATION_FALSE
        set_priority(f, alarm)
        tell_alone(f, alarm, EVENT_UPDATED, REASON_ANSWERED_FALSE, c.received_ns[row], by, why)
    acceptance_count(&f.alarms, alarm)
    return 0


cdef int due(Filter f, int64_t now_ns, uint64_t number) except -1:
    """Do what a tick finds due. Time never goes back: a tick that lies behind the one before it finds nothing new."""
    cdef Awaited* first
    f.time_ns = max(f.time_ns, now_ns)
    while True:
        first = acceptance_first(&f.acceptance)
        if first == NULL or first.due_ns > f.time_ns:
            break
        f.acceptance.tail += 1
        miss_acceptance(f, first)
    if f.test_due_ns <= f.time_ns:
        for mode in f.test_modes.end_due(f.time_ns // US):
            end_test(f, mode, f.time_ns)
        note_test_due(f)
    tell_losses(f, f.time_ns, number)
    return 0


cdef int miss_acceptance(Filter f, const Awaited* awaited) except -1:
    """An alarm's time to be accepted is over: tell it once more, unless that is settled."""
    cdef Alarm* alarm = &f.alarms.slots[awaited.slot]
    cdef Part nobody
    memset(&nobody, 0, sizeof(nobody))
    nobody.at = alarm.place.text
    if alarm.id != awaited.alarm or alarm.turn != awaited.turn:
        return 0
    if alarm.awaited == AWAITED_NOW and not alarm.accepted \
            and alarm.verification not in (VERIFICATION_FALSE, VERIFICATION_TEST):
        alarm.awaited = AWAITED_IN_VAIN
        f.unaccepted_total += 1
        if len(f.overdue) < OVERDUE_MAX:
            f.overdue.append(alarm.id)
        tell_alone(f, alarm, EVENT_UPDATED, REASON_UNACCEPTED, f.time_ns, nobody, nobody)
    else:
        alarm.awaited = AWAITED_NOT          # called false meanwhile, which somebody may take back
    acceptance_count(&f.alarms, alarm)
    if alarm.ended:
        alarms_free(&f.alarms, awaited.slot)
    return 0


cdef bint is_still_tested(Filter f, const Alarm* alarm, int64_t now_ns) noexcept nogil:
    """Tell whether anything that an alarm holds is still in test mode."""
    cdef const Registry* r = &f.registry
    cdef uint32_t at = alarm.item, point
    cdef const Item* item
    if alarm.facility != NO_FACILITY and r.facilities[alarm.facility].test_until_ns > now_ns:
        return True
    while at != NO_SLOT:
        item = &f.alarms.items[at]
        if item.transmitter != NO_TRANSMITTER:
            if r.transmitters[item.transmitter].test_until_ns > now_ns:
                return True
            point = point_find(r, item.transmitter, item.point, item.point_size)
            if point != NO_POINT and r.points[point].test_until_ns > now_ns:
                return True
        at = item.next
    return False


cdef int end_test(Filter f, object mode, int64_t now_ns) except -1:
    """A test mode is over. What was raised in it and is still open may be true: it is told as any other from now on."""
    cdef Registry* r = &f.registry
    cdef Origin origin
    cdef uint32_t point
    cdef bytes text
    if not find_tested(f, mode, &origin):
        return 0
    if mode.facility:
        r.facilities[origin.facility].test_until_ns = 0
    elif mode.point:
        text = mode.point.encode()
        point = point_find(r, origin.transmitter, <const uint8_t*>(<char*>text), <uint32_t>len(text))
        if point != NO_POINT and r.points[point].test_until_ns:
            r.points[point].test_until_ns = 0
            r.transmitters[origin.transmitter].points_tested -= 1
    else:
        r.transmitters[origin.transmitter].test_until_ns = 0
    count_at(f, &origin, now_ns)
    if origin.transmitter == NO_TRANSMITTER:
        return 0
    if r.transmitters[origin.transmitter].former != NO_FACILITY:
        origin.facility = r.transmitters[origin.transmitter].former      # raised there, and moved since
        count_at(f, &origin, now_ns)
    origin.facility = NO_FACILITY                                        # raised before the registry named a facility
    count_at(f, &origin, now_ns)
    return 0


cdef void count_at(Filter f, const Origin* origin, int64_t now_ns) noexcept nogil:
    """Let what is open in the lane of tests at a place count from now on, unless it is still tested."""
    cdef Place place
    cdef uint64_t hash
    cdef uint32_t slot
    cdef Alarm* alarm
    cdef Part nobody
    if not place_for(f, origin, LANE_TEST, &place):
        return
    hash = place_hash(&f.alarms, &place)
    slot = alarms_find(&f.alarms, &place, hash)
    if slot == NO_SLOT or f.alarms.slots[slot].verification != VERIFICATION_TEST:
        return
    alarm = &f.alarms.slots[slot]
    if is_still_tested(f, alarm, now_ns):
        return
    place.lane = LANE_REAL
    if alarms_find(&f.alarms, &place, place_hash(&f.alarms, &place)) == NO_SLOT:
        index_remove(&f.alarms.index, hash, slot)
        alarm.place.lane = LANE_REAL
        index_put(&f.alarms.index, place_hash(&f.alarms, &alarm.place), slot)
    alarm.verification = VERIFICATION_UNCONFIRMED
    set_priority(f, alarm)
    memset(&nobody, 0, sizeof(nobody))
    nobody.at = alarm.place.text
    tell_alone(f, alarm, EVENT_UPDATED, REASON_TEST_ENDED, now_ns, nobody, nobody)
    await_acceptance(f, alarm, slot, now_ns)
    acceptance_count(&f.alarms, alarm)


cdef bint find_tested(Filter f, object mode, Origin* origin) except -1:
    """Find what a test mode is about; False when nobody knows it."""
    cdef bytes id
    memset(origin, 0, sizeof(Origin))
    origin.transmitter = NO_TRANSMITTER
    origin.facility = NO_FACILITY
    if mode.facility:
        id = mode.facility.encode()
        origin.facility = facility_find(&f.registry, <const uint8_t*>(<char*>id), <uint32_t>len(id))
        return origin.facility != NO_FACILITY
    origin.transmitter = transmitter_called(&f.registry, mode.transmitter, &origin.name)
    if origin.transmitter == NO_TRANSMITTER:
        return False
    origin.named = True
    origin.facility = f.registry.transmitters[origin.transmitter].facility
    return True
