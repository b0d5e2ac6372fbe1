"""Files into the registry: read, checked as a whole, counted, and merged in one transaction, or not at all.

Rows are copied into temporary tables; what one row alone cannot tell (two rows of one key, a facility that nobody
knows) is asked there. A dry run stops after counting. Keys of transmitters wait in a file beside the key store and go
into it as the last thing before the commit; they never enter the database, a finding or a log.
"""
from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from engine.registry.fields import AREAS, FACILITIES, KINDS, POINTS, TRANSMITTERS, Finding, Kind, shown
from engine.registry.keys import KeyStore
from engine.registry.sheets import Item, Sheet
from engine.registry.waiting_keys import WaitingKeys

ROWS_A_PIECE = 5000
FOUND_A_PIECE = 1000
OWN_COLUMNS = ("number", "file", "line", "given", "has_key")
# (kind, column that is wrong, what is wrong of row i, what is allowed). {area}, {facility} and {transmitter} are what
# there is when all is merged. NOT EXISTS, since NOT IN looks through a large set once for each row.
RULES = (
    (AREAS, "parent", "i.parent IS NOT NULL AND NOT EXISTS (SELECT FROM {area} AS k WHERE k.code = i.parent)",
     "allowed is the code of an area"),
    (AREAS, "parent", "i.parent = i.code", "allowed is the code of another area"),
    (FACILITIES, "province", "i.province <> '' AND EXISTS (SELECT FROM {area} AS k) AND NOT EXISTS "
     "(SELECT FROM {area} AS k WHERE k.code = i.province AND k.parent IS NULL)", "allowed is the code of a province"),
    (FACILITIES, "commune", "i.commune <> '' AND EXISTS (SELECT FROM {area} AS k) AND NOT EXISTS "
     "(SELECT FROM {area} AS k WHERE k.code = i.commune AND k.parent = i.province)",
     "allowed is the code of a commune of its province"),
    (TRANSMITTERS, "facility", "i.facility IS NOT NULL AND NOT EXISTS (SELECT FROM {facility} AS k WHERE "
     "k.id = i.facility)", "allowed is the id of a facility"),
    (POINTS, "transmitter", "NOT EXISTS (SELECT FROM {transmitter} AS k WHERE k.key = i.transmitter)",
     "allowed is a transmitter of the registry"),
)


class KeysRefused(Exception):
    """Keys came from somebody who may not set any; nothing was changed."""


@dataclass(slots=True)
class Counts:
    """What became of the rows of one kind."""

    rows: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    keys: int = 0


@dataclass(slots=True)
class Report:
    """What an import found, and did or would do. done: merged and committed."""

    kinds: dict[str, Counts] = field(default_factory=dict)
    bad: int = 0
    done: bool = False


Step = Callable[[Report], Awaitable[None]]


