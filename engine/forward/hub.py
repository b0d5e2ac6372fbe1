"""FORWARD: events to subscribers over Server-Sent Events, resumable by number.

One task a subscriber reads the source at its own pace and holds no more than one piece of one outcome. Who is slow
waits in the source's files, not in memory, and who takes nothing at all is cut off; nobody waits for anybody.
"""
from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Protocol, cast

from aiohttp import web

from engine.clock import Clock
from engine.forward.question import Question
from engine.forward.source import EventSource, Trimmed
from engine.forward.subscriber import Reader, Subscriber
from engine.histogram import Histogram

logger = logging.getLogger("engine.forward")

PIECE_BYTES = 65536
RETRY_MS = 1000                  # what a browser is told to wait before it connects again
CATCH_UP_LOOK_S, CATCH_UP_LOOKS = 0.005, 200   # a slow subscriber may take so much of the time for the store
WATCH_PARTS = 4                  # the watch looks this often within the shortest of its deadlines


class ForwardLimits(Protocol):
    """The settings of FORWARD, as its section of the configuration has them."""

    @property
    def subscribers_max(self) -> int:
        """Streams open at once; one more is refused."""
        ...

    @property
    def buffer_bytes_max(self) -> int:
        """Bytes that wait in one subscriber's transport; beyond it is cut off."""
        ...

    @property
    def stall_timeout_ns(self) -> int:
        """A subscriber whose socket takes nothing for so long is cut off."""
        ...

    @property
    def keepalive_ns(self) -> int:
        """A comment line after so long without a block."""
        ...


class TooManySubscribers(Exception):
    """`subscribers_max` streams are open."""


