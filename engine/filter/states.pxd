# Faults are states: what is open at each transmitter, found by the transmitter's slot.
#
#   slot    one a transmitter, 16 bytes: the head of its list, and a mask that says what the list can hold
#   item    one thing that was raised and not yet cleared: class, condition and point
#
# Kept are the classes supervisory, fault, disablement and test, in the states raised and cleared: info has no end. What
# a restore ends:
#
#   with a point         what has its class, condition and point. Codes that come in pairs (SIA AT and AR, an event of
#                        Contact ID and its restore) have one condition.
#     nothing of that    a restore that does not say what is over (unknown, or the class's own general condition) ends
#                        everything of its class at its point; so a device that is heard again (SIA FJ) ends its being
#                        missed (SIA FY, FZ), which has no restore of its own.
#                        Any other ends nothing: an item that stays too long is listed as stale, one that went too early
#                        hides a fault.
#   without a point      all of its class and condition, wherever; never other conditions, for "trouble over" of one
#                        zone would then end the mains fault.
#   from a status word   exactly what one bit raised, its point too, empty or not; and nothing while another bit of the
#                        same word says the same. Bits end each for itself, so they need none of the above; nor do
#                        line faults, whose point is the path.
#   a panel's reset      nothing by itself: what persists is not always said again.
#
# Bounded: transmitters_max slots, STATES_PER_TRANSMITTER_MAX items in one, items_max in all. What finds no room is
# counted, at its transmitter until the list there is empty, and in all.
#
# Memory: 16 bytes a transmitter, 100 an item, taken as they are used. A signal costs the line of its slot and, where
# the mask says that something like it is open, those of the items. Free items stand in a stack of their own: of a list
# through them only the next one would be known, and each would have to be waited for.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from codec.batch cimport Columns
from codec.limits cimport POINT_BYTES_MAX
from engine.index cimport __builtin_prefetch

cdef enum:
    STATES_PER_TRANSMITTER_MAX = 64
    STATES_CONDITIONS = 256          # beyond, conditions are counted together as the last one
    STATES_VERSION = 1
    STATES_SECONDS_MAX = 0xFFFFFFFF
    NO_STATE = 0xFFFFFFFF

cdef enum StateChange:
    STATE_CHANGE_NONE = 0            # said again, a restore of nothing open, or no room
    STATE_CHANGE_RAISED = 1
    STATE_CHANGE_CLEARED = 2

cdef struct StateSlot:               # 16 bytes
    uint32_t first                   # item, in the order of raising; only where items is not 0
    uint32_t mask                    # states_mask of every item
    uint32_t oldest_s                # the smallest since_ns in whole seconds; only where items is not 0
    uint16_t unkept                  # raised without room since the list was empty; the largest value is for ever
    uint8_t  items
    uint8_t  zero

cdef struct StateItem:               # 96 bytes; all that is compared but a long point lies in one line
    uint64_t signal                  # that raised it first
    int64_t  since_ns                # received_ns of that signal
    uint32_t next                    # of the same transmitter
    uint16_t condition
    uint8_t  signal_class
    uint8_t  point_size
    uint8_t  point[POINT_BYTES_MAX]
    uint8_t  pad[8]

cdef struct States:
    StateSlot* slots                 # owned
    StateItem* items                 # owned
    uint32_t*  free_items            # owned; the last one is taken first
    uint32_t transmitters_max
    uint32_t transmitters_used       # slots ever written lie below
    uint32_t items_max
    uint32_t items_open
    uint32_t items_used
    uint32_t free_count
    uint64_t unkept                  # raised without room, ever
    uint32_t counts[STATES_CONDITIONS]   # items open, by condition


cdef inline uint32_t states_mask(uint8_t signal_class, uint16_t condition) noexcept nogil:
    """Two bits: one of the class, which is exact, and one of the condition, which some share."""
    return <uint32_t>1 << (24 + signal_class) | <uint32_t>1 << condition % 28

cdef inline uint32_t states_counted(uint16_t condition) noexcept nogil:
    """Where a condition is counted."""
    return condition if condition < STATES_CONDITIONS else STATES_CONDITIONS - 1

cdef inline uint32_t states_seconds(int64_t ns) noexcept nogil:
    """Whole seconds since 1970, cut to what 32 bits hold."""
    cdef int64_t whole = ns // 1000000000 if ns > 0 else 0
    return <uint32_t>whole if whole >> 32 == 0 else STATES_SECONDS_MAX

cdef inline void states_fetch(const States* s, uint32_t transmitter) noexcept nogil:
    """Ask the memory for a slot that is needed soon."""
    __builtin_prefetch(&s.slots[transmitter])

cdef inline void states_fetch_item(const States* s, uint32_t transmitter) noexcept nogil:
    """The same for the first thing that is open there; it reads the slot."""
    if s.slots[transmitter].items:
        __builtin_prefetch(&s.items[s.slots[transmitter].first])

cdef int states_create(States* s, uint32_t transmitters_max, uint32_t items_max) except -1
cdef void states_destroy(States* s) noexcept
cdef StateChange states_note(States* s, uint32_t transmitter, uint8_t signal_class, uint16_t condition, uint8_t state,
                             const uint8_t* point, uint32_t point_size, uint64_t signal,
                             int64_t received_ns) noexcept nogil
cdef StateChange states_note_row(States* s, uint32_t transmitter, const Columns* c, uint32_t row,
                                 uint64_t signal) noexcept nogil
cdef bint states_open(const States* s, uint32_t transmitter, uint8_t signal_class, const uint8_t* point,
                      uint32_t point_size) noexcept nogil
cdef list states_save(const States* s)
cdef int states_load(States* s, bytes saved) except -1
cdef int states_check(const States* s) except -1
