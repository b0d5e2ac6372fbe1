"""Who speaks in a row: found by its path where that fits the name, and else by the name."""
from typing import Any

import pytest

from codec.batch import Batch
from codec.words import Condition, RowKind, SignalClass, State
from engine.changes import NO_PATH
from engine.filter.filter import Filter
from engine.filter.outcome import Outcome
from engine.words import Change

S = 1_000_000_000
NOW_NS = 1_767_225_600 * S


class Desk:
    def __init__(self, paths_max: int = 64) -> None:
        self.filter = Filter(1, alarms_max=100, paths_max=paths_max, hash_key=bytes(16))

    def give(self, *rows: dict[str, Any]) -> list[str]:
        """Judge rows as one batch; return the reasons of their verdicts."""
        batch = Batch(len(rows), 1 << 16)
        for row in rows:
            assert batch.add(**{"protocol": 1, "received_ns": NOW_NS, **row})
        outcome = Outcome.view(self.filter.apply(self.filter.position + 1, batch))
        self.filter.check()
        return [outcome.verdict(row)["reason"] for row in range(len(rows))]

    def faulty(self) -> list[str]:
        """Who has a condition open, in the order in which they were met."""
        return [str(row["transmitter"]) for row in self.filter.with_conditions(limit=1000)]


def enrolment(path: int, account: str, **name: Any) -> dict[str, Any]:
    return {"kind": RowKind.ROW_ENROLMENT, "account": account, "path": path,
            "native": f"dc09:{account}/default supervision=90000", **name}


def fault(path: int, account: str, **more: Any) -> dict[str, Any]:
    return {"account": account, "path": path, "point": "1/2", "signal_class": SignalClass.CLASS_FAULT,
            "condition": Condition.CONDITION_MAINS_FAULT, "state": State.STATE_RAISED, **more}


def change(kind: int, native: str, account: str = "", point: str = "") -> dict[str, Any]:
    return {"kind": RowKind.ROW_CHANGE, "condition": kind, "protocol": 1 if account else 0, "account": account,
            "point": point, "native": native}


def test_a_path_finds_its_transmitter_and_another_name_its_own() -> None:
    desk = Desk()
    desk.give(enrolment(3, "0A"), enrolment(4, "0B"))
    assert desk.give(fault(3, "0A"), fault(3, "0A"), fault(3, "0B"), fault(4, "0B")) == ["state", "again"] * 2
    assert desk.give(fault(3, "0C"), fault(3, "0A")) == ["state", "again"]
    assert desk.faulty() == ["dc09:0A", "dc09:0B", "dc09:0C"]


