"""The frames that a simulated transmitter writes, and the replies that it reads, against plain Python."""

import calendar
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.dc09_client import ReplyKind, frame, frame_bytes, heartbeat_frame, reply_of, signal_frame
from loadgen.sink import answer_to

SECOND = calendar.timegm((2026, 3, 9, 4, 5, 6))
ACK = b'"ACK"0042L0#A00001[]'


def checksum(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def whole(body: bytes) -> bytes:
    return b"\n%04X%04X" % (checksum(body), len(body)) + body + b"\r"


def test_checksum_of_the_standard_example():
    assert frame(b'"ADM-CID"0001L0#7099[#7099|1628 01 000]').startswith(b"\nB0AC0027")


@given(st.integers(0, 0xFFFFFF), st.integers(0, 9999), st.integers(0, 4_000_000_000))
def test_heartbeat(account, sequence, second):
    stamp = time.strftime("_%H:%M:%S,%m-%d-%Y", time.gmtime(second))
    expected = whole(f'"NULL"{sequence:04d}L0#{account:06X}[]{stamp}'.encode())
    assert heartbeat_frame(account, 6, sequence, second) == expected


@given(st.integers(0, 0xFFFF), st.integers(1, 9999), st.integers(0, 2**32 - 1), st.integers(1, 9999),
       st.text("0123456789abcdef", min_size=1, max_size=32))
def test_signal(account, sequence, number, zone, run):
    data = f"#{account:05X}|NFA{zone:04d}^{run}-{number}^"
    expected = whole(f'"SIA-DCS"{sequence:04d}L0#{account:05X}[{data}]_04:05:06,03-09-2026'.encode())
    assert signal_frame(account, 5, sequence, SECOND, run.encode(), number, zone) == expected


@pytest.mark.parametrize(("body", "kind", "sequence", "account"), [
    (ACK, ReplyKind.REPLY_ACK, 42, 0xA00001),
    (b'"ACK"0042R1AL0#a00001[]_04:05:06,03-09-2026', ReplyKind.REPLY_ACK, 42, 0xA00001),
    (b'"RSP"9999L0#1234[NOR3]', ReplyKind.REPLY_ACK, 9999, 0x1234),
    (b'"DUH"0001L0#1234[]', ReplyKind.REPLY_DUH, 1, 0x1234),
    (b'"NAK"0000R0L0A0[]_04:05:06,03-09-2026', ReplyKind.REPLY_NAK, 0, 0),
    (b'"XYZ"0001L0#1234[]', ReplyKind.REPLY_NONE, 1, 0x1234),
])
def test_reply(body, kind, sequence, account):
    assert reply_of(whole(body)) == (kind, sequence, account)


@pytest.mark.parametrize("at", range(len(whole(ACK))))
def test_a_reply_with_one_wrong_byte_is_none(at):
    damaged = bytearray(whole(ACK))
    damaged[at] ^= 0x01
    assert reply_of(bytes(damaged))[0] == ReplyKind.REPLY_NONE


def test_a_frame_is_found_whole_in_pieces_and_with_more_behind_it():
    reply = whole(ACK)
    assert frame_bytes(reply) == len(reply)
    assert [frame_bytes(reply[:size]) for size in range(len(reply))] == [0] * len(reply)
    assert frame_bytes(reply + b"\n12") == len(reply)


@pytest.mark.parametrize("data", [b"x", b"\nxxxx1020\"", b"\nxxxx0zzz\"", b"\nABCD0014xACK\""])
def test_no_frame_begins_here(data):
    assert frame_bytes(data + bytes(40)) == 1


@given(st.binary(max_size=80))
def test_garbage_is_never_a_reply(data):
    assert reply_of(data)[0] == ReplyKind.REPLY_NONE or data[:1] == b"\n"


def test_the_null_receiver_answers_what_the_transmitter_reads():
    for sent in (heartbeat_frame(0xA00001, 6, 42, SECOND), signal_frame(0xA00001, 6, 42, SECOND, b"run", 7, 1)):
        assert answer_to(sent) == whole(ACK)
    assert answer_to(b"\nno frame\r") == b""
