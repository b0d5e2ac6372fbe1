"""What stands between the engine and a PostgreSQL elsewhere, and can be cut half-way through a COPY.

It reads the frontend's messages (a byte of type, four bytes of length that count themselves), for it must know what is
a COPY; the other direction passes as it comes.
"""
from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import BinaryIO, Self

SOCKET_NAME = ".s.PGSQL.5432"
COPY_DATA = b"d"
PART = 65536


class Proxy:
    """Listens on a unix socket in `directory` as PostgreSQL does, and passes everything on to `target`."""

    def __init__(self, directory: Path, target: Path) -> None:
        directory.mkdir()
        self.url = f"postgresql://tocsin@/tocsin?host={directory}"
        self.target = str(target / SOCKET_NAME)
        self.cut_armed = threading.Event()
        self.cuts = 0
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(directory / SOCKET_NAME))
        self.listener.listen(64)
        self.sockets: set[socket.socket] = set()
        self.threads = [threading.Thread(target=self._accept, name="proxy")]

    def __enter__(self) -> Self:
        self.threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.threads[0].join(10)
        for one in list(self.sockets):
            hang_up(one)
        for thread in self.threads[1:]:
            thread.join(10)
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                far.connect(self.target)
            except OSError:                              # PostgreSQL is away, and this side says the same
                near.close()
                far.close()
                continue
            self.sockets |= {near, far}
            self.threads = [thread for thread in self.threads if thread.is_alive()]
            back = threading.Thread(target=self._back, args=(far, near))
            there = threading.Thread(target=self._there, args=(near, far, back))
            self.threads += [there, back]
            back.start()
            there.start()

    def _back(self, far: socket.socket, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := far.recv(PART):
                near.sendall(data)
        hang_up(near)
        hang_up(far)

    def _there(self, near: socket.socket, far: socket.socket, back: threading.Thread) -> None:
        with contextlib.suppress(OSError, EOFError), near.makefile("rb") as frontend:
            pass_on(frontend, far, b"", exactly(frontend, 4))            # the first message has no type
            while True:
                kind, length = exactly(frontend, 1), exactly(frontend, 4)
                if kind == COPY_DATA and self.cut_armed.is_set():
                    size = int.from_bytes(length) - 4
                    far.sendall(kind + length + exactly(frontend, size)[:size // 2])
                    self.cuts += 1
                    self.cut_armed.clear()
                    break
                pass_on(frontend, far, kind, length)
        hang_up(far)
        hang_up(near)
        back.join(10)
        self.sockets -= {near, far}
        near.close()
        far.close()


def exactly(source: BinaryIO, size: int) -> bytes:
    """Return the next `size` bytes. Raises EOFError."""
    data = source.read(size)
    if len(data) < size:
        raise EOFError
    return data


def pass_on(source: BinaryIO, far: socket.socket, kind: bytes, length: bytes) -> None:
    """Pass one message on, in parts where it is long."""
    far.sendall(kind + length)
    rest = int.from_bytes(length) - 4
    while rest:
        part = exactly(source, min(rest, PART))
        far.sendall(part)
        rest -= len(part)


def hang_up(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
