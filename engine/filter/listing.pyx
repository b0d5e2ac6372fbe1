"""Alarms and transmitters as people see them. What there is stands in `listing.pxd`."""
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy, memset

from codec.json_text cimport JSON_TIME_BYTES, json_time
from engine.filter.alarms cimport ANSWER_FALSE, ANSWER_TRUE, NO_SLOT, Item
from engine.filter.place cimport PLACE_BYTES_MAX
from engine.filter.registry cimport NO_FACILITY, NO_TRANSMITTER, Facility, name_hash, transmitter_find

from codec.words import CLASS_TEXT, CONDITION_TEXT, PROTOCOL_NUMBER, PROTOCOL_TEXT
from engine.words import KIND_TEXT, VERIFICATION_TEXT, WAY_TEXT


cdef str text_of(const uint8_t* at, uint32_t size):
    return (<const char*>at)[:size].decode("utf-8", "replace")


cdef str time_text(int64_t ns):
    cdef uint8_t[JSON_TIME_BYTES] out
    json_time(out, ns)
    return (<bytes>(<char*>out)[1:JSON_TIME_BYTES - 1]).decode()


cdef str name_text(const Place* name):
    """The key of a transmitter, `dc09:0123@north`."""
    account = text_of(name.text, name.account_size)
    realm = text_of(name.text + name.account_size, name.realm_size)
    key = f"{PROTOCOL_TEXT.get(name.protocol, 'unknown')}:{account}"
    return f"{key}@{realm}" if realm else key


cdef uint32_t transmitter_called(const Registry* r, str key, Place* name):
    """Find a transmitter by its key, small letters taken for capitals where nobody has them, and fill its name.

    Returns  NO_TRANSMITTER when nobody is called so
    """
    protocol, _, rest = key.partition(":")
    account, _, realm = rest.partition("@")
    cdef uint32_t slot = transmitter_named(r, protocol, account, realm, name)
    return slot if slot != NO_TRANSMITTER else transmitter_named(r, protocol, account.upper(), realm, name)


cdef uint32_t transmitter_named(const Registry* r, str protocol, str account, str realm, Place* name):
    cdef bytes raw_account = account.encode(), raw_realm = realm.encode()
    if protocol not in PROTOCOL_NUMBER or len(raw_account) + len(raw_realm) > PLACE_BYTES_MAX:
        return NO_TRANSMITTER
    memset(name, 0, sizeof(Place))
    name.protocol = PROTOCOL_NUMBER[protocol]
    name.account_size = <uint8_t>len(raw_account)
    name.realm_size = <uint8_t>len(raw_realm)
    memcpy(name.text, <const char*>raw_account, len(raw_account))
    memcpy(name.text + name.account_size, <const char*>raw_realm, len(raw_realm))
    return transmitter_find(r, name, name_hash(r, name))


cdef dict facility_row(const Registry* r, uint32_t slot):
    """What events say of a facility, and how the filter judges its signals."""
    cdef const Facility* facility
    if slot == NO_FACILITY:
        return {"facility": None, "facility_name": None, "area": None}
    facility = &r.facilities[slot]
    return {"facility": text_of(facility.id, facility.id_size),
            "facility_name": text_of(facility.name, facility.name_size) or None,
            "area": text_of(facility.area, facility.area_size) or None,
            "facility_kind": KIND_TEXT[facility.kind], "facility_verification": WAY_TEXT[facility.way]}


cdef list item_rows(const Alarms* a, const Registry* r, const Alarm* alarm):
    cdef uint32_t at = alarm.item
    cdef const Item* item
    items = []
    while at != NO_SLOT:
        item = &a.items[at]
        known = item.transmitter != NO_TRANSMITTER
        items.append({
            "signal_id": str(item.signal), "class": CLASS_TEXT.get(item.signal_class, "unknown"),
            "condition": CONDITION_TEXT.get(item.condition, "unknown"), "point": text_of(item.point, item.point_size),
            "transmitter": name_text(&r.transmitters[item.transmitter].name) if known else None,
            "since": time_text(<int64_t>item.since_s * 1000000000)})
        at = item.next
    return items


cdef dict alarm_row(const Alarms* a, const Registry* r, const Alarm* alarm):
    """One alarm, ready for JSON."""
    cdef const Place* name = &alarm.place
    if alarm.transmitter != NO_TRANSMITTER:
        name = &r.transmitters[alarm.transmitter].name
    account = text_of(name.text, name.account_size) if name.protocol else ""
    realm = text_of(name.text + name.account_size, name.realm_size)
    answered = {ANSWER_TRUE: True, ANSWER_FALSE: False}
    return {
        "alarm_id": str(alarm.id), "event_id": str(alarm.event), "state": "cleared" if alarm.ended else "raised",
        "transmitter": name_text(name), "protocol": PROTOCOL_TEXT.get(name.protocol, "unknown"), "account": account,
        "realm": realm, **facility_row(r, alarm.facility),
        "class": CLASS_TEXT.get(alarm.signal_class, "unknown"),
        "condition": CONDITION_TEXT.get(alarm.condition, "unknown"),
        "verification": VERIFICATION_TEXT.get(alarm.verification, "unknown"), "answered": answered.get(alarm.answered),
        "priority": alarm.priority, "detectors": alarm.detectors, "chatters": bool(alarm.chatters),
        "accepted": bool(alarm.accepted), "revision": alarm.revision, "count": alarm.count,
        "first_received_at": time_text(alarm.opened_ns), "received_at": time_text(alarm.changed_ns),
        "open": item_rows(a, r, alarm),
        "open_beyond": [text for number, text in CLASS_TEXT.items() if alarm.unkept >> number & 1
                        or alarm.unkept_words and number == alarm.signal_class],
    }
