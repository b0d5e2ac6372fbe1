"""ANSI/SIA DC-09: framing, header, replies.

    0    LF
    1    checksum     4 hex digits (either case), or 2 raw bytes: the forms "hexadecimal" and "binary"
    5 3  '0' + LLL    LLL = 3 hex digits, bytes of the body, up to 0xFFF      (first column hexadecimal, second binary)
    9 7  body         "token" seq [R hex] [L hex] [# account] [ data ] { [ id text ] } [ _HH:MM:SS,MM-DD-YYYY ]
    9 7 + LLL         CR

Sources: ANSI/SIA DC-09-2013 (draft), 5.5, in it 5.5.1.8 (extended data) and 5.5.1.9 (stamp); DC-09-2026 as the package
siadc09 implements it; field reports by the numbers of their issues. The content of the data field is drawn in dc03.pyx
(SIA-DCS) and dc05.pyx (ADM-CID).

Checksum  CRC-16/ARC over the body: the first quote to the last byte before CR (crc16.pxd).
Body      token     1..16 characters between quotes; a leading '*' says that all behind '[' is encrypted
          seq       4 decimal digits; echoed, whatever it is
          R, L      receiver and line number, 1..6 hex digits each
          account   3..16 characters, kept in upper case
          data      to the first ']' that a '[', a '_' or the end follows; so text may hold a ']'
          id text   extended data, drawn in dc09_extended.pyx
          stamp     UTC; one that is no time counts as absent, and whatever else follows the last ']' is passed over

Accepted beyond the standard, because transmitters in the field send it:
  binary checksum          Lupusec, Jablotron (pysiaalarm issue 9), Trikdis (issue 52). The fixed '0' and the quote tell
                           the forms apart: byte 7 is a quote in the binary one and a hex digit in the other.
  CR inside the checksum,  ELDES (pysiaalarm issues 17 and 28): LLL counts the CR too, or only the checksum does.
  L empty or missing       ELDES (ioBroker.sia issue 11), dc09_spt. A reply then says L0, which the standard requires.
  R empty                  counts as missing; the reply has none
  no account in the header the account is then what stands before the bar in the data, with or without '#'
  account of other         ioBroker.sia samples: letters, digits and - . _ + *; the reply repeats
  characters than hex      it as it was sent
  lower-case hex           several
  blanks as padding        around items and texts of the data

A wrong length must not hide the next frame: LF and a whole preamble (the bytes before a quote, and it) inside a body
mean that the length is wrong, at once, however much is there. It also bounds the work: a look ends at the next
preamble, so each byte is looked at a small, fixed number of times, whatever the input.

NAK is told by its token; its R0L0A0 is not read (the A would be taken for a digit of the line).
Replies   (dc09_reply.pyx) ACK, DUH: sequence, R, L and account repeated, "[]", no stamp.
          NAK: "NAK"0000R0L0A0[]_stamp, nothing repeated.
Encrypted frames are split like others, with data that reaches to the end of the body; see dc09_encrypted.pyx.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memchr, memcmp

from codec.batch cimport TIME_NONE, Columns
from codec.crc16 cimport crc16, crc16_update
from codec.dc03 cimport read_sia
from codec.dc05 cimport read_contact_id
from codec.dc09_details cimport apply_trigger
from codec.dc09_encrypted cimport open_frame
from codec.dc09_extended cimport closing_bracket, read_extended, trigger_of
from codec.dc09_preamble cimport holds_preamble, preamble_size
from codec.dc09_reply cimport encode
from codec.findings cimport Finding, Findings, carries_fire, push_decrypted
from codec.frame cimport (ANSWER_ACCEPT, ANSWER_NONE, ANSWER_REFUSE, ANSWER_UNABLE, NUMBER_NONE, Answer, Frame, Origin,
                          Profile, default_profile, is_old, is_stale, number_pack)
from codec.limits cimport (ACCOUNT_BYTES_MAX, DC09_ACCOUNT_BYTES_MIN, DC09_BODY_BYTES_MIN, DC09_TOKEN_BYTES_MAX,
                           FRAME_BYTES_MAX)
from codec.status cimport (BAD_CHECKSUM, BAD_CRYPTO, BAD_FIELD, BAD_LENGTH, BAD_START, BAD_TIME, NEED_DATA, OK, Status)
from codec.text cimport HEX, is_account, is_alphanumeric, is_digit, stamp_of, upper
from codec.words cimport (CLASS_INFO, CONDITION_UNKNOWN, FLAG_ACCOUNT_DIFFERS, FLAG_LATE, FLAG_OLD, FLAG_UNKNOWN_CODE,
                          FRAME_HEARTBEAT, FRAME_OTHER, FRAME_REPLY, FRAME_SIGNAL, PROTOCOL_DC09, STATE_INFO)

cdef enum:
    STAMP_BYTES = 19             # without the underscore

cdef struct TokenName:
    const char* text
    uint8_t size
    uint8_t token
    uint8_t kind
    uint8_t answer

cdef TokenName TOKENS[24]
cdef uint32_t token_count = 0


cdef int name_token(bytes text, Token token, int kind, Answer answer) except -1:
    """Add a row to TOKENS; the names live as long as the module."""
    global token_count
    NAMES.append(text)
    TOKENS[token_count] = TokenName(<const char*>text, len(text), token, kind, answer)
    token_count += 1
    return 0


NAMES = []
name_token(b"NULL", TOKEN_NULL, FRAME_HEARTBEAT, ANSWER_ACCEPT)
name_token(b"SIA-DCS", TOKEN_SIA_DCS, FRAME_SIGNAL, ANSWER_ACCEPT)
name_token(b"ADM-CID", TOKEN_ADM_CID, FRAME_SIGNAL, ANSWER_ACCEPT)
name_token(b"ACK", TOKEN_ACK, FRAME_REPLY, ANSWER_NONE)
name_token(b"NAK", TOKEN_NAK, FRAME_REPLY, ANSWER_NONE)
name_token(b"DUH", TOKEN_DUH, FRAME_REPLY, ANSWER_NONE)
name_token(b"RSP", TOKEN_RSP, FRAME_REPLY, ANSWER_NONE)
name_token(b"XNM", TOKEN_XNM, FRAME_HEARTBEAT, ANSWER_ACCEPT)
for other in (b"SIA-PUL", b"ACR-SF", b"ADM-41E", b"ADM-42E", b"ADM-HS", b"DSC-43", b"FBI-SF", b"ITI-I", b"SCN-S8",
              b"SCN-S16", b"SCN-S24", b"SCT", b"SES-SS", b"SIA-S2K", b"SK-FSK1", b"SK-FSK2"):
    name_token(other, TOKEN_OTHER_DATA, FRAME_SIGNAL, ANSWER_ACCEPT)


# ---- split -----------------------------------------------------------------------------------------------------

cdef Status split(const uint8_t* data, uint32_t size, Frame* frame) noexcept nogil:
    """Read the frame that begins with the LF at data[0]: its end, its checksum and its header.

    data      borrowed; 1..size bytes, more may follow the frame
    frame     filled when OK; `examined` always
    Returns   OK | NEED_DATA | BAD_START | BAD_LENGTH | BAD_CHECKSUM | BAD_FIELD
    Cost      two passes over the body, none of them in Python
    """
    cdef int preamble = preamble_size(data, size)
    cdef uint32_t length, end
    cdef uint16_t sent, computed
    frame.examined = size if size < 10 else 10
    if preamble <= 0:
        return NEED_DATA if preamble == 0 else BAD_START
    length = (HEX[data[preamble - 3]] - 1) << 8 | (HEX[data[preamble - 2]] - 1) << 4 | (HEX[data[preamble - 1]] - 1)
    if length < DC09_BODY_BYTES_MIN:
        return BAD_LENGTH
    end = preamble + length
    if holds_preamble(data, preamble, end if end < size else size, frame):
        return BAD_LENGTH
    if size < end or (size == end and data[end - 1] != CR):
        return NEED_DATA
    if data[end - 1] != CR and data[end] != CR:
        return BAD_LENGTH
    frame.start = data
    frame.form = 0
    if preamble == PREAMBLE_BINARY:
        frame.form = FORM_BINARY
        sent = data[1] << 8 | data[2]
    else:
        sent = (HEX[data[1]] - 1) << 12 | (HEX[data[2]] - 1) << 8 | (HEX[data[3]] - 1) << 4 | (HEX[data[4]] - 1)
    computed = crc16(data + preamble, length)
    if data[end - 1] == CR:
        frame.form |= FORM_COVERS_CR
        frame.size = end
        end -= 1
    else:
        frame.size = end + 1
        if computed != sent:
            frame.form |= FORM_COVERS_CR
            computed = crc16_update(computed, data + end, 1)
    if computed != sent:
        return BAD_CHECKSUM
    return read_body(frame, preamble, end)


cdef inline bint read_number(const uint8_t* data, uint32_t* at, uint32_t end, uint8_t letter,
                             uint32_t* number) noexcept nogil:
    """Read `letter` and 0..6 hex digits, when they stand at `at`. Return False when there are more digits."""
    cdef uint32_t value = 0, digits = 0
    number[0] = NUMBER_NONE
    if at[0] < end and data[at[0]] == letter:
        at[0] += 1
        while at[0] < end and HEX[data[at[0]]]:
            value = value << 4 | (HEX[data[at[0]]] - 1)
            digits += 1
            if digits > 6:
                return False
            at[0] += 1
        if digits:
            number[0] = number_pack(value, digits)
    return True


cdef inline bint keep_account(Frame* frame, Span text) noexcept nogil:
    """Take the bytes of `text` as the account, in upper case. Return False when they cannot be one."""
    cdef uint32_t i
    if text.size < DC09_ACCOUNT_BYTES_MIN or text.size > ACCOUNT_BYTES_MAX:
        return False
    for i in range(text.size):
        if not is_account(frame.start[text.at + i]):
            return False
        frame.account[i] = upper(frame.start[text.at + i])
    frame.account_size = text.size
    return True


cdef Status read_body(Frame* frame, uint32_t at, uint32_t end) noexcept nogil:
    """Read token, sequence, numbers and account of the body data[at:end], then what is behind them."""
    cdef const uint8_t* data = frame.start
    cdef uint32_t opening = at, i
    at += 1
    frame.protocol = PROTOCOL_DC09
    frame.encrypted = data[at] == 0x2A
    at += frame.encrypted
    frame.token_text.at = at
    while at < end and data[at] != QUOTE and at - frame.token_text.at < DC09_TOKEN_BYTES_MAX:
        at += 1
    frame.token_text.size = at - frame.token_text.at
    if frame.token_text.size == 0 or end - at < 6 or data[at] != QUOTE:
        return BAD_FIELD
    name_of_token(frame)
    at += 1
    frame.sequence = 0
    for i in range(4):
        if not is_digit(data[at + i]):
            return BAD_FIELD
        frame.sequence = frame.sequence * 10 + data[at + i] - 0x30
    at += 4
    frame.account_size = 0
    frame.account_text.at = frame.account_text.size = 0
    frame.receiver = frame.line = frame.network = NUMBER_NONE
    if frame.token == TOKEN_NAK:
        while at < end and data[at] != 0x5B:
            at += 1
    elif not read_number(data, &at, end, 0x52, &frame.receiver) or not read_number(data, &at, end, 0x4C, &frame.line):
        return BAD_FIELD
    if at < end and data[at] == 0x23:
        at += 1
        frame.account_text.at = at
        while at < end and data[at] != 0x5B:
            at += 1
        frame.account_text.size = at - frame.account_text.at
        if frame.account_text.size and not keep_account(frame, frame.account_text):
            return BAD_FIELD
    if at >= end or data[at] != 0x5B:
        return BAD_FIELD
    return read_rest(frame, opening, at + 1, end)


cdef inline void name_of_token(Frame* frame) noexcept nogil:
    """Set token, kind and answer from the token's text."""
    cdef const uint8_t* text = frame.start + frame.token_text.at
    cdef uint32_t i
    frame.token = TOKEN_UNKNOWN
    frame.kind = FRAME_OTHER
    frame.answer = ANSWER_ACCEPT         # kept as it came; a DUH would make it come again for ever
    for i in range(token_count):
        if TOKENS[i].size == frame.token_text.size and memcmp(TOKENS[i].text, text, TOKENS[i].size) == 0:
            frame.token = TOKENS[i].token
            frame.kind = TOKENS[i].kind
            frame.answer = TOKENS[i].answer
            break
    if frame.encrypted and frame.kind == FRAME_HEARTBEAT:
        frame.kind = FRAME_SIGNAL        # only decode can say that it is one: nothing may be answered before


