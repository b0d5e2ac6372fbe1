"""The data field of ADM-CID: Contact ID, ANSI/SIA DC-05-2016, as DC-09 carries it (no message type, no check digit).

    QXYZ GG CCC [text]       several may follow one another behind '|'

Q    qualifier: 1 new or opening, 3 restore or closing, 6 still present
XYZ  code, three hex digits
GG   group; 00 means the whole system and is left out of the point
CCC  zone or user

The form of the telephone line is read, too, where a gateway passes it on as it came: [ACCT] MT QXYZ GG CCC S, MT
being 18 or 98. With the account it has 16 digits, with blanks anywhere or nowhere, and is told by its checksum (all
digits add up to a multiple of 15, a 0 counting 10); without it, a blank must follow MT.

Accepted beyond the standard: any number of blanks between the parts, also none; groups and zones that are shorter or
longer; a block that ends early. A fire is not to be lost for a missing digit. What begins with no code belongs to the
event before it.
"""
from libc.stdint cimport uint8_t, uint32_t

from codec.codes.lookup cimport contact_id_meaning
from codec.findings cimport Finding, all_zeros, extend, span_of
from codec.frame cimport Span
from codec.limits cimport FRAME_SIGNALS_MAX
from codec.status cimport BAD_FIELD, OK, Status
from codec.text cimport HEX
from codec.words cimport FLAG_UNKNOWN_CODE

cdef enum:
    BLANK = 0x20
    BAR = 0x7C
    DTMF_DIGITS = 16
    GROUP_DIGITS = 2             # of the standard; where group and zone are written in one, the first two


cdef inline uint32_t past_blanks(const uint8_t* start, uint32_t at, uint32_t end) noexcept nogil:
    while at < end and start[at] == BLANK:
        at += 1
    return at


cdef inline uint32_t past_digits(const uint8_t* start, uint32_t at, uint32_t end) noexcept nogil:
    while at < end and HEX[start[at]]:
        at += 1
    return at


cdef inline bint is_message_type(const uint8_t* at) noexcept nogil:
    return (at[0] == 0x31 or at[0] == 0x39) and at[1] == 0x38


cdef uint32_t behind_dtmf(const uint8_t* start, uint32_t at, uint32_t* digits_end) noexcept nogil:
    """Return where the event begins in a block that may be of the telephone's form; `at` when it is not.

    digits_end  the block's end; set before the check digit where there is one
    """
    cdef uint32_t end = digits_end[0], digits = 0, sum = 0, code = at, last = at, i, value
    cdef uint8_t type[2]
    if end - at < 8:
        return at
    if is_message_type(start + at) and start[at + 2] == BLANK:
        code = past_blanks(start, at + 2, end)
        return code if past_digits(start, code, end) - code >= 4 else at
    if not is_message_type(start + at + 4) and not (start[at + 4] == BLANK and is_message_type(start + at + 5)):
        return at                        # nearly all blocks; what follows is for the rare one
    for i in range(at, end):
        value = HEX[start[i]]
        if value == 0 and start[i] != BLANK or digits == DTMF_DIGITS and value:
            return at
        if value:
            sum += value - 1 if value > 1 else 10
            if digits == 4 or digits == 5:
                type[digits - 4] = start[i]
            if digits == 6:
                code = i
            digits += 1
            last = i
    if digits < DTMF_DIGITS or sum % 15 or not is_message_type(type):
        return at
    digits_end[0] = last
    return code


cdef void read_event(const uint8_t* start, Span block, uint32_t at, uint32_t end, Finding* found) noexcept nogil:
    """Read the event of a block, whose four digits stand at `at`, and whose digits end at `end` at the latest."""
    cdef uint32_t code = (HEX[start[at + 1]] - 1) << 8 | (HEX[start[at + 2]] - 1) << 4 | (HEX[start[at + 3]] - 1)
    cdef uint32_t past
    found.native = block
    while start[found.native.at + found.native.size - 1] == BLANK:      # ends at the code
        found.native.size -= 1
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
    cdef uint32_t at = rest.at, end = <uint32_t>rest.at + rest.size, until, digits_end, code
    findings.count = 0
    findings.unread = findings.alive = False
    while at < end:
        at = past_blanks(start, at, end)
        until = at
        while until < end and start[until] != BAR:
            until += 1
        digits_end = until
        code = behind_dtmf(start, at, &digits_end)
        if past_digits(start, code, digits_end) - code >= 4:
            if findings.count == FRAME_SIGNALS_MAX:
                return BAD_FIELD
            read_event(start, span_of(at, until), code, digits_end, &findings.found[findings.count])
            findings.count += 1
        elif until > at:
            extend(findings, until)
        at = until + 1
    return OK
