"""Judges one signal. What there is to say stands in `judging.pxd` and `rules.pxd`."""
from libc.stdint cimport UINT32_MAX, int8_t, uint8_t
from libc.string cimport memchr, memcmp, memset

from codec.batch cimport NO_PATH, Text
from codec.words cimport (
    CLASS_DISABLEMENT, CLASS_FIRE, CLASS_SUPERVISORY, CLASS_TEST, CONDITION_FIRE, CONDITION_SILENCED, FLAG_QUARANTINED,
    STATE_CLEARED, STATE_RAISED,
)
from engine.filter.acceptance cimport Awaited, acceptance_count, acceptance_push
from engine.filter.ahead cimport path_transmitter
from engine.filter.alarms cimport (
    ANSWER_NONE, AWAITED_NOT, AWAITED_NOW, KEPT_NEW, KEPT_OPEN, KEPT_OPEN_ELSEWHERE, KEPT_UNKEPT, NO_SLOT, Kept, Raised,
    alarm_is_open, alarm_keep, alarm_release, alarms_add, alarms_end, alarms_find, alarms_remove, place_hash,
)
from engine.filter.event cimport Said, said_of
from engine.filter.losses cimport losses_note, losses_place
from engine.filter.place cimport LANE_REAL, LANE_TEST, place_is, place_of, place_of_facility
from engine.filter.registry cimport (
    NO_FACILITY, NO_POINT, NO_TRANSMITTER, Facility, Transmitter, name_hash, path_joins, point_find, text_hash,
    transmitter_add, transmitter_find,
)
from engine.filter.rulebook cimport FIRST_BOOK_RULE, NO_KIND, SECOND_REPETITION, BookRule, book_match
from engine.filter.rules cimport (
    RULE_ALARM_CHOSEN, RULE_CANCEL, RULE_CANCEL_OF_ALARM, RULE_CLASS_OFF, RULE_LINE_FAULT, RULE_NO_ALARM_OPEN,
    RULE_RESTORE, RULE_UNTRACKED, class_urgency, is_late, is_off, priority_of, verification_rank,
)
from engine.filter.states cimport STATE_CHANGE_NONE, states_note_row, states_open
from engine.filter.telling cimport decide, tell, tell_row
from engine.filter.verify cimport SECOND_NS, coincides, flap_note
from engine.words cimport (
    EVENT_CLEARED, EVENT_RAISED, EVENT_UPDATED, REASON_AGAIN, REASON_ALARM, REASON_AT_ONCE, REASON_CANCELLED,
    REASON_CHATTER, REASON_CLASS_OFF, REASON_COINCIDENCE, REASON_DISABLED, REASON_MASS_LOSS, REASON_NO_ALARM_OPEN,
    REASON_RESTORE, REASON_SECOND_PATH, REASON_STATE, REASON_TEST, VERDICT_FORWARD, VERDICT_SUPPRESS,
    VERIFICATION_CONFIRMED, VERIFICATION_FALSE, VERIFICATION_LATE, VERIFICATION_NONE, VERIFICATION_TEST,
    VERIFICATION_UNCONFIRMED, WAY_AT_ONCE, WAY_COINCIDENCE, WAY_RULES,
)
from engine.own_rows cimport is_own_line_fault

cdef const char* EXPECTED = b" expected"     # ends the row of a path that stands for one that never spoke
cdef enum:
    EXPECTED_SIZE = 9
    DETECTORS_MANY = 3               # so many raise a fire by one step of priority

cdef struct Truth:                   # what one raised signal says of its alarm
    uint8_t  verification
    uint8_t  reason
    uint16_t rule
    uint16_t times                   # its point came so often lately; 0: not counted
    int8_t   shift
    Kept     kept


cdef void origin_of(Filter f, const Columns* c, uint32_t row, bint meet, Origin* origin) noexcept nogil:
    """Find who speaks in a row; `meet`: remember one who never spoke before, unless nobody knows its account."""
    cdef uint32_t owner = path_transmitter(&f.registry, c.path[row])
    origin.facility = NO_FACILITY
    origin.in_test = False
    if owner != NO_TRANSMITTER and place_is(&f.registry.transmitters[owner].name, c, row):
        origin.named = True              # fast path: neither name nor hash is made
        origin.transmitter = owner
    else:
        find_by_name(f, c, row, meet, origin)
    if origin.transmitter == NO_TRANSMITTER:
        return
    origin.facility = f.registry.transmitters[origin.transmitter].facility
    origin.in_test = is_tested(f, origin, c, row)


