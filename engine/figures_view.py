"""The figures of the database as OPERATE shows them."""
from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from engine.operate.figures_routes import Period
from engine.operate.view import Away, Json
from engine.store.figures import Figures
from engine.store.queries import DatabaseAway


class FiguresView:
    """Implements engine.operate.figures_routes.FiguresView over a `Figures`."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    @classmethod
    def of(cls, database: str | Callable[[], str]) -> FiguresView:
        """Return one of a database, by its URL or a function that returns it."""
        return cls(Figures(database))

    async def facilities(self, period: Period, area: str | None, after: str | None, limit: int) -> Sequence[Json]:
        return await answered(self._figures.facilities(period.since, period.until, area, after, limit))

    async def areas(self, period: Period, level: str, after: str | None, limit: int) -> Sequence[Json]:
        return await answered(self._figures.areas(level, period.since, period.until, after, limit))

    async def paths(self, period: Period, facility: str, after: str | None, limit: int) -> Sequence[Json]:
        return await answered(self._figures.paths(period.since, period.until, facility, after, limit))

    async def forward(self, period: Period) -> Json:
        [row] = await answered(self._figures.forward(period.since, period.until))
        return row

    async def close(self) -> None:
        await self._figures.close()


async def answered(rows: Awaitable[Sequence[Json]]) -> Sequence[Json]:
    try:
        return await rows
    except DatabaseAway as error:
        raise Away(str(error)) from None
