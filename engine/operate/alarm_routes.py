"""HTTP for who takes alarms over: one alarm, what people say of it, test modes, mass losses, rules, open conditions."""
from __future__ import annotations

from datetime import datetime

from aiohttp import web

from engine.forward.question import BadQuestion
from engine.operate.page import next_cursor, read_limit, read_number_cursor
from engine.operate.problem import problem
from engine.operate.routes import accepted, answer, read_change
from engine.operate.view import ConditionQuestion, EngineView


class AlarmRoutes:
    """Holds the view. Nothing is kept between two requests."""

    def __init__(self, view: EngineView, rows_max: int) -> None:
        self._view = view
        self._rows_max = rows_max

    def add_to(self, application: web.Application) -> None:
        """Add every route; those of one alarm behind `/v1/alarms/stream`."""
        application.router.add_routes([
            web.get("/v1/alarms/{id:[0-9]+}", self.alarm),
            web.post("/v1/alarms/{id:[0-9]+}/{action:accept|verify|close}", self.answer),
            web.get("/v1/tests", self.tests),
            web.post("/v1/tests", self.test),
            web.get("/v1/networks", self.networks),
            web.get("/v1/rules", self.rules),
            web.get("/v1/conditions", self.conditions),
        ])

    async def alarm(self, request: web.Request) -> web.Response:
        found = self._view.alarm(request.match_info["id"])
        return problem(404, "no such alarm is open") if found is None else answer(found)

    async def answer(self, request: web.Request) -> web.Response:
        """Accept, verify or close an alarm."""
        asked = await read_change(request)
        done = await self._view.answer(request.match_info["id"], request.match_info["action"], asked)
        return problem(404, "no such alarm is open") if done is None else accepted(done)

    async def tests(self, _: web.Request) -> web.Response:
        return answer({"tests": list(self._view.tests())})

    async def test(self, request: web.Request) -> web.Response:
        """Begin, prolong or end a test mode."""
        return accepted(await self._view.test(await read_change(request)))

    async def networks(self, _: web.Request) -> web.Response:
        return answer({"networks": list(self._view.networks())})

    async def rules(self, _: web.Request) -> web.Response:
        return answer(self._view.rules())

    async def conditions(self, request: web.Request) -> web.Response:
        """List transmitters with a condition that is open, or with one that is open since before a time."""
        query, limit = request.query, read_limit(request.query, self._rows_max)
        before = query.get("before") or None
        try:
            before_ns = int(datetime.fromisoformat(before).timestamp() * 1e9) if before else None
        except ValueError:
            raise BadQuestion("before: allowed is a time such as 2026-01-01T00:00:00Z") from None
        entries = self._view.conditions(ConditionQuestion(query.get("condition") or None, before_ns,
                                                          read_number_cursor(query), limit))
        return answer({"transmitters": list(entries), "next": next_cursor(entries, limit, "number")})
