"""LISTEN behind TLS: a gate around the world of listen_world, and OpenSSL's client at the other end of a wire."""
from __future__ import annotations

import ssl
from collections import Counter
from contextlib import suppress
from typing import Any

from engine.config import Listener
from engine.listen.certificates import Certificate
from engine.listen.tls import TlsGate, TlsLink
from tests.tls_files import Authority
from tests.unit.listen_world import SECOND, Wire, World

ACCOUNTS = [f"{number:04X}" for number in range(8)]
HANDSHAKE_NS = 10 * SECOND
PIECE = 4096                     # bytes of one read


def listener_of(authority: Authority, name: str = "server", **more: Any) -> Listener:
    return Listener(certificate=str(authority.directory / f"{name}.crt"),
                    private_key=str(authority.directory / f"{name}.key"), **more)


class Line:
    """A world with a TLS gate, and panels that call."""

    def __init__(self, authority: Authority, *, rate: int = 100, listener: Listener | None = None,
                 **limits: Any) -> None:
        self.authority = authority
        self.world = World()
        self.world.enrol(*ACCOUNTS)
        self.tcp = self.world.tcp(**limits)
        self.certificate = Certificate(listener or listener_of(authority), self.world.clock)
        self.gate = TlsGate(self.tcp, self.certificate, self.world.clock, Counter(), HANDSHAKE_NS, rate)

    def call(self, **more: Any) -> Panel:
        return Panel(self, **more)

    @property
    def handshakes(self) -> dict[str, int]:
        return dict(self.gate.handshakes)


class Panel:
    """A transmitter: OpenSSL's client, over a wire that the test moves."""

    def __init__(self, line: Line, *, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, show: str = "",
                 begin: bool = True) -> None:
        """Call; with `begin` the handshake follows. `show` names a certificate that the authority issued."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(line.authority.ca)
        context.minimum_version = context.maximum_version = version
        if show:
            context.load_cert_chain(line.authority.directory / f"{show}.crt", line.authority.directory / f"{show}.key")
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")
        self.wire = Wire()
        self.link = line.gate.link()
        self.got, self.over = b"", False
        self.link.connection_made(self.wire)  # type: ignore[arg-type]
        if begin:
            self.shake()

    def shake(self) -> None:
        """Let the handshake come to its end, good or bad."""
        for _ in range(4):
            with suppress(ssl.SSLError):
                self.tls.do_handshake()
            self.move()

    def move(self, size: int = PIECE) -> None:
        """Carry what lies ready to the other side, there in pieces of `size`, and read what came back."""
        data = self.outgoing.read()
        for at in range(0, len(data), size):
            if not self.wire.closed:
                give(self.link, data[at:at + size])
        self.read()

    def read(self) -> None:
        self.incoming.write(self.wire.written)
        self.wire.written.clear()
        with suppress(ssl.SSLError):
            while piece := self.tls.read(65536):
                self.got += piece
            self.over = True

    def send(self, data: bytes, size: int = PIECE) -> None:
        self.tls.write(data)
        self.move(size)


def give(link: TlsLink, data: bytes) -> None:
    """Give bytes to a link as an event loop does."""
    link.get_buffer(-1)[:len(data)] = data
    link.buffer_updated(len(data))
