"""SUPERVISE: line faults, raised once when a path is silent past its time, cleared by its next frame.

A system fault is raised with the line fault that leaves a transmitter no path, and cleared with the first that ends. It
goes to the journal in the same frame, so neither is there without the other.
"""
from libc.string cimport memset

from codec.batch cimport NO_PATH, TIME_NONE, Row, batch_has_room, batch_push, batch_text
from codec.words cimport (CLASS_FAULT, CONDITION_LINE_FAULT, CONDITION_SYSTEM_FAULT, ROW_SIGNAL, STATE_CLEARED,
                          STATE_RAISED)
from engine.atomics cimport load_64, replace_64
from engine.index cimport __builtin_prefetch
from engine.intake cimport Mark
from engine.memory cimport memory_release, memory_reserve
from engine.path_members cimport members_of, role_of
from engine.path_role cimport SYSTEM_CLEARING, SYSTEM_FAULT, SYSTEM_RAISING, SYSTEM_UP
from engine.path_roles cimport all_down, deadline_ms, is_down, system_of, time_ms
from engine.paths cimport (PATH_CLEARING, PATH_FAULT, PATH_RAISING, PATH_RETURNED, PATH_TEXT_BYTES_MAX, PATH_UP,
                           REVISITS_MAX, Path, PathText, path_has_role)

cdef const char* LINE_FAULT = b"line_fault"
cdef const char* SYSTEM_FAULT_TEXT = b"system_fault"
cdef enum:
    LINE_FAULT_SIZE = 10
    SYSTEM_FAULT_SIZE = 12
    ROW_BYTES_MAX = PATH_TEXT_BYTES_MAX + SYSTEM_FAULT_SIZE
    FETCHED_AHEAD = 8            # records of the paths that come next are asked for before they are looked at
    FILED_PER_TURN = 16384       # new paths entered into the wheel in one turn


