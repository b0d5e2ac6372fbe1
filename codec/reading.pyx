"""Frames for people, tests and tools: the codec as Python functions. The engine itself uses the verbs of frame.pxd.

What these functions find in a buffer, in order:

    garbage     bytes that begin no frame, up to the next that may
    bad frame   a preamble that keeps no promise; it takes the bytes up to the next possible start
    frame       status "ok", or the reason why its content could not be read
"""
import json
from datetime import UTC, datetime

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from codec.aes cimport AesKey, aes_key_set
from codec.batch cimport NO_PATH, TIME_NONE, Batch, Text
from codec.crc16 cimport crc16
from codec.dc09 cimport PREAMBLE_BINARY, PREAMBLE_HEXADECIMAL
from codec.dc09_encrypted cimport pad_size, put_pad, seal
from codec.dc09_reply cimport close_frame, put_stamp
from codec.findings cimport MODIFIERS_MAX
from codec.formats cimport find_start, format_of, split
from codec.frame cimport (ANSWER_COUNT, CLOCK_BCD, CLOCK_BINARY, CLOCK_UNKNOWN, NUMBER_NONE, WINDOW_FUTURE_S,
                          WINDOW_PAST_S, Answer, Format, Frame, Origin, Profile, default_profile, number_digits,
                          number_value)
from codec.gbt26875 import COMMAND_TEXT
from codec.gbt26875_levels import expand_levels
from codec.limits cimport (DETAILS_BYTES_MAX, FRAME_BYTES_MAX, FRAME_SIGNALS_MAX, NATIVE_BYTES_MAX, POINT_BYTES_MAX,
                           REPLY_BYTES_MAX)
from codec.status cimport BAD_START, BATCH_FULL, OK, Status
from codec.status import STATUS_TEXT
from codec.tocsin cimport (MESSAGE_REPORT, TOCSIN_BODY_AT, TOCSIN_COUNTER_AT, TOCSIN_FRAME_BYTES_MAX,
                           TOCSIN_FRAME_BYTES_MIN, TOCSIN_KEY_BYTES, TOCSIN_KEY_ID_AT, TOCSIN_KIND_AT, tocsin_close)
from codec.words cimport PROTOCOL_GBT26875, PROTOCOL_TOCSIN, ROW_LEVEL, ROW_LIFE
from codec.words import CLASS_TEXT, CONDITION_TEXT, FLAG_TEXT, FRAME_KIND_TEXT, PROTOCOL_TEXT, STATE_TEXT

MESSAGE_TEXT = {0x10: "report", 0x20: "accepted", 0x21: "stale", 0x22: "unable"}
cdef enum:
    LEVEL_SIGNALS_MAX = 15       # bits of a status word that speak


cdef Origin origin_of(int64_t now_ns) noexcept nogil:
    cdef Origin origin
    origin.received_ns = now_ns
    origin.path = NO_PATH
    origin.flags = 0
    origin.realm = Text(0, 0)
    return origin


cdef Profile profile_of(bytes key, AesKey* expanded):
    """A profile that borrows `expanded`, which is filled from the key, and the key; or has none. Raises ValueError."""
    cdef Profile profile = default_profile()
    if key is not None:
        if not aes_key_set(expanded, <const uint8_t*>PyBytes_AS_STRING(key), len(key)):
            raise ValueError(f"key of {len(key)} bytes: AES takes 16, 24 or 32")
        profile.key = expanded
        if len(key) == TOCSIN_KEY_BYTES:
            profile.mac_key = <const uint8_t*>PyBytes_AS_STRING(key)
    return profile


def decode_stream(bytes data not None, Batch batch not None, int64_t now_ns, *, bytes key=None):
    cdef AesKey expanded
    cdef Profile profile = profile_of(key, &expanded)
    cdef const uint8_t* start = <const uint8_t*>PyBytes_AS_STRING(data)
    cdef uint32_t size = len(data), at = 0, frames = 0
    cdef Frame frame
    cdef Status status
    cdef Origin origin = origin_of(now_ns)
    with nogil:
        while at < size:
            at += find_start(start + at, size - at)
            if at == size:
                break
            status = split(start + at, size - at, &frame)
            if status != OK:
                at += 1
                continue
            if format_of(start[at]).decode(&frame, &profile, &origin, &batch.columns) == BATCH_FULL:
                break
            frames += 1
            at += frame.size
    return frames


