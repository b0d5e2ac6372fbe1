"""The data field of SIA-DCS: the SIA format, ANSI/SIA DC-03-2017, as DC-09 carries it.

    field     item { '/' or '|' item }
    item      [mark] { modifier } { event }   or, behind '|', text
    mark      N new, O old; holds for all that follows, until the next one
    modifier  two lower-case letters and a value: da ti id ri pi ai ph lv va pt rg ss. Each holds
              until the next one of its name; ri is the area, the others go into the details
    event     two upper-case letters, an address, a text; the text stands between two '^' or reaches to the item's end
    text      A and characters to the next '|': belongs to the event before it

Events mostly stand in items of their own, but are also sent without anything between modifier and code, or between
address and next code (NFA129, Nri2FA3, OP001NM). Hence:
    address   all up to the next character that is neither letter nor digit, if that is 1..4 hex digits; else the
              decimal digits that stand there
    value     decimal digits and : . , - ; goes on with hex digits to the next separator, 4 in all, unless the
              two letters that stand there are a code
    N and O   are a mark before a lower-case letter, a separator, a blank or the end, and before two upper-case
              letters, if no mark came before (the standard begins with one, and NFD must not be taken for NF), if
              those two are a code, or if N or O with the first of them is none
    A         behind '|' begins an event, not a text, if it is a code before a digit or the item's end (AR, AT)
    a code    glued behind an address counts if it is in the table and before a digit or the item's end
Blanks before an item and behind its text are padding. A separator between two '^' separates nothing; a '^' without a
second is an ordinary character. What is none of these belongs to the event before it. RP of zone 0, area 0,
alone, is the heartbeat of Ajax hubs.
"""
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr

from codec.codes.lookup cimport is_sia_code, sia_meaning
from codec.dc09_details cimport modifier_name
from codec.findings cimport MODIFIERS_MAX, Finding, all_zeros, extend, span_of
from codec.limits cimport FRAME_SIGNALS_MAX
from codec.status cimport BAD_FIELD, OK, Status
from codec.text cimport HEX, is_digit, is_lower, is_upper
from codec.words cimport FLAG_OLD, FLAG_UNKNOWN_CODE

cdef enum:
    BLANK = 0x20
    SLASH = 0x2F
    BAR = 0x7C
    CARET = 0x5E
    LETTER_A = 0x41
    ADDRESS_DIGITS = 4           # hex digits of an address or value, at most


cdef struct Reader:              # of one data field
    const uint8_t* start
    uint32_t at
    uint32_t end
    Span     area
    bint     old
    bint     marked              # a mark was seen
    bint     barred              # the last separator was '|'


cdef inline bint is_separator(uint8_t c) noexcept nogil:
    return c == SLASH or c == BAR


cdef inline bint ends_item(const Reader* reader, uint32_t at) noexcept nogil:
    return at >= reader.end or is_separator(reader.start[at])


cdef inline bint is_hex_upper(uint8_t c) noexcept nogil:
    return HEX[c] != 0 and c < 0x60


cdef inline bint two_upper(const Reader* reader, uint32_t at) noexcept nogil:
    return at + 1 < reader.end and is_upper(reader.start[at]) and is_upper(reader.start[at + 1])


cdef inline bint is_code(const Reader* reader, uint32_t at) noexcept nogil:
    return two_upper(reader, at) and is_sia_code(reader.start[at], reader.start[at + 1])


cdef inline bint is_clear_code(const Reader* reader, uint32_t at) noexcept nogil:
    """Whether a code of the table stands there, and before a digit or the item's end."""
    return is_code(reader, at) and (ends_item(reader, at + 2) or is_digit(reader.start[at + 2]))


cdef bint is_mark(const Reader* reader, uint32_t at) noexcept nogil:
    cdef const uint8_t* start = reader.start
    if start[at] != 0x4E and start[at] != 0x4F:
        return False
    if ends_item(reader, at + 1) or is_lower(start[at + 1]) or start[at + 1] == BLANK:
        return True
    if not two_upper(reader, at + 1):
        return False
    return not reader.marked or is_code(reader, at + 1) or not is_code(reader, at)


cdef uint32_t item_end(const Reader* reader, uint32_t at) noexcept nogil:
    """Where the item ends that `at` is in; what stands between two carets is passed over."""
    cdef const uint8_t* second
    while not ends_item(reader, at):
        if reader.start[at] == CARET:
            second = <const uint8_t*>memchr(reader.start + at + 1, CARET, reader.end - at - 1)
            if second != NULL:
                at = <uint32_t>(second - reader.start)
            else:
                while not ends_item(reader, at):
                    at += 1
                return at
        at += 1
    return at


