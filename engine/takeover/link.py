"""The way between an engine and the one that replaces it: a unix socket in the data directory, mode 0600.

One message is one JSON object and the descriptors that go with it. The successor asks by one word, the running engine
answers by one message, or by several while each but the last says `"more": true`.

    sockets   its listening sockets: `names`, a descriptor for each
    state     what its stages remember now, for a trial: a memory file (see `state.py`)
    stop      the same after it has drained and let go of the journal; then it ends

The connection's end without an answer means that the other one is gone.
"""
from __future__ import annotations

import asyncio
import json
import os
import socket as sockets
from pathlib import Path
from typing import Any

NAME = "takeover"
MESSAGE_BYTES_MAX = 65536
DESCRIPTORS_MAX = 128            # of one message; the kernel takes 253
FORM = 1                         # of these messages and of the state; another one is refused while all still runs


class Gone(Exception):
    """The other engine has ended, or closed the connection."""


class Link:
    """One end of a connection."""

    def __init__(self, connected: sockets.socket) -> None:
        connected.setblocking(False)
        self._socket = connected

    async def receive(self) -> tuple[dict[str, Any], list[int]]:
        """Return the next message and its descriptors, which are ours to close. Raises Gone."""
        await ready(self._socket)
        try:
            text, descriptors, _, _ = sockets.recv_fds(self._socket, MESSAGE_BYTES_MAX, DESCRIPTORS_MAX)
        except OSError as error:
            raise Gone(error.strerror) from None
        if not text:
            raise Gone("it closed the connection")
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        return json.loads(text), descriptors

    def send(self, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
        """Send one message; the descriptors stay ours too. Raises Gone."""
        try:
            sockets.send_fds(self._socket, [json.dumps(message).encode()], descriptors or [])
        except OSError as error:
            raise Gone(error.strerror) from None

    async def ask(self, what: str) -> tuple[dict[str, Any], list[int]]:
        """Ask, and return the answer with all its parts put together. Raises Gone."""
        self.send({"ask": what})
        answer, descriptors = await self.receive()
        while answer.pop("more", False):
            part, more = await self.receive()
            answer["names"] += part.pop("names")
            answer |= part
            descriptors += more
        return answer, descriptors

    def close(self) -> None:
        self._socket.close()


async def ready(waited: sockets.socket) -> None:
    """Return when there is something to read."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def note() -> None:
        if not future.done():
            future.set_result(None)

    loop.add_reader(waited, note)
    try:
        await future
    finally:
        loop.remove_reader(waited)


class Place:
    """Where the socket of a data directory is; the path that the kernel gets is short, however long the directory's."""

    def __init__(self, data: Path) -> None:
        self._directory = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._path = f"/proc/self/fd/{self._directory}/{NAME}"

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._directory)

    def listen(self) -> sockets.socket:
        """Listen there in place of who did before; for who holds the journal. Raises OSError."""
        self.clear()
        listening = new_socket()
        try:
            os.fchmod(listening.fileno(), 0o600)     # before it has a name: nobody else ever can connect
            listening.bind(self._path)
            listening.listen(1)
            listening.setblocking(False)
        except OSError:
            listening.close()
            raise
        return listening

    def connect(self) -> Link | None:
        """Connect to the engine that runs there; None when there is none. Raises OSError."""
        connecting = new_socket()
        try:
            connecting.connect(self._path)
        except (FileNotFoundError, ConnectionRefusedError):
            connecting.close()
            return None
        except OSError:
            connecting.close()
            raise
        return Link(connecting)

    def clear(self) -> None:
        """Take the name away."""
        Path(self._path).unlink(missing_ok=True)


def new_socket() -> sockets.socket:
    return sockets.socket(sockets.AF_UNIX, sockets.SOCK_SEQPACKET)
