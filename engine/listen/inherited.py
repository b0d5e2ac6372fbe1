"""Listening sockets that another process opened: the service manager's, or those of the engine that we replace.

They are told apart by the address that they are bound to. What arrives while no engine reads waits in them: datagrams
in the receive buffer, connections in the backlog; so a restart refuses nobody.
"""
from __future__ import annotations

import os
import re
import socket as sockets
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass

from engine.config import Config, ConfigError, Listener
from engine.listen.binding import resolve

LISTEN_FDS_START = 3             # sd_listen_fds(3)
FDS_MAX = 1024
HTTP = "http"                    # the name of the HTTP interface among those of listeners
VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
KINDS: dict[int, str] = {sockets.SOCK_STREAM: "TCP", sockets.SOCK_DGRAM: "UDP"}


@dataclass(frozen=True, slots=True)
class Given:
    """One inherited socket. `name` is what its giver calls it: a listener's name, `http`, or any other."""

    name: str
    socket: sockets.socket

    @property
    def shown(self) -> str:
        """Kind and address, for people."""
        host, port = self.socket.getsockname()[:2]
        return f"{KINDS[self.socket.type]} {f'[{host}]' if ':' in host else host}:{port}"

    def stands_at(self, family: int, address: tuple[object, ...], name: str) -> bool:
        """Tell whether it is bound there; port 0 of a configuration means the one of the same name."""
        host, port = self.socket.getsockname()[:2]
        return (self.socket.family == family and host == address[0]
                and (port == address[1] or address[1] == 0 and self.name == name))


class Inherited:
    """The sockets that were given and not taken yet."""

    def __init__(self, given: list[Given] | None = None) -> None:
        self.given = given or []

    def take(self, kind: int, host: str, port: int, name: str) -> sockets.socket | None:
        """Return the socket of this kind that stands there, once, or None. Raises OSError for an unknown host."""
        if not self.given:
            return None
        family, address = resolve(host, port)
        for one in self.given:
            if one.socket.type == kind and one.stands_at(family, address, name):
                self.given.remove(one)
                return one.socket
        return None

    def take_all(self, kind: int, host: str, port: int, name: str) -> list[sockets.socket]:
        """Return every socket of this kind that stands there, each once: receivers share an address for UDP."""
        found = []
        while (one := self.take(kind, host, port, name)) is not None:
            found.append(one)
        return found

    def close(self) -> None:
        """Close what nobody took."""
        for one in self.given:
            one.socket.close()
        self.given = []


def kinds_of(listener: Listener) -> tuple[int, ...]:
    """Return the kinds of socket that a listener has, UDP first; with TLS it has TCP alone."""
    return (sockets.SOCK_STREAM,) if listener.certificate else (sockets.SOCK_DGRAM, sockets.SOCK_STREAM)


def places(config: Config) -> Iterator[tuple[str, int, str, int]]:
    """Yield (name, kind, host, port) of every socket that the configuration asks for."""
    for listener in config.listeners:
        for kind in kinds_of(listener):
            yield listener.name, kind, listener.listen.host, listener.listen.port
    yield HTTP, sockets.SOCK_STREAM, config.http.host, config.http.port


def all_wanted(inherited: Inherited, config: Config) -> None:
    """Raise ConfigError naming an inherited socket that stands where the configuration wants none; all are closed."""
    rest = Inherited(list(inherited.given))
    for name, kind, host, port in places(config):
        if kind == sockets.SOCK_DGRAM:
            rest.take_all(kind, host, port, name)
        else:
            rest.take(kind, host, port, name)
    if rest.given:
        wanted = sorted({f"{KINDS[kind]} {host}:{port}" for _, kind, host, port in places(config)})
        unwanted = rest.given[0].shown
        inherited.close()
        raise ConfigError(f"inherited socket {unwanted}: allowed is one where the configuration listens: "
                          + ", ".join(wanted))


def from_environment(environment: MutableMapping[str, str], pid: int) -> Inherited:
    """Return the sockets of socket activation (sd_listen_fds), and take its variables out of the environment.

    pid      of this process: variables that are meant for another one mean nothing here
    Raises   ConfigError for what is no listening TCP or bound UDP socket
    """
    meant_for, count, names = (environment.pop(name, "") for name in VARIABLES)
    if meant_for != str(pid) or not count:
        return Inherited()
    if re.fullmatch("[0-9]{1,4}", count) is None or int(count) > FDS_MAX:
        raise ConfigError(f"LISTEN_FDS = {count!r}: allowed is a number of sockets up to {FDS_MAX}")
    named = names.split(":") + [""] * int(count)
    return Inherited([Given(named[index], adopt(LISTEN_FDS_START + index)) for index in range(int(count))])


def adopt(descriptor: int) -> sockets.socket:
    """Make a descriptor a socket of ours: closed on exec, never waiting. Raises ConfigError."""
    try:
        os.set_inheritable(descriptor, False)
        found = sockets.socket(fileno=descriptor)
    except OSError as error:
        raise ConfigError(f"inherited descriptor {descriptor}: {error.strerror}; allowed is a socket") from None
    fits = found.family in (sockets.AF_INET, sockets.AF_INET6) and found.type in KINDS
    if not fits or (found.type == sockets.SOCK_STREAM
                    and not found.getsockopt(sockets.SOL_SOCKET, sockets.SO_ACCEPTCONN)):
        found.detach()
        raise ConfigError(f"inherited descriptor {descriptor}: allowed is a listening TCP or a bound UDP socket")
    found.setblocking(False)
    return found
