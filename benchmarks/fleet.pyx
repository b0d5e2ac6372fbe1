"""A fleet of paths in the engine's own table and wheel, driven in C as the engine drives them."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from codec.batch cimport NO_PATH
from codec.frame cimport NUMBER_NONE, number_pack
from codec.words cimport PROTOCOL_DC09
from engine.index cimport Slot, index_fetch
from engine.learned cimport SEEN_CLEAR, Learned, learned_add
from engine.paths cimport (PATH_UP, Path, PathKey, PathTable, path_fetch, path_find, path_find_hashed, path_hash)
from engine.supervise.wheel cimport Link, Wheel
from engine.touch cimport path_touch

cdef enum:
    DUE_ROOM = 4096
    TOGETHER = 64                # lookups whose lines are fetched together, as one round of datagrams has
    WALL_MS = 1767225600000


cdef void key_of(uint32_t account, PathKey* key) noexcept nogil:
    cdef int i
    cdef uint8_t digit
    memset(key, 0, sizeof(PathKey))
    for i in range(6):
        digit = account >> (20 - 4 * i) & 0xF
        key.account[i] = digit + (48 if digit < 10 else 55)
    key.account_size = 6
    key.protocol = PROTOCOL_DC09
    key.receiver = key.network = NUMBER_NONE
    key.line = number_pack(0, 1)


cdef class Fleet:
    cdef PathTable paths
    cdef Wheel wheel
    cdef uint32_t count

    def __init__(self, uint32_t count):
        self.paths = PathTable(count, bytes(16))
        self.paths.listener("default", "")
        self.count = count

    @property
    def table(self):
        return self.paths

    def enrol(self, uint32_t supervision_ms):
        cdef PathKey key
        cdef uint32_t i
        with nogil:
            for i in range(self.count):
                key_of(i, &key)
                assert self.paths.add(&key, supervision_ms, 0, WALL_MS) == i
                self.paths.set_state(i, PATH_UP)

    def show_habits(self):
        cdef uint32_t i
        with nogil:
            for i in range(self.count):
                learned_add(&self.paths.learned[i], SEEN_CLEAR)

    def sizes(self):
        cdef uint64_t count = self.count
        return {"record": count * sizeof(Path), "sibling": count * sizeof(uint32_t),
                "enrolled": count * sizeof(int64_t), "learned": count * sizeof(Learned),
                "index_by_key": (self.paths.by_key.mask + 1) * sizeof(Slot),
                "index_by_transmitter": (self.paths.by_transmitter.mask + 1) * sizeof(Slot),
                "wheel": count * sizeof(Link), "given": count * sizeof(int64_t)}

    def file(self, const uint32_t[::1] deadline_ms):
        cdef uint32_t i
        self.wheel = Wheel(self.count, 0)
        assert deadline_ms.shape[0] == self.count
        with nogil:
            for i in range(self.count):
                self.wheel.file(i, deadline_ms[i])

    def find(self, const uint32_t[::1] accounts, int64_t heard_ms):
        cdef PathKey key
        cdef uint64_t total = 0
        cdef uint32_t i, number, count = <uint32_t>accounts.shape[0]
        with nogil:
            for i in range(count):
                key_of(accounts[i], &key)
                number = path_find(self.paths.path, &self.paths.by_key, &self.paths.hash_key, &key)
                assert number != NO_PATH
                path_touch(&self.paths.path[number], heard_ms, WALL_MS + heard_ms)
                total += number
        return total

    def find_together(self, const uint32_t[::1] accounts, int64_t heard_ms):
        cdef PathKey keys[TOGETHER]
        cdef uint64_t hashes[TOGETHER]
        cdef uint64_t total = 0
        cdef uint32_t at = 0, i, number, size, count = <uint32_t>accounts.shape[0]
        with nogil:
            while at < count:
                size = min(count - at, <uint32_t>TOGETHER)
                for i in range(size):
                    key_of(accounts[at + i], &keys[i])
                    hashes[i] = path_hash(&self.paths.hash_key, &keys[i])
                    index_fetch(&self.paths.by_key, hashes[i])
                for i in range(size):
                    path_fetch(self.paths.path, self.paths.learned, &self.paths.by_key, hashes[i])
                for i in range(size):
                    number = path_find_hashed(self.paths.path, &self.paths.by_key, hashes[i], &keys[i])
                    assert number != NO_PATH
                    path_touch(&self.paths.path[number], heard_ms, WALL_MS + heard_ms)
                    total += number
                at += size
        return total

    def touch(self, uint32_t first, uint32_t step, int64_t heard_ms):
        cdef uint32_t i = first
        with nogil:
            while i < self.count:
                path_touch(&self.paths.path[i], heard_ms, WALL_MS + heard_ms)
                i += step

    def touch_once_in(self, uint32_t period, uint32_t second):
        cdef uint32_t i, round_number = second // period, turn = second % period
        cdef uint64_t mixed
        with nogil:
            for i in range(self.count):
                mixed = (<uint64_t>round_number << 32 | i) * <uint64_t>0x9E3779B97F4A7C15
                mixed = (mixed ^ mixed >> 32) * <uint64_t>0xD6E8FEB86659FD93
                if (mixed >> 32) % period == turn:
                    path_touch(&self.paths.path[i], <int64_t>second * 1000, WALL_MS + <int64_t>second * 1000)

    def look(self, int64_t now_ms):
        cdef uint32_t due[DUE_ROOM]
        cdef uint32_t count, i, number
        cdef uint64_t visits = 0
        cdef int64_t deadline_ms
        with nogil:
            while True:
                count = self.wheel.advance(now_ms, due, DUE_ROOM)
                for i in range(count):
                    number = due[i]
                    deadline_ms = self.paths.path[number].heard_ms + self.paths.path[number].supervision_ms
                    assert deadline_ms >= now_ms, "a path of a living fleet fell due"
                    self.wheel.file(number, deadline_ms)
                visits += count
                if count < DUE_ROOM and not self.wheel.behind(now_ms):
                    break
        return visits
