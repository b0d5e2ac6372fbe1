"""What differs, gathered alarm by alarm, in words and for machines."""
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from codec.batch import Batch
from codec.words import CLASS_TEXT, CONDITION_TEXT, PROTOCOL_TEXT
from engine.filter.outcome import Outcome
from engine.filter.rule_file import FIRST_RULE, Rulebook
from engine.filter.rules import Rule
from engine.replay.history import History
from engine.replay.judging import Judged

ALARMS_KNOWN_MAX = 1_000_000     # so many that differ are told apart; more are not counted
RULE_NAMES = {int(rule): name.removeprefix("RULE_").lower().replace("_", "-")
              for name, rule in Rule.__members__.items()}


@dataclass(frozen=True, slots=True)
class Side:
    """What one set of rules made of a signal: the verdict, and the event where one left."""

    verdict: str
    reason: str
    rule: str
    rule_version: int
    type: str = ""
    verification: str = ""
    priority: int = 0

    @property
    def kind(self) -> str:
        """What a subscriber gets: forwarded, held, or nothing: stored."""
        return "forwarded" if self.type else "held" if self.verdict == "hold" else "stored only"

    def words(self) -> str:
        """Say it in one line."""
        rule = f"rule {self.rule}, version {self.rule_version}" if self.rule else "no rule"
        if not self.type:
            return f"{self.kind} ({self.reason.replace('_', ' ')}); {rule}"
        why = "" if self.reason in ("", "alarm") else f", {self.reason.replace('_', ' ')}"
        return f"{self.kind} as {self.type}, {self.verification}, priority {self.priority}{why}; {rule}"

    def json(self) -> dict[str, Any]:
        """Return it for machines."""
        event = {"type": self.type, "verification": self.verification, "priority": self.priority} if self.type else None
        return {"outcome": self.kind.replace(" ", "_"), "verdict": self.verdict, "reason": self.reason,
                "rule": self.rule, "rule_version": self.rule_version, "event": event}


@dataclass(slots=True)
class Changed:
    """One alarm, or one signal that made none, of which the two sides say different things.

    number       of the signal that raised it, which is the alarm's id; or of the signal
    is_alarm     whether any side made an event of it
    was, would   None: nothing there
    differences  events and signals of it that differ; the sides are those of the first
    """

    number: int
    is_alarm: bool
    opened_ns: int
    transmitter: str
    facility: str = ""
    facility_name: str = ""
    area: str = ""
    first: Mapping[str, object] | None = None
    was: Side | None = None
    would: Side | None = None
    differences: int = 0
    kinds: set[str] = field(default_factory=set)

    def json(self) -> dict[str, Any]:
        """Return it for machines."""
        first = self.first
        return {
            "alarm_id" if self.is_alarm else "signal_id": str(self.number), "first_received_ns": self.opened_ns,
            "transmitter": self.transmitter, "facility": self.facility or None,
            "facility_name": self.facility_name or None, "area": self.area or None,
            "first_signal": None if first is None else {
                "class": named(CLASS_TEXT, first["class"]), "condition": named(CONDITION_TEXT, first["condition"]),
                "point": first["point"], "native": first["native"]},
            "was": self.was.json() if self.was else None, "would_be": self.would.json() if self.would else None,
            "differences": self.differences}


class Telling:
    """Collects what differs; the first `limit` alarms are kept to be shown, all are counted."""

    def __init__(self, books: Mapping[int, Rulebook], other: Rulebook, limit: int) -> None:
        self._books = books
        self._other = other
        self._limit = limit
        self._known: set[int] = set()
        self.changed: dict[int, Changed] = {}
        self.alarms = 0
        self.signals = 0

    @property
    def cut(self) -> bool:
        """Whether there were so many alarms that the last of them were not told apart."""
        return len(self._known) >= ALARMS_KNOWN_MAX

    def take(self, judged: Judged) -> None:
        """Take in what differs in one batch."""
        for row, was, would, alarm in judged.differing:
            full = len(self.changed) >= self._limit
            if alarm is None:
                assert row is not None
                self.signals += 1
                if not full:
                    self.take_signal(judged, row)
                continue
            if alarm not in self._known and not self.cut:
                self._known.add(alarm)
                self.alarms += 1
            if not full or alarm in self.changed:
                self.take_event(judged, row, None if was is None else judged.was.event(was),
                                None if would is None else judged.would.event(would))

    def take_event(self, judged: Judged, row: int | None, one: dict[str, Any] | None,
                   other: dict[str, Any] | None) -> None:
        event = one or other
        assert event is not None
        number = event["alarm"]
        changed = self.changed.get(number)
        if changed is None:
            changed = self.changed[number] = begun(event, judged.batch)
        if row is not None and event["signal"] == number:
            changed.first = judged.batch.row(row)
        if not changed.differences:
            changed.was = self.side(judged.was, row, one, self._books)
            changed.would = self.side(judged.would, row, other, {self._other.version: self._other})
        changed.differences += 1

    def take_signal(self, judged: Judged, row: int) -> None:
        number = judged.first + row
        first = judged.batch.row(row)
        ns = first["received_ns"]
        assert isinstance(ns, int)
        self.changed[number] = Changed(
            number, False, ns, key_of(first), first=first, differences=1,
            was=self.side(judged.was, row, None, self._books),
            would=self.side(judged.would, row, None, {self._other.version: self._other}))

    def side(self, outcome: Outcome, row: int | None, event: dict[str, Any] | None,
             books: Mapping[int, Rulebook]) -> Side | None:
        """Return what one side says, None where it says nothing."""
        if row is None and event is None:
            return None
        verdict = {"verdict": "forward", "reason": "", "rule": 0, "rule_version": 0} if row is None \
            else outcome.verdict(row)
        number, version = verdict["rule"], verdict["rule_version"]
        assert isinstance(number, int) and isinstance(version, int)
        if event is None:
            return Side(str(verdict["verdict"]), str(verdict["reason"]), rule_name(number, version, books), version)
        return Side(str(verdict["verdict"]), event.get("reason") or str(verdict["reason"]),
                    event.get("rule") or rule_name(number, version, books), event.get("rule_version") or version,
                    event["type"], event["verification"], event["priority"])

    def complete(self, history: History) -> None:
        """Look up the first signals of alarms whose difference began later."""
        for changed in self.changed.values():
            if changed.first is None:
                changed.first = history.row(changed.number)


def begun(event: dict[str, Any], batch: Batch) -> Changed:
    """Begin with what the event says of its place; an event of a whole network has no transmitter, and its JSON."""
    if event["json"]:
        key = str(orjson.loads(event["json"])["data"].get("network") or "")
    else:
        who = event if event["row"] is None else batch.row(event["row"])
        key = key_of(who) if who["account"] else ""
    return Changed(event["alarm"], True, event["opened_ns"], key, facility=event["facility"],
                   facility_name=event["facility_name"], area=event["area"])


def key_of(row: Mapping[str, object]) -> str:
    return f"{named(PROTOCOL_TEXT, row['protocol'])}:{row['account']}" + (f"@{row['realm']}" if row["realm"] else "")


def rule_name(number: int, version: int, books: Mapping[int, Rulebook]) -> str:
    """Return the name of a rule by the numbers of a verdict; those of an unknown book keep their number."""
    if number < FIRST_RULE:
        return RULE_NAMES.get(number, str(number)) if number else ""
    book = books.get(version)
    return book.rule_name(number) if book and book.rule_name(number) else str(number)


def named(texts: dict[int, str], number: object) -> str:
    assert isinstance(number, int)
    return texts.get(number, str(number))
