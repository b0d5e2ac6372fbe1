"""An event loop whose time is a FakeClock: it never waits, and stands still only when nothing is left to happen.

Sockets are not watched. Servers and readers are remembered; the world calls them when something arrives.
"""
from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable
from typing import Any

from engine.clock import FakeClock

SECOND_NS = 1_000_000_000


class Stuck(RuntimeError):
    """Nothing is ready and no timer is set: whoever waits would wait for ever."""


class Selector(selectors.BaseSelector):
    """Instead of waiting for descriptors it moves the clock to the next timer."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.between: Callable[[], None] = lambda: None    # called once in each turn of the loop

    def select(self, timeout: float | None = None) -> list[Any]:
        self.between()
        if timeout is None:
            raise Stuck
        if timeout > 0:
            self._clock.advance(max(1000, math.ceil(timeout * SECOND_NS)))
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> Any:
        """The loop's own pipe; nobody writes into it."""

    def unregister(self, fileobj: Any) -> Any:
        """See register."""

    def modify(self, fileobj: Any, events: int, data: Any = None) -> Any:
        """See register."""

    def get_map(self) -> Any:
        return {}

    def get_key(self, fileobj: Any) -> Any:
        raise KeyError(fileobj)


class Address:
    """What a listening socket is asked for."""

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 1


class Server:
    """A listening place: connections come from the world, not from a socket."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self.sockets = [socket or Address()]

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self.sockets = []

    def close_clients(self) -> None:
        """Its connections belong to the world."""

    async def wait_closed(self) -> None:
        """It is closed at once."""


class Loop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.selector = Selector(clock)
        self.readers: dict[Any, Callable[[], None]] = {}
        super().__init__(self.selector)

    def time(self) -> float:
        return self.clock.monotonic_ns() / SECOND_NS

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        self.readers[fd] = lambda: callback(*args)

    def remove_reader(self, fd: Any) -> bool:
        return self.readers.pop(fd, None) is not None

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, *,
                            sock: Any = None, **more: Any) -> Server:
        return Server(sock)

    def _add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        """The loop's own pipe is never written to."""

    def _remove_reader(self, fd: Any) -> bool:
        return False
