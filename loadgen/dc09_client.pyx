"""DC-09 as a transmitter speaks it; the layout stands in dc09_client.pxd.

Rejected: the reader and writer of codec, which are made for a receiver: here frames are written and replies are read, a
hundred thousand times a second, with nothing but account and sequence of interest.
"""
from codec.crc16 cimport crc16
from libc.string cimport memcmp, memcpy
from loadgen.digits cimport hex_number, hex_value, put_decimal, put_hex
from posix.time cimport time_t

cdef extern from "time.h" nogil:
    struct tm:
        int tm_sec, tm_min, tm_hour, tm_mday, tm_mon, tm_year
    tm* gmtime_r(const time_t* seconds, tm* result)


cdef inline uint32_t decimal_digits(uint32_t value) noexcept nogil:
    cdef uint32_t digits = 1
    while value >= 10:
        value //= 10
        digits += 1
    return digits


cdef inline uint8_t* put(uint8_t* at, const char* text, uint32_t size) noexcept nogil:
    memcpy(at, text, size)
    return at + size


cdef void stamp_set(Stamp* stamp, int64_t second) noexcept nogil:
    cdef tm t
    cdef time_t seconds = second
    if stamp.second == second:
        return
    stamp.second = second
    gmtime_r(&seconds, &t)
    put(stamp.text, b"_00:00:00,00-00-0000", STAMP_BYTES)
    put_decimal(stamp.text + 1, t.tm_hour, 2)
    put_decimal(stamp.text + 4, t.tm_min, 2)
    put_decimal(stamp.text + 7, t.tm_sec, 2)
    put_decimal(stamp.text + 10, t.tm_mon + 1, 2)
    put_decimal(stamp.text + 13, t.tm_mday, 2)
    put_decimal(stamp.text + 16, t.tm_year + 1900, 4)


cdef inline uint8_t* put_origin(uint8_t* at, uint32_t sequence, uint64_t account, uint32_t digits) noexcept nogil:
    put_decimal(at, sequence, 4)
    at = put(at + 4, b"L0#", 3)
    put_hex(at, account, digits)
    return at + digits


cdef uint32_t finish(uint8_t* out, uint8_t* end) noexcept nogil:
    """Write head and tail around the body out[9..end]; return the size of the frame."""
    cdef uint32_t size = end - out - FRAME_HEAD_BYTES
    out[0] = 10
    put_hex(out + 1, crc16(out + FRAME_HEAD_BYTES, size), 4)
    put_hex(out + 5, size, 4)
    end[0] = 13
    return size + FRAME_HEAD_BYTES + 1


cdef uint32_t write_heartbeat(uint8_t* out, uint64_t account, uint32_t digits, uint32_t sequence,
                              const Stamp* stamp) noexcept nogil:
    cdef uint8_t* at = put(out + FRAME_HEAD_BYTES, b'"NULL"', 6)
    at = put_origin(at, sequence, account, digits)
    at = put(at, b"[]", 2)
    at = put(at, <const char*>stamp.text, STAMP_BYTES)
    return finish(out, at)


cdef uint32_t write_signal(uint8_t* out, uint64_t account, uint32_t digits, uint32_t sequence, const Stamp* stamp,
                           const uint8_t* run, uint32_t run_size, uint32_t number, uint32_t zone) noexcept nogil:
    cdef uint8_t* at = put(out + FRAME_HEAD_BYTES, b'"SIA-DCS"', 9)
    cdef uint32_t number_digits = decimal_digits(number)
    at = put_origin(at, sequence, account, digits)
    at = put(at, b"[#", 2)
    put_hex(at, account, digits)
    at = put(at + digits, b"|NFA", 4)
    put_decimal(at, zone, 4)
    at[4] = 94
    memcpy(at + 5, run, run_size)
    at += 5 + run_size
    at[0] = 45
    put_decimal(at + 1, number, number_digits)
    at = put(at + 1 + number_digits, b"^]", 2)
    at = put(at, <const char*>stamp.text, STAMP_BYTES)
    return finish(out, at)


cdef uint32_t frame_size(const uint8_t* data, size_t size) noexcept nogil:
    cdef int64_t body
    if size and data[0] != 10:
        return 1
    if size < FRAME_HEAD_BYTES + 1:
        return 0
    body = hex_number(data + 6, 3)
    if data[5] != 48 or data[9] != 34 or body < 0:
        return 1
    body += FRAME_HEAD_BYTES + 1
    if <size_t>body > size:
        return 0
    return <uint32_t>body if data[body - 1] == 13 else 1


cdef inline uint8_t reply_kind(const uint8_t* token) noexcept nogil:
    """Return the ReplyKind that the letters at `token` name; at least 4 bytes stand there."""
    if memcmp(token, b'ACK"', 4) == 0 or memcmp(token, b'RSP"', 4) == 0:
        return REPLY_ACK
    if memcmp(token, b'NAK"', 4) == 0:
        return REPLY_NAK
    return REPLY_DUH if memcmp(token, b'DUH"', 4) == 0 else REPLY_NONE


cdef void read_body(const uint8_t* body, size_t size, Reply* reply) noexcept nogil:
    cdef size_t starred = body[1] == 42, at = 9 + starred
    cdef int value
    for value in range(4):
        if not 48 <= body[5 + starred + value] <= 57:
            return
        reply.sequence = reply.sequence * 10 + body[5 + starred + value] - 48
    while at < size and body[at] != 35 and body[at] != 91:
        at += 1
    if at < size and body[at] == 35:
        at += 1
        while at < size and hex_value(body[at]) >= 0:
            reply.account = reply.account << 4 | <uint64_t>hex_value(body[at])
            at += 1
    reply.kind = reply_kind(body + 1 + starred)


cdef void read_reply(const uint8_t* data, size_t size, Reply* reply) noexcept nogil:
    cdef size_t body_size
    reply.kind = REPLY_NONE
    reply.sequence = 0
    reply.account = 0
    if size < FRAME_HEAD_BYTES + 12 or frame_size(data, size) != size:
        return
    body_size = size - FRAME_HEAD_BYTES - 1
    if hex_number(data + 1, 4) == crc16(data + FRAME_HEAD_BYTES, body_size):
        read_body(data + FRAME_HEAD_BYTES, body_size, reply)


def heartbeat_frame(uint64_t account, uint32_t digits, uint32_t sequence, int64_t second):
    cdef uint8_t out[CLIENT_FRAME_BYTES_MAX]
    cdef Stamp stamp
    stamp.second = ~second
    stamp_set(&stamp, second)
    return out[:write_heartbeat(out, account, digits, sequence, &stamp)]


def signal_frame(uint64_t account, uint32_t digits, uint32_t sequence, int64_t second, bytes run not None,
                 uint32_t number, uint32_t zone):
    cdef uint8_t out[CLIENT_FRAME_BYTES_MAX]
    cdef Stamp stamp
    assert 1 <= len(run) <= 32 and 4 <= digits <= 16
    stamp.second = ~second
    stamp_set(&stamp, second)
    return out[:write_signal(out, account, digits, sequence, &stamp, run, len(run), number, zone)]


def frame(bytes body not None):
    if not 1 <= len(body) <= 0xFFF:
        raise ValueError(f"a DC-09 body has 1 to 4095 bytes, not {len(body)}")
    return b"\n%04X%04X%b\r" % (crc16(body, len(body)), len(body), body)


def reply_of(bytes data not None):
    cdef Reply reply
    read_reply(data, len(data), &reply)
    return reply.kind, reply.sequence, reply.account


def frame_bytes(bytes data not None):
    return frame_size(data, len(data))