@pytest.mark.parametrize("size", [*range(1, 21), 31, 32, 33, 59, 60])
def test_each_letter_of_a_name_tells(size: int) -> None:
    """Also those of the realm, and where the one ends and the other begins; 60 bytes are the longest that is kept."""
    desk, own = Desk(300), "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmn"[:size]
    names = [(own, ""), *((own[:at] + "#" + own[at + 1:], "") for at in range(size)),
             *((own[:at], own[at:]) for at in range(1, size)), *((own[:at], "") for at in range(1, size))]
    names += [(own[:at], own[at:-1] + "#") for at in range(1, size)]
    desk.give(enrolment(0, own), enrolment(1, own[:size // 2 or 1], realm=own[size // 2 or 1:]))
    assert desk.give(*(fault(0, account, realm=realm) for account, realm in names)) == ["state"] * len(names)
    assert desk.give(*(fault(1, account, realm=realm) for account, realm in names)) == ["again"] * len(names)
    assert len(set(desk.faulty())) == len(names)


def test_a_protocol_tells_as_well() -> None:
    desk = Desk()
    desk.give(enrolment(0, "889"))
    assert desk.give(fault(0, "889"), fault(0, "889", protocol=2)) == ["state", "state"]
    assert len(desk.faulty()) == 2


def test_a_name_that_is_too_long_is_nobody_on_any_path() -> None:
    desk = Desk()
    desk.give(enrolment(0, "A" * 61), enrolment(1, "0A"))
    assert desk.give(fault(0, "A" * 61), fault(1, "A" * 61), fault(1, "A" * 61)) == ["state"] * 3
    assert desk.faulty() == []


@pytest.mark.parametrize("path", [NO_PATH, 63, 64, 65, 2**31])
def test_a_row_without_a_known_path_is_found_by_name(path: int) -> None:
    desk = Desk()
    assert desk.give(enrolment(0, "0A"), fault(0, "0A"), fault(path, "0A"), fault(path, "0B"), fault(path, "0B")) \
        == ["none", "state", "again", "state", "again"]
    assert desk.faulty() == ["dc09:0A", "dc09:0B"]


@pytest.mark.parametrize("rows_between", [0, 1, 7, 8, 15, 16, 23, 24, 25, 31, 32, 33, 100])
def test_a_path_that_joins_while_its_rows_are_on_their_way(rows_between: int) -> None:
    """Wherever the look ahead was when it joined; and the path of somebody else that joins there."""
    desk = Desk()
    between = [fault(9, "0C", state=State.STATE_INFO)] * rows_between
    reasons = desk.give(fault(1, "0A"), *between, enrolment(1, "0A"), enrolment(2, "0B"), *between, fault(1, "0A"),
                        fault(2, "0A"), fault(2, "0B"), *between, fault(1, "0B"))
    assert [reason for reason in reasons if reason != "none"] == [
        "state", *["state"] * 2 * rows_between, "again", "again", "state", *["state"] * rows_between, "again"]


def test_test_modes_and_moves_reach_rows_that_are_found_by_path() -> None:
    desk = Desk()
    fire = {"account": "0A", "path": 0, "point": "7", "signal_class": SignalClass.CLASS_FIRE,
            "condition": Condition.CONDITION_SMOKE, "state": State.STATE_RAISED}
    over = {**fire, "state": State.STATE_CLEARED}
    until = NOW_NS // 1000 + 60_000_000
    assert desk.give(
        enrolment(0, "0A"), change(Change.CHANGE_TEST, f"{until}\t\tsomebody\tyearly", "0A"), fire, over,
        change(Change.CHANGE_TEST, "0\t\tsomebody\tdone", "0A"), fire, over,
        change(Change.CHANGE_TEST, f"{until}\t\tsomebody\tone point", "0A", "7"), fire, over, {**fire, "point": "8"},
        change(Change.CHANGE_TEST, "0\t\tsomebody\tdone", "0A", "7"), fire) == [
            "none", "none", "test", "restore", "none", "alarm", "restore", "none", "test", "restore", "coincidence",
            "none", "coincidence"]
    assert desk.give(
        change(Change.CHANGE_FACILITY, "F1\t40\t17257\tvinh-1\tschool\trules\tSchool"),
        change(Change.CHANGE_TRANSMITTER, "F1\t0\t0\t0\t", "0A"), {**fire, "point": "9"},
        change(Change.CHANGE_TEST, f"{until}\tF1\tsomebody\tall of it"), {**fire, "point": "10"})[-1] == "test"
    assert [row["facility"] for row in desk.filter.open_alarms()] == [None, "F1", "F1"]


def test_where_there_is_no_room_a_path_is_nobodys() -> None:
    """Two transmitters fit; the third is told, and nothing of it is kept, whatever path it comes by."""
    desk = Desk(2)
    desk.give(enrolment(0, "0A"), enrolment(1, "0B"), enrolment(2, "0B"), enrolment(1, "0C"))
    assert desk.give(fault(0, "0A"), fault(1, "0B"), fault(1, "0C"), fault(1, "0C"), fault(2, "0B"), fault(0, "0B")) \
        == ["state", "state", "state", "state", "again", "again"]
    assert desk.faulty() == ["dc09:0A", "dc09:0B"]
    assert desk.filter.registry_counts()["transmitters"] == 2


def test_a_snapshot_in_which_a_path_is_anybodys_is_refused() -> None:
    desk = Desk()
    desk.give(enrolment(3, "0A"))
    saved = b"".join(desk.filter.save())
    owners = bytes(12) + b"\1\0\0\0"
    before, _, after = saved.partition(owners + bytes(12) + b"\xff\xff\xff\xff")
    assert after
    for owner in (2, 64, 0xFFFFFFFF):
        touched = owner.to_bytes(4, "little") + owners[4:]
        with pytest.raises(ValueError, match="not sound"):
            Desk().filter.load(before + touched + saved[len(before) + 16:])