cdef Status read_rest(Frame* frame, uint32_t opening, uint32_t at, uint32_t end) noexcept nogil:
    """Read data, extended data and stamp; `at` is behind the opening bracket."""
    cdef const uint8_t* data = frame.start
    frame.stamp_ns = frame.occurred_ns = TIME_NONE
    frame.extended.at = frame.extended.size = 0
    frame.data.at = at
    frame.identity.at = opening
    if frame.encrypted:
        frame.data.size = end - at
        frame.identity.size = end - opening
        return OK if frame.account_size or frame.kind == FRAME_REPLY else BAD_FIELD
    at = closing_bracket(data, at, end)
    if at == end:
        return BAD_FIELD
    frame.data.size = at - frame.data.at
    at += 1
    if at < end:
        at = read_extended(frame, at, end)
        frame.identity.size = at - opening
        if end - at > STAMP_BYTES and data[at] == 0x5F:
            frame.stamp_ns = stamp_of(data + at + 1)
    else:
        frame.identity.size = at - opening
    if frame.account_size == 0 and frame.kind != FRAME_REPLY:
        if not keep_account(frame, content_of(data, frame.data).account):
            return BAD_FIELD
    return OK


cdef Content content_of(const uint8_t* start, Span data) noexcept nogil:
    """Part a data field into the account inside it and the rest: [#account|rest], [account|rest], [|rest], [rest].

    Without '#' an account is alphanumeric, never begins with N or O, which begin an event, and N, O, a digit or nothing
    follows its bar: so that FA017, sent without a mark and with a text behind '|', is a fire and not an account.
    """
    cdef Content content
    cdef const uint8_t* bar = <const uint8_t*>memchr(start + data.at, 0x7C, data.size)
    cdef uint32_t at = data.at, i
    content.account.at = content.account.size = 0
    content.rest = data
    if data.size and start[at] == 0x23:
        at += 1
    elif bar == NULL or start[at] == 0x4E or start[at] == 0x4F or start[at] == 0x7C:
        if bar == start + at:
            content.rest.at += 1
            content.rest.size -= 1
        return content
    cdef uint32_t until = <uint32_t>(bar - start) if bar != NULL else <uint32_t>data.at + data.size
    if until - at > ACCOUNT_BYTES_MAX or until - at < DC09_ACCOUNT_BYTES_MIN:
        return content
    for i in range(at, until):
        if not is_account(start[i]) or (at == data.at and not is_alphanumeric(start[i])):
            return content
    if at == data.at and until + 1 < <uint32_t>data.at + data.size and not is_digit(start[until + 1]) \
            and start[until + 1] != 0x4E and start[until + 1] != 0x4F:
        return content
    content.account.at = at
    content.account.size = until - at
    content.rest.at = until + (bar != NULL)
    content.rest.size = data.at + data.size - content.rest.at
    return content


