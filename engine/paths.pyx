"""The path table: what it takes from journal and snapshot, and what people see of it."""
import struct
from itertools import chain

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t, uint8_t, uint32_t, uintptr_t
from libc.string cimport memcmp, memcpy, memset

from codec.batch cimport NO_PATH, Batch, Columns
from codec.words cimport ROW_ENROLMENT, STATE_CLEARED, STATE_RAISED
from codec.words import PROTOCOL_NUMBER
from engine.atomics cimport load_ordered_64
from engine.learned cimport (OFFSET_NONE, SEEN_BCD_CLOCK, SEEN_BINARY_CHECKSUM, SEEN_BINARY_CLOCK,
                             SEEN_CHECKSUM_OVER_CR, SEEN_CLEAR, SEEN_ENCRYPTED, SEEN_NO_HEADER_ACCOUNT,
                             SEEN_NO_LINE_NUMBER, SEEN_REPLAYED, SEEN_UNREADABLE_TOKEN, Learned, learned_add,
                             learned_remove)
from engine.own_rows cimport is_own_line_fault, is_own_system_fault, tells_unreadable_token
from engine.path_key cimport PathKey, number_of, number_text
from engine.path_linking cimport take_records
from engine.path_members cimport members_of, role_made, role_of
from engine.path_role cimport SYSTEM_CLEARING, SYSTEM_FAULT, SYSTEM_UP, Members, PathRole, PathTimes
from engine.path_roles cimport (begin_anew, deadline_ms, retract_system, settle_system, shortest_ms, system_of,
                               take_roles, time_ms)

from engine.path_naming import read_enrolment
from engine.pieces import pieces

PATH_STATE_TEXT = {PATH_NEW: "new", PATH_PENDING: "pending", PATH_UP: "up", PATH_RAISING: "up", PATH_FAULT: "fault",
                   PATH_RETURNED: "fault", PATH_CLEARING: "fault"}
SEEN_TEXT = {
    SEEN_ENCRYPTED: "encrypted frames", SEEN_CLEAR: "clear frames", SEEN_BINARY_CHECKSUM: "checksum as two raw bytes",
    SEEN_CHECKSUM_OVER_CR: "checksum covers the CR", SEEN_NO_LINE_NUMBER: "no line number",
    SEEN_NO_HEADER_ACCOUNT: "account in the data alone", SEEN_UNREADABLE_TOKEN: "a token that is not read",
    SEEN_BCD_CLOCK: "clock in BCD", SEEN_BINARY_CLOCK: "clock in binary", SEEN_REPLAYED: "a frame that was replayed",
}
SNAPSHOT_CHUNK_PATHS = 65536     # records, then times of enrolment, then habits of so many


cdef void settle(PathTable paths, uint32_t number, uint8_t state, int64_t now_ms) noexcept nogil:
    """Let a line fault that was on its way arrive. Who spoke meanwhile, and is within its time, has returned.

    Listening time alone can tell: the wall clock may have been set back since the transmitter was last seen.
    """
    cdef Path* path = &paths.path[number]
    if state == STATE_RAISED and path.state == PATH_RAISING:
        paths.set_state(number, PATH_FAULT)
        if load_ordered_64(&path.heard_ms) + shortest_ms(paths, number) > now_ms:
            paths.note_return(number)
    elif state == STATE_CLEARED and path.state == PATH_CLEARING:
        paths.set_state(number, PATH_UP)


