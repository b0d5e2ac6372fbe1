"""The receiver: what one frame leads to, for UDP and TCP alike.

A heartbeat of a known path touches it and is answered; that is the fast path and comes first. Everything else is
rare: signals go to the intake, unknown accounts to enrolment, bad bytes to the refused frames.
"""
import os

from libc.string cimport memset

from codec.batch cimport NO_PATH, Columns, batch_text
from codec.dc09 cimport TOKEN_UNKNOWN
from codec.formats cimport find_start, format_of, split
from codec.frame cimport (ANSWER_ACCEPT, ANSWER_COMMAND, ANSWER_NONE, ANSWER_REFUSE, Answer, Format, Origin, Profile,
                          default_profile)
from codec.limits cimport COMMAND_BYTES_MAX
from codec.status cimport BAD_CRYPTO, BAD_TIME, BATCH_FULL, NEED_DATA, OK
from codec.tocsin cimport key_id_of, tocsin_tag
from codec.words cimport (FLAG_LATE, FLAG_QUARANTINED, FRAME_HEARTBEAT, FRAME_KIND_COUNT, FRAME_REPLY, PROTOCOL_COUNT,
                          PROTOCOL_DC09, PROTOCOL_GBT26875, PROTOCOL_TOCSIN)
from codec.words import FRAME_KIND_TEXT, PROTOCOL_TEXT
from engine.atomics cimport load_16, load_32, store_32
from engine.heartbeats cimport heartbeat_note
from engine.index cimport index_fetch
from engine.intake cimport (OFFER_NEW, OFFER_NO_ROOM, OFFER_NOTHING, TICKET_DURABLE, URGENCY_FIRE, URGENCY_NORMAL, Mark,
                            Offered, Urgency)
from engine.listen.counters cimport (REFUSAL_COUNT, REFUSED_NOT_SERVED, REFUSED_UNKNOWN_ACCOUNT, SHED_COUNT,
                                     SHED_ENROLMENT, SHED_SIGNAL, Shed, counters_add)
from engine.listen.enrolment cimport (POLICY_ENROL, POLICY_LATER, POLICY_QUARANTINE, POLICY_REFUSE, Admission, Policy)
from engine.listen.roster cimport Registered, Secret, is_watched
from engine.listen.habits cimport LOOK_EVERY_FRAMES, clock_form, clocks_shown, learn, learn_refusal
from engine.listen.members cimport Members, carries_alarm, members_find, members_part, members_take_lives
from engine.listen.refused import REFUSAL_TEXT
from engine.listen.unreadable cimport tell_unreadable
from engine.listen.windows cimport STANDING_AGAIN, STANDING_STALE
from engine.learned cimport SEEN_REPLAYED, SEEN_UNREADABLE_TOKEN, learned_add
from engine.path_key cimport path_key_of
from engine.paths cimport (PATH_FAULT, PATH_NEW, PATH_PENDING, TRAIT_COMMAND, TRAIT_UNNAMED, TRAIT_WATCHED, Path,
                           path_clear_trait, path_find, path_find_hashed, path_has_trait, path_hash, path_set_trait)
from engine.touch cimport path_count_shared, path_touch, path_touch_shared

ANSWER_TEXT = ("none", "accept", "refuse", "unable", "command")
REPLAY_FRAMES, REPLAY_SPAN_NS = 1024, 60_000_000_000   # where nobody says how many transmitters encrypt
SHED_TEXT = ("signal", "held_reply", "reply", "connection", "enrolment", "heartbeat_reply")


cdef inline bint is_served(const Frame* frame, const Arrival* arrival) noexcept nogil:
    """Tell whether this listener takes the frame's protocol."""
    return arrival.protocol == PROTOCOL_ANY or arrival.protocol == frame.protocol


cdef class Tally:
    def __cinit__(self):
        memset(&self.counters, 0, sizeof(Counters))


