"""What people and second signals make of a fire, row by row, and what bad input must not do."""
import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.batch import Batch
from codec.words import Condition, Flag, RowKind, SignalClass, State
from engine.filter.filter import Filter
from engine.filter.outcome import Outcome
from engine.filter.rulebook import default_rulebook
from engine.words import Change

SECOND = 10**9
START = 1_767_225_600
KEY = bytes(range(16))
RAISED, CLEARED = State.STATE_RAISED, State.STATE_CLEARED
FIRE = SignalClass.CLASS_FIRE


class Desk:
    """A filter with a hand on it; times are seconds since the desk was opened."""

    def __init__(self, **settings_: Any) -> None:
        rules = dataclasses.replace(default_rulebook(), accept_within_ns=30 * SECOND)
        self.filter = Filter(1001, rules=rules, hash_key=KEY, **settings_)
        self.row = 1000

    def give(self, at: int, **row: Any) -> list[dict[str, Any]]:
        batch = Batch(1, 4096)
        assert batch.add(**{"protocol": 1, "account": "0123", **row}, received_ns=(START + at) * SECOND)
        outcome = Outcome.view(self.filter.apply(self.row, batch))
        self.row += 1
        self.filter.check()
        self.verdict = outcome.verdict(0)
        return [outcome.event(index) for index in range(outcome.events_in)]

    def fire(self, at: int, point: str = "1", **row: Any) -> dict[str, Any]:
        (event,) = self.give(at, **{"signal_class": FIRE, "state": RAISED, "condition": 2, "point": point, **row})
        return event

    def restore(self, at: int, point: str = "1", **row: Any) -> list[dict[str, Any]]:
        return self.give(at, **{"signal_class": FIRE, "state": CLEARED, "condition": 2, "point": point, **row})

    def change(self, at: int, kind: int, *fields: object, **row: Any) -> list[dict[str, Any]]:
        return self.give(at, kind=RowKind.ROW_CHANGE, condition=kind, native="\t".join(map(str, fields)), **row)

    def tick(self, at: int) -> list[dict[str, Any]]:
        return self.give(at, kind=RowKind.ROW_TICK)

    def facility(self, name: str, *accounts: str) -> None:
        self.change(0, Change.CHANGE_FACILITY, name, "40", "17257", "vinh-1", "hotel", "coincidence", "Sen")
        for account in accounts:
            self.change(0, Change.CHANGE_TRANSMITTER, name, 0, 0, 0, "", account=account)


def said(events: list[dict[str, Any]]) -> list[tuple[object, object]]:
    return [(event["type"], event["verification"]) for event in events]


def test_a_second_detector_confirms_and_a_second_path_does_not() -> None:
    desk = Desk()
    assert desk.fire(0)["verification"] == "unconfirmed"
    assert desk.fire(1, path=7)["verification"] == "unconfirmed"
    assert desk.verdict["reason"] == "second_path"
    assert desk.fire(2, path=7, point="2")["verification"] == "confirmed"
    assert desk.verdict["reason"] == "coincidence"
    desk.fire(3, path=7, point="2")
    assert desk.verdict["reason"] == "again"


def test_a_call_point_is_confirmed_at_once() -> None:
    desk = Desk()
    event = desk.fire(0, condition=Condition.CONDITION_MANUAL_CALL_POINT)
    assert (desk.verdict["reason"], event["verification"], event["priority"]) == ("at_once", "confirmed", 1)


@pytest.mark.parametrize("flag", [Flag.FLAG_LATE, Flag.FLAG_OLD, Flag.FLAG_QUARANTINED])
def test_what_is_not_sound_confirms_nothing_whichever_comes_first(flag: int) -> None:
    for first, second in ((flag, 0), (0, flag)):
        desk = Desk()
        desk.fire(0, flags=first)
        assert desk.fire(1, point="2", flags=second)["verification"] == "unconfirmed"


def test_a_disabled_point_confirms_nothing() -> None:
    desk = Desk()
    desk.give(0, signal_class=SignalClass.CLASS_DISABLEMENT, state=RAISED, point="1")
    assert desk.fire(1)["type"] == "raised"
    assert desk.verdict["reason"] == "disabled"
    assert desk.fire(2, point="2")["verification"] == "unconfirmed"


def test_a_point_that_comes_and_goes_chatters_after_its_first() -> None:
    desk, reasons = Desk(), []
    for at in range(4):
        desk.fire(2 * at)
        reasons.append(desk.verdict["reason"])
        desk.restore(2 * at + 1)
    assert reasons == ["alarm", "alarm", "chatter", "chatter"]


def test_nobody_accepts_and_it_is_told_once() -> None:
    desk = Desk()
    desk.fire(0)
    assert desk.tick(29) == []
    assert said(desk.tick(30)) == [("updated", "unconfirmed")]
    assert desk.tick(3000) == []
    assert desk.filter.take_overdue() == [1000]


def test_nobody_accepts_what_ended_meanwhile() -> None:
    desk = Desk()
    desk.fire(0)
    assert said(desk.restore(1)) == [("cleared", "unconfirmed")]
    assert said(desk.tick(31)) == [("updated", "unconfirmed")]
    assert desk.tick(62) == []
    assert desk.filter.open_alarms(ended=True) == []


def test_an_accepted_fire_is_told_no_more() -> None:
    desk = Desk()
    desk.fire(0)
    assert said(desk.change(1, Change.CHANGE_ACCEPT, 1000, "lan")) == [("updated", "unconfirmed")]
    assert desk.change(2, Change.CHANGE_ACCEPT, 1000, "lan") == []
    assert desk.tick(31) == []