cdef Batch new_batch():
    """A batch with room for every frame: its bytes, its text, its details, and a copy of each native and point."""
    return Batch(FRAME_SIGNALS_MAX * LEVEL_SIGNALS_MAX,
                 FRAME_SIGNALS_MAX * (NATIVE_BYTES_MAX + POINT_BYTES_MAX) + 2 * FRAME_BYTES_MAX
                 + (MODIFIERS_MAX + 1) * DETAILS_BYTES_MAX)


cdef str number_text(uint32_t number):
    return None if number == NUMBER_NONE else f"{number_value(number):0{number_digits(number)}X}"


cdef str stamp_text(int64_t stamp_ns):
    if stamp_ns == TIME_NONE:
        return None
    return datetime.fromtimestamp(stamp_ns // 1000000000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _lives_of(Batch batch) -> dict:
    """The accounts of other transmitters that a message says are alive."""
    rows = [batch.row(index) for index in range(len(batch))]
    return {"lives": [row["account"] for row in rows if row["kind"] == ROW_LIFE]}


def _signal_of(row: dict, bint named) -> dict:
    return ({"account": row["account"]} if named else {}) | {
        "class": CLASS_TEXT[row["class"]], "condition": CONDITION_TEXT[row["condition"]],
        "state": STATE_TEXT[row["state"]], "point": row["point"], "native": row["native"],
        "flags": [text for flag, text in FLAG_TEXT.items() if row["flags"] & flag],
    } | ({"details": json.loads(row["details"])} if row["details"] else {})


cdef str token_text(const Frame* frame):
    if frame.protocol == PROTOCOL_TOCSIN:
        return MESSAGE_TEXT.get(frame.token, str(frame.token))
    if frame.protocol == PROTOCOL_GBT26875:
        return COMMAND_TEXT.get(frame.token, str(frame.token))
    text = <bytes>frame.start[frame.token_text.at:frame.token_text.at + frame.token_text.size]
    return text.decode("ascii", "backslashreplace")


def _levels_of(Batch batch) -> list:
    """The status words among the rows, before they are expanded."""
    rows = [batch.row(index) for index in range(len(batch))]
    return [{"point": row["point"], "word": row["level"] & 0xFFFF} for row in rows if row["kind"] == ROW_LEVEL]


cdef dict frame_of(const Frame* frame, Status status, Batch batch):
    cdef dict levels = {"levels": _levels_of(batch)} if frame.protocol == PROTOCOL_GBT26875 else {}
    cdef set quiet = set(expand_levels(batch))
    cdef dict lives = _lives_of(batch) if frame.protocol == PROTOCOL_TOCSIN else {}
    return {
        "protocol": PROTOCOL_TEXT[frame.protocol], "status": STATUS_TEXT[status],
        "kind": FRAME_KIND_TEXT[frame.kind], "account": (<bytes>frame.account[:frame.account_size]).decode("ascii"),
        "sequence": frame.sequence,
        "token": token_text(frame),
        "encrypted": bool(frame.encrypted), "receiver": number_text(frame.receiver), "line": number_text(frame.line),
        "network": number_text(frame.network), "timestamp": stamp_text(frame.stamp_ns),
        "occurred": stamp_text(frame.occurred_ns),
        "signals": [_signal_of(batch.row(index), frame.protocol == PROTOCOL_TOCSIN) for index in range(len(batch))
                    if index not in quiet and batch.columns.kind[index] != ROW_LIFE],
        "length": frame.size,
    } | levels | lives


def read_frames(bytes data not None, int64_t now_ns, *, bytes key=None, window=(WINDOW_PAST_S, WINDOW_FUTURE_S),
                bint encrypted_only=False, bint check_clear_stamps=False, bint reject_stale=False, str clock=None):
    cdef AesKey expanded
    cdef Profile profile = profile_of(key, &expanded)
    profile.clock_form = CLOCK_BCD if clock == "bcd" else CLOCK_BINARY if clock == "binary" else CLOCK_UNKNOWN
    profile.window_past_s, profile.window_future_s = window
    profile.encrypted_only = encrypted_only
    profile.check_clear_stamps = check_clear_stamps
    profile.reject_stale = reject_stale
    cdef const uint8_t* start = <const uint8_t*>PyBytes_AS_STRING(data)
    cdef uint32_t size = len(data), at = 0, garbage = 0, skipped
    cdef Frame frame
    cdef Status status
    cdef Origin origin = origin_of(now_ns)
    cdef Batch batch = new_batch()
    cdef list found = []
    while at < size:
        status = split(start + at, size - at, &frame)
        if status == BAD_START:
            garbage += 1
            at += 1
            continue
        if garbage:
            found.append({"status": "garbage", "length": garbage})
            garbage = 0
        if status == OK:
            batch.clear()
            status = format_of(start[at]).decode(&frame, &profile, &origin, &batch.columns)
            found.append(frame_of(&frame, status, batch))
            at += frame.size
        else:
            skipped = 1 + find_start(start + at + 1, size - at - 1)
            found.append({"protocol": PROTOCOL_TEXT[format_of(start[at]).protocol], "status": STATUS_TEXT[status],
                          "length": skipped})
            at += skipped
    if garbage:
        found.append({"status": "garbage", "length": garbage})
    return found


def count_steps(bytes data not None):
    cdef const uint8_t* start = <const uint8_t*>PyBytes_AS_STRING(data)
    cdef uint32_t size = len(data), at = 0
    cdef uint64_t steps = 0
    cdef Frame frame
    while at < size:
        frame.examined = 1
        if split(start + at, size - at, &frame) == OK:
            at += frame.size
        else:
            at += 1
        steps += frame.examined
    return steps


def split_status(bytes data not None):
    cdef Frame frame
    cdef Status status = split(<const uint8_t*>PyBytes_AS_STRING(data), len(data), &frame)
    return STATUS_TEXT[status], frame.size if status == OK else 0


cdef bytes stamp_bytes(stamp_ns):
    cdef uint8_t stamp[20]
    return b"" if stamp_ns is None else <bytes>stamp[:put_stamp(stamp, stamp_ns)]


cdef bytes sealed(bytes key, pad, bytes text, uint64_t entropy, int64_t stamp_ns):
    """The hex digits of pad and text, under the key."""
    cdef AesKey expanded
    cdef uint8_t own_pad[32]
    cdef bytes plain, out
    profile_of(key, &expanded)
    if pad is None:
        put_pad(&expanded, entropy, stamp_ns, own_pad, pad_size(len(text)))
        pad = <bytes>own_pad[:pad_size(len(text))]
    plain = bytes(bytearray(pad + text))             # a copy of our own: it is overwritten
    if len(plain) % 16:
        raise ValueError(f"{len(plain)} bytes with the pad: no whole blocks of 16")
    out = PyBytes_FromStringAndSize(NULL, 2 * len(plain))
    seal(&expanded, <uint8_t*>PyBytes_AS_STRING(plain), len(plain), <uint8_t*>PyBytes_AS_STRING(out))
    return out


def build_frame(token, account, data=b"", *, sequence=1, receiver=None, line="0", stamp_ns=None, extended=(),
                binary_crc=False, bytes key=None, bytes pad=None):
    head = f"{sequence:04d}"
    if receiver is not None:
        head += f"R{receiver}"
    if line is not None:
        head += f"L{line}"
    if account is not None:
        head += f"#{account}"
    rest = b"%b]%b%b" % (data, b"".join(b"[%b]" % field for field in extended), stamp_bytes(stamp_ns))
    if key is not None:
        if stamp_ns is None:
            raise ValueError("an encrypted frame has a stamp")
        token = "*" + token
        rest = sealed(key, pad, b"|" + rest, sequence, stamp_ns)
    body = b'"%b"%b[%b' % (token.encode(), head.encode(), rest)
    if len(body) > 0xFFF:
        raise ValueError(f"body of {len(body)} bytes: DC-09 counts up to 4095")
    return enclose(body, binary_crc=binary_crc)


def enclose(bytes body not None, *, bint binary_crc=False):
    cdef uint32_t preamble = PREAMBLE_BINARY if binary_crc else PREAMBLE_HEXADECIMAL
    cdef bytes out = PyBytes_FromStringAndSize(NULL, preamble + len(body) + 1)
    cdef uint8_t* start = <uint8_t*>PyBytes_AS_STRING(out)
    memcpy(start + preamble, PyBytes_AS_STRING(body), len(body))
    close_frame(start, preamble, preamble + len(body))
    return out


def checksum(bytes data not None):
    return crc16(<const uint8_t*>PyBytes_AS_STRING(data), len(data))


def build_message(uint32_t key_id, uint32_t counter, bytes key not None, bytes body=b""):
    cdef uint8_t out[TOCSIN_FRAME_BYTES_MAX]
    cdef uint32_t i
    if len(key) != TOCSIN_KEY_BYTES:
        raise ValueError(f"key of {len(key)} bytes: the Tocsin profile takes 32")
    if not 1 <= key_id <= 0xFFFFFF:
        raise ValueError(f"key id {key_id}: 1 to 16777215 is allowed")
    if len(body) > TOCSIN_FRAME_BYTES_MAX - TOCSIN_FRAME_BYTES_MIN:
        raise ValueError(f"items of {len(body)} bytes: a message holds up to 1379")
    out[TOCSIN_KIND_AT] = MESSAGE_REPORT
    for i in range(3):
        out[TOCSIN_KEY_ID_AT + i] = key_id >> 8 * (2 - i) & 0xFF
    for i in range(4):
        out[TOCSIN_COUNTER_AT + i] = counter >> 8 * (3 - i) & 0xFF
    memcpy(out + TOCSIN_BODY_AT, PyBytes_AS_STRING(body), len(body))
    return <bytes>out[:tocsin_close(out, len(body), <const uint8_t*>PyBytes_AS_STRING(key), NULL)]


def encode_reply(bytes frame not None, int answer, int64_t now_ns, *, bytes key=None, uint64_t entropy=0,
                 uint32_t counter=0, bytes command=b""):
    cdef const uint8_t* start = <const uint8_t*>PyBytes_AS_STRING(frame)
    cdef Frame read
    cdef AesKey expanded
    cdef Profile profile = profile_of(key, &expanded)
    cdef uint8_t out[REPLY_BYTES_MAX]
    profile.entropy = entropy
    profile.counter = counter
    profile.command = <const uint8_t*>PyBytes_AS_STRING(command)
    profile.command_size = len(command)
    if not 0 <= answer < ANSWER_COUNT:
        raise ValueError(f"no answer: {answer}")
    cdef Status status = split(start, len(frame), &read)
    if status != OK:
        raise ValueError(f"no frame: {STATUS_TEXT[status]}")
    return <bytes>out[:format_of(start[0]).encode(&read, &profile, <Answer>answer, now_ns, out)]


def reply_to(bytes frame not None, int64_t now_ns, *, bytes key=None, uint64_t entropy=0, bint encrypted_only=False,
             bint check_clear_stamps=False, bint reject_stale=False):
    cdef const uint8_t* start = <const uint8_t*>PyBytes_AS_STRING(frame)
    cdef AesKey expanded
    cdef Profile profile = profile_of(key, &expanded)
    cdef Frame read
    cdef uint8_t out[REPLY_BYTES_MAX]
    cdef Origin origin = origin_of(now_ns)
    cdef Batch batch = new_batch()
    profile.entropy = entropy
    profile.encrypted_only = encrypted_only
    profile.check_clear_stamps = check_clear_stamps
    profile.reject_stale = reject_stale
    if split(start, len(frame), &read) != OK:
        return b""
    format_of(start[0]).decode(&read, &profile, &origin, &batch.columns)
    return <bytes>out[:format_of(start[0]).encode(&read, &profile, <Answer>read.answer, now_ns, out)]
