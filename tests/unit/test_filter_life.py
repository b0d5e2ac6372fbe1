"""The life of alarms by hand: what each reason looks like, and who finds what after a move or a deadline."""
from dataclasses import replace
from typing import Any

from codec.batch import Batch
from codec.words import Condition, Flag, RowKind
from engine.filter.filter import Filter
from engine.filter.outcome import Outcome
from engine.filter.rule_file import Rulebook, default_rulebook
from engine.words import Change

S = 1_000_000_000
START = 1_767_225_600 * S


class Desk:
    """A filter with a hand on it: one row in, its reason and its events out."""

    def __init__(self) -> None:
        book: Rulebook = replace(default_rulebook(), accept_within_ns=30 * S)
        self.filter = Filter(1001, rules=book, alarms_max=10, paths_max=1000, hash_key=bytes(16))
        self.number, self.now = 1000, START

    def put(self, after: int = 0, **row: Any) -> tuple[str, list[tuple[Any, ...]]]:
        batch = Batch(1, 4096)
        self.now += after * S
        assert batch.add(**{"protocol": 1, "account": "0A", "received_ns": self.now, **row})
        outcome = Outcome.view(self.filter.apply(self.number, batch))
        self.number += 1
        self.filter.check()
        events = [outcome.event(index) for index in range(outcome.events_in)]
        return str(outcome.verdict(0)["reason"]), [(e["type"], e["reason"], e["verification"]) for e in events]

    def fire(self, point: str = "1", state: int = 1, after: int = 0, **row: Any) -> tuple[str, list[tuple[Any, ...]]]:
        return self.put(after, **{"signal_class": 1, "condition": Condition.CONDITION_SMOKE, "path": 1, **row},
                        point=point, state=state)

    def say(self, kind: Change, native: str, after: int = 0, **row: Any) -> list[tuple[Any, ...]]:
        return self.put(after, kind=RowKind.ROW_CHANGE, condition=kind, native=native, **row)[1]

    def tick(self, after: int) -> list[tuple[Any, ...]]:
        return self.put(after, kind=RowKind.ROW_TICK)[1]


def test_second_path_and_again_confirm_nothing() -> None:
    desk = Desk()
    assert desk.fire() == ("alarm", [("raised", "alarm", "unconfirmed")])
    assert desk.fire(path=2) == ("second_path", [("updated", "second_path", "unconfirmed")])
    assert desk.fire() == ("again", [("updated", "again", "unconfirmed")])


def test_a_second_detector_and_a_call_point_confirm() -> None:
    desk = Desk()
    desk.fire("1")
    assert desk.fire("2")[1] == [("updated", "coincidence", "confirmed")]
    desk = Desk()
    call = Condition.CONDITION_MANUAL_CALL_POINT
    assert desk.fire(condition=call)[1] == [("raised", "at_once", "confirmed")]


def test_what_cannot_be_believed_confirms_nothing() -> None:
    for flags in (Flag.FLAG_LATE, Flag.FLAG_OLD, Flag.FLAG_QUARANTINED):
        desk = Desk()
        desk.fire("1", flags=flags)
        assert desk.fire("2")[0] == "alarm"
    desk = Desk()
    desk.put(signal_class=3, state=1, point="1")
    assert desk.fire("1")[1] == [("updated", "alarm", "unconfirmed")]


def test_a_deadline_is_told_once_also_after_the_end() -> None:
    desk = Desk()
    desk.fire()
    assert desk.tick(29) == []
    assert desk.tick(1) == [("updated", "unaccepted", "unconfirmed")]
    assert desk.tick(100) == []
    assert desk.fire(state=2)[1][0][0] == "cleared"
    assert desk.filter.alarm(1000) is None
    alarm = desk.number
    desk.fire(after=1000)
    desk.fire(state=2)
    assert desk.tick(30) == [("updated", "unaccepted", "unconfirmed")]
    assert desk.filter.alarm(alarm) is None


def test_a_second_detector_after_false_is_awaited_anew() -> None:
    desk = Desk()
    desk.fire("1")
    assert desk.say(Change.CHANGE_ANSWER, "1000\tfalse\tan\tox") == [("updated", "answered_false", "false")]
    assert desk.say(Change.CHANGE_ANSWER, "1000\tmaybe") == []
    assert desk.fire("1")[1] == [("updated", "again", "false")]
    assert desk.fire("2", after=20)[1][0][2] != "false"
    assert desk.tick(10) == []
    assert [event[1] for event in desk.tick(20)] == ["unaccepted"]
    assert desk.say(Change.CHANGE_ACCEPT, "1000\tme")[0][1] == "accepted"
    assert desk.say(Change.CHANGE_CLOSE, "1000\tme\tover")[0][:2] == ("cleared", "closed")


def test_a_test_ends_and_what_is_open_counts() -> None:
    desk = Desk()
    desk.say(Change.CHANGE_TEST, f"{(desk.now + 60 * S) // 1000}\t\tme\tyearly", account="0a")
    assert desk.fire(account="0a") == ("test", [("raised", "test", "test")])
    assert desk.tick(60) == [("updated", "test_ended", "unconfirmed")]
    assert [event[1] for event in desk.tick(30)] == ["unaccepted"]


def test_a_restore_finds_its_fire_where_the_transmitter_was() -> None:
    desk = Desk()
    for facility in ("F1", "F2"):
        desk.say(Change.CHANGE_FACILITY, f"{facility}\t40\t\t\thotel\trules\tname")
    desk.say(Change.CHANGE_TRANSMITTER, "F1")
    desk.say(Change.CHANGE_TRANSMITTER, "F1", account="0B")
    desk.fire()
    desk.fire(account="0B")
    assert desk.fire("", state=2, account="0B")[1][0][0] == "updated"
    desk.say(Change.CHANGE_TRANSMITTER, "F2")
    assert desk.fire(state=2)[1][0][0] == "cleared"


def test_a_cancel_is_told_and_ends_nothing() -> None:
    desk = Desk()
    desk.fire()
    assert desk.put(signal_class=10, state=3, condition=Condition.CONDITION_CANCELLED)[1][0][1] == "cancelled"
    assert desk.filter.alarms_open == 1


def test_disabled_points_and_chatter_are_labelled() -> None:
    desk = Desk()
    desk.put(signal_class=6, state=1, condition=Condition.CONDITION_DISABLED, point="1")
    assert desk.fire("1")[0] == "disabled"
    desk = Desk()
    for _ in range(2):
        desk.fire()
        desk.fire(state=2)
    assert desk.fire()[0] == "chatter"
