"""Subscribers of the stream: fast, slow and dead ones, which come back with the last number that they have."""
from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from aiohttp import HttpVersion11
from aiohttp.test_utils import make_mocked_request

from engine.forward.hub import TooManySubscribers
from engine.forward.question import read_question

if TYPE_CHECKING:
    from tests.simulation.world import World


class Wire:
    """The engine's side of a subscriber's connection: transport and aiohttp's writer in one."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._waiting = bytearray()
        self._empty = asyncio.Event()
        self._empty.set()
        self.open = self.closed = False

    def set_write_buffer_limits(self, high: int) -> None:
        """It is always zero; from here on the stream is written to."""
        self.open = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return len(self._waiting)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: bytes) -> None:
        if self.closed:
            return
        self._waiting += data
        self._empty.clear()
        if self._subscriber.bytes_a_second is None:
            self.drip(len(self._waiting))

    def drip(self, size: int) -> None:
        """Let the subscriber take `size` bytes."""
        if self.closed:
            return
        taken = bytes(self._waiting[:size])
        del self._waiting[:size]
        if not self._waiting:
            self._empty.set()
        self._subscriber.take(taken)

    def abort(self) -> None:
        self.closed = True
        self._empty.set()

    close = abort

    async def drain(self) -> None:
        await self._empty.wait()

    async def write_headers(self, *_: Any) -> None:
        """The header is not looked at."""

    async def write_eof(self, chunk: bytes = b"") -> None:
        """The end is seen by the task's end."""

    def enable_chunking(self) -> None:
        """Done by the subscriber's side of the engine."""

    def send_headers(self) -> None:
        """The header is not looked at."""


class Subscriber:
    """bytes_a_second  None: takes everything at once; 0: nothing

    events   number -> data, of the numbered events;  shown  data of those without a number
    """

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.bytes_a_second: int | None = None
        self.events: dict[str, dict[str, Any]] = {}
        self.shown: list[dict[str, Any]] = []
        self.gaps: list[str] = []
        self.began = 0                   # the number that its first stream began behind
        self._last_id = ""
        self._inbox = bytearray()
        self._text = bytearray()
        self.wire: Wire | None = None

    def start(self) -> None:
        self._inbox.clear()
        self._text.clear()
        self.world.spawn(self.follow())
        self.world.later(0.25, self.drip)

    async def follow(self) -> None:
        """Subscribe, again after every end."""
        while True:
            life = self.world.life
            if life is None or not life.listens:
                await asyncio.sleep(0.2)
                continue
            self.wire = wire = Wire(self)
            self._inbox.clear()
            self._text.clear()
            headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
            request = make_mocked_request("GET", "/v1/alarms/stream", headers=headers, version=HttpVersion11,
                                          writer=wire, transport=wire)  # type: ignore[arg-type]
            serving = asyncio.ensure_future(life.pipeline.forward.stream(request, read_question(headers, {})))
            life.serving.append(serving)
            await asyncio.wait([serving])
            life.serving.remove(serving)
            wire.abort()
            error = None if serving.cancelled() else serving.exception()
            if error is not None and not isinstance(error, TooManySubscribers):   # as while it stops
                raise error
            await asyncio.sleep(self.world.random.uniform(0.05, 1.0))

    def listens(self) -> bool:
        """Whether what the engine shows now comes here."""
        return self.wire is not None and self.wire.open and not self.wire.closed

    def drip(self) -> None:
        """Take what a slow line takes in a quarter of a second."""
        self.world.later(0.25, self.drip)
        if self.bytes_a_second and self.wire is not None:
            self.wire.drip(self.bytes_a_second // 4)

    def take(self, data: bytes) -> None:
        """Undo the chunks, then read whole blocks."""
        self._inbox += data
        while True:
            head, found, rest = self._inbox.partition(b"\r\n")
            size = int(head, 16) if found else 0
            if not found or len(rest) < size + 2:
                break
            self._text += rest[:size]
            self._inbox = rest[size + 2:]
        *blocks, last = self._text.split(b"\n\n")
        self._text = bytearray(last)
        for block in blocks:
            self.read(block.decode())

    def read(self, block: str) -> None:
        fields = dict(line.partition(": ")[::2] for line in block.split("\n") if not line.startswith(":"))
        if "id" in fields:
            self.began = self.began or int(fields["id"])
            self._last_id = fields["id"]
        if fields.get("event") == "gap":
            self.gaps.append(fields["data"])
        elif "data" in fields and "event" not in fields:      # or it is about supervision
            told = json.loads(fields["data"])
            if told["data"]["durable"]:
                self.note(told)
            else:
                self.shown.append(told["data"])

    def note(self, told: dict[str, Any]) -> None:
        before = self.events.setdefault(told["id"], told)
        if before is not told:
            self.world.truth.same(before, told)
