"""Deadlines of FILTER: when one is due, a tick is journalled, and FILTER does what is due when it reads that.

A deadline is a time of the wall clock, as it must outlive this process; how long it is still away is measured once, by
the monotonic clock, so that a wall clock that is set does not hasten or delay it.
"""
from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from codec.words import RowKind
from engine.clock import SECOND_NS

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

log = logging.getLogger("engine.ticking")
ROW_TICK = int(RowKind.ROW_TICK)
RETRY_S = 0.1                    # when the journal has no room for a tick


class Ticking:
    """Writes the ticks of one pipeline."""

    def __init__(self, engine: Pipeline) -> None:
        self._engine = engine
        self._changed = asyncio.Event()
        self._wall_ns: int | None = None     # the next deadline
        self._monotonic_ns = 0               # when it is due by that clock

    def look(self, *, replayed: bool = False) -> None:
        """FILTER has judged: see whether its next deadline is another one, and tell which fires nobody has accepted.

        replayed  what was missed then was told then
        """
        for alarm in self._engine.filter.take_overdue():
            if not replayed:
                log.error("nobody has accepted a fire in time: it was forwarded, and no subscriber took it over",
                          extra={"alarm": alarm})
        deadline = self._engine.filter.next_deadline_ns()
        if deadline != self._wall_ns:
            self._wall_ns = deadline
            clock = self._engine.clock
            self._monotonic_ns = clock.monotonic_ns() + (0 if deadline is None else deadline - clock.wall_ns())
            self._changed.set()

    async def run(self) -> None:
        """Write a tick whenever a deadline has come, until cancelled."""
        self.look()
        while True:
            self._changed.clear()
            if self._wall_ns is None:
                await self._changed.wait()
                continue
            away_ns = self._monotonic_ns - self._engine.clock.monotonic_ns()
            if away_ns > 0:
                try:
                    async with asyncio.timeout(away_ns / SECOND_NS):
                        await self._changed.wait()
                except TimeoutError:
                    pass
                continue
            await self.tick(self._wall_ns)

    async def tick(self, deadline_ns: int) -> None:
        """Journal one tick, and wait until FILTER has seen it."""
        engine = self._engine
        offered = engine.admit.offer_frame({"kind": ROW_TICK,
                                            "received_ns": max(engine.clock.wall_ns(), deadline_ns)})
        if offered is None:
            await asyncio.sleep(RETRY_S)
            return
        durable = engine.tickets.wait(offered[0])
        engine.on_rows()
        if not await durable:
            await asyncio.sleep(RETRY_S)
            return
        if self._wall_ns == deadline_ns:
            await self._changed.wait()       # FILTER reads the row soon after; its next deadline is another one then
