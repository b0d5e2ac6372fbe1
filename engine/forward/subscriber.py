"""One subscriber: a response that stays open, and how far its socket has taken what was written."""
from __future__ import annotations

import asyncio
from typing import Protocol

from aiohttp import web
from aiohttp.http import HttpVersion11

HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store",
           "X-Accel-Buffering": "no"}


class Reader(Protocol):
    """Whoever follows the events: a subscriber's connection, or the engine itself."""

    position: int                    # number of the last event looked at
    position_told: int               # number that the subscriber would resume from

    def write(self, blocks: bytes, now_ns: int, /) -> None:
        """Take blocks without waiting."""

    async def drained(self) -> None:
        """Return when what was written has been taken. Raises ConnectionError when nobody is there."""


class Subscriber:
    """Writes finished blocks to one connection.

    The transport's high-water mark is zero, so `drained` returns only when the socket has taken everything.
    Blocks go to the transport past aiohttp, because `show` may not wait; the chunk framing is therefore done here.
    """

    __slots__ = ("_framed", "_request", "_transport", "idle_since_ns", "moved_ns", "reason", "sent",
                 "position", "position_told", "response", "taken", "task")

    def __init__(self, request: web.Request, now_ns: int) -> None:
        self._request = request
        self.response = web.StreamResponse(headers=HEADERS)
        self._framed = request.version >= HttpVersion11
        self._transport: asyncio.Transport | None = None
        self.task: asyncio.Task[object] | None = None
        self.sent = 0                    # bytes given to the transport
        self.taken = 0                   # bytes of them that the socket had taken when last looked at
        self.moved_ns = now_ns           # monotonic, when the socket last took something or had nothing to take
        self.idle_since_ns = now_ns      # monotonic, the last write
        self.position = 0                # number of the last event looked at
        self.position_told = 0           # number that the subscriber would resume from
        self.reason: str | None = None   # why it was cut off

    async def open(self) -> None:
        """Send the header. Raises ConnectionError when the peer has gone."""
        await self.response.prepare(self._request)
        transport = self._request.transport
        if transport is None:
            raise ConnectionResetError("closed before the stream began")
        transport.set_write_buffer_limits(high=0)
        self._transport = transport

    def write(self, blocks: bytes, now_ns: int) -> None:
        """Give blocks to the transport without waiting. What a closing connection is given is lost with it."""
        if not blocks or self._transport is None or self._transport.is_closing():
            return
        data = b"%x\r\n%b\r\n" % (len(blocks), blocks) if self._framed else blocks
        if self.waiting() == 0:
            self.moved_ns = now_ns
        self._transport.write(data)
        self.sent += len(data)
        self.idle_since_ns = now_ns

    async def drained(self) -> None:
        """Return when the socket has taken everything. Raises ConnectionError when the peer has gone."""
        await self._request.writer.drain()
        if self.gone():
            raise ConnectionResetError("closed while the stream was written")

    def gone(self) -> bool:
        """Tell whether the connection was open and is no longer."""
        return self._transport is not None and self._transport.is_closing()

    def waiting(self) -> int:
        """Return the bytes that the socket has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def progress(self, now_ns: int) -> int:
        """Look how far the socket has come; return for how many ns it has taken nothing of what waits."""
        waiting = self.waiting()
        if waiting == 0 or self.sent - waiting > self.taken:
            self.taken = self.sent - waiting
            self.moved_ns = now_ns
        return now_ns - self.moved_ns

    def cut(self, reason: str) -> None:
        """Drop the connection with all that waits in it."""
        self.reason = reason
        if self._transport is not None:
            self._transport.abort()
        if self.task is not None:
            self.task.cancel()

    def finish(self, reason: str) -> None:
        """End the stream in order: what was written still goes out."""
        self.reason = reason
        if self.task is not None:
            self.task.cancel()