class Import:
    """One import over one connection, which is given up to it while it lasts.

    connection    of asyncpg; outside a transaction
    keys          where keys go; None: files with keys are refused
    found         gets each Finding, in its turn
    replace       what the files do not name goes, for each kind of which there is a file
    pause_rows    rows of one COPY; between two of them others get the loop
    may_set_keys  else a row with a key raises KeysRefused
    """

    def __init__(self, connection: Any, keys: KeyStore | None, found: Callable[[Finding], None], *,
                 replace: bool = False, pause_rows: int = ROWS_A_PIECE, may_set_keys: bool = True) -> None:
        self.report = Report()
        self._connection = connection
        self._keys = keys
        self._found = found
        self._replace = replace
        self._pause_rows = pause_rows
        self._may_set_keys = may_set_keys
        self._files: list[str] = []
        self._numbers = itertools.count()

    async def run(self, sheets: Sequence[Sheet], *, dry_run: bool = False, first: Step | None = None,
                  then: Step | None = None) -> Report:
        """Import all sheets; the report says whether it was done. Findings mean that nothing was.

        first   awaited when nobody else writes any more, before the merge
        then    awaited behind the merge: what else must be true when it counts; what it raises undoes all
        Raises  KeyStoreError, KeysRefused, errors of the database
        """
        with WaitingKeys(self._keys) as waiting:
            async with rolled_back_unless_done(self._connection, lambda: self.report.done):
                await self._take_all(sheets, waiting)
                await self._check()
                if self.report.bad:
                    return self.report
                if not dry_run:
                    # Whoever else writes is done, or waits for us: what is counted now is what will be merged.
                    await self._connection.execute("SELECT FROM tocsin.registry FOR UPDATE")
                await self._count()
                if dry_run:
                    return self.report
                if first is not None:
                    await first(self.report)
                gone = await self._merge()
                if then is not None:
                    await then(self.report)
                await asyncio.to_thread(waiting.commit, gone)
                self.report.done = True
        return self.report

    async def _take_all(self, sheets: Sequence[Sheet], waiting: WaitingKeys) -> None:
        for kind in KINDS.values():
            columns = ", ".join(f"{column.stored} {column.type}" for column in kind.stored)
            await self._connection.execute(
                f"CREATE TEMPORARY TABLE incoming_{kind.table} (number bigint, file integer, line bigint, "
                f"given integer, has_key boolean, {columns}) ON COMMIT DROP")
        for sheet in sheets:
            await self._take(sheet, waiting)
        for kind in KINDS.values():
            if kind.name in self.report.kinds:
                await self._connection.execute(f"ANALYZE incoming_{kind.table}")

    async def _take(self, sheet: Sheet, waiting: WaitingKeys) -> None:
        self._files.append(sheet.name)
        items = sheet.items()
        while piece := await asyncio.to_thread(lambda: list(itertools.islice(items, self._pause_rows))):
            rows = list(self._rows_of(piece, len(self._files) - 1, sheet, waiting))
            if rows and sheet.kind:
                await self._connection.copy_records_to_table(
                    f"incoming_{sheet.kind.table}", records=rows, columns=[*OWN_COLUMNS, *(
                        column.stored for column in sheet.kind.stored)])
        if sheet.kind:
            self.report.kinds.setdefault(sheet.kind.name, Counts())

    def _rows_of(self, piece: list[Item], file: int, sheet: Sheet, waiting: WaitingKeys) -> Iterator[tuple[Any, ...]]:
        for item in piece:
            if isinstance(item, Finding):
                self._say(item)
                continue
            assert sheet.kind is not None
            line, record = item
            counts = self.report.kinds.setdefault(sheet.kind.name, Counts())
            counts.rows += 1
            has_key = sheet.kind is TRANSMITTERS and (bool(record.key) or waiting.has(record.values[0]))
            if record.key:
                if not self._may_set_keys:
                    raise KeysRefused
                counts.keys += 1
                waiting.add(record.values[0], record.key)
            yield next(self._numbers), file, line, record.given, has_key, *record.values

    def _say(self, finding: Finding) -> None:
        self.report.bad += 1
        self._found(finding)

    # -- what a row alone cannot tell

    async def _check(self) -> None:
        sets = {kind.table: self._known(kind) for kind in KINDS.values()}
        for kind in self._present():
            keys = ", ".join(kind.keys)
            await self._find(kind, kind.keys[-1], f"SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY {keys} "
                             f"ORDER BY number) AS time FROM incoming_{kind.table}) AS i WHERE i.time > 1",
                             "it stands there twice")
            for of, column, wrong, allowed in RULES:
                if of is kind:
                    await self._find(kind, column, f"SELECT * FROM incoming_{kind.table} AS i WHERE "
                                     + wrong.format(**sets), allowed)
        if self._keys is not None:
            await self._find(TRANSMITTERS, "encrypted_only", "SELECT * FROM incoming_transmitter AS i WHERE "
                             "i.encrypted_only AND NOT i.has_key", "allowed only with a key")
        if self._replace and AREAS.name in self.report.kinds and FACILITIES.name not in self.report.kinds:
            await self._find_facilities_without_area()

    async def _find(self, kind: Kind, column: str, query: str, allowed: str) -> None:
        """Say what a query finds; a piece at a time, however much it is."""
        stored = next(one.stored for one in kind.columns if one.name == column)
        async for row in self._connection.cursor(f"SELECT file, line, {stored}::text AS value FROM ({query}) AS bad "
                                                 "ORDER BY file, line", prefetch=FOUND_A_PIECE):
            self._say(Finding(self._files[row["file"]], row["line"], column, shown(row["value"]), allowed))

    async def _find_facilities_without_area(self) -> None:
        query = ("SELECT id FROM tocsin.facility WHERE province <> '' AND province NOT IN (SELECT code FROM "
                 "incoming_area) OR commune <> '' AND commune NOT IN (SELECT code FROM incoming_area) ORDER BY id")
        async for row in self._connection.cursor(query, prefetch=FOUND_A_PIECE):
            self._say(Finding(f"facility {row['id']}", 0, "", "", "its area would go; --replace keeps what is used"))

    def _known(self, kind: Kind) -> str:
        """Return what there is of a kind when all is merged, as a table in parentheses."""
        names = ", ".join(dict.fromkeys([*kind.keys, *(["parent"] if kind is AREAS else [])]))
        if self._replaces(kind):
            return f"(SELECT {names} FROM incoming_{kind.table})"
        same = " AND ".join(f"i.{key} = t.{key}" for key in kind.keys)
        return (f"(SELECT {names} FROM incoming_{kind.table} UNION ALL SELECT {names} FROM tocsin.{kind.table} AS t "
                f"WHERE NOT EXISTS (SELECT FROM incoming_{kind.table} AS i WHERE {same}))")

    def _replaces(self, kind: Kind) -> bool:
        return self._replace and kind.name in self.report.kinds

    def _present(self) -> Iterator[Kind]:
        return (kind for kind in KINDS.values() if kind.name in self.report.kinds)

    # -- counting and merging

    async def _count(self) -> None:
        for kind in self._present():
            counts, ask = self.report.kinds[kind.name], self._connection.fetchval
            counts.added = await ask(f"SELECT count(*) FROM incoming_{kind.table} AS i WHERE {missing(kind)}")
            counts.changed = await ask(f"SELECT count(*) FROM incoming_{kind.table} AS i JOIN tocsin.{kind.table} AS t "
                                       f"ON {same(kind)} WHERE {differs(kind)}")
            if self._replaces(kind):
                counts.removed = await ask(f"SELECT count(*) FROM tocsin.{kind.table} AS t WHERE {unnamed(kind)}")

    async def _merge(self) -> list[str]:
        """Write what differs; return the transmitters that are gone, whose keys go too."""
        gone: list[str] = []
        for kind in reversed(list(self._present())):
            if self._replaces(kind) and self.report.kinds[kind.name].removed:
                deleted = f"DELETE FROM tocsin.{kind.table} AS t WHERE {unnamed(kind)}"
                if kind is TRANSMITTERS:
                    gone = [row["key"] for row in await self._connection.fetch(f"{deleted} RETURNING t.key")]
                else:
                    await self._connection.execute(deleted)
        for kind in self._present():
            counts, names = self.report.kinds[kind.name], ", ".join(one.stored for one in kind.stored)
            if counts.changed:
                changes = ", ".join(f"{one.stored} = {value}" for one, value in merged(kind))
                await self._connection.execute(f"UPDATE tocsin.{kind.table} AS t SET {changes} FROM "
                                               f"incoming_{kind.table} AS i WHERE {same(kind)} AND {differs(kind)}")
            if counts.added:
                await self._connection.execute(f"INSERT INTO tocsin.{kind.table} ({names}) SELECT {names} FROM "
                                               f"incoming_{kind.table} AS i WHERE {missing(kind)} ORDER BY number")
        await self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return gone