cdef void find_by_name(Filter f, const Columns* c, uint32_t row, bint meet, Origin* origin) noexcept nogil:
    cdef uint64_t hash
    origin.transmitter = NO_TRANSMITTER
    origin.named = place_of(&origin.name, c, row)
    if not origin.named:
        return
    hash = f.row_hash if f.row_hash != 0 else name_hash(&f.registry, &origin.name)
    origin.transmitter = transmitter_find(&f.registry, &origin.name, hash)
    if origin.transmitter == NO_TRANSMITTER and meet and not c.flags[row] & FLAG_QUARANTINED:
        origin.transmitter = transmitter_add(&f.registry, &origin.name, hash)


cdef bint is_tested(Filter f, const Origin* origin, const Columns* c, uint32_t row) noexcept nogil:
    """Tell whether a row comes from what is in test mode at the time of its receipt."""
    cdef const Transmitter* transmitter = &f.registry.transmitters[origin.transmitter]
    cdef uint32_t point
    if c.received_ns[row] < transmitter.test_until_ns:
        return True
    if origin.facility != NO_FACILITY and c.received_ns[row] < f.registry.facilities[origin.facility].test_until_ns:
        return True
    if transmitter.points_tested == 0:
        return False
    point = point_find(&f.registry, origin.transmitter, c.arena + c.point[row].at, c.point[row].size)
    return point != NO_POINT and c.received_ns[row] < f.registry.points[point].test_until_ns


cdef bint place_for(Filter f, const Origin* origin, Lane lane, Place* place) noexcept nogil:
    """The place of what somebody reports: its facility, or itself; False when it cannot be kept."""
    cdef const Facility* facility
    if origin.facility != NO_FACILITY:
        facility = &f.registry.facilities[origin.facility]
        place_of_facility(place, facility.id, facility.id_size, lane)
        return True
    place[0] = origin.name if origin.transmitter == NO_TRANSMITTER else f.registry.transmitters[origin.transmitter].name
    place.lane = lane
    return origin.named


