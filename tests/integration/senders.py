"""Transmitters that send fires as fast as they are acknowledged, through the ends of several engines."""
from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator

from codec.reading import read_frames
from tests.integration.engine import Engine, until
from tests.integration.transmitter import sia

WINDOW = 100                     # frames of one sender on their way
ACCOUNTS = 20


class Sender(threading.Thread):
    """Sends fires over one socket as fast as they are acknowledged, and remembers which were; ends with the engine.

    What is not acknowledged when an engine dies is sent to the next one first, as transmitters do.

    window, pause_s  frames on their way; pause between two looks. There are 9999 numbers, so a long test goes slower
    """

    def __init__(self, name: str, transport: int, window: int = WINDOW, pause_s: float = 0) -> None:
        super().__init__()
        self.mark, self.transport = name, transport
        self.window, self.pause_s = window, pause_s
        self.ended = threading.Event()
        self.sent: dict[int, bytes] = {}
        self.acknowledged: set[int] = set()

    link: socket.socket              # to the engine of this round

    def text(self, number: int) -> str:
        return f"FA{number}^{self.mark}{number}^"

    def frame(self, number: int) -> bytes:
        """Numbers are sequences too, so that a reply tells its frame."""
        return self.sent.setdefault(number, sia(f"{self.mark}{number % ACCOUNTS:02}", f"N{self.text(number)}", number))

    def begin(self, engine: Engine) -> None:
        """Connect to this engine and start."""
        self.link = socket.socket(socket.AF_INET, self.transport)
        self.link.connect(engine.place)
        super().__init__()
        self.start()

    def run(self) -> None:
        with self.link, contextlib.suppress(ConnectionError):
            again = [number for number in self.sent if number not in self.acknowledged]
            while True:
                for number in again or self.following():
                    self.link.send(self.frame(number))
                again = []
                self.ended.wait(self.pause_s)
                if not self.take_replies():
                    return

    def following(self) -> range:
        on_their_way = len(self.sent) - len(self.acknowledged)
        return range(len(self.sent) + 1, len(self.sent) + 1 + max(0, self.window - on_their_way))

    def take_replies(self) -> bool:
        """Take what has come; False when nothing can come any more."""
        if not select.select([self.link], [], [], 20)[0]:
            return False
        received = self.link.recv(65536)
        for reply in received.split(b"\r")[:-1]:         # a cut one is lost, and its frame is sent again
            [found] = read_frames(reply + b"\r", 0)
            if found["kind"] == "reply":
                assert found["token"] == "ACK"
                self.acknowledged.add(int(str(found["sequence"])))
        return bool(received)


@contextlib.contextmanager
def load(engine: Engine, senders: list[Sender], count: int) -> Iterator[None]:
    """Let the senders run until each has `count` more acknowledged; the caller then ends the engine."""
    goals = [len(sender.acknowledged) + count for sender in senders]
    for sender in senders:
        sender.begin(engine)
    until(lambda: all(len(sender.acknowledged) >= goal for sender, goal in zip(senders, goals, strict=True)),
          f"{count} acknowledged by each sender")
    yield
    for sender in senders:
        with contextlib.suppress(OSError):               # the engine, or its end, may have closed it
            sender.link.shutdown(socket.SHUT_RDWR)
        sender.join(30)
        assert not sender.is_alive()
