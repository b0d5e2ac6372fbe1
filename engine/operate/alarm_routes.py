"""HTTP for who takes alarms over: one alarm, what people say of it, test modes, mass losses, rules, open conditions."""
from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from aiohttp import web

from engine.operate.page import next_cursor, read_limit, read_number_cursor, read_time
from engine.operate.problem import problem
from engine.operate.routes import accepted, answer, read_change
from engine.operate.view import ConditionQuestion, EngineView

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NS_MAX = (1 << 63) - 1


class AlarmRoutes:
    """Holds the view. Nothing is kept between two requests."""

    def __init__(self, view: EngineView, rows_max: int) -> None:
        self._view = view
        self._rows_max = rows_max

    def add_to(self, application: web.Application) -> None:
        """Add every route; before those that take any key."""
        application.router.add_routes([
            web.get("/v1/alarms/{id:[0-9]+}", self.alarm),
            web.post("/v1/alarms/{id:[0-9]+}/{action:accept|verify|close}", self.answer),
            web.get("/v1/tests", self.tests),
            web.post("/v1/tests", self.test),
            web.get("/v1/networks", self.networks),
            web.get("/v1/rules", self.rules),
            web.get("/v1/conditions", self.conditions),
            web.get("/v1/transmitters/{key:.+}/conditions", self.conditions_of),
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
        entries = self._view.conditions(ConditionQuestion(query.get("condition") or None, read_ns(query, "before"),
                                                          read_number_cursor(query), limit))
        return answer({"transmitters": list(entries), "next": next_cursor(entries, limit, "number")})

    async def conditions_of(self, request: web.Request) -> web.Response:
        """Say what is open at one transmitter, now or as of a time."""
        found = await self._view.conditions_of(request.match_info["key"], read_ns(request.query, "at"))
        return problem(404, "no such transmitter") if found is None else answer(found)


def read_ns(query: Mapping[str, str], name: str) -> int | None:
    """Read a time as ns since 1970, within 0..NS_MAX; None where none is given. Raises BadQuestion."""
    text = query.get(name)
    if not text:
        return None
    return min(max((read_time(text, name) - EPOCH) // timedelta(microseconds=1) * 1000, 0), NS_MAX)
