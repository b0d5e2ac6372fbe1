"""Keeping house: what the engine does beside the flow so that it can go on, and start again."""
from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from codec.words import RowKind
from engine.clock import SECOND_NS
from engine.filter.rulebook import Rulebook
from engine.journal.errors import JournalError
from engine.journal.snapshots import Sections
from engine.journal.space import Room
from engine.remembering import new_filter

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

log = logging.getLogger("engine.housekeeping")
SNAPSHOT = "engine"              # the consumer whose snapshots hold what the stages remember
URGENCY_OF_ROOM = {Room.OK: 0, Room.LOW: 1, Room.FULL: 2}
RETENTION_EVERY_NS = 3600 * SECOND_NS
ROW_TICK = int(RowKind.ROW_TICK)


def nanoseconds(text: str) -> int:
    """Return an RFC 3339 time as ns since 1970."""
    return int(datetime.fromisoformat(text).timestamp() * SECOND_NS)


class House:
    """Sweeps, trims, takes snapshots, drops old days, and makes the outcome log whole; of one pipeline."""

    def __init__(self, engine: Pipeline) -> None:
        self.snapshot_ns = 0             # wall clock of the last snapshot
        self.writing = asyncio.Lock()    # held while a step works on the logs
        self._snapshot_due_ns = 0        # monotonic
        self._engine = engine
        self._impaired = False
        self._rules_kept: Rulebook | None = None     # that the database has

    async def run(self) -> None:
        """Once a second: sweep listeners, look at the journal's room, and do what is due."""
        engine = self._engine
        self._snapshot_due_ns = engine.clock.monotonic_ns() + engine.config.journal.snapshot_every_ns
        retention_due_ns = engine.clock.monotonic_ns() + RETENTION_EVERY_NS
        while True:
            await asyncio.sleep(1)
            for listener in engine.listeners():
                listener.sweep()
            engine.tls.sweep()
            engine.hearing.watch()
            self.tell_supervision()
            engine.answering.offer_rules()
            await self.keep_rules()
            async with self.writing:
                await self.keep_logs()
            if engine.clock.monotonic_ns() >= retention_due_ns:
                retention_due_ns = engine.clock.monotonic_ns() + RETENTION_EVERY_NS
                await self.drop_old_days()

    async def keep_rules(self) -> None:
        """Write the rules in force into the database, once it is there, beside the verdicts that name them."""
        engine = self._engine
        rules = engine.filter.rules
        if rules is not self._rules_kept and engine.store.counters.up and await engine.store.write_rules(
                rules.version, engine.clock.wall_ns(), rules.to_json()):
            self._rules_kept = rules

    def tell_supervision(self) -> None:
        """Tell operators and subscribers when line faults can no longer be relied on, and when they can again."""
        engine = self._engine
        if engine.supervisor.impaired == self._impaired:
            return
        self._impaired = engine.supervisor.impaired
        if self._impaired:
            log.error("supervision is impaired: frames were dropped or the engine stood still for longer than may be "
                      "credited, so a line fault of this hour may be ours and not the transmitter's")
        else:
            log.info("supervision is sound again")
        data = orjson.dumps({"impaired": self._impaired})
        engine.forward.tell_all(b"event: supervision\ndata: " + data + b"\n\n")

    async def keep_logs(self) -> None:
        """Do what is due on journal and outcome log."""
        engine = self._engine
        engine.admit.urgency_min = URGENCY_OF_ROOM[engine.journal.room()]
        self.try_journal()
        await self.attempt(self.commit_stored)
        await self.attempt(engine.journal.trim)
        await self.attempt(self.trim_outcomes)
        if engine.outcomes_trouble:
            await self.attempt(self.make_outcomes_again)
        if engine.clock.monotonic_ns() >= self._snapshot_due_ns:
            await self.attempt(self.take_snapshot)

    async def prepare_end(self) -> None:
        """While we still serve: write what would take time at the end. Raises JournalError."""
        async with self.writing:
            await self.commit_stored()
            await self.take_snapshot()

    def try_journal(self) -> None:
        """After a failed append, offer a tick once there is room: heartbeats alone would never tell."""
        engine = self._engine
        if engine.journal_trouble and engine.journal.room() is not Room.FULL:
            engine.admit.offer_frame({"kind": ROW_TICK, "received_ns": engine.clock.wall_ns()})
            engine.on_rows()

    async def attempt(self, step: Callable[[], Awaitable[object]]) -> None:
        """Do one step; a disk that refuses stops no other: on a full one, trimming is what makes room."""
        try:
            await step()
        except JournalError as error:
            log.error("housekeeping failed and is tried again; look at the journal's disk: while this lasts the "
                      "journal may grow, and a start take longer", extra={"step": step.__name__, "why": str(error)})

    async def trim_outcomes(self) -> None:
        engine = self._engine
        await engine.outcomes.trim(min(engine.journal.deletable(), engine.journal.first - 1))

    async def commit_stored(self) -> None:
        engine = self._engine
        stored = min(engine.store.counters.position, engine.journal.durable().number)
        if stored >= engine.journal.first:
            await engine.journal.commit(engine.lease, "store", stored)

    async def drop_old_days(self) -> None:
        """Drop whole days of signals that are older than `retention.signals` and than every open alarm."""
        engine = self._engine
        oldest_ns = engine.clock.wall_ns() - engine.config.retention.signals_ns
        for alarm in engine.filter.open_alarms(0, 1):
            oldest_ns = min(oldest_ns, nanoseconds(str(alarm["first_received_at"])))
        dropped = await engine.store.drop_days(datetime.fromtimestamp(oldest_ns / SECOND_NS, UTC).date())
        if dropped:
            log.info("dropped old days", extra={"partitions": dropped})

    def sections(self) -> Sections:
        """Return what the stages remember now."""
        engine = self._engine
        return {
            "paths": engine.paths.save(), "admit": engine.admit.save(), "windows": engine.windows.save(),
            "filter": engine.filter.save(), "registered": engine.enrolment.save(),
            "listening": engine.listening.listening_ms.to_bytes(8, "little"),
        }

    async def take_snapshot(self) -> None:
        """Write what the stages remember, at the number that FILTER has judged. The outcomes up to it go first."""
        engine = self._engine
        at = engine.filter.position
        self._snapshot_due_ns = engine.clock.monotonic_ns() + engine.config.journal.snapshot_every_ns
        if not at or engine.outcomes_trouble:  # beyond the outcome log's end it would leave a hole for good
            return
        sections = self.sections()
        await engine.outcomes.sync()
        await engine.journal.snapshot(engine.lease, SNAPSHOT, at, sections)
        self.snapshot_ns = engine.clock.wall_ns()

    async def make_outcomes_again(self) -> None:
        """Fill the hole in the outcome log from snapshot and journal, once it can be written again."""
        engine = self._engine
        snapshot = await engine.journal.load(engine.lease, SNAPSHOT)
        judging = new_filter(engine, snapshot.sections["filter"] if snapshot else None, engine.journal.first + 1)
        after = judging.position or engine.journal.first - 1
        async for span, batch in engine.journal.read(after):
            outcome = judging.apply(span.first, batch)
            if span.first > engine.outcomes.last:
                engine.keep_outcome(span, outcome, judging)
            if engine.outcomes.last >= engine.judged():
                break
        log.info("the outcome log is whole again")
        engine.outcomes_trouble = ""
