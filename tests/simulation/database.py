"""PostgreSQL as the store sees it: tables in memory, transactions, and every way to go wrong on the way there.

It knows the statements of the store and of the registry's follower, and no other; what it is not told of is an error of
the simulation. Whatever was committed stays. What a COPY holds is read as PostgreSQL would read it.
"""
from __future__ import annotations

import asyncio
import hashlib
import json
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg

from engine.registry import follower
from engine.store import line_faults, migrate, transaction, writer
from engine.store.alarm_rows import ALARM_COLUMNS
from engine.store.copy import EVENT_COLUMNS, PATH_COLUMNS, SIGNAL_COLUMNS

EPOCH = datetime(2000, 1, 1)
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
NUMBERS = {"id", "number", "alarm_id", "signal_id", "received_at", "occurred_at", "opened_at", "path", "sequence",
           "flags", "rule", "rule_version", "priority", "detectors", "count", "revision", "supervision_ms",
           "last_seen_at", "enrolled_at", "event_number", "updated_at", "cleared_at", "confirmed_at", "accepted_at"}
Row = dict[str, Any]


@dataclass
class Tables:
    """What is committed."""

    signals: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    alarms: dict[int, int] = field(default_factory=dict)     # id -> its last event
    refused: list[tuple[int, str]] = field(default_factory=list)
    paths: dict[str, Row] = field(default_factory=dict)
    positions: dict[tuple[str, int, str], int] = field(default_factory=dict)


class Database:
    """The server.

    pause   awaited before every answer with the statement's first word; raises what the way to the server does
    poison  tells of a signal row whether the server refuses it for its data
    """

    def __init__(self) -> None:
        self.tables = Tables()
        self.pause: Callable[[str], Awaitable[None]] = lambda word: asyncio.sleep(0)
        self.poison: Callable[[Row], bool] = lambda row: False
        self.connections: list[Connection] = []

    async def connect(self, url: str, **options: Any) -> Connection:
        await self.pause("connect")
        connection = Connection(self)
        self.connections.append(connection)
        return connection

    def cut(self) -> None:
        """Break every connection, with what it had not committed."""
        for connection in list(self.connections):
            connection.terminate()


class Connection:
    """One session, with the methods of asyncpg's connection that the store calls."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._closed = False
        self._staged: list[list[Callable[[Tables], None]]] = []   # of each open transaction, outermost first

    def is_closed(self) -> bool:
        return self._closed

    def terminate(self) -> None:
        self._closed = True
        self._staged.clear()
        if self in self._database.connections:
            self._database.connections.remove(self)

    def transaction(self) -> Transaction:
        return Transaction(self)

    async def ask(self, word: str) -> Tables:
        """Be on the way to the server and back. Raises what a broken connection raises."""
        if self._closed:
            raise asyncpg.InterfaceError("connection is closed")
        try:
            await self._database.pause(word)
        except OSError:
            self.terminate()
            raise
        if self._closed:
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        return self._database.tables

    def change(self, what: Callable[[Tables], None]) -> None:
        """Let `what` happen at the commit, or at once outside of a transaction."""
        if self._staged:
            self._staged[-1].append(what)
        else:
            what(self._database.tables)

    async def fetchval(self, statement: str, *arguments: Any) -> Any:
        tables = await self.ask("select")
        if statement == writer.READ_POSITION:
            return tables.positions.get(arguments)
        assert "to_regclass" in statement, statement
        return 1                             # every table and partition is there

    async def fetchrow(self, statement: str, *arguments: Any) -> Row | None:
        tables = await self.ask("select")
        if statement == transaction.LOCK_POSITION:
            number = tables.positions.get(arguments)
            return None if number is None else {"number": number, "dropped_before": date(1, 1, 1)}
        if statement == follower.NOW:
            return {"identity": "the simulation's", "revision": 1}
        assert statement == writer.OTHER_JOURNALS, statement
        return None

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None:
        await self.ask("listen")

    async def copy_from_query(self, query: str, *, output: Callable[[bytes], Awaitable[None]], **options: Any) -> None:
        """Copy out what the registry has: transmitters of a realm that no listener serves."""
        assert any(query == statement.format(seen=-1) for _, statement in follower.READINGS), query
        for number in range(3 if "FROM tocsin.transmitter" in query else 0):
            await self.ask("copy out")
            await output(b"dc09:%d@nowhere\t\tDP4\t\t\t\tf\tf\tlate\n" % number)

    async def fetch(self, statement: str, *arguments: Any) -> list[Row]:
        await self.ask("select")
        assert "schema_version" in statement, statement
        return [{"number": number, "name": path.name, "checksum": checksum_of(path.read_text())}
                for number, path in migrate.files()]

    async def execute(self, statement: str, *arguments: Any) -> None:
        await self.ask("execute")
        if statement == writer.BEGIN_POSITION:
            key = arguments[:3]
            self.change(lambda tables: tables.positions.setdefault(key, 0) and None)
        elif statement == transaction.MOVE_POSITION:
            key, number = arguments[:3], arguments[3]
            self.change(lambda tables: tables.positions.update({key: number}))
        elif statement == transaction.REFUSE:
            refused = arguments[0], arguments[1]
            self.change(lambda tables: tables.refused.append(refused))
        else:
            known = (transaction.MAKE_STAGING, transaction.CHANGE_ALARMS.partition("{")[0],
                     transaction.ADD_MISSING.partition("{")[0], line_faults.END_OPEN, line_faults.ADD,
                     "SELECT pg_advisory", "CREATE TEMP TABLE",
                     "\nCREATE TEMP TABLE", "\nINSERT INTO tocsin.path", "\nINSERT INTO tocsin.heartbeat_rollup",
                     "\nINSERT INTO tocsin.rules", "\nINSERT INTO tocsin.forward_quarter", "SET LOCAL",
                     f"DELETE FROM {line_faults.STAGING}",
                     "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "COMMIT")
            assert statement.startswith(known), statement

    async def copy_to_table(self, table: str, *, columns: tuple[str, ...], source: Any, **options: Any) -> None:
        data = bytearray()
        async for part in source:
            await self.ask("copy")
            data += part
        await self.ask("copied")
        known_tables = ("signal_row", "event_row", "staging_path", "alarm", transaction.STAGING)
        rows = rows_of(bytes(data), columns) if table in known_tables else []
        if table == "signal_row":
            assert columns == SIGNAL_COLUMNS
            if any(self._database.poison(row) for row in rows):
                raise asyncpg.DataError("invalid byte sequence")
            self.change(lambda tables: tables.signals.extend(rows))
        elif table == "event_row":
            assert columns == EVENT_COLUMNS
            known = {row["number"] for row in self._database.tables.events}
            if any(row["number"] in known for row in rows):
                raise asyncpg.UniqueViolationError("duplicate key value violates unique constraint")
            rows = [{**row, "data": row["data"] or cloud_event(row)} for row in rows]
            self.change(lambda tables: tables.events.extend(rows))
        elif table in ("alarm", transaction.STAGING):
            assert columns == ALARM_COLUMNS
            if table == "alarm" and any(row["id"] in self._database.tables.alarms for row in rows):
                raise asyncpg.UniqueViolationError("duplicate key value violates unique constraint")
            self.change(lambda tables: tables.alarms.update({row["id"]: row["event_number"] for row in rows}))
        elif table == "staging_path":
            assert columns == PATH_COLUMNS
            self.change(lambda tables: tables.paths.update({row["key"]: row for row in rows}))
        else:
            assert table in ("staging_heartbeat_rollup", "heartbeat", "verdict_later", line_faults.STAGING), table


class Transaction:
    """A transaction, or a savepoint inside one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __aenter__(self) -> None:
        await self._connection.ask("begin")
        self._connection._staged.append([])

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        connection = self._connection
        if connection.is_closed():
            return
        staged = connection._staged.pop()
        if error is not None:
            await connection.ask("rollback")
            return
        if connection._staged:
            connection._staged[-1].extend(staged)
            return
        await connection.ask("commit")       # lost here: it never came to the server
        for change in staged:
            change(connection._database.tables)
        await connection.ask("committed")    # lost here: it is done, and nobody has heard


