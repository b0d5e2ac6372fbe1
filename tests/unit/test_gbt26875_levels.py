"""Status words: what each bit means, and the rule that makes signals of a word and the one before it."""
import itertools

import pytest

from codec.batch import Batch
from codec.gbt26875_downlink import build_frame
from codec.gbt26875_levels import expand_level, expand_levels, read_meanings
from codec.reading import decode_stream, read_frames
from codec.words import CLASS_TEXT, CONDITION_TEXT, STATE_TEXT

NOON_NS = 1_767_268_800 * 10**9
TAG = bytes.fromhex("000014 01011a")
LEVEL = 5


def component(word: int, component_type: int = 40) -> bytes:
    return bytes([1, 5, component_type, 1, 0, 2, 0]) + word.to_bytes(2, "little") + bytes(31) + TAG


def batch_of(*words: int, component_type: int = 40) -> Batch:
    batch = Batch(200, 100_000)
    data = bytes([2, len(words)]) + b"".join(component(word, component_type) for word in words)
    assert decode_stream(build_frame(2, data, source=889), batch, NOON_NS) == 1
    batch.check()
    return batch


def told(batch: Batch) -> list[tuple[str, str, str]]:
    rows = [batch.row(index) for index in range(len(batch))]
    return [(CLASS_TEXT[row["class"]], CONDITION_TEXT[row["condition"]], STATE_TEXT[row["state"]]) for row in rows]


def test_one_row_a_word_with_its_most_urgent_bit() -> None:
    batch = batch_of(0, 1, 2, 7, 0x0104)
    assert told(batch) == [("info", "info", "cleared"), ("info", "info", "cleared"), ("fire", "smoke", "raised"),
                           ("fire", "smoke", "raised"), ("fault", "detector_fault", "raised")]
    assert [batch.row(index)["level"] for index in range(5)] == [
        0x02280000, 0x02280001, 0x02280002, 0x02280007, 0x02280104]
    assert {batch.row(index)["kind"] for index in range(5)} == {LEVEL}


@pytest.mark.parametrize(("before", "word", "expected"), [
    (0, 0, []), (0, 1, []), (1, 0, []), (2, 2, []), (2, 3, []), (3, 2, []),
    (0, 2, [("fire", "smoke", "raised")]), (2, 0, [("fire", "smoke", "cleared")]),
    (1, 2, [("fire", "smoke", "raised")]), (3, 1, [("fire", "smoke", "cleared")]),
    (4, 2, [("fire", "smoke", "raised"), ("fault", "detector_fault", "cleared")]),
    (0x100, 0x0E, [("fire", "smoke", "raised"), ("fault", "detector_fault", "raised"),
                   ("disablement", "disabled", "raised"), ("fault", "power_supply_fault", "cleared")])])
def test_one_signal_a_changed_bit(before: int, word: int, expected: list) -> None:
    batch = batch_of(word)
    untouched = batch.row(0)
    assert expand_level(batch, 0, before) == len(expected)
    batch.check()
    if not expected:
        assert batch.row(0) == untouched
        return
    assert told(batch) == expected
    for index in range(len(batch)):
        row = batch.row(index)
        assert (row["kind"], row["level"]) == (1, untouched["level"])
        assert {key: row[key] for key in ("point", "native", "identity", "raw", "sequence", "occurred_ns")} == {
            key: untouched[key] for key in ("point", "native", "identity", "raw", "sequence", "occurred_ns")}


def test_words_one_after_the_other_tell_every_change_once() -> None:
    """Applying the signals of a word to the bits before it gives the word, whatever came before."""
    words = [0, 2, 2, 3, 0x0102, 0xFFFF, 0, 0x8000, 1, 6]
    for before, word in itertools.pairwise(words):
        batch = batch_of(word)
        count = expand_level(batch, 0, before)
        assert count == ((before ^ word) & 0xFFFE).bit_count()
        if count:
            raised = sum(1 for *_, state in told(batch) if state == "raised")
            assert raised == (word & ~before & 0xFFFE).bit_count()


def test_no_room_changes_nothing() -> None:
    batch = Batch(2, 100_000)
    decode_stream(build_frame(2, b"\2\1" + component(0x0E), source=889), batch, NOON_NS)
    before = batch.encode()
    assert expand_level(batch, 0, 0) == -1
    assert batch.encode() == before
    with pytest.raises(ValueError, match="room"):
        expand_levels(batch)


def test_only_levels_are_expanded() -> None:
    batch = batch_of(2, 0, 0x104)
    assert expand_levels(batch) == [1]
    assert told(batch) == [("fire", "smoke", "raised"), ("info", "info", "cleared"),
                           ("fault", "detector_fault", "raised"), ("fault", "power_supply_fault", "raised")]
    with pytest.raises(IndexError):
        expand_level(batch, 0, 0)
    with pytest.raises(IndexError):
        expand_level(batch, 9, 0)


@pytest.mark.parametrize("component_type", range(256))
def test_fire_bit_is_fire_or_gas_whatever_the_component(component_type: int) -> None:
    for word in (2, 3, 0xFFFF):
        batch = batch_of(word, component_type=component_type)
        signal_class, condition, state = told(batch)[0]
        assert signal_class == ("gas" if component_type in (10, 11, 12, 13, 74) else "fire")
        assert (condition != "unknown", state) == (True, "raised")


@pytest.mark.parametrize(("component_type", "condition"), [
    (0, "fire"), (18, "heat"), (23, "manual_call_point"), (30, "heat"), (37, "heat"), (40, "smoke"), (44, "smoke"),
    (51, "smoke"), (61, "flame"), (69, "flame"), (81, "extinguishing"), (96, "waterflow"), (121, "fire"),
    (200, "fire")])
def test_fire_says_what_the_component_is(component_type: int, condition: str) -> None:
    assert told(batch_of(2, component_type=component_type)) == [("fire", condition, "raised")]


def test_every_documented_bit_of_the_table_is_there() -> None:
    meanings = read_meanings()
    assert {bit for data_type, _, bit in meanings if data_type == 1} == set(range(1, 14))
    assert {bit for data_type, _, bit in meanings if data_type == 2} == {*range(1, 13), 14, 15}
    assert {bit for data_type, _, bit in meanings if data_type == 21} == set(range(1, 7))
    for data_type in (4, 24):
        assert {bit for found, _, bit in meanings if found == data_type} == set(range(7))
    line_fault = next(number for number, text in CONDITION_TEXT.items() if text == "line_fault")
    assert line_fault not in {condition for _, condition, _ in meanings.values()}  # the engine's own


def test_reserved_bits_are_told_as_unknown() -> None:
    found, = read_frames(build_frame(2, b"\x15\1\x80" + TAG, source=1), NOON_NS)
    signal, = found["signals"]
    assert (signal["class"], signal["condition"], signal["state"]) == ("info", "unknown", "raised")
    assert signal["flags"] == ["unknown_code"]


@pytest.mark.parametrize(("bit", "expected"), [
    (9, ("fault", "supervision_lost")), (10, ("fault", "loop_fault")), (11, ("fault", "loop_fault")),
    (12, ("fault", "tamper")), (13, ("info", "unknown")), (14, ("fault", "detector_fault")), (15, ("fault", "fault"))])
def test_reserved_bits_of_a_component_as_one_vendor_uses_them(bit: int, expected: tuple[str, str]) -> None:
    """Off-line, open circuit, short circuit, removed, (free), sensor fault, upgrade fault."""
    assert told(batch_of(1 << bit)) == [(*expected, "raised")]
