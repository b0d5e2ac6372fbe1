"""Open conditions against a slow model on random signals, and the rules about what ends what."""
import struct
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.batch import Batch
from codec.gbt26875_levels import expand_level
from codec.words import CLASS_TEXT, CONDITION_TEXT, Condition, RowKind, SignalClass, State
from engine.filter.states_view import StatesTable

PER_TRANSMITTER, NS = 64, 1_000_000_000
RAISED, CLEARED, INFO = State.STATE_RAISED, State.STATE_CLEARED, State.STATE_INFO
FAULT, TEST = SignalClass.CLASS_FAULT, SignalClass.CLASS_TEST
SUPERVISORY, DISABLEMENT = SignalClass.CLASS_SUPERVISORY, SignalClass.CLASS_DISABLEMENT
GENERAL = {0, 30, 50, 80, 90}
Key = tuple[int, int, bytes]

signals = st.lists(st.tuples(
    st.integers(0, 4),                                                      # transmitter; one is beyond the table
    st.sampled_from([4, 5, 5, 5, 6, 7, 1, 10]),                             # class
    st.sampled_from([0, 30, 50, 51, 52, 56, 65, 80, 81, 94, 24, 66, 67, 121, 300]),   # condition; 52 and 24 share a bit
    st.sampled_from([RAISED, RAISED, CLEARED, INFO, 0]),
    st.sampled_from([b"", b"", b"1", b"2", b"01/003", b"x" * 64, b"x" * 70]),
    st.integers(-2, 50),                                                    # seconds
), max_size=120)


class Model:
    """What the table should do, without a thought for speed."""

    def __init__(self, transmitters_max: int, items_max: int) -> None:
        self.transmitters_max, self.items_max = transmitters_max, items_max
        self.open: dict[int, dict[Key, tuple[int, int]]] = {}
        self.unkept = 0

    def note(self, transmitter: int, signal_class: int, condition: int, state: int, point: bytes, signal: int,
             ns: int) -> str:
        point = point[:64]
        if not SUPERVISORY <= signal_class <= TEST or condition in (67, 121) or state not in (RAISED, CLEARED):
            return "none"
        if transmitter >= self.transmitters_max:
            self.unkept += state == RAISED
            return "none"
        mine, key = self.open.setdefault(transmitter, {}), (signal_class, condition, point)
        if state == CLEARED:
            gone = [other for other in mine if other == key or (not point and condition != 51 and other[:2] == key[:2])]
            if not gone and point and condition in GENERAL:
                gone = [other for other in mine if (other[0], other[2]) == (signal_class, point)]
            if not gone and point and condition == Condition.CONDITION_DETECTOR_FAULT:
                gone = [other for other in mine if other == (signal_class, 65, point)]
            for other in gone:
                del mine[other]
            return "cleared" if gone else "none"
        if key in mine:
            return "none"
        if len(mine) == PER_TRANSMITTER or sum(map(len, self.open.values())) == self.items_max:
            self.unkept += 1
            return "none"
        mine[key] = (signal, ns)
        return "raised"

    def rows(self, transmitter: int) -> list[tuple[str, str, str, str]]:
        return [(CLASS_TEXT[key[0]], CONDITION_TEXT.get(key[1], "unknown"), key[2].decode(), str(value[0]))
                for key, value in self.open.get(transmitter, {}).items()]

    def stale(self, before: int) -> list[int]:
        return sorted(number for number, mine in self.open.items() if any(ns < before for _, ns in mine.values()))

    def having(self, condition: int) -> list[int]:
        return sorted(number for number, mine in self.open.items() if any(key[1] == condition for key in mine))


def rows(table: StatesTable, transmitter: int) -> list[tuple[str, str, str, str]]:
    return [(row["class"], row["condition"], row["point"], row["signal_id"]) for row in table.rows(transmitter)]


def agree(table: StatesTable, model: Model) -> None:
    table.check()
    assert table.unkept == model.unkept
    assert table.items_open == sum(map(len, model.open.values()))
    assert table.counts() == Counter(CONDITION_TEXT.get(key[1], "unknown")
                                     for mine in model.open.values() for key in mine)
    for transmitter in range(6):
        assert rows(table, transmitter) == model.rows(transmitter)
        mine = model.open.get(transmitter, {})
        for signal_class in range(11):
            for point in (b"", b"1", b"x" * 64):
                assert table.open(transmitter, signal_class, point) == any(
                    (key[0], key[2]) == (signal_class, point) for key in mine)
    for before in (-3 * NS, 0, 1, 10 * NS, 10 * NS + 1, 1 << 62):
        assert table.stale(before) == model.stale(before)
    for condition in (0, 24, 52, 65, 80, 300):
        assert table.transmitters_with(condition) == model.having(condition)


