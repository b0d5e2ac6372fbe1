"""The records of named transmitters; see roster.pxd."""
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from codec.aes cimport aes_key_set
from codec.words cimport PROTOCOL_TOCSIN
from engine.index cimport INDEX_NONE, Probe, index_create, index_destroy, index_first, index_next, index_put
from engine.memory cimport memory_release, memory_reserve, memory_reserve_wide
from engine.siphash cimport siphash


cdef enum:
    FIELDS = 10                      # of CHANGE_TRANSMITTER


cdef class Roster:
    def __cinit__(self, uint32_t room, uint64_t hash_first, uint64_t hash_second):
        self.room = room
        self.hash_key.first, self.hash_key.second = hash_first, hash_second
        self.entries = <Registered*>memory_reserve_wide(<size_t>room * sizeof(Registered))
        self.secrets = <Secret*>memory_reserve(<size_t>room * sizeof(Secret))
        index_create(&self.by_name, room, True)
        index_create(&self.by_secret, room)

    def __dealloc__(self):
        memory_release(self.entries, <size_t>self.room * sizeof(Registered))
        memory_release(self.secrets, <size_t>self.room * sizeof(Secret))
        index_destroy(&self.by_name)
        index_destroy(&self.by_secret)

    cdef uint32_t find(self, const PathKey* name) noexcept nogil:
        """Return the number of a record, or ROSTER_NONE."""
        return self.find_hashed(name, self.hash(name)) if self.count else ROSTER_NONE

    cdef uint64_t hash(self, const PathKey* name) noexcept nogil:
        return siphash(&self.hash_key, <const uint8_t*>name, sizeof(PathKey))

    cdef uint32_t find_hashed(self, const PathKey* name, uint64_t hash) noexcept nogil:
        cdef Probe probe = index_first(&self.by_name, hash)
        cdef uint32_t number
        while True:
            number = index_next(&self.by_name, &probe)
            if number == INDEX_NONE:
                return ROSTER_NONE
            if memcmp(&self.entries[number].key, name, sizeof(PathKey)) == 0:
                return number

    cdef uint32_t add(self, const PathKey* name, uint64_t hash) noexcept nogil:
        """Add a record that is absent; ROSTER_NONE where there is no room. hash: of the name."""
        cdef uint32_t number = self.count
        cdef const Secret* secret
        if number == self.room:
            return ROSTER_NONE
        memset(&self.entries[number], 0, sizeof(Registered))
        self.entries[number].key = name[0]
        secret = self.secret_named(name)
        if secret != NULL and has_key(secret):
            self.entries[number].secret = <uint32_t>(secret - self.secrets) + 1
        index_put(&self.by_name, hash, number)
        self.count += 1
        return number

    cdef Secret* secret_named(self, const PathKey* name) noexcept nogil:
        cdef Probe probe
        cdef uint32_t number
        if self.secret_count == 0:
            return NULL
        probe = index_first(&self.by_secret, siphash(&self.hash_key, <const uint8_t*>name, sizeof(PathKey)))
        while True:
            number = index_next(&self.by_secret, &probe)
            if number == INDEX_NONE:
                return NULL
            if memcmp(&self.secrets[number].key, name, sizeof(PathKey)) == 0:
                return &self.secrets[number]

    cdef int set_key(self, const PathKey* name, bytes key) except -1:
        """Give a transmitter a key, whether it has a record or not; an empty one takes it away.

        Raises  ValueError: not as long as its protocol has it, or there is no room
        """
        cdef Secret* secret = self.secret_named(name)
        cdef Secret made
        cdef uint32_t number = self.find(name)
        memset(&made, 0, sizeof(Secret))
        made.key = name[0]
        if key:
            fill_secret(&made, key)
        elif secret == NULL:
            return 0
        if secret == NULL:
            if self.secret_count == self.room:
                raise ValueError("there is no room for another key")
            secret = &self.secrets[self.secret_count]
            index_put(&self.by_secret, siphash(&self.hash_key, <const uint8_t*>name, sizeof(PathKey)),
                      self.secret_count)
            self.secret_count += 1
        self.keyed -= has_key(secret)
        secret[0] = made
        self.keyed += has_key(secret)
        memset(&made, 0, sizeof(Secret))
        if number != ROSTER_NONE:
            self.entries[number].secret = <uint32_t>(secret - self.secrets) + 1 if key else 0
        return 0

    cdef const Secret* secret_of(self, const Registered* entry) noexcept nogil:
        """Return the key of a transmitter, or NULL."""
        return &self.secrets[entry.secret - 1] if entry.secret else NULL

    def chunks(self, uint32_t count, bytes head):
        """Yield `head` and then `count` records, to be drawn on any thread."""
        cdef uint32_t at = 0, size
        yield head
        while at < count:
            size = min(<uint32_t>ROSTER_CHUNK, count - at)
            yield (<const char*>(self.entries + at))[:size * sizeof(Registered)]
            at += size

    def load(self, saved, uint32_t count, list realms):
        """Take in `count` records; return how many found no room. Raises ValueError.

        realms  the number that each realm has now, by the one that it had
        """
        cdef const unsigned char[::1] data = saved
        cdef uint32_t i, number, refused = 0
        cdef uint64_t hash
        cdef Registered one
        if <size_t>data.shape[0] != <size_t>count * sizeof(Registered):
            raise ValueError("registered transmitters of the wrong length")
        for i in range(count):
            memcpy(&one, &data[i * sizeof(Registered)], sizeof(Registered))
            if one.key.listener >= <uint32_t>len(realms):
                raise ValueError("registered transmitters of another engine")
            one.key.listener = realms[one.key.listener]
            hash = self.hash(&one.key)
            number = self.add(&one.key, hash) if self.find_hashed(&one.key, hash) == ROSTER_NONE else ROSTER_NONE
            if number == ROSTER_NONE:
                refused += 1
                continue
            one.secret = self.entries[number].secret
            self.entries[number] = one
        return refused


