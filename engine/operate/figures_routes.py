"""Figures over a period, by facility, area and path: as JSON in pieces, or whole as CSV."""
from __future__ import annotations

import csv
import io
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import orjson
from aiohttp import web

from engine.forward.question import AREA_CHARACTERS_MAX, BadQuestion
from engine.operate.page import make_cursor, read_cursor, read_limit, read_time
from engine.operate.problem import problem
from engine.operate.view import Away, Json

PERIOD_MAX = timedelta(days=400)
LEVELS = ("province", "commune", "team")
FACILITY_CHARACTERS_MAX = 36
CSV_ROWS = 1000                  # asked for at once
AWAY = "the database is away, or the answer takes too long; ask for fewer rows, or a shorter time"
# A spreadsheet takes a text that begins like this for a formula, in either width.
FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")

More = Callable[[str | None, int], Awaitable[Sequence[Json]]]     # rows behind a key, at most so many


@dataclass(frozen=True, slots=True)
class Period:
    """[since, until), aware."""

    since: datetime
    until: datetime


class FiguresView(Protocol):
    """Where the figures come from. Each raises Away; `after` is the key of the last row already seen."""

    async def facilities(self, period: Period, area: str | None, after: str | None, limit: int) -> Sequence[Json]:
        """Return rows by `facility`."""
        ...

    async def areas(self, period: Period, level: str, after: str | None, limit: int) -> Sequence[Json]:
        """Return rows by `area`; level is one of LEVELS."""
        ...

    async def paths(self, period: Period, facility: str, after: str | None, limit: int) -> Sequence[Json]:
        """Return rows by `path`."""
        ...

    async def forward(self, period: Period) -> Json:
        """Return how long events took to subscribers."""
        ...

    async def close(self) -> None:
        """Close what it holds."""
        ...


class FiguresRoutes:
    """The handlers. Nothing is kept between two requests."""

    def __init__(self, figures: FiguresView, rows_max: int) -> None:
        self._figures = figures
        self._rows_max = rows_max

    def add_to(self, application: web.Application) -> None:
        """Add every route."""
        application.router.add_routes([
            web.get("/v1/figures/facilities", self.facilities, allow_head=False),
            web.get("/v1/figures/areas", self.areas, allow_head=False),
            web.get("/v1/figures/paths", self.paths, allow_head=False),
            web.get("/v1/figures/forward", self.forward, allow_head=False),
        ])

    async def facilities(self, request: web.Request) -> web.StreamResponse:
        period, area = read_period(request.query), request.query.get("area") or None
        if area is not None and (len(area) > AREA_CHARACTERS_MAX or "\0" in area):
            raise BadQuestion(f"area: allowed are up to {AREA_CHARACTERS_MAX} characters")
        return await self._answer(request, period, "facilities", "facility",
                                  partial(self._figures.facilities, period, area))

    async def areas(self, request: web.Request) -> web.StreamResponse:
        period, level = read_period(request.query), request.query.get("level") or LEVELS[0]
        if level not in LEVELS:
            raise BadQuestion(f"level: {level[:32]!r} is none of {', '.join(LEVELS)}")
        return await self._answer(request, period, "areas", "area", partial(self._figures.areas, period, level))

    async def paths(self, request: web.Request) -> web.StreamResponse:
        period, facility = read_period(request.query), request.query.get("facility")
        if facility is None or len(facility) > FACILITY_CHARACTERS_MAX or "\0" in facility:
            raise BadQuestion("facility: needed is the id of a facility, or an empty one for paths that belong to none")
        return await self._answer(request, period, "paths", "path", partial(self._figures.paths, period, facility))

    async def forward(self, request: web.Request) -> web.StreamResponse:
        period = read_period(request.query)
        try:
            row = await self._figures.forward(period)
        except Away:
            return problem(503, AWAY, {"Retry-After": "5"})
        return json_answer({**described(period), **row})

    async def _answer(self, request: web.Request, period: Period, what: str, key: str,
                      more: More) -> web.StreamResponse:
        try:
            if wants_csv(request):
                return await self._stream(request, period, what, key, more)
            limit = read_limit(request.query, self._rows_max)
            rows = await more(read_place(request.query), limit)
        except Away:
            return problem(503, AWAY, {"Retry-After": "5"})
        last = make_cursor(f".{rows[-1][key]}") if len(rows) == limit else None
        return json_answer({**described(period), what: list(rows), "next": last})

    async def _stream(self, request: web.Request, period: Period, what: str, key: str,
                      more: More) -> web.StreamResponse:
        """Write all rows; an answer that cannot be finished is cut off, so that nobody takes a part for the whole.

        Raises  Away before the first byte
        """
        rows = await more(read_place(request.query), CSV_ROWS)
        name = f"tocsin-{what}-{period.since:%Y%m%d}-{period.until:%Y%m%d}.csv"
        response = web.StreamResponse(headers={
            "Content-Type": "text/csv; charset=utf-8", "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"})
        await response.prepare(request)
        if rows:
            await response.write(csv_text([list(rows[0])]))
        while rows:
            await response.write(csv_text([list(row.values()) for row in rows]))
            if len(rows) < CSV_ROWS:
                break
            try:
                rows = await more(str(rows[-1][key]), CSV_ROWS)
            except Away:
                if request.transport is not None:
                    request.transport.abort()
                return response
        await response.write_eof()
        return response


def read_period(query: Mapping[str, str]) -> Period:
    """Read `from` and `to`. Raises BadQuestion."""
    since, until = read_time(query.get("from", ""), "from"), read_time(query.get("to", ""), "to")
    if not since < until:
        raise BadQuestion("to: must be later than from")
    if until - since > PERIOD_MAX:
        raise BadQuestion(f"to: at most {PERIOD_MAX.days} days after from")
    return Period(since, until)


def read_place(query: Mapping[str, str]) -> str | None:
    """Return the key behind which the next piece begins; "" is one. Raises BadQuestion."""
    place = read_cursor(query)
    if place is not None and (not place.startswith(".") or "\0" in place):
        raise BadQuestion("cursor: not one that this list gave")
    return None if place is None else place[1:]


def wants_csv(request: web.Request) -> bool:
    """Tell whether CSV is asked for; `?format=` goes before the header. Raises BadQuestion."""
    form = request.query.get("format")
    if form not in (None, "", "csv", "json"):
        raise BadQuestion(f"format: {form[:32]!r} is none of csv, json")
    return form == "csv" if form else "text/csv" in request.headers.get("Accept", "")


def described(period: Period) -> Json:
    return {"from": text_of(period.since), "to": text_of(period.until)}


def text_of(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def json_answer(body: Json) -> web.Response:
    return web.Response(body=orjson.dumps(body), content_type="application/json", headers={"Cache-Control": "no-store"})


def csv_text(rows: Sequence[Sequence[object]]) -> bytes:
    """Return lines as RFC 4180 has them: commas, quotes where needed, CR LF; nothing stands for null.

    A text that a spreadsheet would calculate is led by an apostrophe.
    """
    lines = io.StringIO()
    csv.writer(lines).writerows([[cell(value) for value in row] for row in rows])
    return lines.getvalue().encode()


def cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value.lstrip(" ")) else value
