"""What must hold, whatever happens: known from what the transmitters did, compared with what came out."""
from __future__ import annotations

import traceback
from collections import Counter, defaultdict
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from engine.filter.filter import Filter
from engine.journal.errors import JournalError
from engine.sources import StoredRows
from engine.store.source import Trimmed
from tests.simulation.transmitters import MARKER

if TYPE_CHECKING:
    from codec.batch import Batch
    from engine.pipeline import Pipeline
    from tests.simulation.world import Life, World

SECOND_NS = 1_000_000_000
OTHER_KEY = b"another hash key"
RAISED, CLEARED = 1, 2
TAIL_BYTES_MAX = 16 << 20
HELD_MAX, ROWS_MAX = 64, 1024    # held replies of a listener, rows of the intake
ALARM_CLASSES = ("fire", "gas", "prealarm")


class Truth:
    """wrong  what was found, empty while all is well"""

    def __init__(self, world: World) -> None:
        self.world = world
        self.wrong: list[str] = []
        self.done = False
        self.raised: Counter[str] = Counter()
        self.lost_fires: list[tuple[str, str]] = []        # accounts and points of fires that the journal refused
        self._listened_ns = 0
        self._healed_ns = 0

    def found(self, what: str, error: BaseException | None = None) -> None:
        """Note that something is wrong."""
        if error is not None:
            what += "\n" + "".join(traceback.format_exception(error))
        self.wrong.append(what)
        self.world.note(f"WRONG: {what.splitlines()[0]}")

    # -- while it runs

    def heard_until_now(self, life: Life) -> None:
        """Add up the time that an engine listened."""
        if life.listens:
            self._listened_ns += self.world.clock.monotonic_ns() - life.listens_since_ns

    def stalled(self, ns: int) -> None:
        if self.world.life is not None and self.world.life.listens:
            self._listened_ns -= max(0, ns - SECOND_NS)

    def same(self, before: dict[str, Any], again: dict[str, Any]) -> None:
        if before != again:
            self.found(f"event {again['id']} has two contents: {before} and {again}")

    def watch_appends(self, pipeline: Pipeline) -> None:
        """Look at every batch on its way into the journal: what SUPERVISE says there, it believes now."""
        append = pipeline.journal.append

        async def watched(partition: int, batch: Batch, *, urgent: bool = False) -> Any:
            rows = [batch.row(index) for index in range(len(batch))]
            for row in rows:
                if row["native"] == "line_fault" and row["state"] == RAISED and not row["identity"]:
                    self.check_raise(str(row["account"]))
            try:
                return await append(partition, batch, urgent=urgent)
            except JournalError:
                self.note_refused(rows)
                raise

        pipeline.journal.append = watched  # type: ignore[method-assign, assignment]

    def check_raise(self, account: str) -> None:
        """A line fault is raised: its transmitter must have been silent for its whole time, as anybody could see."""
        one = self.of(account)
        self.raised[account] += 1
        silent_s = one.silent_s()
        self.world.note(f"line fault: {account} after {silent_s:.1f} s")
        if not one.may_be_reported():
            self.found(f"false line fault of {account}: heard {silent_s:.1f} s ago, its time is {one.supervision_s} s")

    def note_refused(self, rows: list[dict[str, Any]]) -> None:
        if not self.world.subscribers[0].listens():
            return                       # it will come when it is kept: its transmitter sends it again
        for row in rows:
            if row["kind"] == 1 and row["state"] == RAISED and row["class"] in (1, 2, 3):
                self.lost_fires.append((str(row["account"]), str(row["point"])))

    def look_at(self, pipeline: Pipeline) -> None:
        """Bounds that hold at any time."""
        for listener in pipeline.listeners():
            if listener.held_in > HELD_MAX:
                self.found(f"{listener.held_in} held replies, allowed {HELD_MAX}")
        if len(pipeline.admit) > ROWS_MAX:
            self.found(f"{len(pipeline.admit)} rows in the intake")
        for one in self.world.subscribers:
            waiting = one.wire.get_write_buffer_size() if one.wire and not one.wire.closed else 0
            if waiting > pipeline.config.forward.buffer_bytes_max + TAIL_BYTES_MAX:
                self.found(f"{waiting} bytes wait for the {one.name} subscriber")
        if pipeline.failure is not None:
            self.found(f"a callback failed: {pipeline.failure}", pipeline.failure)

    # -- at the end

    async def judge_again(self, pipeline: Pipeline) -> None:
        """What the journal holds, judged once more by a filter that knows nothing else: the same bytes come out."""
        if pipeline.journal.trimmed:
            return                       # what it was told before is gone
        judging = Filter(pipeline.journal.first + 1, paths_max=pipeline.config.paths.max, hash_key=OTHER_KEY)
        try:
            async with aclosing(StoredRows(pipeline.journal, pipeline.outcomes)(0)) as entries:
                async for first, batch, outcome in entries:
                    if judging.apply(first, batch) != outcome.encode():
                        self.found(f"the rows from {first} on are judged in another way by the journal alone")
                    if self.wrong or judging.position >= pipeline.judged():
                        break
            judging.check()
        except (AssertionError, Trimmed) as error:
            self.found(f"judged again: {error}", error)
        self.world.counts["judged again"] += 1

    def of(self, account: str) -> Any:
        return next(one for one in self.world.transmitters if one.account == account)

    def unsettled(self) -> str:
        """Say what is not as it must be in the end; empty when all is."""
        world, life = self.world, self.world.life
        if life is None or not life.listens:
            return "no engine"
        for one in world.transmitters:
            if one.alive and one.waiting:
                return f"{one.account}: signal {one.waiting[0].sequence} is not acknowledged"
        pipeline = life.pipeline
        if pipeline.outcomes_trouble or pipeline.journal_trouble:
            return f"trouble: {pipeline.outcomes_trouble or pipeline.journal_trouble}"
        durable = pipeline.journal.durable().number
        if durable >= pipeline.journal.first and pipeline.store.counters.position < durable:
            return f"stored up to {pipeline.store.counters.position} of {durable}: {pipeline.store.counters.last_error}"
        for one in world.transmitters:
            for number in pipeline.paths.paths_of(f"dc09:{one.account}"):
                shown = pipeline.paths.show(number)
                state = shown["state"]
                if shown["supervision_ms"] is None:
                    continue             # stood for it until it spoke
                if state != ("up" if one.alive else "fault"):
                    return f"{one.account}, {'alive' if one.alive else 'dead'}, is {state}"
        failed = [f"{check.name}: {check.detail}" for check in pipeline.view.ready() if not check.ok]
        if failed:
            return f"not ready: {failed}"
        steady = world.subscribers[0]
        missing = {row["number"] for row in self.due_events()} - {int(number) for number in steady.events}
        return f"events {sorted(missing)[:3]} did not come" if missing else ""

    def due_events(self) -> list[dict[str, Any]]:
        """Return the stored events that the steady subscriber must have: it came a moment after the first engine."""
        return [row for row in self.world.database.tables.events if row["number"] > self.world.subscribers[0].began]

    def settled(self) -> bool:
        return not self.unsettled()

    def look_at_the_end(self) -> None:
        """Everything is at rest: compare."""
        self.done = True
        self.signals()
        self.line_faults()
        self.events()
        self.shown()

    def signals(self) -> None:
        """Acknowledged: stored once. Not acknowledged: stored once or not at all. And nothing that nobody sent."""
        refused = {number for number, what in self.world.database.tables.refused if what == "signal"}
        stored: dict[tuple[str, int], list[Any]] = defaultdict(list)
        ids: Counter[int] = Counter()
        for row in self.world.database.tables.signals:
            ids[row["id"]] += 1
            if row["native"] != "line_fault":
                stored[row["account"], row["sequence"]].append(row)
        for number in sorted(number for number, times in ids.items() if times > 1):
            self.found(f"row {number} is stored {ids[number]} times")
        sent = {(signal.account, signal.sequence): signal for one in self.world.transmitters for signal in one.signals}
        for key, rows in stored.items():
            if key not in sent:
                self.found(f"stored and never sent: {key}")
            elif len(rows) > 1:
                self.found(f"stored {len(rows)} times: {key}, rows {[row['id'] for row in rows]}")
            elif bytes(rows[0]["raw"]) not in sent[key].frame or str(MARKER + key[1]) not in rows[0]["point"]:
                self.found(f"stored otherwise than sent: {key}: {rows[0]}")
        lost = [key for key, signal in sent.items() if signal.acknowledged and key not in stored]
        if len(lost) > len(refused):
            self.found(f"acknowledged and not stored: {lost}")

    def line_faults(self) -> None:
        """One raise and one clear for each fault."""
        last: dict[int, str] = {}
        for row in sorted(self.world.database.tables.signals, key=lambda row: row["id"]):
            if row["native"] == "line_fault" and row["account"] not in self.world.refused_accounts:
                if last.get(row["path"], "cleared") == row["state"]:
                    self.found(f"line fault of {row['account']} is {row['state']} twice in a row")
                last[row["path"]] = row["state"]

    def events(self) -> None:
        """What a verdict forwards has come out, under one number, and as it is stored."""
        tables, steady = self.world.database.tables, self.world.subscribers[0]
        refused = {number for number, what in tables.refused if what == "event"}
        numbers = Counter(row["number"] for row in tables.events)
        for number in sorted(number for number, times in numbers.items() if times > 1):
            self.found(f"event {number} is stored twice")
        last = {row["alarm_id"]: row["number"] for row in sorted(tables.events, key=lambda row: row["number"])}
        last.pop(None, None)                 # a mass loss is no alarm
        if last != tables.alarms and not refused:
            self.found(f"alarms do not stand at their last events: {set(last.items()) ^ set(tables.alarms.items())}")
        for row in self.due_events():
            told = steady.events.get(str(row["number"]))
            if told is None or told != row["data"]:
                self.found(f"event {row['number']} was not forwarded as it is stored")
        earlier = {row["signal_id"] for row in tables.events if row["number"] <= steady.began}
        forwarded = {int(told["data"]["signal_id"]) for told in steady.events.values()}
        for row in tables.signals:
            wanted = row["verdict"] == "forward" and row["class"] in ALARM_CLASSES and row["state"] == "raised"
            if wanted and row["id"] not in forwarded | earlier:
                self.found(f"signal {row['id']} of {row['account']} was not forwarded")
        strange = set(steady.events) - {str(number) for number in [*numbers, *refused]}
        if strange:
            self.found(f"events {sorted(strange)[:3]} were forwarded and are not stored")
        for subscriber in self.world.subscribers:
            if subscriber.gaps:
                self.found(f"the {subscriber.name} subscriber was told of gaps: {subscriber.gaps}")

    def shown(self) -> None:
        """A fire that the journal refused was shown all the same to who listened."""
        steady = self.world.subscribers[0]
        told = {(data["account"], data["point"]) for data in steady.shown}
        for account, point in self.lost_fires:
            if (account, point) not in told:
                self.found(f"a fire of {account} at {point} that the journal refused was not shown")