def test_a_second_detector_after_false_has_a_deadline_of_its_own() -> None:
    desk = Desk()
    desk.fire(0)
    assert said(desk.change(5, Change.CHANGE_ANSWER, 1000, "false", "lan", "toast")) == [("updated", "false")]
    assert desk.fire(6)["verification"] == "false"
    assert desk.fire(20, point="2")["verification"] in ("unconfirmed", "confirmed")
    assert desk.tick(31) == []
    assert len(desk.tick(50)) == 1
    assert desk.tick(500) == []


def test_true_after_false_is_told_once_when_nobody_accepts() -> None:
    desk = Desk()
    desk.fire(0)
    desk.change(5, Change.CHANGE_ANSWER, 1000, "false", "lan", "")
    assert said(desk.change(8, Change.CHANGE_ANSWER, 1000, "true", "lan", "")) == [("updated", "confirmed")]
    assert len(desk.tick(38)) == 1           # the deadline is still that of the first signal
    assert desk.tick(500) == []


@pytest.mark.parametrize("answer", ["", "fake", "True", "no", "falsch", "FALSE"])
def test_an_answer_that_cannot_be_read_changes_nothing(answer: str) -> None:
    desk = Desk()
    desk.fire(0)
    assert desk.change(1, Change.CHANGE_ANSWER, 1000, answer, "lan", "") == []
    assert desk.filter.alarm(1000)["verification"] == "unconfirmed"  # type: ignore[index]


def test_closed_is_the_end() -> None:
    desk = Desk()
    desk.fire(0)
    assert said(desk.change(1, Change.CHANGE_CLOSE, 1000, "lan", "")) == [("cleared", "unconfirmed")]
    assert desk.tick(100) == []
    assert desk.filter.alarms_open == 0


def test_a_restore_without_a_point_ends_what_its_own_transmitter_raised() -> None:
    desk = Desk()
    desk.facility("f1", "0123", "0456")
    desk.fire(1)
    assert desk.fire(2, account="0456")["verification"] == "confirmed"
    assert said(desk.restore(3, point="")) == [("updated", "confirmed")]
    assert said(desk.restore(4, point="", account="0456")) == [("cleared", "confirmed")]


def test_restores_find_what_was_raised_before_a_move() -> None:
    desk = Desk()
    desk.facility("f1", "0123")
    desk.fire(1)
    desk.facility("f2", "0123")
    assert said(desk.restore(2)) == [("cleared", "unconfirmed")]


def test_a_fire_in_test_is_told_and_counts_when_the_test_ends() -> None:
    desk = Desk()
    desk.facility("f1", "0123")
    desk.change(1, Change.CHANGE_TEST, (START + 100) * 10**6, "f1", "lan", "check")
    event = desk.fire(2)
    assert (event["type"], event["verification"], event["priority"]) == ("raised", "test", 9)
    assert said(desk.tick(99)) == []
    assert said(desk.tick(100)) == [("updated", "unconfirmed")]
    assert len(desk.tick(130)) == 1


def test_a_test_ends_also_for_what_was_raised_before_a_move() -> None:
    for raised_in in ("", "f0"):
        desk = Desk()
        if raised_in:
            desk.facility(raised_in, "0123")
        desk.change(0, Change.CHANGE_TEST, (START + 100) * 10**6, "", "lan", "check", account="0123")
        assert desk.fire(1)["verification"] == "test"
        desk.facility("f1", "0123")
        assert said(desk.tick(100)) == [("updated", "unconfirmed")]
        assert len(desk.tick(130)) == 1


kinds = st.sampled_from(list(range(12)))
texts = st.text(st.sampled_from("0123456789\t\tabtrue-false{}\"é\0"), max_size=60)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(kinds, texts), max_size=12))
def test_changes_that_cannot_be_read_neither_crash_nor_end_a_fire(rows: list[tuple[int, str]]) -> None:
    desk = Desk()
    desk.fire(0)
    for kind, text in rows:
        events = desk.change(1, kind, text)
        assert all(event["reason"] in (1, 15, 16, 17, "accepted", "closed", "unaccepted") or text.startswith("1000\t")
                   for event in events)
    again = Filter(1, hash_key=KEY[::-1])
    saved = b"".join(desk.filter.save())
    again.load(saved)
    assert b"".join(again.save()) == saved
    assert desk.fire(2, point="9")["type"] in ("raised", "updated")


def test_no_damaged_snapshot_breaks_the_filter() -> None:
    """Each byte turned: refused, or taken as another state that can be looked at and judged with."""
    desk = Desk(paths_max=64, alarms_max=16)
    desk.facility("f1", "0123", "0456")
    desk.change(0, Change.CHANGE_POINT, "smoke", "z1", account="0123", point="1")
    desk.change(1, Change.CHANGE_TEST, (START + 100) * 10**6, "", "lan", "", account="0456")
    desk.fire(2)
    desk.fire(3, account="0456")
    saved = b"".join(desk.filter.save())
    for at in range(len(saved)):
        subject = Filter(1, alarms_max=16, paths_max=64, hash_key=KEY)
        try:
            subject.load(saved[:at] + bytes([saved[at] ^ 0xFF]) + saved[at + 1:])
        except ValueError:
            assert subject.alarms_open == 0
            continue
        subject.open_alarms(ended=True)
        if subject.position > 1 << 60:
            continue
        batch = Batch(2, 4096)
        assert batch.add(kind=RowKind.ROW_TICK, received_ns=(START + 200) * SECOND)
        assert batch.add(protocol=1, account="0123", signal_class=FIRE, state=RAISED, point="1",
                         received_ns=(START + 201) * SECOND)
        outcome = Outcome.view(subject.apply(subject.position + 1, batch))
        assert outcome.events_in >= 1
