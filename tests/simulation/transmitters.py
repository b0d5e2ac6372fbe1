"""Transmitters: they send heartbeats and signals, again and again until they are acknowledged, and sometimes die."""
from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codec.reading import build_frame

if TYPE_CHECKING:
    from tests.simulation.world import World

REPLY = re.compile(rb'"(ACK|NAK|DUH|RSP)"(\d{4})[RL0-9A-Fa-f]*#([0-9A-F]+)\[')
CODES = ("FA", "FH", "FT", "FJ", "GA", "GH", "RX", "BA")
SECOND_NS = 1_000_000_000
HEARD_MAX = 200
APPEND_S_MAX = 15
SLACK_S = 1.5                    # a tick, an append, and what a frame takes from the door to the table
MARKER = 1000                    # a signal's own number stands in its point, so that a row is known again


@dataclass(slots=True)
class Signal:
    """One signal and what became of it. `frame` never changes: what is sent again is the same frame."""

    account: str
    sequence: int
    code: str
    frame: bytes
    sent: int = 0
    acknowledged: bool = False


@dataclass
class Transmitter:
    """interval_s     between two heartbeats;  supervision_s  its time
    heard_door_ns  monotonic: when a frame of it last came to the engine's door, whether anybody was in or not
    heard_ns       monotonic: when an engine heard it
    overdue_ns     monotonic: when a silence past its time ended of which no fault had been raised; 0: none
    """

    world: World
    account: str
    interval_s: float
    supervision_s: float
    tcp: bool
    alive: bool = True
    mute: bool = False               # it never speaks
    sequence: int = 0
    heard_door_ns: int = 0
    heard_ns: deque[int] = field(default_factory=lambda: deque(maxlen=HEARD_MAX))
    overdue_ns: int = 0
    told: bool = False               # a fault was raised in this silence
    died_ns: int = 0
    waiting: deque[Signal] = field(default_factory=deque)
    signals: list[Signal] = field(default_factory=list)
    line: Line | None = None

    def start(self) -> None:
        self.heard_door_ns = self.world.clock.monotonic_ns()
        self.world.later(self.world.random.uniform(0, self.interval_s), self.beat)

    # -- what it has to say

    def next_sequence(self) -> int:
        self.sequence += 1
        return self.sequence

    def beat(self) -> None:
        """Send a heartbeat, and come again."""
        jitter = self.world.random.uniform(0.9, 1.0)
        self.world.later(self.interval_s * jitter, self.beat)
        if self.alive:
            self.send(build_frame("NULL", self.account, sequence=self.next_sequence()))

    def report(self, code: str) -> Signal:
        """Let something happen on the premises."""
        sequence = self.next_sequence()
        data = f"#{self.account}|Nri{sequence}/{code}{MARKER + sequence}".encode()
        frame = build_frame("SIA-DCS", self.account, data, sequence=sequence, stamp_ns=self.world.clock.wall_ns())
        signal = Signal(self.account, sequence, code, frame)
        self.signals.append(signal)
        self.waiting.append(signal)
        if len(self.waiting) == 1:
            self.tell()
        return signal

    def tell(self) -> None:
        """Send the oldest signal that is not acknowledged."""
        if not self.waiting:
            return
        signal = self.waiting[0]
        if self.alive:
            signal.sent += 1
            self.send(signal.frame)
        self.world.later(self.world.random.uniform(2, 5), lambda: self.tell_again(signal))

    def tell_again(self, signal: Signal) -> None:
        if self.waiting and self.waiting[0] is signal:
            self.tell()

    # -- the way there and back

    def send(self, frame: bytes) -> None:
        if not self.tcp:
            self.world.network.to_engine(self, frame)
            return
        if self.line is None or self.line.closed:
            self.line = self.world.network.call(self)
        if self.line is not None:
            self.line.send(frame)

    def hear(self, data: bytes) -> None:
        """Take what came back."""
        for kind, sequence, account in REPLY.findall(data):
            if account.decode() != self.account or not self.alive:
                continue
            for signal in list(self.waiting)[:1]:
                if signal.sequence == int(sequence) and kind == b"ACK":
                    signal.acknowledged = True
                    self.waiting.popleft()
                    self.tell()

    def come_to_the_door(self) -> None:
        """A frame has come, whether anybody is in or not.

        A fault that was due while nobody was in stays due, and nobody is excused twice in one silence.
        """
        now_ns = self.world.clock.monotonic_ns()
        listening = self.world.life is not None and self.world.life.listens
        silent = self.silent_s() >= self.supervision_s - SLACK_S
        if listening or not silent and self.world.gives_time(self):
            self.overdue_ns = now_ns if silent and not self.told else self.overdue_ns
            self.told = False
            self.heard_door_ns = now_ns
        if listening:
            self.heard_ns.append(now_ns)

    def known_ns(self, until_ns: int) -> int:
        """Return when an engine heard it last, up to a time; 0: never."""
        return max((at for at in self.heard_ns if at < until_ns), default=0)

    def forget(self, since_ns: int) -> None:
        """An engine died before it wrote down whom it heard since then."""
        if self.heard_door_ns >= since_ns:
            self.heard_door_ns = self.known_ns(since_ns)

    def silent_s(self) -> float:
        return (self.world.clock.monotonic_ns() - self.heard_door_ns) / SECOND_NS

    def may_be_reported(self) -> bool:
        """Whether a line fault that reaches the journal now is a true one: it may have waited for a slow disk."""
        waited_s = (self.world.clock.monotonic_ns() - self.overdue_ns) / SECOND_NS
        late = self.overdue_ns > 0 and waited_s < APPEND_S_MAX
        self.overdue_ns = 0
        self.told = self.silent_s() >= self.supervision_s - SLACK_S
        return self.told or late

    def die(self) -> None:
        if self.alive:
            self.alive = False
            self.died_ns = self.world.clock.monotonic_ns()
            if self.line is not None:
                self.line.hang_up()

    def live(self) -> None:
        self.alive = not self.mute


