"""Enrolment of unknown accounts: policy, rate and limit, and the journal row that makes a path known."""
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport INT64_MAX, INT64_MIN
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from codec.aes cimport aes_key_set
from codec.batch cimport NO_PATH, TIME_NONE, Row, batch_has_room, batch_push, batch_text
from codec.limits cimport ACCOUNT_BYTES_MAX
from codec.frame cimport NUMBER_NONE
from codec.words cimport PROTOCOL_TOCSIN, ROW_ENROLMENT
from codec.words import PROTOCOL_TEXT
from engine.index cimport INDEX_NONE, Probe, index_create, index_destroy, index_first, index_next, index_put
from engine.intake cimport OFFER_NO_ROOM, Intake, Mark
from engine.listen.registered import FrameRules
from engine.paths cimport (LISTENERS_MAX, PATH_NEW, PATH_PENDING, PATH_TEXT_BYTES_MAX, TRAIT_WATCHED, PathText,
                           path_set_trait)
from engine.siphash cimport siphash

POLICY_NUMBER = {"enrol": POLICY_ENROL, "quarantine": POLICY_QUARANTINE, "refuse": POLICY_REFUSE}
BURST_SECONDS = 1

cdef enum:
    ROW_BYTES_MAX = PATH_TEXT_BYTES_MAX + 32


