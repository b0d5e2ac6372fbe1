"""Outcomes as bytes: what is encoded is viewed, and what is none is refused."""
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.filter.outcome import Outcome
from tests.integration.store_rows import event, outcome

VERDICTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(0, 65535), st.integers(0, 2**32 - 1)),
                    max_size=20)


@given(VERDICTS, st.lists(st.tuples(st.integers(1, 2**53), st.binary(max_size=40)), max_size=9))
def test_encoded_and_viewed_again(verdicts, given_events):
    events = [event(number, number + 1, number + 2, json=text) for number, text in given_events]
    first = outcome(verdicts, events)
    again = Outcome.view(first.encode())
    assert again.encode() == first.encode()
    assert (len(again), again.events_in) == (len(verdicts), len(events))
    for row, (_, _, rule, version) in enumerate(verdicts):
        assert again.verdict(row) == first.verdict(row)
        assert (again.verdict(row)["rule"], again.verdict(row)["rule_version"]) == (rule, version)
    for index, (number, text) in enumerate(given_events):
        shown = again.event(index)
        assert (shown["number"], shown["signal"], shown["alarm"]) == (number, number + 1, number + 2)
        assert shown["json"] == shown["block"] == text
    assert again.blocks() == b"".join(text for _, text in given_events)


def test_an_empty_one_is_whole():
    empty = Outcome(4, 4, 64)
    again = Outcome.view(empty.encode())
    assert (len(again), again.events_in, again.blocks()) == (0, 0, b"")
    with pytest.raises(IndexError):
        again.verdict(0)
    with pytest.raises(IndexError):
        again.event(0)


def test_a_view_keeps_its_bytes_alive():
    views = [Outcome.view(bytes(bytearray(outcome([(1, 1, 9, index)] * 50).encode()))) for index in range(50)]
    assert [view.verdict(49)["rule_version"] for view in views] == list(range(50))


def test_every_cut_is_refused():
    data = outcome([(1, 1, 0, 0)] * 3, [event(9, 8, 7)]).encode()
    for size in range(len(data)):
        with pytest.raises(ValueError):
            Outcome.view(data[:size])
    with pytest.raises(ValueError):
        Outcome.view(data + b"\0")


@given(st.integers(0, 20), st.integers(0, 9))
def test_what_the_version_before_wrote_is_read(rows, count):
    """An engine that is replaced leaves a log behind; its events end before the column `confirms`."""
    events = [event(number, number + 1, number + 2) for number in range(1, count + 1)]
    data = outcome([(1, 1, 3, 4)] * rows, events).encode()
    texts = int.from_bytes(data[12:16], "little")
    end = len(data) - texts
    before = struct.pack("<I", 2) + data[4:end - (count + 7 & ~7)] + data[end:]
    assert Outcome.view(before).encode() == data
    with pytest.raises(ValueError):
        Outcome.view(before + bytes(8))


@pytest.mark.parametrize("header", [
    (1, 0, 0, 0), (4, 0, 0, 0), (3, 2**32 - 1, 0, 0), (3, 0, 2**32 - 1, 0), (3, 2**32 - 1, 2**32 - 1, 2**32 - 1),
    (3, 0, 0, 1), (2, 2**32 - 1, 0, 0), (2, 0, 2**32 - 1, 0), (2, 2**32 - 1, 2**32 - 1, 2**32 - 1), (2, 0, 0, 1)])
def test_headers_that_lie(header):
    with pytest.raises(ValueError):
        Outcome.view(struct.pack("<4I", *header))


def test_a_row_or_event_beyond_the_last_is_an_error():
    one = outcome([(1, 1, 0, 0)], [event(9, 8, 7)])
    with pytest.raises(IndexError):
        one.verdict(1)
    with pytest.raises(IndexError):
        one.event(1)
