"""The recorder in C counts exactly as the histogram's own record_value does."""

from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from loadgen.latency import LATENCY_DIGITS, LATENCY_NS_MAX, Recorder

EDGES = [0, 1, 2, 1023, 1024, 2047, 2048, 2049, 4095, 4096, 10**6, 10**9, LATENCY_NS_MAX - 1, LATENCY_NS_MAX]


def recorded(values: list[int]) -> HdrHistogram:
    histogram = HdrHistogram(1, LATENCY_NS_MAX, LATENCY_DIGITS)
    for value in values:
        assert histogram.record_value(value)
    return histogram


def test_edges_of_buckets():
    recorder = Recorder()
    recorder.record(EDGES)
    assert recorder.sync().encode() == recorded(EDGES).encode()


@given(st.lists(st.integers(0, LATENCY_NS_MAX), min_size=1, max_size=50))
def test_equal_to_record_value(values):
    recorder = Recorder()
    recorder.record(values)
    mine, theirs = recorder.sync(), recorded(values)
    assert list(mine.counts) == list(theirs.counts)
    assert mine.get_total_count() == len(values)
    assert mine.get_max_value() == theirs.get_max_value()
    assert mine.get_min_value() == theirs.get_min_value()


def test_what_is_longer_than_the_range_is_counted_as_its_end_and_its_length_kept():
    recorder = Recorder()
    recorder.record([LATENCY_NS_MAX * 2, -5])
    assert list(recorder.sync().counts) == list(recorded([LATENCY_NS_MAX, 0]).counts)
    assert recorder.max_ns == LATENCY_NS_MAX * 2
