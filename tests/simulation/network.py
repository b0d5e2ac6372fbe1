"""The network between transmitters and engine: datagrams are lost, doubled, late and out of order."""
from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

from tests.simulation.transmitters import Line, Transmitter

if TYPE_CHECKING:
    from tests.simulation.world import Life, World


class Socket(socket.socket):
    """One end of a pair that passes for a UDP socket: what is sent is there at once, and in order."""

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 1


class Network:
    """Datagrams go through real sockets of this process, so that the engine's own system calls are in the line.

    loss, double  0..1, of a datagram;  late_s  the longest delay
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.loss = self.double = 0.0
        self.late_s = 0.05
        self._lives: dict[Line, Life] = {}
        self._socket: socket.socket | None = None      # our end; the engine has the other one

    def open_sockets(self, host: str, port: int, receive_buffer_bytes: int,
                     datagrams: bool = True) -> tuple[socket.socket, socket.socket]:
        """Give a starting engine its sockets."""
        self.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (ours, theirs):
            end.setblocking(False)
        self._socket = ours
        return Socket(fileno=theirs.detach()), Socket(fileno=socket.socket().detach())

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def delay_s(self) -> float:
        return self.world.random.uniform(0.0002, self.late_s)

    def life_of(self, line: Line) -> Life | None:
        return self._lives.get(line)

    # -- to the engine

    def to_engine(self, transmitter: Transmitter, data: bytes) -> None:
        """Send a datagram."""
        if self.world.random.random() < self.loss:
            return
        copies = 2 if self.world.random.random() < self.double else 1
        for _ in range(copies):
            self.world.later(self.delay_s(), lambda: self.arrive(transmitter, data))

    def arrive(self, transmitter: Transmitter, data: bytes) -> None:
        """Come to the engine's door, whether anybody is in or not."""
        transmitter.come_to_the_door()
        life = self.world.life
        if life is None or not life.listens:
            return
        for udp in life.pipeline.udp:
            reader = self.world.loop.readers.get(udp.socket)
            if reader is not None and self._socket is not None:
                self._socket.send(data)
                self.world.loop.call_soon(reader)

    def call(self, transmitter: Transmitter) -> Line | None:
        """Open a TCP connection; None while nobody listens."""
        life = self.world.life
        if life is None or not life.listens or not life.pipeline.servers or not life.pipeline.servers[0].sockets:
            transmitter.come_to_the_door()
            return None
        line = Line(self.world, transmitter, life.pipeline.tcp[0].connection(), transmitter.hear)
        self._lives[line] = life
        return line

    # -- and back

    def collect(self) -> None:
        """Take the replies that the engine has sent, and bring them to their transmitters."""
        with contextlib.suppress(BlockingIOError):
            while self._socket is not None:
                self.bring(self._socket.recv(65536))

    def bring(self, data: bytes) -> None:
        random = self.world.random
        if random.random() < self.loss:
            return
        self.world.later(self.delay_s(), lambda: self.hear(data))

    def hear(self, data: bytes) -> None:
        for transmitter in self.world.transmitters:
            transmitter.hear(data)

    def engine_died(self, life: Any) -> None:
        """What has left, has left; what a dead engine still does, reaches nobody."""
        self.collect()
        self.close()
        for line, owner in list(self._lives.items()):
            if owner is life:
                line.closed = True
                del self._lives[line]
