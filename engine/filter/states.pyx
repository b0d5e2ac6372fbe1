"""The table of open conditions by transmitter. What ends what, and the limits, stand in `states.pxd`.

Saved, little endian, nothing padded; equal states give equal bytes, whatever items the table happens to use:

  0  u32 version   4  u32 transmitters   8  u32 items of all   12  u32 zero   16  u64 unkept ever
  24 then the transmitters that have something, in the order of their slots, each as
       u32 slot, u16 unkept, u8 items, u8 zero
       its items in order, each u64 signal, i64 since_ns, u16 condition, u8 class, u8 point size, then the point
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memcpy, memset

from codec.batch cimport Text
from codec.codes.lookup cimport Meaning
from codec.gbt26875_levels cimport level_meaning
from codec.words cimport (
    CLASS_SUPERVISORY, CLASS_TEST, CONDITION_DETECTOR_FAULT, CONDITION_DISABLED, CONDITION_FAULT,
    CONDITION_LINE_FAULT, CONDITION_RESET, CONDITION_SUPERVISION_LOST, CONDITION_SUPERVISORY, CONDITION_SYSTEM_RESET,
    CONDITION_TEST, CONDITION_UNKNOWN, STATE_CLEARED, STATE_RAISED,
)
from engine.filter.short_text cimport copy_text, same_text
from engine.index cimport __builtin_prefetch
from engine.memory cimport memory_release, memory_reserve, memory_reserve_wide

from codec.words import CONDITION_TEXT

cdef enum:
    UNKEPT_MAX = 0xFFFF
    ITEMS_AHEAD = 8                  # free items before its turn that one is asked for
    CHUNK_BYTES = 1048576
    TRANSMITTER_BYTES_MAX = 8 + STATES_PER_TRANSMITTER_MAX * (20 + POINT_BYTES_MAX)

cdef packed struct SavedStates:
    uint32_t version
    uint32_t transmitters
    uint32_t items
    uint32_t zero
    uint64_t unkept

cdef packed struct SavedSlot:
    uint32_t slot
    uint16_t unkept
    uint8_t items
    uint8_t zero

cdef packed struct SavedState:
    uint64_t signal
    int64_t since_ns
    uint16_t condition
    uint8_t signal_class
    uint8_t point_size

cdef struct Ended:                   # what a restore ends
    const uint8_t* point
    uint32_t point_size
    uint16_t condition
    uint8_t signal_class
    bint any_point
    bint any_condition
    bint or_missed                   # what the panel missed ends as well

assert sizeof(StateSlot) == 16 and sizeof(StateItem) == 96
assert max(CONDITION_TEXT) < STATES_CONDITIONS


cdef int states_create(States* s, uint32_t transmitters_max, uint32_t items_max) except -1:
    """Make an empty table. Raises MemoryError and then holds nothing."""
    memset(s, 0, sizeof(States))
    s.transmitters_max = transmitters_max
    s.items_max = items_max
    s.slots = <StateSlot*>memory_reserve_wide(<size_t>transmitters_max * sizeof(StateSlot))
    try:
        s.items = <StateItem*>memory_reserve_wide(<size_t>items_max * sizeof(StateItem))
        s.free_items = <uint32_t*>memory_reserve(<size_t>items_max * 4)
    except MemoryError:
        states_destroy(s)
        raise
    return 0


cdef void states_destroy(States* s) noexcept:
    memory_release(s.slots, <size_t>s.transmitters_max * sizeof(StateSlot))
    memory_release(s.items, <size_t>s.items_max * sizeof(StateItem))
    memory_release(s.free_items, <size_t>s.items_max * 4)
    s.slots = NULL
    s.items = NULL
    s.free_items = NULL


cdef inline bint item_is(const StateItem* item, uint8_t signal_class, uint16_t condition, const uint8_t* point,
                         uint32_t point_size) noexcept nogil:
    return item.condition == condition and item.signal_class == signal_class and item.point_size == point_size \
        and same_text(item.point, point, point_size)


cdef StateItem* item_hang(States* s, StateSlot* slot, uint32_t last) noexcept nogil:
    """Hang an item behind `last`, the last of the list, for item_fill. NULL when there is no room for it."""
    cdef uint32_t at
    if slot.items == STATES_PER_TRANSMITTER_MAX or s.items_open >= s.items_max:
        return NULL
    if s.free_count:
        s.free_count -= 1
        at = s.free_items[s.free_count]
        if s.free_count >= ITEMS_AHEAD:
            __builtin_prefetch(&s.items[s.free_items[s.free_count - ITEMS_AHEAD]])
    else:
        at = s.items_used
        s.items_used += 1
    s.items[at].next = NO_STATE
    if slot.items == 0:
        slot.first = at
    else:
        s.items[last].next = at
    slot.items += 1
    s.items_open += 1
    return &s.items[at]


cdef void item_fill(States* s, StateSlot* slot, StateItem* item, uint8_t signal_class, uint16_t condition,
                    const uint8_t* point, uint32_t point_size, uint64_t signal, int64_t since_ns) noexcept nogil:
    cdef uint32_t since_s = states_seconds(since_ns)
    item.signal = signal
    item.since_ns = since_ns
    item.condition = condition
    item.signal_class = signal_class
    item.point_size = <uint8_t>point_size
    copy_text(item.point, point, point_size)
    s.counts[states_counted(condition)] += 1
    if slot.items == 1 or since_s < slot.oldest_s:
        slot.oldest_s = since_s
    slot.mask |= states_mask(signal_class, condition)


cdef StateChange keep(States* s, StateSlot* slot, uint8_t signal_class, uint16_t condition, const uint8_t* point,
                      uint32_t point_size, uint64_t signal, int64_t received_ns) noexcept nogil:
    """Open something, once."""
    cdef uint32_t i, at = slot.first, last = NO_STATE
    cdef StateItem* item
    for i in range(slot.items):
        if item_is(&s.items[at], signal_class, condition, point, point_size):
            return STATE_CHANGE_NONE
        last = at
        at = s.items[at].next
    item = item_hang(s, slot, last)
    if item == NULL:
        if slot.unkept < UNKEPT_MAX:
            slot.unkept += 1
        s.unkept += 1
        return STATE_CHANGE_NONE
    item_fill(s, slot, item, signal_class, condition, point, point_size, signal, received_ns)
    return STATE_CHANGE_RAISED


cdef inline bint ends(const Ended* ended, const StateItem* item) noexcept nogil:
    return item.signal_class == ended.signal_class \
        and (ended.any_condition or item.condition == ended.condition
             or (ended.or_missed and item.condition == CONDITION_SUPERVISION_LOST)) \
        and (ended.any_point or (item.point_size == ended.point_size
                                 and same_text(item.point, ended.point, ended.point_size)))


cdef StateChange release(States* s, StateSlot* slot, const Ended* ended) noexcept nogil:
    """Close whatever fits."""
    cdef uint32_t i, at = slot.first, last = NO_STATE, next, items = slot.items, mask = 0, oldest_s = 0xFFFFFFFF
    cdef StateItem* item
    for i in range(items):
        item = &s.items[at]
        next = item.next
        if ends(ended, item):
            if last == NO_STATE:
                slot.first = next
            else:
                s.items[last].next = next
            s.counts[states_counted(item.condition)] -= 1
            s.free_items[s.free_count] = at
            s.free_count += 1
            slot.items -= 1
            s.items_open -= 1
        else:
            mask |= states_mask(item.signal_class, item.condition)
            oldest_s = min(oldest_s, states_seconds(item.since_ns))
            last = at
        at = next
    if slot.items == items:
        return STATE_CHANGE_NONE
    slot.mask = mask
    slot.oldest_s = oldest_s
    if slot.items == 0:
        slot.first = slot.oldest_s = 0
        slot.unkept = 0
    return STATE_CHANGE_CLEARED


cdef inline bint says_not_what(uint16_t condition) noexcept nogil:
    """Whether a restore of this condition leaves open what is over."""
    return condition == CONDITION_UNKNOWN or condition == CONDITION_FAULT or condition == CONDITION_SUPERVISORY \
        or condition == CONDITION_DISABLED or condition == CONDITION_TEST


cdef StateChange restore(States* s, StateSlot* slot, uint8_t signal_class, uint16_t condition, const uint8_t* point,
                         uint32_t point_size, bint exact) noexcept nogil:
    cdef StateChange change = STATE_CHANGE_NONE
    cdef Ended ended
    cdef uint32_t mask = states_mask(signal_class, condition)
    if not slot.mask >> (24 + signal_class) & 1:
        return STATE_CHANGE_NONE         # fast path: nothing of the class is open
    ended.point = point
    ended.point_size = point_size
    ended.condition = condition
    ended.signal_class = signal_class
    ended.any_point = point_size == 0 and not exact
    ended.any_condition = ended.or_missed = False
    if slot.mask & mask == mask:
        change = release(s, slot, &ended)
    if change != STATE_CHANGE_NONE or exact or point_size == 0:
        return change
    ended.any_condition = says_not_what(condition)
    ended.or_missed = condition == CONDITION_DETECTOR_FAULT
    if ended.any_condition or ended.or_missed:
        change = release(s, slot, &ended)
    return change


cdef inline bint word_says(uint32_t level, uint8_t signal_class, uint16_t condition) noexcept nogil:
    """Whether a bit that is set in a status word means this."""
    cdef uint32_t bit
    cdef Meaning meaning
    for bit in range(1, 16):
        if level >> bit & 1:
            meaning = level_meaning(level, bit)
            if meaning.signal_class == signal_class and meaning.condition == condition:
                return True
    return False


cdef StateChange note(States* s, uint32_t transmitter, uint8_t signal_class, uint16_t condition, uint8_t state,
                      const uint8_t* point, uint32_t point_size, uint64_t signal, int64_t received_ns,
                      uint32_t level) noexcept nogil:
    if not CLASS_SUPERVISORY <= signal_class <= CLASS_TEST:
        return STATE_CHANGE_NONE
    if condition == CONDITION_RESET or condition == CONDITION_SYSTEM_RESET:
        return STATE_CHANGE_NONE
    if transmitter >= s.transmitters_max:
        s.unkept += state == STATE_RAISED
        return STATE_CHANGE_NONE
    point_size = min(point_size, <uint32_t>POINT_BYTES_MAX)    # decoders cut points at this length already
    if state == STATE_RAISED:
        if transmitter >= s.transmitters_used:
            s.transmitters_used = transmitter + 1
        return keep(s, &s.slots[transmitter], signal_class, condition, point, point_size, signal, received_ns)
    if state != STATE_CLEARED or (level != 0 and word_says(level, signal_class, condition)):
        return STATE_CHANGE_NONE
    return restore(s, &s.slots[transmitter], signal_class, condition, point, point_size,
                   level != 0 or condition == CONDITION_LINE_FAULT)


cdef StateChange states_note(States* s, uint32_t transmitter, uint8_t signal_class, uint16_t condition, uint8_t state,
                             const uint8_t* point, uint32_t point_size, uint64_t signal,
                             int64_t received_ns) noexcept nogil:
    """Take in one signal that came from no status word; of any class and state.

    point    borrowed, 0..POINT_BYTES_MAX bytes; beyond, told from others by its beginning
    signal   its number
    Returns  what it changed; never allocates
    """
    return note(s, transmitter, signal_class, condition, state, point, point_size, signal, received_ns, 0)


cdef StateChange states_note_row(States* s, uint32_t transmitter, const Columns* c, uint32_t row,
                                 uint64_t signal) noexcept nogil:
    """Take in the signal at `row`, whether it came from a status word or not; as states_note."""
    cdef Text point = c.point[row]
    return note(s, transmitter, c.signal_class[row], c.condition[row], c.state[row], c.arena + point.at, point.size,
                signal, c.received_ns[row], c.level[row])


cdef bint states_open(const States* s, uint32_t transmitter, uint8_t signal_class, const uint8_t* point,
                      uint32_t point_size) noexcept nogil:
    """Whether anything of a class is open with exactly this point, empty or not."""
    cdef uint32_t i, at
    cdef const StateSlot* slot
    if transmitter >= s.transmitters_max or not CLASS_SUPERVISORY <= signal_class <= CLASS_TEST:
        return False
    slot = &s.slots[transmitter]
    if not slot.mask >> (24 + signal_class) & 1:
        return False
    point_size = min(point_size, <uint32_t>POINT_BYTES_MAX)
    at = slot.first
    for i in range(slot.items):
        if item_is(&s.items[at], signal_class, s.items[at].condition, point, point_size):
            return True
        at = s.items[at].next
    return False


# -- saved ---------------------------------------------------------------------------------------------------------


cdef uint8_t* write_slot(uint8_t* out, const States* s, uint32_t transmitter) noexcept nogil:
    """Write one transmitter, at most TRANSMITTER_BYTES_MAX."""
    cdef const StateSlot* slot = &s.slots[transmitter]
    cdef const StateItem* item
    cdef SavedSlot head
    cdef SavedState saved
    cdef uint32_t i, at = slot.first
    head.slot = transmitter
    head.unkept = slot.unkept
    head.items = slot.items
    head.zero = 0
    memcpy(out, &head, sizeof(head))
    out += sizeof(head)
    for i in range(slot.items):
        item = &s.items[at]
        saved.signal = item.signal
        saved.since_ns = item.since_ns
        saved.condition = item.condition
        saved.signal_class = item.signal_class
        saved.point_size = item.point_size
        memcpy(out, &saved, sizeof(saved))
        memcpy(out + sizeof(saved), item.point, item.point_size)
        out += sizeof(saved) + item.point_size
        at = item.next
    return out


cdef list states_save(const States* s):
    """Return the parts of what is remembered, each at most a chunk and one transmitter long."""
    cdef uint32_t at
    cdef SavedStates header
    cdef bytes chunk
    cdef uint8_t* start
    cdef uint8_t* out
    memset(&header, 0, sizeof(header))
    header.version = STATES_VERSION
    header.items = s.items_open
    header.unkept = s.unkept
    with nogil:
        for at in range(s.transmitters_used):
            header.transmitters += s.slots[at].items != 0 or s.slots[at].unkept != 0
    parts = [<bytes>(<char*>&header)[:sizeof(header)]]
    at = 0
    while at < s.transmitters_used:
        chunk = PyBytes_FromStringAndSize(NULL, CHUNK_BYTES + TRANSMITTER_BYTES_MAX)
        start = out = <uint8_t*>PyBytes_AS_STRING(chunk)
        with nogil:
            while at < s.transmitters_used and out - start < CHUNK_BYTES:
                if s.slots[at].items != 0 or s.slots[at].unkept != 0:
                    out = write_slot(out, s, at)
                at += 1
        parts.append(chunk[:out - start])
    return parts


cdef const uint8_t* read_slot(States* s, const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Read one transmitter behind the others; NULL when it is not sound."""
    cdef SavedSlot head
    cdef SavedState saved
    cdef StateSlot* slot
    cdef StateItem* item
    cdef uint32_t i
    if end - at < <int64_t>sizeof(head):
        return NULL
    memcpy(&head, at, sizeof(head))
    at += sizeof(head)
    if not s.transmitters_used <= head.slot < s.transmitters_max or (head.items == 0 and head.unkept == 0):
        return NULL
    s.transmitters_used = head.slot + 1
    slot = &s.slots[head.slot]
    slot.unkept = head.unkept
    for i in range(head.items):
        if end - at < <int64_t>sizeof(saved):
            return NULL
        memcpy(&saved, at, sizeof(saved))
        at += sizeof(saved)
        if saved.point_size > POINT_BYTES_MAX or end - at < saved.point_size \
                or not CLASS_SUPERVISORY <= saved.signal_class <= CLASS_TEST:
            return NULL
        item = item_hang(s, slot, s.items_used - 1)      # in a fresh table the last item is the last one used
        if item == NULL:
            return NULL
        item_fill(s, slot, item, saved.signal_class, saved.condition, at, saved.point_size, saved.signal,
                  saved.since_ns)
        at += saved.point_size
    return at


