"""Calendar arithmetic against datetime: what a frame says becomes a time, and our time becomes a NAK's text."""
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codec.batch import Batch
from codec.reading import build_frame, checksum, decode_stream, encode_reply

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FRAME = build_frame("NULL", "0001")
SECONDS_MAX = int((datetime(2261, 12, 31, 23, 59, 59, tzinfo=UTC) - EPOCH).total_seconds())
EDGES = [(1970, 1, 1), (1972, 2, 29), (1999, 12, 31), (2000, 2, 29), (2000, 3, 1), (2038, 1, 19), (2099, 12, 31),
         (2100, 2, 28), (2100, 3, 1), (2200, 2, 28), (2261, 12, 31)]


def said(seconds: int, nanosecond: int = 0) -> datetime:
    """Return the time that a NAK tells."""
    found = re.search(rb"_(\d\d):(\d\d):(\d\d),(\d\d)-(\d\d)-(\d{4})", encode_reply(
        FRAME, 2, seconds * 10**9 + nanosecond))
    assert found
    hour, minute, second, month, day, year = map(int, found.groups())
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def heard(stamp: bytes) -> int | None:
    """Return the time that a frame with this text is read as, in seconds."""
    plain = build_frame("SIA-DCS", "0001", b"#0001|Nri1/FA017", stamp_ns=0)
    body = plain[9:-1].replace(b"00:00:00,01-01-1970", stamp)
    assert stamp in body
    batch = Batch(8, 4096)
    decode_stream(b"\n%04X0%03X%s\r" % (checksum(body), len(body), body), batch, 0)
    if not len(batch):
        return None
    ns = batch.row(0)["occurred_ns"]
    assert ns is None or isinstance(ns, int)
    return None if ns is None else ns // 10**9


@given(st.integers(0, SECONDS_MAX), st.integers(0, 999_999_999))
@example(0, 0)
@example(SECONDS_MAX, 999_999_999)
def test_our_time_in_words(seconds, nanosecond):
    assert said(seconds, nanosecond) == EPOCH + timedelta(seconds=seconds)


@given(st.integers(0, SECONDS_MAX))
def test_a_frames_words_as_a_time(seconds):
    text = (EPOCH + timedelta(seconds=seconds)).strftime("%H:%M:%S,%m-%d-%Y").encode()
    assert heard(text) == seconds


@pytest.mark.parametrize("date", EDGES)
@pytest.mark.parametrize("second", [0, 1, 86_399])
def test_edges(date, second):
    at = datetime(*date, tzinfo=UTC) + timedelta(seconds=second)
    seconds = int((at - EPOCH).total_seconds())
    assert said(seconds) == at
    assert heard(at.strftime("%H:%M:%S,%m-%d-%Y").encode()) == seconds


def test_every_day_of_400_years_is_the_day_after_the_one_before():
    for day in range(0, 106_000, 13):
        assert said(day * 86_400) == EPOCH + timedelta(days=day)


@pytest.mark.parametrize("stamp", [
    b"24:00:00,01-01-2026", b"23:60:00,01-01-2026", b"23:00:60,01-01-2026", b"00:00:00,13-01-2026",
    b"00:00:00,00-01-2026", b"00:00:00,02-29-2025", b"00:00:00,02-29-2100", b"00:00:00,04-31-2026",
    b"00:00:00,01-00-2026", b"00:00:00,01-32-2026", b"00:00:00,01-01-1969", b"00:00:00,01-01-2262"])
def test_what_is_no_time_is_none(stamp):
    assert heard(stamp) is None
