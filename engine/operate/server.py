"""The HTTP server of the engine: the application, its gate and its socket."""
from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Protocol

from aiohttp import web

from engine.forward.hub import Forward
from engine.operate.access import Access, Holder
from engine.operate.alarm_routes import AlarmRoutes
from engine.operate.health import Health
from engine.operate.lag import LagSampler
from engine.operate.problem import Handler, problems
from engine.operate.process import bind_process
from engine.operate.routes import LIST_ROWS_MAX, Routes
from engine.operate.view import EngineView

SHUTDOWN_S = 5.0                 # what a request may still take when the server stops
HEADER_BYTES_MAX = 8190
# Shown from the start: a counter that begins with its first event has no increase that an alert could see.
CLOSED = dict.fromkeys(("left", "stalled", "buffer", "shutdown", "error"), 0)


class NeedsTokens(ValueError):
    """The address can be reached from elsewhere, and no token file is given."""


class AddsRoutes(Protocol):
    """A part of the API."""

    def add_to(self, application: web.Application) -> None:
        """Add its routes."""
        ...


class Operate:
    """OPERATE: serves one `EngineView` and one `Forward`. Its own readings are bound to the view's metrics.

    more    further parts of the API
    """

    def __init__(self, view: EngineView, forward: Forward, lag: LagSampler, holders: Iterable[Holder] | None = None,
                 lag_ns_max: int = 1_000_000_000, rows_max: int = LIST_ROWS_MAX,
                 more: Iterable[AddsRoutes] = ()) -> None:
        self._forward = forward
        self._lag = lag
        self._access = Access(holders)
        self._guarded = holders is not None
        self._answers: dict[str, int] = {}
        self._runner: web.AppRunner | None = None
        self._health = Health(view, lag, lag_ns_max)
        self._routes: tuple[AddsRoutes, ...] = (AlarmRoutes(view, rows_max),
                                                Routes(view, forward, self._health, rows_max), *more)
        self._bind(view)

    async def start(self, host: str, port: int, bound: socket.socket | None = None) -> tuple[str, int]:
        """Listen, and return (host, port) as bound; port 0 takes a free one.

        bound   a socket that stands there already
        Raises  NeedsTokens, OSError
        """
        if not self._guarded and not is_loopback(host):
            raise NeedsTokens(f"http.listen {host}: not loopback; a token file is needed")
        # The gate stands inside `problems` and `count`, so that what it refuses is counted and is a problem too.
        application = web.Application(middlewares=[self._count, problems, self._access.guard], client_max_size=65536)
        for routes in self._routes:
            routes.add_to(application)
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True,
                                     shutdown_timeout=SHUTDOWN_S, max_line_size=HEADER_BYTES_MAX,
                                     max_field_size=HEADER_BYTES_MAX)
        await self._runner.setup()
        try:
            site = web.SockSite(self._runner, bound) if bound else web.TCPSite(self._runner, host, port)
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            why = os.strerror(error.errno) if error.errno else str(error)
            raise OSError(error.errno, f"cannot listen on {host}:{port} (HTTP): {why}") from None
        self._lag.start()
        address = self._runner.addresses[0]
        return address[0], address[1]

    async def stop_accepting(self) -> None:
        """Take no further connections; what is connected goes on."""
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()

    async def close(self) -> None:
        """End the streams, finish what is being answered, and close the socket."""
        self._lag.stop()
        await self._forward.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _bind(self, view: EngineView) -> None:
        forward, metrics = self._forward, view.metrics
        bind_process(metrics)
        metrics.bind("tocsin_ready", lambda: {check.name: int(check.ok) for check in self._health.checks()})
        metrics.bind("tocsin_http_requests_total", lambda: self._answers)
        metrics.bind("tocsin_http_refused_total", lambda: self._access.refused)
        metrics.bind("tocsin_event_loop_lag_seconds", lambda: self._lag.histogram)
        metrics.bind("tocsin_subscribers", lambda: len(forward))
        metrics.bind("tocsin_subscribers_accepted_total", lambda: forward.accepted)
        metrics.bind("tocsin_subscribers_refused_total", lambda: forward.refused)
        metrics.bind("tocsin_subscribers_closed_total", lambda: {**CLOSED, **forward.closed})
        metrics.bind("tocsin_events_forwarded_total", lambda: forward.events_written)
        metrics.bind("tocsin_forwarded_bytes_total", lambda: forward.bytes_written)
        metrics.bind("tocsin_gaps_told_total", lambda: forward.gaps)
        metrics.bind("tocsin_volatile_shown_total", lambda: forward.shown)
        metrics.bind("tocsin_receive_to_forwarded_seconds", lambda: forward.latency)

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        code = str(response.status)
        self._answers[code] = self._answers.get(code, 0) + 1
        return response


def is_loopback(host: str) -> bool:
    """Tell whether every address that a host name stands for is one of this machine's own."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return bool(found) and all(ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)
