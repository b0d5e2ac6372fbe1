"""The HTTP API of supervision: the times that paths themselves speak for."""
from __future__ import annotations

from collections.abc import Callable, Sequence

from aiohttp import web

from engine.operate.page import next_cursor, read_limit, read_number_cursor
from engine.operate.routes import LIST_ROWS_MAX, answer
from engine.operate.view import Json


class SupervisionRoutes:
    """GET /v1/supervision/proposals.

    mode       of learning: off, propose, apply
    proposals  (number of the last path of the page before, or None; at most so many) -> entries, see Learner
    """

    def __init__(self, mode: str, proposals: Callable[[int | None, int], Sequence[Json]],
                 rows_max: int = LIST_ROWS_MAX) -> None:
        self._mode = mode
        self._proposals = proposals
        self._rows_max = rows_max

    def add_to(self, application: web.Application) -> None:
        """Add every route."""
        application.router.add_get("/v1/supervision/proposals", self.proposals)

    async def proposals(self, request: web.Request) -> web.Response:
        limit = read_limit(request.query, self._rows_max)
        entries = [] if self._mode == "off" else self._proposals(read_number_cursor(request.query), limit)
        return answer({"learn": self._mode, "proposals": list(entries), "next": next_cursor(entries, limit, "number")})
