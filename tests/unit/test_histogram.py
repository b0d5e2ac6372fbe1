"""Histograms and the lag sampler."""
from __future__ import annotations

import asyncio

import pytest

from engine.clock import FakeClock
from engine.histogram import BOUNDS_NS, Histogram
from engine.operate.lag import EVERY_NS, REMEMBERED, LagSampler


def test_bounds_are_those_of_the_table() -> None:
    seconds = [.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10]
    assert [bound / 1e9 for bound in BOUNDS_NS] == seconds


@pytest.mark.parametrize("index", range(len(BOUNDS_NS)))
def test_a_bound_belongs_to_its_bucket(index: int) -> None:
    histogram = Histogram()
    histogram.add(BOUNDS_NS[index])
    histogram.add(BOUNDS_NS[index] + 1, 2)
    buckets, sum_ns, count = histogram.snapshot()
    assert buckets[index] == 1
    assert buckets[index + 1] == 2
    assert (sum_ns, count) == (3 * BOUNDS_NS[index] + 2, 3)


def test_a_clock_that_was_set_back_counts_as_no_time() -> None:
    histogram = Histogram()
    histogram.add(-5, 3)
    assert histogram.snapshot() == ((3, *[0] * 16), 0, 3)


def test_beyond_the_last_bound() -> None:
    histogram = Histogram()
    histogram.add(3_600_000_000_000, 7)
    buckets, sum_ns, count = histogram.snapshot()
    assert (buckets[16], sum_ns, count) == (7, 7 * 3_600_000_000_000, 7)


async def test_lag_is_the_lateness_of_the_timer_alone() -> None:
    clock = FakeClock()
    sampler = LagSampler(clock)
    sampler.start()
    assert sampler.worst_ns() == 0
    clock.advance(EVERY_NS + 30_000_000)
    sampler.sample()
    assert sampler.worst_ns() == 30_000_000
    for _ in range(REMEMBERED):
        clock.advance(EVERY_NS)
        sampler.sample()
    assert sampler.worst_ns() == 0
    assert sampler.histogram.snapshot()[1:] == (30_000_000, REMEMBERED + 1)
    sampler.stop()


async def test_the_loop_itself_calls_the_sampler() -> None:
    clock = FakeClock()
    sampler = LagSampler(clock)
    sampler.start()
    async with asyncio.timeout(10):
        while sampler.histogram.snapshot()[2] == 0:
            await turn_of_the_loop()
    sampler.stop()
    sampler.stop()
    assert sampler.histogram.snapshot()[1] == 0          # the fake clock stood still


async def turn_of_the_loop() -> None:
    """Let the loop wait for its next timer, 5 ms at most."""
    turned = asyncio.Event()
    asyncio.get_running_loop().call_later(0.005, turned.set)
    await turned.wait()