cdef void raised_of(Filter f, const Columns* c, uint32_t row, uint64_t signal, const Origin* origin,
                    Raised* raised) noexcept nogil:
    """What a row raises or restores. Its zone is what the registry says, else its point without the last part."""
    cdef Text point = c.point[row]
    cdef uint32_t known = NO_POINT, size = point.size
    raised.point = c.arena + point.at
    raised.point_size = point.size
    raised.transmitter = origin.transmitter
    raised.path = c.path[row]
    raised.signal = signal
    raised.since_s = <uint32_t>min(max(c.received_ns[row] // SECOND_NS, 0), <int64_t>UINT32_MAX)
    raised.condition = c.condition[row]
    raised.signal_class = c.signal_class[row]
    raised.is_word = c.level[row] != 0
    if origin.transmitter != NO_TRANSMITTER:
        known = point_find(&f.registry, origin.transmitter, raised.point, point.size)
    if known != NO_POINT and f.registry.points[known].condition and raised.condition in (0, CONDITION_FIRE):
        raised.condition = f.registry.points[known].condition
    if known != NO_POINT and f.registry.points[known].zone_size:
        raised.zone = text_hash(f.registry.points[known].zone, f.registry.points[known].zone_size, 0)
        return
    while size and raised.point[size - 1] != c'/':
        size -= 1
    raised.zone = text_hash(raised.point, size if size else point.size, 0)


cdef int rule_for(Filter f, const Origin* origin, const Raised* raised, uint8_t* way) noexcept nogil:
    """Return the number of the rule that verifies what is raised, and the way in which."""
    cdef const Facility* facility = NULL
    cdef const BookRule* rule
    cdef int i
    cdef const uint8_t* none = <const uint8_t*>b""
    if origin.facility == NO_FACILITY:
        i = book_match(&f.book, raised.signal_class, raised.condition, NO_KIND, WAY_RULES, none, 0, none, 0, none, 0)
    else:
        facility = &f.registry.facilities[origin.facility]
        i = book_match(&f.book, raised.signal_class, raised.condition, facility.kind, facility.way,
                       facility.area, facility.province_size,
                       facility.area + facility.province_size + 1, facility.commune_size,
                       facility.area + facility.province_size + facility.commune_size + 2, facility.team_size)
    rule = &f.book.rules[i]
    way[0] = rule.way
    if way[0] == WAY_RULES and facility != NULL:
        way[0] = facility.way
    if way[0] == WAY_RULES:
        way[0] = WAY_COINCIDENCE
    return i


cdef void raises(Filter f, const Columns* c, uint32_t row, uint64_t signal, uint16_t rule) noexcept nogil:
    """A signal that makes an alarm: it opens one, updates the one of its place, or leaves without being kept."""
    cdef Origin origin
    cdef Raised raised
    cdef Place place
    cdef Alarm passing
    cdef Alarm* alarm = &passing
    cdef Said said
    cdef uint8_t type = EVENT_UPDATED
    cdef uint32_t slot = NO_SLOT
    cdef uint64_t hash
    cdef Lane lane
    cdef Truth truth
    cdef uint8_t before
    memset(&passing, 0, sizeof(passing))
    passing.item = NO_SLOT
    origin_of(f, c, row, True, &origin)
    raised_of(f, c, row, signal, &origin, &raised)
    lane = LANE_TEST if origin.in_test else LANE_REAL
    if place_for(f, &origin, lane, &place):
        hash = place_hash(&f.alarms, &place)
        slot = alarms_find(&f.alarms, &place, hash)
        if slot == NO_SLOT:
            slot = alarms_add(&f.alarms, &place, hash)
    if slot != NO_SLOT:
        alarm = &f.alarms.slots[slot]
    else:
        f.untracked += 1
    if alarm.id == 0:
        type = EVENT_RAISED
        alarm.id = signal
        alarm.opened_ns = c.received_ns[row]
        alarm.facility = origin.facility
        alarm.chatters = True
    truth.rule = rule
    judge_truth(f, c, row, &origin, &raised, alarm, slot != NO_SLOT, &truth)
    alarm.transmitter = origin.transmitter
    alarm.rule = truth.rule
    before = alarm.verification
    rise(f, alarm, &raised, &truth)
    decide(f, row, VERDICT_FORWARD, truth.reason, RULE_UNTRACKED if slot == NO_SLOT else truth.rule)
    said_of(&said, c, row)
    said.condition = raised.condition
    said.confirms = truth.reason == REASON_COINCIDENCE and before not in (VERIFICATION_NONE, alarm.verification)
    tell(f, &said, signal, type, truth.reason, truth.rule, alarm)
    if slot != NO_SLOT:
        await_acceptance(f, alarm, slot, c.received_ns[row])
        acceptance_count(&f.alarms, alarm)


cdef void judge_truth(Filter f, const Columns* c, uint32_t row, const Origin* origin, Raised* raised,
                      Alarm* alarm, bint keep, Truth* truth) noexcept nogil:
    """Say how true one raised signal makes its alarm, and why; remember it there, where there is room."""
    cdef const BookRule* rule = NULL
    cdef Transmitter* transmitter = NULL
    cdef bint sound = not origin.in_test and not is_late(c.flags[row]) and not c.flags[row] & FLAG_QUARANTINED
    cdef bint disabled = False
    cdef uint8_t way = WAY_RULES
    cdef int second = 0, i
    truth.kept = KEPT_NEW
    truth.times = 0
    truth.shift = 0
    if origin.transmitter != NO_TRANSMITTER:
        transmitter = &f.registry.transmitters[origin.transmitter]
        disabled = raised.point_size != 0 and states_open(&f.states, origin.transmitter, CLASS_DISABLEMENT,
                                                          raised.point, raised.point_size)
    if truth.rule != RULE_ALARM_CHOSEN:
        i = rule_for(f, origin, raised, &way)
        rule = &f.book.rules[i]
        truth.rule = <uint16_t>(FIRST_BOOK_RULE + i)
        truth.shift = rule.priority
    sound = sound and not disabled and rule != NULL
    if sound and way == WAY_COINCIDENCE and raised.signal_class == CLASS_FIRE:
        second = coincides(&f.alarms, alarm, transmitter, raised, rule.within_ns) & rule.seconds
    if not sound:
        raised.zone = 0
    if keep:
        truth.kept = alarm_keep(&f.alarms, alarm, raised)
    if truth.kept == KEPT_OPEN or truth.kept == KEPT_OPEN_ELSEWHERE:
        second &= ~SECOND_REPETITION         # a repetition is a coming after a restore, not a word said twice
    if sound and transmitter != NULL and (truth.kept == KEPT_NEW or truth.kept == KEPT_UNKEPT):
        truth.times = flap_note(transmitter, raised, f.book.chatter_within_ns)
    truth.verification = VERIFICATION_UNCONFIRMED
    truth.reason = REASON_ALARM
    if origin.in_test:
        truth.verification, truth.reason = VERIFICATION_TEST, REASON_TEST
    elif is_late(c.flags[row]):
        truth.verification = VERIFICATION_LATE
    elif disabled:
        truth.reason = REASON_DISABLED
    elif sound and way == WAY_AT_ONCE:
        truth.verification, truth.reason = VERIFICATION_CONFIRMED, REASON_AT_ONCE
    elif truth.times > 1 and truth.times >= f.book.chatter_times:
        truth.reason = REASON_CHATTER
    elif second:
        truth.verification, truth.reason = VERIFICATION_CONFIRMED, REASON_COINCIDENCE
    if truth.reason != REASON_TEST and truth.kept == KEPT_OPEN_ELSEWHERE:
        truth.reason = REASON_SECOND_PATH
    elif truth.reason != REASON_TEST and truth.kept == KEPT_OPEN:
        truth.reason = REASON_AGAIN


cdef void rise(Filter f, Alarm* alarm, const Raised* raised, const Truth* truth) noexcept nogil:
    """Let an alarm be as urgent and as true as its signals make it."""
    cdef bint first = alarm.count == 0
    alarm.count += 1
    if first or truth.kept == KEPT_NEW and truth.times <= 1:
        alarm.detectors += 1
    if alarm.verification == VERIFICATION_FALSE:
        if truth.kept == KEPT_NEW and truth.reason != REASON_CHATTER:
            # Somebody called it false, and now another detector speaks: that is to be looked at again.
            alarm.verification = truth.verification
            alarm.answered = ANSWER_NONE
            alarm.accepted = False
            alarm.awaited = AWAITED_NOT
    elif alarm.verification == VERIFICATION_NONE \
            or verification_rank(truth.verification) > verification_rank(alarm.verification):
        alarm.verification = truth.verification
    if first or class_urgency(raised.signal_class) < class_urgency(alarm.signal_class):
        alarm.signal_class = raised.signal_class
        alarm.condition = raised.condition
    alarm.shift = truth.shift if first else min(alarm.shift, truth.shift)
    if truth.kept != KEPT_OPEN and truth.kept != KEPT_OPEN_ELSEWHERE:
        alarm.chatters = alarm.chatters and truth.reason == REASON_CHATTER
    set_priority(f, alarm)


cdef void set_priority(Filter f, Alarm* alarm) noexcept nogil:
    cdef int shift = alarm.shift
    if alarm.chatters:
        shift += f.book.chatter_priority
    if alarm.detectors >= DETECTORS_MANY:
        shift -= 1
    alarm.priority = priority_of(alarm.signal_class, alarm.verification, shift)


cdef void await_acceptance(Filter f, Alarm* alarm, uint32_t slot, int64_t since_ns) noexcept nogil:
    """See to it that a fire that nobody accepts in time is told once more."""
    cdef Awaited awaited
    if alarm.awaited or alarm.accepted or alarm.signal_class != CLASS_FIRE or f.book.accept_within_ns == 0 \
            or alarm.verification == VERIFICATION_TEST or alarm.verification == VERIFICATION_FALSE:
        return
    alarm.turn += 1
    awaited.alarm = alarm.id
    awaited.due_ns = since_ns + f.book.accept_within_ns
    awaited.slot = slot
    awaited.turn = alarm.turn
    if acceptance_push(&f.acceptance, &awaited):
        alarm.awaited = AWAITED_NOW
    else:
        f.failed = True


cdef void finish(Filter f, uint32_t slot, uint64_t hash) noexcept nogil:
    """Take an alarm that holds nothing any more out; one that is still to be accepted stays until that is settled."""
    cdef const Alarm* alarm = &f.alarms.slots[slot]
    if alarm.awaited == AWAITED_NOW and not alarm.accepted and alarm.verification != VERIFICATION_FALSE:
        alarms_end(&f.alarms, slot, hash)
    else:
        alarms_remove(&f.alarms, slot, hash)


cdef void clears(Filter f, const Columns* c, uint32_t row, uint64_t signal) noexcept nogil:
    """A restore: it ends what fits, wherever its transmitter raised it, and each alarm with the last of it."""
    cdef Origin origin, elsewhere
    cdef Raised restored
    cdef bint found
    origin_of(f, c, row, True, &origin)
    raised_of(f, c, row, signal, &origin, &restored)
    found = clears_at(f, c, row, signal, &origin, &restored)
    if origin.transmitter != NO_TRANSMITTER and (not found or restored.point_size == 0):
        elsewhere = origin
        if f.registry.transmitters[origin.transmitter].former != NO_FACILITY:
            elsewhere.facility = f.registry.transmitters[origin.transmitter].former
            found |= clears_at(f, c, row, signal, &elsewhere, &restored)
        if origin.facility != NO_FACILITY:
            elsewhere.facility = NO_FACILITY           # raised before the registry said where it is
            found |= clears_at(f, c, row, signal, &elsewhere, &restored)
        if not found:
            elsewhere.facility = NO_FACILITY           # raised before anybody knew it
            restored.transmitter = NO_TRANSMITTER
            found = clears_at(f, c, row, signal, &elsewhere, &restored)
    if not found and is_off(f.book.security, f.book.medical, restored.signal_class):
        decide(f, row, VERDICT_SUPPRESS, REASON_CLASS_OFF, RULE_CLASS_OFF)
    elif not found:
        decide(f, row, VERDICT_SUPPRESS, REASON_NO_ALARM_OPEN, RULE_NO_ALARM_OPEN)
    else:
        decide(f, row, VERDICT_FORWARD, REASON_RESTORE, RULE_RESTORE)


cdef bint clears_at(Filter f, const Columns* c, uint32_t row, uint64_t signal, const Origin* origin,
                    const Raised* restored) noexcept nogil:
    """Release what a restore fits at one place, in both lanes, and tell so; False when it fits nothing there."""
    cdef Lane[2] lanes = [LANE_REAL, LANE_TEST]
    cdef Lane lane
    cdef Place place
    cdef uint64_t hash
    cdef uint32_t slot
    cdef Alarm* alarm
    cdef bint found = False
    for lane in lanes:
        if not place_for(f, origin, lane, &place):
            continue
        hash = place_hash(&f.alarms, &place)
        slot = alarms_find(&f.alarms, &place, hash)
        if slot == NO_SLOT or not alarm_release(&f.alarms, &f.alarms.slots[slot], restored):
            continue
        alarm = &f.alarms.slots[slot]
        alarm.transmitter = origin.transmitter
        found = True
        if alarm_is_open(alarm):
            tell_row(f, c, row, signal, EVENT_UPDATED, REASON_RESTORE, RULE_RESTORE, alarm)
        else:
            tell_row(f, c, row, signal, EVENT_CLEARED, REASON_RESTORE, RULE_RESTORE, alarm)
            finish(f, slot, hash)
    return found


cdef void cancels(Filter f, const Columns* c, uint32_t row, uint64_t signal) noexcept nogil:
    """A hand at the panel: told with the alarm that is open there, for a while; it ends nothing."""
    cdef Origin origin
    cdef Place place
    cdef uint32_t slot = NO_SLOT
    cdef Alarm* alarm
    origin_of(f, c, row, True, &origin)
    if c.condition[row] != CONDITION_SILENCED and place_for(f, &origin, LANE_REAL, &place):
        slot = alarms_find(&f.alarms, &place, place_hash(&f.alarms, &place))
    if slot != NO_SLOT and c.received_ns[row] - f.alarms.slots[slot].opened_ns <= f.book.cancel_within_ns:
        alarm = &f.alarms.slots[slot]
        alarm.transmitter = origin.transmitter
        decide(f, row, VERDICT_FORWARD, REASON_CANCELLED, RULE_CANCEL_OF_ALARM)
        tell_row(f, c, row, signal, EVENT_UPDATED, REASON_CANCELLED, RULE_CANCEL_OF_ALARM, alarm)
    else:
        decide(f, row, VERDICT_SUPPRESS, REASON_STATE, RULE_CANCEL)


cdef void notes_state(Filter f, const Columns* c, uint32_t row, uint64_t signal, uint16_t rule) noexcept nogil:
    """Faults and the like: the state of their transmitter, raised and cleared once each."""
    cdef Origin origin
    cdef uint8_t state = c.state[row]
    cdef bint lost = False, changed = True
    origin_of(f, c, row, True, &origin)
    if is_own_line_fault(c, row):
        rule = RULE_LINE_FAULT
        lost = losses_note(&f.losses, c.path[row], state == STATE_RAISED, c.received_ns[row], &f.loss_rules)
    if origin.transmitter != NO_TRANSMITTER and (state == STATE_RAISED or state == STATE_CLEARED) \
            and CLASS_SUPERVISORY <= c.signal_class[row] <= CLASS_TEST:
        changed = states_note_row(&f.states, origin.transmitter, c, row, signal) != STATE_CHANGE_NONE
    decide(f, row, VERDICT_SUPPRESS, REASON_AGAIN if not changed else REASON_MASS_LOSS if lost else REASON_STATE, rule)


cdef void meets_path(Filter f, const Columns* c, uint32_t row) noexcept nogil:
    """An enrolment: from now on the path is one that can be lost, with those of its area and its network."""
    cdef Origin origin
    cdef Text text = c.native[row]
    cdef const uint8_t* rest
    cdef const uint8_t* end = c.arena + text.at + text.size
    cdef const uint8_t* space
    if c.path[row] == NO_PATH:
        return
    origin_of(f, c, row, True, &origin)
    if origin.transmitter == NO_TRANSMITTER:
        return
    path_joins(&f.registry, c.path[row], origin.transmitter)
    rest = <const uint8_t*>memchr(c.arena + text.at, c'/', text.size)
    if rest == NULL:
        return
    rest += 1
    space = <const uint8_t*>memchr(rest, c' ', end - rest)
    if space != NULL and end - space > EXPECTED_SIZE and memcmp(end - EXPECTED_SIZE, EXPECTED, EXPECTED_SIZE) == 0:
        return                                         # it stands for one that never spoke, and cannot fall silent
    place_path(f, c.path[row], origin.transmitter, rest, <uint32_t>((end if space == NULL else space) - rest))


cdef void place_path(Filter f, uint32_t path, uint32_t transmitter, const uint8_t* way, uint32_t size) noexcept nogil:
    """Tell with which others a path can be lost; `way` is NULL where that is known already, or the path cannot be."""
    cdef const Transmitter* known = &f.registry.transmitters[transmitter]
    cdef const Facility* facility
    cdef const uint8_t* area = <const uint8_t*>b""
    cdef uint32_t area_size = 0
    if way == NULL and not f.losses.paths[path].flags:
        return
    if known.facility != NO_FACILITY:
        facility = &f.registry.facilities[known.facility]
        area = facility.area
        area_size = facility.province_size
    if f.registry.networks[transmitter].size:
        way = f.registry.networks[transmitter].text
        size = f.registry.networks[transmitter].size
    losses_place(&f.losses, path, area, area_size, way, size)


cdef void places_paths(Filter f, uint32_t transmitter) noexcept nogil:
    """Place all paths of a transmitter anew: its area or its network is another one."""
    cdef uint32_t path = f.registry.transmitters[transmitter].path
    while path != NO_PATH:
        place_path(f, path, transmitter, NULL, 0)
        path = f.registry.next_path[path]
