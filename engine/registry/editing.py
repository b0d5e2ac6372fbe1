"""The registry through the API: lists, single rows, and changes of which who, when and why are kept.

A change is one transaction: the row, its entry in registry_audit, and, before it commits, a line in the engine's
journal that says who asked. An edit goes the way of an import of one row, so that both know the same rules.
"""
from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import orjson

from engine.config import KEY_ALLOWED, read_key
from engine.registry.audit import BadEdit, Who, imported, keep
from engine.registry.fields import KINDS, TRANSMITTERS, BadField, Finding, Kind, check_key
from engine.registry.importing import Import, Report
from engine.registry.keys import KeyStore, KeyStoreError
from engine.registry.sheets import Sheet
from engine.store.errors import DATABASE_ERRORS, raise_if_cancelled
from engine.store.pool import Pool

log = logging.getLogger("engine.registry")
CONNECTIONS_MAX = 4
EDIT_S_MAX = 10.0
IMPORT_S_MAX = 120.0
FINDINGS_MAX = 1000              # that an answer names; all are counted
PIECE_ROWS = 500                 # of an import at a time: the loop has alarms to forward
JournalChange = Callable[[str], Awaitable[bool]]
Json = dict[str, Any]

AREA = ("($1::text IS NULL OR cardinality($2::text[]) = 1 AND $1 IN (province, commune, team) OR "
        "cardinality($2::text[]) > 1 AND (province, commune) = (($2::text[])[1], ($2::text[])[2]) AND "
        "(cardinality($2::text[]) = 2 OR team = ($2::text[])[3]))")
FACILITIES = f"""
SELECT * FROM tocsin.facility WHERE {AREA} AND ($3::text IS NULL OR kind = $3) AND id > $4 AND
    ($5::text IS NULL OR id ILIKE $5 OR name ILIKE $5 OR address ILIKE $5) ORDER BY id LIMIT $6"""
TRANSMITTERS_OF = """
SELECT * FROM tocsin.transmitter WHERE ($1::text IS NULL OR facility = $1) AND key > $2 ORDER BY key LIMIT $3"""
POINTS_OF = """
SELECT * FROM tocsin.point WHERE transmitter = ANY ($1::text[]) AND point > $2 ORDER BY transmitter, point LIMIT $3"""
AREAS = """
SELECT * FROM tocsin.area WHERE parent IS NOT DISTINCT FROM $1::text AND code > $2 ORDER BY code LIMIT $3"""
CHANGES = "SELECT * FROM tocsin.registry_audit WHERE number < $1 ORDER BY number DESC LIMIT $2"