cdef class PathTable(PathRecords):
    def states_in(self):
        counts = dict.fromkeys(PATH_STATE_TEXT.values(), 0)
        for state, text in PATH_STATE_TEXT.items():
            counts[text] += self.states[<int>state]
        return counts

    def is_expected(self, uint32_t number):
        if number >= self.count:
            raise IndexError(number)
        return bool(self.expected(number))

    def supervise(self, uint32_t number, uint32_t supervision_ms):
        if number >= self.count:
            raise IndexError(number)
        self.path[number].supervision_ms = supervision_ms
        begin_anew(self, number)

    def set_default_times(self, uint32_t primary_ms, uint32_t alternate_ms=0, uint32_t alone_ms=0):
        self.named.default = (primary_ms, alternate_ms, alone_ms)
        self.naming = bool(self.named)

    def supervise_transmitter(self, str transmitter not None, uint32_t primary_ms, uint32_t alternate_ms=0,
                              uint32_t alone_ms=0, primary=None):
        cdef PathTimes times = PathTimes(primary_ms, alternate_ms, alone_ms or primary_ms)
        if primary is not None:
            self.named.set_primary(transmitter, primary)
        numbers = self.paths_of(transmitter)
        if not numbers:
            self.named.wait(transmitter, (times.primary_ms, times.alternate_ms, times.alone_ms))
        self.naming = bool(self.named)
        if primary_ms == 0:
            times.primary_ms, times.alternate_ms, times.alone_ms = self.named.default
        spoke = [number for number in numbers if not self.expected(number)]
        for number in numbers[:1]:
            self.give_times(number, &times)
        for number in numbers:
            if times.primary_ms == 0 or spoke and number not in spoke:
                self.relieve(number)
            if primary_ms == 0 and times.alternate_ms == 0:
                memset(&role_made(self, number).times, 0, sizeof(PathTimes))     # as if nobody had named it

    def in_system_fault(self, uint32_t number):
        if number >= self.count:
            raise IndexError(number)
        cdef Members members = members_of(self, number)
        return members.count > 1 and system_of(self, &members).system in (SYSTEM_FAULT, SYSTEM_CLEARING)

    def scan(self, uint32_t start, state, uint32_t limit):
        cdef uint32_t number, i, mask = 0
        cdef Members members
        cdef bint wanted
        for value, text in PATH_STATE_TEXT.items():
            mask |= <uint32_t>(state is None or text == state) << <int>value
        if state in ("new", "never_heard"):
            mask = 0xFFFFFFFF            # those that stand for a transmitter are told apart below
        found = []
        for number in range(start, self.count):
            if (self.sibling[number] == NO_PATH and not path_has_role(&self.path[number])
                    and not mask >> self.path[number].state & 1):
                continue
            members = members_of(self, number)
            if members.count == 0 or min(members.first, members.expected) != number:     # NO_PATH is the largest
                continue
            wanted = state is None or state == "never_heard" and self.expected(members.first)
            for i in range(0 if wanted else members.count):
                wanted = wanted or self.shown_state(members.path[i]) == state
            if wanted:
                found.append(number)
                if len(found) == limit:
                    break
        return found

    cdef str shown_state(self, uint32_t number):
        if self.path[number].state == PATH_UP and self.expected(number):
            return "new"
        return PATH_STATE_TEXT[self.path[number].state]

    def show(self, uint32_t number):
        if number >= self.count:
            raise IndexError(number)
        cdef Path* path = &self.path[number]
        cdef const PathRole* role = role_of(self, number)
        dual = role != NULL and role.times.alternate_ms != 0
        times = (role.times.primary_ms, role.times.alternate_ms, role.times.alone_ms) if dual else None
        return {"path": self.key_text(number), "transmitter": self.transmitter_text(number),
                "state": self.shown_state(number), "last_seen_ms": path.seen_ms or None,
                "enrolled_ms": self.enrolled_ms[number], "supervision_ms": time_ms(self, number) or None,
                "role": ("alternate" if role.alternate else "primary") if dual else None, "times_ms": times,
                "learned": bool(self.learned[number].time_learned),
                "deadline_ms": deadline_ms(self, number) if path.supervision_ms else None,
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
                    if path_has_role(&self.path[number]):
                        self.note_revisit(number)
            elif is_own_line_fault(c, row) and number < self.count:
                if replayed:
                    self.set_state(number, PATH_FAULT if c.state[row] == STATE_RAISED else PATH_UP)
                else:
                    settle(self, number, c.state[row], now_ms)
            elif is_own_system_fault(c, row) and number < self.count:
                if replayed:
                    role_made(self, number).system = SYSTEM_FAULT if c.state[row] == STATE_RAISED else SYSTEM_UP
                else:
                    settle_system(role_made(self, number), c.state[row] == STATE_RAISED)
                    self.note_revisit(number)
            elif tells_unreadable_token(c, row) and number < self.count:
                learned_add(&self.learned[number], SEEN_UNREADABLE_TOKEN)

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
            elif is_own_system_fault(c, row):
                retract_system(role_made(self, number), c.state[row] == STATE_RAISED)
                self.note_revisit(number)
            elif tells_unreadable_token(c, row):
                learned_remove(&self.learned[number], SEEN_UNREADABLE_TOKEN)

    cdef int enrol_at(self, uint32_t number, str text, int64_t seen_ms) except -1:
        """Enter the path that an enrolment row names, such as `dc09:0123@north/default/R1/L0 supervision=90000`.

        `expected` behind that: it is named by the configuration, and has not spoken. `learned`: a known path has this
        time from here on.

        Numbers whose own enrolment never reached the journal stay behind as records without an account.
        """
        if number >= self.paths_max:
            raise ValueError(f"path {number} does not fit into paths.max = {self.paths_max}")
        while self.count <= number:
            self.count += 1
            self.states[<int>PATH_NEW] += 1
        said = read_enrolment(text)
        if self.path[number].key.account_size:
            if said.learned:
                self.path[number].supervision_ms = said.times[0]
                self.learned[number].time_learned = 1
                begin_anew(self, number)
            return 0
        cdef PathKey key
        cdef PathTimes times
        memset(&key, 0, sizeof(PathKey))
        raw = said.account.encode()
        memcpy(key.account, PyBytes_AS_STRING(raw), len(raw))
        key.account_size = len(raw)
        key.protocol = PROTOCOL_NUMBER[said.protocol]
        key.listener = self.listener(said.listener, said.realm)
        key.receiver, key.line = number_of(said.numbers.get("R")), number_of(said.numbers.get("L"))
        key.network = number_of(said.numbers.get("N"))
        times.primary_ms, times.alternate_ms, times.alone_ms = said.times
        self.fill(number, &key, times.primary_ms, 0, 0 if said.expected else seen_ms)
        if times.alternate_ms:
            self.place(number, &times)
        self.enrolled_ms[number] = seen_ms
        return 0

    def save(self):
        # The extent is read now, on the caller's thread: a record that is being added later is not in it.
        listeners = "\n".join(f"{name}\t{realm}" for name, realm in self.listeners).encode()
        arrays = [(<uintptr_t>self.path, sizeof(Path)), (<uintptr_t>self.enrolled_ms, 8),
                  (<uintptr_t>self.learned, sizeof(Learned))]
        # A receiver thread may be touching: each word of a record is whole.
        return chain([struct.pack("<II", self.count, len(listeners)) + listeners],
                     pieces(self, arrays, self.count, SNAPSHOT_CHUNK_PATHS),
                     pieces(self, [(<uintptr_t>self.role, sizeof(PathRole))], self.role_count, SNAPSHOT_CHUNK_PATHS))

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
        if (<size_t>saved.shape[0] < offset + <size_t>count * (sizeof(Path) + 8 + sizeof(Learned))
                or (saved.shape[0] - offset - <size_t>count * (sizeof(Path) + 8 + sizeof(Learned))) % sizeof(PathRole)):
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
        take_roles(self, <const PathRole*>(start + offset), <uint32_t>((saved.shape[0] - offset) // sizeof(PathRole)))
        for at in range(count):
            if self.role_at[at] or self.sibling[at] != NO_PATH:
                self.place(at)
        self.revisits = 0

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
