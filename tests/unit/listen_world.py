"""LISTEN without an engine around it: path table, intake and receiver, and the sockets of the loopback."""
from __future__ import annotations

import socket as sockets
from typing import Any

from codec.batch import Batch
from codec.reading import build_frame, encode_reply
from engine.admit.admit import Admit
from engine.clock import FakeClock
from engine.heartbeats import HeartbeatLog
from engine.histogram import Histogram
from engine.listen.enrolment import Enrolment
from engine.listen.receiver import Receiver
from engine.listen.refused import RefusedFrames
from engine.listen.registered import Registered
from engine.listen.tcp import TcpConnection, TcpListener
from engine.listen.udp import UdpListener
from engine.listen.windows import Windows
from engine.paths import PathTable
from engine.supervise.listening import ListeningClock

MS = 1_000_000
SECOND = 1000 * MS
HASH_KEY = bytes(range(16))


def heartbeat(account: str, sequence: int = 1) -> bytes:
    return build_frame("NULL", account, sequence=sequence)


def alarm(account: str, sequence: int = 1, code: str = "FA") -> bytes:
    return build_frame("SIA-DCS", account, f"#{account}|Nri1/{code}017".encode(), sequence=sequence)


def accepted(frame: bytes) -> bytes:
    """Return the reply that accepts a frame."""
    return encode_reply(frame, 1, 0)


class World:
    """The parts that LISTEN works with, and the journal played by `journal` and `lose`."""

    def __init__(self, *, policy: str = "enrol", rate: float = 1e6, limit: int = 1_000_000, paths_max: int = 100_000,
                 registered: list[Registered] | None = None, realm: str = "", rows: int = 1024,
                 arena_bytes: int = 1 << 20, heartbeats: int = 0, windows: Windows | None = None) -> None:
        self.clock = FakeClock(monotonic_ns=1000 * SECOND)
        self.listening = ListeningClock(0, self.clock.monotonic_ns())
        self.paths = PathTable(paths_max, HASH_KEY)
        self.admit = Admit(rows, arena_bytes, 4096, 600 * SECOND, HASH_KEY)
        self.enrolment = Enrolment(self.paths, policy, rate, limit, 90_000, registered or [])
        self.refused = RefusedFrames()
        self.heartbeats = HeartbeatLog(heartbeats)
        self.windows = windows or Windows(16)
        self.receiver = Receiver(self.paths, self.enrolment, self.admit, self.refused, self.heartbeats,
                                 windows=self.windows)
        self.listener = self.enrolment.listen_on("default", realm)
        self.latency = {"heartbeat": Histogram(), "signal": Histogram()}
        self.journalled: list[dict[str, object]] = []
        self.parts: list[UdpListener | TcpListener] = []

    def udp(self, socket: sockets.socket, held_max: int = 1000) -> UdpListener:
        part = UdpListener(self.receiver, self.clock, self.listening, socket, self.listener, held_max,
                           self.latency["heartbeat"], self.latency["signal"])
        self.parts.append(part)
        return part

    def tcp(self, **limits: Any) -> TcpListener:
        values = {"connections_max": 10_000, "held_per_connection_max": 256, "held_max": 10_000,
                  "garbage_bytes_max": 4096, "idle_ns": 600 * SECOND, "frame_ns": 20 * SECOND,
                  "on_rows": lambda: None} | limits
        part = TcpListener(self.receiver, self.clock, self.listening, self.listener, self.latency["heartbeat"],
                           self.latency["signal"], **values)
        self.parts.append(part)
        return part

    def enrol(self, *accounts: str) -> None:
        """Make accounts known, as the journal does."""
        batch = Batch(1024, 1 << 18)
        for number, account in enumerate(accounts, len(self.paths)):
            batch.add(kind=2, path=number, native=f"dc09:{account}/default/L0 supervision=90000")
        self.paths.apply(batch)

    def fill(self, rows: int) -> None:
        """Let the intake have so many rows of other people's fires."""
        while len(self.admit) < rows:
            assert self.admit.offer_frame({"signal_class": 1, "identity": b"filler %d" % self.admit.offered})

    def seal(self) -> tuple[Batch, int]:
        """Begin an append: return the batch and its ticket."""
        sealed = Batch.view(self.admit.batch.encode())
        return sealed, self.admit.take()

    def journal(self, sealed: tuple[Batch, int] | None = None, *, judge: bool = True) -> int:
        """End an append well: replies leave, then the path table hears of it. Returns the ticket."""
        batch, ticket = sealed or self.seal()
        self.journalled += [batch.row(index) for index in range(len(batch))]
        self.admit.release(ticket)
        for part in self.parts:
            part.release(ticket)
        if judge:
            self.paths.apply(batch, False)
        return ticket

    def lose(self, sealed: tuple[Batch, int] | None = None) -> None:
        """End an append badly."""
        batch, ticket = sealed or self.seal()
        self.admit.fail(ticket)
        self.paths.retract(batch)
        for part in self.parts:
            part.withhold(ticket)

    def count(self, group: str, *labels: str) -> int:
        counts = self.receiver.counts()[group]
        return int(counts[labels if len(labels) > 1 else labels[0]] if labels else counts)

    def signals(self) -> list[dict[str, object]]:
        return [row for row in self.journalled if row["kind"] == 1]


class Wire:
    """A transport that keeps what is written to it."""

    def __init__(self, peer: tuple[str, int] = ("192.0.2.7", 4000)) -> None:
        self.written = bytearray()
        self.reading, self.closed, self.aborted = True, False, False
        self.peer = peer

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.closed
        self.reading = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def set_write_buffer_limits(self, high: int) -> None:
        assert high > 0

    def get_extra_info(self, name: str) -> tuple[str, int]:
        assert name == "peername"
        return self.peer


def connect(listener: TcpListener, wire: Wire | None = None) -> tuple[TcpConnection, Wire]:
    wire = wire or Wire()
    connection = listener.connection()
    connection.connection_made(wire)  # type: ignore[arg-type]
    return connection, wire


def receive(connection: TcpConnection, data: bytes) -> None:
    """Give bytes to a connection as an event loop does."""
    buffer = connection.get_buffer(-1)
    assert len(data) <= len(buffer)
    buffer[:len(data)] = data
    connection.buffer_updated(len(data))


def bound(address: str = "127.0.0.1", family: int = sockets.AF_INET) -> sockets.socket:
    socket = sockets.socket(family, sockets.SOCK_DGRAM)
    socket.bind((address, 0))
    socket.setblocking(False)
    return socket


def replies(socket: sockets.socket) -> list[bytes]:
    """Return every datagram that waits; on the loopback all that was sent is there."""
    found = []
    while True:
        try:
            found.append(socket.recv(65536))
        except BlockingIOError:
            return found


__all__ = ["HASH_KEY", "MS", "SECOND", "Wire", "World", "accepted", "alarm", "bound", "connect", "heartbeat",
           "receive", "replies"]
