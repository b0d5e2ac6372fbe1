"""Replies of ANSI/SIA DC-09; the layout and its rules stand in dc09.pyx, of what is sealed in dc09_encrypted.pyx."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from codec.civil cimport Civil, civil_from_nanoseconds
from codec.crc16 cimport crc16
from codec.dc09 cimport CR, FORM_BINARY, LF, PREAMBLE_BINARY, PREAMBLE_HEXADECIMAL
from codec.dc09_encrypted cimport pad_size, put_pad, seal
from codec.frame cimport (ANSWER_ACCEPT, ANSWER_COMMAND, ANSWER_REFUSE, ANSWER_UNABLE, NUMBER_NONE, Answer, Frame,
                          Profile, number_digits, number_pack, number_value)
from codec.limits cimport DC09_COMMAND_BYTES_MAX


cdef inline uint8_t hex_digit(uint32_t value) noexcept nogil:
    return value + 0x30 if value < 10 else value + 0x37


cdef inline uint32_t put_number(uint8_t* out, uint32_t at, uint8_t letter, uint32_t number) noexcept nogil:
    """Write `letter` and as many hex digits as were sent."""
    cdef uint32_t value = number_value(number)
    cdef int digit
    out[at] = letter
    at += 1
    for digit in range(<int>number_digits(number) - 1, -1, -1):
        out[at] = hex_digit(value >> (4 * digit) & 15)
        at += 1
    return at


cdef inline void put_decimal(uint8_t* out, uint32_t value, uint32_t digits) noexcept nogil:
    while digits:
        digits -= 1
        out[digits] = 0x30 + value % 10
        value //= 10


cdef uint32_t put_stamp(uint8_t* out, int64_t now_ns) noexcept nogil:
    """Write _HH:MM:SS,MM-DD-YYYY and return its 20 bytes."""
    cdef Civil now = civil_from_nanoseconds(now_ns)
    memcpy(out, <const char*>b"_00:00:00,00-00-0000", 20)
    put_decimal(out + 1, now.hour, 2)
    put_decimal(out + 4, now.minute, 2)
    put_decimal(out + 7, now.second, 2)
    put_decimal(out + 10, now.month, 2)
    put_decimal(out + 13, now.day, 2)
    put_decimal(out + 16, now.year, 4)
    return 20


cdef uint32_t close_frame(uint8_t* out, uint32_t preamble, uint32_t at) noexcept nogil:
    """Write LF, checksum, length and CR around the body out[preamble:at]; return the frame's size."""
    cdef uint32_t length = at - preamble
    cdef uint16_t crc = crc16(out + preamble, length)
    out[0] = LF
    if preamble == PREAMBLE_BINARY:
        out[1] = crc >> 8
        out[2] = crc & 0xFF
    else:
        out[1] = hex_digit(crc >> 12)
        out[2] = hex_digit(crc >> 8 & 15)
        out[3] = hex_digit(crc >> 4 & 15)
        out[4] = hex_digit(crc & 15)
    out[preamble - 4] = 0x30
    out[preamble - 3] = hex_digit(length >> 8)
    out[preamble - 2] = hex_digit(length >> 4 & 15)
    out[preamble - 1] = hex_digit(length & 15)
    out[at] = CR
    return at + 1


cdef uint32_t put_sealed(const Profile* profile, uint32_t data_size, int64_t now_ns, uint8_t* out) noexcept nogil:
    """Write the sealed part of a reply: pad, bar, the command's first bytes, bracket and stamp. Return its size."""
    cdef uint8_t plain[31 + 22 + DC09_COMMAND_BYTES_MAX]
    cdef uint32_t pad = pad_size(22 + data_size)
    put_pad(profile.key, profile.entropy, now_ns, plain, pad)
    plain[pad] = 0x7C
    if data_size:
        memcpy(plain + pad + 1, profile.command, data_size)
    plain[pad + 1 + data_size] = 0x5D
    put_stamp(plain + pad + 2 + data_size, now_ns)
    return seal(profile.key, plain, pad + 22 + data_size, out)


cdef uint32_t encode(const Frame* frame, const Profile* profile, Answer answer, int64_t now_ns,
                     uint8_t* out) noexcept nogil:
    """Write the reply to a frame whose bytes are still there.

    An encrypted frame is acknowledged, and commanded, under its own key; NAK and DUH are always in clear.

    out       filled; REPLY_BYTES_MAX bytes of room, of which 244 are the most that is used
    now_ns    wall clock, ns since 1970 UTC; what NAK and an encrypted ACK tell the transmitter
    Returns   the reply's size; 0 for ANSWER_NONE, and where an encrypted frame is to be acknowledged without a key
    """
    cdef uint32_t preamble = PREAMBLE_BINARY if frame.form & FORM_BINARY else PREAMBLE_HEXADECIMAL
    cdef uint32_t at = preamble + 5
    cdef bint encrypted = frame.encrypted and (answer == ANSWER_ACCEPT or answer == ANSWER_COMMAND)
    cdef uint32_t data_size = 0
    if answer == ANSWER_COMMAND and profile != NULL and profile.command != NULL:
        data_size = min(profile.command_size, <uint32_t>DC09_COMMAND_BYTES_MAX)
    if answer == ANSWER_REFUSE:
        memcpy(out + preamble, <const char*>b'"NAK"0000R0L0A0[]', 17)
        return close_frame(out, preamble, preamble + 17 + put_stamp(out + preamble + 17, now_ns))
    if encrypted:
        if profile == NULL or profile.key == NULL:
            return 0
        memcpy(out + preamble, <const char*>(b'"*RSP"' if answer == ANSWER_COMMAND else b'"*ACK"'), 6)
        at += 1
    elif answer == ANSWER_ACCEPT or answer == ANSWER_COMMAND:
        memcpy(out + preamble, <const char*>(b'"RSP"' if answer == ANSWER_COMMAND else b'"ACK"'), 5)
    elif answer == ANSWER_UNABLE:
        memcpy(out + preamble, <const char*>b'"DUH"', 5)
    else:
        return 0
    memcpy(out + at, frame.start + frame.token_text.at + frame.token_text.size + 1, 4)
    at += 4
    if frame.receiver != NUMBER_NONE:
        at = put_number(out, at, 0x52, frame.receiver)
    at = put_number(out, at, 0x4C, frame.line if frame.line != NUMBER_NONE else number_pack(0, 1))
    if frame.account_text.size:
        out[at] = 0x23
        memcpy(out + at + 1, frame.start + frame.account_text.at, frame.account_text.size)
        at += 1 + frame.account_text.size
    out[at] = 0x5B
    if encrypted:
        return close_frame(out, preamble, at + 1 + put_sealed(profile, data_size, now_ns, out + at + 1))
    if data_size:
        memcpy(out + at + 1, profile.command, data_size)
    out[at + 1 + data_size] = 0x5D
    return close_frame(out, preamble, at + 2 + data_size)
