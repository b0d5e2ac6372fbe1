"""ADMIT against the rule in words: the same frame within the window, with the same stamp or nothing else in between."""
import random

import pytest

from codec.batch import Batch
from engine.admit.admit import Admit

SECOND = 1_000_000_000
KEY = bytes(range(16))


def admit(entries_max=1000, window_s=600):
    return Admit(2048, 1 << 20, entries_max, window_s * SECOND, KEY)


def row(data=b'"SIA-DCS"0001L0#1234[#1234|NFA017]', *, at=0, stamp=None, path=7, point="017"):
    return {"path": path, "account": "1234", "point": point, "native": "FA", "signal_class": 1, "state": 1,
            "identity": data, "received_ns": at * SECOND, "occurred_ns": None if stamp is None else stamp * SECOND}


def test_the_same_frame_is_known_and_waits_for_the_first_copy():
    gate = admit()
    assert gate.offer_frame(row(at=1)) == (1, True)
    assert gate.offer_frame(row(at=2)) == (1, False)
    assert len(gate) == 1
    gate.release(1)
    assert gate.offer_frame(row(at=3)) == (0, False)
    assert gate.duplicates == 2
    gate.check()


def test_another_path_sequence_or_data_is_new():
    gate = admit()
    gate.offer_frame(row())
    assert gate.offer_frame(row(path=8))[1]
    assert gate.offer_frame(row(b'"SIA-DCS"0002L0#1234[#1234|NFA017]'))[1]
    assert gate.offer_frame(row(b'"SIA-DCS"0001L0#1234[#1234|NFA018]', point="018"))[1]


def test_alarm_restore_alarm_under_one_sequence_are_three_signals():
    gate = admit()
    alarm, restore = row(b'"S"0001[NFA017]'), row(b'"S"0001[NFH017]')
    assert [gate.offer_frame(frame)[1] for frame in (alarm, restore, alarm, restore, alarm)] == [True] * 5
    assert not gate.offer_frame(alarm)[1]


def test_the_same_stamp_is_the_same_frame_whatever_came_between():
    gate = admit()
    alarm, restore = row(b'"S"0001[NFA017]', stamp=50), row(b'"S"0001[NFH017]', stamp=51)
    assert gate.offer_frame(alarm)[1]
    assert gate.offer_frame(restore)[1]
    assert not gate.offer_frame(alarm)[1]
    assert gate.offer_frame(row(b'"S"0001[NFA017]', stamp=52))[1]


def test_another_point_in_between_changes_nothing():
    gate = admit()
    gate.offer_frame(row(b'"S"0001[NFA017]'))
    gate.offer_frame(row(b'"S"0001[NFA018]', point="018"))
    assert not gate.offer_frame(row(b'"S"0001[NFA017]'))[1]


def test_the_window_ends():
    gate = admit(window_s=600)
    gate.offer_frame(row(at=0))
    assert not gate.offer_frame(row(at=600))[1]
    assert gate.offer_frame(row(at=601))[1]


def test_a_frame_of_two_signals_is_known_as_a_whole():
    gate = admit()
    data = b'"S"0001[NFA017/FA018]'
    frame = (row(data), row(data, point="018"))
    assert gate.offer_frame(*frame) == (2, True)
    assert gate.offer_frame(*frame) == (2, False)
    gate.offer_frame(row(b'"S"0001[NFH018]', point="018"))
    assert gate.offer_frame(*frame) == (5, True)


def test_a_frame_of_two_signals_of_one_point_is_known_as_a_whole():
    gate = admit()
    frame = (row(b'"S"0001[NFA3/FH3]', point="3"), row(b'"S"0001[NFA3/FH3]', point="3"))
    assert gate.offer_frame(*frame) == (2, True)
    assert gate.offer_frame(*frame) == (2, False)
    gate.offer_frame(row(b'"S"0001[NFA3]', point="3"))
    assert gate.offer_frame(*frame)[1]


