"""The parts of the HTTP interface with routes of their own: the registry, figures, and supervision."""
from __future__ import annotations

from typing import TYPE_CHECKING

from engine.figures_view import FiguresView
from engine.operate.figures_routes import FiguresRoutes
from engine.operate.registry_routes import RegistryRoutes
from engine.operate.server import AddsRoutes
from engine.operate.supervision_routes import SupervisionRoutes
from engine.operate.view import Away
from engine.registry.editing import Editing
from engine.words import Change

if TYPE_CHECKING:
    from engine.pipeline import Pipeline


class Interfaces:
    """Those of one pipeline."""

    def __init__(self, engine: Pipeline) -> None:
        self._engine = engine
        self._figures = FiguresView.of(engine.database_url)
        self._editing = Editing(engine.database_url, engine.registry.keyring.store, self._journal_change)

    def routes(self) -> tuple[AddsRoutes, ...]:
        """Return their routes."""
        operate = self._engine.config.operate
        return (FiguresRoutes(self._figures, operate.list_rows_max),
                RegistryRoutes(self._editing, operate.list_rows_max, operate.import_bytes_max),
                SupervisionRoutes(self._engine.learner.mode, self._engine.learner.proposals, operate.list_rows_max))

    async def close(self) -> None:
        """Close their connections."""
        await self._figures.close()
        await self._editing.close()

    async def _journal_change(self, change: str) -> bool:
        """Journal who changed what in the registry, and why; what the change does comes by its tables."""
        try:
            await self._engine.changes.journal(int(Change.CHANGE_COMMAND), change)
        except Away:
            return False
        return True
