"""The Sur-Gard style heartbeat that some transmitters send on the socket of their DC-09 link.

    SR0001L0001    006969XX    [ID00000000]

    "SR" receiver, 4 digits    "L" line, 4 digits    blanks, 1..8    account, 6 letters or digits, then "XX"
    blanks, 1..8    "[ID" 1..16 letters or digits "]"

Known     the sample above, from the matcher of pysiaalarm (utils/regexes.py), which reads it as a message of its own
Assumed   - it is the heartbeat of the device that also sends DC-09, so its protocol is dc09 and its account is what
            stands before XX, in upper case. Where XX stands another message has its event; only XX is read here, and
            whatever else begins so is no frame: it gets no reply, so that no event is ever acknowledged unread.
          - the reply is one byte, 06, as receivers of Sur-Gard's own protocol answer
          - the frame ends at ']'; 14, CR, LF or NUL behind it are passed over, as between any two frames
          - receiver and line name the path, as in DC-09

It has no checksum and no length; its form is all there is. A byte that cannot stand where it does ends the look at
once, so that an S in garbage neither waits for more nor takes a good frame along.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t

from codec.batch cimport TIME_NONE, Columns
from codec.frame cimport (ANSWER_ACCEPT, ANSWER_NONE, NUMBER_NONE, Answer, Frame, Origin, Profile, number_pack)
from codec.status cimport BAD_CRYPTO, BAD_START, NEED_DATA, OK, Status
from codec.text cimport is_alphanumeric, is_digit, upper
from codec.words cimport FRAME_HEARTBEAT, PROTOCOL_DC09

cdef enum:
    BLANK = 0x20
    BLANKS_MAX = 8
    NUMBER_DIGITS = 4
    ACCOUNT_BYTES = 6
    ID_BYTES_MAX = 16


cdef struct Reader:
    const uint8_t* data
    uint32_t size
    uint32_t at


cdef inline Status expect(Reader* reader, const char* text) noexcept nogil:
    """Pass a constant. Returns OK | NEED_DATA | BAD_START."""
    while text[0]:
        if reader.at == reader.size:
            return NEED_DATA
        if reader.data[reader.at] != <uint8_t>text[0]:
            return BAD_START
        reader.at += 1
        text += 1
    return OK


cdef inline Status blanks(Reader* reader) noexcept nogil:
    cdef uint32_t begin = reader.at
    while reader.at < reader.size and reader.data[reader.at] == BLANK and reader.at - begin < BLANKS_MAX:
        reader.at += 1
    if reader.at == reader.size:
        return NEED_DATA
    return OK if reader.at > begin else BAD_START


cdef inline Status number(Reader* reader, uint32_t* found) noexcept nogil:
    cdef uint32_t value = 0, i
    for i in range(NUMBER_DIGITS):
        if reader.at == reader.size:
            return NEED_DATA
        if not is_digit(reader.data[reader.at]):
            return BAD_START
        value = value << 4 | (reader.data[reader.at] - 0x30)     # as DC-09 writes it: hex digits
        reader.at += 1
    found[0] = number_pack(value, NUMBER_DIGITS)
    return OK


cdef inline Status account(Reader* reader, Frame* frame) noexcept nogil:
    cdef uint32_t i
    for i in range(ACCOUNT_BYTES):
        if reader.at == reader.size:
            return NEED_DATA
        if not is_alphanumeric(reader.data[reader.at]):
            return BAD_START
        frame.account[i] = upper(reader.data[reader.at])
        reader.at += 1
    return OK


cdef inline Status identity(Reader* reader) noexcept nogil:
    cdef uint32_t begin = reader.at
    while reader.at < reader.size and is_alphanumeric(reader.data[reader.at]) and reader.at - begin < ID_BYTES_MAX:
        reader.at += 1
    if reader.at == reader.size:
        return NEED_DATA
    return OK if reader.at > begin else BAD_START


cdef Status read_all(Reader* reader, Frame* frame) noexcept nogil:
    cdef Status status = expect(reader, b"SR")
    if status == OK:
        status = number(reader, &frame.receiver)
    if status == OK:
        status = expect(reader, b"L")
    if status == OK:
        status = number(reader, &frame.line)
    if status == OK:
        status = blanks(reader)
    if status == OK:
        status = account(reader, frame)
    if status == OK:
        status = expect(reader, b"XX")
    if status == OK:
        status = blanks(reader)
    if status == OK:
        status = expect(reader, b"[ID")
    if status == OK:
        status = identity(reader)
    if status == OK:
        status = expect(reader, b"]")
    return status


cdef Status split(const uint8_t* data, uint32_t size, Frame* frame) noexcept nogil:
    """Read the heartbeat that begins with the S at data[0].

    Returns  OK | NEED_DATA | BAD_START
    Cost     at most 60 bytes looked at
    """
    cdef Reader reader = Reader(data, size, 0)
    cdef Status status = read_all(&reader, frame)
    frame.examined = reader.at + (reader.at < size)
    if status != OK:
        return status
    frame.start = data
    frame.size = reader.at
    frame.protocol = PROTOCOL_DC09
    frame.kind = FRAME_HEARTBEAT
    frame.answer = ANSWER_ACCEPT
    frame.form = frame.encrypted = 0
    frame.account_size = ACCOUNT_BYTES
    frame.network = NUMBER_NONE
    frame.sequence = frame.token = 0
    frame.token_text.at = frame.data.at = frame.identity.at = frame.extended.at = frame.account_text.at = 0
    frame.data.size = frame.extended.size = frame.account_text.size = 0
    frame.token_text.size = 2
    frame.identity.size = <uint8_t>frame.size
    frame.stamp_ns = frame.occurred_ns = TIME_NONE
    return OK


cdef Status decode(Frame* frame, const Profile* profile, const Origin* origin, Columns* batch) noexcept nogil:
    """A heartbeat carries no rows. Returns OK | BAD_CRYPTO (only encrypted frames are allowed; not answered)."""
    if profile != NULL and profile.encrypted_only:
        frame.answer = ANSWER_NONE
        return BAD_CRYPTO
    return OK


cdef uint32_t encode(const Frame* frame, const Profile* profile, Answer answer, int64_t now_ns,
                     uint8_t* out) noexcept nogil:
    """Write the one byte of the reply; nothing where the answer is another than accept."""
    if answer != ANSWER_ACCEPT:
        return 0
    out[0] = SURGARD_ACK
    return 1


SURGARD.protocol = PROTOCOL_DC09
SURGARD.split = split
SURGARD.decode = decode
SURGARD.encode = encode