def same(kind: Kind) -> str:
    return " AND ".join(f"i.{key} = t.{key}" for key in kind.keys)


def missing(kind: Kind) -> str:
    return f"NOT EXISTS (SELECT FROM tocsin.{kind.table} AS t WHERE {same(kind)})"


def unnamed(kind: Kind) -> str:
    return f"NOT EXISTS (SELECT FROM incoming_{kind.table} AS i WHERE {same(kind)})"


def merged(kind: Kind) -> Iterator[tuple[Any, str]]:
    """Yield each column with what it becomes: the row's, where it gave one, else what stands there."""
    for bit, column in enumerate(kind.stored):
        yield column, f"CASE WHEN i.given & {1 << bit} <> 0 THEN i.{column.stored} ELSE t.{column.stored} END"


def differs(kind: Kind) -> str:
    changes = list(merged(kind))
    return (f"({', '.join(value for _, value in changes)}) IS DISTINCT FROM "
            f"({', '.join(f't.{column.stored}' for column, _ in changes)})")


@asynccontextmanager
async def rolled_back_unless_done(connection: Any, done: Callable[[], bool]) -> AsyncIterator[None]:
    """A transaction that counts only when it is said to be done."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    except BaseException:
        await transaction.rollback()
        raise
    await (transaction.commit() if done() else transaction.rollback())
