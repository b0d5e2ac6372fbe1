# A frame as a format's reader sees it, and the three verbs that every wire format offers.
#
#   split    bytes -> Frame      where it ends, what kind it is, whose it is
#   decode   Frame -> rows       the signals it carries, mapped to class, condition and state
#   encode   Frame -> bytes      the reply to it
#
# Between split and decode the caller finds the transmitter, and with it the profile (key, window) that decode needs.
# All pointers into the frame are borrowed: they die with the receive buffer.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from codec.aes cimport AesKey
from codec.batch cimport TIME_NONE, Columns, Text
from codec.limits cimport ACCOUNT_BYTES_MAX
from codec.status cimport Status

cdef enum Answer:
    ANSWER_NONE = 0
    ANSWER_ACCEPT = 1        # DC-09 ACK, GB/T confirm
    ANSWER_REFUSE = 2        # DC-09 NAK with our time, GB/T deny
    ANSWER_UNABLE = 3        # DC-09 DUH: sound, but not understood
    ANSWER_COMMAND = 4       # accepted, with the profile's command: DC-09 RSP, GB/T confirm and the frame behind it
    ANSWER_COUNT = 5

cdef enum:
    NUMBER_NONE = 0          # a receiver, line or network number that the frame does not give

cdef inline uint32_t number_pack(uint32_t value, uint32_t digits) noexcept nogil:
    """A number of 1..6 hex digits and how many were sent, so that a reply can mirror them; never NUMBER_NONE."""
    return (digits << 24 | value) + 1

cdef inline uint32_t number_value(uint32_t number) noexcept nogil:
    return (number - 1) & 0xFFFFFF

cdef inline uint32_t number_digits(uint32_t number) noexcept nogil:
    return (number - 1) >> 24

cdef struct Span:            # of the frame, from its first byte
    uint16_t at
    uint16_t size

cdef struct Frame:
    const uint8_t* start     # borrowed
    uint32_t size            # bytes of the whole frame, both ends included
    uint8_t  protocol        # Protocol
    uint8_t  kind            # FrameKind; final after decode (some signals turn out to be heartbeats)
    uint8_t  answer          # Answer that the format wants for it; final after decode
    uint8_t  form            # the format's own: which variant the reply must mirror
    uint8_t  encrypted
    uint8_t  account_size
    uint8_t  account[ACCOUNT_BYTES_MAX]   # upper case; unused bytes are zero
    uint32_t receiver        # NUMBER_NONE or number_pack; likewise the two below
    uint32_t line
    uint32_t network
    uint32_t sequence
    uint16_t token           # the format's own number of the message type
    Span     token_text
    Span     data            # what decode reads
    Span     identity        # the bytes that make two frames the same (clear frames)
    Span     account_text    # the header's account as sent; empty when the header gives none (the reply echoes it)
    int64_t  stamp_ns        # the frame's own time, ns since 1970 UTC, or TIME_NONE
    int64_t  occurred_ns     # when it happened, where the frame says so apart from its stamp, or TIME_NONE
    Span     extended        # DC-09's fields behind the data, with their brackets
    uint32_t examined        # bytes that split looked at, also when it fails; tests of linear time add them up

cdef enum:                   # the window without another: what DC-09 asks for
    WINDOW_PAST_S = 40
    WINDOW_FUTURE_S = 20

cdef struct Profile:         # what is known of the transmitter; NULL stands for default_profile()
    const AesKey* key        # borrowed; NULL: none, and no encrypted frame can be read
    const uint8_t* mac_key   # borrowed, 32 bytes; NULL: none, and no frame of the Tocsin profile is authentic
    uint32_t counter         # what a refusal of the Tocsin profile tells: the highest one known
    const uint8_t* command   # borrowed; what ANSWER_COMMAND sends: data of DC-09, a whole frame of GB/T
    uint32_t command_size    # 0..COMMAND_BYTES_MAX, DC-09: 0..DC09_COMMAND_BYTES_MAX
    uint64_t entropy         # never the same twice under one key: an encrypted reply draws its pad from it and the key
    int32_t  window_past_s   # seconds that a stamp may lie before the time of receipt, and behind it;
    int32_t  window_future_s # both ends belong to the window; whole seconds on both sides
    uint8_t  encrypted_only  # a clear frame, a reply apart, is BAD_CRYPTO
    uint8_t  check_clear_stamps  # the window holds for clear frames that have a stamp, too
    uint8_t  reject_stale    # a frame outside the window is BAD_TIME also when it carries fire
    uint8_t  clock_form      # ClockForm: how the transmitter was seen to write times that can be read two ways

cdef enum ClockForm:
    CLOCK_UNKNOWN = 0        # what is nearer to the time of receipt
    CLOCK_BCD = 1
    CLOCK_BINARY = 2

cdef inline Profile default_profile() noexcept nogil:
    cdef Profile profile
    profile.key = NULL
    profile.mac_key = NULL
    profile.command = NULL
    profile.command_size = 0
    profile.counter = 0
    profile.entropy = 0
    profile.window_past_s = WINDOW_PAST_S
    profile.window_future_s = WINDOW_FUTURE_S
    profile.encrypted_only = profile.check_clear_stamps = profile.reject_stale = False
    profile.clock_form = CLOCK_UNKNOWN
    return profile

cdef inline bint is_stale(int64_t stamp_ns, int64_t now_ns, const Profile* profile) noexcept nogil:
    """Whether a stamp lies outside the window around now."""
    cdef int64_t ahead_s = stamp_ns // 1000000000 - now_ns // 1000000000
    return ahead_s < -<int64_t>profile.window_past_s or ahead_s > <int64_t>profile.window_future_s

cdef enum:
    OLD_S = 120              # between an event and the frame about it: beyond, the transmitter had it stored

cdef inline bint is_old(int64_t occurred_ns, int64_t stamp_ns) noexcept nogil:
    """Whether the event is a stored one by the transmitter's own clock, which both times are of, right or wrong."""
    return occurred_ns != TIME_NONE and stamp_ns != TIME_NONE \
        and stamp_ns // 1000000000 - occurred_ns // 1000000000 >= OLD_S

cdef struct Origin:          # what the caller knows of a frame and decode writes into every row
    int64_t  received_ns
    uint32_t path
    uint16_t flags           # FLAG_QUARANTINED
    Text     realm           # in the batch's arena

ctypedef Status (*Split)(const uint8_t* data, uint32_t size, Frame* frame) noexcept nogil
ctypedef Status (*Decode)(Frame* frame, const Profile* profile, const Origin* origin, Columns* batch) noexcept nogil
ctypedef uint32_t (*Encode)(const Frame* frame, const Profile* profile, Answer answer, int64_t now_ns,
                            uint8_t* out) noexcept nogil

cdef struct Format:
    uint8_t protocol
    uint8_t takes_commands   # encode knows ANSWER_COMMAND; the others' replies have no room for one
    Split   split
    Decode  decode
    Encode  encode           # writes at most REPLY_BYTES_MAX bytes; returns how many, 0 for no reply
