"""GB/T 26875.3-2011: framing, header, replies. All numbers little endian.

    0   2   "@@"
    2   2   serial       of the sender; a reply repeats it
    4   2   version      main (1) and the user's own; not looked at: 16/0, 1/12, 1/93 are in the field
    6   6   time tag     second, minute, hour, day, month, year - 2000 (gbt26875_time.pxd)
    12  6   source       our account, in decimal; 0 is one: such a device is known by the listener it came to
    18  6   destination
    24  2   N            bytes of the data, 0..1024
    26  1   command      0 reserved, 1 control, 2 send, 3 confirm, 4 request, 5 answer, 6 deny, others
    27  N   data         type, count, objects (gbt26875_objects.pyx); may be empty
    27+N 1  checksum     sum of bytes 2..26+N, modulo 256
    28+N 2  "##"

Source: GB/T 26875.3-2011, 5 (frame), 6 (exchange), 8 (data). A frame ends where N says, never at the first "##": both
marks may stand inside. A frame whose N, end mark or checksum is wrong costs one byte.

A wrong N must not hide the next frame: a whole sound frame inside what N claims means that N is wrong, at once,
however much is there; also when all is there and the outer one is sound, so that it does not matter in which pieces
the bytes come. To look for it is one pass with a running sum, so it is linear as well.

Kinds     confirm, deny             reply
          send, answer              signal; heartbeat when they say nothing but "I live", for which the field has many
                                    forms: no data, one byte, no object, a time (8, 28), type 190 with at most a byte
          control, request          other, not answered: they are a centre's
          0xFE                      heartbeat (vendor)
          any other                 heartbeat without data (7: Dahua) or with one byte, else other, kept as it came
Answers   send and the commands that we do not know are confirmed: a deny would make the same bytes come again. Deny is
          for data that makes more rows than a batch may get, and for callers who refuse. An answer (5) ends its
          exchange and is not confirmed, nor is any reply.
Replies   30 bytes: serial and version repeated, addresses swapped, our time in binary and UTC+8, because devices set
          their clocks by it.
Identity  serial, then source to the end of the data: without the header's time, which a repeated frame may renew.

Time      The header's tag decides how a frame's tags are read. One that is impossible in binary proves BCD; when it
          can be read both ways, decode takes the one that the transmitter was seen to write before (the profile
          says), else the reading that is nearer to the time of receipt.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy

from codec.batch cimport TIME_NONE, Columns
from codec.frame cimport (ANSWER_ACCEPT, ANSWER_COMMAND, ANSWER_NONE, ANSWER_REFUSE, CLOCK_BCD, CLOCK_UNKNOWN,
                          NUMBER_NONE, Answer, Frame, Origin, Profile)
from codec.gbt26875_objects cimport push_objects
from codec.gbt26875_time cimport tag_bcd, tag_binary, tag_put
from codec.limits cimport COMMAND_BYTES_MAX
from codec.status cimport BAD_CHECKSUM, BAD_FIELD, BAD_LENGTH, BAD_START, NEED_DATA, OK, Status
from codec.words cimport FRAME_HEARTBEAT, FRAME_OTHER, FRAME_REPLY, FRAME_SIGNAL, PROTOCOL_GBT26875

COMMAND_TEXT = {COMMAND_CONTROL: "control", COMMAND_SEND: "send", COMMAND_CONFIRM: "confirm",
                COMMAND_REQUEST: "request", COMMAND_ANSWER: "answer", COMMAND_DENY: "deny"}


cdef uint8_t gbt_sum(const uint8_t* bytes, uint32_t size) noexcept nogil:
    cdef uint8_t total = 0
    cdef uint32_t i
    for i in range(size):
        total += bytes[i]
    return total


# ---- split -----------------------------------------------------------------------------------------------------

cdef inline uint32_t frame_size(const uint8_t* data) noexcept nogil:
    """The bytes that the frame at `data`, of which 27 are there, claims; 0 when it claims too many."""
    cdef uint32_t size = <uint32_t>data[GBT_LENGTH_AT] | <uint32_t>data[GBT_LENGTH_AT + 1] << 8
    return size + GBT_FRAME_BYTES_MIN if size <= GBT_DATA_BYTES_MAX else 0


cdef bint holds_frame(const uint8_t* data, uint32_t size, Frame* frame) noexcept nogil:
    """Whether a whole sound frame stands inside data[1:size]."""
    cdef uint8_t sums[GBT_FRAME_BYTES_MAX + 1]   # sums[i]: of data[:i], made when the first candidate needs it
    cdef const uint8_t* found
    cdef uint32_t at = 1, inside, i
    cdef bint summed = False
    while at + GBT_FRAME_BYTES_MIN <= size:
        found = <const uint8_t*>memchr(data + at, AT, size - GBT_FRAME_BYTES_MIN + 1 - at)
        if found == NULL:
            break
        at = <uint32_t>(found - data)
        inside = frame_size(found) if found[1] == AT else 0
        if inside and at + inside <= size and found[inside - 1] == HASH and found[inside - 2] == HASH:
            if not summed:
                summed = True
                frame.examined += size
                sums[0] = 0
                for i in range(size):
                    sums[i + 1] = sums[i] + data[i]
            if <uint8_t>(sums[at + inside - 3] - sums[at + 2]) == found[inside - 3]:
                return True
        at += 1
    frame.examined += size
    return False


cdef Status split(const uint8_t* data, uint32_t size, Frame* frame) noexcept nogil:
    """Read the frame that begins with the '@' at data[0]: its end, its checksum and its header.

    data      borrowed; 1..size bytes, more may follow the frame
    frame     filled when OK; `examined` always
    Returns   OK | NEED_DATA | BAD_START | BAD_LENGTH | BAD_CHECKSUM
    Cost      two passes over the frame, or three
    """
    cdef uint32_t whole
    frame.examined = size if size < GBT_DATA_AT else <uint32_t>GBT_DATA_AT
    if size > 1 and data[1] != AT:
        return BAD_START
    if size < GBT_DATA_AT:
        return NEED_DATA
    whole = frame_size(data)
    if whole == 0:
        return BAD_LENGTH
    if size < whole:
        return BAD_LENGTH if holds_frame(data, size, frame) else NEED_DATA
    if data[whole - 1] != HASH or data[whole - 2] != HASH:
        return BAD_LENGTH
    frame.examined += whole
    if gbt_sum(data + GBT_SERIAL_AT, whole - GBT_SERIAL_AT - GBT_TRAILER_BYTES) != data[whole - 3]:
        return BAD_CHECKSUM
    if holds_frame(data, whole, frame):  # after the checksum, which is fast: bytes made to look like starts cost more
        return BAD_LENGTH
    frame.start = data
    frame.size = whole
    frame.protocol = PROTOCOL_GBT26875
    frame.encrypted = 0
    frame.receiver = frame.line = frame.network = NUMBER_NONE
    frame.sequence = <uint32_t>data[GBT_SERIAL_AT] | <uint32_t>data[GBT_SERIAL_AT + 1] << 8
    frame.token = data[GBT_COMMAND_AT]
    frame.token_text.at = GBT_COMMAND_AT
    frame.token_text.size = 1
    frame.account_text.at = frame.account_text.size = 0
    frame.data.at = GBT_DATA_AT
    frame.data.size = whole - GBT_FRAME_BYTES_MIN
    frame.identity.at = GBT_SOURCE_AT
    frame.identity.size = whole - GBT_SOURCE_AT - GBT_TRAILER_BYTES
    read_account(frame)
    read_stamp(frame)
    read_kind(frame)
    return OK


cdef inline void read_account(Frame* frame) noexcept nogil:
    """The source address as decimal digits, 1..15."""
    cdef uint64_t address = 0
    cdef uint8_t digits[16]
    cdef uint32_t count = 0, i
    memcpy(&address, frame.start + GBT_SOURCE_AT, 6)
    while True:
        digits[count] = 0x30 + <uint8_t>(address % 10)
        count += 1
        address //= 10
        if address == 0:
            break
    for i in range(count):
        frame.account[i] = digits[count - 1 - i]
    frame.account_size = count


cdef inline void read_stamp(Frame* frame) noexcept nogil:
    cdef int64_t bcd = tag_bcd(frame.start + GBT_TAG_AT)
    frame.stamp_ns = tag_binary(frame.start + GBT_TAG_AT)
    frame.occurred_ns = TIME_NONE
    frame.form = FORM_BINARY
    if bcd != TIME_NONE:
        if frame.stamp_ns == TIME_NONE:
            frame.stamp_ns = bcd
            frame.form = FORM_BCD
        elif frame.stamp_ns != bcd:
            frame.form = FORM_EITHER


cdef bint says_nothing(const uint8_t* data, uint32_t size) noexcept nogil:
    """Whether the data of a send or an answer only proves life."""
    if size <= 2:
        return True
    if data[0] == TYPE_TIME:
        return size == 8
    if data[0] == TYPE_SYSTEM_TIME:
        return size == 10
    return data[0] == TYPE_VENDOR_HEARTBEAT and size == 3


cdef inline void read_kind(Frame* frame) noexcept nogil:
    """Set kind and answer by the command and, where it carries data, by what that says."""
    cdef bint empty
    frame.answer = ANSWER_NONE
    if frame.token == COMMAND_SEND or frame.token == COMMAND_ANSWER:
        empty = says_nothing(frame.start + GBT_DATA_AT, frame.data.size)
        frame.kind = FRAME_HEARTBEAT if empty else FRAME_SIGNAL
        if frame.token == COMMAND_SEND:
            frame.answer = ANSWER_ACCEPT
    elif frame.token == COMMAND_CONFIRM or frame.token == COMMAND_DENY:
        frame.kind = FRAME_REPLY
    elif frame.token == COMMAND_CONTROL or frame.token == COMMAND_REQUEST:
        frame.kind = FRAME_OTHER
    else:
        frame.kind = FRAME_HEARTBEAT if frame.data.size <= 1 or frame.token == COMMAND_KEEP_ALIVE else FRAME_OTHER
        frame.answer = ANSWER_ACCEPT


# ---- decode and encode -----------------------------------------------------------------------------------------

cdef inline int64_t distance(int64_t one, int64_t other) noexcept nogil:
    return one - other if one > other else other - one


cdef Status decode(Frame* frame, const Profile* profile, const Origin* origin, Columns* batch) noexcept nogil:
    """Append what a frame reports to `batch`: status words as rows of kind level, everything else as signals.

    frame     as split left it; form, stamp and answer are final afterwards
    batch     filled; rows added all or none
    Returns   OK | BATCH_FULL | BAD_FIELD (too many rows; answered with a deny)
    """
    cdef Status status
    cdef int64_t bcd
    cdef uint8_t known
    cdef uint32_t rows = batch.count
    if frame.form == FORM_EITHER:
        bcd = tag_bcd(frame.start + GBT_TAG_AT)
        frame.form = FORM_BINARY
        known = profile.clock_form if profile != NULL else CLOCK_UNKNOWN
        if known == CLOCK_BCD or (known == CLOCK_UNKNOWN and distance(bcd, origin.received_ns)
                                  < distance(frame.stamp_ns, origin.received_ns)):
            frame.stamp_ns = bcd
            frame.form = FORM_BCD
    if frame.kind == FRAME_HEARTBEAT or frame.kind == FRAME_REPLY or frame.token == COMMAND_CONTROL \
            or frame.token == COMMAND_REQUEST:
        return OK
    status = push_objects(frame, origin, batch)
    if status == OK and batch.occurred_ns[rows] != frame.stamp_ns:
        frame.occurred_ns = batch.occurred_ns[rows]
    if status == BAD_FIELD and frame.answer == ANSWER_ACCEPT:
        frame.answer = ANSWER_REFUSE
    return status


cdef uint32_t gbt_close(uint8_t* out, uint32_t data_size) noexcept nogil:
    """Write marks, length and checksum around a header and `data_size` bytes of data; return the frame's size."""
    cdef uint32_t end = GBT_DATA_AT + data_size
    out[0] = out[1] = AT
    out[GBT_LENGTH_AT] = data_size & 0xFF
    out[GBT_LENGTH_AT + 1] = data_size >> 8
    out[end] = gbt_sum(out + GBT_SERIAL_AT, end - GBT_SERIAL_AT)
    out[end + 1] = out[end + 2] = HASH
    return end + GBT_TRAILER_BYTES


