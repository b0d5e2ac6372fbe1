# The receiver: one frame in, what to do about it out. UDP and TCP share it; neither knows what a frame is.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from codec.frame cimport Frame, Profile
from codec.limits cimport REPLY_BYTES_MAX
from codec.status cimport Status
from engine.heartbeats cimport HeartbeatLog
from engine.intake cimport Intake, Mark, Urgency
from engine.listen.commands cimport Commands
from engine.listen.counters cimport Counters, Shed
from engine.listen.enrolment cimport Admission, Enrolment, Policy
from engine.listen.refused cimport RefusedFrames
from engine.listen.members cimport Members
from engine.listen.replays cimport Replays
from engine.listen.windows cimport Windows
from engine.path_key cimport PathKey
from engine.paths cimport Path, PathTable

cdef enum:
    PROTOCOL_ANY = 0

cdef enum Action:
    ACTION_WAIT = 0          # the frame is not complete
    ACTION_NONE = 1          # no reply
    ACTION_REPLY = 2         # send the reply now
    ACTION_HOLD = 3          # send the reply when `ticket` is durable
    ACTION_NO_ROOM = 4       # nothing was taken or counted: offer the frame again after the next append

cdef struct Arrival:         # what is the same for all frames of one wake-up or one peer
    int64_t  received_ns     # wall clock
    int64_t  monotonic_ns
    int64_t  heard_ms        # listening time
    uint32_t peer            # hash of the address
    uint16_t listener
    uint8_t  address[16]     # of the peer, IPv6 or IPv4-mapped; for the list of refused frames
    uint16_t port
    uint8_t  protocol        # the one that this listener takes, or PROTOCOL_ANY
    bint     waits           # a frame that finds no room stays with the peer's connection, instead of being shed

cdef struct Peeked:          # a frame that was looked at and not taken
    Status   status          # of its split
    Frame    frame
    PathKey  key             # where status is OK
    uint64_t hash            # of the key

cdef struct Taken:
    uint32_t size            # bytes to move on by
    uint8_t  action          # Action
    uint8_t  status          # Status
    uint8_t  protocol
    uint8_t  kind            # FrameKind
    uint8_t  answer          # Answer of the reply
    uint8_t  urgency         # Urgency of what it reports; not filled for a heartbeat
    uint16_t reply_size
    uint64_t ticket
    uint8_t  reply[REPLY_BYTES_MAX]

cdef class Tally:                # what one receiver thread counts; the receiver counts it in
    cdef Counters counters

cdef class Receiver:
    cdef PathTable paths
    cdef Enrolment enrolment
    cdef Intake intake
    cdef RefusedFrames refused
    cdef HeartbeatLog heartbeats
    cdef readonly Replays replays
    cdef Windows windows
    cdef Commands commands
    cdef uint64_t entropy            # for the pads of encrypted replies: a random start, then counting
    cdef Counters counters
    cdef uint64_t quarantined_before     # of `enrolment`, as it stood before the members of the last message
    cdef uint64_t refused_before
    cdef list tallies

    cdef void peek(self, const uint8_t* data, uint32_t size, const Arrival* arrival, Peeked* peeked) noexcept nogil
    cdef void take(self, const uint8_t* data, uint32_t size, const Arrival* arrival, Taken* taken) noexcept nogil
    cdef void take_peeked(self, const uint8_t* data, uint32_t size, Peeked* peeked, const Arrival* arrival,
                          Taken* taken) noexcept nogil
    cdef void touch(self, const Frame* frame, const PathKey* key, uint32_t number, int shown, const Arrival* arrival,
                    Taken* taken) noexcept nogil
    cdef void refuse(self, const uint8_t* data, uint32_t size, const Frame* frame, const Arrival* arrival, int status,
                     Taken* taken) noexcept nogil
    cdef Profile profile_of(self, const PathKey* key) noexcept nogil
    cdef void note_refusal(self, const Frame* frame, const Arrival* arrival, int status) noexcept nogil
    cdef bint is_watched(self, const PathKey* key, uint32_t number) noexcept nogil
    cdef bint is_replay(self, const PathKey* key, const Frame* frame, const Arrival* arrival) noexcept nogil
    cdef Admission meet(self, const PathKey* key, const Arrival* arrival) noexcept nogil
    cdef void answer_with_command(self, Frame* frame, const Profile* known, uint32_t number, const Arrival* arrival,
                                  Taken* taken) noexcept nogil
    cdef void note_life(self, Path* path, uint32_t number, const Arrival* arrival) noexcept nogil
    cdef Status read(self, Frame* frame, const Profile* profile, uint32_t path, bint quarantined,
                     const Arrival* arrival) noexcept nogil
    cdef Status settle_members(self, Frame* frame, Profile* profile, uint32_t path, bint quarantined,
                               const Arrival* arrival, Mark* mark, Members* members, Taken* taken) noexcept nogil
    cdef void touch_members(self, const Frame* frame, const Members* members, const Arrival* arrival,
                            Taken* taken) noexcept nogil
    cdef void journal(self, Frame* frame, Profile* profile, uint32_t path, Policy policy, const Arrival* arrival,
                      Taken* taken) noexcept nogil
    cdef void leave(self, const Frame* frame, Policy policy, const Taken* taken) noexcept nogil
    cdef void turn_away(self, const Arrival* arrival, Urgency urgency, Shed what, Taken* taken) noexcept nogil
    cdef void answer(self, const Frame* frame, const Profile* profile, const Arrival* arrival,
                     Taken* taken) noexcept nogil
