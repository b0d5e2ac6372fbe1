"""The path table: identity, states, replay and snapshot."""
import pytest

from codec.batch import Batch
from codec.words import Condition, RowKind, SignalClass, State
from engine.paths import PathTable

KEY = bytes(range(16))


def table(paths_max=1000):
    return PathTable(paths_max, KEY)


def batch(*rows):
    made = Batch(1024, 1 << 20)
    for row in rows:
        assert made.add(**row)
    return made


def enrolment(number, key, supervision=90000):
    return {"kind": RowKind.ROW_ENROLMENT, "path": number, "native": f"{key} supervision={supervision}",
            "received_ns": 5_000_000_000}


def line_fault(number, state):
    return {"path": number, "signal_class": SignalClass.CLASS_FAULT, "condition": Condition.CONDITION_LINE_FAULT,
            "state": state}


KEYS = ["dc09:0123/default", "dc09:0123/default/R1/L0", "dc09:00123/default", "dc09:0123@north/second/L00",
        "gbt26875:889/default/N0A"]


def filled():
    paths = table()
    paths.apply(batch(*(enrolment(number, key) for number, key in enumerate(KEYS))))
    return paths


def test_keys_come_back_as_they_were_written():
    paths = filled()
    assert [paths.key_text(number) for number in range(len(paths))] == KEYS
    assert paths.transmitter_text(3) == "dc09:0123@north"
    paths.check()


def test_leading_zeros_and_realms_make_other_transmitters():
    paths = filled()
    assert paths.paths_of("dc09:0123") == [0, 1]
    assert paths.paths_of("dc09:00123") == [2]
    assert paths.paths_of("dc09:0123@north") == [3]
    assert paths.paths_of("dc09:9999") == []
    assert paths.paths_of("nonsense") == []


def test_applying_a_batch_again_changes_nothing():
    paths = filled()
    before = b"".join(paths.save())
    paths.apply(batch(*(enrolment(number, key) for number, key in enumerate(KEYS))))
    assert b"".join(paths.save()) == before


def test_line_faults_move_the_state():
    paths = filled()
    raised = batch(line_fault(2, State.STATE_RAISED))
    paths.apply(raised)
    assert paths.states_in() == {"new": 0, "pending": 0, "up": 4, "fault": 1}
    paths.apply(batch(line_fault(2, State.STATE_CLEARED)))
    assert paths.show(2)["state"] == "up"


def test_a_number_whose_enrolment_was_lost_stays_behind_without_an_account():
    paths = table()
    paths.apply(batch(enrolment(3, KEYS[0])))
    assert len(paths) == 4
    assert paths.key_text(3) == KEYS[0]
    paths.apply(batch(enrolment(1, KEYS[2])))
    assert paths.paths_of("dc09:00123") == [1]
    paths.check()


def test_a_snapshot_restores_all():
    paths, after = filled(), table()
    paths.apply(batch(line_fault(1, State.STATE_RAISED)))
    after.load(b"".join(paths.save()))
    assert [after.show(number) for number in range(len(after))] == [paths.show(number) for number in range(len(paths))]
    assert after.states_in() == paths.states_in()
    after.check()


def test_a_snapshot_of_many_is_entered_whole():
    """More than are hashed ahead, with several paths of a transmitter and numbers that nobody has."""
    paths, after = table(), table()
    numbers = [number for number in range(300) if number % 7]
    paths.apply(batch(*(enrolment(number, f"dc09:{number // 3:04X}/default/L{number % 3}") for number in numbers)))
    after.load(b"".join(paths.save()))
    assert len(after) == 300
    for number in numbers:
        assert after.key_text(number) == paths.key_text(number)
        assert after.paths_of(after.transmitter_text(number)) == paths.paths_of(paths.transmitter_text(number))
    after.check()


def test_a_loaded_table_is_renewed_by_a_later_snapshot():
    """As a successor does: most is loaded ahead of time, what came since then afterwards."""
    paths, after = table(), table()
    paths.apply(batch(*(enrolment(number, key) for number, key in enumerate(KEYS[:3]))))
    after.load(b"".join(paths.save()))
    paths.apply(batch(line_fault(1, State.STATE_RAISED), enrolment(3, KEYS[3]), enrolment(4, KEYS[4])))
    after.renew(memoryview(b"".join(paths.save())))
    assert [after.show(number) for number in range(len(after))] == [paths.show(number) for number in range(len(paths))]
    assert after.states_in() == {"new": 0, "pending": 0, "up": 4, "fault": 1}
    assert after.paths_of("dc09:0123") == [0, 1]
    after.check()


def test_a_table_is_renewed_by_its_own_engine_alone():
    paths, other = filled(), table()
    saved = b"".join(paths.save())
    other.apply(batch(*(enrolment(number, key) for number, key in enumerate(reversed(KEYS)))))
    after = table()
    after.load(saved)
    with pytest.raises(ValueError, match="another engine"):
        after.renew(b"".join(other.save()))
    fewer, after = table(), table()
    fewer.apply(batch(enrolment(0, KEYS[0])))
    after.load(saved)
    with pytest.raises(ValueError, match="5 were known"):
        after.renew(b"".join(fewer.save()))
    with pytest.raises(ValueError, match="length"):
        after.renew(b"")


def test_snapshots_that_cannot_be_are_refused():
    saved = b"".join(filled().save())
    with pytest.raises(ValueError, match="length"):
        table().load(saved[:-1])
    with pytest.raises(ValueError, match=r"paths\.max"):
        table(paths_max=3).load(saved)
    with pytest.raises(ValueError, match="not empty"):
        filled().load(saved)


def test_the_table_is_bounded():
    with pytest.raises(ValueError, match=r"paths\.max"):
        table(paths_max=3).apply(batch(enrolment(3, KEYS[0])))


def test_listeners_are_bounded():
    paths = table()
    with pytest.raises(ValueError, match="64 characters"):
        paths.listener("x" * 64, "")
    for number in range(256):
        assert paths.listener(f"l{number}", "") == number
    assert paths.listener("l7", "") == 7
    with pytest.raises(ValueError, match="too many"):
        paths.listener("one more", "")


def test_a_hundred_thousand_paths_are_all_found():
    paths = table(200_000)
    for start in range(0, 100_000, 500):
        paths.apply(batch(*(enrolment(number, f"dc09:{number:06X}/default/L0")
                            for number in range(start, start + 500))))
    paths.check()
