"""The routes of the registry: facilities, transmitters, their points and keys, areas, imports, and who changed what."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from engine.config import read_account
from engine.forward.question import NUMBER_MAX, BadQuestion
from engine.operate.access import HOLDER, ROLE, Role, needs
from engine.operate.page import next_cursor, read_cursor, read_limit, read_number_cursor
from engine.operate.problem import problem
from engine.operate.routes import LIST_ROWS_MAX, answer
from engine.registry.audit import BadEdit, Who, read_who
from engine.registry.editing import Editing, FacilityQuestion, RegistryAway
from engine.registry.fields import CONTROL, FACILITIES, KINDS, POINTS, TRANSMITTERS, Kind
from engine.registry.importing import KeysRefused
from engine.words import KIND_TEXT

IMPORT_BYTES_MAX = 4 << 20
IMPORT_TYPES = ("text/csv", "application/json", "application/x-ndjson")
READ_BYTES = 1 << 16
TEXT_BYTES_MAX = 256
TRANSMITTER = "/v1/registry/transmitters/{key}"


class RegistryRoutes:
    """Handlers over one `Editing`. Nothing is kept between two requests.

    rows_max          of one page of a list
    import_bytes_max  of one imported file
    """

    def __init__(self, editing: Editing, rows_max: int = LIST_ROWS_MAX,
                 import_bytes_max: int = IMPORT_BYTES_MAX) -> None:
        self._editing = editing
        self._rows_max = rows_max
        self._import_bytes_max = import_bytes_max

    def add_to(self, application: web.Application) -> None:
        """Add every route."""
        routes = [
            web.get("/v1/areas", self.areas),
            web.get("/v1/facilities", self.facilities),
            web.get("/v1/facilities/{id}", self.facility),
            web.put("/v1/facilities/{id}", self.put_facility),
            web.delete("/v1/facilities/{id}", self.delete_facility),
            web.get("/v1/registry/changes", self.changes),
            web.post("/v1/registry/import", self.import_file),
            web.get("/v1/registry/transmitters", self.transmitters),
            web.get(TRANSMITTER, self.transmitter),
            web.put(TRANSMITTER, self.put_transmitter),
            web.delete(TRANSMITTER, self.delete_transmitter),
            web.put(TRANSMITTER + "/key", self.set_key),
            web.delete(TRANSMITTER + "/key", self.remove_key),
            web.get(TRANSMITTER + "/points", self.points),
            web.put(TRANSMITTER + "/points/{point:.+}", self.put_point),
            web.delete(TRANSMITTER + "/points/{point:.+}", self.delete_point),
        ]
        application.router.add_routes([web.RouteDef(one.method, one.path, told(one.handler), one.kwargs)
                                       for one in routes])

    # -- reading

    async def areas(self, request: web.Request) -> web.Response:
        limit = read_limit(request.query, self._rows_max)
        found = await self._editing.areas(request.query.get("parent") or None, after(request), limit)
        return answer({"areas": found, "next": next_cursor(found, limit, "code")})

    async def facilities(self, request: web.Request) -> web.Response:
        query = request.query
        limit = read_limit(query, self._rows_max)
        kind = query.get("kind") or None
        if kind is not None and kind not in KIND_TEXT.values():
            raise BadQuestion(f"kind: {kind[:32]!r} is none of {', '.join(KIND_TEXT.values())}")
        found = await self._editing.facilities(FacilityQuestion(
            text_of(query, "area"), kind, text_of(query, "q"), after(request), limit))
        return answer({"facilities": found, "next": next_cursor(found, limit, "id")})

    async def facility(self, request: web.Request) -> web.Response:
        found = await self._editing.facility(checked(request.match_info["id"]), self._rows_max)
        return missing(FACILITIES) if found is None else answer(found)

    async def transmitters(self, request: web.Request) -> web.Response:
        limit = read_limit(request.query, self._rows_max)
        found = await self._editing.transmitters(text_of(request.query, "facility"), after(request), limit)
        return answer({"transmitters": found, "next": next_cursor(found, limit, "transmitter")})

    async def transmitter(self, request: web.Request) -> web.Response:
        found = await self._editing.transmitter(name_of(request), self._rows_max)
        return missing(TRANSMITTERS) if found is None else answer(found)

    async def points(self, request: web.Request) -> web.Response:
        limit = read_limit(request.query, self._rows_max)
        found = await self._editing.points(name_of(request), after(request), limit)
        return answer({"points": found, "next": next_cursor(found, limit, "point")})

    async def changes(self, request: web.Request) -> web.Response:
        limit = read_limit(request.query, self._rows_max)
        before = read_number_cursor(request.query)
        found = await self._editing.changes(NUMBER_MAX if before is None else before, limit)
        return answer({"changes": found, "next": next_cursor(found, limit, "number")})

    # -- changing

    async def put_facility(self, request: web.Request) -> web.Response:
        return await self._put(request, FACILITIES, {"id": checked(request.match_info["id"])})

    async def put_transmitter(self, request: web.Request) -> web.Response:
        return await self._put(request, TRANSMITTERS, {"transmitter": name_of(request)})

    async def put_point(self, request: web.Request) -> web.Response:
        return await self._put(request, POINTS, {"transmitter": name_of(request),
                                                 "point": checked(request.match_info["point"])})

    async def delete_facility(self, request: web.Request) -> web.Response:
        return await self._delete(request, FACILITIES, [checked(request.match_info["id"])])

    async def delete_transmitter(self, request: web.Request) -> web.Response:
        return await self._delete(request, TRANSMITTERS, [name_of(request)])

    async def delete_point(self, request: web.Request) -> web.Response:
        return await self._delete(request, POINTS, [name_of(request), checked(request.match_info["point"])])

    @needs(Role.ADMIN)
    async def set_key(self, request: web.Request) -> web.Response:
        asked = await read_object(request)
        known = await self._editing.set_key(name_of(request), asked.get("key") or "", who_of(asked))
        return web.Response(status=204) if known else missing(TRANSMITTERS)

    @needs(Role.ADMIN)
    async def remove_key(self, request: web.Request) -> web.Response:
        known = await self._editing.set_key(name_of(request), None, who_of(await read_object(request)))
        return web.Response(status=204) if known else missing(TRANSMITTERS)

    async def import_file(self, request: web.Request) -> web.Response:
        query = request.query
        if request.content_type not in IMPORT_TYPES:
            return problem(415, f"needed is Content-Type: {', '.join(IMPORT_TYPES)}")
        kind, dry_run, replace = query.get("kind") or None, switch(query, "dry_run"), switch(query, "replace")
        if kind is not None and kind not in KINDS:
            raise BadQuestion(f"kind: {kind[:32]!r} is none of {', '.join(KINDS)}")
        who = None if dry_run else read_who(query, HOLDER.get())
        data = await read_bounded(request, self._import_bytes_max)
        if data is None:
            return problem(413, f"larger than {self._import_bytes_max} bytes; `tocsin import` takes larger files")
        report = await self._editing.import_file(data, kind, who, replace=replace,
                                                 may_set_keys=dry_run or ROLE.get() >= Role.ADMIN)
        if report["bad"] and not dry_run:
            body = {"title": "Unprocessable Entity", "status": 422, "detail": f"{report['bad']} lines are bad; nothing "
                    "was changed", **report}
            return web.Response(status=422, body=orjson.dumps(body), content_type="application/problem+json")
        return answer(report)

    async def _put(self, request: web.Request, kind: Kind, keys: Mapping[str, str]) -> web.Response:
        asked = await read_object(request)
        who = who_of(asked)
        given = {name: value for name, value in asked.items() if name not in ("by", "why")}
        for name, value in keys.items():
            if given.setdefault(name, value) != value:
                raise BadEdit(f"{name}: another one than the address names")
        created = await self._editing.put(kind, given, who)
        return web.Response(status=201 if created else 204)

    async def _delete(self, request: web.Request, kind: Kind, keys: list[str]) -> web.Response:
        found = await self._editing.delete(kind, keys, who_of(await read_object(request)))
        return web.Response(status=204) if found else missing(kind)


class NoJson(Exception):
    """A change that did not come as a JSON object. status: 400 or 415; the text is for the caller."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def told(handler: Any) -> Any:
    """Let a handler answer with a problem where the registry cannot, or will not."""
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
            return response
        except NoJson as error:
            return problem(error.status, str(error))
        except BadEdit as error:
            return problem(422, str(error))
        except KeysRefused:
            return problem(403, "role admin is needed to set keys")
        except RegistryAway as error:
            return problem(503, str(error), {"Retry-After": "5"})
    return needs(handler.role)(handle) if hasattr(handler, "role") else handle


