"""Who reads the UDP sockets: the loop, or a thread for each of several sockets at one address (`listen.receivers`)."""
from __future__ import annotations

import asyncio
import logging
import socket as sockets
from typing import TYPE_CHECKING

from engine.listen.receivers import ReceiverListener
from engine.listen.udp import UdpListener

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

log = logging.getLogger("engine.listen")


class Hearing:
    """The UDP listeners of one pipeline, one for each socket, from their opening to their stop."""

    def __init__(self, engine: Pipeline) -> None:
        self.udp: list[UdpListener] = []
        self._engine = engine
        self._readers: list[int | sockets.socket] = []
        self._deaf: set[ReceiverListener] = set()

    def open(self, number: int, protocol: int, udp_sockets: list[sockets.socket]) -> None:
        """Read the sockets of listener `number` from now on; protocol: the number of the one it takes, 0 = any.

        With one receiver the loop reads however many there are: an engine before us may have left some.
        """
        engine, loop = self._engine, asyncio.get_running_loop()
        threaded = engine.config.listen.receivers > 1 and len(udp_sockets) > 1
        for one in udp_sockets:
            kind = ReceiverListener if threaded else UdpListener
            udp = kind(engine.receiver, engine.clock, engine.listening, one, number, engine.config.listen.held_max,
                       engine.to_reply["heartbeat"], engine.to_reply["signal"], protocol)
            readable = udp.wake_fd if isinstance(udp, ReceiverListener) else one
            self.udp.append(udp)
            self._readers.append(readable)
            loop.add_reader(readable, engine.on_datagrams, udp)
            if isinstance(udp, ReceiverListener):
                udp.start()

    def threaded(self) -> list[ReceiverListener]:
        """Return those that a thread reads."""
        return [udp for udp in self.udp if isinstance(udp, ReceiverListener)]

    def watch(self) -> None:
        """Tell, once, when a thread is not at its socket any more, and when it is again. Called once a second."""
        for udp in self.threaded():
            if (deaf_ms := udp.deaf_ms()) and udp not in self._deaf:
                self._deaf.add(udp)
                log.error("a receiver thread does not read its socket; no line fault is raised meanwhile, for ten "
                          "minutes in an hour at most", extra={"ms": deaf_ms})
            elif not deaf_ms and udp in self._deaf:
                self._deaf.remove(udp)
                log.info("the receiver thread reads again")

    def stop(self) -> None:
        """Read no more; what threads have handed over is taken, what is in the sockets stays there."""
        loop = asyncio.get_running_loop()
        while self._readers:
            loop.remove_reader(self._readers.pop())
        for udp in self.threaded():
            if not udp.stop():
                log.error("a receiver thread does not end")
            while UdpListener.on_readable(udp):      # whether the thread ended well or not
                self._engine.on_rows()
