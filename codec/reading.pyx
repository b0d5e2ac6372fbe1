"""Frames for people, tests and tools: the codec as Python functions. The engine itself uses the verbs of frame.pxd.

What these functions find in a buffer, in order:

    garbage     bytes that begin no frame, up to the next that may
    bad frame   a preamble that keeps no promise; it takes the bytes up to the next possible start
    frame       status "ok", or the reason why its content could not be read
"""
from datetime import UTC, datetime

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from codec.batch cimport NO_PATH, TIME_NONE, Batch, Text
from codec.crc16 cimport crc16
from codec.dc09 cimport PREAMBLE_BINARY, PREAMBLE_HEXADECIMAL
from codec.dc09_reply cimport close_frame, put_stamp
from codec.formats cimport find_start, format_of, split
from codec.frame cimport ANSWER_COUNT, NUMBER_NONE, Answer, Format, Frame, Origin, number_digits, number_value
from codec.gbt26875 import COMMAND_TEXT
from codec.gbt26875_levels import expand_levels
from codec.limits cimport FRAME_BYTES_MAX, FRAME_SIGNALS_MAX, NATIVE_BYTES_MAX, POINT_BYTES_MAX, REPLY_BYTES_MAX
from codec.status cimport BAD_START, BATCH_FULL, OK, Status
from codec.status import STATUS_TEXT
from codec.words cimport PROTOCOL_GBT26875, ROW_LEVEL
from codec.words import CLASS_TEXT, CONDITION_TEXT, FLAG_TEXT, FRAME_KIND_TEXT, PROTOCOL_TEXT, STATE_TEXT

cdef enum:
    LEVEL_SIGNALS_MAX = 15       # bits of a status word that speak


cdef Origin origin_of(int64_t now_ns) noexcept nogil:
    cdef Origin origin
    origin.received_ns = now_ns
    origin.path = NO_PATH
    origin.flags = 0
    origin.realm = Text(0, 0)
    return origin


def decode_stream(bytes data not None, Batch batch not None, int64_t now_ns):
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
            if format_of(start[at]).decode(&frame, NULL, &origin, &batch.columns) == BATCH_FULL:
                break
            frames += 1
            at += frame.size
    return frames


cdef str number_text(uint32_t number):
    return None if number == NUMBER_NONE else f"{number_value(number):0{number_digits(number)}X}"


cdef str stamp_text(int64_t stamp_ns):
    if stamp_ns == TIME_NONE:
        return None
    return datetime.fromtimestamp(stamp_ns // 1000000000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _signal_of(row: dict) -> dict:
    return {
        "class": CLASS_TEXT[row["class"]], "condition": CONDITION_TEXT[row["condition"]],
        "state": STATE_TEXT[row["state"]], "point": row["point"], "native": row["native"],
        "flags": [text for flag, text in FLAG_TEXT.items() if row["flags"] & flag],
    }


cdef str token_text(const Frame* frame):
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
    return {
        "protocol": PROTOCOL_TEXT[frame.protocol], "status": STATUS_TEXT[status],
        "kind": FRAME_KIND_TEXT[frame.kind], "account": (<bytes>frame.account[:frame.account_size]).decode("ascii"),
        "sequence": frame.sequence,
        "token": token_text(frame),
        "encrypted": bool(frame.encrypted), "receiver": number_text(frame.receiver), "line": number_text(frame.line),
        "network": number_text(frame.network), "timestamp": stamp_text(frame.stamp_ns),
        "occurred": stamp_text(frame.occurred_ns),
        "signals": [_signal_of(batch.row(index)) for index in range(len(batch)) if index not in quiet],
        "length": frame.size,
    } | levels


def read_frames(bytes data not None, int64_t now_ns):
    cdef const uint8_t* start = <const uint8_t*>PyBytes_AS_STRING(data)
    cdef uint32_t size = len(data), at = 0, garbage = 0, skipped
    cdef Frame frame
    cdef Status status
    cdef Origin origin = origin_of(now_ns)
    cdef Batch batch = Batch(FRAME_SIGNALS_MAX * LEVEL_SIGNALS_MAX,
                             FRAME_SIGNALS_MAX * (NATIVE_BYTES_MAX + POINT_BYTES_MAX) + FRAME_BYTES_MAX)
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
            status = format_of(start[at]).decode(&frame, NULL, &origin, &batch.columns)
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


def build_frame(token, account, data=b"", *, sequence=1, receiver=None, line="0", stamp_ns=None, extended=(),
                binary_crc=False):
    cdef uint8_t stamp[20]
    head = f"{sequence:04d}"
    if receiver is not None:
        head += f"R{receiver}"
    if line is not None:
        head += f"L{line}"
    if account is not None:
        head += f"#{account}"
    body = b'"%b"%b[%b]' % (token.encode(), head.encode(), data)
    body += b"".join(b"[%b]" % field for field in extended)
    if stamp_ns is not None:
        put_stamp(stamp, stamp_ns)
        body += <bytes>stamp[:20]
    if len(body) > 0xFFF:
        raise ValueError(f"body of {len(body)} bytes: DC-09 counts up to 4095")
    preamble = PREAMBLE_BINARY if binary_crc else PREAMBLE_HEXADECIMAL
    cdef bytes frame = bytes(preamble) + body + b"\r"
    cdef bytes out = PyBytes_FromStringAndSize(NULL, len(frame))
    memcpy(PyBytes_AS_STRING(out), PyBytes_AS_STRING(frame), len(frame))
    close_frame(<uint8_t*>PyBytes_AS_STRING(out), preamble, len(frame) - 1)
    return out


def checksum(bytes data not None):
    return crc16(<const uint8_t*>PyBytes_AS_STRING(data), len(data))


def encode_reply(bytes frame not None, int answer, int64_t now_ns):
    cdef const uint8_t* start = <const uint8_t*>PyBytes_AS_STRING(frame)
    cdef Frame read
    cdef uint8_t out[REPLY_BYTES_MAX]
    if not 0 <= answer < ANSWER_COUNT:
        raise ValueError(f"no answer: {answer}")
    cdef Status status = split(start, len(frame), &read)
    if status != OK:
        raise ValueError(f"no frame: {STATUS_TEXT[status]}")
    return <bytes>out[:format_of(start[0]).encode(&read, NULL, <Answer>answer, now_ns, out)]
