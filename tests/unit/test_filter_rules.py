"""The table of classes and states, row by row, and the life of one alarm."""
from dataclasses import replace
from typing import Any

import pytest

from codec.batch import Batch
from codec.words import CLASS_TEXT, Condition, Flag, RowKind, SignalClass, State
from engine.filter.filter import Filter
from engine.filter.outcome import Outcome
from engine.filter.rulebook import default_rulebook
from engine.filter.rules import RULE_TEXT, Rule

RAISED, CLEARED, INFO = State.STATE_RAISED, State.STATE_CLEARED, State.STATE_INFO
FIRE, GAS, PREALARM = SignalClass.CLASS_FIRE, SignalClass.CLASS_GAS, SignalClass.CLASS_PREALARM
SECURITY, MEDICAL = SignalClass.CLASS_SECURITY, SignalClass.CLASS_MEDICAL
ALARMS = [FIRE, GAS, PREALARM]
CHOSEN = [SECURITY, MEDICAL]
STATES = [number for number in CLASS_TEXT if number not in (0, *ALARMS, *CHOSEN)]


BOOK = default_rulebook()
AT_ONCE, AS_FACILITY = 100, 101      # its rules


class Desk:
    """A filter with a hand on it: one signal in, its verdict and its event (or None) out."""

    def __init__(self, *, security: bool = False, medical: bool = False, **settings: Any) -> None:
        rules = replace(BOOK, security=security, medical=medical)
        self.filter = Filter(next_event=1001, rules=rules, hash_key=bytes(16), **settings)
        self.signal = 1000

    def give(self, signal_class: int, state: int, condition: int = 0, point: str = "003",
             **row: Any) -> tuple[Any, Any]:
        batch = Batch(1, 4096)
        assert batch.add(**{"protocol": 1, "account": "0123", "received_ns": self.signal * 10**9, **row},
                         signal_class=signal_class, state=state, condition=condition, point=point)
        outcome = Outcome.view(self.filter.apply(self.signal, batch))
        self.signal += 1
        self.filter.check()
        assert len(outcome) == 1
        assert outcome.events_in <= 1
        return outcome.verdict(0), outcome.event(0) if outcome.events_in else None


def is_verdict(verdict: dict[str, object], word: str, reason: str, rule: int) -> bool:
    return verdict == {"verdict": word, "reason": reason, "rule": rule, "rule_version": BOOK.version}


@pytest.mark.parametrize("signal_class", ALARMS)
@pytest.mark.parametrize("state", [RAISED, INFO, State.STATE_NONE])
def test_an_alarm_class_is_forwarded_at_once(signal_class: int, state: int) -> None:
    verdict, event = Desk().give(signal_class, state)
    assert is_verdict(verdict, "forward", "alarm", AS_FACILITY)
    assert event is not None
    assert (event["type"], event["verification"], event["class"]) == ("raised", "unconfirmed", signal_class)
    assert (event["number"], event["alarm"], event["signal"]) == (1001, 1000, 1000)
    assert (event["revision"], event["count"]) == (1, 1)


@pytest.mark.parametrize("signal_class", ALARMS)
def test_its_restore_clears(signal_class: int) -> None:
    desk = Desk()
    desk.give(signal_class, RAISED)
    verdict, event = desk.give(signal_class, CLEARED)
    assert is_verdict(verdict, "forward", "restore", Rule.RULE_RESTORE)
    assert event is not None
    assert (event["type"], event["alarm"], event["signal"], event["revision"]) == ("cleared", 1000, 1001, 2)
    assert desk.filter.alarms_open == 0


@pytest.mark.parametrize("signal_class", ALARMS)
def test_a_restore_of_nothing_is_stored_only(signal_class: int) -> None:
    verdict, event = Desk().give(signal_class, CLEARED)
    assert is_verdict(verdict, "suppress", "no_alarm_open", Rule.RULE_NO_ALARM_OPEN)
    assert event is None


@pytest.mark.parametrize("signal_class", CHOSEN)
@pytest.mark.parametrize("state", [RAISED, CLEARED, INFO])
def test_security_and_medical_are_off_by_default(signal_class: int, state: int) -> None:
    verdict, event = Desk().give(signal_class, state)
    assert is_verdict(verdict, "suppress", "class_off", Rule.RULE_CLASS_OFF)
    assert event is None