# ---- decode ----------------------------------------------------------------------------------------------------

cdef Status decode(Frame* frame, const Profile* profile, const Origin* origin, Columns* batch) noexcept nogil:
    """Append the signals of a frame to `batch`.

    frame     as split left it; kind and answer are final afterwards, stamp, occurrence and network too when encrypted
    batch     filled; rows added all or none. Rows of an encrypted frame have texts of the arena's copy in clear
    Returns   OK | BATCH_FULL
              BAD_FIELD   too many signals; answered as unable
              BAD_CRYPTO  no key, or the wrong one, or clear where only encrypted frames are allowed; not answered
              BAD_TIME    stamp outside the window; refused. With fire, gas or a prealarm in it, it is refused too, but
                          OK: its rows have FLAG_LATE
    """
    cdef Profile defaults = default_profile()
    cdef const Profile* known = profile if profile != NULL else &defaults
    if frame.encrypted:
        return decode_encrypted(frame, known, origin, batch)
    if known.encrypted_only and frame.kind != FRAME_REPLY:
        frame.answer = ANSWER_NONE
        return BAD_CRYPTO
    return decode_text(frame, frame, known, known.check_clear_stamps, origin, batch)


cdef Status decode_encrypted(Frame* frame, const Profile* profile, const Origin* origin, Columns* batch) noexcept nogil:
    """Decrypt a frame and go on with its text. Nothing of it is believed before it has a stamp."""
    cdef uint8_t buffer[FRAME_BYTES_MAX]
    cdef Frame text
    cdef int64_t stamp_ns
    cdef Status status
    if profile.key == NULL or not open_frame(frame, profile.key, buffer, &text):
        frame.answer = ANSWER_NONE
        return BAD_CRYPTO
    stamp_ns = text.stamp_ns             # the reader below takes the first that looks like one
    status = read_rest(&text, frame.identity.at, text.data.at, text.size)
    text.stamp_ns = stamp_ns
    if frame.token == TOKEN_NULL or frame.token == TOKEN_XNM:
        text.kind = FRAME_HEARTBEAT
    if status == OK:
        status = decode_text(&text, frame, profile, True, origin, batch)
    frame.kind = text.kind
    frame.answer = text.answer
    frame.stamp_ns = text.stamp_ns
    frame.occurred_ns = text.occurred_ns
    frame.network = text.network
    return status


