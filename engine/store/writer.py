"""STORE: reads batches and outcomes by position and keeps PostgreSQL up with them, exactly once.

Nothing waits for the store. When the database is away it tries to connect for ever, and then goes on from the position
that the database itself remembers; so a commit whose outcome is unknown is neither lost nor repeated.
"""
from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from engine.clock import Clock
from engine.store.errors import DATABASE_ERRORS, raise_if_cancelled
from engine.store.intake import Intake
from engine.store.migrate import SchemaError, migrate
from engine.store.partitions import OLD_ROWS, ROWS_AT_ONCE, Partitions, delete_old, drop_days
from engine.store.settings import StoreSettings
from engine.store.side import SideWriter
from engine.store.source import Ahead, Entry, Source, Trimmed
from engine.store.transaction import CONSUMER, MOVE_POSITION, PositionMoved, Transaction, moment

LOG = logging.getLogger("engine.store")
SO_SNDBUFFORCE = 32                  # beyond the machine's limit, where the engine may
SEND_BUFFER_BYTES = 4 << 20          # two slices of a COPY
SORT_MEMORY = "32MB"                 # the line faults of one transaction are sorted by path; no file is written for it
SESSION_ERRORS = (*DATABASE_ERRORS, SchemaError, PositionMoved)

READ_POSITION = "SELECT number FROM tocsin.position WHERE journal = $1 AND partition = $2 AND consumer = $3"
OTHER_JOURNALS = """
SELECT journal, number FROM tocsin.position WHERE journal <> $1 AND partition = $2 AND consumer = $3
ORDER BY updated_at DESC LIMIT 1"""
BEGIN_POSITION = """
INSERT INTO tocsin.position (journal, partition, consumer, number, updated_at) VALUES ($1, $2, $3, 0, $4)
ON CONFLICT DO NOTHING"""


@dataclass(slots=True)
class StoreCounters:
    """What the store has done since its start; only it writes them."""

    rows_total: int = 0              # signals written
    events_total: int = 0
    refused_total: int = 0           # rows in tocsin.refused
    skipped_total: int = 0           # rows of dropped days
    trimmed_total: int = 0           # times that the journal no longer held what comes after the position
    ahead_total: int = 0             # times that the position lay beyond the journal
    reconnects_total: int = 0        # connections lost or refused
    transactions_total: int = 0
    position: int = 0                # last number stored, as the database last said
    up: bool = False
    last_error: str = ""


def widen(connection: Any) -> None:
    """Let a local socket take what a COPY gives it at once.

    The kernel's own buffer takes 200 kB in each turn of a loop that is busy with frames: the database would wait most
    of the time. One of TCP grows by itself.
    """
    transport = getattr(connection, "_transport", None)      # asyncpg shows it nowhere else
    link = transport.get_extra_info("socket") if transport else None
    if link is None or link.family != socket.AF_UNIX:
        return
    try:
        link.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER_BYTES)
    except PermissionError:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)    # as far as net.core.wmem_max allows


async def ended(task: asyncio.Task[Any] | None) -> None:
    """Give a task up and see it end; what it raised is of no interest any more."""
    if task is None:
        return
    task.cancel()
    await asyncio.wait([task])           # raises when our caller is cancelled, never what the task did
    if not task.cancelled():
        task.exception()


def nothing(number: int) -> None:
    """The default of `on_ahead`."""


