"""The filter against its slow model (filter_model.py), on random rows, cut into batches and restarted anywhere."""
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.batch import Batch
from codec.words import CLASS_TEXT, CONDITION_TEXT, Condition, Flag, RowKind
from engine.changes import NO_PATH
from engine.config import ConfigError
from engine.filter.filter import Filter
from engine.filter.outcome import Outcome
from engine.filter.rule_file import (
    BY_COINCIDENCE,
    CLASSES,
    FACILITY_WAYS,
    SECONDS,
    Rulebook,
    WrittenRule,
    default_rulebook,
)
from engine.words import KIND_TEXT, REASON_TEXT, Change
from tests.unit.filter_model import Model, Row, S

FIRST = 1_767_225_600_000_000
START = 1_767_225_600
ALARMS = (1, 2, 3)
words = st.lists(st.sampled_from(SECONDS), min_size=1, unique=True).map(tuple)
rules = st.builds(
    WrittenRule, name=st.sampled_from(["a", "b", "c"]),
    classes=st.lists(st.sampled_from(CLASSES), unique=True).map(tuple),
    conditions=st.lists(st.sampled_from(["smoke", "heat", "fire", "manual_call_point"]), unique=True).map(tuple),
    kinds=st.lists(st.sampled_from(["hotel", "other"]), unique=True).map(tuple),
    ways=st.lists(st.sampled_from(FACILITY_WAYS), unique=True).map(tuple),
    areas=st.lists(st.sampled_from(["40", "17257", "vinh-1"]), unique=True).map(tuple),
    verified=st.sampled_from(["at_once", "none", "coincidence", "human", "as_facility"]), seconds=words,
    within_ns=st.sampled_from([60 * S, 600 * S]), priority=st.integers(-5, 5)).map(
        lambda rule: rule if rule.verified in BY_COINCIDENCE else replace(rule, seconds=(), within_ns=0))
last = rules.map(lambda rule: replace(rule, name="last", classes=(), conditions=(), kinds=(), ways=(), areas=()))


@st.composite
def books(draw: Any) -> Rulebook:
    """Any rulebook whose last rule fits everything; some of it comes from the shipped one."""
    book = default_rulebook()
    if draw(st.booleans()):
        book = replace(book, rules=(*draw(st.lists(rules, max_size=3)), draw(last)))
    book = replace(book, version=draw(st.integers(1, 9)), accept_within_ns=draw(st.sampled_from([0, 30 * S, 300 * S])),
                   security=draw(st.booleans()), chatter=replace(book.chatter, times=draw(st.sampled_from([2, 3]))))
    try:
        return Rulebook.from_json(book.to_json())
    except ConfigError:                  # one name twice, or a rule that is never reached
        return Rulebook.from_json(replace(book, rules=book.rules[-1:]).to_json())


shared = {"account": st.sampled_from(["0A", "0B", "0C"]),
          "point": st.sampled_from(["", "1", "1", "2", "01/003", "01/4"]),
          "step": st.sampled_from([0, 0, 1, 5, 20, 40, 100, 700]),
          "path": st.sampled_from([1, 1, 1, 2, 2, 3, 999, 1000, NO_PATH])}       # 1000 is beyond the table
signals = st.fixed_dictionaries({
    **shared, "kind": st.just(RowKind.ROW_SIGNAL),
    "signal_class": st.sampled_from([*[1] * 8, 2, 3, 4, 5, 6, 6, 8, 9, 10]),
    "condition": st.sampled_from([0, 2, 2, 3, 5, 6, 9, 20, 66, 67, 121, 122, 123, 124]),
    "state": st.sampled_from([1, 1, 1, 2, 2, 3, 0]),
    "flags": st.sampled_from([0, 0, 0, 0, 0, Flag.FLAG_LATE, Flag.FLAG_OLD, Flag.FLAG_QUARANTINED, Flag.FLAG_CUT])})
changes = st.fixed_dictionaries({
    **shared, "kind": st.just(RowKind.ROW_CHANGE), "condition": st.sampled_from([
        Change.CHANGE_FACILITY, Change.CHANGE_TRANSMITTER, Change.CHANGE_POINT, Change.CHANGE_TEST, Change.CHANGE_TEST,
        Change.CHANGE_ANSWER, Change.CHANGE_ANSWER, Change.CHANGE_ACCEPT, Change.CHANGE_CLOSE, Change.CHANGE_RULES]),
    "facility": st.sampled_from(["", "F1", "F1", "F2"]), "word": st.sampled_from(["smoke", "heat", ""]),
    "way": st.sampled_from(FACILITY_WAYS), "back": st.integers(1, 12), "gone": st.sampled_from([False, False, True]),
    "book": books()})