cdef bint has_key(const Secret* secret) noexcept nogil:
    return secret.aes.rounds != 0 or secret.has_mac_key


cdef int fill_secret(Secret* secret, bytes key) except -1:
    """Raises ValueError."""
    account = secret.key.account[:secret.key.account_size].decode("ascii", "replace")
    if secret.key.protocol == PROTOCOL_TOCSIN:
        if len(key) != sizeof(secret.mac_key):
            raise ValueError(f"the key of account {account!r} has {len(key)} bytes; the Tocsin profile takes 32")
        memcpy(secret.mac_key, PyBytes_AS_STRING(key), len(key))
        secret.has_mac_key = True
    elif not aes_key_set(&secret.aes, <const uint8_t*>PyBytes_AS_STRING(key), len(key)):
        raise ValueError(f"the key of account {account!r} has {len(key)} bytes; allowed are 16, 24 or 32")
    return 0


cdef void entry_fill(Registered* entry, const uint8_t* native, uint32_t size) noexcept nogil:
    """Read the fields of a CHANGE_TRANSMITTER, which words.pxd names, from the second one on.

    Whole numbers; anything else is 0, and what is too large the largest.
    """
    cdef uint32_t number[FIELDS]
    cdef const uint8_t* end = native + size
    cdef uint64_t value = 0
    cdef uint32_t field = 0
    cdef bint whole = True
    memset(number, 0, sizeof(number))
    while field < FIELDS and native <= end:
        if native == end or native[0] == c'\t':
            number[field] = <uint32_t>value if whole else 0
            field += 1
            value = 0
            whole = True
        elif c'0' <= native[0] <= c'9':
            value = min(value * 10 + native[0] - c'0', <uint64_t>0xFFFFFFFF)
        else:
            whole = False
        native += 1
    entry.supervision_ms, entry.alternate_ms, entry.alternate_alone_ms = number[1], number[2], number[3]
    entry.window_past_s = <int32_t>min(number[5], <uint32_t>0x7FFFFFFF)
    entry.window_future_s = <int32_t>min(number[6], <uint32_t>0x7FFFFFFF)
    entry.check_clear_stamps, entry.encrypted_only = number[7] != 0, number[8] != 0
    entry.reject_stale = number[9] != 0