class Line:
    """A TCP connection of a transmitter: a transport on the engine's side, bytes in order on both."""

    def __init__(self, world: World, owner: Transmitter, protocol: object, deliver: Callable[[bytes], None]) -> None:
        self.world = world
        self.owner = owner
        self.protocol: object = protocol
        self.closed = False
        self.reading = True
        self._hung_up = False
        self._deliver = deliver
        self._inbox = bytearray()
        self._last_ns = {"in": 0, "out": 0}
        protocol.connection_made(self)           # type: ignore[attr-defined]

    # the engine's side: a transport

    def set_write_buffer_limits(self, high: int) -> None:
        """The peer reads everything at once."""

    def get_extra_info(self, name: str) -> tuple[str, int] | None:
        return ("127.0.0.1", 20000) if name == "peername" else None

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True
        self.world.later(0, self.push)

    def write(self, data: bytes) -> None:
        if not self.closed and self.world.network.life_of(self) is self.world.life:
            data = bytes(data)
            self._in_order("out", lambda: None if self.closed else self._deliver(data))

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if not self.closed:
            self.closed = True
            self.world.later(0, lambda: self.protocol.connection_lost(None))   # type: ignore[attr-defined]

    def is_closing(self) -> bool:
        return self.closed

    # the transmitter's side

    def send(self, data: bytes) -> None:
        cut = self.world.random.randrange(len(data) + 1) if self.world.random.random() < 0.2 else 0
        for part in (data[:cut], data[cut:]):
            if part:
                self._in_order("in", lambda part=part: self.arrive(part, whole=data.endswith(part)))

    def arrive(self, data: bytes, *, whole: bool) -> None:
        if self._hung_up:
            return
        if whole:
            self.owner.come_to_the_door()
        if not self.closed:
            self._inbox += data
            self.push()

    def push(self) -> None:
        """Give the engine what has come, as far as it reads."""
        while self._inbox and self.reading and not self.closed:
            view = self.protocol.get_buffer(-1)  # type: ignore[attr-defined]
            size = min(len(view), len(self._inbox))
            view[:size] = self._inbox[:size]
            del self._inbox[:size]
            self.protocol.buffer_updated(size)   # type: ignore[attr-defined]

    def hang_up(self) -> None:
        """Close from the transmitter's side; what is still on the way does not come."""
        self._hung_up = True
        self.abort()

    def _in_order(self, way: str, what: Callable[[], None]) -> None:
        """Let `what` happen after the network's delay, and not before what was sent before it."""
        now_ns = self.world.clock.monotonic_ns()
        at_ns = max(now_ns + int(self.world.network.delay_s() * SECOND_NS), self._last_ns[way] + 1000)
        self._last_ns[way] = at_ns
        self.world.later((at_ns - now_ns) / SECOND_NS, what)
