"""Enrolment of unknown accounts: policy, rate and limit, and the journal row that makes a path known.

What the registry names comes and goes by rows of the journal. One that it names no longer is unknown from then on:
where the policy is not to enrol, a trait of its paths lets each of their frames meet the policy again.
"""
import struct

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport INT64_MAX, INT64_MIN
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from codec.batch cimport NO_PATH, TIME_NONE, Batch, Row, batch_has_room, batch_push, batch_text
from codec.limits cimport ACCOUNT_BYTES_MAX
from codec.frame cimport NUMBER_NONE
from codec.words cimport ROW_CHANGE, ROW_ENROLMENT
from codec.words import PROTOCOL_NUMBER
from engine.index cimport INDEX_NONE, Probe, index_first, index_next
from engine.intake cimport OFFER_NO_ROOM, Intake, Mark
from engine.listen.registered import FrameRules
from engine.listen.roster cimport ENTRY_GONE, ENTRY_NAMED, ROSTER_NONE, entry_fill, is_watched
from engine.listen.roster_ahead cimport AHEAD, Ahead, ahead_begin, ahead_move, name_of_row
from engine.path_linking cimport same_transmitter, transmitter_hash
from engine.path_roles cimport supervise_path
from engine.paths cimport (LISTENERS_MAX, PATH_NEW, PATH_PENDING, PATH_TEXT_BYTES_MAX, TRAIT_UNNAMED, TRAIT_WATCHED,
                           Path, PathText, path_clear_trait, path_set_trait)
from engine.words cimport CHANGE_READ, CHANGE_READING, CHANGE_TRANSMITTER

POLICY_NUMBER = {"enrol": POLICY_ENROL, "quarantine": POLICY_QUARANTINE, "refuse": POLICY_REFUSE}
SAVED_VERSION = 1
REALMS_MAX = 65535               # a path key holds 16 bits

cdef enum:
    ROW_BYTES_MAX = PATH_TEXT_BYTES_MAX + 64


cdef void supervise(PathTable paths, uint32_t number, const Registered* entry, uint32_t primary_ms) noexcept nogil:
    """Set the supervision of one path, or of its whole transmitter where that has a time for other paths."""
    cdef bint two = entry.state == ENTRY_NAMED and primary_ms == entry.supervision_ms
    supervise_path(paths, number, primary_ms, two * entry.alternate_ms, two * entry.alternate_alone_ms)


