"""Snapshots of the filter: what it remembers to bytes and back. The form stands in `snapshot.pxd`."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from codec.limits cimport POINT_BYTES_MAX
from engine.filter.acceptance cimport Awaited, acceptance_count, acceptance_push
from engine.filter.alarms cimport (
    ITEMS_PER_ALARM_MAX, NO_SLOT, Alarm, Alarms, Item, alarm_is_open, alarms_add, alarms_end,
    alarms_find, item_add, place_hash,
)
from engine.filter.losses_view cimport losses_load, losses_save
from engine.filter.place cimport LANE_TEST, PLACE_BYTES_MAX, Place
from engine.filter.registry cimport NO_FACILITY, NO_TRANSMITTER
from engine.filter.registry_saved cimport registry_load, registry_save
from engine.filter.rules cimport PRIORITY_LAST
from engine.filter.states cimport states_load, states_save

from engine.config import ConfigError
from engine.filter.rulebook import Rulebook

cdef enum:
    SECTIONS = 7
    SECTION_NAME_BYTES = 8

cdef packed struct SavedFilter:
    uint32_t version
    uint32_t sections
    uint64_t next_event
    uint64_t position
    int64_t time_ns

cdef packed struct SavedSection:
    char name[SECTION_NAME_BYTES]
    uint64_t size

cdef packed struct SavedAlarms:
    uint32_t ended
    uint32_t open
    uint32_t items
    uint32_t zero

cdef packed struct SavedAwaited:
    uint64_t place               # among the alarms of the snapshot
    int64_t due_ns

cdef packed struct SavedAlarm:
    uint64_t id
    uint64_t event
    int64_t opened_ns
    int64_t changed_ns
    uint32_t count
    uint32_t revision
    uint32_t facility
    uint32_t transmitter
    uint32_t detectors
    uint16_t items
    uint16_t unkept
    uint16_t unkept_words
    uint16_t condition
    uint16_t rule
    uint8_t signal_class
    uint8_t verification
    uint8_t priority
    uint8_t raised_twice
    int8_t shift
    uint8_t chatters
    uint8_t answered
    uint8_t accepted
    uint8_t awaited
    uint8_t protocol
    uint8_t account_size
    uint8_t realm_size
    uint8_t lane
    uint8_t zero

cdef packed struct SavedItem:
    uint64_t signal
    uint32_t transmitter
    uint32_t path
    uint32_t zone
    uint32_t since_s
    uint16_t condition
    uint8_t signal_class
    uint8_t point_size

cdef size_t ALARM_BYTES_MAX = sizeof(SavedAlarm) + PLACE_BYTES_MAX + ITEMS_PER_ALARM_MAX * (
    sizeof(SavedItem) + POINT_BYTES_MAX)


cdef uint8_t* write_alarm(uint8_t* out, const Alarms* a, const Alarm* alarm) noexcept nogil:
    """Write one alarm, at most ALARM_BYTES_MAX."""
    cdef SavedAlarm saved
    cdef SavedItem kept
    cdef const Item* item
    cdef uint32_t at = alarm.item, size = alarm.place.account_size + alarm.place.realm_size
    memset(&saved, 0, sizeof(saved))
    saved.id, saved.event = alarm.id, alarm.event
    saved.opened_ns, saved.changed_ns = alarm.opened_ns, alarm.changed_ns
    saved.count, saved.revision = alarm.count, alarm.revision
    saved.facility, saved.transmitter, saved.detectors = alarm.facility, alarm.transmitter, alarm.detectors
    saved.items, saved.unkept, saved.unkept_words = alarm.items, alarm.unkept, alarm.unkept_words
    saved.condition, saved.rule = alarm.condition, alarm.rule
    saved.signal_class, saved.verification = alarm.signal_class, alarm.verification
    saved.priority, saved.shift = alarm.priority, alarm.shift
    saved.raised_twice, saved.chatters = alarm.raised_twice, alarm.chatters
    saved.answered, saved.accepted, saved.awaited = alarm.answered, alarm.accepted, alarm.awaited
    saved.protocol, saved.lane = alarm.place.protocol, alarm.place.lane
    saved.account_size, saved.realm_size = alarm.place.account_size, alarm.place.realm_size
    memcpy(out, &saved, sizeof(saved))
    memcpy(out + sizeof(saved), alarm.place.text, size)
    out += sizeof(saved) + size
    while at != NO_SLOT:
        item = &a.items[at]
        kept.signal, kept.transmitter, kept.path = item.signal, item.transmitter, item.path
        kept.zone, kept.since_s, kept.condition = item.zone, item.since_s, item.condition
        kept.signal_class, kept.point_size = item.signal_class, item.point_size
        memcpy(out, &kept, sizeof(kept))
        memcpy(out + sizeof(kept), item.point, item.point_size)
        out += sizeof(kept) + item.point_size
        at = item.next
    return out


cdef list save_alarms(const Alarms* a, const uint32_t* order, uint32_t count):
    """Return the alarms in the slots that `order` names, as parts of at most a chunk and one alarm."""
    cdef SavedAlarms head
    cdef bytes chunk
    cdef uint8_t* start
    cdef uint8_t* out
    cdef uint32_t i = 0
    head.ended, head.open, head.items, head.zero = a.alarms_ended, a.alarms_open, a.items_open, 0
    parts = [<bytes>(<char*>&head)[:sizeof(head)]]
    while i < count:
        chunk = PyBytes_FromStringAndSize(NULL, SNAPSHOT_CHUNK_BYTES + ALARM_BYTES_MAX)
        start = out = <uint8_t*>PyBytes_AS_STRING(chunk)
        with nogil:
            while i < count and out - start < SNAPSHOT_CHUNK_BYTES:
                out = write_alarm(out, a, &a.slots[order[i]])
                i += 1
        parts.append(chunk[:out - start])
    return parts


cdef uint32_t order_alarms(const Alarms* a, uint32_t* order, uint32_t* place) noexcept nogil:
    """List the slots of ended alarms, in the order of ids, then those of the open ones; and where each stands there."""
    cdef uint32_t slot, count = 0, i, other
    for slot in range(a.slots_used):
        if a.slots[slot].ended:
            i = count
            while i and a.slots[order[i - 1]].id > a.slots[slot].id:     # nearly in order already
                order[i] = order[i - 1]
                i -= 1
            order[i] = slot
            count += 1
    slot = a.oldest
    while slot != NO_SLOT:
        order[count] = slot
        count += 1
        slot = a.slots[slot].newer
    for i in range(count):
        place[order[i]] = i
    return count


cdef list save_acceptance(Filter f, const uint32_t* place):
    cdef SavedAwaited saved
    cdef const Awaited* awaited
    cdef bytearray out = bytearray()
    cdef uint64_t i
    for i in range(f.acceptance.tail, f.acceptance.head):
        awaited = &f.acceptance.ring[i & (f.acceptance.room - 1)]
        if f.alarms.slots[awaited.slot].id == awaited.alarm and f.alarms.slots[awaited.slot].turn == awaited.turn:
            saved.place, saved.due_ns = place[awaited.slot], awaited.due_ns
            out += (<char*>&saved)[:sizeof(saved)]
    return [bytes(out)]


cdef int add_section(list parts, bytes name, list section) except -1:
    cdef SavedSection head
    memset(&head, 0, sizeof(head))
    memcpy(head.name, PyBytes_AS_STRING(name), len(name))
    head.size = sum(map(len, section))
    parts.append(<bytes>(<char*>&head)[:sizeof(head)])
    parts.extend(section)
    return 0


cdef list filter_save(Filter f):
    """Return the parts of a snapshot, each at most some 1 MiB long."""
    cdef SavedFilter head
    cdef uint32_t slots = f.alarms.slots_used + 1, count
    cdef uint32_t* order = <uint32_t*>calloc(slots, 4)
    cdef uint32_t* place = <uint32_t*>calloc(slots, 4)
    try:
        if order == NULL or place == NULL:
            raise MemoryError()
        count = order_alarms(&f.alarms, order, place)
        alarms = save_alarms(&f.alarms, order, count)
        awaited = save_acceptance(f, place)
    finally:
        free(order)
        free(place)
    head.version, head.sections = SNAPSHOT_VERSION, SECTIONS
    head.next_event, head.position, head.time_ns = f.next_event, f.position, f.time_ns
    parts = [<bytes>(<char*>&head)[:sizeof(head)]]
    add_section(parts, b"alarms", alarms)
    add_section(parts, b"accept", awaited)
    add_section(parts, b"registry", registry_save(&f.registry))
    add_section(parts, b"states", states_save(&f.states))
    add_section(parts, b"losses", losses_save(&f.losses))
    add_section(parts, b"rules", [f.rulebook.to_json().encode()])
    add_section(parts, b"tests", [f.test_modes.save()])
    return parts


cdef const uint8_t* read_items(Filter f, Alarm* alarm, uint32_t items, const uint8_t* at,
                               const uint8_t* end) noexcept nogil:
    """Read the items of one alarm; NULL when they are not sound."""
    cdef Alarms* a = &f.alarms
    cdef SavedItem kept
    cdef Item* item
    cdef uint32_t i, slot = NO_SLOT
    for i in range(items):
        if end - at < <int64_t>sizeof(kept):
            return NULL
        memcpy(&kept, at, sizeof(kept))
        at += sizeof(kept)
        if kept.point_size > POINT_BYTES_MAX or end - at < kept.point_size or kept.signal_class > 15 \
                or kept.transmitter != NO_TRANSMITTER and kept.transmitter >= f.registry.transmitters_used:
            return NULL
        slot = item_add(a, alarm, slot)
        if slot == NO_SLOT:
            return NULL
        item = &a.items[slot]
        item.signal, item.transmitter, item.path = kept.signal, kept.transmitter, kept.path
        item.zone, item.since_s, item.condition = kept.zone, kept.since_s, kept.condition
        item.signal_class, item.point_size = kept.signal_class, kept.point_size
        memcpy(item.point, at, kept.point_size)
        at += kept.point_size
    return at


cdef const uint8_t* read_alarm(Filter f, const uint8_t* at, const uint8_t* end, bint ended) noexcept nogil:
    """Read one alarm behind the others; NULL when it is not sound."""
    cdef Alarms* a = &f.alarms
    cdef SavedAlarm saved
    cdef Place place
    cdef uint64_t hash
    cdef uint32_t slot, size
    cdef Alarm* alarm
    if end - at < <int64_t>sizeof(saved):
        return NULL
    memcpy(&saved, at, sizeof(saved))
    at += sizeof(saved)
    size = saved.account_size + saved.realm_size
    if size > PLACE_BYTES_MAX or end - at < <int64_t>size:
        return NULL
    if saved.id == 0 or (a.newest != NO_SLOT and saved.id <= a.slots[a.newest].id):
        return NULL
    if saved.lane > LANE_TEST or not 1 <= saved.priority <= PRIORITY_LAST or saved.count == 0 \
            or saved.revision < saved.count or saved.detectors > saved.count or saved.signal_class > 15:
        return NULL
    if saved.facility != NO_FACILITY and saved.facility >= f.registry.facilities_used \
            or saved.transmitter != NO_TRANSMITTER and saved.transmitter >= f.registry.transmitters_used:
        return NULL
    memset(&place, 0, sizeof(place))
    place.protocol, place.lane = saved.protocol, saved.lane
    place.account_size, place.realm_size = saved.account_size, saved.realm_size
    memcpy(place.text, at, size)
    hash = place_hash(a, &place)
    if alarms_find(a, &place, hash) != NO_SLOT:
        return NULL
    slot = alarms_add(a, &place, hash)
    if slot == NO_SLOT:
        return NULL
    alarm = &a.slots[slot]
    alarm.id, alarm.event = saved.id, saved.event
    alarm.opened_ns, alarm.changed_ns = saved.opened_ns, saved.changed_ns
    alarm.count, alarm.revision = saved.count, saved.revision
    alarm.facility, alarm.transmitter, alarm.detectors = saved.facility, saved.transmitter, saved.detectors
    alarm.unkept, alarm.unkept_words = saved.unkept, saved.unkept_words
    alarm.condition, alarm.rule = saved.condition, saved.rule
    alarm.signal_class, alarm.verification = saved.signal_class, saved.verification
    alarm.priority, alarm.shift = saved.priority, saved.shift
    alarm.raised_twice, alarm.chatters = saved.raised_twice, saved.chatters
    alarm.answered, alarm.accepted, alarm.awaited = saved.answered, saved.accepted, saved.awaited
    acceptance_count(a, alarm)
    at = read_items(f, alarm, saved.items, at + size, end)
    if at == NULL or alarm_is_open(alarm) == ended:
        return NULL
    if ended:
        alarms_end(a, slot, hash)
    return at


cdef int load_alarms(Filter f, const unsigned char[::1] saved, size_t at, size_t size) except -1:
    cdef SavedAlarms head
    cdef const uint8_t* here = &saved[at]
    cdef const uint8_t* end = here + size
    cdef uint32_t i
    if size < sizeof(head):
        raise ValueError("filter snapshot: too short for its alarms")
    memcpy(&head, here, sizeof(head))
    here += sizeof(head)
    # Before tables are made for them: the bytes must be able to hold that many.
    if (<uint64_t>head.ended + head.open) * sizeof(SavedAlarm) + <uint64_t>head.items * sizeof(SavedItem) > size:
        raise ValueError("filter snapshot: too short for its alarms")
    f.make_alarms(head.ended + head.open, head.items)
    with nogil:
        for i in range(head.ended + head.open):
            here = read_alarm(f, here, end, i < head.ended)
            if here == NULL:
                break
    if here != end or f.alarms.items_open != head.items:
        raise ValueError("filter snapshot: its alarms are not sound")
    f.limit_alarms()
    return 0


cdef int load_acceptance(Filter f, const unsigned char[::1] saved, size_t at, size_t size) except -1:
    cdef SavedAwaited one
    cdef Awaited awaited
    cdef size_t end = at + size
    if size % sizeof(one):
        raise ValueError("filter snapshot: what is to be accepted is not sound")
    while at < end:
        memcpy(&one, &saved[at], sizeof(one))
        at += sizeof(one)
        if one.place >= f.alarms.slots_used:
            raise ValueError("filter snapshot: what is to be accepted is not sound")
        awaited.slot = <uint32_t>one.place       # a fresh table gives slots in the order of reading
        awaited.alarm = f.alarms.slots[one.place].id
        awaited.due_ns = one.due_ns
        awaited.turn = 0             # as that of every alarm that was read
        if not acceptance_push(&f.acceptance, &awaited):
            raise MemoryError()
    return 0


cdef int filter_load(Filter f, const unsigned char[::1] saved) except -1:
    """Fill a new filter. Raises ValueError; the filter is then of no use."""
    cdef SavedFilter head
    cdef SavedSection section
    cdef size_t at = sizeof(head), size = saved.shape[0]
    if size < sizeof(head):
        raise ValueError("filter snapshot: too short")
    memcpy(&head, &saved[0], sizeof(head))
    if head.next_event == 0:
        raise ValueError("filter snapshot: event 0 is none")
    if head.version != SNAPSHOT_VERSION:
        raise ValueError(f"filter snapshot: version {head.version}, this program reads {SNAPSHOT_VERSION}")
    sections = {}
    while at < size:
        if size - at < sizeof(section):
            raise ValueError("filter snapshot: too short for a section")
        memcpy(&section, &saved[at], sizeof(section))
        at += sizeof(section)
        if section.size > size - at:
            raise ValueError("filter snapshot: too short for a section")
        sections[(<bytes>section.name[:SECTION_NAME_BYTES]).rstrip(b"\0")] = (at, section.size)
        at += section.size
    if set(sections) != {b"alarms", b"accept", b"registry", b"states", b"losses", b"rules", b"tests"}:
        raise ValueError("filter snapshot: sections are missing")
    at, size = sections[b"registry"]
    if registry_load(&f.registry, saved, at) != <Py_ssize_t>(at + size):
        raise ValueError("filter snapshot: its registry is not sound")
    at, size = sections[b"alarms"]
    load_alarms(f, saved, at, size)
    at, size = sections[b"accept"]
    load_acceptance(f, saved, at, size)
    states_load(&f.states, part(saved, sections[b"states"]))
    losses_load(&f.losses, part(saved, sections[b"losses"]))
    try:
        f.set_rules(Rulebook.from_json(part(saved, sections[b"rules"]).decode()))
    except ConfigError as error:
        raise ValueError(f"filter snapshot: {error}") from None
    f.set_tests(part(saved, sections[b"tests"]))
    f.next_event, f.position, f.time_ns = head.next_event, head.position, head.time_ns
    return 0


cdef bytes part(const unsigned char[::1] saved, tuple section):
    at, size = section
    return bytes(saved[at:at + size])
