"""The table of open alarms and their items. The picture and the limits stand in `alarms.pxd`.

Rejected: a list of items that grows by realloc for each alarm (a heap call a signal, and nearly every alarm has one
item), and a second index by id (16 bytes an alarm for a lookup that people make by hand: a pass over 1,000,000 slots
takes some milliseconds).
"""
from libc.stdlib cimport calloc, free

from engine.filter.acceptance cimport alarm_is_unaccepted
from engine.filter.rules cimport PRIORITY_LAST
from engine.index cimport index_create, index_destroy, index_put, index_remove


cdef int alarms_create(Alarms* a, uint32_t alarms_max, uint32_t items_max, bytes hash_key) except -1:
    """Make an empty table; `hash_key` has 16 bytes. Raises MemoryError and then holds nothing."""
    cdef const uint8_t* key = hash_key
    memset(a, 0, sizeof(Alarms))
    memcpy(&a.key, key, sizeof(HashKey))
    a.alarms_max = alarms_max
    a.items_max = items_max
    a.free_slot = a.free_item = a.oldest = a.newest = NO_SLOT
    index_create(&a.index, alarms_max)
    a.slots = <Alarm*>calloc(<size_t>alarms_max + 1, sizeof(Alarm))
    a.items = <Item*>calloc(<size_t>items_max + 1, sizeof(Item))
    if a.slots == NULL or a.items == NULL:
        alarms_destroy(a)
        raise MemoryError()
    return 0


cdef void alarms_destroy(Alarms* a) noexcept:
    index_destroy(&a.index)
    free(a.slots)
    free(a.items)
    a.slots = NULL
    a.items = NULL


cdef uint32_t alarms_add(Alarms* a, const Place* place, uint64_t hash) noexcept nogil:
    """Give a place a fresh alarm, the newest; its other fields are 0. NO_SLOT when the table is full."""
    cdef uint32_t slot = a.free_slot
    cdef Alarm* alarm
    if a.alarms_open + a.alarms_ended >= a.alarms_max:     # beyond: a snapshot from a larger table
        return NO_SLOT
    if slot != NO_SLOT:
        a.free_slot = a.slots[slot].newer
    else:
        slot = a.slots_used
        a.slots_used += 1
    alarm = &a.slots[slot]
    memset(alarm, 0, sizeof(Alarm))
    alarm.place = place[0]
    alarm.item = NO_SLOT
    alarm.older = a.newest
    alarm.newer = NO_SLOT
    if a.newest == NO_SLOT:
        a.oldest = slot
    else:
        a.slots[a.newest].newer = slot
    a.newest = slot
    a.alarms_open += 1
    index_put(&a.index, hash, slot)
    return slot


cdef void alarms_take_out(Alarms* a, uint32_t slot, uint64_t hash) noexcept nogil:
    """Take an alarm out of index and order."""
    cdef Alarm* alarm = &a.slots[slot]
    index_remove(&a.index, hash, slot)
    if alarm.older == NO_SLOT:
        a.oldest = alarm.newer
    else:
        a.slots[alarm.older].newer = alarm.newer
    if alarm.newer == NO_SLOT:
        a.newest = alarm.older
    else:
        a.slots[alarm.newer].older = alarm.older
    a.alarms_open -= 1


cdef void alarms_remove(Alarms* a, uint32_t slot, uint64_t hash) noexcept nogil:
    """Free an alarm that has no items."""
    alarms_take_out(a, slot, hash)
    a.unaccepted -= a.slots[slot].unaccepted
    a.slots[slot].id = 0
    a.slots[slot].newer = a.free_slot
    a.free_slot = slot


cdef void alarms_end(Alarms* a, uint32_t slot, uint64_t hash) noexcept nogil:
    """End an alarm that has no items and is still to be accepted: alarms_free gives its slot back."""
    alarms_take_out(a, slot, hash)
    a.slots[slot].ended = True
    a.slots[slot].older = a.slots[slot].newer = NO_SLOT
    a.alarms_ended += 1


