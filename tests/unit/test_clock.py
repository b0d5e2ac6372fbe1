"""Clocks: the machine's own, and one that stands still until it is moved."""
import time

from engine.clock import SECOND_NS, Clock, FakeClock


def test_the_machines_clocks():
    clock = Clock()
    before, wall_before = time.monotonic_ns(), time.time_ns()
    monotonic, wall = clock.monotonic_ns(), clock.wall_ns()
    assert before <= monotonic <= time.monotonic_ns()
    assert abs(wall - wall_before) < 60 * SECOND_NS
    assert SECOND_NS == 10**9


def test_a_fake_clock_moves_when_it_is_told():
    clock = FakeClock()
    assert (clock.wall_ns(), clock.monotonic_ns()) == (1_767_225_600 * 10**9, 0)
    assert (clock.wall_ns(), clock.monotonic_ns()) == (1_767_225_600 * 10**9, 0)
    clock.advance(5)
    assert (clock.wall_ns(), clock.monotonic_ns()) == (1_767_225_600 * 10**9 + 5, 5)
    clock.jump(-SECOND_NS)
    assert (clock.wall_ns(), clock.monotonic_ns()) == (1_767_225_599 * 10**9 + 5, 5)
    assert FakeClock(7, 8).wall_ns() == 7
    assert FakeClock(7, 8).monotonic_ns() == 8