@pytest.mark.parametrize(("on", "signal_class"), [("security", SECURITY), ("medical", MEDICAL)])
def test_security_and_medical_turned_on(on: str, signal_class: int) -> None:
    desk = Desk(**{on: True})
    verdict, event = desk.give(signal_class, RAISED)
    assert is_verdict(verdict, "forward", "alarm", Rule.RULE_ALARM_CHOSEN)
    assert event is not None
    assert event["type"] == "raised"
    verdict, event = desk.give(signal_class, INFO)
    assert is_verdict(verdict, "suppress", "state", Rule.RULE_STATE)
    assert event is None
    verdict, event = desk.give(signal_class, CLEARED)
    assert is_verdict(verdict, "forward", "restore", Rule.RULE_RESTORE)
    assert event is not None
    assert event["type"] == "cleared"
    other = MEDICAL if signal_class == SECURITY else SECURITY
    assert desk.give(other, RAISED)[0]["reason"] == "class_off"


def test_what_was_open_when_a_class_is_turned_off_can_still_be_cleared() -> None:
    before, after = Desk(security=True), Desk()
    before.give(SECURITY, RAISED)
    after.filter.load(b"".join(before.filter.save()))
    after.signal = before.signal
    verdict, event = after.give(SECURITY, CLEARED)
    assert is_verdict(verdict, "forward", "restore", Rule.RULE_RESTORE)
    assert event is not None
    assert event["type"] == "cleared"


@pytest.mark.parametrize("signal_class", STATES)
@pytest.mark.parametrize("state", [RAISED, CLEARED, INFO])
def test_every_other_class_is_state(signal_class: int, state: int) -> None:
    desk = Desk()
    desk.give(FIRE, RAISED)
    verdict, event = desk.give(signal_class, state)
    nothing_open = state == CLEARED and signal_class != SignalClass.CLASS_INFO
    assert is_verdict(verdict, "suppress", "again" if nothing_open else "state", Rule.RULE_STATE)
    assert event is None
    assert desk.filter.alarms_open == 1


@pytest.mark.parametrize("condition", [Condition.CONDITION_CANCELLED, Condition.CONDITION_ABORTED])
def test_a_cancel_is_told_with_its_alarm_for_a_while_and_clears_nothing(condition: int) -> None:
    desk = Desk()
    assert is_verdict(desk.give(SignalClass.CLASS_INFO, INFO, condition)[0], "suppress", "state", Rule.RULE_CANCEL)
    desk.give(FIRE, RAISED)
    verdict, event = desk.give(SignalClass.CLASS_INFO, INFO, condition)
    assert is_verdict(verdict, "forward", "cancelled", Rule.RULE_CANCEL_OF_ALARM)
    assert event is not None
    assert (event["type"], event["reason"]) == ("updated", "cancelled")
    desk.signal += 300
    assert is_verdict(desk.give(SignalClass.CLASS_INFO, INFO, condition)[0], "suppress", "state", Rule.RULE_CANCEL)
    assert desk.filter.alarms_open == 1


@pytest.mark.parametrize(("condition", "rule"), [
    (Condition.CONDITION_SILENCED, Rule.RULE_CANCEL), (Condition.CONDITION_RESET, Rule.RULE_RESET),
    (Condition.CONDITION_SYSTEM_RESET, Rule.RULE_RESET)])
def test_hands_at_the_panel_clear_nothing(condition: int, rule: Rule) -> None:
    desk = Desk()
    desk.give(FIRE, RAISED)
    verdict, event = desk.give(SignalClass.CLASS_INFO, INFO, condition)
    assert is_verdict(verdict, "suppress", "state", rule)
    assert event is None
    assert desk.filter.alarms_open == 1


@pytest.mark.parametrize("kind", [RowKind.ROW_ENROLMENT, RowKind.ROW_TICK, RowKind.ROW_CHANGE])
def test_rows_that_are_no_signals_get_no_verdict(kind: int) -> None:
    desk = Desk()
    verdict, event = desk.give(0, 0, kind=kind)
    assert verdict == {"verdict": "none", "reason": "none", "rule": 0, "rule_version": 0}
    assert event is None
    assert desk.filter.verdict_counts() == {}


