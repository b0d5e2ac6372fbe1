"""Listening time: all of it counts while we hear, one second of it while we do not."""
from hypothesis import given
from hypothesis import strategies as st

from engine.supervise.listening import ListeningClock

MS = 1_000_000
SECOND = 1000 * MS


def test_it_goes_on_from_where_it_was_saved():
    listening = ListeningClock(5000, 77 * SECOND)
    assert listening.listening_ms == 5000
    assert listening.advance_to(77 * SECOND) == 5000
    assert listening.advance_to(77 * SECOND + 250 * MS) == 5250


def test_parts_of_a_millisecond_are_not_lost():
    listening = ListeningClock(0, 0)
    for step in range(1, 10_001):
        listening.advance_to(step * 300_000)
    assert listening.listening_ms == 3000
    assert listening.credited_ms == 0


def test_of_a_stall_one_second_counts():
    listening = ListeningClock(0, 0)
    assert listening.advance_to(10 * SECOND) == 1000
    assert listening.credited_ms == 9000
    assert listening.advance_to(10 * SECOND + 500 * MS) == 1500
    assert listening.credited_ms == 9000


@given(st.lists(st.integers(0, 3 * SECOND), max_size=60), st.integers(1, 2 * SECOND))
def test_listened_and_credited_make_up_all_time(steps, stall_ns):
    listening, now = ListeningClock(0, 0, stall_ns), 0
    for step in steps:
        now += step
        before = listening.listening_ms
        after = listening.advance_to(now)
        assert 0 <= (after - before) * MS <= stall_ns + MS
    total_ms = listening.listening_ms + listening.credited_ms
    assert now // MS - len(steps) - 1 <= total_ms <= now // MS


def test_many_stalls_in_an_hour_are_credited_for_ten_minutes_in_all():
    listening, now = ListeningClock(0, 0), 0
    for _ in range(6):
        now += 101 * SECOND
        listening.advance_to(now)
    assert (listening.credited_ms, listening.overdrawn) == (600_000, False)
    now += 101 * SECOND
    listening.advance_to(now)
    assert (listening.credited_ms, listening.overdrawn) == (600_000, True)
    assert listening.listening_ms == 6 * 1000 + 101_000
    for _ in range(3600):
        now += SECOND
        listening.advance_to(now)
    assert not listening.overdrawn
    now += 11 * SECOND
    listening.advance_to(now)
    assert listening.credited_ms == 610_000


def test_one_long_stall_is_credited_whole():
    listening = ListeningClock(0, 0)
    assert listening.advance_to(86400 * SECOND) == 1000
    assert not listening.overdrawn
