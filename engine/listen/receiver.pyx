"""The receiver: what one frame leads to, for UDP and TCP alike.

A heartbeat of a known path touches it and is answered; that is the fast path and comes first. Everything else is
rare: signals go to the intake, unknown accounts to enrolment, bad bytes to the refused frames.
"""
import os

from libc.string cimport memset

from codec.batch cimport NO_PATH, batch_text
from codec.formats cimport find_start, format_of, split
from codec.frame cimport ANSWER_NONE, ANSWER_REFUSE, Answer, Format, Origin, Profile, default_profile
from codec.limits cimport FRAME_BYTES_MAX
from codec.status cimport BAD_CRYPTO, BATCH_FULL, NEED_DATA, OK
from codec.words cimport (FLAG_QUARANTINED, FRAME_HEARTBEAT, FRAME_KIND_COUNT, FRAME_REPLY,
                          PROTOCOL_COUNT)
from codec.words import FRAME_KIND_TEXT, PROTOCOL_TEXT
from engine.heartbeats cimport heartbeat_note
from engine.intake cimport OFFER_NO_ROOM, OFFER_NOTHING, TICKET_DURABLE, URGENCY_NORMAL, Mark, Offered
from engine.listen.counters cimport (REFUSAL_COUNT, REFUSED_NOT_SERVED, REFUSED_UNKNOWN_ACCOUNT, SHED_COUNT,
                                     SHED_ENROLMENT, SHED_SIGNAL)
from engine.listen.enrolment cimport POLICY_ENROL, POLICY_LATER, POLICY_REFUSE, Admission, Registered
from engine.listen.refused import REFUSAL_TEXT
from engine.paths cimport (PATH_FAULT, PATH_NEW, PATH_PENDING, PATH_UP, Path, path_find, path_key_of, path_touch)

ANSWER_TEXT = ("none", "accept", "refuse", "unable")
SHED_TEXT = ("signal", "held_reply", "reply", "connection", "enrolment")


cdef inline bint is_served(const Frame* frame, const Arrival* arrival) noexcept nogil:
    """Tell whether this listener takes the frame's protocol."""
    return arrival.protocol == PROTOCOL_ANY or arrival.protocol == frame.protocol


