# The open alarms: flat arrays with free lists, found by place through a keyed index.
#
#   place   protocol, account and realm. With a registry this becomes the facility: then `place_of` looks it up, and
#           nothing else in this folder changes
#   alarm   one a place while anything of it is open
#   item    one thing that was raised and not yet cleared: class and point
#
# Bounded: alarms_max alarms, ITEMS_PER_ALARM_MAX items in one, items_max in all. What finds no room as an item is not
# forgotten: its class is marked in `unkept`, and the alarm stays open until a restore without a point names that class.
# What status words raise is counted instead (`unkept_words`): each of their signals is ended by exactly one other. That
# is so until one is raised that is open already (by a second path, or after a reset); then nothing is counted down.
#
# Memory: 128 bytes an alarm, 80 an item, 13 to 26 for the index: some 225 bytes for an alarm with one item. (220
# measured with 1,000,000 open.) All of it is asked for at once; pages that were never touched cost nothing.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from codec.batch cimport Columns, Text
from codec.limits cimport POINT_BYTES_MAX
from engine.index cimport INDEX_NONE, Index, Probe, index_first, index_next
from engine.siphash cimport HashKey, siphash

cdef enum:
    NO_SLOT = 0xFFFFFFFF
    UNKEPT_WORDS_MAX = 0xFFFF        # so many are counted; beyond, the alarm stays open
    PLACE_BYTES_MAX = 60         # account and realm together; a longer place is forwarded but not kept
    PLACE_HEAD_BYTES = 4
    ITEMS_PER_ALARM_MAX = 64

cdef struct Place:
    uint8_t protocol
    uint8_t account_size
    uint8_t realm_size
    uint8_t zero
    uint8_t text[PLACE_BYTES_MAX]    # account, then realm

cdef struct Alarm:                   # 128 bytes, two cache lines
    uint64_t id                      # number of the signal that raised it; 0 = free slot
    uint64_t event                   # number of its last event
    int64_t  opened_ns               # received_ns of the signal that raised it
    int64_t  changed_ns              # received_ns of the signal behind its last event
    uint32_t count                   # raised signals
    uint32_t revision                # events
    uint32_t older                   # neighbours in the order of opening, which is the order of ids
    uint32_t newer                   # in a free slot: the next free one
    uint32_t item                    # the first, in the order of raising
    uint16_t items
    uint16_t unkept                  # bit c set: something of class c is open without an item
    uint16_t condition               # of the signal that gave it its priority
    uint8_t  signal_class            # of its most urgent signal
    uint8_t  verification            # only rises
    uint8_t  priority                # only falls, that is, grows more urgent
    uint8_t  raised_twice            # True: a status word raised what was open already
    uint16_t unkept_words            # open without an item, raised by status words; the largest value is for ever
    Place    place

cdef struct Item:                    # 80 bytes
    uint64_t signal                  # that raised it first
    uint32_t next                    # of the same alarm; in a free slot: the next free one
    uint16_t condition
    uint8_t  signal_class
    uint8_t  point_size
    uint8_t  point[POINT_BYTES_MAX]

cdef struct Alarms:
    Alarm*   slots                   # owned
    Item*    items                   # owned
    Index    index                   # place -> slot
    HashKey  key                     # changes from start to start; nothing that shows depends on it
    uint32_t alarms_max
    uint32_t alarms_open
    uint32_t slots_used              # slots ever used; the free ones among them hang on free_slot
    uint32_t free_slot
    uint32_t oldest
    uint32_t newest
    uint32_t items_max
    uint32_t items_open
    uint32_t items_used
    uint32_t free_item


cdef inline bint place_of(Place* place, const Columns* c, uint32_t row) noexcept nogil:
    """The place that row speaks of; False when its texts are too long to be kept."""
    cdef Text account = c.account[row], realm = c.realm[row]
    if <uint64_t>account.size + realm.size > PLACE_BYTES_MAX:
        return False
    memset(place, 0, sizeof(Place))
    place.protocol = c.protocol[row]
    place.account_size = <uint8_t>account.size
    place.realm_size = <uint8_t>realm.size
    memcpy(place.text, c.arena + account.at, account.size)
    memcpy(place.text + account.size, c.arena + realm.at, realm.size)
    return True

cdef inline uint64_t place_hash(const Alarms* a, const Place* place) noexcept nogil:
    return siphash(&a.key, <const uint8_t*>place, PLACE_HEAD_BYTES + place.account_size + place.realm_size)

cdef inline uint32_t alarms_find(const Alarms* a, const Place* place, uint64_t hash) noexcept nogil:
    """The slot of the alarm that is open at a place, or NO_SLOT."""
    cdef Probe probe = index_first(&a.index, hash)
    cdef uint32_t slot
    while True:
        slot = index_next(&a.index, &probe)
        if slot == INDEX_NONE:
            return NO_SLOT
        if memcmp(&a.slots[slot].place, place, sizeof(Place)) == 0:
            return slot

cdef inline bint alarm_is_open(const Alarm* alarm) noexcept nogil:
    return alarm.items != 0 or alarm.unkept != 0 or alarm.unkept_words != 0

cdef int alarms_create(Alarms* a, uint32_t alarms_max, uint32_t items_max, bytes hash_key) except -1
cdef void alarms_destroy(Alarms* a) noexcept
cdef uint32_t alarms_add(Alarms* a, const Place* place, uint64_t hash) noexcept nogil
cdef void alarms_remove(Alarms* a, uint32_t slot, uint64_t hash) noexcept nogil
cdef uint32_t alarms_seek(const Alarms* a, uint64_t id) noexcept nogil
cdef uint32_t item_add(Alarms* a, Alarm* alarm, uint32_t last) noexcept nogil
cdef bint alarm_keep(Alarms* a, Alarm* alarm, uint8_t signal_class, uint16_t condition, const uint8_t* point,
                     uint32_t point_size, uint64_t signal, bint is_word) noexcept nogil
cdef bint alarm_release(Alarms* a, Alarm* alarm, uint8_t signal_class, const uint8_t* point,
                        uint32_t point_size, bint is_word) noexcept nogil
cdef int alarms_check(const Alarms* a) except -1
