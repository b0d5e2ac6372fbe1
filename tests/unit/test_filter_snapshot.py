"""Snapshots of the filter, and the views that people get of its alarms."""
import json

import pytest

from codec.batch import Batch
from codec.words import RowKind
from engine.filter.filter import Filter
from engine.filter.outcome import Outcome
from engine.words import Change

KEY = bytes(range(16))


def filled(alarms: int, alarms_max: int = 100000) -> Filter:
    """A filter with alarms at places 0.. of which every third was cleared; some have several items, some too many."""
    subject = Filter(2, alarms_max=alarms_max, hash_key=KEY)
    number = 1
    for first in range(0, alarms, 1000):
        batch = Batch(16384, 1 << 20)
        for account in range(first, min(first + 1000, alarms)):
            for point in range(67 if account == 7 else 1 + account % 3):
                batch.add(protocol=1, account=f"{account:06}", point=f"{point:03}", signal_class=1, condition=2,
                          state=1, received_ns=account)
        for account in range(first + -first % 3, min(first + 1000, alarms), 3):
            batch.add(protocol=1, account=f"{account:06}", signal_class=1, state=2)
        subject.apply(number, batch)
        number += len(batch)
    return subject


def test_a_state_comes_back_whole() -> None:
    subject = filled(15000)
    parts = subject.save()
    assert len(parts) > 2
    assert max(map(len, parts)) < 2 << 20
    saved = b"".join(parts)
    twin = Filter(9, alarms_max=100000, hash_key=bytes(16))
    twin.load(saved)
    twin.check()
    assert b"".join(twin.save()) == saved
    assert (twin.position, twin.next_event) == (subject.position, subject.next_event)
    assert twin.open_alarms() == subject.open_alarms()
    assert twin.alarms_open == 10000


def test_the_order_of_slots_does_not_show() -> None:
    """Two histories that end alike: alarms freed and used again in between, and not."""
    subject = filled(100)
    twin = Filter(9, hash_key=bytes(16))
    twin.load(b"".join(subject.save()))
    for number in (10_000, 10_001):
        batch = Batch(10, 4096)
        batch.add(protocol=1, account=f"new{number}", point="1", signal_class=1, state=1)
        assert subject.apply(number, batch) == twin.apply(number, batch)
    subject.check()
    twin.check()
    assert subject.save() == twin.save()


@pytest.mark.parametrize("cut", range(0, 600, 7))
def test_a_snapshot_cut_anywhere_is_refused(cut: int) -> None:
    saved = b"".join(filled(9).save())
    assert len(saved) > 600
    subject = filled(3)
    before = subject.save()
    with pytest.raises(ValueError, match="filter snapshot"):
        subject.load(saved[:-1 - cut])
    with pytest.raises(ValueError, match="filter snapshot"):
        subject.load(saved + b"x")
    assert subject.save() == before
    subject.check()


def test_a_snapshot_of_another_version_is_refused() -> None:
    saved = bytearray(b"".join(filled(3).save()))
    saved[0] = 1
    with pytest.raises(ValueError, match="version 1, this program reads 2"):
        filled(3).load(bytes(saved))


def test_no_damaged_snapshot_breaks_the_table() -> None:
    """Each byte turned: refused, or taken as another sound state."""
    saved = b"".join(filled(6).save())
    for at in range(4, len(saved)):
        damaged = saved[:at] + bytes([saved[at] ^ 0xFF]) + saved[at + 1:]
        subject = Filter(1, alarms_max=100, hash_key=KEY)
        try:
            subject.load(damaged)
        except ValueError:
            assert subject.alarms_open == 0
        subject.open_alarms()


def registered() -> Filter:
    """A filter that a registry names buildings, transmitters and points to, one of them in test mode."""
    subject = Filter(2, alarms_max=100, paths_max=64, hash_key=KEY)
    batch = Batch(100, 65536)

    def change(kind: int, native: str, account: str = "", point: str = "") -> None:
        assert batch.add(kind=RowKind.ROW_CHANGE, condition=kind, protocol=1 if account else 0, account=account,
                         point=point, native=native)
    change(Change.CHANGE_READING, "one\t5")
    for number in range(3):
        change(Change.CHANGE_FACILITY, f"school-{number}\t40\t17257\tvinh-1\tschool\trules\tSchool {number}")
    for number in range(6):
        change(Change.CHANGE_TRANSMITTER, f"school-{number % 3}\t0\t0\t0\tone\t0\t0\t0\t0\t0", f"{number:04}")
        change(Change.CHANGE_POINT, "smoke\thall", f"{number:04}", "001")
    change(Change.CHANGE_READ, "one\t5")
    change(Change.CHANGE_TEST, f"{10**13}\tschool-2\tsomebody\tyearly test")
    for number in range(6):
        row = {"protocol": 1, "account": f"{number:04}", "path": number, "received_ns": number * 10**9, "state": 1}
        assert batch.add(**row, point="001", signal_class=1, condition=2)
        assert batch.add(**row, signal_class=5, condition=30)
    subject.apply(1, batch)
    subject.check()
    return subject