def test_rows_without_identity_are_always_new():
    gate = admit()
    assert gate.offer_frame(row(b""))[1]
    assert gate.offer_frame(row(b""))[1]


def test_after_a_failed_append_the_frame_is_new_again():
    gate = admit()
    gate.offer_frame(row(b"1"))
    gate.release(gate.take())
    gate.offer_frame(row(b"2"))
    gate.fail(gate.take())
    assert gate.offer_frame(row(b"2"))[1]
    assert gate.offer_frame(row(b"1", stamp=None))[1] is True  # something of that point came between
    gate.check()


def test_memory_is_bounded_and_the_oldest_go_first():
    gate = admit(entries_max=16)
    for number in range(100):
        gate.offer_frame(row(b"%d" % number, point=str(number)))
        assert gate.entries_in <= 16
        gate.check()
    assert gate.evicted == 84
    assert not gate.offer_frame(row(b"99", point="99"))[1]
    assert gate.offer_frame(row(b"83", point="83"))[1]


@pytest.mark.parametrize("way", ["journal", "snapshot", "both"])
def test_it_remembers_over_a_restart(way):
    gate, after = admit(), Admit(2048, 1 << 20, 1000, 600 * SECOND, bytes(16))
    for number in range(20):
        gate.offer_frame(row(b"%d" % number, point=str(number)), row(b"%d" % number, point=f"{number}b"))
    journalled = Batch.view(gate.batch.encode())
    gate.release(gate.take())
    if way != "journal":
        after.load(gate.save())
    if way != "snapshot":
        after.apply(journalled)
    for number in range(20):
        frame = (row(b"%d" % number, point=str(number)), row(b"%d" % number, point=f"{number}b"))
        assert after.offer_frame(*frame) == (0, False)
    assert after.offer_frame(row(b"20"))[1]
    after.check()


def test_what_was_not_durable_is_not_saved():
    gate, after = admit(), admit()
    gate.offer_frame(row(b"1", point="1"))
    gate.release(gate.take())
    gate.offer_frame(row(b"2", point="2"))
    after.load(gate.save())
    assert not after.offer_frame(row(b"1", point="1"))[1]
    assert after.offer_frame(row(b"2", point="2"))[1]


@pytest.mark.parametrize("saved", [b"", b"\x09" + bytes(23), b"\x02\0\0\0\x09\0\0\0" + bytes(16)])
def test_a_damaged_memory_is_refused(saved):
    with pytest.raises(ValueError, match="version or length"):
        admit().load(saved)


class SlowAdmit:
    """The rule again, with nothing but a list."""

    def __init__(self, window_ns):
        self.window_ns, self.admitted = window_ns, []

    def is_new(self, frame):
        for index in range(len(self.admitted) - 1, -1, -1):
            other = self.admitted[index]
            if (other["path"], other["identity"]) != (frame["path"], frame["identity"]):
                continue
            if frame["received_ns"] - other["received_ns"] > self.window_ns:
                break
            same_stamp = frame["occurred_ns"] is not None and frame["occurred_ns"] == other["occurred_ns"]
            between = any(later["path"] == frame["path"] and later["point"] == frame["point"]
                          for later in self.admitted[index + 1:])
            if same_stamp or not between:
                return False
            break
        self.admitted.append(frame)
        return True


@pytest.mark.parametrize("seed", range(20))
def test_it_agrees_with_the_slow_rule(seed):
    chance = random.Random(seed)
    gate, slow = admit(entries_max=4096, window_s=50), SlowAdmit(50 * SECOND)
    for second in range(400):
        point = str(chance.randrange(3))
        data = b"%s-%d" % (point.encode(), chance.randrange(3))
        frame = row(data, at=second, point=point, path=chance.randrange(2),
                    stamp=chance.choice([None, second // 10, second]))
        assert gate.offer_frame(frame)[1] == slow.is_new(frame), f"seed {seed}, second {second}"
        if chance.random() < 0.2:
            gate.release(gate.take())
    gate.check()