async def read_object(request: web.Request) -> dict[str, Any]:
    """Return the JSON object of a request. Only JSON is read: no other page can make a browser send that unasked."""
    if request.content_type != "application/json":
        raise NoJson(415, "needed is Content-Type: application/json")
    try:
        asked = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        asked = None
    if not isinstance(asked, dict):
        raise NoJson(400, "needed is a JSON object with by, why, and what is to be changed")
    return asked


async def read_bounded(request: web.Request, bytes_max: int) -> bytes | None:
    """Return the body, or None when it is longer than allowed; no more of it than that is ever held."""
    pieces, size = [], 0
    while piece := await request.content.read(READ_BYTES):
        size += len(piece)
        if size > bytes_max:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def who_of(asked: Mapping[str, object]) -> Who:
    return read_who(asked, HOLDER.get())


def missing(kind: Kind) -> web.Response:
    return problem(404, f"no such {kind.table}")


def name_of(request: web.Request) -> str:
    """Return which transmitter a request names. Raises BadQuestion."""
    try:
        return read_account(request.match_info["key"])
    except ValueError:
        raise BadQuestion("a transmitter is PROTOCOL:ACCOUNT or PROTOCOL:ACCOUNT@REALM, such as dc09:1234") from None


def checked(text: str) -> str:
    """Return a text that the database can compare with. Raises BadQuestion."""
    try:
        fits = len(text.encode()) <= TEXT_BYTES_MAX and not CONTROL.search(text)
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise BadQuestion(f"allowed are texts of at most {TEXT_BYTES_MAX} bytes without control characters")
    return text


def text_of(query: Mapping[str, str], name: str) -> str | None:
    value = query.get(name)
    return checked(value) if value else None


def after(request: web.Request) -> str:
    return checked(read_cursor(request.query) or "")


def switch(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "false")
    if value not in ("true", "false"):
        raise BadQuestion(f"{name}: allowed is true or false")
    return value == "true"
