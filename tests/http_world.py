"""A small engine for the tests of FORWARD and OPERATE: events in memory behind the real HTTP server."""
from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import orjson

from engine.clock import Clock
from engine.filter.outcome import Outcome
from engine.forward.hub import Forward
from engine.forward.source import Trimmed
from engine.operate.access import Holder
from engine.operate.lag import LagSampler
from engine.operate.metrics import Metrics
from engine.operate.server import AddsRoutes, Operate
from engine.operate.view import Away, Check, RejectedQuestion, SignalQuestion, TransmitterQuestion

FIRST = 1_700_000_000_000_000
FIRE, GAS = 1, 2
UNCONFIRMED, CONFIRMED, FALSE, TEST, LATE = 1, 2, 3, 4, 5


@dataclass(frozen=True)
class Event:
    """One event as the tests write it; `padding` makes its block longer."""

    number: int
    signal_class: int = FIRE
    verification: int = UNCONFIRMED
    received_ns: int = 0
    area: str | None = None
    alarm: int = 0
    padding: int = 0

    def json(self) -> bytes:
        data = {"alarm_id": str(self.alarm or self.number), "area": self.area, "class": self.signal_class,
                "native": 'said "area":"77" ' + "x" * self.padding}
        return orjson.dumps({"id": str(self.number), "type": "io.tocsin.alarm.raised", "data": data})

    def block(self) -> bytes:
        return b"id: %d\ndata: %b\n\n" % (self.number, self.json())


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def make_outcome(events: Sequence[Event]) -> Outcome:
    """Encode an outcome without rows, and view it."""
    arena, blocks, jsons = b"", [], []
    for event in events:
        block, json = event.block(), event.json()
        blocks += [len(arena), len(block)]
        jsons += [len(arena) + block.index(json), len(json)]
        arena += block
    n = len(events)
    eights = ([e.number for e in events], [e.alarm or e.number for e in events], [e.number for e in events],
              [e.received_ns for e in events], [e.received_ns for e in events])
    columns = [padded(struct.pack(f"<{n}q", *column)) for column in eights]
    columns += [padded(struct.pack(f"<{n}I", *column)) for column in ([0] * n, [1] * n, [1] * n)]
    columns += [struct.pack(f"<{2 * n}I", *spans) for spans in (blocks, jsons, *[[0] * (2 * n)] * 7)]
    columns += [padded(struct.pack(f"<{n}I", *[1] * n))] * 2
    columns.append(padded(struct.pack(f"<{n}H", *[2] * n)))
    columns += [padded(bytes(column)) for column in ([1] * n, [e.signal_class for e in events], [1] * n,
                                                     [e.verification for e in events], [9] * n,
                                                     [1] * n, [0] * n, [1] * n, [0] * n)]
    return Outcome.view(struct.pack("<4I", 3, 0, n, len(arena)) + b"".join(columns) + arena)


