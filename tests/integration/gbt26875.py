"""Transmitters of GB/T 26875.3 by hand: frames with status words, and what must come back."""
from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from codec.gbt26875_downlink import build_frame, tag_bytes
from tests.integration.transmitter import Tcp, Udp

CENTRE = 88888
REPLY_BYTES = 30
CONFIRM, DENY = 3, 6
NOON_NS = 1_767_268_800 * 10**9  # 2026-01-01 12:00:00 UTC
FIRE, FAULT = 0x0002, 0x0004
CLOCK_ERROR = timedelta(seconds=20)


def component(word: int, address: int = 1, *, kind: int = 40, at_ns: int = NOON_NS, text: str = "") -> bytes:
    """One object of type 2: a smoke detector of system 1/1."""
    return (bytes([1, 1, kind]) + struct.pack("<IH", address, word) + text.encode("gb18030").ljust(31, b"\0")[:31]
            + tag_bytes(at_ns))


def point(address: int = 1, kind: int = 40) -> str:
    return f"1/1/{kind}-{struct.pack('<I', address).hex()}"


def send(source: int, data: bytes = b"", serial: int = 0, *, command: int = 2, sent_ns: int = NOON_NS) -> bytes:
    return build_frame(command, data, serial=serial, source=source, destination=CENTRE, stamp_ns=sent_ns)


def status(source: int, word: int, serial: int = 0, *, address: int = 1, kind: int = 40, at_ns: int = NOON_NS) -> bytes:
    """A frame that tells how one component stands; header and object bear the same time."""
    return send(source, b"\2\1" + component(word, address, kind=kind, at_ns=at_ns), serial, sent_ns=at_ns)


def answers(reply: bytes, frame: bytes, command: int = CONFIRM) -> bool:
    """Check the reply to a frame: our time, its serial and version, the addresses the other way round."""
    assert len(reply) == REPLY_BYTES
    second, minute, hour, day, month, year = reply[6:12]
    told = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC) - timedelta(hours=8)
    assert abs(told - datetime.fromtimestamp(time.time(), UTC)) < CLOCK_ERROR
    expected = bytearray(build_frame(command, serial=int.from_bytes(frame[2:4], "little"), version=(frame[4], frame[5]),
                                     source=int.from_bytes(frame[18:24], "little"),
                                     destination=int.from_bytes(frame[12:18], "little")))
    expected[6:12] = reply[6:12]
    expected[-3] = sum(expected[2:-3]) & 0xFF
    return reply == bytes(expected)


class Line(Tcp):
    """A connection on which every reply has 30 bytes."""

    def reply(self) -> bytes:
        while len(self.received) < REPLY_BYTES:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError("the engine closed the connection")
            self.received += piece
        reply, self.received = self.received[:REPLY_BYTES], self.received[REPLY_BYTES:]
        return reply

    def confirmed(self, frame: bytes) -> bool:
        return answers(self.say(frame), frame)


class Datagrams(Udp):
    """One datagram a frame."""

    def confirmed(self, frame: bytes) -> bool:
        return answers(self.say(frame), frame)


@contextmanager
def line(place: tuple[str, int]) -> Iterator[Line]:
    transmitter = Line(place)
    with transmitter.socket:
        yield transmitter


@contextmanager
def datagrams(place: tuple[str, int]) -> Iterator[Datagrams]:
    transmitter = Datagrams(place)
    with transmitter.socket:
        yield transmitter