cdef class Enrolment:
    def __cinit__(self, PathTable paths not None, str policy not None, double rate, uint32_t limit,
                  uint32_t supervision_ms, list registered not None):
        """Prepare the rules.

        registered  [(protocol number, account, realm, supervision ms, key or b"")], perhaps FrameRules behind
        """
        self.paths = paths
        self.policy = POLICY_NUMBER[policy]
        self.limit = limit
        self.supervision_ms = supervision_ms
        self.burst_ns = BURST_SECONDS * 1_000_000_000
        self.interval_ns = <int64_t>(1e9 / rate) if rate > 0 else 0
        self.due_ns = INT64_MIN // 2 if rate > 0 else INT64_MAX
        self.realm_numbers = {"": 0}
        self.listening = set()
        self.realm_of = <uint16_t*>calloc(LISTENERS_MAX, sizeof(uint16_t))
        self.registered = <Registered*>calloc(len(registered) + 1, sizeof(Registered))
        index_create(&self.by_name, len(registered))
        if self.realm_of == NULL or self.registered == NULL:
            raise MemoryError()
        for protocol, account, realm, supervision, key, *rules in registered:
            self.register(protocol, account, realm, supervision, key, rules[0] if rules else FrameRules())

    def __dealloc__(self):
        free(self.realm_of)
        free(self.registered)
        index_destroy(&self.by_name)

    cdef int realm_number(self, str realm) except -1:
        return self.realm_numbers.setdefault(realm, len(self.realm_numbers))

    cdef int register(self, int protocol, str account, str realm, uint32_t supervision_ms, bytes key,
                      rules) except -1:
        cdef Registered* entry = &self.registered[self.registered_count]
        raw = account.upper().encode("ascii")
        if len(raw) > ACCOUNT_BYTES_MAX:
            raise ValueError(f"account {account!r} is longer than {ACCOUNT_BYTES_MAX} characters")
        memcpy(entry.key.account, PyBytes_AS_STRING(raw), len(raw))
        entry.key.account_size = len(raw)
        entry.key.protocol = protocol
        entry.key.listener = self.realm_number(realm)
        entry.supervision_ms = supervision_ms
        entry.window_past_s, entry.window_future_s = rules.window_past_s, rules.window_future_s
        entry.encrypted_only, entry.check_clear_stamps = rules.encrypted_only, rules.check_clear_stamps
        entry.reject_stale = rules.reject_stale
        if protocol == PROTOCOL_TOCSIN and key:
            if len(key) != sizeof(entry.mac_key):
                raise ValueError(f"the key of account {account!r} has {len(key)} bytes; the Tocsin profile takes 32")
            memcpy(entry.mac_key, PyBytes_AS_STRING(key), len(key))
            entry.has_mac_key = True
        elif key and not aes_key_set(&entry.aes, <const uint8_t*>PyBytes_AS_STRING(key), len(key)):
            raise ValueError(f"the key of account {account!r} has {len(key)} bytes; allowed are 16, 24 or 32")
        index_put(&self.by_name, siphash(&self.paths.hash_key, <const uint8_t*>&entry.key, sizeof(PathKey)),
                  self.registered_count)
        self.registered_count += 1
        return 0

    def listen_on(self, str name not None, str realm not None):
        """Make a listener known; return its number in path keys."""
        number = self.paths.listener(name, realm)
        self.realm_of[<int>number] = self.realm_number(realm)
        self.listening.add(number)
        return number

    def watch(self):
        """Mark the paths that are known already and whose clear frames must be looked at."""
        cdef uint32_t number
        cdef const Registered* entry
        for number in range(self.paths.count):
            entry = self.find(&self.paths.path[number].key)
            if entry == NULL and self.paths.expected(number):
                self.paths.relieve(number)   # the configuration names it no longer
            if entry != NULL and is_watched(entry):
                path_set_trait(&self.paths.path[number], TRAIT_WATCHED)

    def rules_of(self, uint32_t number):
        """Return (whether there is a key, FrameRules) of the transmitter of path `number`. Raises IndexError."""
        if number >= self.paths.count:
            raise IndexError(number)
        cdef const Registered* entry = self.find(&self.paths.path[number].key)
        if entry == NULL:
            return False, FrameRules()
        has_key = entry.aes.rounds != 0 or entry.has_mac_key != 0
        return has_key, FrameRules(entry.window_past_s, entry.window_future_s, bool(entry.encrypted_only),
                                   bool(entry.check_clear_stamps), bool(entry.reject_stale))

    cdef const Registered* find(self, const PathKey* key) noexcept nogil:
        """Return what the configuration says of this transmitter, or NULL."""
        cdef PathKey name
        cdef Probe probe
        cdef uint32_t number
        if self.registered_count == 0:
            return NULL
        memset(&name, 0, sizeof(PathKey))
        memcpy(name.account, key.account, ACCOUNT_BYTES_MAX)
        name.account_size = key.account_size
        name.protocol = key.protocol
        name.listener = self.realm_of[key.listener]
        probe = index_first(&self.by_name, siphash(&self.paths.hash_key, <const uint8_t*>&name, sizeof(PathKey)))
        while True:
            number = index_next(&self.by_name, &probe)
            if number == INDEX_NONE:
                return NULL
            if memcmp(&self.registered[number].key, &name, sizeof(PathKey)) == 0:
                return &self.registered[number]

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
            admission.path = self.paths.add(key, entry.supervision_ms if entry != NULL else self.supervision_ms,
                                            heard_ms, seen_ms)
            if entry != NULL and admission.path != NO_PATH and is_watched(entry):
                path_set_trait(&self.paths.path[admission.path], TRAIT_WATCHED)
            if admission.path == NO_PATH:
                admission.policy = POLICY_QUARANTINE
        self.enrolled += admission.policy == POLICY_ENROL
        self.quarantined += admission.policy == POLICY_QUARANTINE
        self.refused += admission.policy == POLICY_REFUSE
        return admission

    def expect(self, Intake intake not None, int64_t heard_ms, int64_t received_ns):
        """Give every transmitter that the configuration names a path, so that one that never speaks is noticed.

        Returns whether some have none yet, or one that is not durable: call again after a while
        """
        cdef int done
        while self.expected_upto < self.registered_count:
            done = self.expect_one(self.expected_upto, intake, heard_ms, received_ns)
            if not done:
                return True
            self.expected_upto += 1
        if self.expected_pending:
            self.expected_upto = 0
            self.expected_pending = False
            return True
        return False

    cdef int expect_one(self, uint32_t index, Intake intake, int64_t heard_ms, int64_t received_ns) except -1:
        """Offer the row of one; False where the intake has no room for it now."""
        cdef Registered* entry = &self.registered[index]
        cdef PathKey key = entry.key
        cdef uint32_t number = NO_PATH
        cdef Mark mark = intake.mark()
        known = self.known(entry)
        if known:
            number = known[0]
            if self.paths.path[number].state != PATH_NEW:
                self.expected_pending |= self.paths.path[number].state == PATH_PENDING
                return True
        if not intake.has_room_for_own() or not self.has_room(intake.rows):
            return False
        if number == NO_PATH:
            listener = self.listener_of(key.listener)
            key.listener = listener or 0
            key.receiver = key.line = key.network = NUMBER_NONE
            number = self.paths.add(&key, entry.supervision_ms, heard_ms, 0) if listener is not None else NO_PATH
        if number == NO_PATH:
            return True                  # no listener of its realm, or the table is full
        self.push_row(intake.rows, number, received_ns, True)
        self.paths.set_state(number, PATH_PENDING)
        if intake.offer(mark).outcome == OFFER_NO_ROOM:
            self.paths.set_state(number, PATH_NEW)
            return False
        self.expected_pending = True
        return True

    cdef list known(self, const Registered* entry):
        """Return the paths of a transmitter."""
        account = entry.key.account[:entry.key.account_size].decode("ascii")
        realm = list(self.realm_numbers)[entry.key.listener]     # they are numbered in their order
        return self.paths.paths_of(f"{PROTOCOL_TEXT[entry.key.protocol]}:{account}" + (f"@{realm}" if realm else ""))

    def listener_of(self, uint16_t realm):
        """Return the first listener that serves a realm, or None."""
        cdef uint32_t number
        for number in range(len(self.paths.listeners)):
            if number in self.listening and self.realm_of[number] == realm:
                return number
        return None

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
        text.size += snprintf(out + text.size, 32, b" supervision=%u%s", self.paths.path[number].supervision_ms,
                              <const char*>(b" expected" if expected else b""))
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
