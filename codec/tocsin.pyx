"""The Tocsin profile, version 1: reports of many transmitters in one authenticated message. All numbers big endian.

    0   1   C1           start
    1   2   length       bytes behind it: 18 + n, at most 1397
    3   1   kind         10 report; 20, 21, 22 replies
    4   3   key id       who sends, and whose key it is; 1..16777215
    7   4   counter      rises with each new report of a key; a retransmission repeats it, and a reply
    11  2   checksum     CRC-16/ARC of bytes 0..10: a wrong start costs one byte and no wait
    13  n   body         MessagePack arrays, one after the other: the items. None: a heartbeat. A reply has none
    13+n 8  tag          BLAKE2s of all before, 8 bytes, under the key; of a reply, of the request's tag and all before

Items     [account]                                                 that transmitter lives
          [account, class, condition, state, point, age, text, ..]  a signal; what is behind `state` may be missing
    account   nil: the sender; a text of 1..16 characters as in an account; a number: its decimal digits
    class, condition, state   the numbers of words.pxd
    point     nil, a text or a number: where
    age       nil or seconds since it happened
    text      nil or a text
    Elements behind these, and items that are no arrays, are for later versions: passed over.

Source: docs/tocsin-profile.md, which is the specification; both are ours.

Account   of the frame: the key id in decimal. Rows of other transmitters have their own account, and NO_PATH: who
          knows paths finds theirs.
Unknown   numbers are never refused: a class of another number is info, a condition unknown, a state of fire, gas or
          prealarm is raised, else info; FLAG_UNKNOWN_CODE.
Bounds    128 items, arrays of up to 64 elements: BAD_FIELD beyond, answered with 22. What is passed over may be of any
          depth: it is counted, not descended into.
Answers   20; refused (the caller's word: the counter) 21 with the counter that the profile names; unable 22.
Replies   21 bytes, as long as the shortest report: no reply is longer than what it answers.
Identity  key id, counter and body.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from codec.batch cimport NO_PATH, TIME_NONE, Columns, Row, Text, batch_has_room, batch_push, batch_text
from codec.blake2s cimport blake2s_same, blake2s_tag
from codec.crc16 cimport crc16
from codec.frame cimport (ANSWER_ACCEPT, ANSWER_NONE, ANSWER_REFUSE, ANSWER_UNABLE, NUMBER_NONE, OLD_S, Answer, Frame,
                          Origin, Profile)
from codec.limits cimport ACCOUNT_BYTES_MAX, FRAME_SIGNALS_MAX, NATIVE_BYTES_MAX, POINT_BYTES_MAX
from codec.status cimport (BAD_CHECKSUM, BAD_CRYPTO, BAD_FIELD, BAD_LENGTH, BAD_START, BATCH_FULL, NEED_DATA, OK,
                           Status)
from codec.text cimport clean_text, is_account, put_decimal, upper, whole_text
from codec.tocsin_items cimport VALUE_NIL, VALUE_NUMBER, VALUE_TEXT, Value, next_array, next_value
from codec.words cimport (CLASS_COUNT, CLASS_FIRE, CLASS_GAS, CLASS_INFO, CLASS_PREALARM, CONDITION_COUNT,
                          CONDITION_UNKNOWN, FLAG_CLEANED, FLAG_CUT, FLAG_OLD, FLAG_UNKNOWN_CODE, FRAME_HEARTBEAT,
                          FRAME_REPLY, FRAME_SIGNAL, PROTOCOL_TOCSIN, ROW_LIFE, ROW_SIGNAL, STATE_CLEARED, STATE_COUNT,
                          STATE_INFO, STATE_RAISED)
from codec.words import CONDITION_TEXT

cdef enum:
    ELEMENTS_MAX = 64

cdef const char* REQUEST = b"tocsin q"
cdef const char* REPLY = b"tocsin r"

cdef uint8_t CONDITION_KNOWN[CONDITION_COUNT]
memset(CONDITION_KNOWN, 0, CONDITION_COUNT)
for number in CONDITION_TEXT:
    CONDITION_KNOWN[<int>number] = 1


# ---- split -----------------------------------------------------------------------------------------------------

cdef Status split(const uint8_t* data, uint32_t size, Frame* frame) noexcept nogil:
    """Read the frame that begins at data[0]: its end, its header's checksum and its header. Nothing is authentic yet.

    data      borrowed; 1..size bytes, more may follow the frame
    frame     filled when OK; `examined` always
    Returns   OK | NEED_DATA | BAD_LENGTH | BAD_CHECKSUM | BAD_FIELD (kind or key id)
    Cost      the 13 bytes of the header
    """
    cdef uint32_t length = 0
    frame.examined = min(size, <uint32_t>TOCSIN_BODY_AT)
    if size >= 3:
        length = number_at(data + 1, 2) + 3
        if length < TOCSIN_FRAME_BYTES_MIN or length > TOCSIN_FRAME_BYTES_MAX:
            return BAD_LENGTH
    if size < TOCSIN_BODY_AT:
        return NEED_DATA
    if crc16(data, TOCSIN_CHECKSUM_AT) != number_at(data + TOCSIN_CHECKSUM_AT, 2):
        return BAD_CHECKSUM
    if size < length:
        return NEED_DATA
    frame.token = data[TOCSIN_KIND_AT]
    if frame.token == MESSAGE_REPORT:
        frame.kind = FRAME_SIGNAL        # only decode can say that it is a heartbeat: nothing is believed before
        frame.answer = ANSWER_ACCEPT
    elif MESSAGE_ACCEPTED <= frame.token <= MESSAGE_UNABLE and length == TOCSIN_FRAME_BYTES_MIN:
        frame.kind = FRAME_REPLY
        frame.answer = ANSWER_NONE
    else:
        return BAD_FIELD
    frame.account_size = put_decimal(frame.account, number_at(data + TOCSIN_KEY_ID_AT, 3))
    if frame.account_size == 1 and frame.account[0] == 0x30:
        return BAD_FIELD
    frame.start = data
    frame.size = length
    frame.protocol = PROTOCOL_TOCSIN
    frame.form = 0
    frame.encrypted = True               # it needs its sender's key
    frame.receiver = frame.line = frame.network = NUMBER_NONE
    frame.sequence = number_at(data + TOCSIN_COUNTER_AT, 4)
    frame.token_text.at = TOCSIN_KIND_AT
    frame.token_text.size = 1
    frame.account_text.at = frame.account_text.size = 0
    frame.data.at = TOCSIN_BODY_AT
    frame.data.size = length - TOCSIN_FRAME_BYTES_MIN
    frame.identity.at = TOCSIN_KEY_ID_AT
    frame.identity.size = length - TOCSIN_KEY_ID_AT - TOCSIN_TAG_BYTES
    frame.stamp_ns = frame.occurred_ns = TIME_NONE
    return OK


# ---- decode ----------------------------------------------------------------------------------------------------

cdef bint is_authentic(const Frame* frame, const uint8_t* key) noexcept nogil:
    cdef uint8_t tag[TOCSIN_TAG_BYTES]
    blake2s_tag(key, REQUEST, frame.start, frame.size - TOCSIN_TAG_BYTES, NULL, 0, tag)
    return blake2s_same(tag, tocsin_tag(frame))


cdef Status decode(Frame* frame, const Profile* profile, const Origin* origin, Columns* batch) noexcept nogil:
    """Append the items of an authentic report to `batch`: a row of kind signal or life for each.

    frame     as split left it; kind and answer are final afterwards
    batch     filled; rows added all or none. Rows of other transmitters than the sender have NO_PATH
    Returns   OK | BATCH_FULL
              BAD_CRYPTO  no key, or not authentic under it; not answered
              BAD_FIELD   authentic, but the body is no list of items; answered as unable
    """
    cdef uint32_t count = batch.count, arena_used = batch.arena_used, at = TOCSIN_BODY_AT, items = 0
    cdef uint32_t end = frame.size - TOCSIN_TAG_BYTES
    cdef Row common
    cdef Status status = OK
    if frame.kind == FRAME_REPLY:
        return OK
    if profile == NULL or profile.mac_key == NULL or not is_authentic(frame, profile.mac_key):
        frame.answer = ANSWER_NONE
        return BAD_CRYPTO
    frame.kind = FRAME_HEARTBEAT
    if at == end:
        return OK
    if not batch_has_room(batch, 1, frame.size + frame.account_size):
        return BATCH_FULL
    memset(&common, 0, sizeof(Row))
    common.received_ns = origin.received_ns
    common.realm = origin.realm
    common.sequence = frame.sequence
    common.protocol = PROTOCOL_TOCSIN
    common.raw = batch_text(batch, frame.start, frame.size)
    common.identity.at = common.raw.at + frame.identity.at
    common.identity.size = frame.identity.size
    common.account = batch_text(batch, frame.account, frame.account_size)
    while at < end and status == OK:
        items += 1
        status = read_item(frame, &at, end, &common, origin, batch) if items <= FRAME_SIGNALS_MAX else BAD_FIELD
    if status != OK:
        batch.count = count
        batch.arena_used = arena_used
        if status == BAD_FIELD:
            frame.answer = ANSWER_UNABLE
            frame.kind = FRAME_SIGNAL
    return status


cdef Status read_item(Frame* frame, uint32_t* at, uint32_t end, const Row* common, const Origin* origin,
                      Columns* batch) noexcept nogil:
    """Read the item at `at`, move on behind it, and add its row if it has one."""
    cdef Value values[7]                 # account, class, condition, state, point, age, text
    cdef Value unused
    cdef uint32_t elements = 0, i
    cdef Row row = common[0]
    if not next_array(frame.start, at, end, &elements):
        return OK if next_value(frame.start, at, end, &unused) else BAD_FIELD
    if elements == 0 or elements > ELEMENTS_MAX or elements == 2 or elements == 3:
        return BAD_FIELD
    memset(values, 0, sizeof(values))    # VALUE_NIL
    for i in range(elements):
        if not next_value(frame.start, at, end, &values[i] if i < 7 else &unused):
            return BAD_FIELD
    row.path = origin.path
    row.flags = origin.flags
    row.occurred_ns = TIME_NONE
    if values[0].kind != VALUE_NIL:
        if not name_account(frame, &values[0], &row, batch):
            return BAD_FIELD if batch_has_room(batch, 1, ACCOUNT_BYTES_MAX) else BATCH_FULL
    if elements == 1:
        row.kind = ROW_LIFE
        return push(batch, &row)
    for i in range(1, 4):
        if values[i].kind != VALUE_NUMBER:
            return BAD_FIELD
    row.kind = ROW_SIGNAL
    frame.kind = FRAME_SIGNAL
    set_meaning(&row, &values[1], &values[2], &values[3])
    if values[5].kind == VALUE_NUMBER and values[5].number <= 0xFFFFFFF:
        row.occurred_ns = origin.received_ns - <int64_t>values[5].number * 1000000000
        row.flags |= FLAG_OLD if values[5].number >= OLD_S else 0
    if not put_texts(frame, values, &row, batch):
        return BATCH_FULL
    return push(batch, &row)


cdef inline Status push(Columns* batch, const Row* row) noexcept nogil:
    if not batch_has_room(batch, 1, 0):
        return BATCH_FULL
    batch_push(batch, row)
    return OK


cdef bint name_account(const Frame* frame, const Value* value, Row* row, Columns* batch) noexcept nogil:
    """Set the account of an item that names one. Return False when it cannot be one, or when there is no room."""
    cdef uint8_t account[20]
    cdef uint32_t size, i
    if value.kind == VALUE_NUMBER:
        size = put_decimal(account, value.number)
    elif value.kind == VALUE_TEXT and 1 <= value.size <= ACCOUNT_BYTES_MAX:
        size = value.size
        for i in range(size):
            if not is_account(frame.start[value.at + i]):
                return False
            account[i] = upper(frame.start[value.at + i])
    else:
        return False
    if size > ACCOUNT_BYTES_MAX or not batch_has_room(batch, 1, size):
        return False
    if size == frame.account_size:       # the sender by its own number is the sender
        for i in range(size):
            if account[i] != frame.account[i]:
                break
        else:
            return True
    row.account = batch_text(batch, account, size)
    row.path = NO_PATH
    return True


cdef inline void set_meaning(Row* row, const Value* signal_class, const Value* condition,
                             const Value* state) noexcept nogil:
    cdef bint alarming
    row.signal_class = CLASS_INFO
    row.condition = CONDITION_UNKNOWN
    if 1 <= signal_class.number < CLASS_COUNT:
        row.signal_class = <uint8_t>signal_class.number
    else:
        row.flags |= FLAG_UNKNOWN_CODE
    if condition.number < CONDITION_COUNT and CONDITION_KNOWN[condition.number]:
        row.condition = <uint16_t>condition.number
    else:
        row.flags |= FLAG_UNKNOWN_CODE
    if 1 <= state.number < STATE_COUNT:
        row.state = <uint8_t>state.number
    else:
        alarming = row.signal_class == CLASS_FIRE or row.signal_class == CLASS_GAS or row.signal_class == CLASS_PREALARM
        row.state = STATE_RAISED if alarming else STATE_INFO
        row.flags |= FLAG_UNKNOWN_CODE


cdef bint put_texts(const Frame* frame, const Value* values, Row* row, Columns* batch) noexcept nogil:
    """Write point and native: the three numbers as sent, and the text behind them. Return False without room."""
    cdef uint8_t text[NATIVE_BYTES_MAX + 80]
    cdef uint32_t size = 0, i
    if values[4].kind == VALUE_NUMBER:
        size = put_decimal(text, values[4].number)
    elif values[4].kind == VALUE_TEXT:
        size = put_clean(frame, &values[4], text, POINT_BYTES_MAX, row)
    if not batch_has_room(batch, 1, size):
        return False
    row.point = batch_text(batch, text, size)
    size = 0
    for i in range(1, 4):
        if i > 1:
            text[size] = 0x2F
            size += 1
        size += put_decimal(text + size, values[i].number)
    if values[6].kind == VALUE_TEXT and values[6].size:
        text[size] = 0x20
        size += 1
        size += put_clean(frame, &values[6], text + size, NATIVE_BYTES_MAX - size, row)
    if not batch_has_room(batch, 1, size):
        return False
    row.native = batch_text(batch, text, size)
    return True


cdef uint32_t put_clean(const Frame* frame, const Value* value, uint8_t* out, uint32_t room, Row* row) noexcept nogil:
    """Copy a text, cleaned where it is none, cut where it is too long; return its bytes."""
    cdef uint32_t size = value.size
    cdef bint cut = False
    if whole_text(frame.start + value.at, value.size, room, &size):
        memcpy(out, frame.start + value.at, size)
        row.flags |= FLAG_CUT if size < value.size else 0
        return size
    size = clean_text(frame.start + value.at, value.size, out, room, &cut)
    row.flags |= FLAG_CLEANED | (FLAG_CUT if cut else 0)
    return size


# ---- encode ----------------------------------------------------------------------------------------------------

cdef uint32_t tocsin_close(uint8_t* out, uint32_t body_size, const uint8_t* key, const uint8_t* request) noexcept nogil:
    """Write start, length, checksum and tag around kind, key id, counter and body, which are there; return the size.

    request   the tag of the request that this replies to, or NULL: it is a request
    """
    cdef uint32_t size = TOCSIN_FRAME_BYTES_MIN + body_size, length = size - 3
    cdef uint16_t checksum
    out[0] = TOCSIN_START
    out[1] = length >> 8
    out[2] = length & 0xFF
    checksum = crc16(out, TOCSIN_CHECKSUM_AT)
    out[TOCSIN_CHECKSUM_AT] = checksum >> 8
    out[TOCSIN_CHECKSUM_AT + 1] = checksum & 0xFF
    if request == NULL:
        blake2s_tag(key, REQUEST, out, size - TOCSIN_TAG_BYTES, NULL, 0, out + size - TOCSIN_TAG_BYTES)
    else:
        blake2s_tag(key, REPLY, request, TOCSIN_TAG_BYTES, out, size - TOCSIN_TAG_BYTES, out + size - TOCSIN_TAG_BYTES)
    return size


cdef uint32_t encode(const Frame* frame, const Profile* profile, Answer answer, int64_t now_ns,
                     uint8_t* out) noexcept nogil:
    """Write the reply to a report whose bytes are still there; `now_ns` is not used.

    out       filled; 21 bytes
    Returns   21; 0 for ANSWER_NONE, for a reply, and without a key
    """
    cdef uint32_t counter = frame.sequence
    if answer == ANSWER_NONE or frame.kind == FRAME_REPLY or profile == NULL or profile.mac_key == NULL:
        return 0
    out[TOCSIN_KIND_AT] = MESSAGE_ACCEPTED
    if answer == ANSWER_REFUSE:
        out[TOCSIN_KIND_AT] = MESSAGE_STALE
        counter = profile.counter
    elif answer == ANSWER_UNABLE:
        out[TOCSIN_KIND_AT] = MESSAGE_UNABLE
    memcpy(out + TOCSIN_KEY_ID_AT, frame.start + TOCSIN_KEY_ID_AT, 3)
    out[TOCSIN_COUNTER_AT] = counter >> 24
    out[TOCSIN_COUNTER_AT + 1] = counter >> 16 & 0xFF
    out[TOCSIN_COUNTER_AT + 2] = counter >> 8 & 0xFF
    out[TOCSIN_COUNTER_AT + 3] = counter & 0xFF
    return tocsin_close(out, 0, profile.mac_key, tocsin_tag(frame))


TOCSIN.protocol = PROTOCOL_TOCSIN
TOCSIN.split = split
TOCSIN.decode = decode
TOCSIN.encode = encode
