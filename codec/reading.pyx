"""Frames for people, tests and tools: the codec as Python functions. The engine itself uses the verbs of frame.pxd.

What these functions find in a buffer, in order:

    garbage     bytes that begin no frame, up to the next that may
    bad frame   a preamble that keeps no promise; it takes the bytes up to the next possible start
    frame       status "ok", or the reason why its content could not be read
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memset

from codec.batch cimport NO_PATH, TIME_NONE, Batch, Text
from codec.crc16 cimport crc16
from codec.formats cimport find_start, format_of, split
from codec.frame cimport ANSWER_COUNT, NUMBER_NONE, Answer, Format, Frame, Origin, Span, number_digits, number_value
from codec.limits cimport FRAME_SIGNALS_MAX, REPLY_BYTES_MAX
from codec.status cimport BAD_START, BATCH_FULL, NEED_DATA, OK, Status
from codec.status import STATUS_TEXT
from codec.words import CLASS_TEXT, CONDITION_TEXT, FLAG_TEXT, FRAME_KIND_TEXT, PROTOCOL_TEXT, STATE_TEXT


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