@pytest.mark.parametrize(("condition", "flags", "verification", "priority"), [
    (Condition.CONDITION_SMOKE, 0, "unconfirmed", 2),
    (Condition.CONDITION_UNKNOWN, Flag.FLAG_UNKNOWN_CODE, "unconfirmed", 2),
    (Condition.CONDITION_MANUAL_CALL_POINT, 0, "confirmed", 1),
    (Condition.CONDITION_WATERFLOW, 0, "confirmed", 1),
    (Condition.CONDITION_FIRE_CONFIRMED, 0, "confirmed", 1),
    (Condition.CONDITION_FIRE_UNVERIFIED, 0, "unconfirmed", 2),
    (Condition.CONDITION_MANUAL_CALL_POINT, Flag.FLAG_QUARANTINED, "unconfirmed", 2),
    (Condition.CONDITION_MANUAL_CALL_POINT, Flag.FLAG_LATE, "late", 2),
    (Condition.CONDITION_SMOKE, Flag.FLAG_OLD, "late", 2),
    (Condition.CONDITION_MANUAL_CALL_POINT, Flag.FLAG_OLD, "late", 2),
    (Condition.CONDITION_SMOKE, Flag.FLAG_LATE | Flag.FLAG_QUARANTINED, "late", 2)])
def test_verification_of_a_fire(condition: int, flags: int, verification: str, priority: int) -> None:
    verdict, event = Desk().give(FIRE, RAISED, condition, flags=flags)
    assert verdict["verdict"] == "forward"
    assert event is not None
    assert (event["verification"], event["priority"]) == (verification, priority)


def test_priorities_follow_the_classes() -> None:
    found = []
    for signal_class in (FIRE, GAS, PREALARM, MEDICAL, SECURITY):
        event = Desk(security=True, medical=True).give(signal_class, RAISED)[1]
        assert event is not None
        found.append(event["priority"])
    assert found == [2, 3, 4, 5, 6]


def test_an_alarm_only_rises() -> None:
    desk = Desk()
    steps = [
        (PREALARM, 0, 0, (PREALARM, "unconfirmed", 4)),
        (FIRE, Condition.CONDITION_SMOKE, Flag.FLAG_LATE, (FIRE, "unconfirmed", 2)),
        (FIRE, Condition.CONDITION_MANUAL_CALL_POINT, 0, (FIRE, "confirmed", 1)),
        (GAS, Condition.CONDITION_GAS, 0, (FIRE, "confirmed", 1)),
        (FIRE, Condition.CONDITION_SMOKE, Flag.FLAG_QUARANTINED, (FIRE, "confirmed", 1)),
    ]
    for count, (signal_class, condition, flags, expected) in enumerate(steps, 1):
        event = desk.give(signal_class, RAISED, condition, flags=flags)[1]
        assert event is not None
        assert (event["class"], event["verification"], event["priority"]) == expected
        assert (event["revision"], event["count"], event["alarm"]) == (count, count, 1000)
        assert event["type"] == ("raised" if count == 1 else "updated")
    types = [desk.give(signal_class, CLEARED)[1] for signal_class in (PREALARM, GAS, FIRE)]
    assert [event["type"] for event in types if event] == ["updated", "updated", "cleared"]
    assert [event["class"] for event in types if event] == [FIRE] * 3
    assert [event["count"] for event in types if event] == [5] * 3


def test_a_late_alarm_rises_when_a_fresh_signal_follows() -> None:
    desk = Desk()
    desk.give(FIRE, RAISED, flags=Flag.FLAG_LATE)
    event = desk.give(FIRE, RAISED)[1]
    assert event is not None
    assert event["verification"] == "unconfirmed"


def test_a_restore_fits_by_point_and_class() -> None:
    desk = Desk()
    desk.give(FIRE, RAISED, Condition.CONDITION_SMOKE, "01/003")
    desk.give(FIRE, RAISED, Condition.CONDITION_HEAT, "01/004")
    assert desk.give(FIRE, CLEARED, Condition.CONDITION_FIRE, "01/005")[0]["reason"] == "no_alarm_open"
    assert desk.give(GAS, CLEARED, Condition.CONDITION_GAS, "01/003")[0]["reason"] == "no_alarm_open"
    assert desk.give(FIRE, CLEARED, Condition.CONDITION_FIRE, "01/003", account="0124")[0]["reason"] == "no_alarm_open"
    assert desk.give(FIRE, CLEARED, Condition.CONDITION_FIRE, "01/003", realm="north")[0]["reason"] == "no_alarm_open"
    event = desk.give(FIRE, CLEARED, Condition.CONDITION_FIRE, "01/003")[1]
    assert event is not None
    assert event["type"] == "updated"
    event = desk.give(FIRE, CLEARED, Condition.CONDITION_FIRE, "01/004")[1]
    assert event is not None
    assert event["type"] == "cleared"