cdef class Enrolment:
    def __cinit__(self, PathTable paths not None, str policy not None, double rate, uint32_t limit,
                  uint32_t supervision_ms, list registered not None):
        """registered: [(protocol number, account, realm, supervision ms, key or b"")], perhaps FrameRules behind."""
        self.paths = paths
        self.policy = POLICY_NUMBER[policy]
        self.limit = limit
        self.supervision_ms = supervision_ms
        self.burst_ns = 1_000_000_000        # who comes within a second of the rate comes at once
        self.interval_ns = <int64_t>(1e9 / rate) if rate > 0 else 0
        self.due_ns = INT64_MIN // 2 if rate > 0 else INT64_MAX
        self.realm_numbers = {"": 0}
        self.listening = {}
        self.realm_of = <uint16_t*>calloc(LISTENERS_MAX, sizeof(uint16_t))
        if self.realm_of == NULL:
            raise MemoryError()
        self.expected_again = ROSTER_NONE
        self.sweep_upto = ROSTER_NONE
        self.configured = Roster(len(registered), paths.hash_key.first, paths.hash_key.second)
        self.registry = Roster(paths.paths_max, paths.hash_key.first, paths.hash_key.second)
        for protocol, account, realm, supervision, key, *rules in registered:
            self.register(protocol, account, realm, supervision, key, rules[0] if rules else FrameRules())

    def __dealloc__(self):
        free(self.realm_of)

    cdef int realm_number(self, str realm) except -1:
        if realm not in self.realm_numbers and len(self.realm_numbers) > REALMS_MAX:
            raise ValueError("more realms than can be told apart")
        return self.realm_numbers.setdefault(realm, len(self.realm_numbers))

    cdef int register(self, int protocol, str account, str realm, uint32_t supervision_ms, bytes key,
                      rules) except -1:
        cdef PathKey name
        cdef Registered* entry
        raw = account.upper().encode("ascii")
        if len(raw) > ACCOUNT_BYTES_MAX:
            raise ValueError(f"account {account!r} is longer than {ACCOUNT_BYTES_MAX} characters")
        memset(&name, 0, sizeof(PathKey))
        memcpy(name.account, PyBytes_AS_STRING(raw), len(raw))
        name.account_size = len(raw)
        name.protocol = protocol
        name.listener = self.realm_number(realm)
        self.configured.set_key(&name, key)
        entry = &self.configured.entries[self.configured.add(&name, self.configured.hash(&name))]
        entry.state = ENTRY_NAMED
        entry.supervision_ms = supervision_ms
        entry.window_past_s, entry.window_future_s = rules.window_past_s, rules.window_future_s
        entry.encrypted_only, entry.check_clear_stamps = rules.encrypted_only, rules.check_clear_stamps
        entry.reject_stale = rules.reject_stale
        return 0

    cdef int name_of(self, str transmitter, PathKey* name) except -1:
        """Write the name of a transmitter's record. Raises ValueError."""
        protocol, _, rest = transmitter.partition(":")
        account, _, realm = rest.partition("@")
        raw = account.upper().encode("ascii", "replace")
        if protocol not in PROTOCOL_NUMBER or not 0 < len(raw) <= ACCOUNT_BYTES_MAX:
            raise ValueError(f"{transmitter!r} is no transmitter's key")
        memset(name, 0, sizeof(PathKey))
        memcpy(name.account, PyBytes_AS_STRING(raw), len(raw))
        name.account_size = len(raw)
        name.protocol = PROTOCOL_NUMBER[protocol]
        name.listener = self.realm_number(realm)
        return 0

    def set_key(self, str transmitter not None, bytes key not None):
        """Let the frames of a transmitter of the registry be decrypted with a key from now on."""
        cdef PathKey name
        if not key:
            raise ValueError("an empty key")
        self.name_of(transmitter, &name)
        self.registry.set_key(&name, key)

    def remove_key(self, str transmitter not None):
        cdef PathKey name
        self.name_of(transmitter, &name)
        self.registry.set_key(&name, b"")

    @property
    def keyed(self):
        """How many have a key."""
        return self.configured.keyed + self.registry.keyed

    def listen_on(self, str name not None, str realm not None):
        """Make a listener known; return its number in path keys."""
        number = self.paths.listener(name, realm)
        self.realm_of[<int>number] = self.realm_number(realm)
        self.listening[self.realm_of[<int>number]] = min(number, self.listening.get(self.realm_of[<int>number], number))
        return number

    cdef int learn_realms(self) except -1:
        """Know the realms of listeners that paths have and this engine has no longer, or not yet."""
        while self.realms_known < <uint32_t>len(self.paths.listeners):
            self.realm_of[self.realms_known] = self.realm_number(self.paths.listeners[self.realms_known][1])
            self.realms_known += 1
        return 0

    def watch(self):
        """Bring the paths that are known already to what is named: after a start, and after all `listen_on`."""
        cdef uint32_t number
        cdef const Registered* entry
        cdef Path* path
        self.learn_realms()
        while self.tend():
            pass
        with nogil:
            for number in range(self.paths.count):
                path = &self.paths.path[number]
                if path.key.account_size == 0:
                    continue
                entry = self.find(&path.key)
                if entry == NULL and self.paths.expected(number):
                    self.paths.relieve(number)   # nobody names it any longer
                if entry == NULL and self.is_unnamed(&path.key):
                    path_set_trait(path, TRAIT_UNNAMED)
                if entry != NULL and is_watched(entry):
                    path_set_trait(path, TRAIT_WATCHED)
                if entry != NULL and self.is_registrys(entry) and (path.supervision_ms
                                                                   or not self.paths.expected(number)):
                    supervise(self.paths, number, entry, self.time_of(entry))

    cdef bint is_registrys(self, const Registered* entry) noexcept nogil:
        return self.registry.entries <= entry < self.registry.entries + self.registry.count

    def rules_of(self, uint32_t number):
        if number >= self.paths.count:
            raise IndexError(number)
        cdef const Registered* entry = self.find(&self.paths.path[number].key)
        if entry == NULL:
            return False, FrameRules()
        return entry.secret != 0, FrameRules(entry.window_past_s, entry.window_future_s, bool(entry.encrypted_only),
                                             bool(entry.check_clear_stamps), bool(entry.reject_stale))

    cdef void write_name(self, const PathKey* key, PathKey* name) noexcept nogil:
        memset(name, 0, sizeof(PathKey))
        memcpy(name.account, key.account, ACCOUNT_BYTES_MAX)
        name.account_size = key.account_size
        name.protocol = key.protocol
        name.listener = self.realm_of[key.listener]

    cdef const Registered* find(self, const PathKey* key) noexcept nogil:
        """Return what the configuration says of this transmitter, or else the registry, or NULL."""
        cdef PathKey name
        cdef uint32_t number
        if self.configured.count == 0 and self.registry.count == 0:
            return NULL
        self.write_name(key, &name)
        number = self.configured.find(&name)
        if number != ROSTER_NONE:
            return &self.configured.entries[number]
        number = self.registry.find(&name)
        if number != ROSTER_NONE and self.registry.entries[number].state == ENTRY_NAMED:
            return &self.registry.entries[number]
        return NULL

    cdef const Secret* secret_of(self, const Registered* entry) noexcept nogil:
        """Return the key of a transmitter that `find` found, or NULL."""
        return self.registry.secret_of(entry) if self.is_registrys(entry) else self.configured.secret_of(entry)

    cdef bint is_unnamed(self, const PathKey* key) noexcept nogil:
        """Tell whether the policy decides about a path that is known, as its transmitter was in the registry once."""
        cdef PathKey name
        cdef uint32_t number
        if self.policy == POLICY_ENROL or self.registry.count == 0:
            return False
        self.write_name(key, &name)
        number = self.registry.find(&name)
        return number != ROSTER_NONE and self.registry.entries[number].state == ENTRY_GONE \
            and self.configured.find(&name) == ROSTER_NONE

    cdef uint32_t time_of(self, const Registered* entry) noexcept nogil:
        """Return the supervision of a transmitter's primary path, in ms; 0: none."""
        return self.supervision_ms if entry.supervision_ms == 0 and self.is_registrys(entry) else entry.supervision_ms

    cdef uint32_t first_path(self, const PathKey* name) noexcept nogil:
        """Return the first path of a transmitter, NO_PATH without any; name: as in Registered."""
        cdef Probe probe = index_first(&self.paths.by_transmitter, transmitter_hash(&self.paths.hash_key, name))
        cdef uint32_t number
        while True:
            number = index_next(&self.paths.by_transmitter, &probe)
            if number == INDEX_NONE:
                return NO_PATH
            if same_transmitter(&self.paths.path[number].key, name):
                if self.realm_of[self.paths.path[number].key.listener] == name.listener:
                    return number
                return self.next_path(number, name)

    cdef uint32_t next_path(self, uint32_t number, const PathKey* name) noexcept nogil:
        while True:
            number = self.paths.sibling[number]
            if number == NO_PATH or self.realm_of[self.paths.path[number].key.listener] == name.listener:
                return number

    cdef Admission admit(self, const PathKey* key, int64_t monotonic_ns, int64_t heard_ms,
                         int64_t seen_ms) noexcept nogil:
        """Decide about an unknown path: add it to the table, or say under which policy it stays outside."""
        cdef const Registered* entry = self.find(key)
        cdef Admission admission
        admission.path = NO_PATH
        admission.policy = POLICY_ENROL if entry != NULL else self.policy
        if entry == NULL and self.policy == POLICY_ENROL:
            if self.due_ns < monotonic_ns - self.burst_ns:
                self.due_ns = monotonic_ns - self.burst_ns
            if self.due_ns >= monotonic_ns or self.paths.count >= self.limit:
                admission.policy = POLICY_QUARANTINE
            else:
                self.due_ns += self.interval_ns
        if admission.policy == POLICY_ENROL:
            admission.path = self.paths.add(key, self.time_of(entry) if entry != NULL else self.supervision_ms,
                                            heard_ms, seen_ms)
            if admission.path == NO_PATH:
                admission.policy = POLICY_QUARANTINE
            elif entry != NULL:
                if self.is_registrys(entry):
                    supervise(self.paths, admission.path, entry, self.time_of(entry))
                if is_watched(entry):
                    path_set_trait(&self.paths.path[admission.path], TRAIT_WATCHED)
        self.enrolled += admission.policy == POLICY_ENROL
        self.quarantined += admission.policy == POLICY_QUARANTINE
        self.refused += admission.policy == POLICY_REFUSE
        return admission

    # -- what the registry says

    def apply(self, Batch batch not None):
        """Bring what the registry names to what a journalled batch says; doing it again changes nothing.

        What a full reading did not name goes by `tend`.
        """
        cdef Columns* c = &batch.columns
        cdef uint32_t row
        cdef Ahead ahead
        for row in range(c.count):
            if c.kind[row] != ROW_CHANGE:
                continue
            if row == 0 or c.kind[row - 1] != ROW_CHANGE:
                self.learn_realms()
                ahead_begin(&ahead, self.registry, self.paths, c, row, self.realm.number)
            ahead_move(&ahead, self.registry, self.paths, c, row, self.realm.number)
            if c.condition[row] == CHANGE_TRANSMITTER:
                ahead.changing = self.change(c, row, &ahead)
            elif c.condition[row] == CHANGE_READING:
                while self.tend():
                    pass
                self.generation += 1
                self.reading = True
            elif c.condition[row] == CHANGE_READ and self.reading:
                self.reading = False
                self.sweep_upto = 0

    cdef int change(self, const Columns* c, uint32_t row, const Ahead* ahead) except -1:
        """Take one transmitter in or out; return whether that made a difference."""
        cdef PathKey name
        cdef Registered* entry
        cdef Registered before
        cdef uint32_t number
        cdef uint64_t hash
        cdef int realm = self.realm_in(c.arena + c.realm[row].at, c.realm[row].size)
        if realm < 0 or c.account[row].size > ACCOUNT_BYTES_MAX:
            self.no_room += 1
            return 0
        name_of_row(c, row, realm, &name)
        hash = ahead.record[row % AHEAD] if realm == 0 else self.registry.hash(&name)
        number = self.registry.find_hashed(&name, hash)
        if c.native[row].size == 0:
            if number != ROSTER_NONE:
                self.take_out(&self.registry.entries[number])
            return number != ROSTER_NONE
        if number == ROSTER_NONE:
            number = self.registry.add(&name, hash)
            if number == ROSTER_NONE:
                self.no_room += 1
                return 0
        entry = &self.registry.entries[number]
        before = entry[0]
        entry.state = ENTRY_NAMED
        before.generation = entry.generation = self.generation
        entry_fill(entry, c.arena + c.native[row].at, c.native[row].size)
        if memcmp(&before, entry, sizeof(Registered)) == 0:
            return 0                     # its paths are so already
        self.named += before.state != ENTRY_NAMED
        self.window_s = max(self.window_s, <int64_t>entry.window_past_s + entry.window_future_s)
        self.expected_upto = min(self.expected_upto, self.configured.count + number)
        if self.configured.find(&name) == ROSTER_NONE:
            self.settle(entry)
        return 1

    cdef int realm_in(self, const uint8_t* text, uint32_t size) except -2:
        """Return the number of a realm, or -1 where it cannot be one more."""
        if size == 0:
            return 0
        if size > sizeof(self.realm.text):
            return -1
        if size != self.realm.size or memcmp(text, self.realm.text, size) != 0:
            try:
                self.realm.number = self.realm_number((<const char*>text)[:size].decode("ascii", "replace"))
            except ValueError:
                return -1
            memcpy(self.realm.text, text, size)
            self.realm.size = size
        return self.realm.number

    cdef void settle(self, const Registered* entry) noexcept nogil:
        """Let the paths that a transmitter has be as the registry says now."""
        cdef uint32_t number = self.first_path(&entry.key)
        cdef bint spoke = False
        while number != NO_PATH:
            spoke = spoke or not self.paths.expected(number)
            number = self.next_path(number, &entry.key)
        number = self.first_path(&entry.key)
        while number != NO_PATH:
            path_clear_trait(&self.paths.path[number], TRAIT_UNNAMED)
            if is_watched(entry):
                path_set_trait(&self.paths.path[number], TRAIT_WATCHED)
            else:
                path_clear_trait(&self.paths.path[number], TRAIT_WATCHED)
            if not spoke or not self.paths.expected(number):
                supervise(self.paths, number, entry, self.time_of(entry))
            number = self.next_path(number, &entry.key)

    cdef void take_out(self, Registered* entry) noexcept nogil:
        """Let a transmitter be as one that was never named; where the policy is to enrol, it stays a known one."""
        cdef uint32_t number = self.first_path(&entry.key)
        self.named -= entry.state == ENTRY_NAMED
        entry.state = ENTRY_GONE
        if self.configured.find(&entry.key) != ROSTER_NONE:
            return
        while number != NO_PATH:
            path_clear_trait(&self.paths.path[number], TRAIT_WATCHED)
            if self.policy != POLICY_ENROL:
                path_set_trait(&self.paths.path[number], TRAIT_UNNAMED)
            if self.policy != POLICY_ENROL or self.paths.expected(number):
                self.paths.relieve(number)
            else:
                supervise(self.paths, number, entry, self.supervision_ms)
            number = self.next_path(number, &entry.key)

    def tend(self):
        """Take out some of what the last full reading did not name; returns whether there is more to look at."""
        cdef uint32_t looked = 0, gone = 0
        cdef Registered* entry
        with nogil:
            while self.sweep_upto < self.registry.count and looked < SWEEP_RECORDS and gone < SWEEP_GONE:
                entry = &self.registry.entries[self.sweep_upto]
                if entry.state == ENTRY_NAMED and entry.generation != self.generation:
                    self.take_out(entry)
                    gone += 1
                looked += 1
                self.sweep_upto += 1
        if self.sweep_upto >= self.registry.count:
            self.sweep_upto = ROSTER_NONE
        return self.sweep_upto != ROSTER_NONE

    def save(self):
        # The extent is read now, on the caller's thread. What changes later is in the journal behind the snapshot.
        while self.tend():
            pass
        realms = "\n".join(self.realm_numbers).encode()
        return self.registry.chunks(self.registry.count, struct.pack(
            "<IIIII", SAVED_VERSION, self.registry.count, self.generation, self.reading, len(realms)) + realms)

    def load(self, saved not None):
        cdef uint32_t i
        cdef const Registered* entry
        version, count, generation, reading, size = struct.unpack_from("<5I", saved) if len(saved) >= 20 else (0,) * 5
        if version != SAVED_VERSION:
            raise ValueError("registered transmitters of another version")
        realms = [self.realm_number(realm) for realm in bytes(saved[20:20 + size]).decode().split("\n")]
        self.no_room += self.registry.load(saved[20 + size:], count, realms)
        for i in range(self.registry.count):
            entry = &self.registry.entries[i]
            self.named += entry.state == ENTRY_NAMED
            self.window_s = max(self.window_s, <int64_t>entry.window_past_s + entry.window_future_s)
        self.generation, self.reading = generation, reading

    def expect(self, Intake intake not None, int64_t heard_ms, int64_t received_ns):
        """Give some of the named transmitters a path, so that one that never speaks is noticed.

        Returns whether some have none yet, or one that is not durable: call again after a while
        """
        cdef uint32_t looked = 0, known = self.configured.count, all_of_them = known + self.registry.count
        cdef const Registered* entry
        self.expected_rows = 0
        while self.expected_upto < all_of_them and looked < EXPECT_LOOKED and self.expected_rows < EXPECT_ROWS:
            entry = &self.configured.entries[self.expected_upto] if self.expected_upto < known \
                else &self.registry.entries[self.expected_upto - known]
            if entry.state == ENTRY_NAMED and not (
                    self.expected_upto >= known and self.configured.find(&entry.key) != ROSTER_NONE) \
                    and not self.expect_one(entry, intake, heard_ms, received_ns):
                return True
            looked += 1
            self.expected_upto += 1
        if self.expected_upto < all_of_them:
            return True
        if self.expected_again != ROSTER_NONE:
            self.expected_upto = self.expected_again
            self.expected_again = ROSTER_NONE
            return True
        return False

    cdef int expect_one(self, const Registered* entry, Intake intake, int64_t heard_ms,
                        int64_t received_ns) except -1:
        """Offer the row of one; False where the intake has no room for it now."""
        cdef PathKey key = entry.key
        cdef uint32_t number = self.first_path(&entry.key)
        cdef Mark mark = intake.mark()
        if number != NO_PATH and self.paths.path[number].state != PATH_NEW:
            if self.paths.path[number].state == PATH_PENDING:
                self.expected_again = min(self.expected_again, self.expected_upto)
            return True
        if not intake.has_room_for_own() or not self.has_room(intake.rows):
            return False
        if number == NO_PATH:
            listener = self.listening.get(key.listener)
            key.listener = listener or 0
            key.receiver = key.line = key.network = NUMBER_NONE
            number = self.paths.add(&key, self.time_of(entry), heard_ms, 0) if listener is not None else NO_PATH
            if number != NO_PATH and is_watched(entry):
                path_set_trait(&self.paths.path[number], TRAIT_WATCHED)
        if number == NO_PATH:
            return True                  # no listener of its realm, or the table is full
        self.push_row(intake.rows, number, received_ns, True)
        self.paths.set_state(number, PATH_PENDING)
        self.expected_rows += 1
        if intake.offer(mark).outcome == OFFER_NO_ROOM:
            self.paths.set_state(number, PATH_NEW)
            return False
        self.expected_again = min(self.expected_again, self.expected_upto)
        return True

    cdef bint has_room(self, const Columns* rows) noexcept nogil:
        """Tell whether a batch has room for one enrolment."""
        return batch_has_room(rows, 1, ROW_BYTES_MAX)

    cdef void push_row(self, Columns* rows, uint32_t number, int64_t received_ns, bint expected=False) noexcept nogil:
        """Add the row that makes path `number` known; the caller has asked has_room."""
        cdef PathKey* key = &self.paths.path[number].key
        cdef char out[ROW_BYTES_MAX]
        cdef PathText text
        cdef Row row
        text = self.paths.write_text(number, out)
        text.size += self.paths.write_times(number, out + text.size)
        text.size += snprintf(out + text.size, 16, b"%s", <const char*>(b" expected" if expected else b""))
        memset(&row, 0, sizeof(Row))
        row.received_ns = received_ns
        row.occurred_ns = TIME_NONE
        row.path = number
        row.kind = ROW_ENROLMENT
        row.protocol = key.protocol
        row.native = batch_text(rows, <const uint8_t*>out, text.size)
        row.account.at = row.native.at + text.account_at
        row.account.size = key.account_size
        row.realm.at = row.native.at + text.realm_at if text.realm_size else 0
        row.realm.size = text.realm_size
        batch_push(rows, &row)