@given(signals, st.sampled_from([0, 1, 3, 200]), st.integers(0, 120))
@settings(max_examples=150, deadline=None)
def test_like_the_model(said: list[Any], items_max: int, restart: int) -> None:
    table, model = StatesTable(4, items_max), Model(4, items_max)
    for number, (transmitter, signal_class, condition, state, point, second) in enumerate(said, 1):
        if number == restart:
            saved = b"".join(table.save())
            table = StatesTable(4, items_max)
            table.load(saved)
            assert b"".join(table.save()) == saved
        arguments = transmitter, signal_class, condition, state, point, number, second * NS
        assert table.note(*arguments) == model.note(*arguments)
    agree(table, model)


@given(signals)
@settings(max_examples=50, deadline=None)
def test_equal_states_give_equal_bytes(said: list[Any]) -> None:
    """One table goes by other items on the way to the same state."""
    straight, roundabout = StatesTable(5, 500), StatesTable(5, 500)
    for number in range(40):
        roundabout.note(number % 5, TEST, 92, RAISED, b"%d" % number, number, 0)
    for transmitter in (3, 1, 0, 4, 2):
        roundabout.note(transmitter, TEST, 92, CLEARED, b"", 0, 0)
    for number, (transmitter, signal_class, condition, state, point, second) in enumerate(said, 1):
        for table in (straight, roundabout):
            table.note(transmitter, signal_class, condition, state, point, number, second * NS)
    assert b"".join(straight.save()) == b"".join(roundabout.save())
    roundabout.check()


def test_a_transmitter_holds_64_and_says_that_there_were_more() -> None:
    table = StatesTable(2, 1000)
    for number in range(70):
        table.note(0, FAULT, 52, RAISED, b"%d" % number, number, number)
    assert len(table.rows(0)) == PER_TRANSMITTER
    assert table.unkept == 6
    assert table.note(0, FAULT, 52, CLEARED, b"69", 70, 70) == "none"
    assert table.note(0, FAULT, 52, CLEARED, b"", 71, 71) == "cleared"
    assert table.rows(0) == []
    table.check()


@pytest.mark.parametrize(("open_", "over", "left"), [
    ([(FAULT, "MAINS_FAULT", b"")], (FAULT, "MAINS_FAULT", b""), 0),                 # AT, AR
    ([(FAULT, "MAINS_FAULT", b"")], (FAULT, "BATTERY_FAULT", b""), 1),
    ([(FAULT, "MAINS_FAULT", b""), (FAULT, "FAULT", b"3")], (FAULT, "FAULT", b""), 1),
    ([(FAULT, "SUPERVISION_LOST", b"7")], (FAULT, "DETECTOR_FAULT", b"7"), 0),       # FY, FJ
    ([(FAULT, "SUPERVISION_LOST", b"7")], (FAULT, "DETECTOR_FAULT", b"8"), 1),
    ([(FAULT, "SUPERVISION_LOST", b"7"), (FAULT, "DETECTOR_FAULT", b"7")], (FAULT, "DETECTOR_FAULT", b"7"), 1),
    ([(FAULT, "TAMPER", b"7")], (FAULT, "DETECTOR_FAULT", b"7"), 1),
    ([(FAULT, "TAMPER", b"7"), (FAULT, "LOOP_FAULT", b"7"), (FAULT, "LOOP_FAULT", b"8")], (FAULT, "FAULT", b"7"), 1),
    ([(SUPERVISORY, "VALVE", b"7"), (FAULT, "FAULT", b"7")], (SUPERVISORY, "UNKNOWN", b"7"), 1),    # UR
    ([(DISABLEMENT, "DISABLED", b"1"), (DISABLEMENT, "DISABLED", b"2")], (DISABLEMENT, "DISABLED", b"2"), 1),
    ([(DISABLEMENT, "SOUNDER_DISABLED", b"1")], (DISABLEMENT, "DISABLED", b"1"), 0),
    ([(TEST, "TEST_MODE", b"1"), (TEST, "TEST_MODE", b"")], (TEST, "TEST_MODE", b""), 0),           # TS, TE
    ([(FAULT, "LINE_FAULT", b""), (FAULT, "LINE_FAULT", b"R1")], (FAULT, "LINE_FAULT", b""), 1),    # paths
    ([(FAULT, "MAINS_FAULT", b"")], (FAULT, "SYSTEM_RESET", b""), 1),
])
def test_what_a_restore_ends(open_: list[tuple[int, str, bytes]], over: tuple[int, str, bytes], left: int) -> None:
    table = StatesTable(1, 100)
    for state, said in ((RAISED, open_), (CLEARED, [over])):
        for signal_class, condition, point in said:
            table.note(0, signal_class, Condition[f"CONDITION_{condition}"], state, point, 1, 1)
    assert len(table.rows(0)) == left
    table.check()


