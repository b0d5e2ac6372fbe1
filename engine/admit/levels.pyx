"""The memory of status words; see levels.pxd.

Rejected: the hash alone as the key (a collision would take one detector's word for another's, and a fire could go
unreported), and an entry for every component that ever reported (quiet ones are by far the most, and a quiet component
needs no memory: no word is the same as the word 0), and to forget all words of a path at its reset (a list of each
path's entries, or a pass over all of them, which whoever sends resets could make us do for ever).
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

cdef enum:
    LEVELS_VERSION = 2

cdef packed struct SavedHead:
    uint32_t version
    uint32_t count
    HashKey  hash_key

cdef packed struct SavedLevel:       # its key follows
    uint32_t path
    uint16_t word
    uint16_t resets
    uint8_t  key_size


cdef inline uint16_t next_reset(uint16_t resets) noexcept nogil:
    """Never 0, which an entry has that no reset was ever reported for."""
    return resets + 1 if resets != 0xFFFF else 1


cdef class Levels:
    def __cinit__(self, uint32_t entries_max, uint32_t changes_max, bytes hash_key not None):
        """changes_max: words and resets that may wait for their append; a row brings one of each at most."""
        assert sizeof(Level) == LEVEL_BYTES_MAX
        self.entries_max = entries_max
        self.changes_max = changes_max
        self.hash_key.first, self.hash_key.second = struct.unpack("<QQ", hash_key)
        self.entries = <Level*>memory_reserve(<size_t>entries_max * sizeof(Level))
        self.free = <uint32_t*>memory_reserve(<size_t>entries_max * sizeof(uint32_t))
        self.changes = <Change*>memory_reserve(<size_t>changes_max * sizeof(Change))
        self.may_have_reset = <uint8_t*>memory_reserve(RESET_BITS // 8)
        index_create(&self.by_key, entries_max)

    def __dealloc__(self):
        memory_release(self.entries, <size_t>self.entries_max * sizeof(Level))
        memory_release(self.free, <size_t>self.entries_max * sizeof(uint32_t))
        memory_release(self.changes, <size_t>self.changes_max * sizeof(Change))
        memory_release(self.may_have_reset, RESET_BITS // 8)
        index_destroy(&self.by_key)

    def __len__(self):
        return self.used - self.free_count

    cdef uint32_t key_of(self, const Columns* c, uint32_t row, uint32_t source, uint8_t* key) noexcept nogil:
        """Write what names a row's component, apart from its path; return its size, 0 when it is too long for a key.

        source   of the row's level, or RESETS, which has no point
        """
        cdef uint32_t at = 1
        key[0] = <uint8_t>source
        if 1 + c.point[row].size + (2 + c.account[row].size + c.realm[row].size) > LEVEL_KEY_BYTES_MAX:
            return 0
        if source != RESETS:
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

    cdef Sought look(self, const Columns* c, uint32_t row, uint32_t source, uint8_t* key) noexcept nogil:
        """Look for an entry of a row's transmitter; `key` is filled, LEVEL_KEY_BYTES_MAX bytes."""
        cdef Sought sought
        cdef HashKey hash_key = self.hash_key
        sought.size = self.key_of(c, row, source, key)
        sought.hash = 0
        sought.number = LEVEL_UNKNOWN
        sought.resets = 0
        if sought.size:
            hash_key.second ^= <uint64_t>c.path[row] << 16
            sought.hash = siphash(&hash_key, key, sought.size)
            sought.number = self.find(sought.hash, c.path[row], key, sought.size)
        return sought

    cdef uint16_t resets_of(self, const Columns* c, uint32_t row) noexcept nogil:
        cdef uint8_t key[LEVEL_KEY_BYTES_MAX]
        cdef Sought sought
        if not self.may_have_reset[c.path[row] % RESET_BITS // 8] >> (c.path[row] % 8) & 1:
            return 0                         # the usual case: without a look that misses the cache
        sought = self.look(c, row, RESETS, key)
        return self.entries[sought.number].word if sought.number != LEVEL_UNKNOWN else 0

    cdef Sought seek(self, const Columns* c, uint32_t row, uint8_t* key) noexcept nogil:
        """Look for the entry of a level row's component; one that is quiet has none, and needs no second look."""
        cdef Sought sought = self.look(c, row, level_source(c.level[row]), key)
        if sought.number != LEVEL_UNKNOWN:
            sought.resets = self.resets_of(c, row)
        return sought

    cdef uint16_t compared(self, const Sought* sought, uint16_t word) noexcept nogil:
        """The word that `word` is compared with: the last one, or after a reset that without what `word` says too."""
        cdef const Level* entry
        if sought.number == LEVEL_UNKNOWN:
            return 0
        entry = &self.entries[sought.number]
        return entry.word if entry.resets == sought.resets else entry.word & <uint16_t>~word

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
        if key[0] == RESETS:
            self.may_have_reset[path % RESET_BITS // 8] |= <uint8_t>(1 << path % 8)
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

    cdef bint says_nothing_new(self, const Columns* c, uint32_t row, uint64_t* ticket) noexcept nogil:
        """Tell whether a level row's word is the last one of its component; raise `ticket` to what that waits for."""
        cdef uint8_t key[LEVEL_KEY_BYTES_MAX]
        cdef Sought sought = self.seek(c, row, key)
        if level_changes(c.level[row], self.compared(&sought, <uint16_t>(c.level[row] & LEVEL_BITS))):
            return False
        if sought.number != LEVEL_UNKNOWN:
            ticket[0] = max(ticket[0], self.entries[sought.number].ticket)
        return True

    cdef int sift(self, Columns* c, uint32_t row) noexcept nogil:
        """Compare the level row, the batch's last, with the last word of its component; make signals of what is new.

        Returns  how many signals; 0: nothing is new, the row is as it was; -1: no room, likewise
        """
        cdef uint8_t key[LEVEL_KEY_BYTES_MAX]
        cdef Sought sought = self.seek(c, row, key)
        cdef uint32_t number = sought.number
        cdef uint16_t word = <uint16_t>(c.level[row] & LEVEL_BITS), before = self.compared(&sought, word)
        cdef int signals
        if self.head - self.tail == self.changes_max:
            return -1 if level_changes(word, before) else 0
        signals = level_expand(c, row, before)
        if signals <= 0:
            return signals
        if number == LEVEL_UNKNOWN and sought.size:
            number = self.add(sought.hash, c.path[row], key, sought.size)
        if number == LEVEL_UNKNOWN:
            self.unremembered += 1
            return signals
        self.change(number, word, self.resets_of(c, row))
        return signals

    cdef void change(self, uint32_t number, uint16_t word, uint16_t resets) noexcept nogil:
        """Give an entry a word that is not durable yet; there is room for the change."""
        cdef Level* entry = &self.entries[number]
        cdef Change* change = &self.changes[self.head % self.changes_max]
        change.entry = number
        change.word = word
        change.word_before = entry.word
        change.resets = resets
        change.resets_before = entry.resets
        change.ticket_before = entry.ticket
        change.ticket = entry.ticket = TICKET_UNSEALED
        entry.word = word
        entry.resets = resets
        entry.waiting += 1
        self.head += 1

    cdef void reset(self, const Columns* c, uint32_t row, uint64_t since) noexcept nogil:
        """Count a reset that a transmitter reports; the words since `since` came with it and are not older."""
        cdef uint8_t key[LEVEL_KEY_BYTES_MAX]
        cdef Sought sought = self.look(c, row, RESETS, key)
        cdef uint32_t number = sought.number
        cdef uint64_t at
        cdef uint16_t resets
        cdef bint room = self.head - self.tail < self.changes_max
        if number == LEVEL_UNKNOWN and sought.size and room:
            number = self.add(sought.hash, c.path[row], key, sought.size)
        if number == LEVEL_UNKNOWN or not room:
            self.unremembered += 1
            return
        resets = next_reset(self.entries[number].word)
        for at in range(since, self.head):
            self.changes[at % self.changes_max].resets = resets
            self.entries[self.changes[at % self.changes_max].entry].resets = resets
        self.change(number, resets, 0)

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
            self.entries[change.entry].resets = change.resets_before
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
            entry.durable_resets = change.resets
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
            entry.resets = entry.durable_resets
            entry.ticket = TICKET_DURABLE
            entry.waiting -= 1
            self.drop_quiet(number)

    cdef void replay(self, const Columns* c, uint32_t row) noexcept nogil:
        """Take the word of a journalled signal as the last one of its component."""
        cdef uint8_t key[LEVEL_KEY_BYTES_MAX]
        cdef Sought sought = self.seek(c, row, key)
        cdef uint32_t number = sought.number
        cdef uint16_t word = c.level[row] & LEVEL_BITS
        if number == LEVEL_UNKNOWN:
            if word == 0 or sought.size == 0:
                return
            number = self.add(sought.hash, c.path[row], key, sought.size)
            if number == LEVEL_UNKNOWN:
                self.unremembered += 1
                return
        self.entries[number].word = self.entries[number].durable_word = word
        self.entries[number].resets = self.entries[number].durable_resets = self.resets_of(c, row)
        self.drop_quiet(number)

    cdef void replay_reset(self, const Columns* c, uint32_t row) noexcept nogil:
        """Count a journalled reset."""
        self.reset(c, row, self.head)
        self.seal(self.tail, TICKET_DURABLE)
        self.set_durable(TICKET_DURABLE)

    cdef bint is_saved(self, uint32_t number) noexcept nogil:
        return self.entries[number].key_size != 0 and self.entries[number].durable_word != 0

    cdef size_t saved_bytes(self) noexcept nogil:
        """How many bytes `save_to` writes."""
        cdef uint32_t number
        cdef size_t size = sizeof(SavedHead)
        for number in range(self.used):
            if self.is_saved(number):
                size += sizeof(SavedLevel) + self.entries[number].key_size
        return size

    cdef void save_to(self, uint8_t* out) noexcept nogil:
        """Write every durable word that is not quiet: a head, then each with its key behind it.

        out      filled; as many bytes as saved_bytes says
        """
        cdef SavedHead head
        cdef SavedLevel saved
        cdef const Level* entry
        cdef uint32_t number
        cdef uint8_t* at = out + sizeof(SavedHead)
        head.version = LEVELS_VERSION
        head.count = 0
        head.hash_key = self.hash_key
        for number in range(self.used):
            if self.is_saved(number):
                entry = &self.entries[number]
                saved.path = entry.path
                saved.word = entry.durable_word
                saved.resets = entry.durable_resets
                saved.key_size = entry.key_size
                memcpy(at, &saved, sizeof(SavedLevel))
                memcpy(at + sizeof(SavedLevel), entry.key, entry.key_size)
                at += sizeof(SavedLevel) + entry.key_size
                head.count += 1
        memcpy(out, &head, sizeof(SavedHead))

    def save(self):
        cdef bytes out = PyBytes_FromStringAndSize(NULL, self.saved_bytes())
        self.save_to(<uint8_t*>PyBytes_AS_STRING(out))
        return out

    def load(self, bytes saved not None):
        """Fill an empty memory from what `save` gave; raises ValueError when it is no such thing.

        What finds no room, because the memory was made smaller, is forgotten: said again, it is new.
        """
        cdef const uint8_t* at = <const uint8_t*>PyBytes_AS_STRING(saved)
        cdef const uint8_t* end = at + len(saved)
        cdef const uint8_t* key
        cdef SavedHead head
        cdef SavedLevel level
        cdef HashKey hash_key
        cdef uint32_t number, done
        if self.used:
            raise ValueError("words are already remembered")
        if <size_t>len(saved) < sizeof(SavedHead):
            raise ValueError("memory of status words of the wrong version or length")
        memcpy(&head, at, sizeof(SavedHead))
        at += sizeof(SavedHead)
        if head.version != LEVELS_VERSION:
            raise ValueError("memory of status words of the wrong version or length")
        self.hash_key = head.hash_key
        for done in range(head.count):
            if <size_t>(end - at) < sizeof(SavedLevel):
                raise ValueError("memory of status words of the wrong version or length")
            memcpy(&level, at, sizeof(SavedLevel))
            key = at + sizeof(SavedLevel)
            if level.key_size == 0 or level.key_size > LEVEL_KEY_BYTES_MAX or end - key < level.key_size:
                raise ValueError("memory of status words of the wrong version or length")
            at = key + level.key_size
            hash_key = self.hash_key
            hash_key.second ^= <uint64_t>level.path << 16
            number = self.add(siphash(&hash_key, key, level.key_size), level.path, key, level.key_size)
            if number == LEVEL_UNKNOWN:
                self.unremembered += 1
                continue
            self.entries[number].word = self.entries[number].durable_word = level.word
            self.entries[number].resets = self.entries[number].durable_resets = level.resets
        if at != end:
            raise ValueError("memory of status words of the wrong version or length")

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
