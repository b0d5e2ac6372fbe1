"""What the API asks: on at most two connections of its own, read only, each query with a limit of time."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.store.errors import DATABASE_ERRORS, raise_if_cancelled
from engine.store.pool import Pool
from engine.store.settings import StoreSettings

ROWS_MAX = 10_000                      # of one answer
CONNECTIONS_MAX = 2
WINDOW_IDS_MIN = 1000                # the first stretch of ids looked at
WINDOW_GROWTH = 8

SIGNAL_FIELDS = """id, received_at, occurred_at, protocol, account, realm, class, condition, state, point, native,
    details, sequence, flags, verdict, reason, rule, rule_version"""
# No index gives the newest ids of a day in order, yet BRIN finds a stretch of ids quickly: so look at growing
# stretches from the newest down until there are rows enough.
SIGNALS = f"""
SELECT {SIGNAL_FIELDS} FROM tocsin.signal
WHERE id <= $1 AND id > $2 AND ($3::text IS NULL OR account = $3) AND ($4::text IS NULL OR class = $4)
    AND ($5::text IS NULL OR protocol = $5) AND ($6::text IS NULL OR realm = $6)
ORDER BY id DESC LIMIT $7"""
NEWEST = "SELECT max(partition::bigint << 53 | number) FROM tocsin.position WHERE consumer = 'store'"
ALARMS = """
SELECT * FROM tocsin.alarm WHERE id < $1 AND (NOT $2 OR cleared_at IS NULL) ORDER BY id DESC LIMIT $3"""
EVENTS = "SELECT number, type, received_at, data FROM tocsin.event WHERE alarm_id = $1 ORDER BY number LIMIT $2"
VERDICTS = "SELECT * FROM tocsin.verdict WHERE signal_id = $1 ORDER BY number LIMIT $2"
PATHS = """
SELECT * FROM tocsin.path WHERE key > $1 AND ($2::text IS NULL OR transmitter = $2) AND ($3::text IS NULL OR state = $3)
ORDER BY key LIMIT $4"""
REFUSED = "SELECT * FROM tocsin.refused ORDER BY at DESC, id DESC LIMIT $1"
BIGINT_MAX = (1 << 63) - 1


class DatabaseAway(Exception):
    """The database cannot answer now, or not in time."""


class Reader:
    """Asks on connections of its own, read only, each question with a limit of time. Raises DatabaseAway, nothing else.

    database       URL, or a function that returns it
    answer_s_max   for one question, waiting for a connection included
    """

    def __init__(self, database: str | Callable[[], str], answer_s_max: float, connections_max: int,
                 connect_s_max: float, name: str) -> None:
        self._answer_s_max = answer_s_max
        self._pool = Pool(database, connections_max, connect_s_max, {
            "application_name": name, "timezone": "UTC", "jit": "off",
            "statement_timeout": str(int(answer_s_max * 1000)), "default_transaction_read_only": "on",
            # The functions of figures are planned for what is asked, never for anything.
            "plan_cache_mode": "force_custom_plan"})

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.close()

    async def _fetch(self, statement: str, *arguments: object) -> list[dict[str, Any]]:
        async def work(connection: Any) -> list[dict[str, Any]]:
            return [dict(row) for row in await connection.fetch(statement, *arguments)]
        return await self._ask(work)

    async def _ask(self, work: Callable[[Any], Any]) -> list[dict[str, Any]]:
        try:
            async with self._pool.connected(self._answer_s_max) as connection:
                rows: list[dict[str, Any]] = await work(connection)
                return rows
        except DATABASE_ERRORS as error:
            raise_if_cancelled()
            raise DatabaseAway(f"{type(error).__name__}: {error}") from error


class Queries(Reader):
    """Reads for the API.

    database  URL, or a function that returns it
    """

    def __init__(self, database: str | Callable[[], str], settings: StoreSettings | None = None) -> None:
        settings = settings or StoreSettings()
        super().__init__(database, settings.query_s_max, CONNECTIONS_MAX, settings.connect_s_max, "tocsin api")

    async def signals(self, limit: int = 100, cursor: int | None = None, account: str | None = None,
                      signal_class: str | None = None, protocol: str | None = None,
                      realm: str | None = None) -> list[dict[str, Any]]:
        """Return signals, newest first, without their frames; `cursor` = id of the last one already seen."""
        limit = bounded(limit)

        async def work(connection: Any) -> list[dict[str, Any]]:
            upper = cursor - 1 if cursor is not None else int(await connection.fetchval(NEWEST) or 0)
            found: list[dict[str, Any]] = []
            window = max(WINDOW_IDS_MIN, limit * 4)
            while upper > 0 and len(found) < limit:
                lower = max(0, upper - window)
                rows = await connection.fetch(SIGNALS, upper, lower, account, signal_class, protocol, realm,
                                              limit - len(found))
                found.extend(dict(row) for row in rows)
                upper, window = lower, window * WINDOW_GROWTH
            return found
        return await self._ask(work)

    async def alarms(self, limit: int = 100, cursor: int | None = None,
                     open_only: bool = False) -> list[dict[str, Any]]:
        """Return alarms, newest first; `cursor` = id of the last one already seen."""
        return await self._fetch(ALARMS, BIGINT_MAX if cursor is None else cursor, open_only, bounded(limit))

    async def events(self, alarm_id: int, limit: int = ROWS_MAX) -> list[dict[str, Any]]:
        """Return the events of one alarm in their order; `data` is JSON text."""
        return await self._fetch(EVENTS, alarm_id, bounded(limit))

    async def verdicts(self, signal_id: int, limit: int = 100) -> list[dict[str, Any]]:
        """Return the verdicts on one signal in their order."""
        return await self._fetch(VERDICTS, signal_id, bounded(limit))

    async def paths(self, limit: int = 100, cursor: str = "", transmitter: str | None = None,
                    state: str | None = None) -> list[dict[str, Any]]:
        """Return paths by key; `cursor` = key of the last one already seen."""
        return await self._fetch(PATHS, cursor, transmitter, state, bounded(limit))

    async def refused(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return what the database refused, newest first."""
        return await self._fetch(REFUSED, bounded(limit))


def bounded(limit: int) -> int:
    """Return `limit` within 1..ROWS_MAX."""
    return max(1, min(limit, ROWS_MAX))
