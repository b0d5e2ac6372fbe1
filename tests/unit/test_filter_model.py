"""The filter against a slow model in plain Python, on random signals, cut into batches and restarted anywhere."""
import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from codec.batch import Batch
from codec.words import CLASS_TEXT, Condition, Flag, RowKind, SignalClass, State
from engine.filter.filter import Filter
from engine.filter.outcome import Outcome

FIRST = 1_767_225_600_000_000
RANK = {SignalClass.CLASS_FIRE: 2, SignalClass.CLASS_GAS: 3, SignalClass.CLASS_PREALARM: 4,
        SignalClass.CLASS_MEDICAL: 5, SignalClass.CLASS_SECURITY: 6}
TRUTH = ["none", "late", "unconfirmed", "confirmed"]
SURE = (Condition.CONDITION_MANUAL_CALL_POINT, Condition.CONDITION_WATERFLOW, Condition.CONDITION_FIRE_CONFIRMED)
Signal = dict[str, Any]

signals = st.lists(st.fixed_dictionaries({
    "kind": st.sampled_from([RowKind.ROW_SIGNAL] * 9 + [RowKind.ROW_TICK]),
    "protocol": st.just(1) | st.just(2),
    "account": st.sampled_from(["0001", "0002", "0003"]),
    "realm": st.sampled_from(["", "", "north"]),
    "point": st.sampled_from(["", "1", "2", "01/003"]),
    "signal_class": st.sampled_from([1, 1, 1, 1, 2, 3, 8, 9, *range(4, 8), 10]),
    "state": st.sampled_from([1, 1, 1, 2, 2, 2, 3, 0]),
    "condition": st.sampled_from([0, 2, 3, 5, 6, 9, 10, 20, 66, 67, 121, 122, 123, 124]),
    "flags": st.sampled_from([0, 0, 0, Flag.FLAG_LATE, Flag.FLAG_OLD, Flag.FLAG_QUARANTINED, Flag.FLAG_CUT]),
}), max_size=60)


@dataclass
class Place:
    """The alarm open at one place, as the model keeps it."""

    alarm: int
    items: dict[tuple[int, str], int] = field(default_factory=dict)
    signal_class: int = 0
    priority: int = 9
    verification: str = "none"
    count: int = 0
    revision: int = 0
    event: int = 0


class Model:
    """What the filter should do, without a thought for speed."""

    def __init__(self, security: bool, alarms_max: int) -> None:
        self.security, self.alarms_max = security, alarms_max
        self.places: dict[tuple[int, str, str], Place] = {}
        self.next_event = FIRST + 1

    def judge(self, number: int, row: Signal) -> tuple[str, str, tuple[Any, ...] | None]:
        key, signal_class = (row["protocol"], row["account"], row["realm"]), row["signal_class"]
        if row["kind"] != RowKind.ROW_SIGNAL:
            return "none", "none", None
        if signal_class not in RANK:
            return "suppress", "state", None
        off = signal_class == SignalClass.CLASS_MEDICAL or (
            signal_class == SignalClass.CLASS_SECURITY and not self.security)
        if row["state"] == State.STATE_CLEARED:
            place = self.places.get(key)
            items = place.items if place else {}
            gone = [item for item in items if item[0] == signal_class and row["point"] in ("", item[1])]
            if not place or not gone:
                return "suppress", "class_off" if off else "no_alarm_open", None
            for item in gone:
                del place.items[item]
            if not place.items:
                del self.places[key]
            return "forward", "restore", self.event(place, "updated" if place.items else "cleared")
        if off:
            return "suppress", "class_off", None
        if signal_class == SignalClass.CLASS_SECURITY and row["state"] != State.STATE_RAISED:
            return "suppress", "state", None
        place, kind = self.places.get(key), "updated"
        if place is None:
            place, kind = Place(number), "raised"
            if len(self.places) < self.alarms_max:
                self.places[key] = place
        self.rise(place, row)
        place.items.setdefault((signal_class, row["point"]), number)
        return "forward", "alarm", self.event(place, kind)

    def rise(self, place: Place, row: Signal) -> None:
        fire = row["signal_class"] == SignalClass.CLASS_FIRE
        truth = "late" if row["flags"] & (Flag.FLAG_LATE | Flag.FLAG_OLD) else "unconfirmed"
        if fire and row["condition"] in SURE and not row["flags"] & (
                Flag.FLAG_LATE | Flag.FLAG_OLD | Flag.FLAG_QUARANTINED):
            truth = "confirmed"
        priority = 1 if fire and truth == "confirmed" else RANK[row["signal_class"]]
        if priority < place.priority:
            place.priority, place.signal_class = priority, row["signal_class"]
        place.verification = max(place.verification, truth, key=TRUTH.index)
        place.count += 1

    def event(self, place: Place, kind: str) -> tuple[Any, ...]:
        place.revision += 1
        place.event, self.next_event = self.next_event, self.next_event + 1
        return (place.event, kind, place.alarm, place.signal_class, place.verification, place.priority, place.revision,
                place.count)


def filter_of(security: bool, alarms_max: int, key: bytes = b"0123456789abcdef") -> Filter:
    return Filter(FIRST + 1, security=security, alarms_max=alarms_max, hash_key=key)


def batch_of(rows: list[Signal], first: int) -> Batch:
    batch = Batch(max(len(rows), 1), 16384)
    for index, row in enumerate(rows):
        made = row if row["kind"] == RowKind.ROW_SIGNAL else {**row, "signal_class": 0, "state": 0, "condition": 0}
        assert batch.add(**made, received_ns=(first + index) * 1000, native=f"native {first + index}")
    return batch


