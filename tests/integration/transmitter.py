"""Transmitters by hand: DC-09 frames, and sockets that send them and wait for the reply."""
from __future__ import annotations

import itertools
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from codec.reading import build_frame, read_frames
from tests.integration.engine import DEADLINE_S, until

PROBE = itertools.count(1)


def null(account: str, sequence: int = 1) -> bytes:
    """A heartbeat."""
    return build_frame("NULL", account, sequence=sequence)


def sia(account: str, data: str, sequence: int = 1, token: str = "SIA-DCS", **fields: object) -> bytes:
    """A frame with events, `data` being what follows the bar."""
    return build_frame(token, account, f"#{account}|{data}".encode("latin-1"), sequence=sequence, **fields)


def ack(account: str, sequence: int = 1) -> bytes:
    """The reply that acknowledges a frame of this account and sequence."""
    return build_frame("ACK", account, sequence=sequence)


class Udp:
    """A transmitter's UDP socket, connected to the engine."""

    def __init__(self, place: tuple[str, int]) -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in place[0] else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect(place)

    def send(self, *frames: bytes) -> None:
        """Send each as a datagram of its own."""
        for frame in frames:
            self.socket.send(frame)

    def reply(self) -> bytes:
        """Return the next reply."""
        return self.socket.recv(4096)

    def say(self, frame: bytes) -> bytes:
        """Send, and return the next reply."""
        self.send(frame)
        return self.reply()

    def insist(self, frame: bytes) -> bytes:
        """Send again and again until a reply comes, as transmitters do; return it."""
        def answered() -> bool:
            self.send(frame)
            return bool(select.select([self.socket], [], [], 0.1)[0])
        until(answered, "a reply")
        return self.reply()

    def unanswered(self, frame: bytes, account: str = "ABCDEF") -> None:
        """Send a frame that gets no reply: the heartbeat of another transmitter after it is answered first.

        A signal's reply may come later; whoever sends one counts the replies, too.
        """
        probe = next(PROBE)
        self.send(frame, null(account, probe))
        assert self.reply() == ack(account, probe)
        assert self.silent()

    def silent(self) -> bool:
        """Tell whether nothing more has come."""
        return not select.select([self.socket], [], [], 0)[0]


class Tcp:
    """A transmitter's connection to the engine."""

    def __init__(self, place: tuple[str, int]) -> None:
        self.socket = socket.create_connection(place, DEADLINE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def send(self, *pieces: bytes) -> None:
        """Send each piece by a call of its own."""
        for piece in pieces:
            self.socket.sendall(piece)

    def reply(self) -> bytes:
        """Return the next reply, up to its CR."""
        while b"\r" not in self.received:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError("the engine closed the connection")
            self.received += piece
        frame, _, self.received = self.received.partition(b"\r")
        return frame + b"\r"

    def replies(self, count: int) -> list[bytes]:
        return [self.reply() for _ in range(count)]

    def say(self, frame: bytes) -> bytes:
        """Send, and return the next reply."""
        self.send(frame)
        return self.reply()

    def until_closed(self) -> bytes:
        """Return what still comes until the engine closes the connection."""
        try:
            while piece := self.socket.recv(65536):
                self.received += piece
        except ConnectionResetError:     # what we had sent beyond was not read any more
            pass
        return self.received


@contextmanager
def udp(place: tuple[str, int]) -> Iterator[Udp]:
    transmitter = Udp(place)
    with transmitter.socket:
        yield transmitter


@contextmanager
def tcp(place: tuple[str, int]) -> Iterator[Tcp]:
    transmitter = Tcp(place)
    with transmitter.socket:
        yield transmitter


def token_of(reply: bytes) -> str:
    """Return the token of a reply, having checked that it is one whole frame."""
    [found] = read_frames(reply, 0)
    assert (found["status"], found["kind"]) == ("ok", "reply"), found
    return str(found["token"])
