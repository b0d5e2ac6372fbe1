"""The choice of one subscriber over the columns of an outcome, against the same choice in plain Python."""
from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.forward.question import BadQuestion, read_question
from engine.forward.select import (
    CLASS_ALL,
    CLASS_BITS,
    VERIFICATION_BITS,
    VERIFICATION_DEFAULT,
    VERIFICATION_OWN,
    Selection,
)
from engine.histogram import Histogram
from tests.http_world import FIRE, GAS, LATE, TEST, UNCONFIRMED, Event, make_outcome

AREAS = (None, "", "79", "79/26734", "790", "7", 'a"b', "Nghệ An")


def lies_in(area: str | None, wanted: str) -> bool:
    return not wanted or not area or area == wanted or area.startswith(wanted + "/")


events_strategy = st.lists(st.tuples(
    st.integers(1, 3), st.integers(1, 10), st.integers(0, 5), st.sampled_from(AREAS)), max_size=20)


@given(events_strategy, st.integers(0, 60), st.integers(0, CLASS_ALL), st.integers(0, 63),
       st.sampled_from(["", "79", "7", "Nghệ An", 'a"b']), st.integers(1, 4000))
def test_pieces_are_what_plain_python_chooses(
        rows: list[tuple[int, int, int, str | None]], after: int, classes: int, verifications: int, area: str,
        size_max: int) -> None:
    number, events = 0, []
    for step, signal_class, verification, place in rows:
        number += step
        events.append(Event(number, signal_class, verification, received_ns=number, area=place))
    text = b"" if not area else orjson.dumps(area)[1:-1]
    selection = Selection(classes, verifications, text)
    outcome = make_outcome(events)
    wanted = [event for event in events if event.number > after and classes >> event.signal_class & 1
              and verifications >> event.verification & 1 and lies_in(event.area, area)]
    out, position, count, histogram = b"", after, 0, Histogram()
    while True:
        piece, last, found = selection.select(outcome, position, size_max)
        assert found <= 1 or len(piece) <= size_max
        selection.record(outcome, position, last, histogram, 1000)
        out, count = out + piece, count + found
        if last == position:
            break
        position = last
    assert out == b"".join(event.block() for event in wanted)
    assert count == len(wanted)
    assert position == max([after, *(event.number for event in events)])
    assert histogram.snapshot()[1:] == (sum(1000 - event.number for event in wanted), count)


def test_all_but_test_is_the_default() -> None:
    outcome = make_outcome([Event(n + 1, FIRE, n) for n in range(6)])
    blocks, last, count = Selection().select(outcome, 0)
    assert (last, count) == (6, 5)
    assert b"id: %d\n" % (TEST + 1) not in blocks
    assert VERIFICATION_BITS["test"] & VERIFICATION_DEFAULT == 0


def test_a_canary_is_for_the_engine_alone() -> None:
    canary = VERIFICATION_OWN.bit_length() - 1
    outcome = make_outcome([Event(1, 0, canary), Event(2, FIRE, UNCONFIRMED), Event(3, 0, canary)])
    assert Selection(CLASS_ALL, VERIFICATION_OWN).select(outcome, 0)[1:] == (3, 2)
    everything = read_question({}, {"verification": ",".join(VERIFICATION_BITS)}).selection
    for selection in (Selection(), everything):
        blocks, last, count = selection.select(outcome, 0)
        assert (blocks, last, count) == (Event(2, FIRE, UNCONFIRMED).block(), 3, 1)
    with pytest.raises(BadQuestion):
        read_question({}, {"verification": "canary"})


def test_nothing_is_selected_from_an_outcome_without_events() -> None:
    assert Selection().select(make_outcome([]), 5) == (b"", 5, 0)


def test_question_reads_masks() -> None:
    question = read_question({}, {"class": "fire,gas", "verification": "late"})
    outcome = make_outcome([Event(1, FIRE, LATE), Event(2, GAS, LATE), Event(3, 5, LATE), Event(4, FIRE, UNCONFIRMED)])
    assert question.selection.select(outcome, 0)[1:] == (4, 2)
    assert question.narrowed
    assert set(CLASS_BITS) >= {"fire", "gas", "prealarm", "fault"}


def test_where_to_begin() -> None:
    assert read_question({}, {}).after is None
    assert read_question({}, {"after": ""}).after is None
    assert read_question({}, {"after": "0"}).after == 0
    assert read_question({}, {"last_event_id": "7"}).after == 7
    assert read_question({"Last-Event-ID": "9"}, {"after": "7"}).after == 9


@pytest.mark.parametrize("query", [
    {"after": "x"}, {"after": "-1"}, {"after": "1.0"}, {"after": "٣"}, {"after": "9" * 20}, {"after": str(2**63)},
    {"class": "fir"}, {"class": "fire,"}, {"class": "none"}, {"verification": "maybe"}, {"area": "x" * 129},
])
def test_garbage_is_a_bad_question(query: dict[str, str]) -> None:
    with pytest.raises(BadQuestion):
        read_question({}, query)
