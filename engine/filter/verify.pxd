# What verifies a fire besides itself: a second detector, a second zone, the same detector once more; and what makes a
# point chatter. Both ask what came from the same place within a window.
#
# A late signal, one of an unknown account, of a disabled point or in test mode confirms nothing and is confirmed by
# nothing.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from codec.words cimport CLASS_FIRE
from engine.filter.alarms cimport NO_SLOT, Alarm, Alarms, Item, Raised
from engine.filter.registry cimport FLAPS, Flap, Registry, Transmitter, text_hash
from engine.filter.rulebook cimport SECOND_DETECTOR, SECOND_REPETITION, SECOND_ZONE

cdef enum:
    SECOND_NS = 1000000000
    TIMES_MAX = 0xFFFF

cdef inline bint within(uint32_t since_s, uint32_t now_s, int64_t window_ns) noexcept nogil:
    """Tell whether a time lies within a window before now; one that lies ahead, after a clock was set back, does."""
    return now_s <= since_s or <int64_t>(now_s - since_s) * SECOND_NS <= window_ns

cdef inline uint32_t flap_hash(const Raised* raised) noexcept nogil:
    return text_hash(raised.point, raised.point_size, raised.signal_class)

cdef inline int coincides(const Alarms* a, const Alarm* alarm, const Transmitter* transmitter, const Raised* raised,
                          int64_t window_ns) noexcept nogil:
    """Return which kinds of a second signal (SECOND_* bits) a fire is, beside what its place holds and held lately."""
    cdef uint32_t at = alarm.item, hash = flap_hash(raised)
    cdef const Item* item
    cdef const Flap* flap
    cdef int found = 0, i
    while at != NO_SLOT:
        item = &a.items[at]
        if item.signal_class == CLASS_FIRE and item.zone and within(item.since_s, raised.since_s, window_ns):
            if item.transmitter != raised.transmitter \
                    or text_hash(item.point, item.point_size, item.signal_class) != hash:
                found |= SECOND_DETECTOR
                if item.zone != raised.zone or item.transmitter != raised.transmitter:
                    found |= SECOND_ZONE
        at = item.next
    if transmitter != NULL:
        for i in range(FLAPS):
            flap = &transmitter.flaps[i]
            if flap.point == 0 or flap.signal_class != CLASS_FIRE \
                    or not within(flap.since_s, raised.since_s, window_ns):
                continue
            if flap.point == hash:
                found |= SECOND_REPETITION
            else:
                found |= SECOND_DETECTOR
                if flap.zone != raised.zone:
                    found |= SECOND_ZONE
    return found

cdef inline uint16_t flap_note(Transmitter* transmitter, const Raised* raised, int64_t window_ns) noexcept nogil:
    """Note that a point came, and return how often it did within the window."""
    cdef uint32_t hash = flap_hash(raised)
    cdef Flap* flap = NULL
    cdef Flap* oldest = &transmitter.flaps[0]
    cdef int i
    for i in range(FLAPS):
        if transmitter.flaps[i].point == hash:
            flap = &transmitter.flaps[i]
        elif transmitter.flaps[i].point == 0 or transmitter.flaps[i].since_s < oldest.since_s:
            oldest = &transmitter.flaps[i]
    if flap == NULL:
        flap = oldest
        flap.times = 0
    if flap.times == 0 or not within(flap.since_s, raised.since_s, window_ns):
        flap.point = hash
        flap.times = 0
        flap.since_s = raised.since_s
        flap.signal_class = raised.signal_class
    flap.zone = raised.zone
    flap.times += flap.times < TIMES_MAX
    return flap.times