def checksum_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def rows_of(data: bytes, columns: tuple[str, ...]) -> list[Row]:
    """Read a binary COPY. Raises AssertionError where PostgreSQL would refuse its form."""
    assert data.startswith(COPY_HEADER[:11]), data[:11]
    at, rows = 19, []
    while (count := struct.unpack_from(">h", data, at)[0]) != -1:
        assert count == len(columns), (count, columns)
        at += 2
        row: Row = {}
        for name in columns:
            size = struct.unpack_from(">i", data, at)[0]
            at += 4
            raw = None if size < 0 else data[at:at + size]
            at += max(size, 0)
            row[name] = value_of(name, raw)
        rows.append(row)
    assert at + 2 == len(data)
    return rows


def value_of(name: str, raw: bytes | None) -> Any:
    if raw is None or name == "raw":
        return raw
    if name == "accepted":
        return raw != b"\0"
    if name in ("data", "details"):
        return json.loads(raw[1:] if raw[:1] == b"\1" else raw)
    return int.from_bytes(raw, "big", signed=True) if name in NUMBERS else raw.decode()


def cloud_event(row: Row) -> Row:
    """Make the event's JSON of its columns, as the view tocsin.event does."""
    number = str(row["number"])
    said = {name: row[name] for name in (
        "protocol", "account", "realm", "class", "signal_class", "condition", "state", "point", "verification",
        "reason", "rule_version", "priority", "detectors", "accepted", "revision", "count", "native", "details",
        "facility", "facility_name", "area")}
    data = {**said, "alarm_id": str(row["alarm_id"]), "signal_id": str(row["signal_id"]),
            "rule": row["rule_name"], "by": None, "why": None,
            "occurred_at": time_of(row["occurred_at"]), "received_at": time_of(row["received_at"]),
            "first_received_at": time_of(row["opened_at"]), "durable": True}
    return {"specversion": "1.0", "id": number, "source": "tocsin", "type": f"io.tocsin.alarm.{row['type']}",
            "subject": f"{row['protocol']}:{row['account']}" + (f"@{row['realm']}" if row["realm"] else ""),
            "time": time_of(row["received_at"]), "datacontenttype": "application/json", "sequence": number.zfill(20),
            "data": data}


def time_of(us: int | None) -> str | None:
    """Return a timestamptz, microseconds since 2000, as an event says it."""
    return None if us is None else f"{EPOCH + timedelta(microseconds=us):%Y-%m-%dT%H:%M:%S.%fZ}"