cdef void alarms_free(Alarms* a, uint32_t slot) noexcept nogil:
    """Give the slot of an ended alarm back."""
    a.unaccepted -= a.slots[slot].unaccepted
    a.slots[slot].id = 0
    a.slots[slot].ended = False
    a.slots[slot].newer = a.free_slot
    a.free_slot = slot
    a.alarms_ended -= 1


cdef uint32_t alarms_seek(const Alarms* a, uint64_t id) noexcept nogil:
    """The open alarm with the smallest id that is at least `id`, or NO_SLOT. One pass over the slots."""
    cdef uint32_t slot, found = NO_SLOT
    for slot in range(a.slots_used):
        if a.slots[slot].id >= id and a.slots[slot].id != 0 and not a.slots[slot].ended:
            if found == NO_SLOT or a.slots[slot].id < a.slots[found].id:
                found = slot
    return found


cdef uint32_t alarms_with(const Alarms* a, uint64_t id) noexcept nogil:
    """The alarm with an id, open or ended, or NO_SLOT. One pass over the slots."""
    cdef uint32_t slot
    for slot in range(a.slots_used):
        if a.slots[slot].id == id and id != 0:
            return slot
    return NO_SLOT


cdef uint32_t item_add(Alarms* a, Alarm* alarm, uint32_t last) noexcept nogil:
    """Hang an empty item behind `last` (NO_SLOT: as the first). NO_SLOT when there is no room for it."""
    cdef uint32_t at = a.free_item
    if alarm.items == ITEMS_PER_ALARM_MAX or a.items_open >= a.items_max:
        return NO_SLOT
    if at != NO_SLOT:
        a.free_item = a.items[at].next
    else:
        at = a.items_used
        a.items_used += 1
    memset(&a.items[at], 0, sizeof(Item))
    a.items[at].next = NO_SLOT
    if last == NO_SLOT:
        alarm.item = at
    else:
        a.items[last].next = at
    alarm.items += 1
    a.items_open += 1
    return at


cdef inline uint32_t point_kept(uint32_t point_size) noexcept nogil:
    # Decoders cut points at this length already; a longer one is told from others by its beginning.
    return point_size if point_size < POINT_BYTES_MAX else POINT_BYTES_MAX


cdef inline bint is_kind(const Item* item, const Raised* raised) noexcept nogil:
    return item.signal_class == raised.signal_class and item.transmitter == raised.transmitter


cdef inline bint item_is(const Item* item, const Raised* raised) noexcept nogil:
    cdef uint32_t point_size = point_kept(raised.point_size)
    return is_kind(item, raised) and item.point_size == point_size \
        and memcmp(item.point, raised.point, point_size) == 0


cdef Kept alarm_keep(Alarms* a, Alarm* alarm, const Raised* raised) noexcept nogil:
    """Remember that something is open; where there is no room, mark its class, or count it when a word raised it."""
    cdef uint32_t at = alarm.item, last = NO_SLOT
    cdef Item* item
    while at != NO_SLOT:
        if item_is(&a.items[at], raised):
            alarm.raised_twice |= raised.is_word
            if a.items[at].zone == 0:              # said again, and now to be believed: it counts from here on
                a.items[at].zone = raised.zone
                a.items[at].since_s = raised.since_s
            return KEPT_OPEN if a.items[at].path == raised.path else KEPT_OPEN_ELSEWHERE
        last = at
        at = a.items[at].next
    at = item_add(a, alarm, last)
    if at == NO_SLOT:
        if not raised.is_word:
            alarm.unkept |= <uint16_t>(1 << raised.signal_class)
        elif alarm.unkept_words < UNKEPT_WORDS_MAX:
            alarm.unkept_words += 1
        return KEPT_UNKEPT
    item = &a.items[at]
    item.signal = raised.signal
    item.transmitter = raised.transmitter
    item.path = raised.path
    item.zone = raised.zone
    item.since_s = raised.since_s
    item.condition = raised.condition
    item.signal_class = raised.signal_class
    item.point_size = <uint8_t>point_kept(raised.point_size)
    memcpy(item.point, raised.point, item.point_size)
    return KEPT_NEW


