"""Figures over a period: availability, line faults, alarms by verdict, acceptance. The schema says what they count."""
from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from engine.store.queries import Reader, bounded
from engine.store.settings import StoreSettings

LEVELS = ("province", "commune", "team")
CONNECTIONS_MAX = 1              # what a report costs the database, the store must not feel
NONE = ""                        # id of the row for what belongs to no facility, name of that for what lies in no area

FACILITIES_OF_AREA = """
SELECT id FROM tocsin.facility f, tocsin.area_of('team', f.province, f.commune, f.team) AS whole
WHERE id > $1 AND ($2::text IS NULL OR $2 IN (whole, f.province, f.commune, f.team) OR starts_with(whole, $2 || '/'))
ORDER BY id LIMIT $3"""
FACILITIES = "SELECT * FROM tocsin.figures_facility($1, $2, $3) ORDER BY facility"
AREAS = "SELECT * FROM tocsin.figures_area($3, $1, $2) WHERE $4::text IS NULL OR area > $4 ORDER BY area LIMIT $5"
PATHS = """
SELECT path, transmitter, facility, tocsin.area_of('team', province, commune, team) AS area, supervised_s, fault_s,
    availability, line_faults, line_faults_carried, line_faults_open, line_faults_without_begin,
    longest_s AS line_fault_longest_s
FROM tocsin.figures_path($1, $2, $3) WHERE path > $4 ORDER BY path LIMIT $5"""
FORWARD = "SELECT * FROM tocsin.figures_forward($1, $2)"


class Figures(Reader):
    """Reads figures. Every method raises DatabaseAway, also where an answer takes longer than `figures_s_max`.

    since, until  aware; what opened or was raised at `since` is in the period, what at `until` is not
    """

    def __init__(self, database: str | Callable[[], str], settings: StoreSettings | None = None) -> None:
        settings = settings or StoreSettings()
        super().__init__(database, settings.figures_s_max, CONNECTIONS_MAX, settings.connect_s_max, "tocsin figures")

    async def facilities(self, since: datetime, until: datetime, area: str | None, after: str | None,
                         limit: int) -> list[dict[str, Any]]:
        """Return a row a facility, by id; first that of what belongs to none, unless an area is asked for.

        area    whole ("40/17257/vinh-1"), its first parts, or one part of it alone
        after   facility of the last row already seen
        """
        limit = bounded(limit)

        async def work(connection: Any) -> list[dict[str, Any]]:
            rows = await connection.fetch(FACILITIES_OF_AREA, after or "", area, limit)
            wanted = [row["id"] for row in rows]
            if after is None and area is None:
                wanted = [NONE, *wanted][:limit]
            return [dict(row) for row in await connection.fetch(FACILITIES, since, until, wanted)]
        return await self._ask(work)

    async def areas(self, level: str, since: datetime, until: datetime, after: str | None,
                    limit: int) -> list[dict[str, Any]]:
        """Return a row an area, by its name; `level` is one of LEVELS."""
        assert level in LEVELS
        return await self._fetch(AREAS, since, until, level, after, bounded(limit))

    async def paths(self, since: datetime, until: datetime, facility: str, after: str | None,
                    limit: int) -> list[dict[str, Any]]:
        """Return a row a path of one facility, by its key; "" = of those that belong to none."""
        return await self._fetch(PATHS, since, until, [facility], after or "", bounded(limit))

    async def forward(self, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """Return one row: how long events took from the frame to a subscriber's socket."""
        return await self._fetch(FORWARD, since, until)
