"""The TLS side of LISTEN: what stands between a socket and a TcpConnection.

A TlsLink is a protocol for the loop and a transport for its TcpConnection, so that frames, replies that wait, limits,
sweep and drain are those of TCP. The connection has its place before its handshake begins. Rejected: the loop's own
create_server(ssl=) and start_tls, which tell nobody of a handshake that fails or hangs, let the limits begin only
after it, keep one context for ever, and (start_tls) hand bytes on before their receiver knows its transport.

A TLS connection costs some 17 KB, nearly all of it in OpenSSL, its handshake 0.85 ms of CPU (ECDSA P-256, TLS 1.3),
and a heartbeat that comes in a record of its own 37 us where plain TCP takes 7.5 (400 connections, one core).
"""
from __future__ import annotations

import asyncio
import logging
import socket as sockets
import ssl
from collections import Counter
from contextlib import suppress

from engine.clock import SECOND_NS, Clock
from engine.config import Config, Listener
from engine.listen.binding import BACKLOG
from engine.listen.certificates import Certificate
from engine.listen.tcp import TcpConnection, TcpListener

log = logging.getLogger("engine.listen")
READ_BYTES_MAX = 65536           # of one read from a socket
LOOK_EVERY_NS = 60 * SECOND_NS   # how often the files of certificates are looked at
RESULTS = {                      # what OpenSSL says of a failed handshake -> how it is counted
    "CERTIFICATE_VERIFY_FAILED": "client_certificate", "PEER_DID_NOT_RETURN_A_CERTIFICATE": "client_certificate",
    "UNSUPPORTED_PROTOCOL": "parameters", "VERSION_TOO_LOW": "parameters", "NO_SHARED_CIPHER": "parameters",
    "NO_SHARED_GROUP": "parameters", "NO_SUITABLE_KEY_SHARE": "parameters",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "parameters", "NO_SHARED_SIGNATURE_ALGORITHMS": "parameters",
    "WRONG_VERSION_NUMBER": "not_tls", "HTTP_REQUEST": "not_tls", "HTTPS_PROXY_REQUEST": "not_tls",
    "BAD_RECORD_TYPE": "not_tls", "UNKNOWN_PROTOCOL": "not_tls",
}