def test_no_damaged_registry_leads_astray() -> None:
    """Refused, or taken as another sound state: it can be looked at, and judges what comes next."""
    saved = b"".join(registered().save())
    after = Batch(20, 4096)
    for number in range(7):
        for state in (1, 2):
            assert after.add(protocol=1, account=f"{number:04}", path=number, point="001", signal_class=1, condition=2,
                             state=state, received_ns=10**11)
    taken = 0
    for at in range(32, len(saved), 5):
        subject = Filter(1, alarms_max=100, paths_max=64, hash_key=KEY)
        try:
            subject.load(saved[:at] + bytes([saved[at] ^ (0xFF, 0x01, 0x80)[at % 3]]) + saved[at + 1:])
        except ValueError:
            continue
        taken += 1
        subject.open_alarms(ended=True)
        subject.with_conditions()
        subject.mass_losses()
        for number in range(6):
            subject.place(f"dc09:{number:04}")
            subject.conditions(f"dc09:{number:04}")
        subject.apply(1000, after)
        subject.open_alarms()
        subject.save()
    assert taken > 100


def test_a_smaller_table_keeps_what_a_snapshot_holds() -> None:
    saved = b"".join(filled(30).save())
    subject = Filter(1, alarms_max=5, hash_key=KEY)
    subject.load(saved)
    subject.check()
    assert subject.alarms_open == 20
    batch = Batch(30, 4096)
    batch.add(protocol=1, account="other", signal_class=1, state=1)
    outcome = Outcome.view(subject.apply(subject.position + 1, batch))
    assert (outcome.events_in, subject.untracked, subject.alarms_open) == (1, 1, 20)
    batch.clear()
    for account in range(30):
        batch.add(protocol=1, account=f"{account:06}", signal_class=1, state=2)
    subject.apply(subject.position + 1, batch)
    assert subject.open_alarms() == []
    subject.check()


def test_alarms_as_people_see_them() -> None:
    subject = Filter(2000, hash_key=KEY)
    batch = Batch(3, 4096)
    batch.add(protocol=1, account="0123", realm="north", point="003", signal_class=1, condition=2, state=1,
              received_ns=1_767_225_600 * 10**9)
    batch.add(protocol=1, account="0123", realm="north", point="004", signal_class=2, condition=21, state=1,
              received_ns=1_767_225_601 * 10**9)
    subject.apply(1000, batch)
    row = subject.alarm(1000)
    assert row == {
        "alarm_id": "1000", "event_id": "2001", "transmitter": "dc09:0123@north", "protocol": "dc09", "account": "0123",
        "realm": "north", "facility": None, "facility_name": None, "area": None, "class": "fire", "condition": "smoke",
        "verification": "unconfirmed", "answered": None, "priority": 2, "detectors": 2, "chatters": False,
        "accepted": False, "state": "raised", "revision": 2, "count": 2,
        "first_received_at": "2026-01-01T00:00:00.000000Z", "received_at": "2026-01-01T00:00:01.000000Z",
        "open": [{"signal_id": "1000", "class": "fire", "condition": "smoke", "point": "003",
                  "transmitter": "dc09:0123@north", "since": "2026-01-01T00:00:00.000000Z"},
                 {"signal_id": "1001", "class": "gas", "condition": "carbon_monoxide", "point": "004",
                  "transmitter": "dc09:0123@north", "since": "2026-01-01T00:00:01.000000Z"}],
        "open_beyond": []}
    assert json.loads(json.dumps(row)) == row
    assert subject.alarm(1001) is None
    assert subject.alarm(0) is None


def test_alarms_in_pages() -> None:
    subject = filled(100)
    everything = subject.open_alarms()
    assert [int(str(row["alarm_id"])) for row in everything] == sorted(int(str(row["alarm_id"])) for row in everything)
    pages, after = [], 0
    while page := subject.open_alarms(after=after, limit=7):
        assert len(page) <= 7
        pages += page
        after = int(str(page[-1]["alarm_id"]))
    assert pages == everything
    assert subject.open_alarms(limit=0) == []


@pytest.mark.parametrize("order", [(3, 9), (9, 3), (5, 9, 3), (63, 0)])
def test_paths_come_back_in_whatever_order_they_joined(order: tuple[int, ...]) -> None:
    subject = Filter(2, alarms_max=10, paths_max=64, hash_key=KEY)
    batch = Batch(10, 4096)
    for path in order:
        assert batch.add(kind=RowKind.ROW_ENROLMENT, protocol=1, account="0A", path=path, received_ns=1,
                         native=f"dc09:0A/default/L{path} supervision=90000")
    subject.apply(1, batch)
    subject.check()
    saved = b"".join(subject.save())
    twin = Filter(1, alarms_max=10, paths_max=64, hash_key=bytes(16))
    twin.load(saved)
    twin.check()
    assert b"".join(twin.save()) == saved