cdef int states_load(States* s, bytes saved) except -1:
    """Fill an empty table. Raises ValueError when the bytes are not sound or it has no room; it is then of no use."""
    cdef SavedStates header
    cdef const uint8_t* at = <const uint8_t*>PyBytes_AS_STRING(saved)
    cdef const uint8_t* end = at + len(saved)
    cdef uint32_t i
    if len(saved) < <Py_ssize_t>sizeof(header):
        raise ValueError("open conditions: too short")
    memcpy(&header, at, sizeof(header))
    if header.version != STATES_VERSION:
        raise ValueError(f"open conditions: version {header.version}, this program reads {STATES_VERSION}")
    at += sizeof(header)
    with nogil:
        for i in range(header.transmitters):
            at = read_slot(s, at, end)
            if at == NULL:
                break
    if at != end or s.items_open != header.items:
        raise ValueError("open conditions: not sound, or more than there is room for")
    s.unkept = header.unkept
    return 0


# -- checked -------------------------------------------------------------------------------------------------------


cdef int states_check(const States* s) except -1:
    """Raise AssertionError unless lists, masks and counts agree. Walks everything."""
    cdef uint32_t transmitter, i, at, mask, oldest_s, items_all = 0
    cdef const StateSlot* slot
    counts = [0] * STATES_CONDITIONS
    items = set()
    assert s.transmitters_used <= s.transmitters_max
    for transmitter in range(s.transmitters_used):
        slot = &s.slots[transmitter]
        assert slot.items <= STATES_PER_TRANSMITTER_MAX
        at = slot.first
        mask = 0
        oldest_s = 0xFFFFFFFF if slot.items else 0
        seen = set()
        for i in range(slot.items):
            assert at < s.items_used
            mask |= states_mask(s.items[at].signal_class, s.items[at].condition)
            oldest_s = min(oldest_s, states_seconds(s.items[at].since_ns))
            counts[states_counted(s.items[at].condition)] += 1
            seen.add((s.items[at].signal_class, s.items[at].condition, s.items[at].point[:s.items[at].point_size]))
            items.add(at)
            at = s.items[at].next
        assert slot.items == 0 or at == NO_STATE
        assert (mask, oldest_s, len(seen)) == (slot.mask, slot.oldest_s, slot.items)
        items_all += slot.items
    assert items_all == s.items_open <= s.items_max
    assert counts == [s.counts[i] for i in range(STATES_CONDITIONS)]
    items.update(s.free_items[i] for i in range(s.free_count))
    assert items_all + s.free_count == len(items) == s.items_used
    assert not items or max(items) < s.items_used
    return 0