class Store:
    """Writes one partition of one journal into PostgreSQL.

    source    entries by position
    database  URL, or a function that returns it, asked at each connection
    on_ahead  called with the position, when that lies beyond the journal
    connect   opens a connection, as asyncpg.connect does
    """

    def __init__(self, source: Source, database: str | Callable[[], str], clock: Clock,
                 settings: StoreSettings | None = None, on_ahead: Callable[[int], None] = nothing,
                 connect: Callable[..., Any] = asyncpg.connect) -> None:
        self.source = source
        self.clock = clock
        self.settings = settings or StoreSettings()
        self.on_ahead = on_ahead
        self.counters = StoreCounters()
        self.url: Callable[[], str] = database if callable(database) else lambda: database
        self.connect = connect
        self.side = SideWriter(self.url, clock, self.settings, lambda: self.counters.up, connect)
        self._key = (source.journal, source.partition, CONSUMER)
        self._partitions = Partitions("signal_row", self.settings.lock_s_max)
        self._transaction = Transaction(source.journal, source.partition, clock, self._partitions,
                                        self.settings.write_s_max)
        self._moved = asyncio.Condition()
        self._warned_other = False

    async def run(self) -> None:
        """Store until the source ends or the task is cancelled. Errors of the database are counted and survived."""
        pause_s = self.settings.backoff_s_min
        try:
            while True:
                stored_before = self.counters.transactions_total
                try:
                    await self._session()
                    return
                except SESSION_ERRORS as error:
                    raise_if_cancelled()
                    self._note(error)
                if self.counters.transactions_total > stored_before:
                    pause_s = self.settings.backoff_s_min
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, self.settings.backoff_s_max)
        finally:
            self.counters.up = False
            await self.side.close()

    async def wait_stored(self, number: int) -> None:
        """Return when everything up to `number` is stored."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.counters.position >= number)

    async def write_paths(self, rows: Any) -> bool:
        """Insert or update paths; `rows` = the bytes of a COPY of PATH_COLUMNS. Best effort: False when it was not."""
        return await self.side.write_paths(rows)

    async def write_heartbeats(self, rows: Any) -> bool:
        """Insert heartbeats; `rows` = the bytes of a COPY of HEARTBEAT_COLUMNS. Best effort: False when it was not."""
        return await self.side.write_heartbeats(rows)

    async def write_rollups(self, rows: Any) -> bool:
        """Add quarter hours; `rows` = the bytes of a COPY of ROLLUP_COLUMNS. Best effort: False when it was not.

        Rows of the same path and quarter add up; the longest silence is kept.
        """
        return await self.side.write_rollups(rows)

    async def write_forwarded(self, quarter_ns: int, events: int, sum_ms: float, buckets: list[int]) -> bool:
        """Add how long the events of a quarter of an hour took to subscribers. Best effort: False when it was not.

        buckets  how many events lay in each bucket of engine.histogram
        """
        return await self.side.write_forwarded(quarter_ns, events, sum_ms, buckets)

    async def write_rules(self, version: int, since_ns: int, rules: str) -> bool:
        """Keep the rules of a version, as JSON, for who reads verdicts later. Best effort: False when it was not."""
        return await self.side.write_rules(version, since_ns, rules)

    async def drop_days(self, before: date) -> int | None:
        """Drop the days before `before` for good; return how many partitions went, None when the database was away.

        What has no partitions is deleted in pieces, between which others may write.
        """
        dropped = await self.side.with_connection(lambda connection: drop_days(connection, before))
        for table in OLD_ROWS if dropped is not None else ():
            more: int | None = ROWS_AT_ONCE
            while more == ROWS_AT_ONCE:
                more = await self.side.with_connection(partial(delete_old, table=table, before=before))
        return dropped

    def _note(self, error: BaseException) -> None:
        """Count a lost or refused connection; say so when it is news."""
        text = f"{type(error).__name__}: {error}"
        level = logging.ERROR if isinstance(error, SchemaError) else logging.WARNING
        if self.counters.up or text != self.counters.last_error:
            LOG.log(level, "database away, stored up to %d; alarms go on, and it catches up when it is back: %s",
                    self.counters.position, text)
        self.counters.up = False
        self.counters.last_error = text
        self.counters.reconnects_total += 1

    async def _session(self) -> None:
        """Live on one connection until the source has ended. Raises SESSION_ERRORS when the connection fails."""
        connection = await self.connect(
            self.url(), timeout=self.settings.connect_s_max, command_timeout=self.settings.write_s_max,
            server_settings={"application_name": "tocsin store", "timezone": "UTC", "work_mem": SORT_MEMORY})
        try:
            widen(connection)
            self._partitions.forget()
            await migrate(connection)
            stored = await self._read_position(connection)
            if not self.counters.up:
                LOG.info("storing from position %d of journal %s", stored, self.source.journal)
            await self._transaction.begin(connection)
            self.counters.up = True
            await self._note_position(stored)
            await self._follow(connection, stored)
        finally:
            connection.terminate()

    async def _read_position(self, connection: Any) -> int:
        """Return the last stored number; a journal that the database does not know begins at 0."""
        number = await connection.fetchval(READ_POSITION, *self._key)
        if number is not None:
            return int(number)
        other = await connection.fetchrow(OTHER_JOURNALS, *self._key)
        if other is not None and not self._warned_other:
            self._warned_other = True
            LOG.info("the database holds journal %s up to %d; beginning with journal %s", other["journal"],
                     other["number"], self.source.journal)
        await connection.execute(BEGIN_POSITION, *self._key, moment(self.clock.wall_ns()))
        return int(await connection.fetchval(READ_POSITION, *self._key))

    async def _follow(self, connection: Any, stored: int) -> None:
        """Write what comes after `stored` for as long as the connection holds."""
        after = stored
        while True:
            intake = Intake(self.source(after), self.settings.batch_rows, self.settings.batch_bytes)
            reading: asyncio.Task[list[Entry]] | None = None
            try:
                group = await intake.take()
                while group:
                    assert group[0][0] > after
                    reading = asyncio.create_task(self._read_ahead(intake), name="store-ahead")
                    written = await self._transaction.write(connection, group, stored)
                    stored = after = written.position
                    self.counters.transactions_total += 1
                    self.counters.rows_total += written.rows
                    self.counters.events_total += written.events
                    self.counters.skipped_total += written.skipped
                    self._note_refused(written.refused)
                    await self._note_position(stored)
                    intake.hurry()
                    group = await reading
                return
            except Trimmed as trimmed:
                self.counters.trimmed_total += 1
                LOG.error("the journal was trimmed before it was stored: from %d to %d is missing in the database; it "
                          "was answered and forwarded", after + 1, trimmed.oldest - 1)
                after = trimmed.oldest - 1
            except Ahead as ahead:
                after = stored = await self._step_back(connection, stored, ahead.newest)
            finally:
                try:
                    await ended(reading)
                finally:
                    await intake.close()

    async def _read_ahead(self, intake: Intake) -> list[Entry]:
        """Return the next group, as soon as it is full or wanted; [] when the source has ended."""
        await intake.full()
        group = await intake.take()
        if group:
            await self._transaction.prepare(group)
        return group

    async def _step_back(self, connection: Any, stored: int, newest: int) -> int:
        """Put the position to the journal's end: what comes next is stored, though a number may come twice."""
        self.counters.ahead_total += 1
        LOG.error("position %d is ahead of journal %s, which ends at %d: the journal lost its end; going on from "
                  "there, numbers may come twice", stored, self.source.journal, newest)
        self.on_ahead(stored)
        assert newest < stored
        await connection.execute(MOVE_POSITION, *self._key, newest, moment(self.clock.wall_ns()))
        await self._note_position(newest)
        return newest

    def _note_refused(self, refused: int) -> None:
        if refused:
            self.counters.refused_total += refused
            LOG.error("the database refused %d rows for their data; they were answered and forwarded, and are kept in "
                      "tocsin.refused with the reason", refused)

    async def _note_position(self, number: int) -> None:
        async with self._moved:
            self.counters.position = number
            self._moved.notify_all()