cdef void read_modifier(Reader* reader, Findings* findings) noexcept nogil:
    """Read a modifier and its value; keep the area, and the others for the details."""
    cdef int name
    cdef const uint8_t* start = reader.start
    cdef uint32_t value = reader.at + 2, at = value, run
    while at < reader.end and (is_digit(start[at]) or start[at] == 0x3A or start[at] == 0x2E or start[at] == 0x2C
                               or start[at] == 0x2D):
        at += 1
    run = at
    while run < reader.end and run - value <= ADDRESS_DIGITS and is_hex_upper(start[run]):
        run += 1
    if run > at and run - value <= ADDRESS_DIGITS and ends_item(reader, run) \
            and (at == value or not is_code(reader, at)):
        at = run
    if start[reader.at] == 0x72 and start[reader.at + 1] == 0x69:
        reader.area = span_of(value, at)
        if all_zeros(start, reader.area):
            reader.area.size = 0
    elif at > value:
        name = modifier_name(start[reader.at], start[reader.at + 1])
        if name >= 0 and findings.modifiers < MODIFIERS_MAX:
            findings.modifier[findings.modifiers].name = <uint8_t>name
            findings.modifier[findings.modifiers].value = span_of(value, at)
        findings.modifiers += name >= 0
    reader.at = at


cdef uint32_t address_end(const Reader* reader, uint32_t address) noexcept nogil:
    """Where the address ends that begins at `address`."""
    cdef const uint8_t* start = reader.start
    cdef uint32_t at = address
    while at < reader.end and at - address <= ADDRESS_DIGITS and is_hex_upper(start[at]):
        at += 1
    if at - address <= ADDRESS_DIGITS and (at == reader.end or not (is_upper(start[at]) or is_lower(start[at]))):
        return at
    at = address
    while at < reader.end and is_digit(start[at]):
        at += 1
    return at


cdef void read_event(Reader* reader, Finding* found) noexcept nogil:
    """Read code, address and text of an event."""
    cdef const uint8_t* start = reader.start
    cdef const uint8_t* second
    cdef uint32_t code = reader.at, at
    found.meaning = sia_meaning(start[code], start[code + 1])
    found.flags = (0 if found.meaning.known else FLAG_UNKNOWN_CODE) | (FLAG_OLD if reader.old else 0)
    found.area = reader.area
    at = address_end(reader, code + 2)
    found.address = span_of(code + 2, at)
    if at < reader.end and start[at] == CARET:
        second = <const uint8_t*>memchr(start + at + 1, CARET, reader.end - at - 1)
        if second != NULL:
            at = <uint32_t>(second - start) + 1
    if not is_clear_code(reader, at):
        at = item_end(reader, at)
    reader.at = at
    while start[at - 1] == BLANK:        # ends at the code
        at -= 1
    found.native = span_of(code, at)


cdef inline bint is_alive(const uint8_t* start, const Finding* found) noexcept nogil:
    """RP with an address of zeros only, in no area: the heartbeat of some panels."""
    return start[found.native.at] == 0x52 and start[found.native.at + 1] == 0x50 and found.address.size > 0 \
        and found.area.size == 0 and all_zeros(start, found.address)


cdef Status read_sia(const uint8_t* start, Span rest, Findings* findings) noexcept nogil:
    """Find the events in `rest`, the data field behind the account.

    Returns  OK | BAD_FIELD (more than FRAME_SIGNALS_MAX events)
    Cost     each byte is looked at a small, fixed number of times
    """
    cdef Reader reader
    cdef uint32_t past
    reader.start = start
    reader.at = rest.at
    reader.end = <uint32_t>rest.at + rest.size
    reader.area = span_of(0, 0)
    reader.old = reader.marked = reader.barred = False
    findings.count = 0
    findings.unread = False
    findings.alive = True
    while reader.at < reader.end:
        if is_separator(start[reader.at]):
            reader.barred = start[reader.at] == BAR
            reader.at += 1
        elif start[reader.at] == BLANK:
            reader.at += 1
        elif reader.barred and findings.count and start[reader.at] == LETTER_A \
                and not is_clear_code(&reader, reader.at):
            while reader.at < reader.end and start[reader.at] != BAR:
                reader.at += 1
            extend(findings, reader.at)
        elif reader.at + 1 < reader.end and is_lower(start[reader.at]) and is_lower(start[reader.at + 1]):
            read_modifier(&reader, findings)
            reader.barred = False
        elif is_mark(&reader, reader.at):
            reader.old = start[reader.at] == 0x4F
            reader.marked = True
            reader.at += 1
            reader.barred = False
        elif two_upper(&reader, reader.at):
            if findings.count == FRAME_SIGNALS_MAX:
                return BAD_FIELD
            read_event(&reader, &findings.found[findings.count])
            findings.found[findings.count].modifiers = findings.modifiers
            findings.alive = findings.alive and is_alive(start, &findings.found[findings.count])
            findings.count += 1
            reader.barred = False
        else:
            past = item_end(&reader, reader.at)
            extend(findings, past)
            reader.at = past
    findings.alive = findings.alive and findings.count > 0
    return OK