cdef class Receiver:
    def __cinit__(self, PathTable paths not None, Enrolment enrolment not None, Intake intake not None,
                  RefusedFrames refused not None, HeartbeatLog heartbeats not None):
        self.paths = paths
        self.enrolment = enrolment
        self.intake = intake
        self.refused = refused
        self.heartbeats = heartbeats
        self.entropy = int.from_bytes(os.urandom(8), "little")
        memset(&self.counters, 0, sizeof(Counters))

    cdef void take(self, const uint8_t* data, uint32_t size, const Arrival* arrival, Taken* taken) noexcept nogil:
        """Take the frame, or the garbage, at data[0]. All of `taken` but an unused reply is filled."""
        cdef Frame frame
        cdef PathKey key
        cdef Path* path
        cdef uint32_t number
        cdef Admission admission
        cdef Profile profile
        cdef Status status = split(data, size, &frame)
        taken.action = ACTION_NONE
        taken.status = status
        taken.ticket = TICKET_DURABLE
        taken.reply_size = 0
        if status == NEED_DATA:
            taken.action = ACTION_WAIT
            taken.size = 0
            return
        if status != OK:
            self.refuse(data, size, NULL, arrival, status, taken)
            return
        admission.policy = POLICY_ENROL
        taken.size = frame.size
        taken.protocol = frame.protocol
        if not is_served(&frame, arrival):
            self.refuse(data, frame.size, &frame, arrival, REFUSED_NOT_SERVED, taken)
            return
        if frame.kind == FRAME_REPLY:
            self.counters.frames[frame.protocol][<int>FRAME_REPLY] += 1
            taken.kind = FRAME_REPLY
            return
        path_key_of(&frame, arrival.listener, &key)
        if frame.encrypted:
            profile = self.profile_of(&key)
            if profile.key == NULL:
                self.refuse(data, frame.size, &frame, arrival, BAD_CRYPTO, taken)
                return
        number = path_find(self.paths.path, &self.paths.by_key, &self.paths.hash_key, &key)
        if number == NO_PATH or self.paths.path[number].state == PATH_NEW:
            admission = self.meet(&key, arrival)
            number = admission.path
            if admission.policy == POLICY_REFUSE:
                self.refuse(data, frame.size, &frame, arrival, REFUSED_UNKNOWN_ACCOUNT, taken)
                return
        if frame.kind != FRAME_HEARTBEAT:
            self.journal(&frame, &profile if frame.encrypted else NULL, number, admission.policy != POLICY_ENROL,
                         arrival, taken)
            if taken.status != OK and taken.status != BATCH_FULL:
                return
        if admission.policy == POLICY_LATER and frame.kind == FRAME_HEARTBEAT:
            self.counters.shed[<int>SHED_ENROLMENT] += 1
            taken.status = BATCH_FULL
        taken.kind = frame.kind
        self.counters.frames[frame.protocol][frame.kind] += 1
        if number != NO_PATH and frame.answer != ANSWER_REFUSE:  # a late frame may be a replay: it proves no life
            path = &self.paths.path[number]
            path_touch(path, arrival.heard_ms, arrival.received_ns // 1000000)
            if frame.kind == FRAME_HEARTBEAT:
                heartbeat_note(self.heartbeats, number, arrival.received_ns)
            if path.peer != arrival.peer:
                self.paths.peer_changes += path.peer != 0
                path.peer = arrival.peer
            if path.state == PATH_FAULT:
                self.paths.note_return(number)
            elif (path.state == PATH_PENDING and taken.status == OK and taken.ticket == TICKET_DURABLE
                  and self.intake.offered > self.intake.durable):
                # Its enrolment is on the way: nothing is answered before that is on the disk. When all is there and
                # only the path table does not know it yet, nobody would release a reply that is held.
                taken.ticket = self.intake.offered
        if taken.status == OK:
            self.answer(&frame, &profile if frame.encrypted else NULL, arrival, taken)

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
        self.refused.note(data, taken.size, taken.protocol, status, frame, arrival.peer, arrival.address, arrival.port,
                          arrival.received_ns)

    cdef Profile profile_of(self, const PathKey* key) noexcept nogil:
        """Return what is known of the transmitter that an encrypted frame names; without a key for unknown ones."""
        cdef const Registered* entry = self.enrolment.find(key)
        cdef Profile profile = default_profile()
        if entry != NULL and entry.aes.rounds:
            profile.key = &entry.aes
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
        if number == NO_PATH and self.enrolment.policy != POLICY_ENROL and self.enrolment.find(key) == NULL:
            return self.enrolment.admit(key, arrival.monotonic_ns, arrival.heard_ms, seen_ms)
        if not self.intake.has_room(URGENCY_NORMAL) or not self.enrolment.has_room(self.intake.rows):
            admission.path = NO_PATH
            admission.policy = POLICY_LATER
            return admission
        if number == NO_PATH:
            admission = self.enrolment.admit(key, arrival.monotonic_ns, arrival.heard_ms, seen_ms)
        if admission.path != NO_PATH:
            self.enrolment.push_row(self.intake.rows, admission.path, arrival.received_ns)
            self.intake.offer(mark)
            self.paths.set_state(admission.path, PATH_PENDING)
        return admission

    cdef void journal(self, Frame* frame, const Profile* profile, uint32_t path, bint quarantined,
                      const Arrival* arrival, Taken* taken) noexcept nogil:
        """Decode a frame's signals into the intake. Without room nothing of it stays, and it gets no reply."""
        cdef Mark mark = self.intake.mark()
        cdef Offered offered
        cdef Origin origin
        cdef Status status
        cdef const char* realm = self.paths.listener_text[arrival.listener].realm
        cdef uint32_t realm_size = self.paths.listener_text[arrival.listener].realm_size
        origin.received_ns = arrival.received_ns
        origin.path = path
        origin.flags = FLAG_QUARANTINED if quarantined else 0
        origin.realm.at = origin.realm.size = 0
        if realm_size and self.intake.rows.arena_max - self.intake.rows.arena_used > realm_size:
            origin.realm = batch_text(self.intake.rows, <const uint8_t*>realm, realm_size)
        status = format_of(frame.start[0]).decode(frame, profile, &origin, self.intake.rows)
        taken.status = status
        if status != OK:
            self.intake.withdraw(mark)
            if status == BATCH_FULL:
                self.counters.shed[<int>SHED_SIGNAL] += 1
            else:
                self.refuse(frame.start, frame.size, frame, arrival, status, taken)
                if frame.answer == ANSWER_REFUSE:  # a stamp outside the window, data that the protocol does not have
                    self.answer(frame, profile, arrival, taken)
                    self.refused.note_answer(taken.reply, taken.reply_size)
            return
        if self.intake.rows.count == mark.row:
            self.intake.withdraw(mark)
            return
        offered = self.intake.offer(mark)
        taken.ticket = offered.ticket
        if offered.outcome == OFFER_NO_ROOM:
            self.counters.shed[<int>SHED_SIGNAL] += 1
            taken.status = BATCH_FULL
        elif offered.outcome == OFFER_NOTHING:
            frame.kind = FRAME_HEARTBEAT

    def counts(self):
        """Return what was counted, by label texts: frames, rejected, replies, shed and plain numbers."""
        cdef int p, k
        cdef Counters* c = &self.counters
        return {
            "frames": {(PROTOCOL_TEXT[p], FRAME_KIND_TEXT[k]): c.frames[p][k]
                       for p in range(1, PROTOCOL_COUNT) for k in range(FRAME_KIND_COUNT)},
            "rejected": {(PROTOCOL_TEXT[p] if p else "unknown", REFUSAL_TEXT[k]): c.rejected[p][k]
                         for p in range(PROTOCOL_COUNT) for k in range(3, REFUSAL_COUNT)},
            "replies": {(PROTOCOL_TEXT[p], ANSWER_TEXT[k]): c.replies[p][k]
                        for p in range(1, PROTOCOL_COUNT) for k in range(1, len(ANSWER_TEXT))},
            "shed": {SHED_TEXT[k]: c.shed[k] for k in range(SHED_COUNT)},
            "replies_withheld": c.replies_withheld, "bytes": c.bytes, "garbage_bytes": c.garbage_bytes,
            "connections_accepted": c.connections_accepted,
        }
