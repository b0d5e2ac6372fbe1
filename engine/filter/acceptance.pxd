# Who is to accept which alarm until when: a ring in the order in which the alarms were raised, which is nearly that of
# their deadlines. An alarm that is accepted, or gone, meanwhile is passed over when its turn comes.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from engine.filter.alarms cimport AWAITED_NOT, Alarm, Alarms
from engine.words cimport VERIFICATION_FALSE, VERIFICATION_TEST

cdef enum:
    AWAITED_MIN = 1024

cdef struct Awaited:
    uint64_t alarm                   # id
    int64_t  due_ns
    uint32_t slot
    uint32_t turn                    # of the alarm; an older one than its own is passed over

cdef struct Acceptance:
    Awaited* ring                    # owned; `room` slots, a power of two
    uint64_t room
    uint64_t head                    # entries ever added; slot = number % room
    uint64_t tail                    # the oldest that waits

cdef inline bint alarm_is_unaccepted(const Alarm* alarm) noexcept nogil:
    return alarm.awaited != AWAITED_NOT and not alarm.accepted \
        and alarm.verification != VERIFICATION_FALSE and alarm.verification != VERIFICATION_TEST

cdef inline void acceptance_count(Alarms* a, Alarm* alarm) noexcept nogil:
    """Keep the count of what nobody has accepted; after whatever changes that of an alarm."""
    cdef bint unaccepted = alarm_is_unaccepted(alarm)
    a.unaccepted += unaccepted
    a.unaccepted -= alarm.unaccepted
    alarm.unaccepted = unaccepted

cdef inline bint acceptance_push(Acceptance* a, const Awaited* awaited) noexcept nogil:
    """Add one behind the others; False when there is no memory for it. At most one of its turn waits for each alarm."""
    cdef uint64_t room = a.room, i
    cdef Awaited* ring
    if a.head - a.tail == room:
        room = room * 2 if room else <uint64_t>AWAITED_MIN
        ring = <Awaited*>malloc(room * sizeof(Awaited))
        if ring == NULL:
            return False
        for i in range(a.tail, a.head):
            ring[i & (room - 1)] = a.ring[i & (a.room - 1)]
        free(a.ring)
        a.ring = ring
        a.room = room
    a.ring[a.head & (room - 1)] = awaited[0]
    a.head += 1
    return True

cdef inline Awaited* acceptance_first(const Acceptance* a) noexcept nogil:
    return &a.ring[a.tail & (a.room - 1)] if a.head != a.tail else NULL

cdef inline void acceptance_destroy(Acceptance* a) noexcept:
    free(a.ring)
    a.ring = NULL
    a.room = a.head = a.tail = 0