class Forward:
    """The hub. `stream` serves one request; `show` reaches everyone at once.

    Counters are plain numbers for the scrape; `closed` and `gaps` count by reason.
    """

    def __init__(self, source: EventSource, clock: Clock, limits: ForwardLimits) -> None:
        self.latency = Histogram()       # received to taken by a subscriber's socket, live events only
        self.accepted = 0
        self.refused = 0
        self.events_written = 0
        self.bytes_written = 0
        self.shown = 0
        self.closed: dict[str, int] = {}
        self.gaps: dict[str, int] = {}
        self._source = source
        self._clock = clock
        self._limits = limits
        self._subscribers: dict[Subscriber, None] = {}     # in the order in which they came
        self._watch: asyncio.TimerHandle | None = None
        self._closing = False

    def __len__(self) -> int:
        return len(self._subscribers)

    def show(self, blocks: bytes) -> None:
        """Write blocks that are not durable to every subscriber at once, whatever it narrows; they have no number."""
        self.shown += 1
        self.tell_all(blocks)

    def tell_all(self, blocks: bytes) -> None:
        """Write blocks that are no alarms to every subscriber at once: what the engine says of itself."""
        now_ns = self._clock.monotonic_ns()
        for subscriber in self._subscribers:
            subscriber.write(blocks, now_ns)

    async def stream(self, request: web.Request, question: Question) -> web.StreamResponse:
        """Serve one subscriber until it leaves or is cut off.

        Raises  TooManySubscribers before anything is sent
        """
        if self._closing or len(self._subscribers) >= self._limits.subscribers_max:
            self.refused += 1
            raise TooManySubscribers
        subscriber = Subscriber(request, self._clock.monotonic_ns())
        subscriber.task = asyncio.current_task()
        self._subscribers[subscriber] = None
        self.accepted += 1
        self._arm()
        try:
            await subscriber.open()
            await self.follow(subscriber, question)
        except ConnectionError:
            subscriber.reason = subscriber.reason or "left"
        except asyncio.CancelledError:
            if subscriber.reason is None:        # aiohttp cancels the handler of a connection that is gone
                subscriber.reason = "left"
                raise
            if subscriber.reason != "shutdown":
                raise
            cast("asyncio.Task[object]", subscriber.task).uncancel()
        except BaseException:
            subscriber.reason = "error"
            raise
        finally:
            del self._subscribers[subscriber]
            reason = subscriber.reason or "left"
            self.closed[reason] = self.closed.get(reason, 0) + 1
            logger.debug("subscriber gone: %s", reason)
        return subscriber.response

    async def catch_up(self) -> None:
        """Return when every subscriber was given all events up to now, or after a second: for the engine's end."""
        latest = self._source.latest_event()
        for _ in range(CATCH_UP_LOOKS):
            if all(subscriber.position >= latest for subscriber in self._subscribers):
                return
            await asyncio.sleep(CATCH_UP_LOOK_S)

    async def close(self) -> None:
        """End all streams and take no more. Returns at once; each handler finishes its own response."""
        self._closing = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for subscriber in tuple(self._subscribers):
            subscriber.finish("shutdown")

    async def follow(self, subscriber: Reader, question: Question) -> None:
        """Begin where the question says, then follow the source; over a gap as often as it is trimmed.

        Never returns. Raises ConnectionError when the subscriber has gone, and what the source raises
        """
        head = self._source.latest_event()
        after = head if question.after is None else question.after
        start = b"retry: %d\n" % RETRY_MS
        # Without a number yet, a subscriber that is cut off before its first event would miss what came meanwhile.
        self._write(subscriber, start + (b"id: %d\n\n" % head if question.after is None else b"\n"))
        if after > head:
            self._tell_gap(subscriber, {"reason": "ahead", "latest": str(head)}, head)
            after = head
        subscriber.position = subscriber.position_told = after
        while True:
            try:
                await self._follow(subscriber, question, head)
            except Trimmed as trimmed:
                await asyncio.sleep(0)
                if trimmed.oldest - 1 <= subscriber.position:
                    continue                     # what went had no events for us: nothing is missing
                subscriber.position = subscriber.position_told = trimmed.oldest - 1
                self._tell_gap(subscriber, {"reason": "trimmed", "oldest": str(trimmed.oldest)}, trimmed.oldest - 1)

    async def _follow(self, subscriber: Reader, question: Question, head: int) -> None:
        """Write what the source yields after the subscriber's position. Raises Trimmed, ConnectionError."""
        outcomes = self._source.events_after(subscriber.position)
        select, record = question.selection.select, question.selection.record
        async with aclosing(cast("Any", outcomes)):
            async for outcome in outcomes:
                before = -1
                while before != subscriber.position:
                    before = subscriber.position
                    blocks, subscriber.position, count = select(outcome, before, PIECE_BYTES)
                    if count == 0:
                        continue
                    subscriber.position_told = subscriber.position
                    self._write(subscriber, blocks)
                    self.events_written += count
                    await subscriber.drained()
                    # A replay of what was missed, up to `head`, says nothing about how fast we are.
                    record(outcome, max(before, head), subscriber.position, self.latency, self._clock.wall_ns())
                    await asyncio.sleep(0)       # a long replay from files must not hold the loop

    def _write(self, subscriber: Reader, blocks: bytes) -> None:
        subscriber.write(blocks, self._clock.monotonic_ns())
        self.bytes_written += len(blocks)

    def _tell_gap(self, subscriber: Reader, data: Mapping[str, str], resume: int) -> None:
        """Say once that events are missing; the block's id lets the next reconnection resume behind the gap."""
        reason = data["reason"]
        self.gaps[reason] = self.gaps.get(reason, 0) + 1
        text = ",".join(f'"{key}":"{value}"' for key, value in data.items())
        self._write(subscriber, f"id: {resume}\nevent: gap\ndata: {{{text}}}\n\n".encode())

    def _arm(self) -> None:
        if self._watch is None and self._subscribers and not self._closing:
            every_ns = min(self._limits.stall_timeout_ns, self._limits.keepalive_ns) // WATCH_PARTS
            self._watch = asyncio.get_running_loop().call_later(every_ns / 1e9, self._look)

    def _look(self) -> None:
        """Cut off who takes nothing; give the quiet ones a comment line."""
        self._watch = None
        limits, now_ns = self._limits, self._clock.monotonic_ns()
        for subscriber in tuple(self._subscribers):
            if subscriber.gone():
                subscriber.cut("left")
            elif subscriber.waiting() > limits.buffer_bytes_max:
                self._cut(subscriber, "buffer")
            elif subscriber.progress(now_ns) > limits.stall_timeout_ns:
                self._cut(subscriber, "stalled")
            elif now_ns - subscriber.idle_since_ns >= limits.keepalive_ns and subscriber.waiting() == 0:
                self._comment(subscriber)
        self._arm()

    def _cut(self, subscriber: Subscriber, reason: str) -> None:
        logger.warning("subscriber cut off (%s, %d bytes waiting): it took too little; what it missed comes when it "
                       "resumes", reason, subscriber.waiting())
        subscriber.cut(reason)

    def _comment(self, subscriber: Subscriber) -> None:
        """Keep the connection alive, and let a narrowed subscriber's position move on although nothing is for it."""
        if subscriber.position == subscriber.position_told:
            self._write(subscriber, b": \n\n")
        else:
            subscriber.position_told = subscriber.position
            self._write(subscriber, b": \nid: %d\n\n" % subscriber.position)
