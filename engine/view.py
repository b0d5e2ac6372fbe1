"""The engine as OPERATE sees it: one object that reads from every stage and changes none."""
from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from codec.explain import account_in
from codec.words import PROTOCOL_NUMBER
from engine.history import TooOld, Transmitter, open_then
from engine.journal.space import Room
from engine.listen.commands import Command
from engine.listen.refused import REFUSAL_TEXT
from engine.operate.metrics import Metrics
from engine.operate.view import (
    Away,
    BadChange,
    Check,
    ConditionQuestion,
    Json,
    RejectedQuestion,
    SignalQuestion,
    TransmitterQuestion,
)
from engine.sources import StoredRows
from engine.store.queries import DatabaseAway
from engine.store.source import Trimmed
from engine.units import Address
from engine.version import VERSION

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

NOWHERE: Json = {"facility": None, "facility_name": None, "area": None}
STATE_RANK = {"fault": 3, "up": 2, "pending": 1, "new": 0}
PLACED_AT_ONCE = 256             # transmitters whose area is looked up before the loop may turn to others: some 1 ms
SETTLED = ("false", "test")      # nobody has to take these over


def urgency(alarm: Mapping[str, Any]) -> tuple[int, int]:
    """The order in which alarms wait: by priority, then by age."""
    return int(alarm["priority"]), int(alarm["alarm_id"])