class RegistryAway(Exception):
    """The database, the key store or the journal cannot take the change, or answer, now. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class FacilityQuestion:
    """A piece of the list of facilities, ordered by id. area: one part of it, or the first parts with / between."""

    area: str | None
    kind: str | None
    text: str | None         # in id, name or address, in either case
    after: str               # id: only greater ones
    limit: int


class Editing:
    """Reads and changes of one registry.

    database        URL, or a function that returns it
    keys            loaded; what is set here is in it at once
    journal_change  journals a change told as JSON and returns whether that is durable
    """

    def __init__(self, database: str | Callable[[], str], keys: KeyStore, journal_change: JournalChange) -> None:
        self._pool = Pool(database, CONNECTIONS_MAX, EDIT_S_MAX,
                          {"application_name": "tocsin registry", "timezone": "UTC", "jit": "off"})
        self._keys = keys
        self._journal_change = journal_change

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.close()

    # -- reading; each raises RegistryAway

    async def facilities(self, question: FacilityQuestion) -> list[Json]:
        """Return up to `limit` facilities."""
        parts = question.area.split("/") if question.area else []
        like = None if question.text is None else "%" + "".join(
            "\\" + one if one in "\\%_" else one for one in question.text) + "%"
        return [facility_json(row) for row in await self._fetch(
            FACILITIES, question.area or None, parts, question.kind, question.after, like, question.limit)]

    async def facility(self, identity: str, limit: int) -> Json | None:
        """Return one facility with up to `limit` transmitters and up to `limit` points of theirs, or None."""
        async with self._connected(EDIT_S_MAX) as connection:
            row = await connection.fetchrow("SELECT * FROM tocsin.facility WHERE id = $1", identity)
            if row is None:
                return None
            transmitters = [self._transmitter_json(one) for one in await connection.fetch(
                TRANSMITTERS_OF, identity, "", limit)]
            await put_points(connection, transmitters, limit)
        return facility_json(row) | {"transmitters": transmitters}

    async def transmitters(self, facility: str | None, after: str, limit: int) -> list[Json]:
        """Return up to `limit` transmitters, ordered by name."""
        return [self._transmitter_json(row) for row in await self._fetch(TRANSMITTERS_OF, facility, after, limit)]

    async def transmitter(self, name: str, limit: int) -> Json | None:
        """Return one transmitter with up to `limit` points, or None."""
        async with self._connected(EDIT_S_MAX) as connection:
            row = await connection.fetchrow("SELECT * FROM tocsin.transmitter WHERE key = $1", name)
            if row is None:
                return None
            found = self._transmitter_json(row)
            await put_points(connection, [found], limit)
        return found

    async def points(self, transmitter: str, after: str, limit: int) -> list[Json]:
        """Return up to `limit` points of one transmitter, ordered by their text."""
        return [numbered(row) for row in await self._fetch(POINTS_OF, [transmitter], after, limit)]

    async def areas(self, parent: str | None, after: str, limit: int) -> list[Json]:
        """Return up to `limit` areas with this parent; without one the provinces."""
        return [numbered(row) for row in await self._fetch(AREAS, parent, after, limit)]

    async def changes(self, before: int, limit: int) -> list[Json]:
        """Return up to `limit` changes with numbers below `before`, newest first."""
        return [change_json(row) for row in await self._fetch(CHANGES, before, limit)]

    # -- changing; each raises BadEdit and RegistryAway, and then changed nothing

    async def put(self, kind: Kind, given: Mapping[str, object], who: Who) -> bool:
        """Create or replace one row; what is not given gets its default. Returns whether it is new."""
        row = {column.name: given.get(column.name) for column in kind.stored}
        for name in given.keys() - row.keys():
            hint = "set it under .../key" if name == "key" else f"allowed are {', '.join(row)}"
            raise BadEdit(f"{name[:40]}: no field of this; {hint}")
        found: list[Finding] = []
        before: list[Any] = []
        keys: list[str] = []
        async with self._connected(EDIT_S_MAX) as connection:
            async def look(_: Report) -> None:
                keys[:] = await connection.fetchrow(f"SELECT {', '.join(kind.keys)} FROM incoming_{kind.table}")
                before.append(await connection.fetchrow(select_one(kind), *keys))

            async def note(report: Report) -> None:
                if report.kinds[kind.name].added or report.kinds[kind.name].changed:
                    await self._note(connection, "put", kind, keys, who, {"before": detail_of(before[0])})
            try:
                sheet = Sheet(io.BytesIO(orjson.dumps(row)), "", kind)
            except TypeError:
                raise BadEdit("no text or number that a field may have") from None
            await Import(connection, self._keys, found.append).run([sheet], first=look, then=note)
        if found:
            raise BadEdit(str(found[0]).removeprefix(":1: "))
        return before[0] is None

    async def delete(self, kind: Kind, keys: Sequence[str], who: Who) -> bool:
        """Delete one row, and with a transmitter its points and its key. Returns whether it was there."""
        async with self._connected(EDIT_S_MAX) as connection, connection.transaction():
            await connection.execute("SELECT FROM tocsin.registry FOR UPDATE")
            row = await connection.fetchrow(select_one(kind), *keys)
            if row is None:
                return False
            same = " AND ".join(f"{key} = ${number}" for number, key in enumerate(kind.keys, 1))
            await connection.execute(f"DELETE FROM tocsin.{kind.table} WHERE {same}", *keys)
            await self._note(connection, "delete", kind, keys, who, {"before": detail_of(row)})
            if kind is TRANSMITTERS:
                await asyncio.to_thread(self._keys.remove, keys[0])
        return True

    async def set_key(self, transmitter: str, digits: object, who: Who) -> bool:
        """Keep a transmitter's key, or with digits None forget it. Returns whether there is such a transmitter."""
        key = None if digits is None else readable_key(transmitter, digits)
        async with self._connected(EDIT_S_MAX) as connection, connection.transaction():
            await connection.execute("SELECT FROM tocsin.registry FOR UPDATE")
            row = await connection.fetchrow(select_one(TRANSMITTERS), transmitter)
            if row is None:
                return False
            if key is None and row["encrypted_only"]:
                raise BadEdit("key: a transmitter that is encrypted_only needs one")
            action, told = ("set_key", {"bytes": len(key)}) if key else ("remove_key", {})
            await self._note(connection, action, TRANSMITTERS, [transmitter], who, told)
            change = (self._keys.remove, transmitter) if key is None else (self._keys.set, transmitter, key)
            await asyncio.to_thread(*change)
        return True

    async def import_file(self, data: bytes, kind: str | None, who: Who | None, *, replace: bool,
                          may_set_keys: bool) -> Json:
        """Import a file; without `who` it is a dry run. Returns what was found and done, as the API tells it.

        data    CSV or JSON
        Raises  KeysRefused as well
        """
        sheet = await asyncio.to_thread(Sheet, io.BytesIO(data), "", KINDS[kind] if kind else None)
        found: list[Finding] = []

        def take(finding: Finding) -> None:
            if len(found) < FINDINGS_MAX:
                found.append(finding)
        async with self._connected(IMPORT_S_MAX) as connection:
            async def note(report: Report) -> None:
                assert who is not None
                for one, detail in imported(report):
                    await self._note(connection, "import", one, [], who, detail)
            work = Import(connection, self._keys, take, replace=replace, pause_rows=PIECE_ROWS,
                          may_set_keys=may_set_keys)
            report = await work.run([sheet], dry_run=who is None, then=note)
        return report_json(report, found)

    # -- behind both

    async def _note(self, connection: Any, action: str, kind: Kind, keys: Sequence[str], who: Who,
                    detail: Json) -> None:
        """Keep who did it beside the change, and journal it; then the change may commit. Raises RegistryAway."""
        key, point = keys[0] if keys else "", keys[1] if len(keys) > 1 else ""
        await keep(connection, action, kind, keys, who, detail)
        told = {"change": "registry", "action": action, "kind": kind.table, "key": key, "point": point, "by": who.by,
                "why": who.why}
        if who.token:
            told["token"] = who.token
        if not await self._journal_change(orjson.dumps(told).decode()):
            raise RegistryAway("the journal takes no changes at present")

    def _transmitter_json(self, row: Any) -> Json:
        fields = numbered(row)
        name = fields.pop("key")
        return {"transmitter": name, **fields, "has_key": self._keys.has(name)}

    async def _fetch(self, statement: str, *arguments: object) -> list[Any]:
        async with self._connected(EDIT_S_MAX) as connection:
            rows: list[Any] = await connection.fetch(statement, *arguments)
            return rows

    @asynccontextmanager
    async def _connected(self, seconds: float) -> AsyncIterator[Any]:
        """A connection for at most so long. What the database or the disk does to us becomes a RegistryAway."""
        try:
            async with self._pool.connected(seconds) as connection:
                yield connection
        except asyncpg.IntegrityConstraintViolationError as error:
            raise BadEdit(f"another change came between: {error}") from None
        except KeyStoreError as error:
            log.error("the key store cannot be written: %s", error)
            raise RegistryAway("the key store cannot be written; the log says why") from None
        except DATABASE_ERRORS as error:
            raise_if_cancelled()
            raise RegistryAway(f"the database is away: {type(error).__name__}") from error