class Tls:
    """The TLS of one engine: a gate for each listener that has a certificate.

    handshakes   result -> how many: done, timeout, gone, client_certificate, parameters, not_tls, alert, other
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        """Read the certificates. Raises ConfigError."""
        self.handshakes: Counter[str] = Counter()
        self.certificates = {one.name: Certificate(one, clock) for one in config.listeners if one.certificate}
        self._limits = config.listen
        self._clock = clock
        self._gates: list[TlsGate] = []
        self._look_ns = clock.monotonic_ns() + LOOK_EVERY_NS

    async def serve(self, listener: Listener, tcp: TcpListener, socket: sockets.socket) -> asyncio.Server:
        """Accept the connections of a listener that has a certificate, on a socket that listens."""
        self._gates.append(TlsGate(tcp, self.certificates[listener.name], self._clock, self.handshakes,
                                   self._limits.handshake_timeout_ns, self._limits.handshakes_max))
        loop = asyncio.get_running_loop()
        return await loop.create_server(self._gates[-1].link, sock=socket, backlog=BACKLOG)

    def reload(self) -> None:
        """Read all certificates again, as SIGHUP asks for."""
        for certificate in self.certificates.values():
            certificate.look(asked=True)

    def sweep(self) -> None:
        """Close handshakes that do not end; now and then look at the files. Called about once a second."""
        for gate in self._gates:
            gate.sweep()
        if self._clock.monotonic_ns() >= self._look_ns:
            self._look_ns = self._clock.monotonic_ns() + LOOK_EVERY_NS
            for certificate in self.certificates.values():
                certificate.look()

    def ends(self) -> dict[str, float]:
        """Return by listener when its certificate ends, s since 1970."""
        return {name: certificate.not_after_s for name, certificate in self.certificates.items()}


class TlsGate:
    """The handshakes of one listener.

    handshake_ns    one must end within this
    rate            so many may begin in a second, and as many at once
    """

    def __init__(self, tcp: TcpListener, certificate: Certificate, clock: Clock, handshakes: Counter[str],
                 handshake_ns: int, rate: int) -> None:
        self.tcp = tcp
        self.certificate = certificate
        self.clock = clock
        self.handshakes = handshakes
        self.cipher = memoryview(bytearray(READ_BYTES_MAX))  # of all links: each read is taken whole before the next
        self.shaking: dict[TlsLink, int] = {}                # since when, oldest first
        self._handshake_ns = handshake_ns
        self._interval_ns = SECOND_NS // rate
        self._due_ns = 0

    def link(self) -> TlsLink:
        """Make the protocol of a new connection; the factory that the event loop calls."""
        return TlsLink(self)

    def may_begin(self) -> bool:
        """Tell whether one more handshake fits into this second, and count it."""
        now_ns = self.clock.monotonic_ns()
        self._due_ns = max(self._due_ns, now_ns - SECOND_NS)
        if self._due_ns >= now_ns:
            return False
        self._due_ns += self._interval_ns
        return True

    def sweep(self) -> None:
        """Close the links whose handshake has lasted too long."""
        end_ns = self.clock.monotonic_ns() - self._handshake_ns
        for link, began_ns in list(self.shaking.items()):
            if began_ns > end_ns:
                break
            link.give_up("timeout")


class TlsLink(asyncio.BufferedProtocol):
    """One connection: cipher text on the side of the loop, plain text on the side of its TcpConnection."""

    def __init__(self, gate: TlsGate) -> None:
        self.gate = gate
        self.connection: TcpConnection = gate.tcp.connection()
        self.socket: asyncio.Transport
        self.shaken = False              # the handshake is over
        self.reading = True
        self.taking = False              # inside take()
        self.peer_done = False           # it said that nothing more will come
        self.closed = False              # by us

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.socket = transport  # type: ignore[assignment]
        self.connection.connection_made(self)  # type: ignore[arg-type]
        if self.closed:
            return
        if not self.gate.may_begin():
            self.gate.tcp.refuse(self.connection, "handshake_rate")
            return
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.gate.certificate.context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.gate.shaking[self] = self.gate.clock.monotonic_ns()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.gate.cipher

    def buffer_updated(self, size: int) -> None:
        if not self.closed:
            self.incoming.write(self.gate.cipher[:size])
            self.advance()

    def eof_received(self) -> bool:
        if not self.shaken:
            return False
        self.tell_end()
        return self.connection.held_in > 0 and not self.closed

    def pause_writing(self) -> None:
        self.connection.pause_writing()

    def resume_writing(self) -> None:
        self.connection.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if self.gate.shaking.pop(self, None) is not None:
            self.gate.handshakes["gone"] += 1
        self.connection.connection_lost(error)

    # What becomes of the bytes.

    def advance(self) -> None:
        """Go on with the handshake, or take what has come."""
        try:
            if self.shaken or self.shake():
                self.take()
        except ssl.SSLError as error:
            log.debug("TLS failed", extra={"why": error.reason or str(error), "peer": self.get_extra_info("peername")})
            self.flush()                 # the alert that tells the peer why
            if self.shaken:
                self.connection.close("tls")
            else:
                self.give_up(result_of(error))

    def shake(self) -> bool:
        """Go on with the handshake; return whether it is over. Raises ssl.SSLError."""
        with suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
            self.shaken = True
            self.gate.handshakes["done"] += 1
            del self.gate.shaking[self]
        self.flush()
        return self.shaken

    def give_up(self, result: str) -> None:
        """Close a link whose handshake came to nothing."""
        self.gate.handshakes[result] += 1
        del self.gate.shaking[self]
        self.connection.close("handshake")

    def take(self) -> None:
        """Hand on what can be decrypted, as long as the connection wants it. Raises ssl.SSLError."""
        if self.taking:
            return
        self.taking = True
        try:
            while self.reading and not self.closed and not self.peer_done:
                buffer = self.connection.get_buffer(-1)
                size, over = self.decrypt(buffer)
                if size:
                    self.connection.buffer_updated(size)
                if over:
                    self.tell_end()
                if not size or size < len(buffer):
                    break
        finally:
            self.taking = False
        self.flush()                     # an answer to a change of keys

    def decrypt(self, buffer: memoryview) -> tuple[int, bool]:
        """Fill `buffer` with what has come; return how much, and whether the peer ended. Raises ssl.SSLError."""
        size = 0
        with suppress(ssl.SSLWantReadError):
            while size < len(buffer):
                got = self.tls.read(len(buffer) - size, buffer[size:])
                if not got:
                    return size, True
                size += int(got)
        return size, False

    def tell_end(self) -> None:
        """Tell the connection once that its peer has said all; without replies that wait it ends."""
        if not self.peer_done:
            self.peer_done = True
            if not self.connection.eof_received():
                self.close()

    def flush(self) -> None:
        if data := self.outgoing.read():
            self.socket.write(data)

    # The transport of the TcpConnection. Nothing here calls it back, but for resume_reading.

    def write(self, data: bytes) -> None:
        try:
            while data:
                data = data[self.tls.write(data):]
        except ssl.SSLError as error:    # the connection is in the middle of its work: it is told by connection_lost
            log.debug("TLS failed", extra={"why": error.reason or str(error), "peer": self.get_extra_info("peername")})
            self.abort()
            return
        self.flush()

    def pause_reading(self) -> None:
        self.reading = False
        self.socket.pause_reading()

    def resume_reading(self) -> None:
        self.reading = True
        self.socket.resume_reading()
        if self.shaken and not self.closed:
            self.advance()

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        if self.shaken:
            with suppress(ssl.SSLError):
                self.tls.unwrap()        # says that nothing more will come; the peer's own word is not waited for
            self.flush()
        self.socket.close()

    def abort(self) -> None:
        self.closed = True
        self.gate.shaking.pop(self, None)
        self.socket.abort()

    def set_write_buffer_limits(self, high: int) -> None:
        self.socket.set_write_buffer_limits(high=high)

    def get_extra_info(self, name: str) -> object:
        return self.socket.get_extra_info(name)


def result_of(error: ssl.SSLError) -> str:
    """Return how a failed handshake is counted."""
    reason = error.reason or ""
    return RESULTS.get(reason) or ("alert" if "ALERT" in reason else "other")