ticks = st.fixed_dictionaries({**shared, "kind": st.just(RowKind.ROW_TICK)})
enrolments = st.fixed_dictionaries({**shared, "kind": st.just(RowKind.ROW_ENROLMENT)})      # also of a path in use
rows = st.lists(signals | signals | signals | changes | ticks | enrolments, max_size=50)


def native_of(row: Row, number: int) -> str:
    """The text of a change."""
    kind, facility = row["condition"], row["facility"] or "F1"
    if kind == Change.CHANGE_FACILITY:
        return facility if row["gone"] else "\t".join(
            [facility, "40", "17257", "vinh-1", "hotel" if row["word"] else "other", row["way"], "Khách sạn"])
    if kind == Change.CHANGE_TRANSMITTER:
        return "" if row["gone"] else f"{row['facility']}\t0\t0\t0\tnetwork"
    if kind == Change.CHANGE_POINT:
        return "" if row["gone"] else f"{row['word']}\t{'north' if row['gone'] else ''}"
    if kind == Change.CHANGE_TEST:
        until = 0 if row["gone"] else row["received_ns"] // 1000 + 60_000_000
        return f"{until}\t{row['facility']}\tan installer\tyearly"
    if kind == Change.CHANGE_RULES:
        return str(row["book"].to_json())
    words = {Change.CHANGE_ANSWER: f"\t{'false' if row['gone'] or row['word'] else 'true'}"}
    return f"{number - row['back']}{words.get(kind, '')}\tan officer\tseen"


def dated(given_rows: list[Row]) -> list[Row]:
    """Rows as they are added to a batch, with their times and texts."""
    now, out = START * S, []
    for index, row in enumerate(given_rows):
        now += row["step"] * S
        made = {"signal_class": 0, "condition": 0, "state": 0, "flags": 0, "native": "n", **row, "protocol": 1,
                "received_ns": now}
        if row["kind"] == RowKind.ROW_CHANGE:
            made["native"] = native_of(made, FIRST + index)
        out.append({key: made[key] for key in ("kind", "account", "point", "path", "signal_class", "condition", "state",
                                               "flags", "native", "protocol", "received_ns")})
    return out


def batch_of(made: list[Row]) -> Batch:
    batch = Batch(max(len(made), 1), 1 << 18)
    for row in made:
        assert batch.add(**row)
    return batch


def filter_of(book: Rulebook, key: bytes = bytes(16), **settings: Any) -> Filter:
    return Filter(FIRST + 1, rules=book, paths_max=1000, hash_key=key, **{"alarms_max": 100, **settings})


def told(encoded: bytes) -> tuple[list[Any], list[Any]]:
    outcome = Outcome.view(encoded)
    return ([outcome.verdict(row) for row in range(len(outcome))],
            [outcome.event(index) for index in range(outcome.events_in)])


@settings(max_examples=400, deadline=None)
@given(rows, books())
def test_the_filter_does_what_the_model_does(given_rows: list[Row], book: Rulebook) -> None:
    made = dated(given_rows)
    subject, model = filter_of(book), Model(book, FIRST + 1)
    verdicts, events = told(subject.apply(FIRST, batch_of(made))) if made else ([], [])
    expected = [model.judge(FIRST + index, row) for index, row in enumerate(made)]
    assert [(v["verdict"], v["reason"]) for v in verdicts] == expected
    keys = ("number", "type", "reason", "alarm", "signal", "class", "verification", "priority", "detectors", "accepted",
            "revision", "count", "confirms")
    found = [(*(event[key] for key in keys), json.loads(event["json"])["data"]["facility"] or "") for event in events]
    assert found == model.events
    subject.check()
    model_open = [(str(a.id), a.verification, a.priority, a.answered, a.chatters, a.revision,
                   [(str(i.signal), CLASS_TEXT[i.signal_class], i.point) for i in a.items])
                  for a in sorted(model.open.values(), key=lambda a: a.id)]
    assert [(a["alarm_id"], a["verification"], a["priority"], a["answered"], a["chatters"], a["revision"],
             [(i["signal_id"], i["class"], i["point"]) for i in a["open"]])
            for a in subject.open_alarms()] == model_open


