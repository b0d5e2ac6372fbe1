"""The HTTP API: one small handler a route; what they know of the engine is `EngineView` and `Forward`."""
from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from engine.forward.hub import Forward, TooManySubscribers
from engine.forward.question import BadQuestion, read_question
from engine.forward.select import CLASS_BITS
from engine.operate.access import HOLDER
from engine.operate.health import Health
from engine.operate.metrics import OPEN_TYPE, TEXT_TYPE, wants_open_metrics
from engine.operate.page import next_cursor, read_cursor, read_limit, read_number_cursor
from engine.operate.problem import NotJson, problem
from engine.operate.view import Away, EngineView, RejectedQuestion, SignalQuestion, TransmitterQuestion

CONSOLE = Path(__file__).parent / "console" / "index.html"
LIST_ROWS_MAX = 10_000


class Routes:
    """Holds what the handlers ask. Nothing is kept between two requests."""

    def __init__(self, view: EngineView, forward: Forward, health: Health, rows_max: int = LIST_ROWS_MAX) -> None:
        self._view = view
        self._forward = forward
        self._health = health
        self._rows_max = rows_max
        self._console = CONSOLE.read_text()
        self._policy = console_policy(self._console)

    def add_to(self, application: web.Application) -> None:
        """Add every route."""
        application.router.add_routes([
            web.get("/", self.console),
            web.get("/livez", self.live),
            web.get("/readyz", self.ready),
            web.get("/metrics", self.metrics),
            web.get("/v1/status", self.status),
            web.get("/v1/alarms", self.alarms),
            web.get("/v1/alarms/stream", self.stream, allow_head=False),
            web.get("/v1/transmitters", self.transmitters),
            web.post("/v1/transmitters/{key:.+}/commands", self.command),
            web.get("/v1/transmitters/{key:.+}", self.transmitter),
            web.get("/v1/signals", self.signals),
            web.get("/v1/rejected", self.rejected),
        ])

    async def console(self, _: web.Request) -> web.Response:
        return web.Response(text=self._console, content_type="text/html",
                            headers={"Content-Security-Policy": self._policy, "Cache-Control": "no-cache",
                                     "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"})

    async def live(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def ready(self, request: web.Request) -> web.Response:
        ok, text = self._health.report(verbose="verbose" in request.query)
        return web.Response(status=200 if ok else 503, text=text)

    async def metrics(self, request: web.Request) -> web.Response:
        open_metrics = wants_open_metrics(",".join(request.headers.getall("Accept", ())))
        return web.Response(body=self._view.metrics.expose(open_metrics),
                            headers={"Content-Type": OPEN_TYPE if open_metrics else TEXT_TYPE})

    async def status(self, _: web.Request) -> web.Response:
        return answer(self._view.status())

    async def alarms(self, _: web.Request) -> web.Response:
        position, alarms = self._view.open_alarms()
        return answer({"position": str(position), "alarms": list(alarms)})

    async def stream(self, request: web.Request) -> web.StreamResponse:
        question = read_question(request.headers, request.query)
        try:
            return await self._forward.stream(request, question)
        except TooManySubscribers:
            return problem(503, "as many streams are open as are allowed", {"Retry-After": "5"})

    async def transmitters(self, request: web.Request) -> web.Response:
        query = request.query
        limit = read_limit(query, self._rows_max)
        entries = await self._view.transmitters(TransmitterQuestion(
            query.get("state") or None, query.get("area") or None, read_cursor(query), limit))
        return answer({"transmitters": list(entries), "next": next_cursor(entries, limit, "key")})

    async def transmitter(self, request: web.Request) -> web.Response:
        found = self._view.transmitter(request.match_info["key"])
        return problem(404, "no such transmitter") if found is None else answer(found)

    async def command(self, request: web.Request) -> web.Response:
        """Queue a command."""
        asked = await read_change(request)
        queued = await self._view.command(request.match_info["key"], asked)
        return problem(404, "no such transmitter") if queued is None else accepted(queued)

    async def signals(self, request: web.Request) -> web.Response:
        limit = read_limit(request.query, self._rows_max)
        try:
            entries = await self._view.signals(signal_question(request.query, limit))
        except Away:
            raise Away("the database is away; alarms are received and forwarded meanwhile") from None
        return answer({"signals": list(entries), "next": next_cursor(entries, limit, "id")})

    async def rejected(self, request: web.Request) -> web.Response:
        query = request.query
        limit = read_limit(query, self._rows_max)
        entries = self._view.rejected(RejectedQuestion(
            query.get("source") or None, query.get("account") or None, read_number_cursor(query), limit))
        return answer({"rejected": list(entries), "next": next_cursor(entries, limit, "number")})


def console_policy(page: str) -> str:
    """Return a policy under which the page's own style and script run and nothing else, wherever a text came from."""
    def source(tag: str) -> str:
        text = page.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
    return (f"default-src 'none'; style-src {source('style')}; script-src {source('script')}; connect-src 'self'; "
            "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")


async def read_change(request: web.Request) -> dict[str, Any]:
    """Read what a person wants changed, with the name of the token's holder.

    Only JSON is read: no other page can make a browser send that without asking first. Raises BadChange, NotJson
    """
    if request.content_type != "application/json":
        raise NotJson("needed is Content-Type: application/json")
    try:
        asked = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        asked = None
    if not isinstance(asked, dict):
        raise BadQuestion("needed is a JSON object")
    return {**asked, "token": HOLDER.get()}


def accepted(body: object) -> web.Response:
    """Answer that a change is journalled: it counts, and is done when it is read from there."""
    return web.Response(status=202, body=orjson.dumps(body), content_type="application/json")


def answer(body: object) -> web.Response:
    """Return a JSON answer that no cache may keep."""
    return web.Response(body=orjson.dumps(body), content_type="application/json", headers={"Cache-Control": "no-store"})


def signal_question(query: Mapping[str, str], limit: int) -> SignalQuestion:
    """Read which signals are asked for. An account is given as sent, or as a transmitter's key with its protocol."""
    signal_class = query.get("class") or None
    if signal_class is not None and signal_class not in CLASS_BITS:
        raise BadQuestion(f"class: {signal_class[:32]!r} is none of {', '.join(CLASS_BITS)}")
    protocol, _, rest = query.get("account", "").rpartition(":")
    account, _, realm = rest.partition("@")
    return SignalQuestion(protocol or None, account or None, realm or None, signal_class,
                          read_number_cursor(query), limit)