def test_a_restore_without_a_point_clears_its_class() -> None:
    desk = Desk()
    for point in ("1", "2", ""):
        desk.give(FIRE, RAISED, point=point)
    desk.give(GAS, RAISED, point="1")
    event = desk.give(FIRE, CLEARED, point="")[1]
    assert event is not None
    assert event["type"] == "updated"
    assert [item["class"] for item in desk.filter.open_alarms()[0]["open"]] == ["gas"]  # type: ignore[attr-defined]
    event = desk.give(GAS, CLEARED, point="")[1]
    assert event is not None
    assert event["type"] == "cleared"


def test_what_has_no_room_as_an_item_keeps_the_alarm_open_until_a_restore_without_a_point() -> None:
    desk = Desk()
    for number in range(70):
        event = desk.give(FIRE, RAISED, point=f"{number:03}")[1]
        assert event is not None
        assert event["count"] == number + 1
    row = desk.filter.open_alarms()[0]
    assert len(row["open"]) == 64  # type: ignore[arg-type]
    assert row["open_beyond"] == ["fire"]
    for number in range(70):
        event = desk.give(FIRE, CLEARED, point=f"{number:03}")[1]
        assert event is not None
        assert event["type"] == "updated"
    event = desk.give(FIRE, CLEARED, point="")[1]
    assert event is not None
    assert event["type"] == "cleared"


@pytest.mark.parametrize("order", [1, -1])
def test_a_great_fire_of_status_words_ends_with_the_last_of_them(order: int) -> None:
    """More components than an alarm has items; also over a snapshot."""
    desk = Desk()
    points = [f"1/1/40-{number:08x}" for number in range(200)]
    for point in points:
        desk.give(FIRE, RAISED, point=point, level=0x02280002)
    [row] = desk.filter.open_alarms()
    assert (len(row["open"]), row["open_beyond"]) == (64, ["fire"])  # type: ignore[arg-type]
    saved = desk.filter.save()
    desk.filter = Filter(next_event=1, hash_key=bytes(16))
    desk.filter.load(b"".join(saved))
    steps = [desk.give(FIRE, CLEARED, point=point, level=0x02280000)[1]["type"]
             for point in points[::order]]
    assert steps == ["updated"] * 199 + ["cleared"]


def test_a_great_fire_that_two_paths_tell_is_not_closed_too_early() -> None:
    desk = Desk()
    points = [f"1/1/40-{number:08x}" for number in range(100)]
    for point in points * 2:
        desk.give(FIRE, RAISED, point=point, level=0x02280002)
    steps = {desk.give(FIRE, CLEARED, point=point, level=0x02280000)[1]["type"] for point in (points * 2)[:190]}
    assert steps == {"updated"}
    assert desk.filter.alarms_open == 1


def test_beyond_the_table_every_fire_still_leaves() -> None:
    desk = Desk(alarms_max=3)
    for number in range(10):
        verdict, event = desk.give(FIRE, RAISED, account=f"{number:04}")
        assert verdict["verdict"] == "forward"
        assert verdict["rule"] == (AS_FACILITY if number < 3 else Rule.RULE_UNTRACKED)
        assert event is not None
        assert (event["type"], event["alarm"]) == ("raised", 1000 + number)
    assert (desk.filter.alarms_open, desk.filter.untracked) == (3, 7)
    assert desk.give(FIRE, CLEARED, account="0009")[0]["reason"] == "no_alarm_open"
    assert desk.give(FIRE, CLEARED, account="0001")[0]["reason"] == "restore"
    assert desk.give(FIRE, RAISED, account="0009")[0]["rule"] == AS_FACILITY
    assert desk.filter.alarms_open == 3


