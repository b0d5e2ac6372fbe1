"""The path table: every path that the engine knows, in flat arrays that only grow.

Rejected: a Python object a path (some 400 bytes and a dictionary look-up a heartbeat); moving records to grow
(a reader on another thread would see them go); the peer address as part of the key (a transmitter behind a mobile
network changes it every day, and would be another one each time).
"""
import struct

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uintptr_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from codec.batch cimport Batch, Columns, Text
from codec.frame cimport NUMBER_NONE
from codec.limits cimport ACCOUNT_BYTES_MAX
from codec.words cimport PROTOCOL_COUNT, ROW_ENROLMENT, STATE_CLEARED, STATE_RAISED
from codec.words import PROTOCOL_NUMBER, PROTOCOL_TEXT
from engine.index cimport index_create, index_destroy
from engine.learned cimport (OFFSET_NONE, SEEN_BCD_CLOCK, SEEN_BINARY_CHECKSUM, SEEN_BINARY_CLOCK,
                             SEEN_CHECKSUM_OVER_CR, SEEN_CLEAR, SEEN_ENCRYPTED, SEEN_NO_HEADER_ACCOUNT,
                             SEEN_NO_LINE_NUMBER, SEEN_REPLAYED, SEEN_UNREADABLE_TOKEN, learned_add, learned_remove)
from engine.memory cimport memory_release, memory_reserve, memory_reserve_wide
from engine.own_rows cimport is_own_line_fault, tells_unreadable_token
from engine.path_key cimport number_of, number_text, write_number
from engine.path_linking cimport (RECORD_KNOWN, RECORD_NEW, RECORD_OTHER, hash_ahead, link_path, take_records,
                                 transmitter_hash)

PATH_STATE_TEXT = {PATH_NEW: "new", PATH_PENDING: "pending", PATH_UP: "up", PATH_RAISING: "up", PATH_FAULT: "fault",
                   PATH_RETURNED: "fault", PATH_CLEARING: "fault"}
SEEN_TEXT = {
    SEEN_ENCRYPTED: "encrypted frames", SEEN_CLEAR: "clear frames", SEEN_BINARY_CHECKSUM: "checksum as two raw bytes",
    SEEN_CHECKSUM_OVER_CR: "checksum covers the CR", SEEN_NO_LINE_NUMBER: "no line number",
    SEEN_NO_HEADER_ACCOUNT: "account in the data alone", SEEN_UNREADABLE_TOKEN: "a token that is not read",
    SEEN_BCD_CLOCK: "clock in BCD", SEEN_BINARY_CLOCK: "clock in binary", SEEN_REPLAYED: "a frame that was replayed",
}
SNAPSHOT_CHUNK_PATHS = 65536     # records, then times of enrolment, then habits of so many
PIECE_BYTES = 1 << 18            # of a snapshot, copied at once: it stays in a processor's cache until it is written


cdef char protocol_name[PROTOCOL_COUNT][16]


cdef int fill_protocols() except -1:
    cdef bytes text
    for number, name in PROTOCOL_TEXT.items():
        text = name.encode()
        memcpy(protocol_name[<int>number], PyBytes_AS_STRING(text), len(text) + 1)
    return 0


fill_protocols()


cdef bytes copied(const char* start, size_t size):
    """Copy memory into an object that nobody else has yet, off the interpreter's lock: the loop goes on meanwhile."""
    copy = PyBytes_FromStringAndSize(NULL, size)
    cdef char* out = PyBytes_AS_STRING(copy)
    with nogil:
        memcpy(out, start, size)
    return copy