class Log:
    """An EventSource in memory; `trim` forgets the old ones."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[int, int, Outcome]] = []      # first and last number, outcome
        self.oldest = FIRST + 1
        self.latest = FIRST
        self.stumbles = 0            # so often a reader is told that its place is gone, although its next event is not
        self.open: dict[str, bytes] = {}
        self._changed = asyncio.Event()

    def add(self, count: int = 1, **fields: int | str | None) -> list[Event]:
        """Append one outcome of `count` events that are numbered on."""
        events = [Event(self.latest + 1 + i, **fields) for i in range(count)]    # type: ignore[arg-type]
        return self.append(events)

    def append(self, events: list[Event]) -> list[Event]:
        self.outcomes.append((events[0].number, events[-1].number, make_outcome(events)))
        self.latest = events[-1].number
        for event in events:
            self.open[str(event.alarm or event.number)] = orjson.dumps({"alarm_id": str(event.alarm or event.number)})
        self._changed.set()
        self._changed = asyncio.Event()
        return events

    def trim(self, oldest: int) -> None:
        self.outcomes = [entry for entry in self.outcomes if entry[0] >= oldest]
        self.oldest = oldest

    def latest_event(self) -> int:
        return self.latest

    async def events_after(self, number: int) -> AsyncIterator[Outcome]:
        while True:
            if self.stumbles:
                self.stumbles -= 1
                raise Trimmed(number + 1)
            if number + 1 < self.oldest:
                raise Trimmed(self.oldest)
            for _, last, outcome in self.outcomes:
                if last > number:
                    number = last
                    yield outcome
                    break
            else:
                await self._changed.wait()


@dataclass
class View:
    """An EngineView over a Log and a few plain lists."""

    log: Log
    metrics: Metrics = field(default_factory=Metrics)
    checks: list[Check] = field(default_factory=lambda: [Check("journal", True), Check("listeners", True)])
    database: bool = True
    asked: list[object] = field(default_factory=list)
    fleet: list[dict[str, object]] = field(default_factory=list)
    stored: list[dict[str, object]] = field(default_factory=list)
    refused: list[dict[str, object]] = field(default_factory=list)

    def status(self) -> dict[str, object]:
        return {"stages": {"forward": {"position": str(self.log.latest)}}}

    def ready(self) -> list[Check]:
        return self.checks

    def open_alarms(self) -> tuple[int, list[object]]:
        return self.log.latest, [orjson.Fragment(alarm) for alarm in self.log.open.values()]

    def transmitter(self, key: str) -> dict[str, object] | None:
        return next((entry for entry in self.fleet if entry["key"] == key), None)

    async def transmitters(self, question: TransmitterQuestion) -> list[dict[str, object]]:
        self.asked.append(question)
        found = [entry for entry in self.fleet if str(entry["key"]) > (question.after or "")
                 and question.state in (None, entry["state"])]
        return found[:question.limit]

    async def signals(self, question: SignalQuestion) -> list[dict[str, object]]:
        self.asked.append(question)
        if not self.database:
            raise Away
        return [entry for entry in self.stored if question.before is None
                or int(str(entry["id"])) < question.before][:question.limit]

    def rejected(self, question: RejectedQuestion) -> list[dict[str, object]]:
        self.asked.append(question)
        return self.refused[:question.limit]


@dataclass(frozen=True, slots=True)
class Limits:
    subscribers_max: int = 100
    buffer_bytes_max: int = 1 << 22
    stall_timeout_ns: int = 60_000_000_000
    keepalive_ns: int = 60_000_000_000


@dataclass
class World:
    log: Log
    view: View
    forward: Forward
    operate: Operate
    lag: LagSampler
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@asynccontextmanager
async def make_world(holders: tuple[Holder, ...] | None = None, clock: Clock | None = None,
                     more: Sequence[AddsRoutes] = (), **limits: int) -> AsyncIterator[World]:
    """Serve a world on a free port of loopback."""
    clock = clock or Clock()
    log = Log()
    view = View(log)
    forward = Forward(log, clock, replace(Limits(), **limits))
    lag = LagSampler(clock)
    operate = Operate(view, forward, lag, holders, more=more)
    host, port = await operate.start("127.0.0.1", 0)
    try:
        yield World(log, view, forward, operate, lag, host, port)
    finally:
        await operate.close()


@dataclass(frozen=True)
class Block:
    """One dispatched block of an event stream, and the id that it would be resumed from."""

    id: str
    event: str
    data: str
    comment: bool = False


async def read_blocks(content: AsyncIterator[bytes]) -> AsyncIterator[Block]:
    """Read an event stream by the rules of the HTML standard; a block of comments alone comes as one, too."""
    identity, event, data, comment = "", "message", [], False
    async for line in content:
        text = line.decode().removesuffix("\n")
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if text == "":
            if data or comment:
                yield Block(identity, event, "\n".join(data), comment)
            event, data, comment = "message", [], False
        elif name == "":
            comment = True
        elif name == "id":
            identity = value
        elif name == "event":
            event = value
        elif name == "data":
            data.append(value)
        else:
            assert name == "retry", text
