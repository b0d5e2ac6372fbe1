# What a reader of a data field finds, on its way into rows; the readers of contents are dc03.pyx and dc05.pyx.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from codec.batch cimport Columns
from codec.codes.lookup cimport Meaning
from codec.frame cimport Frame, Origin, Span
from codec.limits cimport FRAME_SIGNALS_MAX
from codec.status cimport Status
from codec.words cimport CLASS_FIRE, CLASS_GAS, CLASS_PREALARM, STATE_CLEARED

cdef enum:
    MODIFIERS_MAX = 32       # of one frame; it bounds the details of its rows to one more than that

cdef struct Modifier:        # of the events behind it, until the next one of its name (DC-03)
    uint8_t name             # index into the table of dc09_details.pyx
    Span    value

cdef struct Finding:         # one event; spans of the frame
    Span     native          # the code block as sent, with its text
    Span     area            # area or group; empty when none is given or it is all zeros
    Span     address         # zone, user, ...; may be empty
    Meaning  meaning
    uint16_t flags           # FLAG_OLD, FLAG_UNKNOWN_CODE
    uint32_t modifiers       # of Findings.modifier, how many stood before it

cdef struct Findings:
    uint32_t count
    bint     unread          # something stood there that is no event
    bint     alive           # nothing but the automatic test of zone 0, which some panels send as heartbeat
    uint32_t modifiers       # how many stood there; the first MODIFIERS_MAX of them are kept
    Modifier modifier[MODIFIERS_MAX]
    Finding  found[FRAME_SIGNALS_MAX]

cdef inline bint all_zeros(const uint8_t* start, Span span) noexcept nogil:
    cdef uint32_t i
    for i in range(span.size):
        if start[span.at + i] != 0x30:
            return False
    return True

cdef inline Span span_of(uint32_t at, uint32_t end) noexcept nogil:
    cdef Span span
    span.at = at
    span.size = end - at
    return span

cdef inline void extend(Findings* findings, uint32_t end) noexcept nogil:
    """Let what stands before `end` belong to the event before it, or to none."""
    cdef Finding* last
    if findings.count:
        last = &findings.found[findings.count - 1]
        last.native.size = end - last.native.at
    else:
        findings.unread = True

cdef inline bint carries_fire(const Findings* findings) noexcept nogil:
    """Whether an event says that fire, gas or a prealarm is there; the end of one is no such event."""
    cdef uint32_t i
    cdef uint8_t signal_class
    for i in range(findings.count):
        signal_class = findings.found[i].meaning.signal_class
        if (signal_class == CLASS_FIRE or signal_class == CLASS_GAS or signal_class == CLASS_PREALARM) \
                and findings.found[i].meaning.state != STATE_CLEARED:
            return True
    return False

cdef Status push_findings(const Frame* frame, const Findings* findings, const Origin* origin, uint16_t flags,
                          Columns* batch) noexcept nogil
cdef Status push_decrypted(const Frame* frame, const Frame* text, const Findings* findings, const Origin* origin,
                           uint16_t flags, Columns* batch) noexcept nogil
