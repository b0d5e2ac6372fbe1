"""The engine's sockets together: each is inherited, or else bound here; and what may be handed on."""
from __future__ import annotations

import ipaddress
import socket as sockets
from collections.abc import Callable

from engine.config import Config, Listener
from engine.listen.binding import open_http, open_sockets
from engine.listen.inherited import HTTP, Given, Inherited, kinds_of

Both = tuple[sockets.socket | None, sockets.socket]      # UDP, which a listener with TLS has not, and TCP
Pair = tuple[Listener, sockets.socket | None, sockets.socket]


class Doors:
    """Sockets from their opening to their end: (listener, UDP, TCP) for each listener, and one for HTTP.

    http   None where the configuration names a host: that may stand for several addresses, and OPERATE binds them all
    """

    def __init__(self, config: Config, bind: Callable[[str, int, int, bool], Both] = open_sockets) -> None:
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
            host, port = listener.listen.host, listener.listen.port
            taken = [inherited.take(kind, host, port, listener.name) if kind in kinds_of(listener) else None
                     for kind in (sockets.SOCK_DGRAM, sockets.SOCK_STREAM)]
            how = (host, port, self._config.listen.receive_buffer_bytes, not listener.certificate)
            try:
                udp, tcp = open_sockets(*how, *taken) if any(taken) else self._bind(*how)
            except OSError:
                for one in filter(None, taken):
                    one.close()
                raise
            self.pairs.append((listener, udp, tcp))
        http = self._config.http
        self.http = inherited.take(sockets.SOCK_STREAM, http.host, http.port, HTTP)
        if self.http is None and is_literal(http.host):
            self.http = open_http(http.host, http.port)

    def given(self) -> list[Given]:
        """Return what a successor may use."""
        found = [Given(listener.name, one) for listener, *both in self.pairs for one in both if one]
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
