"""The engine's sockets together: each is inherited, or else bound here; and what may be handed on."""
from __future__ import annotations

import ipaddress
import logging
import socket as sockets
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from engine.config import Config, Listener
from engine.listen.binding import open_beside, open_http, open_sockets, widen
from engine.listen.inherited import HTTP, Given, Inherited

log = logging.getLogger("engine.listen")
Both = tuple[sockets.socket | None, sockets.socket]      # UDP, which a listener with TLS has not, and TCP
Pair = tuple[Listener, list[sockets.socket], sockets.socket]


class Doors:
    """Sockets from their opening to their end: (listener, UDP, TCP) for each listener, and one for HTTP.

    UDP    one socket for each of `listen.receivers`; as many as were inherited, where some were: what waits in one of
           them must be read, and one more that nobody else reads yet would take frames from the engine that still runs
    http   None where the configuration names a host: that may stand for several addresses, and OPERATE binds them all
    """

    def __init__(self, config: Config, bind: Callable[..., Both] = open_sockets) -> None:
        self.pairs: list[Pair] = []
        self.http: sockets.socket | None = None
        self._config = config
        self._bind = bind
        self._opened = False

    def open(self, inherited: Inherited) -> None:
        """Take what was inherited and bind the rest; from here on the kernel keeps what comes. The second call is idle.

        Raises  OSError, which names the address
        """
        if self._opened:
            return
        self._opened = True
        for listener in self._config.listeners:
            self.pairs.append((listener, *self._open_pair(listener, inherited)))
        http = self._config.http
        self.http = inherited.take(sockets.SOCK_STREAM, http.host, http.port, HTTP)
        if self.http is None and is_literal(http.host):
            self.http = open_http(http.host, http.port)

    def _open_pair(self, listener: Listener, inherited: Inherited) -> tuple[list[sockets.socket], sockets.socket]:
        """Return a listener's sockets for UDP and the one for TCP. Raises OSError; what was taken is closed then."""
        limits, place = self._config.listen, (listener.listen.host, listener.listen.port)
        how = (*place, limits.receive_buffer_bytes, not listener.certificate)
        with ExitStack() as opened:
            udp = [] if listener.certificate else inherited.take_all(sockets.SOCK_DGRAM, *place, listener.name)
            given = inherited.take(sockets.SOCK_STREAM, *place, listener.name)
            for one in (*udp, *([given] if given else [])):
                opened.callback(one.close)
            shared: dict[str, Any] = {"shared": True} if limits.receivers > 1 and not udp else {}
            if udp or given:
                first, tcp = open_sockets(*how, udp[0] if udp else None, given, **shared)
            else:
                first, tcp = self._bind(*how, **shared)
            if udp and len(udp) != limits.receivers:
                log.warning("listener %s has %d receivers, not %d: as many as UDP sockets were inherited",
                            listener.name, len(udp), limits.receivers)
            if first and not udp:
                udp = [first]
                opened.callback(first.close)
                opened.callback(tcp.close)
            for one in udp[1:]:
                widen(one, limits.receive_buffer_bytes)
            while shared and udp and len(udp) < limits.receivers:
                udp.append(open_beside(udp[0], limits.receive_buffer_bytes))
                opened.callback(udp[-1].close)
            opened.pop_all()
        return udp, tcp

    def given(self) -> list[Given]:
        """Return what a successor may use."""
        found = [Given(listener.name, one) for listener, udp, tcp in self.pairs for one in (*udp, tcp)]
        return found + ([Given(HTTP, self.http)] if self.http else [])

    def close(self) -> None:
        """Close them all; a socket that another process has too lives on there."""
        for one in self.given():
            one.socket.close()


def is_literal(host: str) -> bool:
    """Tell whether a host is an address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