cdef uint32_t encode(const Frame* frame, const Profile* profile, Answer answer, int64_t now_ns,
                     uint8_t* out) noexcept nogil:
    """Write the confirm, or for any refusal the deny, to a frame whose bytes are still there.

    out       filled; 30 bytes, and the command's behind them
    now_ns    wall clock, ns since 1970 UTC; the device may set its clock by it
    Returns   30, and the command's; 0 for ANSWER_NONE and for a frame that ends an exchange
    """
    if answer == ANSWER_NONE or frame.kind == FRAME_REPLY or frame.token == COMMAND_ANSWER:
        return 0
    cdef uint32_t size
    memcpy(out + GBT_SERIAL_AT, frame.start + GBT_SERIAL_AT, 4)
    tag_put(out + GBT_TAG_AT, now_ns)
    memcpy(out + GBT_SOURCE_AT, frame.start + GBT_DESTINATION_AT, 6)
    memcpy(out + GBT_DESTINATION_AT, frame.start + GBT_SOURCE_AT, 6)
    out[GBT_COMMAND_AT] = COMMAND_CONFIRM if answer == ANSWER_ACCEPT or answer == ANSWER_COMMAND else COMMAND_DENY
    size = gbt_close(out, 0)
    if answer == ANSWER_COMMAND and profile != NULL and profile.command != NULL:
        memcpy(out + size, profile.command, min(profile.command_size, <uint32_t>COMMAND_BYTES_MAX))
        size += min(profile.command_size, <uint32_t>COMMAND_BYTES_MAX)
    return size


GBT26875.protocol = PROTOCOL_GBT26875
GBT26875.takes_commands = True
GBT26875.split = split
GBT26875.decode = decode
GBT26875.encode = encode