def readable_key(transmitter: str, digits: object) -> bytes:
    """Read a key. Raises BadEdit, which never shows it."""
    try:
        key = read_key(digits) if isinstance(digits, str) else b""
        if key:
            check_key(transmitter, key)
            return key
    except BadField as error:
        raise BadEdit(str(error)) from None
    except ValueError:
        pass
    raise BadEdit(f"key: not shown; allowed is {KEY_ALLOWED}")


async def put_points(connection: Any, transmitters: list[Json], limit: int) -> None:
    """Give each transmitter its `points`."""
    by_name: dict[str, list[Json]] = {one["transmitter"]: one.setdefault("points", []) for one in transmitters}
    for row in await connection.fetch(POINTS_OF, list(by_name), "", limit):
        by_name[row["transmitter"]].append(numbered(row))


def select_one(kind: Kind) -> str:
    same = " AND ".join(f"{key} = ${number}" for number, key in enumerate(kind.keys, 1))
    return f"SELECT * FROM tocsin.{kind.table} WHERE {same}"


def numbered(row: Any) -> Json:
    """Return a row as JSON has it: a revision is a position, and those are texts."""
    return dict(row) | {"revision": str(row["revision"])}


def facility_json(row: Any) -> Json:
    return numbered(row) | {"contacts": orjson.Fragment(row["contacts"])}


def change_json(row: Any) -> Json:
    return dict(row) | {"number": str(row["number"]), "detail": orjson.Fragment(row["detail"])}


def detail_of(row: Any) -> Json | None:
    """Return a row as it was, for whoever wants it back."""
    if row is None:
        return None
    fields = {name: value for name, value in row.items() if name != "revision"}
    return fields | ({"contacts": orjson.loads(fields["contacts"])} if "contacts" in fields else {})


def report_json(report: Report, found: list[Finding]) -> Json:
    return {
        "done": report.done, "bad": report.bad,
        "findings": [{"line": one.line, "column": one.column, "value": one.value, "allowed": one.allowed}
                     for one in found],
        "kinds": {name: {"rows": counts.rows, "added": counts.added, "changed": counts.changed,
                         "removed": counts.removed, "keys": counts.keys} for name, counts in report.kinds.items()}}