def at(ns: int | None) -> str | None:
    """Return a time in ns since 1970 as RFC 3339 text with milliseconds."""
    if not ns:
        return None
    return datetime.fromtimestamp(ns // 1_000_000 / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class View:
    """Implements engine.operate.view.EngineView over a pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.metrics = Metrics()
        self.journal_failures: Counter[str] = Counter()
        self._engine = pipeline
        self._started_ns = pipeline.clock.wall_ns()

    def status(self) -> Json:
        engine, store = self._engine, self._engine.store.counters
        return {
            "version": VERSION, "started_at": at(self._started_ns), "now": at(engine.clock.wall_ns()),
            "listen": [{"name": listener.name, "address": str(Address(*address)), "realm": listener.realm}
                       for listener, address in engine.bound],
            "paths": engine.paths.states_in(), "alarms_open": engine.filter.alarms_open,
            "stages": {
                "intake": {"rows": len(engine.admit)},
                "journal": {key: str(value) if key in ("durable", "first_kept", "next") else value
                            for key, value in engine.journal.stat().items()} | {"trouble": engine.journal_trouble},
                "filter": {"position": str(engine.judged()), "event": str(engine.outcomes.mark)},
                "store": {"position": str(store.position), "up": store.up, "last_error": store.last_error},
                "registry": {"revision": engine.filter.registry_seen[1], "up": engine.registry.up},
                "supervise": {"listening_ms": engine.listening.listening_ms,
                              "credited_ms": engine.listening.credited_ms,
                              "impaired": engine.supervisor.impaired},
                "canary": {"last_success_at": at(engine.canary.last_ns), "stored_at": at(engine.canary.stored_ns),
                           **engine.canary.status()},
            },
            "snapshot_at": at(engine.house.snapshot_ns),
        }

    def ready(self) -> Sequence[Check]:
        engine = self._engine
        trouble = engine.journal_trouble
        if not trouble and engine.journal.room() is Room.FULL:
            trouble = "the journal is full: only fire, gas and prealarm are taken"
        return (
            Check("journal", not trouble, trouble),
            Check("outcomes", not engine.outcomes_trouble, engine.outcomes_trouble),
            Check("listeners", bool(engine.bound), "no listener is bound"),
            *engine.canary.checks(),
            Check("running", not engine.stopping.is_set(), "the engine is stopping"),
        )

    def open_alarms(self) -> tuple[int, Sequence[object]]:
        alarms = self._engine.filter.open_alarms(ended=True)
        for alarm in alarms:
            newest = alarm["open"][-1] if alarm["open"] else {}
            alarm["point"] = newest.get("point", "")
            alarm["waiting"] = None
        waiting = (alarm for alarm in alarms if not alarm["accepted"] and alarm["verification"] not in SETTLED)
        for number, alarm in enumerate(sorted(waiting, key=urgency), 1):
            alarm["waiting"] = number
        return self._engine.outcomes.mark, alarms

    def alarm(self, alarm_id: str) -> Json | None:
        number = int(alarm_id) if alarm_id.isascii() and alarm_id.isdigit() and len(alarm_id) <= 19 else 0
        return self._engine.filter.alarm(number)

    async def answer(self, alarm_id: str, action: str, asked: Mapping[str, Any]) -> Json | None:
        return await self._engine.answering.alarm(alarm_id, action, asked)

    def tests(self) -> Sequence[Json]:
        return [{"facility": mode.facility or None, "transmitter": mode.transmitter or None,
                 "point": mode.point or None, "since": at(mode.since_us * 1000), "until": at(mode.until_us * 1000),
                 "by": mode.by, "why": mode.why} for mode in self._engine.filter.tests()]

    async def test(self, asked: Mapping[str, Any]) -> Json:
        return await self._engine.answering.test(asked)

    def conditions(self, question: ConditionQuestion) -> Sequence[Json]:
        return self._engine.filter.with_conditions(question.condition, question.before_ns, question.after,
                                                   question.limit)

    async def conditions_of(self, key: str, at_ns: int | None) -> Json | None:
        engine = self._engine
        if not engine.paths.paths_of(key) and engine.filter.place(key) is None:
            return None
        rows, whole, position = engine.filter.conditions(key), True, engine.filter.position
        if at_ns is not None and at_ns < engine.clock.wall_ns():
            protocol, _, rest = key.partition(":")
            account, _, realm = rest.partition("@")
            who = Transmitter(PROTOCOL_NUMBER[protocol], account.upper().encode(), realm.encode())
            try:
                then = await open_then(StoredRows(engine.journal, engine.outcomes), who, rows, position, at_ns,
                                       trimmed=engine.journal.trimmed)
            except TooOld as error:
                raise BadChange(f"at: what is kept begins at {at(error.oldest_ns)}") from None
            except Trimmed:
                raise Away("the journal is being trimmed; ask again") from None
            rows, whole = then.rows, then.whole
        return {"transmitter": key, "conditions": rows, "whole": whole}

    def networks(self) -> Sequence[Json]:
        return self._engine.filter.mass_losses()

    def rules(self) -> Json:
        book = self._engine.filter.rules
        found: Json = orjson.loads(book.to_json())
        return found

    def transmitter(self, key: str) -> Json | None:
        numbers = self._engine.paths.paths_of(key)
        return self._transmitter(numbers) if numbers else None

    async def transmitters(self, question: TransmitterQuestion) -> Sequence[Json]:
        """Return transmitters in the order in which they were enrolled; `key` of the last is the next `after`.

        A state is wanted of any of a transmitter's paths. Where an area is asked for, the loop is given away every few
        transmitters that are looked at.
        """
        paths = self._engine.paths
        start = 0
        if question.after is not None:
            known = paths.paths_of(question.after)
            start = known[0] + 1 if known else len(paths)
        if not question.area:
            return [self._transmitter(paths.paths_of(paths.transmitter_text(number)))
                    for number in paths.scan(start, question.state, question.limit)]
        found: list[Json] = []
        while numbers := paths.scan(start, question.state, PLACED_AT_ONCE):
            start = numbers[-1] + 1
            keys = (paths.transmitter_text(number) for number in numbers)
            found += [self._transmitter(paths.paths_of(key)) for key in keys
                      if lies_in(str((self._engine.filter.place(key) or NOWHERE)["area"] or ""), question.area)]
            if len(found) >= question.limit:
                break
            await asyncio.sleep(0)
        return found[:question.limit]

    def _transmitter(self, numbers: Sequence[int]) -> Json:
        paths = self._engine.paths
        numbers = [number for number in numbers if not paths.is_expected(number)] or numbers
        shown = [paths.show(number) for number in numbers]
        for path in shown:
            for name in ("last_seen", "enrolled"):
                ms = path.pop(f"{name}_ms")
                path[f"{name}_at"] = at(ms * 1_000_000 if isinstance(ms, int) else None)
            path["deadline_at"] = self._on_the_wall(path.pop("deadline_ms"))
        states = sorted((str(path["state"]) for path in shown), key=STATE_RANK.__getitem__)
        seen = [str(path["last_seen_at"]) for path in shown if path["last_seen_at"]]
        now_ns = self._engine.clock.wall_ns()
        for number, path in zip(numbers, shown, strict=True):
            path |= self._habits(number)
            if commands := self._engine.receiver.commands_of(number, now_ns):
                path["commands"] = [shown_command(command) for command in commands]
        key = str(shown[0]["transmitter"])
        return {"key": key, "state": states[-1], "last_seen_at": max(seen, default=None), "never_heard": not seen,
                "system_fault": paths.in_system_fault(numbers[0]),
                **(self._engine.filter.place(key) or NOWHERE), "conditions": self._engine.filter.conditions(key),
                "paths": shown}

    def _on_the_wall(self, listening_ms: object) -> str | None:
        """Return when listening time comes to a value, if it goes on without a pause."""
        engine = self._engine
        if not isinstance(listening_ms, int):
            return None
        return at(engine.clock.wall_ns() + (listening_ms - engine.listening.listening_ms) * 1_000_000)

    def _habits(self, number: int) -> Json:
        """What is configured of a path's transmitter and what its frames showed; never a key."""
        habits = self._engine.paths.habits(number)
        has_key, rules = self._engine.enrolment.rules_of(number)
        status, count, ms = habits["refused_status"], habits["refused_count"], habits["refused_ms"]
        assert isinstance(status, int)
        return {"has_key": has_key, "encrypted_only": rules.encrypted_only,
                "window_s": [rules.window_past_s, rules.window_future_s], "clock_offset_s": habits["clock_offset_s"],
                "seen": habits["seen"],
                "refused": {"count": count, "reason": REFUSAL_TEXT[status],
                            "at": at(ms * 1_000_000 if isinstance(ms, int) else None)} if count else None}

    async def command(self, key: str, asked: Mapping[str, Any]) -> Json | None:
        return await self._engine.commanding.command(key, asked)

    async def signals(self, question: SignalQuestion) -> Sequence[Json]:
        try:
            rows = await self._engine.queries.signals(question.limit, question.before, question.account,
                                                      question.signal_class, question.protocol, question.realm)
        except DatabaseAway as error:
            raise Away(str(error)) from None
        for row in rows:
            row["id"] = str(row["id"])
            for name in ("received_at", "occurred_at"):
                row[name] = row[name] and row[name].isoformat().replace("+00:00", "Z")
            row["details"] = row["details"] and orjson.Fragment(row["details"])    # JSON already
        return rows

    def rejected(self, question: RejectedQuestion) -> Sequence[Json]:
        found: list[Json] = []
        for frame in self._engine.refused.newest():
            data, number = frame["bytes"], frame["received_ns"]
            assert isinstance(data, bytes) and isinstance(number, int)
            if question.before is not None and number >= question.before:
                continue
            if question.source is not None and frame["peer"] != question.source:
                continue
            account, answered = frame["account"] or account_in(data), frame["answered"]
            if question.account is not None and not is_about(question.account, account, data):
                continue
            assert isinstance(answered, bytes)
            found.append({"number": str(number), "at": at(number), "count": frame["count"],
                          "protocol": frame["protocol"], "reason": frame["reason"],
                          "peer": f"{frame['peer']}:{frame['port']}", "account": account, "size": frame["size"],
                          "bytes": data.hex(), "answered": answered.hex() or None})
            if len(found) == question.limit:
                break
        return found


def lies_in(area: str, wanted: str) -> bool:
    """Tell whether an area is the wanted one, lies under it, or has it as one of its parts."""
    return area.startswith(wanted + "/") or wanted in (area, *area.split("/"))


def is_about(wanted: str, account: object, data: bytes) -> bool:
    """Tell whether a refused frame is of an account, given as sent or as a transmitter's key.

    A frame in which no account can be read is searched for its characters.
    """
    name = wanted.partition(":")[2] or wanted
    name = name.partition("@")[0].upper()
    return name == account if account else name.encode() in data.upper()


def shown_command(command: Command) -> Json:
    return {"number": command.number, "command": command.text, "by": command.by, "state": command.state,
            "queued_at": at(command.queued_ns), "expires_at": at(command.expires_ns), "sent_at": at(command.sent_ns)}