def test_a_place_too_long_to_be_kept_is_forwarded() -> None:
    desk = Desk()
    for _ in range(2):
        event = desk.give(FIRE, RAISED, realm="r" * 57)[1]
        assert event is not None
        assert event["type"] == "raised"
    assert (desk.filter.alarms_open, desk.filter.untracked) == (0, 2)
    assert desk.give(FIRE, RAISED, realm="r" * 56)[0]["rule"] == AS_FACILITY


def test_account_and_realm_do_not_run_into_each_other() -> None:
    desk = Desk()
    for account, realm in (("12", "3"), ("1", "23"), ("123", "")):
        event = desk.give(FIRE, RAISED, account=account, realm=realm)[1]
        assert event is not None
        assert event["type"] == "raised"
    assert desk.filter.alarms_open == 3


def test_a_canary_leaves_and_nothing_remembers_it() -> None:
    desk = Desk()
    desk.give(FIRE, RAISED)
    alarms, counts = desk.filter.open_alarms(), (desk.filter.verdict_counts(), desk.filter.signal_counts())
    for number in (1001, 1002):
        verdict, event = desk.give(0, State.STATE_NONE, kind=RowKind.ROW_CANARY, native=f"canary {number}")
        assert is_verdict(verdict, "forward", "canary", Rule.RULE_CANARY)
        assert event is not None
        assert (event["type"], event["verification"], event["revision"]) == ("raised", "canary", 1)
        assert (event["number"], event["alarm"], event["signal"]) == (number + 1, number, number)
        assert f'"native":"canary {number}"'.encode() in event["json"]
    assert desk.filter.open_alarms() == alarms
    assert (desk.filter.verdict_counts(), desk.filter.signal_counts()) == counts
    update = desk.give(FIRE, RAISED)[1]
    assert (update["type"], update["alarm"], update["number"], update["count"]) == ("updated", 1000, 1004, 2)


def test_a_canary_that_is_not_durable_is_not_shown() -> None:
    batch = Batch(2, 4096)
    assert batch.add(kind=RowKind.ROW_CANARY, protocol=1, account="0000")
    assert batch.add(protocol=1, account="0123", signal_class=FIRE, state=RAISED)
    shown = Outcome.view(Desk().filter.show(batch))
    assert [shown.event(index)["class"] for index in range(shown.events_in)] == [FIRE]


def test_what_is_shown_past_the_outcome_log_leaves_out_canaries() -> None:
    batch = Batch(2, 4096)
    assert batch.add(kind=RowKind.ROW_CANARY, protocol=1, account="0000", native="canary")
    assert batch.add(protocol=1, account="0123", signal_class=FIRE, state=RAISED)
    outcome = Outcome.view(Desk().filter.apply(1000, batch))
    assert (outcome.events_in, outcome.blocks()) == (2, outcome.event(1)["block"])


def test_counts() -> None:
    desk = Desk()
    desk.give(FIRE, RAISED)
    desk.give(FIRE, CLEARED)
    desk.give(SignalClass.CLASS_FAULT, RAISED)
    desk.give(SECURITY, RAISED)
    assert desk.filter.verdict_counts() == {("forward", "alarm"): 1, ("forward", "restore"): 1,
                                            ("suppress", "state"): 1, ("suppress", "class_off"): 1}
    assert desk.filter.signal_counts() == {"fire": 2, "fault": 1, "security": 1}


def test_every_rule_has_its_line() -> None:
    assert set(RULE_TEXT) == set(Rule) - {Rule.RULE_NONE, Rule.RULE_COUNT}
    assert all(text == text.strip() and "\n" not in text for text in RULE_TEXT.values())


@pytest.mark.parametrize("settings", [
    {"next_event": 0}, {"alarms_max": 2**30 + 1}, {"hash_key": bytes(15)}, {"source": ""}, {"source": "s" * 257}])
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="next_event|alarms_max|hash_key|source"):
        Filter(**{"next_event": 1, "hash_key": bytes(16), **settings})


def test_a_number_that_does_not_rise_is_refused() -> None:
    desk = Desk()
    desk.give(FIRE, RAISED)
    desk.signal = 1000
    with pytest.raises(ValueError, match="signal 1000 after position 1000"):
        desk.give(FIRE, RAISED)
    assert (desk.filter.position, desk.filter.next_event) == (1000, 1002)
    assert Outcome.view(desk.filter.apply(0, Batch())).events_in == 0
