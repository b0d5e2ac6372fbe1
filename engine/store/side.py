"""What is written beside the positions: paths, heartbeats, quarter hours. Best effort, on a connection of its own.

Nothing is held back for a database that is away: the caller is told, and comes again with newer values.
"""
from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from engine.clock import Clock
from engine.histogram import BOUNDS_NS
from engine.store.copy import HEARTBEAT_COLUMNS, PATH_COLUMNS, ROLLUP_COLUMNS
from engine.store.errors import DATABASE_ERRORS, raise_if_cancelled
from engine.store.partitions import DAY_NS, Partitions
from engine.store.settings import StoreSettings
from engine.store.transaction import Slices, moment

LOG = logging.getLogger("engine.store")

STAGING = """
CREATE TEMP TABLE IF NOT EXISTS staging_{table} (LIKE tocsin.{table}) ON COMMIT DELETE ROWS"""
UPDATE_PATHS = """
INSERT INTO tocsin.path ({columns})
-- The last row of a key is the newest.
SELECT DISTINCT ON (key) {columns} FROM staging_path ORDER BY key, ctid DESC
ON CONFLICT (key) DO UPDATE SET {assignments}""".format(
    columns=", ".join(PATH_COLUMNS),
    assignments=", ".join(f"{name} = excluded.{name}" for name in PATH_COLUMNS if name != "key"))
UPDATE_ROLLUPS = """
INSERT INTO tocsin.heartbeat_rollup AS r (path, quarter, frames, longest_silence_ms)
SELECT path, quarter, sum(frames), max(longest_silence_ms) FROM staging_heartbeat_rollup GROUP BY path, quarter
ON CONFLICT (quarter, path) DO UPDATE SET frames = r.frames + excluded.frames,
    longest_silence_ms = greatest(r.longest_silence_ms, excluded.longest_silence_ms)"""

ADD_RULES = """
INSERT INTO tocsin.rules (version, since, rules) VALUES ($1, $2, $3::jsonb)
ON CONFLICT (version) DO UPDATE SET rules = excluded.rules"""
ADD_FORWARDED = """
INSERT INTO tocsin.forward_quarter AS q (quarter, events, sum_ms, bounds_ms, buckets) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (quarter) DO UPDATE SET events = q.events + excluded.events, sum_ms = q.sum_ms + excluded.sum_ms,
    buckets = ARRAY(SELECT a + b FROM unnest(q.buckets, excluded.buckets) WITH ORDINALITY AS u (a, b, place)
                    ORDER BY place)
WHERE q.bounds_ms = excluded.bounds_ms"""


class SideWriter:
    """One connection, one writer at a time; errors are counted in `failures_total` and never raised."""

    def __init__(self, url: Callable[[], str], clock: Clock, settings: StoreSettings, up: Callable[[], bool],
                 connect: Callable[..., Any]) -> None:
        self.url = url
        self.connect = connect
        self.clock = clock
        self.settings = settings
        self.up = up
        self.failures_total = 0
        self.last_error = ""
        self._connection: Any = None
        self._turn = asyncio.Lock()
        self._partitions = Partitions("heartbeat", settings.lock_s_max)

    async def with_connection(self, work: Callable[[Any], Awaitable[int]]) -> int | None:
        """Do `work` on the connection and return its result; None when the database is away or refuses."""
        if not self.up():            # also before the schema is there
            self.failures_total += 1
            return None
        async with self._turn:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._partitions.forget()
                    self._connection = await self.connect(
                        self.url(), timeout=self.settings.connect_s_max, command_timeout=self.settings.write_s_max,
                        server_settings={"application_name": "tocsin side", "timezone": "UTC"})
                return await work(self._connection)
            except DATABASE_ERRORS as error:
                raise_if_cancelled()
                self.failures_total += 1
                text = f"{type(error).__name__}: {error}"
                if text != self.last_error:
                    LOG.warning("states of paths and heartbeats not written, signals are not concerned: %s", text)
                self.last_error = text
                self._drop()
                return None

    async def write_paths(self, rows: Any) -> bool:
        """Insert or update paths."""
        return await self._upsert("path", PATH_COLUMNS, rows, UPDATE_PATHS)

    async def write_rollups(self, rows: Any) -> bool:
        """Add quarter hours up."""
        return await self._upsert("heartbeat_rollup", ROLLUP_COLUMNS, rows, UPDATE_ROLLUPS)

    async def write_heartbeats(self, rows: Any) -> bool:
        """Insert heartbeats; today's partition is made here, rows of a day without one go to the default."""
        async def work(connection: Any) -> int:
            try:
                async with connection.transaction():
                    await self._partitions.ensure(connection, {self.clock.wall_ns() // DAY_NS})
                    await self._copy(connection, "heartbeat", "tocsin", HEARTBEAT_COLUMNS, rows)
            except BaseException:
                self._partitions.forget()
                raise
            return 0
        return await self.with_connection(work) is not None

    async def write_forwarded(self, quarter_ns: int, events: int, sum_ms: float, buckets: list[int]) -> bool:
        """Insert how long the events of a quarter of an hour took to subscribers; those of an earlier start add up."""
        async def work(connection: Any) -> int:
            await connection.execute(ADD_FORWARDED, moment(quarter_ns), events, sum_ms,
                                     [bound / 1e6 for bound in BOUNDS_NS], buckets)
            return 0
        return await self.with_connection(work) is not None

    async def write_rules(self, version: int, since_ns: int, rules: str) -> bool:
        """Insert or replace the rules of a version."""
        async def work(connection: Any) -> int:
            await connection.execute(ADD_RULES, version, moment(since_ns), rules)
            return 0
        return await self.with_connection(work) is not None

    async def close(self) -> None:
        """Drop the connection, also under a write that hangs; it comes back with the next write."""
        self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _upsert(self, table: str, columns: tuple[str, ...], rows: Any, statement: str) -> bool:
        async def work(connection: Any) -> int:
            await connection.execute(STAGING.format(table=table))
            async with connection.transaction():
                await self._copy(connection, f"staging_{table}", None, columns, rows)
                await connection.execute(statement)
            return 0
        return await self.with_connection(work) is not None

    async def _copy(self, connection: Any, table: str, schema: str | None, columns: tuple[str, ...], rows: Any) -> None:
        with Slices(connection, rows) as source:
            await connection.copy_to_table(table, schema_name=schema, columns=columns, format="binary",
                                           source=source, timeout=self.settings.write_s_max)