cdef class Receiver:
    def __cinit__(self, PathTable paths not None, Enrolment enrolment not None, Intake intake not None,
                  RefusedFrames refused not None, HeartbeatLog heartbeats not None, Replays replays=None,
                  Windows windows=None):
        self.paths = paths
        self.enrolment = enrolment
        self.intake = intake
        self.refused = refused
        self.heartbeats = heartbeats
        self.replays = replays or Replays(REPLAY_FRAMES, REPLAY_SPAN_NS, os.urandom(16))
        self.windows = windows or Windows(16)
        self.commands = Commands()
        self.entropy = int.from_bytes(os.urandom(8), "little")
        memset(&self.counters, 0, sizeof(Counters))
        self.tallies = []

    cdef void peek(self, const uint8_t* data, uint32_t size, const Arrival* arrival, Peeked* peeked) noexcept nogil:
        """Look at the frame, or the garbage, at data[0], and have what leads to its path brought into the cache."""
        peeked.status = split(data, size, &peeked.frame)
        if peeked.status == OK:
            path_key_of(&peeked.frame, arrival.listener, &peeked.key)
            peeked.hash = path_hash(&self.paths.hash_key, &peeked.key)
            index_fetch(&self.paths.by_key, peeked.hash)

    cdef void take(self, const uint8_t* data, uint32_t size, const Arrival* arrival, Taken* taken) noexcept nogil:
        """Take the frame, or the garbage, at data[0]. All of `taken` but an unused reply is filled."""
        cdef Peeked peeked
        self.peek(data, size, arrival, &peeked)
        self.take_peeked(data, size, &peeked, arrival, taken)

    cdef void take_peeked(self, const uint8_t* data, uint32_t size, Peeked* peeked, const Arrival* arrival,
                          Taken* taken) noexcept nogil:
        """Take a frame, or garbage, that was looked at. What is in `peeked` has served then."""
        cdef Frame* frame = &peeked.frame
        cdef PathKey* key = &peeked.key
        cdef uint32_t number
        cdef Admission admission
        cdef Profile profile
        cdef Profile* known = NULL
        cdef bint watched = False
        cdef int shown
        taken.action = ACTION_NONE
        taken.status = peeked.status
        taken.ticket = TICKET_DURABLE
        taken.reply_size = 0
        if peeked.status == NEED_DATA:
            taken.action = ACTION_WAIT
            taken.size = 0
            return
        if peeked.status != OK:
            self.refuse(data, size, NULL, arrival, peeked.status, taken)
            return
        admission.policy = POLICY_ENROL
        taken.size = frame.size
        taken.protocol = frame.protocol
        if not is_served(frame, arrival):
            self.refuse(data, frame.size, frame, arrival, REFUSED_NOT_SERVED, taken)
            return
        if frame.kind == FRAME_REPLY:
            self.counters.frames[frame.protocol][<int>FRAME_REPLY] += 1
            taken.kind = FRAME_REPLY
            return
        number = path_find_hashed(self.paths.path, &self.paths.by_key, peeked.hash, key)
        if frame.encrypted or self.is_watched(key, number):
            profile = self.profile_of(key)
            known = &profile
            watched = not frame.encrypted
            if frame.encrypted and profile.key == NULL and profile.mac_key == NULL:
                self.refuse(data, frame.size, frame, arrival, BAD_CRYPTO, taken)
                return
        if number == NO_PATH or self.paths.path[number].state == PATH_NEW \
                or path_has_trait(&self.paths.path[number], TRAIT_UNNAMED):
            admission = self.meet(key, arrival)
            number = admission.path
            if admission.policy == POLICY_REFUSE:
                self.refuse(data, frame.size, frame, arrival, REFUSED_UNKNOWN_ACCOUNT, taken)
                return
        if frame.protocol == PROTOCOL_GBT26875 and number != NO_PATH and (watched or frame.kind != FRAME_HEARTBEAT):
            if known == NULL:
                profile = default_profile()
                known = &profile
            profile.clock_form = clock_form(&self.paths.learned[number])
        shown = clocks_shown(frame)
        if frame.kind != FRAME_HEARTBEAT or watched:
            self.journal(frame, known, number, <Policy>admission.policy, arrival, taken)
        elif admission.policy == POLICY_LATER:
            self.turn_away(arrival, URGENCY_NORMAL, SHED_ENROLMENT, taken)
        taken.kind = frame.kind
        if taken.status != OK and (taken.status != BATCH_FULL or taken.action == ACTION_NO_ROOM):
            self.leave(frame, <Policy>admission.policy, taken)
            return
        self.counters.frames[frame.protocol][frame.kind] += 1
        if number != NO_PATH:
            self.touch(frame, key, number, shown, arrival, taken)
        if taken.status == OK and number != NO_PATH and path_has_trait(&self.paths.path[number], TRAIT_COMMAND):
            self.answer_with_command(frame, known, number, arrival, taken)
        elif taken.status == OK:
            self.answer(frame, known, arrival, taken)

    cdef void answer_with_command(self, Frame* frame, const Profile* known, uint32_t number, const Arrival* arrival,
                                  Taken* taken) noexcept nogil:
        """Send what waits for the path along with the reply to a good frame, where its format has a way to."""
        cdef uint8_t command[COMMAND_BYTES_MAX]
        cdef Profile profile = known[0] if known != NULL else default_profile()
        if frame.answer == ANSWER_ACCEPT and format_of(frame.start[0]).takes_commands:
            profile.command_size = self.commands.take(number, arrival.received_ns, command)
            profile.command = command
            if profile.command_size:
                frame.answer = ANSWER_COMMAND
            else:
                path_clear_trait(&self.paths.path[number], TRAIT_COMMAND)
        self.answer(frame, &profile, arrival, taken)

    cdef void touch(self, const Frame* frame, const PathKey* key, uint32_t number, int shown, const Arrival* arrival,
                    Taken* taken) noexcept nogil:
        """Note that a path lives, and what its frame showed; shown: Seen bits that only the undecoded frame had."""
        cdef Path* path = &self.paths.path[number]
        if frame.kind != FRAME_HEARTBEAT or load_16(&path.frames) % LOOK_EVERY_FRAMES == 0:
            learn(&self.paths.learned[number], frame, shown, arrival.received_ns)
        # A late frame may be a recording, as one that came before is: neither proves life.
        if frame.answer != ANSWER_REFUSE and not (frame.encrypted and self.is_replay(key, frame, arrival)):
            self.note_life(path, number, arrival)
            if frame.kind == FRAME_HEARTBEAT:
                heartbeat_note(self.heartbeats, number, arrival.received_ns)
        if frame.answer != ANSWER_REFUSE and (
                path.state == PATH_PENDING and taken.status == OK and taken.ticket == TICKET_DURABLE
                and self.intake.offered > self.intake.durable):
            # Its enrolment is on the way: nothing is answered before that is on the disk. When all is there and
            # only the path table does not know it yet, nobody would release a reply that is held.
            taken.ticket = self.intake.offered

    cdef void note_life(self, Path* path, uint32_t number, const Arrival* arrival) noexcept nogil:
        if self.paths.shared:
            path_touch_shared(path, arrival.heard_ms, arrival.received_ns // 1000000)
            path_count_shared(path)
        else:
            path_touch(path, arrival.heard_ms, arrival.received_ns // 1000000)
        if load_32(&path.peer) != arrival.peer:
            self.paths.peer_changes += load_32(&path.peer) != 0
            store_32(&path.peer, arrival.peer)
        if path.state == PATH_FAULT:
            self.paths.note_return(number)

    cdef void answer(self, const Frame* frame, const Profile* profile, const Arrival* arrival,
                     Taken* taken) noexcept nogil:
        """Encode the reply that the frame asks for, and say when it may leave."""
        taken.answer = frame.answer
        if frame.answer == ANSWER_NONE:
            return
        taken.reply_size = format_of(frame.start[0]).encode(frame, profile, <Answer>frame.answer, arrival.received_ns,
                                                            taken.reply)
        if taken.reply_size:
            taken.action = ACTION_REPLY if taken.ticket == TICKET_DURABLE else ACTION_HOLD

    cdef void refuse(self, const uint8_t* data, uint32_t size, const Frame* frame, const Arrival* arrival, int status,
                     Taken* taken) noexcept nogil:
        """Count what is no frame or not welcome, keep it for the installer, and pass over it.

        frame  of data[:size], whose header could be read; NULL: one byte is passed over, and what begins no frame
        """
        cdef const Format* format = format_of(data[0])
        taken.protocol = format.protocol if format != NULL else 0
        taken.status = status
        taken.action = ACTION_NONE
        taken.size = size
        if frame == NULL:
            taken.size = 1 + find_start(data + 1, size - 1)
            self.counters.garbage_bytes += taken.size
        self.counters.rejected[taken.protocol][status] += 1
        if frame != NULL:
            self.note_refusal(frame, arrival, status)
        self.refused.note(data, taken.size, taken.protocol, status, frame, arrival.peer, arrival.address, arrival.port,
                          arrival.received_ns)

    cdef void note_refusal(self, const Frame* frame, const Arrival* arrival, int status) noexcept nogil:
        """Let the path that the frame names, where it is known, show that a frame was refused, and why."""
        cdef PathKey key
        cdef uint32_t number
        path_key_of(frame, arrival.listener, &key)
        number = path_find(self.paths.path, &self.paths.by_key, &self.paths.hash_key, &key)
        if number != NO_PATH:
            learn_refusal(&self.paths.learned[number], status, arrival.received_ns)
            if status == BAD_TIME:
                learn(&self.paths.learned[number], frame, 0, arrival.received_ns)

    cdef bint is_watched(self, const PathKey* key, uint32_t number) noexcept nogil:
        """Tell whether a clear frame must be looked at before it counts."""
        cdef const Registered* entry
        if number != NO_PATH:
            return path_has_trait(&self.paths.path[number], TRAIT_WATCHED)
        entry = self.enrolment.find(key)
        return entry != NULL and is_watched(entry)

    cdef bint is_replay(self, const PathKey* key, const Frame* frame, const Arrival* arrival) noexcept nogil:
        """Tell whether an encrypted frame came before. A repetition is answered, but it may be a recording."""
        cdef uint32_t number
        if frame.protocol == PROTOCOL_TOCSIN:
            if frame.form != STANDING_AGAIN:
                return False
        elif not self.replays.is_replay(key, frame, arrival.monotonic_ns):
            return False
        number = path_find(self.paths.path, &self.paths.by_key, &self.paths.hash_key, key)
        if number != NO_PATH:
            learned_add(&self.paths.learned[number], SEEN_REPLAYED)
        return True

    cdef Profile profile_of(self, const PathKey* key) noexcept nogil:
        """Return what is known beforehand of the transmitter that a frame names; without a key for unknown ones."""
        cdef const Registered* entry = self.enrolment.find(key)
        cdef const Secret* secret
        cdef Profile profile = default_profile()
        if entry != NULL:
            secret = self.enrolment.secret_of(entry)
            if secret != NULL and secret.aes.rounds:
                profile.key = &secret.aes
            if secret != NULL and secret.has_mac_key:
                profile.mac_key = <const uint8_t*>&secret.mac_key[0]
            profile.window_past_s = entry.window_past_s
            profile.window_future_s = entry.window_future_s
            profile.encrypted_only = entry.encrypted_only
            profile.check_clear_stamps = entry.check_clear_stamps
            profile.reject_stale = entry.reject_stale
        self.entropy += 1
        profile.entropy = self.entropy
        return profile

    cdef Admission meet(self, const PathKey* key, const Arrival* arrival) noexcept nogil:
        """Decide about a path that is unknown, or whose enrolment was lost.

        Without room for an enrolment nobody is enrolled now, and nothing is promised: POLICY_LATER.
        """
        cdef uint32_t number = path_find(self.paths.path, &self.paths.by_key, &self.paths.hash_key, key)
        cdef Admission admission
        cdef Mark mark = self.intake.mark()
        cdef int64_t seen_ms = arrival.received_ns // 1000000
        admission.path = number
        admission.policy = POLICY_ENROL
        if self.enrolment.policy != POLICY_ENROL and self.enrolment.find(key) == NULL and (
                number == NO_PATH or path_has_trait(&self.paths.path[number], TRAIT_UNNAMED)):
            return self.enrolment.admit(key, arrival.monotonic_ns, arrival.heard_ms, seen_ms)
        if not self.intake.has_room(URGENCY_NORMAL) or not self.enrolment.has_room(self.intake.rows):
            admission.path = NO_PATH
            admission.policy = POLICY_LATER
            return admission
        if number == NO_PATH:
            admission = self.enrolment.admit(key, arrival.monotonic_ns, arrival.heard_ms, seen_ms)
        if admission.path != NO_PATH:
            self.enrolment.push_row(self.intake.rows, admission.path, arrival.received_ns)
            if self.intake.offer(mark).outcome == OFFER_NO_ROOM:
                admission.path = NO_PATH         # its path stays as one whose enrolment was lost
                admission.policy = POLICY_LATER
            else:
                self.paths.set_state(admission.path, PATH_PENDING)
        return admission

    cdef Status read(self, Frame* frame, const Profile* profile, uint32_t path, bint quarantined,
                     const Arrival* arrival) noexcept nogil:
        """Decode a frame's rows into the intake."""
        cdef Origin origin
        cdef const char* realm = self.paths.listener_text[arrival.listener].realm
        cdef uint32_t realm_size = self.paths.listener_text[arrival.listener].realm_size
        origin.received_ns = arrival.received_ns
        origin.path = path
        origin.flags = FLAG_QUARANTINED if quarantined else 0
        origin.realm.at = origin.realm.size = 0
        if realm_size and self.intake.rows.arena_max - self.intake.rows.arena_used > realm_size:
            origin.realm = batch_text(self.intake.rows, <const uint8_t*>realm, realm_size)
        return format_of(frame.start[0]).decode(frame, profile, &origin, self.intake.rows)

    cdef void turn_away(self, const Arrival* arrival, Urgency urgency, Shed what, Taken* taken) noexcept nogil:
        """Shed a frame that found no room, and count it; where it may wait for the next append it stays untaken."""
        taken.status = BATCH_FULL
        if arrival.waits and self.intake.has_room_later(urgency):
            taken.action = ACTION_NO_ROOM
            taken.size = 0
        else:
            self.counters.shed[<int>what] += 1

    cdef void leave(self, const Frame* frame, Policy policy, const Taken* taken) noexcept nogil:
        """Take back what a frame has changed that will be offered again: all but enrolments."""
        if taken.action != ACTION_NO_ROOM:
            return
        if frame.protocol == PROTOCOL_TOCSIN and self.windows.judged != NULL:
            self.windows.take_back(frame.sequence, frame.form)
            self.enrolment.quarantined, self.enrolment.refused = self.quarantined_before, self.refused_before
        self.enrolment.quarantined -= policy == POLICY_QUARANTINE

    cdef void journal(self, Frame* frame, Profile* profile, uint32_t path, Policy policy, const Arrival* arrival,
                      Taken* taken) noexcept nogil:
        """Decode a frame's signals into the intake. Without room nothing of it stays, and it gets no reply."""
        cdef Mark mark = self.intake.mark()
        cdef Offered offered
        cdef bint told = False, quarantined = policy != POLICY_ENROL
        cdef Members members
        cdef Status status = self.read(frame, profile, path, quarantined, arrival)
        members.count = 0
        if frame.protocol == PROTOCOL_TOCSIN:
            self.windows.judged = NULL
        if status == OK and frame.protocol == PROTOCOL_TOCSIN:
            status = self.settle_members(frame, profile, path, quarantined, arrival, &mark, &members, taken)
        taken.urgency = URGENCY_NORMAL
        if status != OK:
            self.intake.withdraw(mark)
            if status == BATCH_FULL and taken.status == OK:
                self.turn_away(arrival, URGENCY_FIRE, SHED_SIGNAL, taken)    # it may be one: the next append tells
            elif status != BATCH_FULL:
                self.refuse(frame.start, frame.size, frame, arrival, status, taken)
                if frame.answer != ANSWER_NONE:
                    # A stamp outside the window, a counter that is used up, data that the protocol does not have.
                    self.answer(frame, profile, arrival, taken)
                    self.refused.note_answer(taken.reply, taken.reply_size)
            return
        if self.intake.rows.count == mark.row:
            self.intake.withdraw(mark)
            if policy == POLICY_LATER and frame.kind == FRAME_HEARTBEAT:
                self.turn_away(arrival, URGENCY_NORMAL, SHED_ENROLMENT, taken)
            if taken.action != ACTION_NO_ROOM:
                self.touch_members(frame, &members, arrival, taken)
            return
        if frame.protocol == PROTOCOL_DC09 and frame.token == TOKEN_UNKNOWN and path != NO_PATH \
                and not self.paths.learned[path].seen & <int>SEEN_UNREADABLE_TOKEN:
            told = tell_unreadable(self.intake.rows, frame)
        offered = self.intake.offer(mark)
        taken.ticket = offered.ticket
        taken.urgency = self.intake.urgency
        if told and offered.outcome == OFFER_NEW:
            learned_add(&self.paths.learned[path], SEEN_UNREADABLE_TOKEN)
        if offered.outcome == OFFER_NO_ROOM:
            self.turn_away(arrival, <Urgency>self.intake.urgency, SHED_SIGNAL, taken)
        elif offered.outcome == OFFER_NOTHING:
            frame.kind = FRAME_HEARTBEAT
            if policy == POLICY_LATER:
                self.turn_away(arrival, URGENCY_NORMAL, SHED_ENROLMENT, taken)
        if taken.status == OK:
            self.touch_members(frame, &members, arrival, taken)

    cdef Status settle_members(self, Frame* frame, Profile* profile, uint32_t path, bint quarantined,
                               const Arrival* arrival, Mark* mark, Members* members, Taken* taken) noexcept nogil:
        """See where an authentic message stands by its counter, and whose rows it brings.

        mark     where its rows begin; later when enrolments had to go before them
        members  filled
        Returns  OK | BATCH_FULL, no room to enrol (and `taken` says so) or to read it again | BAD_TIME: its counter
                 is used up, and there is no alarm in it
        """
        cdef Columns* c = self.intake.rows
        cdef uint32_t highest, i
        cdef bint later, stale, urgent = self.intake.urgency_since(mark[0]) == URGENCY_FIRE
        cdef Status status
        self.quarantined_before, self.refused_before = self.enrolment.quarantined, self.enrolment.refused
        frame.form = self.windows.judge(key_id_of(frame), frame.sequence, tocsin_tag(frame), &highest)
        stale = frame.form == STANDING_STALE
        if stale:
            profile.counter = highest
            frame.answer = ANSWER_REFUSE
            if profile.reject_stale or not carries_alarm(c, mark.row):
                return BAD_TIME
        members_find(members, frame, arrival.listener, c, mark.row, self.paths)
        if members.unknown:
            self.intake.withdraw(mark[0])
            for i in range(members.unknown):
                later = self.meet(&members.strangers[i], arrival).policy == POLICY_LATER
                mark[0] = self.intake.mark()
                # A fire waits for no enrolment; where the policy would take an unknown one's rows out it must.
                if later and (not urgent or self.enrolment.policy == POLICY_REFUSE):
                    self.turn_away(arrival, URGENCY_NORMAL, SHED_ENROLMENT, taken)
                    return BATCH_FULL
            status = self.read(frame, profile, path, quarantined, arrival)
            if status != OK:
                return status
            members_find(members, frame, arrival.listener, c, mark.row, self.paths)
            members_part(c, mark.row, frame, self.enrolment.policy == POLICY_REFUSE)
        if stale:
            for i in range(mark.row, c.count):
                c.flags[i] |= <uint16_t>FLAG_LATE
        members_take_lives(c, mark.row)
        return OK

    cdef void touch_members(self, const Frame* frame, const Members* members, const Arrival* arrival,
                            Taken* taken) noexcept nogil:
        """The transmitters that a message speaks of live, unless it is stale or came before."""
        cdef uint32_t i
        cdef Path* path
        for i in range(members.count):
            if members.paths[i] == NO_PATH:
                continue
            path = &self.paths.path[members.paths[i]]
            if frame.answer != ANSWER_REFUSE and frame.form != STANDING_AGAIN:
                self.note_life(path, members.paths[i], arrival)
            if path.state == PATH_PENDING and taken.ticket == TICKET_DURABLE \
                    and self.intake.offered > self.intake.durable:
                taken.ticket = self.intake.offered

    def tally(self):
        tally = Tally()
        self.tallies.append(tally)
        return tally

    def queue_command(self, uint32_t number, command):
        """Let a command wait for the next frame of a path. Returns False when too many wait already."""
        if number >= self.paths.count:
            raise IndexError(number)
        queued = self.commands.queue(number, command)
        if queued:
            path_set_trait(&self.paths.path[number], TRAIT_COMMAND)
        return queued

    def commands_of(self, uint32_t number, int64_t now_ns):
        return self.commands.shown(number, now_ns)

    def counts(self):
        """Return what was counted, by label texts: frames, rejected, replies, shed and plain numbers."""
        cdef int p, k
        cdef Counters total = self.counters
        cdef Counters* c = &total
        for tally in self.tallies:
            counters_add(c, &(<Tally>tally).counters)
        return {
            "frames": {(PROTOCOL_TEXT[p], FRAME_KIND_TEXT[k]): c.frames[p][k]
                       for p in range(1, PROTOCOL_COUNT) for k in range(FRAME_KIND_COUNT)},
            "rejected": {(PROTOCOL_TEXT[p] if p else "unknown", REFUSAL_TEXT[k]): c.rejected[p][k]
                         for p in range(PROTOCOL_COUNT) for k in range(3, REFUSAL_COUNT)},
            "replies": {(PROTOCOL_TEXT[p], ANSWER_TEXT[k]): c.replies[p][k]
                        for p in range(1, PROTOCOL_COUNT) for k in range(1, len(ANSWER_TEXT))},
            "shed": {SHED_TEXT[k]: c.shed[k] for k in range(SHED_COUNT)},
            "replays": self.replays.found + self.windows.repeated, "replays_early": self.replays.early,
            "replies_withheld": c.replies_withheld, "bytes": c.bytes, "garbage_bytes": c.garbage_bytes,
            "connections_accepted": c.connections_accepted, "handed": c.handed,
            "peer_changes": c.peer_changes + self.paths.peer_changes,
        }