def told(encoded: bytes, first: int) -> tuple[list[Any], list[Any]]:
    """Verdicts and events of an outcome, rows counted from the journal's first number."""
    outcome = Outcome.view(encoded)
    events = [outcome.event(index) for index in range(outcome.events_in)]
    for event in events:
        event["row"] += first  # type: ignore[operator]
    return [outcome.verdict(row) for row in range(len(outcome))], events


@settings(max_examples=150, deadline=None)
@given(signals, st.booleans(), st.sampled_from([0, 1, 2, 100]))
def test_the_filter_does_what_the_model_does(rows: list[Signal], security: bool, alarms_max: int) -> None:
    subject, model = filter_of(security, alarms_max), Model(security, alarms_max)
    verdicts, events = told(subject.apply(FIRST, batch_of(rows, FIRST)), FIRST)
    expected = [model.judge(FIRST + index, row) for index, row in enumerate(rows)]
    assert [(v["verdict"], v["reason"]) for v in verdicts] == [e[:2] for e in expected]
    keys = ("number", "type", "alarm", "class", "verification", "priority", "revision", "count")
    found = [tuple(event[key] for key in keys) for event in events]
    assert found == [e[2] for e in expected if e[2]]
    subject.check()
    assert subject.next_event == model.next_event
    open_expected = [
        (str(p.alarm), str(p.event), CLASS_TEXT[p.signal_class], p.verification, p.priority, p.revision, p.count,
         [(str(signal), CLASS_TEXT[item[0]], item[1]) for item, signal in p.items.items()])
        for p in sorted(model.places.values(), key=lambda p: p.alarm)]
    open_found = [
        (a["alarm_id"], a["event_id"], a["class"], a["verification"], a["priority"], a["revision"], a["count"],
         [(item["signal_id"], item["class"], item["point"]) for item in a["open"]])  # type: ignore[attr-defined]
        for a in subject.open_alarms()]
    assert open_found == open_expected
    assert subject.alarms_open == len(open_expected)


@settings(max_examples=100, deadline=None)
@given(signals, st.lists(st.integers(1, 20)), st.sets(st.integers(0, 30)), st.sampled_from([0, 1, 3, 100]), st.binary(
    min_size=16, max_size=16))
def test_cuts_restarts_and_hash_keys_change_nothing(
        rows: list[Signal], cuts: list[int], restarts: set[int], alarms_max: int, key: bytes) -> None:
    whole, parts = filter_of(True, alarms_max), filter_of(True, alarms_max, key)
    verdicts, events = told(whole.apply(FIRST, batch_of(rows, FIRST)), FIRST)
    verdicts_cut: list[Any] = []
    events_cut: list[Any] = []
    at = step = 0
    while at < len(rows):
        size = cuts[step] if step < len(cuts) else len(rows)
        more = told(parts.apply(FIRST + at, batch_of(rows[at:at + size], FIRST + at)), FIRST + at)
        verdicts_cut += more[0]
        events_cut += more[1]
        if step in restarts:
            saved = b"".join(parts.save())
            parts = filter_of(True, alarms_max, key[::-1])
            parts.load(saved)
            parts.check()
            assert b"".join(parts.save()) == saved
        at, step = at + size, step + 1
    assert verdicts_cut == verdicts
    assert events_cut == events
    assert parts.save() == whole.save()


@settings(max_examples=100, deadline=None)
@given(signals, st.sampled_from([0, 1, 100]))
def test_no_fire_stays_inside_and_no_alarm_is_raised_twice(rows: list[Signal], alarms_max: int) -> None:
    subject = filter_of(False, alarms_max)
    encoded = subject.apply(FIRST, batch_of(rows, FIRST))
    _, events = told(encoded, FIRST)
    fires = {FIRST + index for index, row in enumerate(rows)
             if row["kind"] == RowKind.ROW_SIGNAL and row["signal_class"] == SignalClass.CLASS_FIRE
             and row["state"] != State.STATE_CLEARED}
    assert fires <= {event["signal"] for event in events}
    life: dict[int, list[str]] = {}
    for event in events:
        life.setdefault(event["alarm"], []).append(event["type"])
    for steps in life.values():
        assert steps[0] == "raised"
        assert steps.count("raised") == 1
        assert "cleared" not in steps[:-1]
    assert [event["number"] for event in events] == list(range(FIRST + 1, FIRST + 1 + len(events)))
    assert filter_of(False, alarms_max, b"another key 1234").apply(FIRST, batch_of(rows, FIRST)) == encoded


@settings(max_examples=100, deadline=None)
@given(signals)
def test_showing_remembers_nothing_and_tells_every_alarm(rows: list[Signal]) -> None:
    subject = filter_of(False, 100)
    subject.apply(FIRST, batch_of(rows, FIRST))
    before = subject.save(), subject.verdict_counts(), subject.signal_counts(), subject.untracked
    verdicts, events = told(subject.show(batch_of(rows, FIRST)), 0)
    assert (subject.save(), subject.verdict_counts(), subject.signal_counts(), subject.untracked) == before
    assert all(verdict["verdict"] == "none" for verdict in verdicts)
    assert [event["row"] for event in events] == [
        index for index, row in enumerate(rows)
        if row["kind"] == RowKind.ROW_SIGNAL and row["signal_class"] in (1, 2, 3)]
    alarms = {(a["protocol"], a["account"], a["realm"]): a["alarm_id"] for a in subject.open_alarms()}
    for event in events:
        assert event["number"] == event["signal"] == 0
        assert event["type"] != "cleared"
        message = json.loads(event["json"])
        place = (message["data"]["protocol"], message["data"]["account"], message["data"]["realm"])
        assert message["data"]["alarm_id"] == alarms.get(place)
        assert message["data"]["durable"] is False
        assert message["id"].startswith("volatile-")
    assert len({json.loads(event["json"])["id"] for event in events}) == len(events)
