"""Day partitions: made before the first row of a day, dropped by retention, never filled again."""
from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg  # type: ignore[import-untyped]

LOG = logging.getLogger("engine.store")
EPOCH = date(1970, 1, 1)
DAY_NS = 86_400 * 1_000_000_000
TABLES = ("signal_row", "heartbeat")
ROWS_AT_ONCE = 20_000                # deleted in one statement: some 0.2 s
# What has no partitions, and when a row of it is old. Alarms go before their events: who was left without its alarm, or
# never was of one, is looked for by its time. $1: the day before which all may go.
OLD_ROWS = {
    "alarm": "cleared_at < $1 AND updated_at < $1 AND opened_at < $1",
    "event_row": "received_at < $1 AND NOT EXISTS (SELECT FROM tocsin.alarm a WHERE a.id = alarm_id)",
    "line_fault_row": "cleared_at < $1",
    "heartbeat_rollup": "quarter < $1",
    "forward_quarter": "quarter < $1",
    "verdict_later": "at < $1",
    "refused": "at < $1",
}


def day_number(day: date) -> int:
    """Return the days since 1970."""
    return (day - EPOCH).days


def partition_name(table: str, day: int) -> str:
    """Return the name of the partition of `day`, without its schema."""
    return f"{table}_{EPOCH + timedelta(days=day):%Y%m%d}"


class Partitions:
    """The day partitions of one table, as far as this connection has seen them."""

    def __init__(self, table: str, lock_s_max: float) -> None:
        assert table in TABLES
        self.table = table
        self.lock_ms = int(lock_s_max * 1000)
        self._known: set[int] = set()

    def forget(self) -> None:
        """Look every partition up again: the transaction that made one may not have been committed."""
        self._known.clear()

    async def ensure(self, connection: Any, days: Iterable[int]) -> None:
        """Make the missing partitions, inside the caller's transaction. A day that cannot have one uses the default."""
        for day in sorted(set(days) - self._known):
            name = partition_name(self.table, day)
            if await connection.fetchval("SELECT to_regclass($1)", f"tocsin.{name}") is None:
                await self._create(connection, day, name)
            self._known.add(day)

    async def _create(self, connection: Any, day: int, name: str) -> None:
        begin, end = EPOCH + timedelta(days=day), EPOCH + timedelta(days=day + 1)
        try:
            async with connection.transaction():
                # A reader of the parent holds a lock against this one: not waited for longer than this.
                await connection.execute(f"SET LOCAL lock_timeout = {self.lock_ms}")
                await connection.execute(
                    f"CREATE TABLE tocsin.{name} PARTITION OF tocsin.{self.table} "
                    f"FOR VALUES FROM ('{begin} 00:00:00+00') TO ('{end} 00:00:00+00')")
                await connection.execute("SET LOCAL lock_timeout = 0")
        except (asyncpg.LockNotAvailableError, asyncpg.CheckViolationError) as error:
            LOG.warning("no partition %s, its rows go to the default one, nothing is lost: %s", name, error)


async def drop_days(connection: Any, before: date) -> int:
    """Drop every day before `before` for good and return how many partitions went.

    The caller knows that these days are stored, closed and older than every open alarm. The mark is set first, so
    that a replay which comes later leaves their rows out.
    """
    dropped = 0
    async with connection.transaction():
        await connection.execute(
            "UPDATE tocsin.retention SET dropped_before = greatest(dropped_before, $1)", before)
    for table in TABLES:
        names = await connection.fetch(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
            "WHERE inhparent = $1::regclass AND relname ~ $2", f"tocsin.{table}", f"^{table}_[0-9]{{8}}$")
        for name in sorted(row["relname"] for row in names):
            if name < partition_name(table, day_number(before)):
                await connection.execute(f"DROP TABLE tocsin.{name}")
                dropped += 1
        await connection.execute(
            f"DELETE FROM tocsin.{table}_default WHERE received_at < $1::date::timestamp AT TIME ZONE 'UTC'", before)
    return dropped


async def delete_old(connection: Any, table: str, before: date) -> int:
    """Delete up to ROWS_AT_ONCE rows of one table of OLD_ROWS that are older than `before`; return how many went."""
    done: str = await connection.execute(
        f"DELETE FROM tocsin.{table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM tocsin.{table} "
        f"WHERE {OLD_ROWS[table]} LIMIT {ROWS_AT_ONCE}))", datetime(before.year, before.month, before.day, tzinfo=UTC))
    return int(done.rpartition(" ")[2])
