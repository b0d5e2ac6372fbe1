"""The memory of status words; see levels.pxd.

Rejected: the hash alone as the key (a collision would take one detector's word for another's, and a fire could go
unreported), and an entry for every component that ever reported (quiet ones are by far the most, and a quiet component
needs no memory: no word is the same as the word 0).
"""
import struct

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memcmp, memcpy, memset

from codec.batch cimport NO_PATH
from codec.gbt26875_levels cimport LEVEL_BITS, level_changes, level_expand, level_source
from engine.index cimport (INDEX_NONE, Probe, index_create, index_destroy, index_first, index_next, index_put,
                           index_remove)
from engine.intake cimport TICKET_DURABLE
from engine.memory cimport memory_release, memory_reserve
from engine.siphash cimport siphash

LEVELS_VERSION = 1


cdef class Levels:
    def __cinit__(self, uint32_t entries_max, uint32_t changes_max, bytes hash_key not None):
        """changes_max: words that may wait for their append, never more than rows that wait."""
        assert sizeof(Level) == LEVEL_BYTES_MAX
        self.entries_max = entries_max
        self.changes_max = changes_max
        self.hash_key.first, self.hash_key.second = struct.unpack("<QQ", hash_key)
        self.entries = <Level*>memory_reserve(<size_t>entries_max * sizeof(Level))
        self.free = <uint32_t*>memory_reserve(<size_t>entries_max * sizeof(uint32_t))
        self.changes = <Change*>memory_reserve(<size_t>changes_max * sizeof(Change))
        index_create(&self.by_key, entries_max)

    def __dealloc__(self):
        memory_release(self.entries, <size_t>self.entries_max * sizeof(Level))
        memory_release(self.free, <size_t>self.entries_max * sizeof(uint32_t))
        memory_release(self.changes, <size_t>self.changes_max * sizeof(Change))
        index_destroy(&self.by_key)

    def __len__(self):
        return self.used - self.free_count

    cdef uint32_t key_of(self, const Columns* c, uint32_t row, uint8_t* key) noexcept nogil:
        """Write what names a row's component, apart from its path; return its size, 0 when it is too long for a key."""
        cdef uint32_t at = 1
        key[0] = <uint8_t>level_source(c.level[row])
        if 1 + c.point[row].size + (2 + c.account[row].size + c.realm[row].size) > LEVEL_KEY_BYTES_MAX:
            return 0
        memcpy(key + at, c.arena + c.point[row].at, c.point[row].size)
        at += c.point[row].size
        if c.path[row] == NO_PATH:           # nobody's path: account and realm, each behind a byte that no text holds
            key[at] = 0
            memcpy(key + at + 1, c.arena + c.account[row].at, c.account[row].size)
            at += 1 + c.account[row].size
            key[at] = 0
            memcpy(key + at + 1, c.arena + c.realm[row].at, c.realm[row].size)
            at += 1 + c.realm[row].size
        return at

    cdef uint32_t find(self, uint64_t hash, uint32_t path, const uint8_t* key, uint32_t size) noexcept nogil:
        cdef Probe probe = index_first(&self.by_key, hash)
        cdef uint32_t number
        while True:
            number = index_next(&self.by_key, &probe)
            if number == INDEX_NONE:
                return LEVEL_UNKNOWN
            if self.entries[number].hash == hash and self.entries[number].path == path \
                    and self.entries[number].key_size == size and memcmp(self.entries[number].key, key, size) == 0:
                return number

    cdef uint32_t add(self, uint64_t hash, uint32_t path, const uint8_t* key, uint32_t size) noexcept nogil:
        """Make an entry for a component that has none; LEVEL_UNKNOWN when there is no room."""
        cdef uint32_t number
        if self.free_count:
            self.free_count -= 1
            number = self.free[self.free_count]
        elif self.used < self.entries_max:
            number = self.used
            self.used += 1
        else:
            return LEVEL_UNKNOWN
        memset(&self.entries[number], 0, sizeof(Level))
        self.entries[number].hash = hash
        self.entries[number].path = path
        self.entries[number].key_size = size
        memcpy(self.entries[number].key, key, size)
        index_put(&self.by_key, hash, number)
        return number

    cdef void drop_quiet(self, uint32_t number) noexcept nogil:
        """Let an entry go whose component is quiet, and on the disk too."""
        cdef Level* entry = &self.entries[number]
        if entry.word == 0 and entry.durable_word == 0 and entry.waiting == 0:
            index_remove(&self.by_key, entry.hash, number)
            entry.key_size = 0
            self.free[self.free_count] = number
            self.free_count += 1

    cdef int sift(self, Columns* c, uint32_t row, uint64_t* ticket) noexcept nogil:
        """Compare the level row, the batch's last, with the last word of its component; make signals of what is new.

        ticket   raised to what the reply waits for where the word is the same and not durable yet
        Returns  how many signals; 0: nothing is new, the row is as it was; -1: no room, likewise
        """
        cdef uint8_t key[LEVEL_KEY_BYTES_MAX]
        cdef uint32_t size = self.key_of(c, row, key), path = c.path[row], number = LEVEL_UNKNOWN
        cdef uint16_t word = c.level[row] & LEVEL_BITS, before = 0
        cdef uint64_t hash = 0
        cdef HashKey hash_key = self.hash_key
        cdef Change* change
        cdef int signals
        if size:
            hash_key.second ^= <uint64_t>path << 16
            hash = siphash(&hash_key, key, size)
            number = self.find(hash, path, key, size)
        if number != LEVEL_UNKNOWN:
            before = self.entries[number].word
        if level_changes(word, before) == 0:
            if number != LEVEL_UNKNOWN and self.entries[number].ticket != TICKET_UNSEALED:
                ticket[0] = max(ticket[0], self.entries[number].ticket)
            return 0
        if self.head - self.tail == self.changes_max:
            return -1
        signals = level_expand(c, row, before)
        if signals <= 0:
            return signals
        if number == LEVEL_UNKNOWN and size:
            number = self.add(hash, path, key, size)
        if number == LEVEL_UNKNOWN:
            self.unremembered += 1
            return signals
        change = &self.changes[self.head % self.changes_max]
        change.ticket = TICKET_UNSEALED
        change.entry = number
        change.word = word
        change.word_before = before
        change.ticket_before = self.entries[number].ticket
        self.head += 1
        self.entries[number].word = word
        self.entries[number].ticket = TICKET_UNSEALED
        self.entries[number].waiting += 1
        return signals

    cdef void seal(self, uint64_t since, uint64_t ticket) noexcept nogil:
        """The words offered since `since` wait for `ticket`."""
        cdef uint64_t at
        for at in range(since, self.head):
            self.changes[at % self.changes_max].ticket = ticket
            self.entries[self.changes[at % self.changes_max].entry].ticket = ticket

    cdef void take_back(self, uint64_t since) noexcept nogil:
        """Undo the words since `since`: their frame found no room."""
        cdef Change* change
        while self.head != since:
            self.head -= 1
            change = &self.changes[self.head % self.changes_max]
            self.entries[change.entry].word = change.word_before
            self.entries[change.entry].ticket = change.ticket_before
            self.entries[change.entry].waiting -= 1
            self.drop_quiet(change.entry)

    cdef void set_durable(self, uint64_t ticket) noexcept nogil:
        """Every word up to `ticket` is on the disk."""
        cdef Change* change
        cdef Level* entry
        while self.tail != self.head:
            change = &self.changes[self.tail % self.changes_max]
            if change.ticket > ticket:
                return
            entry = &self.entries[change.entry]
            entry.durable_word = change.word
            entry.waiting -= 1
            if entry.waiting == 0:
                entry.ticket = TICKET_DURABLE
            self.tail += 1
            self.drop_quiet(change.entry)

    cdef void fail(self) noexcept nogil:
        """No word that is not durable ever will be."""
        cdef Level* entry
        cdef uint32_t number
        while self.tail != self.head:
            number = self.changes[self.tail % self.changes_max].entry
            entry = &self.entries[number]
            self.tail += 1
            entry.word = entry.durable_word
            entry.ticket = TICKET_DURABLE
            entry.waiting -= 1
            self.drop_quiet(number)

    cdef void replay(self, const Columns* c, uint32_t row) noexcept nogil:
        """Take the word of a journalled signal as the last one of its component."""
        cdef uint8_t key[LEVEL_KEY_BYTES_MAX]
        cdef uint32_t size = self.key_of(c, row, key), path = c.path[row], number
        cdef uint16_t word = c.level[row] & LEVEL_BITS
        cdef HashKey hash_key = self.hash_key
        if size == 0:
            return
        hash_key.second ^= <uint64_t>path << 16
        cdef uint64_t hash = siphash(&hash_key, key, size)
        number = self.find(hash, path, key, size)
        if number == LEVEL_UNKNOWN:
            if word == 0:
                return
            number = self.add(hash, path, key, size)
            if number == LEVEL_UNKNOWN:
                self.unremembered += 1
                return
        self.entries[number].word = self.entries[number].durable_word = word
        self.drop_quiet(number)

    def save(self):
        """Return every durable word that is not quiet, as bytes, with the key of the hashes."""
        cdef uint32_t number, count = 0
        cdef bytes out = PyBytes_FromStringAndSize(NULL, <size_t>len(self) * sizeof(Level))
        cdef Level* target = <Level*>PyBytes_AS_STRING(out)
        with nogil:
            for number in range(self.used):
                if self.entries[number].key_size and self.entries[number].durable_word:
                    target[count] = self.entries[number]
                    target[count].word = target[count].durable_word
                    target[count].ticket = TICKET_DURABLE
                    target[count].waiting = 0
                    count += 1
        return struct.pack("<IIQQ", LEVELS_VERSION, count, self.hash_key.first, self.hash_key.second) \
            + out[:count * sizeof(Level)]

    def load(self, bytes saved not None):
        """Fill an empty memory from what `save` gave; raises ValueError when it is no such thing."""
        if self.used:
            raise ValueError("words are already remembered")
        if len(saved) < 24:
            raise ValueError("memory of status words of the wrong version or length")
        version, entries, first, second = struct.unpack_from("<IIQQ", saved)
        if version != LEVELS_VERSION or len(saved) != 24 + entries * sizeof(Level):
            raise ValueError("memory of status words of the wrong version or length")
        cdef const Level* source = <const Level*>(<const char*>PyBytes_AS_STRING(saved) + 24)
        cdef uint32_t at, number, count = entries
        self.hash_key.first, self.hash_key.second = first, second
        for at in range(count):
            if source[at].key_size == 0 or source[at].key_size > LEVEL_KEY_BYTES_MAX:
                raise ValueError("a status word without a component")
            number = self.add(source[at].hash, source[at].path, source[at].key, source[at].key_size)
            if number == LEVEL_UNKNOWN:
                raise ValueError(f"{count} status words do not fit into admit.levels_max = {self.entries_max}")
            self.entries[number].word = self.entries[number].durable_word = source[at].durable_word

    def check(self):
        """Raise AssertionError unless every entry is found by its key and what waits is in order."""
        cdef uint32_t number, live = 0
        cdef uint64_t at, last = 0
        for number in range(self.used):
            if self.entries[number].key_size:
                live += 1
                assert self.find(self.entries[number].hash, self.entries[number].path, self.entries[number].key,
                                 self.entries[number].key_size) == number
                assert self.entries[number].word or self.entries[number].durable_word or self.entries[number].waiting
                assert (self.entries[number].waiting == 0) == (self.entries[number].ticket == TICKET_DURABLE)
        assert live == len(self) == self.by_key.count
        for at in range(self.tail, self.head):
            assert self.changes[at % self.changes_max].ticket >= last
            last = self.changes[at % self.changes_max].ticket
