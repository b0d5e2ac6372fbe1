# SipHash-2-4: the keyed hash behind every table whose keys come from the network, so that nobody outside can
# choose keys that collide. Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

cdef struct HashKey:
    uint64_t first
    uint64_t second

cdef struct SipState:
    uint64_t v0
    uint64_t v1
    uint64_t v2
    uint64_t v3

cdef inline uint64_t rotate(uint64_t x, int bits) noexcept nogil:
    return (x << bits) | (x >> (64 - bits))

cdef inline void sip_round(SipState* s) noexcept nogil:
    s.v0 += s.v1
    s.v2 += s.v3
    s.v1 = rotate(s.v1, 13) ^ s.v0
    s.v3 = rotate(s.v3, 16) ^ s.v2
    s.v0 = rotate(s.v0, 32)
    s.v2 += s.v1
    s.v0 += s.v3
    s.v1 = rotate(s.v1, 17) ^ s.v2
    s.v3 = rotate(s.v3, 21) ^ s.v0
    s.v2 = rotate(s.v2, 32)

cdef inline void sip_word(SipState* s, uint64_t word) noexcept nogil:
    s.v3 ^= word
    sip_round(s)
    sip_round(s)
    s.v0 ^= word

cdef inline uint64_t siphash(const HashKey* key, const uint8_t* data, size_t size) noexcept nogil:
    """Hash `size` bytes under `key`."""
    cdef SipState s
    cdef uint64_t word
    cdef size_t at = 0
    s.v0 = key.first ^ <uint64_t>0x736f6d6570736575
    s.v1 = key.second ^ <uint64_t>0x646f72616e646f6d
    s.v2 = key.first ^ <uint64_t>0x6c7967656e657261
    s.v3 = key.second ^ <uint64_t>0x7465646279746573
    while at + 8 <= size:
        memcpy(&word, data + at, 8)
        sip_word(&s, word)
        at += 8
    word = 0
    memcpy(&word, data + at, size - at)
    sip_word(&s, word | (<uint64_t>size << 56))
    s.v2 ^= 0xff
    sip_round(&s)
    sip_round(&s)
    sip_round(&s)
    sip_round(&s)
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3