cdef void item_free(Alarms* a, Alarm* alarm, uint32_t at) noexcept nogil:
    a.items[at].next = a.free_item
    a.free_item = at
    alarm.items -= 1
    a.items_open -= 1


cdef bint alarm_release(Alarms* a, Alarm* alarm, const Raised* restored) noexcept nogil:
    """Forget what a restore clears: the item of its class and point; without a point, all of its class and transmitter.

    Returns  False when it fits nothing that is open. A point that no item has fits when its class is marked as open
             without items: it may be one of those, so the restore is told, but only one without a point ends the mark.
             One from a status word, without an item, ends one that was counted.
    """
    cdef uint32_t at = alarm.item, last = NO_SLOT, next
    cdef uint16_t mark = <uint16_t>(1 << restored.signal_class)
    cdef uint16_t items = alarm.items
    cdef bint found = alarm.unkept & mark
    while at != NO_SLOT:
        next = a.items[at].next
        if item_is(&a.items[at], restored) or restored.point_size == 0 and is_kind(&a.items[at], restored):
            found = True
            if last == NO_SLOT:
                alarm.item = next
            else:
                a.items[last].next = next
            item_free(a, alarm, at)
        else:
            last = at
        at = next
    if restored.point_size == 0:
        alarm.unkept &= <uint16_t>~mark
    if restored.is_word and alarm.items == items and alarm.unkept_words:
        if alarm.unkept_words < UNKEPT_WORDS_MAX and not alarm.raised_twice:
            alarm.unkept_words -= 1
        found = True
    return found


cdef void alarm_empty(Alarms* a, Alarm* alarm) noexcept nogil:
    """Forget all that an alarm holds: a person has ended it."""
    cdef uint32_t at = alarm.item, next
    while at != NO_SLOT:
        next = a.items[at].next
        item_free(a, alarm, at)
        at = next
    alarm.item = NO_SLOT
    alarm.unkept = alarm.unkept_words = 0


cdef int alarms_check(const Alarms* a) except -1:
    """Raise AssertionError unless lists, counts and index agree."""
    cdef uint32_t slot = a.oldest, older = NO_SLOT, item, items, alarms = 0, items_all = 0, ended = 0
    cdef uint32_t unaccepted = 0
    cdef uint64_t id = 0
    cdef const Alarm* alarm
    while slot != NO_SLOT:
        alarm = &a.slots[slot]
        assert alarm.id > id
        assert alarm.older == older
        assert alarm_is_open(alarm)
        assert 1 <= alarm.priority <= PRIORITY_LAST
        assert not alarm.ended
        assert alarm.count >= 1
        assert alarm.revision >= alarm.count
        assert alarm.detectors <= alarm.count
        assert alarms_find(a, &alarm.place, place_hash(a, &alarm.place)) == slot
        items = 0
        item = alarm.item
        while item != NO_SLOT:
            assert items < ITEMS_PER_ALARM_MAX
            items += 1
            item = a.items[item].next
        assert items == alarm.items
        items_all += items
        alarms += 1
        id = alarm.id
        older = slot
        slot = alarm.newer
    assert older == a.newest
    assert alarms == a.alarms_open
    assert alarms == a.index.count
    assert items_all == a.items_open
    for slot in range(a.slots_used):
        if a.slots[slot].id != 0:
            assert a.slots[slot].unaccepted == alarm_is_unaccepted(&a.slots[slot])
            unaccepted += a.slots[slot].unaccepted
        if a.slots[slot].ended:
            assert a.slots[slot].id != 0
            assert a.slots[slot].items == 0
            ended += 1
    assert ended == a.alarms_ended
    assert unaccepted == a.unaccepted
    alarms += ended
    slot = a.free_slot
    while slot != NO_SLOT:
        assert a.slots[slot].id == 0
        alarms += 1
        slot = a.slots[slot].newer
    assert alarms == a.slots_used
    item = a.free_item
    while item != NO_SLOT:
        items_all += 1
        item = a.items[item].next
    assert items_all == a.items_used
    return 0