cdef class PathTable:
    def __cinit__(self, uint32_t paths_max, bytes hash_key not None):
        self.hash_key.first, self.hash_key.second = struct.unpack("<QQ", hash_key)
        self.paths_max = paths_max
        self.path = <Path*>memory_reserve_wide(<size_t>paths_max * sizeof(Path))
        self.sibling = <uint32_t*>memory_reserve(<size_t>paths_max * 4)
        self.enrolled_ms = <int64_t*>memory_reserve(<size_t>paths_max * 8)
        self.learned = <Learned*>memory_reserve_wide(<size_t>paths_max * sizeof(Learned))
        index_create(&self.by_key, paths_max, True)
        index_create(&self.by_transmitter, paths_max, True)
        self.listeners = []
        self.listener_numbers = {}
        self.listener_text = <ListenerText*>calloc(LISTENERS_MAX, sizeof(ListenerText))
        if self.listener_text == NULL:
            raise MemoryError()

    def __dealloc__(self):
        memory_release(self.path, <size_t>self.paths_max * sizeof(Path))
        memory_release(self.sibling, <size_t>self.paths_max * 4)
        memory_release(self.enrolled_ms, <size_t>self.paths_max * 8)
        memory_release(self.learned, <size_t>self.paths_max * sizeof(Learned))
        index_destroy(&self.by_key)
        index_destroy(&self.by_transmitter)
        free(self.listener_text)

    def __len__(self):
        return self.count

    def states_in(self):
        counts = dict.fromkeys(PATH_STATE_TEXT.values(), 0)
        for state, text in PATH_STATE_TEXT.items():
            counts[text] += self.states[<int>state]
        return counts

    def listener(self, str name not None, str realm not None):
        known = self.listener_numbers.get((name, realm))
        if known is not None:
            return known
        cdef uint32_t number = len(self.listeners)
        raw_name, raw_realm = name.encode("ascii"), realm.encode("ascii")
        if number == LISTENERS_MAX or max(len(raw_name), len(raw_realm)) >= LISTENER_TEXT_BYTES_MAX:
            raise ValueError(f"listener {name!r}: too many listeners, or a name or realm of 64 characters and more")
        cdef ListenerText* text = &self.listener_text[number]
        memcpy(text.name, PyBytes_AS_STRING(raw_name), len(raw_name) + 1)
        memcpy(text.realm, PyBytes_AS_STRING(raw_realm), len(raw_realm) + 1)
        text.realm_size = len(raw_realm)
        self.listeners.append((name, realm))
        self.listener_numbers[name, realm] = number
        return number

    cdef uint32_t add(self, const PathKey* key, uint32_t supervision_ms, int64_t heard_ms,
                      int64_t seen_ms) noexcept nogil:
        """Add a path that the caller knows to be absent; return its number, or NO_PATH when the table is full."""
        if self.count == self.paths_max:
            return NO_PATH
        cdef uint32_t number = self.count
        self.count += 1
        self.states[<int>PATH_NEW] += 1
        self.fill(number, key, supervision_ms, heard_ms, seen_ms)
        return number

    cdef void fill(self, uint32_t number, const PathKey* key, uint32_t supervision_ms, int64_t heard_ms,
                   int64_t seen_ms) noexcept nogil:
        """Write record `number`, which is new and belongs to nobody yet, and enter it into the indexes."""
        cdef Path* path = &self.path[number]
        memset(path, 0, sizeof(Path))
        path.key = key[0]
        path.heard_ms = heard_ms
        path.seen_ms = seen_ms
        path.supervision_ms = supervision_ms
        path.marks = REPORTED_NONE
        self.enrolled_ms[number] = seen_ms
        link_path(self, number, hash_ahead(self, key))

    cdef bint expected(self, uint32_t number) noexcept nogil:
        """Tell whether a path stands for a transmitter that the configuration names, and has never spoken itself."""
        cdef const Path* path = &self.path[number]
        return (load_64(&path.seen_ms) == 0 and path.key.receiver == NUMBER_NONE and path.key.line == NUMBER_NONE
                and path.key.network == NUMBER_NONE)

    cdef void relieve_expected(self, uint32_t expected, uint32_t number) noexcept nogil:
        """End the waiting for a transmitter that now has a path of its own, `number`."""
        cdef ListenerText* here = &self.listener_text[self.path[number].key.listener]
        cdef ListenerText* there = &self.listener_text[self.path[expected].key.listener]
        if (self.expected(expected) and here.realm_size == there.realm_size
                and memcmp(here.realm, there.realm, here.realm_size) == 0):
            self.relieve(expected)

    cdef void relieve(self, uint32_t number) noexcept nogil:
        """Supervise a path no longer; a line fault that it has ends."""
        self.path[number].supervision_ms = 0
        if self.path[number].state == PATH_FAULT:
            self.note_return(number)

    def stop_supervising(self, uint32_t number):
        if number >= self.count:
            raise IndexError(number)
        self.relieve(number)

    def is_expected(self, uint32_t number):
        if number >= self.count:
            raise IndexError(number)
        return bool(self.expected(number))

    cdef void set_state(self, uint32_t number, uint8_t state) noexcept nogil:
        self.states[self.path[number].state] -= 1
        self.states[state] += 1
        store_ordered_8(&self.path[number].state, state)
        if self.changed_count < CHANGED_MAX:
            self.changed[self.changed_count] = number
        self.changed_count += self.changed_count <= CHANGED_MAX

    cdef void note_return(self, uint32_t number) noexcept nogil:
        """Note that a path in fault was heard. When the list is full its next frame tries again."""
        if self.returned_count < RETURNED_MAX:
            self.returned[self.returned_count] = number
            self.returned_count += 1
            self.set_state(number, PATH_RETURNED)

    def supervise(self, uint32_t number, uint32_t supervision_ms):
        if number >= self.count:
            raise IndexError(number)
        self.path[number].supervision_ms = supervision_ms

    cdef PathText write_text(self, uint32_t number, char* out) noexcept nogil:
        """Write a path's key as text into `out`, which has room for PATH_TEXT_BYTES_MAX bytes."""
        cdef PathKey* key = &self.path[number].key
        cdef ListenerText* listener = &self.listener_text[key.listener]
        cdef PathText text
        cdef int at = snprintf(out, 20, b"%s:", protocol_name[key.protocol])
        text.account_at = at
        memcpy(out + at, key.account, key.account_size)
        at += key.account_size
        text.realm_at = at + 1
        text.realm_size = listener.realm_size
        if listener.realm_size:
            at += snprintf(out + at, LISTENER_TEXT_BYTES_MAX + 1, b"@%s", listener.realm)
        text.rest_at = at + 1
        at += snprintf(out + at, LISTENER_TEXT_BYTES_MAX + 1, b"/%s", listener.name)
        at += write_number(out + at, b"R", key.receiver)
        at += write_number(out + at, b"L", key.line)
        at += write_number(out + at, b"N", key.network)
        text.size = at
        return text

    def key_text(self, uint32_t number):
        cdef char out[PATH_TEXT_BYTES_MAX]
        if number >= self.count:
            raise IndexError(number)
        cdef PathText text = self.write_text(number, out)
        return out[:text.size].decode("ascii")

    def transmitter_text(self, uint32_t number):
        cdef char out[PATH_TEXT_BYTES_MAX]
        if number >= self.count:
            raise IndexError(number)
        cdef PathText text = self.write_text(number, out)
        return out[:text.rest_at - 1].decode("ascii")

    def paths_of(self, str transmitter not None):
        cdef PathKey key
        cdef uint32_t number
        memset(&key, 0, sizeof(PathKey))
        protocol, _, rest = transmitter.partition(":")
        account = rest.partition("@")[0].upper().encode("ascii", "replace")
        if protocol not in PROTOCOL_NUMBER or not 0 < len(account) <= ACCOUNT_BYTES_MAX:
            return []
        key.protocol = PROTOCOL_NUMBER[protocol]
        key.account_size = len(account)
        memcpy(key.account, PyBytes_AS_STRING(account), len(account))
        cdef Probe probe = index_first(&self.by_transmitter, transmitter_hash(&self.hash_key, &key))
        found = []
        while True:
            number = index_next(&self.by_transmitter, &probe)
            if number == INDEX_NONE:
                break
            while number != NO_PATH:
                if self.transmitter_text(number).lower() == transmitter.lower():
                    found.append(number)
                number = self.sibling[number]
        return sorted(set(found))

    def is_first(self, uint32_t number):
        """Tell whether a path is the first of its transmitter; False for a record without an account."""
        if number >= self.count:
            raise IndexError(number)
        return self.path[number].key.account_size != 0 and self.paths_of(self.transmitter_text(number))[0] == number

    def scan(self, uint32_t start, state, uint32_t limit):
        cdef uint32_t number, other
        cdef bint wanted
        cdef uint32_t mask = 0
        for value, text in PATH_STATE_TEXT.items():
            mask |= <uint32_t>(state is None or text == state) << <int>value
        found = []
        for number in range(start, self.count):
            if self.path[number].key.account_size == 0:
                continue
            other = number
            wanted = False
            while other != NO_PATH and not wanted:
                wanted = mask >> self.path[other].state & 1
                other = self.sibling[other]
            if wanted and self.is_first(number):
                found.append(number)
                if len(found) == limit:
                    break
        return found

    def show(self, uint32_t number):
        if number >= self.count:
            raise IndexError(number)
        cdef Path* path = &self.path[number]
        return {"path": self.key_text(number), "transmitter": self.transmitter_text(number),
                "state": "new" if path.state == PATH_UP and self.expected(number) else PATH_STATE_TEXT[path.state],
                "last_seen_ms": path.seen_ms or None,
                "enrolled_ms": self.enrolled_ms[number], "supervision_ms": path.supervision_ms or None,
                "listener": self.listeners[path.key.listener][0],
                "receiver": number_text(path.key.receiver), "line": number_text(path.key.line),
                "network": number_text(path.key.network)}

    def habits(self, uint32_t number):
        """Return what frames showed of a path."""
        if number >= self.count:
            raise IndexError(number)
        cdef Learned* learned = &self.learned[number]
        return {"clock_offset_s": None if learned.seen == 0 or learned.offset_s == OFFSET_NONE else learned.offset_s,
                "seen": [text for bit, text in SEEN_TEXT.items() if learned.seen & <int>bit],
                "refused_count": learned.refused_count, "refused_status": learned.refused_status,
                "refused_ms": learned.refused_ms or None}

    def apply(self, Batch batch not None, listening_ms=None):
        """Bring the table to what a journalled batch says; doing it again changes nothing."""
        cdef Columns* c = &batch.columns
        cdef uint32_t row, number
        cdef bint replayed = listening_ms is None
        cdef int64_t now_ms = 0 if replayed else listening_ms
        for row in range(c.count):
            number = c.path[row]
            if c.kind[row] == ROW_ENROLMENT:
                self.enrol_at(number, batch.text(c.native[row]), c.received_ns[row] // 1000000)
                if self.path[number].state < PATH_UP:
                    self.set_state(number, PATH_UP)
            elif is_own_line_fault(c, row) and number < self.count:
                if replayed:
                    self.set_state(number, PATH_FAULT if c.state[row] == STATE_RAISED else PATH_UP)
                else:
                    self.settle(number, c.state[row], now_ms)
            elif tells_unreadable_token(c, row) and number < self.count:
                learned_add(&self.learned[number], SEEN_UNREADABLE_TOKEN)

    cdef void settle(self, uint32_t number, uint8_t state, int64_t now_ms) noexcept nogil:
        """Let a line fault that was on its way arrive. Who spoke meanwhile, and is within its time, has returned.

        Listening time alone can tell: the wall clock may have been set back since the transmitter was last seen.
        """
        cdef Path* path = &self.path[number]
        if state == STATE_RAISED and path.state == PATH_RAISING:
            self.set_state(number, PATH_FAULT)
            if load_ordered_64(&path.heard_ms) + path.supervision_ms > now_ms:
                self.note_return(number)
        elif state == STATE_CLEARED and path.state == PATH_CLEARING:
            self.set_state(number, PATH_UP)

    def retract(self, Batch batch not None):
        """Take back what the rows of a batch that could not be journalled had changed in advance."""
        cdef Columns* c = &batch.columns
        cdef uint32_t row, number
        for row in range(c.count):
            number = c.path[row]
            if number >= self.count:
                continue
            if c.kind[row] == ROW_ENROLMENT and self.path[number].state == PATH_PENDING:
                self.set_state(number, PATH_NEW)
            elif is_own_line_fault(c, row):
                if c.state[row] == STATE_RAISED and self.path[number].state == PATH_RAISING:
                    self.set_state(number, PATH_UP)
                elif c.state[row] == STATE_CLEARED and self.path[number].state == PATH_CLEARING:
                    self.set_state(number, PATH_FAULT)
            elif tells_unreadable_token(c, row):
                learned_remove(&self.learned[number], SEEN_UNREADABLE_TOKEN)

    cdef int enrol_at(self, uint32_t number, str text, int64_t seen_ms) except -1:
        """Enter the path that an enrolment row names, such as `dc09:0123@north/default/R1/L0 supervision=90000`.

        `expected` behind that: it is named by the configuration, and has not spoken.

        Numbers whose own enrolment never reached the journal stay behind as records without an account.
        """
        if number >= self.paths_max:
            raise ValueError(f"path {number} does not fit into paths.max = {self.paths_max}")
        while self.count <= number:
            self.count += 1
            self.states[<int>PATH_NEW] += 1
        if self.path[number].key.account_size:
            return 0
        cdef PathKey key
        key_text, _, supervision = text.partition(" supervision=")
        transmitter, listener, *numbers = key_text.split("/")
        protocol, _, rest = transmitter.partition(":")
        account, _, realm = rest.partition("@")
        supervision, _, expected = supervision.partition(" ")
        memset(&key, 0, sizeof(PathKey))
        raw = account.encode()
        memcpy(key.account, PyBytes_AS_STRING(raw), len(raw))
        key.account_size = len(raw)
        key.protocol = PROTOCOL_NUMBER[protocol]
        key.listener = self.listener(listener, realm)
        for part in numbers:
            if part[0] == "R":
                key.receiver = number_of(part[1:])
            elif part[0] == "L":
                key.line = number_of(part[1:])
            else:
                key.network = number_of(part[1:])
        self.fill(number, &key, int(supervision or 0), 0, 0 if expected else seen_ms)
        self.enrolled_ms[number] = seen_ms
        return 0

    def save(self):
        # The extent is read now, on the caller's thread: a record that is being added later is not in it.
        listeners = "\n".join(f"{name}\t{realm}" for name, realm in self.listeners).encode()
        return self.chunks(self.count, struct.pack("<II", self.count, len(listeners)) + listeners)

    def chunks(self, uint32_t count, bytes head):
        cdef uint32_t at = 0, size
        yield head
        while at < count:                # a receiver thread may be touching: each word of a record is whole
            size = min(SNAPSHOT_CHUNK_PATHS, count - at)
            for start, length in ((<uintptr_t>(self.path + at), size * sizeof(Path)),
                                  (<uintptr_t>(self.enrolled_ms + at), size * 8),
                                  (<uintptr_t>(self.learned + at), size * sizeof(Learned))):
                for offset in range(0, length, PIECE_BYTES):
                    yield copied(<const char*><uintptr_t>(start + offset), min(PIECE_BYTES, length - offset))
            at += size

    def load(self, saved not None):
        """Fill an empty table from what `save` gave; raises ValueError when it is no such thing."""
        if self.count:
            raise ValueError("the path table is not empty")
        self._take_in(saved)

    def renew(self, saved not None):
        """Bring a table that `load` filled to a later `save`: only new paths are entered into the indexes."""
        self._take_in(saved)

    def _take_in(self, const unsigned char[::1] saved not None):
        """Take every record over, new ones into the indexes too. Raises ValueError; the table is lost then."""
        cdef uint32_t at = 0, size, count
        cdef size_t offset
        cdef const unsigned char* start
        cdef bint same = True
        if saved.shape[0] < 8:
            raise ValueError("path table of the wrong length")
        start = &saved[0]
        count, listeners_size = struct.unpack_from("<II", saved)
        offset = 8 + listeners_size
        if <size_t>saved.shape[0] != offset + <size_t>count * (sizeof(Path) + 8 + sizeof(Learned)):
            raise ValueError("path table of the wrong length")
        if count > self.paths_max:
            raise ValueError(f"{count} paths do not fit into paths.max = {self.paths_max}")
        if count < self.count:
            raise ValueError(f"{count} paths where {self.count} were known")
        for line in bytes(saved[8:offset]).decode().split("\n") if listeners_size else ():
            self.listener(*line.split("\t"))
        memset(self.states, 0, sizeof(self.states))
        while at < count and same:
            size = min(SNAPSHOT_CHUNK_PATHS, count - at)
            with nogil:
                same = take_records(self, at, size, <const Path*>(start + offset))
            offset += size * sizeof(Path)
            memcpy(self.enrolled_ms + at, start + offset, size * 8)
            offset += size * 8
            memcpy(self.learned + at, start + offset, size * sizeof(Learned))
            offset += size * sizeof(Learned)
            at += size
        self.count = count
        if not same:
            raise ValueError("path table of another engine")

    cdef uint8_t take_record(self, uint32_t number, const Path* saved) noexcept nogil:
        """Take one record over, all but its place in the indexes; return a TakenRecord."""
        cdef Path* path = &self.path[number]
        cdef bint known = path.key.account_size != 0
        if known and memcmp(&path.key, &saved.key, sizeof(PathKey)) != 0:
            return RECORD_OTHER
        memcpy(path, saved, sizeof(Path))
        if path.state > PATH_PENDING and path_reported(path) != path.state and self.changed_count < CHANGED_MAX:
            self.changed[self.changed_count] = number      # the store has not told it yet
            self.changed_count += 1
        # What was on its way when the table was saved is decided by the journal that follows.
        if path.state == PATH_PENDING:
            path.state = PATH_NEW
        elif path.state == PATH_RAISING:
            path.state = PATH_UP
        elif path.state > PATH_FAULT:
            path.state = PATH_FAULT
        self.states[path.state] += 1
        path.marks = REPORTED_NONE   # traits are the configuration's, which may be another one now
        return RECORD_NEW if path.key.account_size and not known else RECORD_KNOWN

    def check(self):
        """Raise AssertionError unless every path is found by its key and the states are counted right."""
        cdef uint32_t i
        cdef uint32_t states[7]
        memset(states, 0, sizeof(states))
        assert sizeof(Path) == 64 and sizeof(PathKey) == 32
        for i in range(self.count):
            states[self.path[i].state] += 1
            if not self.path[i].key.account_size:
                continue
            assert path_find(self.path, &self.by_key, &self.hash_key, &self.path[i].key) == i
            assert i in self.paths_of(self.transmitter_text(i))
        for i in range(PATH_STATE_COUNT):
            assert states[i] == self.states[i]
