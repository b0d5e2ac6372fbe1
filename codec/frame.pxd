# A frame as a format's reader sees it, and the three verbs that every wire format offers.
#
#   split    bytes -> Frame      where it ends, what kind it is, whose it is
#   decode   Frame -> rows       the signals it carries, mapped to class, condition and state
#   encode   Frame -> bytes      the reply to it
#
# Between split and decode the caller finds the transmitter, and with it the profile (key, window) that decode needs.
# All pointers into the frame are borrowed: they die with the receive buffer.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from codec.batch cimport Columns, Text
from codec.limits cimport ACCOUNT_BYTES_MAX
from codec.status cimport Status

cdef enum Answer:
    ANSWER_NONE = 0
    ANSWER_ACCEPT = 1        # DC-09 ACK, GB/T confirm
    ANSWER_REFUSE = 2        # DC-09 NAK with our time, GB/T deny
    ANSWER_UNABLE = 3        # DC-09 DUH: sound, but not understood
    ANSWER_COUNT = 4

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
    uint32_t examined        # bytes that split looked at, also when it fails; tests of linear time add them up

cdef struct Profile:         # what is known of the transmitter; NULL stands for the defaults
    const uint8_t* key       # NULL: none
    uint32_t key_size        # 16, 24 or 32
    int32_t  window_past_s
    int32_t  window_future_s

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
    Split   split
    Decode  decode
    Encode  encode           # writes at most REPLY_BYTES_MAX bytes; returns how many, 0 for no reply