@settings(max_examples=100, deadline=None)
@given(rows, books())
def test_a_silent_filter_judges_the_same(given_rows: list[Row], book: Rulebook) -> None:
    made = dated(given_rows)
    loud, silent = filter_of(book), filter_of(book, silent=True)
    if not made:
        return
    verdicts, events = told(loud.apply(FIRST, batch_of(made)))
    assert all(event["json"] and event["block"] for event in events)
    without = [{**event, "json": b"", "block": b""} for event in events]
    assert told(silent.apply(FIRST, batch_of(made))) == (verdicts, without)
    assert b"".join(loud.save()) == b"".join(silent.save())


@settings(max_examples=150, deadline=None)
@given(rows, books(), st.lists(st.integers(1, 12)), st.sets(st.integers(0, 12)), st.sampled_from([0, 1, 3, 100]),
       st.binary(min_size=16, max_size=16))
def test_cuts_restarts_and_hash_keys_change_nothing(
        given_rows: list[Row], book: Rulebook, cuts: list[int], restarts: set[int], alarms_max: int,
        key: bytes) -> None:
    made = dated(given_rows)
    whole, parts = filter_of(book, alarms_max=alarms_max), filter_of(book, key, alarms_max=alarms_max)
    verdicts, events = told(whole.apply(FIRST, batch_of(made)))
    found: tuple[list[Any], list[Any]] = [], []
    at = step = 0
    while at < len(made):
        size = cuts[step] if step < len(cuts) else len(made)
        more = told(parts.apply(FIRST + at, batch_of(made[at:at + size])))
        parts.check()
        found[0].extend(more[0])
        found[1].extend(more[1])
        if step in restarts:
            saved = b"".join(parts.save())
            parts = filter_of(default_rulebook(), key[::-1], alarms_max=alarms_max)
            parts.load(saved)
            parts.check()
            assert b"".join(parts.save()) == saved
        at, step = at + size, step + 1
    assert found[0] == verdicts
    assert [event["block"] for event in found[1]] == [event["block"] for event in events]
    assert b"".join(parts.save()) == b"".join(whole.save())


@settings(max_examples=200, deadline=None)
@given(rows, books(), st.permutations([1, 2, 3, 999]))
def test_it_does_not_matter_whose_a_path_is(given_rows: list[Row], book: Rulebook, other: list[int]) -> None:
    """Enrolments give the paths to others: who speaks is then found by name, and all is told as before."""
    made = dated(given_rows)
    moved = [{**row, "path": dict(zip([1, 2, 3, 999], other, strict=True)).get(row["path"], row["path"])}
             if row["kind"] == RowKind.ROW_ENROLMENT else row for row in made]
    subject, twin = filter_of(book), filter_of(book)
    assert subject.apply(FIRST, batch_of(made)) == twin.apply(FIRST, batch_of(moved))
    assert subject.open_alarms(ended=True) == twin.open_alarms(ended=True)
    assert subject.with_conditions() == twin.with_conditions()
    twin.check()


@settings(max_examples=200, deadline=None)
@given(rows, books(), st.sampled_from([0, 1, 100]))
def test_no_rows_and_no_rules_keep_an_alarm_inside(given_rows: list[Row], book: Rulebook, alarms_max: int) -> None:
    made = dated(given_rows)
    subject = filter_of(book, alarms_max=alarms_max)
    encoded = subject.apply(FIRST, batch_of(made))
    verdicts, events = told(encoded)
    by_row = {(event["signal"], event["type"]): event for event in events
              if event["row"] is not None and event["state"] != 2}
    for index, (row, verdict) in enumerate(zip(made, verdicts, strict=True)):
        if row["kind"] == RowKind.ROW_SIGNAL and row["signal_class"] in ALARMS and row["state"] != 2:
            event = by_row.get((FIRST + index, "raised")) or by_row[FIRST + index, "updated"]
            assert event["verification"] in ("unconfirmed", "confirmed", "test", "late", "false")
            assert event["reason"] == verdict["reason"] in REASON_TEXT.values()
            assert verdict["verdict"] == "forward"
            assert verdict["rule"]
            assert verdict["rule_version"]
    kinds: dict[int, list[str]] = {}
    for event in events:
        kinds.setdefault(event["alarm"], []).append(event["type"])
    assert all(steps[0] == "raised" and steps.count("raised") == 1 and steps.count("cleared") <= 1
               for steps in kinds.values())
    assert [event["number"] for event in events] == list(range(FIRST + 1, FIRST + 1 + len(events)))
    assert filter_of(book, b"another key 1234", alarms_max=alarms_max).apply(FIRST, batch_of(made)) == encoded


