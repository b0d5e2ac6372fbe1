# The open alarms: flat arrays with free lists, found by place through a keyed index.
#
#   alarm   one a place while anything of it is open
#   item    one thing that was raised and not yet cleared: transmitter, class and point
#
# Bounded: alarms_max alarms, ITEMS_PER_ALARM_MAX items in one, items_max in all. What finds no room as an item is not
# forgotten: its class is marked in `unkept`, and the alarm stays open until a restore without a point names that class.
# What status words raise is counted instead (`unkept_words`): each of their signals is ended by exactly one other. That
# is so until one is raised that is open already (by a second path, or after a reset); then nothing is counted down.
#
# An alarm that is cleared before anybody has accepted it leaves index and order and keeps its slot until it was
# accepted, or its time to be accepted is over (acceptance.pxd).
#
# Memory: 160 bytes an alarm, 96 an item, 13 to 26 for the index, reserved at once; untouched pages cost nothing.

from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from codec.limits cimport POINT_BYTES_MAX
from engine.filter.place cimport Place
from engine.filter.place cimport place_hash as hash_of_place
from engine.index cimport INDEX_NONE, Index, Probe, index_first, index_next
from engine.siphash cimport HashKey

cdef enum:
    NO_SLOT = 0xFFFFFFFF
    UNKEPT_WORDS_MAX = 0xFFFF        # so many are counted; beyond, the alarm stays open
    ITEMS_PER_ALARM_MAX = 64

cdef enum Kept:                      # what became of something that was raised
    KEPT_NEW = 0
    KEPT_OPEN = 1                    # it was open already, raised by the same path
    KEPT_OPEN_ELSEWHERE = 2          # it was open already, raised by another path
    KEPT_UNKEPT = 3                  # there is no room for it: marked or counted

cdef enum Answer:                    # what a person said of an alarm
    ANSWER_NONE = 0
    ANSWER_TRUE = 1
    ANSWER_FALSE = 2

cdef enum Awaiting:                  # whether the acceptance of an alarm is waited for
    AWAITED_NOT = 0
    AWAITED_NOW = 1                  # an entry of acceptance.pxd says until when
    AWAITED_IN_VAIN = 2              # nobody accepted it in time, which was told

cdef struct Alarm:                   # 160 bytes
    uint64_t id                      # number of the signal that raised it; 0 = free slot
    uint64_t event                   # number of its last event
    int64_t  opened_ns               # received_ns of the signal that raised it
    int64_t  changed_ns              # received_ns of the row behind its last event
    uint32_t count                   # raised signals
    uint32_t revision                # events
    uint32_t older                   # neighbours in the order of opening, which is the order of ids
    uint32_t newer                   # in a free slot: the next free one
    uint32_t item                    # the first, in the order of raising
    uint32_t facility                # where it is, or NO_FACILITY
    uint32_t transmitter             # of its last signal, or NO_TRANSMITTER
    uint32_t detectors               # different ones that raised it
    uint16_t items
    uint16_t unkept                  # bit c set: something of class c is open without an item
    uint16_t unkept_words            # open without an item, raised by status words; the largest value is for ever
    uint16_t condition               # of its most urgent signal
    uint16_t rule                    # that verified its last signal
    uint8_t  signal_class            # of its most urgent signal
    uint8_t  verification
    uint8_t  priority
    uint8_t  raised_twice            # True: a status word raised what was open already
    int8_t   shift                   # what rules add to its priority
    uint8_t  chatters                # True: all that it holds comes and goes
    uint8_t  answered                # Answer
    uint8_t  accepted                # True: a subscriber has taken it over
    uint8_t  awaited                 # Awaiting
    uint8_t  ended                   # True: cleared, and kept until its acceptance is settled
    uint8_t  unaccepted              # True: it is counted as such
    uint32_t turn                    # of waiting for its acceptance: entries of earlier ones are passed over
    Place    place

cdef struct Item:                    # 96 bytes
    uint64_t signal                  # that raised it first
    uint32_t next                    # of the same alarm; in a free slot: the next free one
    uint32_t transmitter             # slot, or NO_TRANSMITTER
    uint32_t path                    # by which it came
    uint32_t zone                    # hash of its zone; 0: it confirms nothing (late, disabled, in test mode)
    uint32_t since_s                 # when it was received, s since 1970
    uint16_t condition
    uint8_t  signal_class
    uint8_t  point_size
    uint8_t  point[POINT_BYTES_MAX]

cdef struct Raised:                  # something on its way to become an item
    const uint8_t* point
    uint32_t point_size
    uint32_t transmitter
    uint32_t path
    uint32_t zone
    uint64_t signal
    uint32_t since_s
    uint16_t condition
    uint8_t  signal_class
    bint     is_word                 # it came from a status word

cdef struct Alarms:
    Alarm*   slots                   # owned
    Item*    items                   # owned
    Index    index                   # place -> slot
    HashKey  key                     # changes from start to start; nothing that shows depends on it
    uint32_t alarms_max
    uint32_t alarms_open
    uint32_t alarms_ended            # cleared, and kept for their acceptance
    uint32_t unaccepted              # open or ended, that somebody is to accept and nobody has
    uint32_t slots_used              # slots ever used; the free ones among them hang on free_slot
    uint32_t free_slot
    uint32_t oldest
    uint32_t newest
    uint32_t items_max
    uint32_t items_open
    uint32_t items_used
    uint32_t free_item


cdef inline uint64_t place_hash(const Alarms* a, const Place* place) noexcept nogil:
    return hash_of_place(&a.key, place)

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
cdef uint32_t alarms_with(const Alarms* a, uint64_t id) noexcept nogil
cdef uint32_t item_add(Alarms* a, Alarm* alarm, uint32_t last) noexcept nogil
cdef void alarms_end(Alarms* a, uint32_t slot, uint64_t hash) noexcept nogil
cdef void alarms_free(Alarms* a, uint32_t slot) noexcept nogil
cdef Kept alarm_keep(Alarms* a, Alarm* alarm, const Raised* raised) noexcept nogil
cdef bint alarm_release(Alarms* a, Alarm* alarm, const Raised* restored) noexcept nogil
cdef void alarm_empty(Alarms* a, Alarm* alarm) noexcept nogil
cdef int alarms_check(const Alarms* a) except -1
