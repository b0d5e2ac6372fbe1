# What a frame shows of its transmitter: for the installer who asks why, and for what the next frame is read by.

from libc.stdint cimport INT32_MAX, int64_t, uint8_t, uint32_t
from codec.batch cimport TIME_NONE
from codec.dc09 cimport FORM_BINARY, FORM_COVERS_CR, TOKEN_UNKNOWN
from codec.frame cimport CLOCK_BCD, CLOCK_BINARY, CLOCK_UNKNOWN, NUMBER_NONE, Frame
from codec.gbt26875 cimport FORM_BCD, GBT_TAG_AT
from codec.gbt26875_time cimport tag_bcd
from codec.words cimport PROTOCOL_DC09, PROTOCOL_GBT26875
from engine.atomics cimport load_16, store_32
from engine.learned cimport (OFFSET_NONE, SEEN_BCD_CLOCK, SEEN_BINARY_CHECKSUM, SEEN_BINARY_CLOCK,
                             SEEN_CHECKSUM_OVER_CR, SEEN_CLEAR, SEEN_ENCRYPTED, SEEN_NO_HEADER_ACCOUNT,
                             SEEN_NO_LINE_NUMBER, Learned, learned_add)

cdef enum:
    LOOK_EVERY_FRAMES = 64       # heartbeats are looked at so closely once in so many: it costs a line of memory

cdef inline int clocks_shown(const Frame* frame) noexcept nogil:
    """Which clock a GB/T 26875.3 frame proves by its tag: SEEN_BCD_CLOCK, SEEN_BINARY_CLOCK, or 0. Before decode."""
    if frame.protocol != PROTOCOL_GBT26875:
        return 0
    if frame.form == FORM_BCD:
        return SEEN_BCD_CLOCK
    if frame.stamp_ns != TIME_NONE and tag_bcd(frame.start + GBT_TAG_AT) == TIME_NONE:
        return SEEN_BINARY_CLOCK
    return 0

cdef inline int forms_shown(const Frame* frame) noexcept nogil:
    """The habits that the frame's own form shows, as Seen bits."""
    cdef int seen = SEEN_ENCRYPTED if frame.encrypted else SEEN_CLEAR
    if frame.protocol == PROTOCOL_DC09:
        if frame.form & FORM_BINARY:
            seen |= SEEN_BINARY_CHECKSUM
        if frame.form & FORM_COVERS_CR:
            seen |= SEEN_CHECKSUM_OVER_CR
        if frame.line == NUMBER_NONE:
            seen |= SEEN_NO_LINE_NUMBER
        if frame.account_text.size == 0:
            seen |= SEEN_NO_HEADER_ACCOUNT
    return seen

cdef inline void learn(Learned* learned, const Frame* frame, int seen, int64_t received_ns) noexcept nogil:
    """Note what a frame shows, after decode: the stamp of an encrypted one is known only then."""
    cdef int64_t offset_s
    if load_16(&learned.seen) == 0:
        store_32(<uint32_t*>&learned.offset_s, <uint32_t>OFFSET_NONE)
    learned_add(learned, seen | forms_shown(frame))
    if frame.stamp_ns != TIME_NONE:
        offset_s = frame.stamp_ns // 1000000000 - received_ns // 1000000000
        offset_s = max(min(offset_s, <int64_t>INT32_MAX), -<int64_t>INT32_MAX)
        store_32(<uint32_t*>&learned.offset_s, <uint32_t>offset_s)

cdef inline void learn_refusal(Learned* learned, int status, int64_t received_ns) noexcept nogil:
    learned.refused_status = status
    learned.refused_count += 1
    learned.refused_ms = received_ns // 1000000

cdef inline uint8_t clock_form(const Learned* learned) noexcept nogil:
    """How the transmitter writes times, where its frames proved one way and not both."""
    cdef int proven = learned.seen & (SEEN_BCD_CLOCK | SEEN_BINARY_CLOCK)
    return CLOCK_BCD if proven == SEEN_BCD_CLOCK else CLOCK_BINARY if proven == SEEN_BINARY_CLOCK else CLOCK_UNKNOWN