def note_words(table: StatesTable, first: int, words: list[tuple[int, int, str]]) -> int:
    """Bring in status words one after the other: level, the level before, and point. Return how many rows changed."""
    batch = Batch(200, 10_000)
    for level, before, point in words:
        single = len(batch)
        batch.add(kind=RowKind.ROW_LEVEL, protocol=2, level=level, point=point, received_ns=first)
        assert expand_level(batch, single, before)
    return table.note_batch(first, batch, struct.pack("=I", 0) * len(batch))


def test_bits_of_a_status_word_end_each_for_itself() -> None:
    table = StatesTable(1, 100)
    word = 2 << 24 | 30 << 16        # a component
    assert note_words(table, 1, [(word | 1 << 10 | 1 << 8, word, "1/1/5")]) == 2
    assert note_words(table, 10, [(word | 1 << 11 | 1 << 10 | 1 << 8, word | 1 << 10 | 1 << 8, "1/1/5")]) == 0
    # Bits 10 and 11 mean the same: while one of them stands, so does the fault.
    assert note_words(table, 20, [(word | 1 << 11 | 1 << 8, word | 1 << 11 | 1 << 10 | 1 << 8, "1/1/5")]) == 0
    assert note_words(table, 30, [(word | 1 << 8, word | 1 << 11 | 1 << 8, "1/1/5")]) == 1
    assert [row["condition"] for row in table.rows(0)] == ["power_supply_fault"]
    table.check()


def test_a_status_word_without_a_point_ends_nothing_elsewhere() -> None:
    table = StatesTable(1, 100)
    system, unit = 1 << 24 | 1 << 16, 21 << 24
    assert note_words(table, 1, [(system | 1 << 8, system, "1/1"), (unit | 1 << 3, unit, "")]) == 2
    assert note_words(table, 9, [(unit, unit | 1 << 3, "")]) == 1
    assert [(row["condition"], row["point"]) for row in table.rows(0)] == [("mains_fault", "1/1")]


def test_pages() -> None:
    table = StatesTable(100, 1000)
    for transmitter in range(0, 100, 3):
        table.note(transmitter, FAULT, 52 if transmitter % 2 else 53, RAISED, b"", transmitter + 1, transmitter * NS)
    assert table.transmitters_with(52, limit=3) == [3, 9, 15]
    assert table.transmitters_with(52, after=15, limit=3) == [21, 27, 33]
    assert table.transmitters_with(54) == []
    assert table.stale(10 * NS, limit=2) == [0, 3]
    assert table.stale(10 * NS, after=3, limit=9) == [6, 9]


@pytest.mark.parametrize("cut", [0, 10, 24, 30, 40, -1])
def test_bytes_that_are_not_sound_are_refused(cut: int) -> None:
    table = StatesTable(4, 10)
    table.note(1, FAULT, 52, RAISED, b"12", 1, NS)
    table.note(3, FAULT, 53, RAISED, b"", 2, NS)
    saved = b"".join(table.save())
    with pytest.raises(ValueError, match="open conditions"):
        table.load(saved[:cut])
    with pytest.raises(ValueError, match="open conditions"):
        StatesTable(3, 10).load(saved)
    with pytest.raises(ValueError, match="open conditions"):
        StatesTable(4, 1).load(saved)
    assert len(table.rows(1)) == 1
    table.check()