cdef class Supervisor:
    def __cinit__(self, PathTable paths not None, Wheel wheel not None, ListeningClock listening not None,
                  Clock clock not None, Intake intake not None):
        self.paths = paths
        self.wheel = wheel
        self.listening = listening
        self.clock = clock
        self.intake = intake
        self.drops = -1
        self.excused_ms = <int64_t*>memory_reserve(<size_t>paths.paths_max * 8)

    def __dealloc__(self):
        if self.paths is not None:
            memory_release(self.excused_ms, <size_t>self.paths.paths_max * 8)

    @property
    def impaired(self):
        """Whether line faults of the last hour may be ours, because we lost more than may be credited."""
        doubted = self.doubted_ms != 0 and self.listening.now_ms - self.doubted_ms < EXCUSED_EVERY_MS
        return bool(doubted or self.listening.overdrawn)

    def note_drops(self, int64_t drops):
        """Hear how often frames were lost by our doing in all: any path may have lost one among them."""
        if drops != self.drops >= 0:
            self.dropped_ms = self.listening.now_ms
        self.drops = drops

    def turn(self):
        """Look at the paths whose time may have come. Returns True when there is more to do at once."""
        cdef int64_t credited_ms = self.listening.credited_ms
        cdef int64_t now_ms = self.listening.update(self.clock.monotonic_now())
        cdef int64_t wall_ns = self.clock.wall_now()
        cdef bint more
        self.paths.now_ms = now_ms
        if self.listening.credited_ms != credited_ms:
            return False  # we have just stood still: first let us hear what waits in the sockets
        with nogil:
            more = self.turn_slices(now_ms, wall_ns)
        return more

    def clear_returned(self):
        """Hand over the end of the line fault of every path that was heard again."""
        cdef int64_t wall_ns = self.clock.wall_now()
        cdef uint32_t i, number
        for i in range(self.paths.returned_count):
            number = self.paths.returned[i]
            if self.paths.path[number].state != PATH_RETURNED:
                continue                 # its end was in the journal already
            if self.push(number, STATE_CLEARED, wall_ns):
                self.cleared += 1
                self.paths.set_state(number, PATH_CLEARING)
            else:
                self.paths.set_state(number, PATH_FAULT)  # its next frame tries again
        self.paths.returned_count = 0

    cdef bint turn_slices(self, int64_t now_ms, int64_t wall_ns) noexcept nogil:
        cdef uint32_t slices, count, i, upto
        if self.paths.revisits:
            self.revisit(now_ms, wall_ns)
        upto = min(self.paths.count, self.filed_upto + <uint32_t>FILED_PER_TURN)
        while self.filed_upto < upto:
            self.look(self.filed_upto, now_ms, wall_ns)
            self.filed_upto += 1
        for slices in range(SLICES_MAX):
            count = self.wheel.advance(now_ms, self.due, SLICE_PATHS)
            self.looked_at += count
            for i in range(count):
                if i + FETCHED_AHEAD < count:
                    __builtin_prefetch(&self.paths.path[self.due[i + FETCHED_AHEAD]])
                self.look(self.due[i], now_ms, wall_ns)
            if count < SLICE_PATHS and not self.wheel.behind(now_ms):
                return self.filed_upto < self.paths.count
        return True

    cdef void revisit(self, int64_t now_ms, int64_t wall_ns) noexcept nogil:
        """Look at the paths that have another time, or others beside them; if there are too many, at all."""
        cdef uint32_t i
        for i in range(min(self.paths.revisits, <uint32_t>REVISITS_MAX)):
            self.reconcile(self.paths.revisit[i], wall_ns)
            self.look(self.paths.revisit[i], now_ms, wall_ns)
        if self.paths.revisits > REVISITS_MAX:
            self.filed_upto = 0
        self.paths.revisits = 0

    cdef void look(self, uint32_t number, int64_t now_ms, int64_t wall_ns) noexcept nogil:
        """File a path again by what it said meanwhile, or raise its line fault."""
        cdef Path* path = &self.paths.path[number]
        cdef int64_t due_ms, time
        if path.supervision_ms == 0:
            return
        due_ms = load_64(&path.heard_ms) + path.supervision_ms
        time = path.supervision_ms
        if path_has_role(path):
            due_ms = deadline_ms(self.paths, number)
            time = time_ms(self.paths, number)
        if path.state != PATH_UP:
            # In fault already, or its enrolment is not durable: its next whole period is early enough.
            self.reconcile(number, wall_ns)
            if path.state == PATH_RAISING:
                time = min(time, <int64_t>LOOK_AGAIN_MS)     # the journal may refuse it yet
            self.wheel.file(number, now_ms + time)
        elif due_ms > now_ms:
            self.wheel.file(number, due_ms)
        elif self.excuse(number, path, time, now_ms):
            self.wheel.file(number, deadline_ms(self.paths, number))
        elif self.push(number, STATE_RAISED, wall_ns):
            self.line_faults += 1
            self.paths.set_state(number, PATH_RAISING)
            # Soon again: should the journal refuse the row, the path is up and overdue.
            self.wheel.file(number, now_ms + min(time, <int64_t>LOOK_AGAIN_MS))
            self.file_alternates(number, now_ms)
        else:
            self.wheel.file(number, now_ms + RETRY_MS)

    cdef void file_alternates(self, uint32_t lead, int64_t now_ms) noexcept nogil:
        """Look at the other paths of a transmitter that has lost its primary one when their shorter time is over."""
        cdef const PathRole* role = role_of(self.paths, lead)
        cdef Members members
        cdef uint32_t i
        if role == NULL or role.lead != lead:
            return
        members = members_of(self.paths, lead)
        for i in range(members.count):
            if members.path[i] != lead and self.paths.path[members.path[i]].supervision_ms:
                self.wheel.file(members.path[i], max(now_ms, deadline_ms(self.paths, members.path[i])))

    cdef void reconcile(self, uint32_t number, int64_t wall_ns) noexcept nogil:
        """Raise or end a transmitter's system fault where its paths became others; without room it is tried again."""
        cdef Members members
        cdef PathRole* role
        cdef Mark mark
        cdef bint down
        if not path_has_role(&self.paths.path[number]):
            return
        members = members_of(self.paths, number)
        if members.count == 0:
            return
        role = system_of(self.paths, &members)
        down = all_down(self.paths, &members, NO_PATH)
        if not (down and role.system == SYSTEM_UP) and not (not down and role.system == SYSTEM_FAULT):
            return
        mark = self.intake.mark()
        if self.intake.has_room_for_own() and batch_has_room(self.intake.rows, 1, ROW_BYTES_MAX):
            self.push_system(role, STATE_RAISED if down else STATE_CLEARED, wall_ns)
            self.intake.offer(mark)

    cdef bint excuse(self, uint32_t number, Path* path, int64_t time, int64_t now_ms) noexcept nogil:
        """Take a path that is due for heard at the last drops, where a frame of it may be among them, and tell so.

        Once in an hour; who is due again is reported, and supervision is impaired.
        """
        cdef int64_t heard_ms = load_64(&path.heard_ms)
        if self.dropped_ms <= heard_ms or self.dropped_ms + time <= now_ms:
            return False
        if self.excused_ms[number] and now_ms - self.excused_ms[number] < EXCUSED_EVERY_MS:
            self.doubted_ms = now_ms
            return False
        self.excused_ms[number] = now_ms
        self.excused += 1
        replace_64(&path.heard_ms, heard_ms, self.dropped_ms)    # unless it was heard just now
        return True

    cdef bint push(self, uint32_t number, uint8_t state, int64_t wall_ns) noexcept nogil:
        """Hand over a line fault, raised or cleared; False when the intake should be left to the transmitters.

        With it, in the same frame, the system fault of a transmitter that has no path left, or has one again
        """
        cdef Mark mark = self.intake.mark()
        cdef Members members
        cdef PathRole* role
        if not self.intake.has_room_for_own() or not batch_has_room(self.intake.rows, 2, 2 * ROW_BYTES_MAX):
            return False
        self.push_row(number, CONDITION_LINE_FAULT, state, wall_ns)
        if path_has_role(&self.paths.path[number]):
            members = members_of(self.paths, number)
            if members.count > 1:
                role = system_of(self.paths, &members)
                if state == STATE_RAISED and role.system == SYSTEM_UP and all_down(self.paths, &members, number):
                    self.push_system(role, STATE_RAISED, wall_ns)
                elif state == STATE_CLEARED and (role.system == SYSTEM_RAISING or role.system == SYSTEM_FAULT):
                    self.push_system(role, STATE_CLEARED, wall_ns)
        self.intake.offer(mark)
        return True

    cdef void push_system(self, PathRole* role, uint8_t state, int64_t wall_ns) noexcept nogil:
        """Add the row of a system fault; it names the path that holds the transmitter's state."""
        self.push_row(role.number, CONDITION_SYSTEM_FAULT, state, wall_ns)
        role.system = SYSTEM_RAISING if state == STATE_RAISED else SYSTEM_CLEARING
        self.system_faults += state == STATE_RAISED
        self.system_cleared += state == STATE_CLEARED

    cdef void push_row(self, uint32_t number, uint16_t condition, uint8_t state, int64_t wall_ns) noexcept nogil:
        cdef char out[PATH_TEXT_BYTES_MAX]
        cdef PathText text = self.paths.write_text(number, out)
        cdef Row row
        memset(&row, 0, sizeof(Row))
        row.kind = ROW_SIGNAL
        row.received_ns = wall_ns
        row.occurred_ns = TIME_NONE
        row.path = number
        row.protocol = self.paths.path[number].key.protocol
        row.signal_class = CLASS_FAULT
        row.condition = condition
        row.state = state
        row.point = batch_text(self.intake.rows, <const uint8_t*>out, text.size)
        row.account.at = row.point.at + text.account_at
        row.account.size = self.paths.path[number].key.account_size
        row.realm.at = row.point.at + text.realm_at
        row.realm.size = text.realm_size
        row.point.at += text.rest_at
        row.point.size -= text.rest_at
        if condition == CONDITION_SYSTEM_FAULT:
            row.point.size = 0           # the transmitter as a whole
            row.native = batch_text(self.intake.rows, <const uint8_t*>SYSTEM_FAULT_TEXT, SYSTEM_FAULT_SIZE)
        else:
            row.native = batch_text(self.intake.rows, <const uint8_t*>LINE_FAULT, LINE_FAULT_SIZE)
        batch_push(self.intake.rows, &row)
