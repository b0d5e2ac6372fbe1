"""Snapshots of the filter: the table of open alarms to bytes and back. The form stands in `snapshot.pxd`."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t
from libc.string cimport memcpy, memset

from codec.limits cimport POINT_BYTES_MAX
from engine.filter.alarms cimport (
    ITEMS_PER_ALARM_MAX, NO_SLOT, PLACE_BYTES_MAX, Alarm, Item, Place, alarm_is_open, alarms_add, alarms_find,
    item_add, place_hash,
)

cdef enum:
    ALARM_BYTES_MAX = SAVED_ALARM_BYTES + PLACE_BYTES_MAX + ITEMS_PER_ALARM_MAX * (SAVED_ITEM_BYTES + POINT_BYTES_MAX)

cdef packed struct SavedAlarm:
    uint64_t id
    uint64_t event
    int64_t opened_ns
    int64_t changed_ns
    uint32_t count
    uint32_t revision
    uint16_t items
    uint16_t unkept
    uint16_t condition
    uint8_t signal_class
    uint8_t verification
    uint8_t priority
    uint8_t protocol
    uint8_t account_size
    uint8_t realm_size
    uint16_t unkept_words
    uint8_t raised_twice
    uint8_t zero[9]

cdef packed struct SavedItem:
    uint64_t signal
    uint16_t condition
    uint8_t signal_class
    uint8_t point_size

assert sizeof(SavedAlarm) == SAVED_ALARM_BYTES
assert sizeof(SavedItem) == SAVED_ITEM_BYTES
assert sizeof(Saved) == SNAPSHOT_HEADER_BYTES


cdef uint8_t* write_alarm(uint8_t* out, const Alarms* a, const Alarm* alarm) noexcept nogil:
    """Write one alarm, at most ALARM_BYTES_MAX."""
    cdef SavedAlarm saved
    cdef SavedItem kept
    cdef const Item* item
    cdef uint32_t at = alarm.item, size = alarm.place.account_size + alarm.place.realm_size
    memset(&saved, 0, sizeof(saved))
    saved.id = alarm.id
    saved.event = alarm.event
    saved.opened_ns = alarm.opened_ns
    saved.changed_ns = alarm.changed_ns
    saved.count = alarm.count
    saved.revision = alarm.revision
    saved.items = alarm.items
    saved.unkept = alarm.unkept
    saved.unkept_words = alarm.unkept_words
    saved.raised_twice = alarm.raised_twice
    saved.condition = alarm.condition
    saved.signal_class = alarm.signal_class
    saved.verification = alarm.verification
    saved.priority = alarm.priority
    saved.protocol = alarm.place.protocol
    saved.account_size = alarm.place.account_size
    saved.realm_size = alarm.place.realm_size
    memcpy(out, &saved, sizeof(saved))
    memcpy(out + sizeof(saved), alarm.place.text, size)
    out += sizeof(saved) + size
    while at != NO_SLOT:
        item = &a.items[at]
        kept.signal = item.signal
        kept.condition = item.condition
        kept.signal_class = item.signal_class
        kept.point_size = item.point_size
        memcpy(out, &kept, sizeof(kept))
        memcpy(out + sizeof(kept), item.point, item.point_size)
        out += sizeof(kept) + item.point_size
        at = item.next
    return out


cdef list snapshot_save(const Alarms* alarms, uint64_t next_event, uint64_t position):
    """Return the parts of a snapshot, each at most a chunk and one alarm long."""
    cdef uint32_t slot = alarms.oldest
    cdef Saved header
    cdef bytes chunk
    cdef uint8_t* start
    cdef uint8_t* out
    memset(&header, 0, sizeof(header))
    header.version = SNAPSHOT_VERSION
    header.alarms = alarms.alarms_open
    header.items = alarms.items_open
    header.next_event = next_event
    header.position = position
    parts = [<bytes>(<char*>&header)[:sizeof(header)]]
    while slot != NO_SLOT:
        chunk = PyBytes_FromStringAndSize(NULL, SNAPSHOT_CHUNK_BYTES + ALARM_BYTES_MAX)
        start = out = <uint8_t*>PyBytes_AS_STRING(chunk)
        with nogil:
            while slot != NO_SLOT and out - start < SNAPSHOT_CHUNK_BYTES:
                out = write_alarm(out, alarms, &alarms.slots[slot])
                slot = alarms.slots[slot].newer
        parts.append(chunk[:out - start])
    return parts


cdef Saved snapshot_header(bytes saved) except *:
    """Read the header. Raises ValueError when it is none, or of another version."""
    cdef Saved header
    if len(saved) < SNAPSHOT_HEADER_BYTES:
        raise ValueError("filter snapshot: too short")
    memcpy(&header, PyBytes_AS_STRING(saved), sizeof(header))
    if header.version != SNAPSHOT_VERSION:
        raise ValueError(f"filter snapshot: version {header.version}, this program reads {SNAPSHOT_VERSION}")
    # Before tables are made for them: the bytes must be able to hold that many.
    if (<uint64_t>header.alarms * SAVED_ALARM_BYTES + <uint64_t>header.items * SAVED_ITEM_BYTES
            + SNAPSHOT_HEADER_BYTES > <uint64_t>len(saved)):
        raise ValueError("filter snapshot: too short for its alarms")
    return header


cdef const uint8_t* read_items(Alarms* a, Alarm* alarm, uint32_t items, const uint8_t* at,
                               const uint8_t* end) noexcept nogil:
    """Read the items of one alarm; NULL when they are not sound."""
    cdef SavedItem kept
    cdef uint32_t i, slot = NO_SLOT
    for i in range(items):
        if end - at < <int64_t>sizeof(kept):
            return NULL
        memcpy(&kept, at, sizeof(kept))
        at += sizeof(kept)
        if kept.point_size > POINT_BYTES_MAX or end - at < kept.point_size:
            return NULL
        slot = item_add(a, alarm, slot)
        if slot == NO_SLOT:
            return NULL
        a.items[slot].signal = kept.signal
        a.items[slot].condition = kept.condition
        a.items[slot].signal_class = kept.signal_class
        a.items[slot].point_size = kept.point_size
        memcpy(a.items[slot].point, at, kept.point_size)
        at += kept.point_size
    return at


cdef const uint8_t* read_alarm(Alarms* a, const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Read one alarm behind the others; NULL when it is not sound."""
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
    memset(&place, 0, sizeof(place))
    place.protocol = saved.protocol
    place.account_size = saved.account_size
    place.realm_size = saved.realm_size
    memcpy(place.text, at, size)
    hash = place_hash(a, &place)
    if alarms_find(a, &place, hash) != NO_SLOT:
        return NULL
    slot = alarms_add(a, &place, hash)
    if slot == NO_SLOT:
        return NULL
    alarm = &a.slots[slot]
    alarm.id = saved.id
    alarm.event = saved.event
    alarm.opened_ns = saved.opened_ns
    alarm.changed_ns = saved.changed_ns
    alarm.count = saved.count
    alarm.revision = saved.revision
    alarm.unkept = saved.unkept
    alarm.unkept_words = saved.unkept_words
    alarm.raised_twice = saved.raised_twice
    alarm.condition = saved.condition
    alarm.signal_class = saved.signal_class
    alarm.verification = saved.verification
    alarm.priority = saved.priority
    at = read_items(a, alarm, saved.items, at + size, end)
    return at if alarm_is_open(alarm) else NULL


cdef int snapshot_load(Alarms* alarms, bytes saved) except -1:
    """Fill an empty table that has room for what the header says. Raises ValueError; the table is then of no use."""
    cdef Saved header = snapshot_header(saved)
    cdef const uint8_t* start = <const uint8_t*>PyBytes_AS_STRING(saved)
    cdef const uint8_t* end = start + len(saved)
    cdef const uint8_t* at = start + SNAPSHOT_HEADER_BYTES
    cdef uint32_t i
    with nogil:
        for i in range(header.alarms):
            at = read_alarm(alarms, at, end)
            if at == NULL:
                break
    if at != end or alarms.items_open != header.items:
        raise ValueError("filter snapshot: its alarms are not sound")
    return 0
