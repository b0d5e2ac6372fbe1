# The Tocsin profile: what other modules may use of it. The wire format is drawn in tocsin.pyx, specified in
# docs/tocsin-profile.md.

from libc.stdint cimport uint8_t, uint32_t
from codec.frame cimport Format, Frame

cdef enum:
    TOCSIN_START = 0xC1          # the one byte that MessagePack never uses
    TOCSIN_KIND_AT = 3
    TOCSIN_KEY_ID_AT = 4
    TOCSIN_COUNTER_AT = 7
    TOCSIN_CHECKSUM_AT = 11
    TOCSIN_BODY_AT = 13
    TOCSIN_TAG_BYTES = 8
    TOCSIN_FRAME_BYTES_MIN = 21  # a heartbeat, and every reply
    TOCSIN_FRAME_BYTES_MAX = 1400
    TOCSIN_KEY_BYTES = 32

cdef enum MessageKind:       # byte 3, Frame.token
    MESSAGE_REPORT = 0x10        # version 1: what a transmitter sends
    MESSAGE_ACCEPTED = 0x20      # replies
    MESSAGE_STALE = 0x21         # its counter is used up; the reply's counter is the highest known
    MESSAGE_UNABLE = 0x22        # authentic, but its body cannot be read

cdef inline uint32_t number_at(const uint8_t* bytes, uint32_t size) noexcept nogil:
    """A number of the header: up to 4 bytes, the highest first."""
    cdef uint32_t value = 0, i
    for i in range(size):
        value = value << 8 | bytes[i]
    return value

cdef inline uint32_t key_id_of(const Frame* frame) noexcept nogil:
    return number_at(frame.start + TOCSIN_KEY_ID_AT, 3)

cdef inline const uint8_t* tocsin_tag(const Frame* frame) noexcept nogil:
    """The 8 bytes that authenticate a frame."""
    return frame.start + frame.size - TOCSIN_TAG_BYTES

cdef uint32_t tocsin_close(uint8_t* out, uint32_t body_size, const uint8_t* key, const uint8_t* request) noexcept nogil

cdef Format TOCSIN
