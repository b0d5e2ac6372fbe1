"""The bounded series of a run's throughput."""

import pytest

from loadgen.throughput import POINTS_MAX, STEP_NS, Throughput


def fed(seconds: float, sent_per_s: float, answered_per_s: float, every_s: float = 0.05) -> Throughput:
    series = Throughput()
    for k in range(round(seconds / every_s) + 1):
        at = k * every_s
        series(round(at * sent_per_s), round(at * answered_per_s), 7 + round(at * 1e9))
    return series


def test_rates_are_those_of_each_step():
    rates = fed(1.0, 1000, 500).rates()
    assert rates["seconds"] == pytest.approx([0.1 * k for k in range(1, 11)])
    assert rates["sent"] == [1000.0] * 10
    assert rates["acknowledged"] == [500.0] * 10


@pytest.mark.parametrize("seconds", [12, 13, 100, 3600])
def test_a_long_run_has_no_more_points_than_a_short_one(seconds):
    series = fed(seconds, 1000, 1000, every_s=0.05 if seconds < 1000 else 1)
    rates = series.rates()
    assert len(rates["seconds"]) <= POINTS_MAX
    assert len(rates["seconds"]) > POINTS_MAX // 3
    assert rates["seconds"][-1] == pytest.approx(seconds)
    assert sum(rates["sent"]) / len(rates["sent"]) == pytest.approx(1000, rel=0.01)
    assert series.step_ns >= STEP_NS


def test_the_last_frames_are_in_it():
    series = Throughput()
    for sent, answered, at_ns in ((0, 0, 0), (100, 0, STEP_NS), (101, 101, STEP_NS + 1000)):
        series(sent, answered, at_ns)
    rates = series.rates()
    assert rates["seconds"] == [0.1]
    assert rates["acknowledged"][0] == pytest.approx(1010, rel=0.001)


def test_a_run_that_ended_at_once_has_none():
    assert Throughput().rates() == {"seconds": [], "sent": [], "acknowledged": []}
    series = Throughput()
    series(0, 0, 5)
    assert series.rates()["sent"] == []
