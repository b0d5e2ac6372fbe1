"""The table of open alarms and their items. The picture and the limits stand in `alarms.pxd`.

Rejected: a list of items that grows by realloc for each alarm (a heap call a signal, and nearly every alarm has one
item), and a second index by id (16 bytes an alarm for a lookup that people make by hand: a pass over 1,000,000 slots
takes some milliseconds).
"""
from libc.stdlib cimport calloc, free

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
    if a.alarms_open >= a.alarms_max:      # beyond: a snapshot from a larger table
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


cdef void alarms_remove(Alarms* a, uint32_t slot, uint64_t hash) noexcept nogil:
    """Free an alarm that has no items."""
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
    alarm.id = 0
    alarm.newer = a.free_slot
    a.free_slot = slot
    a.alarms_open -= 1


cdef uint32_t alarms_seek(const Alarms* a, uint64_t id) noexcept nogil:
    """The open alarm with the smallest id that is at least `id`, or NO_SLOT. One pass over the slots."""
    cdef uint32_t slot, found = NO_SLOT
    for slot in range(a.slots_used):
        if a.slots[slot].id != 0 and a.slots[slot].id >= id:
            if found == NO_SLOT or a.slots[slot].id < a.slots[found].id:
                found = slot
    return found


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


cdef inline bint item_is(const Item* item, uint8_t signal_class, const uint8_t* point,
                         uint32_t point_size) noexcept nogil:
    return item.signal_class == signal_class and item.point_size == point_size \
        and memcmp(item.point, point, point_size) == 0


cdef inline uint32_t point_kept(uint32_t point_size) noexcept nogil:
    # Decoders cut points at this length already; a longer one is told from others by its beginning.
    return point_size if point_size < POINT_BYTES_MAX else POINT_BYTES_MAX


cdef bint alarm_keep(Alarms* a, Alarm* alarm, uint8_t signal_class, uint16_t condition, const uint8_t* point,
                     uint32_t point_size, uint64_t signal, bint is_word) noexcept nogil:
    """Remember that something is open. Return False when it was open already, or marks its class for want of room.

    is_word   it came from a status word: without room it is counted, not marked
    """
    cdef uint32_t at = alarm.item, last = NO_SLOT
    cdef Item* item
    point_size = point_kept(point_size)
    while at != NO_SLOT:
        if item_is(&a.items[at], signal_class, point, point_size):
            alarm.raised_twice |= is_word
            return False
        last = at
        at = a.items[at].next
    at = item_add(a, alarm, last)
    if at == NO_SLOT:
        if not is_word:
            alarm.unkept |= <uint16_t>(1 << signal_class)
        elif alarm.unkept_words < UNKEPT_WORDS_MAX:
            alarm.unkept_words += 1
        return False
    item = &a.items[at]
    item.signal = signal
    item.condition = condition
    item.signal_class = signal_class
    item.point_size = <uint8_t>point_size
    memcpy(item.point, point, point_size)
    return True


cdef bint alarm_release(Alarms* a, Alarm* alarm, uint8_t signal_class, const uint8_t* point,
                        uint32_t point_size, bint is_word) noexcept nogil:
    """Forget what a restore clears: the item of its class and point; without a point, all of its class.

    is_word  it came from a status word: without an item it ends one that was counted

    Returns  False when it fits nothing that is open. A point that no item has fits when its class is marked as open
             without items: it may be one of those, so the restore is told, but only one without a point ends the mark.
    """
    cdef uint32_t at = alarm.item, last = NO_SLOT, next
    cdef uint16_t mark = <uint16_t>(1 << signal_class)
    cdef uint16_t items = alarm.items
    cdef bint found = alarm.unkept & mark
    point_size = point_kept(point_size)
    while at != NO_SLOT:
        next = a.items[at].next
        if a.items[at].signal_class == signal_class \
                and (point_size == 0 or item_is(&a.items[at], signal_class, point, point_size)):
            found = True
            if last == NO_SLOT:
                alarm.item = next
            else:
                a.items[last].next = next
            a.items[at].next = a.free_item
            a.free_item = at
            alarm.items -= 1
            a.items_open -= 1
        else:
            last = at
        at = next
    if point_size == 0:
        alarm.unkept &= <uint16_t>~mark
    if is_word and alarm.items == items and alarm.unkept_words:
        if alarm.unkept_words < UNKEPT_WORDS_MAX and not alarm.raised_twice:
            alarm.unkept_words -= 1
        found = True
    return found


cdef int alarms_check(const Alarms* a) except -1:
    """Raise AssertionError unless lists, counts and index agree."""
    cdef uint32_t slot = a.oldest, older = NO_SLOT, item, items, alarms = 0, items_all = 0
    cdef uint64_t id = 0
    cdef const Alarm* alarm
    while slot != NO_SLOT:
        alarm = &a.slots[slot]
        assert alarm.id > id
        assert alarm.older == older
        assert alarm_is_open(alarm)
        assert 1 <= alarm.priority <= 6
        assert alarm.count >= 1
        assert alarm.revision >= alarm.count
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