cdef Status decode_text(Frame* text, const Frame* frame, const Profile* profile, bint check_stamp, const Origin* origin,
                        Columns* batch) noexcept nogil:
    """Hold the stamp of a frame in clear against the window, and read its signals; `frame` is what was received."""
    cdef uint16_t flags = 0
    cdef bint reports = text.kind == FRAME_SIGNAL or text.kind == FRAME_OTHER
    if check_stamp and text.stamp_ns != TIME_NONE and text.kind != FRAME_REPLY \
            and is_stale(text.stamp_ns, origin.received_ns, profile):
        flags = FLAG_LATE
        text.answer = ANSWER_REFUSE
        if profile.reject_stale or not reports:
            return BAD_TIME
    return decode_signals(text, frame, origin, flags, batch) if reports else OK


cdef Status decode_signals(Frame* text, const Frame* frame, const Origin* origin, uint16_t flags,
                           Columns* batch) noexcept nogil:
    """Read the data field of a frame in clear; one that reports nothing turns out to be a heartbeat.

    A field with something in it that we cannot read, and a frame whose token we do not know, is one row of class info:
    nothing that was said disappears.
    """
    cdef Findings findings
    cdef Content content = content_of(text.start, text.data)
    cdef Status status = OK
    findings.count = findings.modifiers = 0
    findings.alive = False
    findings.unread = content.rest.size > 0
    if text.token == TOKEN_SIA_DCS:
        status = read_sia(text.start, content.rest, &findings)
    elif text.token == TOKEN_ADM_CID:
        status = read_contact_id(text.start, content.rest, &findings)
    elif text.token == TOKEN_UNKNOWN:
        content.rest = text.identity
        findings.unread = True
    else:
        content.rest = text.data
    if status != OK:
        text.answer = ANSWER_UNABLE
        return status
    if findings.alive or (findings.count == 0 and not findings.unread):
        text.kind = FRAME_HEARTBEAT
        return OK if flags == 0 else BAD_TIME
    if findings.count == 0:
        findings.count = 1
        findings.found[0] = unread_field(content.rest)
    if text.extended.size:
        apply_trigger(text.start, &findings, trigger_of(text), text.token == TOKEN_ADM_CID)
    if flags and not carries_fire(&findings):
        return BAD_TIME
    if is_old(text.occurred_ns, text.stamp_ns):
        flags |= FLAG_OLD
    if text.account_text.size and not is_same_account(text, content.account):
        flags |= FLAG_ACCOUNT_DIFFERS
    return push_decrypted(frame, text, &findings, origin, flags, batch)


cdef Finding unread_field(Span rest) noexcept nogil:
    """What stands for a data field in which no event can be read."""
    cdef Finding found
    found.native = rest
    found.area.at = found.area.size = found.address.at = found.address.size = 0
    found.meaning.condition = CONDITION_UNKNOWN
    found.meaning.signal_class = CLASS_INFO
    found.meaning.state = STATE_INFO
    found.meaning.known = False
    found.flags = FLAG_UNKNOWN_CODE
    found.modifiers = 0
    return found


cdef bint is_same_account(const Frame* frame, Span account) noexcept nogil:
    """Whether the account in the data, if there is one, is that of the header; case does not count."""
    cdef uint32_t i
    if account.size == 0:
        return True
    if account.size != frame.account_size:
        return False
    for i in range(account.size):
        if upper(frame.start[account.at + i]) != frame.account[i]:
            return False
    return True


DC09.protocol = PROTOCOL_DC09
DC09.takes_commands = True
DC09.split = split
DC09.decode = decode
DC09.encode = encode
