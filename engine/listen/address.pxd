# Peer addresses as LISTEN keeps them: 16 bytes, IPv4 mapped into IPv6, and a hash that tells one source from another;
# and the address of ours that a datagram called.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from engine.listen.receiver cimport Arrival
from engine.listen.sockets cimport AF_INET, ntohs, sockaddr_in, sockaddr_in6

cdef enum:
    IPPROTO_IP = 0

cdef inline void set_peer_hash(Arrival* arrival) noexcept nogil:
    """Derive the peer's hash from its address; never 0."""
    cdef uint64_t upper, lower
    memcpy(&upper, arrival.address, 8)
    memcpy(&lower, arrival.address + 8, 8)
    upper = upper * <uint64_t>0xD6E8FEB86659FD93 ^ lower * <uint64_t>0x9E3779B97F4A7C15
    # A product carries upwards alone: without this the lower bits would not know the last bytes of the address.
    upper = (upper ^ upper >> 32) * <uint64_t>0xD6E8FEB86659FD93
    arrival.peer = <uint32_t>(upper >> 32) | 1

cdef inline void note_peer(Arrival* arrival, const sockaddr_in6* peer) noexcept nogil:
    """Write the peer's address, port and hash into `arrival`."""
    cdef const sockaddr_in* four = <const sockaddr_in*>peer
    if peer.sin6_family == AF_INET:
        memset(arrival.address, 0, 10)
        arrival.address[10] = arrival.address[11] = 0xFF
        memcpy(arrival.address + 12, &four.sin_addr, 4)
    else:
        memcpy(arrival.address, &peer.sin6_addr, 16)
    arrival.port = ntohs(peer.sin6_port)
    set_peer_hash(arrival)

cdef inline void leave_interface_open(uint8_t* control, size_t size) noexcept nogil:
    """Keep the address that was called and forget the interface: the way back may be another one.

    control  one cmsghdr of 16 bytes with an in_pktinfo, which begins with the interface; IPv6's keeps it, because a
             link-local address means nothing without
    """
    cdef int level = 0
    if size >= 20:
        memcpy(&level, control + 8, 4)
        if level == IPPROTO_IP:
            memset(control + 16, 0, 4)
