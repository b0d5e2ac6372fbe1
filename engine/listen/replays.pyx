"""The memory of encrypted frames; see replays.pxd."""
import struct

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from engine.siphash cimport siphash

SLOTS_MIN = 1024


cdef struct Name:                # what makes two encrypted frames the same: sender, number and time
    PathKey  key
    int64_t  stamp_ns
    uint32_t sequence
    uint32_t token


cdef class Replays:
    def __cinit__(self, uint64_t frames, int64_t span_ns, bytes hash_key not None):
        """frames: how many may come in `span_ns`; more are remembered for a shorter time."""
        self.slots_wanted = SLOTS_MIN
        self.plan(frames, span_ns)
        self.hash_key.first, self.hash_key.second = struct.unpack("<QQ", hash_key)
        for which in range(2):
            self.slots[<int>which] = self.slots_wanted
            self.sets[<int>which] = <uint64_t*>calloc(self.slots_wanted, sizeof(uint64_t))
            if self.sets[<int>which] == NULL:
                raise MemoryError()

    def __dealloc__(self):
        free(self.sets[0])
        free(self.sets[1])

    def plan(self, uint64_t frames, int64_t span_ns):
        while self.slots_wanted < 2 * frames:
            self.slots_wanted *= 2
        self.span_ns = max(self.span_ns, span_ns)

    cdef bint holds(self, int which, uint64_t hash) noexcept nogil:
        cdef uint64_t mask = self.slots[which] - 1, at = hash & mask
        while self.sets[which][at]:
            if self.sets[which][at] == hash:
                return True
            at = (at + 1) & mask
        return False

    cdef void turn(self, int64_t now_ns) noexcept nogil:
        """Let the younger set be the older one, and begin anew."""
        cdef uint64_t* larger = NULL
        self.younger = 1 - self.younger
        if self.slots[self.younger] < self.slots_wanted:
            larger = <uint64_t*>calloc(self.slots_wanted, sizeof(uint64_t))
        if larger != NULL:
            free(self.sets[self.younger])
            self.sets[self.younger] = larger
            self.slots[self.younger] = self.slots_wanted
        else:
            memset(self.sets[self.younger], 0, self.slots[self.younger] * sizeof(uint64_t))
        self.count = 0
        self.turned_ns = now_ns

    cdef bint is_replay(self, const PathKey* key, const Frame* frame, int64_t now_ns) noexcept nogil:
        """Tell whether a frame, which decrypted well, came before; remember it."""
        cdef Name name
        cdef uint64_t hash, at, mask
        memset(&name, 0, sizeof(Name))
        name.key = key[0]
        name.stamp_ns = frame.stamp_ns
        name.sequence = frame.sequence
        name.token = frame.token
        hash = siphash(&self.hash_key, <const uint8_t*>&name, sizeof(Name)) | 1
        if now_ns - self.turned_ns >= self.span_ns:
            if now_ns - self.turned_ns >= 2 * self.span_ns:
                self.turn(now_ns)            # the younger set is as good as the older one
            self.turn(now_ns)
        if self.holds(self.younger, hash) or self.holds(1 - self.younger, hash):
            self.found += 1
            return True
        if 2 * self.count >= self.slots[self.younger]:
            self.early += 1
            self.turn(now_ns)
        mask = self.slots[self.younger] - 1
        at = hash & mask
        while self.sets[self.younger][at]:
            at = (at + 1) & mask
        self.sets[self.younger][at] = hash
        self.count += 1
        return False
