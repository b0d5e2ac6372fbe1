"""The records of the path table: every path that the engine knows, in flat arrays that only grow.

Rejected: a Python object a path (some 400 bytes and a dictionary look-up a heartbeat); moving records to grow
(a reader on another thread would see them go); the peer address as part of the key (a transmitter behind a mobile
network changes it every day, and would be another one each time).
"""
import struct

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from codec.batch cimport NO_PATH
from codec.frame cimport NUMBER_NONE
from codec.limits cimport ACCOUNT_BYTES_MAX
from codec.words cimport PROTOCOL_COUNT
from codec.words import PROTOCOL_NUMBER, PROTOCOL_TEXT
from engine.atomics cimport load_64, store_ordered_8
from engine.index cimport INDEX_NONE, Probe, index_create, index_destroy, index_first, index_next
from engine.memory cimport memory_release, memory_reserve, memory_reserve_wide
from engine.path_key cimport write_number
from engine.path_linking cimport hash_ahead, link_path, transmitter_hash
from engine.path_members cimport members_of, role_of
from engine.path_role cimport Members
from engine.path_roles cimport assign_roles, begin_anew, times_among

from engine.path_naming import NamedTimes


cdef char protocol_name[PROTOCOL_COUNT][16]


cdef int fill_protocols() except -1:
    cdef bytes text
    for number, name in PROTOCOL_TEXT.items():
        text = name.encode()
        memcpy(protocol_name[<int>number], PyBytes_AS_STRING(text), len(text) + 1)
    return 0


fill_protocols()


cdef bint names_times(PathRecords paths, uint32_t number, PathTimes* times) except -1:
    found = paths.named.of_first_path(paths.transmitter_text(number), paths.path[number].supervision_ms)
    if found is not None:
        times.primary_ms, times.alternate_ms, times.alone_ms = found
    paths.naming = bool(paths.named)
    return found is not None


cdef uint32_t named_primary(PathRecords paths, const Members* members) except? 0xFFFFFFFE:
    if members.count < 2:
        return NO_PATH
    cdef uint32_t i
    listed = []
    for i in range(members.count):
        listed.append((members.path[i], paths.key_text(members.path[i])))
    listed.sort()
    found = paths.named.primary_of(paths.transmitter_text(members.first), listed)
    return NO_PATH if found is None else found


cdef class PathRecords:
    def __cinit__(self, uint32_t paths_max, bytes hash_key not None):
        self.hash_key.first, self.hash_key.second = struct.unpack("<QQ", hash_key)
        self.paths_max = paths_max
        self.path = <Path*>memory_reserve_wide(<size_t>paths_max * sizeof(Path))
        self.sibling = <uint32_t*>memory_reserve(<size_t>paths_max * 4)
        self.enrolled_ms = <int64_t*>memory_reserve(<size_t>paths_max * 8)
        self.learned = <Learned*>memory_reserve_wide(<size_t>paths_max * sizeof(Learned))
        index_create(&self.by_key, paths_max, True)
        index_create(&self.by_transmitter, paths_max, True)
        self.observed = <Observed*>memory_reserve(<size_t>paths_max * sizeof(Observed))
        self.role = <PathRole*>memory_reserve(<size_t>paths_max * sizeof(PathRole))
        self.role_at = <uint32_t*>memory_reserve(<size_t>paths_max * 4)
        self.named = NamedTimes()
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
        memory_release(self.observed, <size_t>self.paths_max * sizeof(Observed))
        memory_release(self.role, <size_t>self.paths_max * sizeof(PathRole))
        memory_release(self.role_at, <size_t>self.paths_max * 4)
        index_destroy(&self.by_key)
        index_destroy(&self.by_transmitter)
        free(self.listener_text)

    def __len__(self):
        return self.count

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
        self.place(number)

    cdef void place(self, uint32_t number, const PathTimes* times=NULL) noexcept nogil:
        """Give the paths of a transmitter, to which `number` has come, their roles and times.

        times  of all of them; NULL: as they were, or as somebody named them before there was a path
        """
        cdef Members members = members_of(self, number)
        cdef PathTimes waited
        cdef uint32_t primary = NO_PATH, i
        if times == NULL:
            times = times_among(self, &members)
        if self.naming and members.count:
            with gil:
                if times == NULL and members.count == 1 and names_times(self, number, &waited):
                    times = &waited
                primary = named_primary(self, &members)
        assign_roles(self, &members, times, primary)
        for i in range(members.count if members.count > 1 else 0):
            self.note_revisit(members.path[i])

    cdef void give_times(self, uint32_t number, const PathTimes* times) noexcept nogil:
        """Give all paths of the transmitter of path `number` its times, from now on; they are not those of nobody."""
        cdef Members members = members_of(self, number)
        cdef uint32_t i
        self.place(number, times)
        for i in range(members.count):
            self.learned[members.path[i]].time_learned = 0
            begin_anew(self, members.path[i])

    cdef void note_revisit(self, uint32_t number) noexcept nogil:
        """Have SUPERVISE look at a path soon: its time is another one, or its transmitter has others than before."""
        if self.revisits < REVISITS_MAX:
            self.revisit[self.revisits] = number
        self.revisits += self.revisits <= REVISITS_MAX

    cdef bint expected(self, uint32_t number) noexcept nogil:
        """Tell whether a path stands for a transmitter that the configuration names, and has never spoken itself."""
        cdef const Path* path = &self.path[number]
        return (load_64(&path.seen_ms) == 0 and path.key.receiver == NUMBER_NONE and path.key.line == NUMBER_NONE
                and path.key.network == NUMBER_NONE)

    cdef void relieve(self, uint32_t number) noexcept nogil:
        """Supervise a path no longer; a line fault that it has ends."""
        self.path[number].supervision_ms = 0
        if self.path[number].state == PATH_FAULT:
            self.note_return(number)
        if path_has_role(&self.path[number]):
            self.note_revisit(number)

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

    cdef int write_times(self, uint32_t number, char* out) noexcept nogil:
        """Write ` supervision=90000`, or all three times of a path's transmitter; return the bytes, up to 48."""
        cdef const PathRole* role = role_of(self, number)
        if role == NULL or role.times.alternate_ms == 0:
            return snprintf(out, 48, b" supervision=%u", self.path[number].supervision_ms)
        return snprintf(out, 48, b" supervision=%u/%u/%u", role.times.primary_ms, role.times.alternate_ms,
                        role.times.alone_ms)

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
