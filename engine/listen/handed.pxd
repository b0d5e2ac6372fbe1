# Datagrams on their way from a receiver thread to the loop: a ring of bytes with one writer and one reader.
#
#   head, tail      bytes since the beginning; the thread alone writes head, the loop alone tail
#   one record      Handed, the control message, the datagram, up to a multiple of 8 bytes; never across the end
#   record = 0      the rest of the ring's end is not used
#
# Nobody waits: without room the writer keeps the datagram, or drops it.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from engine.atomics cimport acquire_64, publish_64
from engine.listen.sockets cimport sockaddr_in6
from engine.memory cimport memory_release, memory_reserve

cdef enum:
    HANDED_BYTES = 1 << 20           # of a ring: some 5,000 signals, or 200 of the longest datagrams
    HANDED_BYTES_FOR_FIRE = HANDED_BYTES // 4    # of these, the last

cdef struct Handed:
    uint32_t record                  # bytes of the whole record
    uint32_t size                    # of the datagram
    int64_t  received_ns             # wall clock
    int64_t  monotonic_ns
    int64_t  heard_ms                # listening time
    sockaddr_in6 peer                # large enough for both families
    uint16_t peer_size
    uint16_t control_size

cdef struct HandedRing:
    uint8_t* bytes                   # owned, HANDED_BYTES
    uint64_t unused[7]
    uint64_t head
    uint64_t unused_too[7]           # head and tail each have a cache line
    uint64_t tail

cdef inline uint32_t handed_record(uint32_t control_size, uint32_t size) noexcept nogil:
    return (<uint32_t>sizeof(Handed) + control_size + size + 7) & <uint32_t>0xFFFFFFF8

cdef inline Handed* handed_put(HandedRing* ring, const Handed* head, const uint8_t* control, const uint8_t* data,
                               uint64_t spared) noexcept nogil:
    """Put a datagram in; NULL where there is no room, or none but `spared` bytes. Only the thread calls it.

    head  all but `record` filled
    """
    cdef uint32_t record = handed_record(head.control_size, head.size)
    cdef uint64_t at = ring.head & <uint64_t>(HANDED_BYTES - 1)
    cdef uint64_t skipped = HANDED_BYTES - at if record > HANDED_BYTES - at else 0
    cdef Handed* put
    if ring.head - acquire_64(&ring.tail) + skipped + record + spared > <uint64_t>HANDED_BYTES:
        return NULL
    if skipped:
        (<Handed*>(ring.bytes + at)).record = 0
        at = 0
    put = <Handed*>(ring.bytes + at)
    put[0] = head[0]
    put.record = record
    memcpy(ring.bytes + at + sizeof(Handed), control, head.control_size)
    memcpy(ring.bytes + at + sizeof(Handed) + head.control_size, data, head.size)
    publish_64(&ring.head, ring.head + skipped + record)
    return put

cdef inline const Handed* handed_next(HandedRing* ring) noexcept nogil:
    """Return the oldest record, which stays until handed_drop, or NULL. Only the loop calls it."""
    cdef const Handed* found
    cdef uint64_t at
    if ring.tail == acquire_64(&ring.head):
        return NULL
    at = ring.tail & <uint64_t>(HANDED_BYTES - 1)
    found = <const Handed*>(ring.bytes + at)
    if found.record == 0:
        publish_64(&ring.tail, ring.tail + HANDED_BYTES - at)
        found = <const Handed*>ring.bytes
    return found

cdef inline const uint8_t* handed_control(const Handed* handed) noexcept nogil:
    return <const uint8_t*>handed + sizeof(Handed)

cdef inline const uint8_t* handed_data(const Handed* handed) noexcept nogil:
    return <const uint8_t*>handed + sizeof(Handed) + handed.control_size

cdef inline void handed_drop(HandedRing* ring, const Handed* handed) noexcept nogil:
    """Give the room of the oldest record free."""
    publish_64(&ring.tail, ring.tail + handed.record)
