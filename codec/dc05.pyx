"""The data field of ADM-CID: Contact ID, ANSI/SIA DC-05-2016, as DC-09 carries it (no message type, no check digit).

    QXYZ GG CCC [text]       several may follow one another behind '|'

Q    qualifier: 1 new or opening, 3 restore or closing, 6 still present
XYZ  code, three hex digits
GG   group; 00 means the whole system and is left out of the point
CCC  zone or user

Accepted beyond the standard: any number of blanks between the parts, also none; groups and zones that are shorter or
longer; a block that ends early. A fire is not to be lost for a missing digit. What begins with no code belongs to the
event before it.
"""
from libc.stdint cimport uint8_t, uint32_t

from codec.codes.lookup cimport contact_id_meaning
from codec.findings cimport Finding, all_zeros, extend, span_of
from codec.limits cimport FRAME_SIGNALS_MAX
from codec.status cimport BAD_FIELD, OK, Status
from codec.text cimport HEX
from codec.words cimport FLAG_UNKNOWN_CODE

cdef enum:
    BLANK = 0x20
    BAR = 0x7C
    GROUP_DIGITS = 2             # of the standard; where group and zone are written in one, the first two


cdef inline uint32_t past_blanks(const uint8_t* start, uint32_t at, uint32_t end) noexcept nogil:
    while at < end and start[at] == BLANK:
        at += 1
    return at


cdef inline uint32_t past_digits(const uint8_t* start, uint32_t at, uint32_t end) noexcept nogil:
    while at < end and HEX[start[at]]:
        at += 1
    return at


cdef void read_event(const uint8_t* start, uint32_t at, uint32_t end, Finding* found) noexcept nogil:
    """Read the event whose four digits stand at `at`; `end` is the end of its block."""
    cdef uint32_t code = (HEX[start[at + 1]] - 1) << 8 | (HEX[start[at + 2]] - 1) << 4 | (HEX[start[at + 3]] - 1)
    cdef uint32_t past
    found.native = span_of(at, end)
    found.modifiers = 0
    found.meaning = contact_id_meaning(HEX[start[at]] - 1, code)
    found.flags = 0 if found.meaning.known else FLAG_UNKNOWN_CODE
    at = past_blanks(start, at + 4, end)
    past = past_digits(start, at, end)
    if past - at > 2 * GROUP_DIGITS:
        past = at + GROUP_DIGITS
    found.area = span_of(at, past)
    if all_zeros(start, found.area):
        found.area.size = 0
    at = past_blanks(start, past, end)
    found.address = span_of(at, past_digits(start, at, end))


cdef Status read_contact_id(const uint8_t* start, Span rest, Findings* findings) noexcept nogil:
    """Find the events in `rest`, the data field behind the account.

    Returns  OK | BAD_FIELD (more than FRAME_SIGNALS_MAX events)
    """
    cdef uint32_t at = rest.at, end = <uint32_t>rest.at + rest.size, until
    findings.count = 0
    findings.unread = findings.alive = False
    while at < end:
        at = past_blanks(start, at, end)
        until = at
        while until < end and start[until] != BAR:
            until += 1
        if past_digits(start, at, until) - at >= 4:
            if findings.count == FRAME_SIGNALS_MAX:
                return BAD_FIELD
            read_event(start, at, until, &findings.found[findings.count])
            findings.count += 1
        elif until > at:
            extend(findings, until)
        at = until + 1
    return OK