@settings(max_examples=60, deadline=None)
@given(rows, books())
def test_showing_remembers_nothing_and_tells_every_alarm(given_rows: list[Row], book: Rulebook) -> None:
    made = dated(given_rows)
    subject = filter_of(book)
    subject.apply(FIRST, batch_of(made))
    before = b"".join(subject.save())
    _, events = told(subject.show(batch_of(made)))
    assert b"".join(subject.save()) == before
    assert {event["row"] for event in events} >= {index for index, row in enumerate(made) if row["kind"] == 1
                                                  and row["signal_class"] in ALARMS}
    assert all(event["number"] == 0 and event["type"] != "cleared" for event in events)


noise = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
fields = st.lists(noise | st.sampled_from([
    "F1", "40", "hotel", "human", "true", "false", str(FIRST), "-1", "9" * 30, "0", "smoke", "vinh-1", "x" * 200]),
    max_size=9).map("\t".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), fields, noise, noise), max_size=8))
def test_changes_that_cannot_be_read_end_and_answer_nothing(said: list[tuple[int, str, str, str]]) -> None:
    subject = filter_of(default_rulebook())
    fire: Row = {"protocol": 1, "account": "0A", "point": "1", "signal_class": 1, "state": 1, "received_ns": START * S}
    subject.apply(FIRST, batch_of([fire]))
    made = [{"kind": RowKind.ROW_CHANGE, "condition": kind, "native": native, "account": account, "point": point,
             "protocol": 1, "received_ns": START * S} for kind, native, account, point in said]
    _, events = told(subject.apply(FIRST + 1, batch_of([*made, {**fire, "account": "0B"}])))
    subject.check()
    saved = b"".join(subject.save())
    twin = filter_of(default_rulebook())
    twin.load(saved)
    assert b"".join(twin.save()) == saved
    assert events[-1]["type"] == "raised"
    for event in events:
        json.loads(event["json"])
    answered = any(kind == Change.CHANGE_ANSWER and native.split("\t")[:2] == [str(FIRST), "false"]
                   for kind, native, *_ in said)
    closed = any(kind == Change.CHANGE_CLOSE and native.split("\t")[0] == str(FIRST) for kind, native, *_ in said)
    alarm = subject.alarm(FIRST)
    assert alarm is not None or closed
    assert answered or alarm is None or alarm["verification"] != "false"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_snapshot_that_was_touched_is_refused_or_harmless(data: Any) -> None:
    made = dated(data.draw(rows))
    subject = filter_of(default_rulebook())
    subject.apply(FIRST, batch_of(made))
    saved = bytearray(b"".join(subject.save()))
    for _ in range(data.draw(st.integers(1, 4))):
        saved[data.draw(st.integers(0, len(saved) - 1))] = data.draw(st.sampled_from([0, 1, 2, 64, 65, 127, 200, 255]))
    twin = filter_of(default_rulebook())
    try:
        twin.load(bytes(saved))
    except ValueError:
        assert twin.alarms_open == 0
        return
    twin.open_alarms(ended=True)
    tick = {"kind": RowKind.ROW_TICK, "received_ns": 2 * START * S}
    move = {"kind": RowKind.ROW_CHANGE, "condition": Change.CHANGE_FACILITY, "native": "F1\t1\t\t\thotel\tnone\tx"}
    known = {"kind": RowKind.ROW_CHANGE, "condition": Change.CHANGE_READ, "native": "x\t1"}
    fire = {"protocol": 1, "account": "0A", "point": "1", "signal_class": 1, "state": 1}
    if twin.position < 2**63 and twin.next_event < 2**63:
        _, events = told(twin.apply(twin.position + 1, batch_of([fire, move, known, tick, fire])))
        assert len(events) >= 2
    b"".join(twin.save())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_bytes_are_no_snapshot(saved: bytes) -> None:
    with pytest.raises(ValueError):      # noqa: PT011 - each table has its own words for it
        filter_of(default_rulebook()).load(saved)


assert set(KIND_TEXT.values()) >= {"hotel", "other"} and CONDITION_TEXT[Condition.CONDITION_SMOKE] == "smoke"
