"""The timing wheel against a plain dictionary: nobody late, nobody too early, nobody lost or doubled."""
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.supervise.wheel import Wheel

TICK_MS = 64
SECOND, HOUR, DAY = 1000, 3_600_000, 86_400_000


class Model:
    """What the wheel must do, by looking at every id each time."""

    def __init__(self, ids_max: int, now: int = 0) -> None:
        self.wheel, self.now = Wheel(ids_max, now), now
        self.filed: dict[int, tuple[int, int]] = {}          # id -> deadline, when it was filed

    def file(self, id: int, deadline: int) -> None:
        self.wheel.add(id, deadline)
        self.filed[id] = (deadline, self.now)

    def remove(self, id: int) -> None:
        self.wheel.discard(id)
        self.filed.pop(id, None)

    def move(self, now: int, due_max: int) -> list[int]:
        """Let the time pass and take all that is due; check each id that comes and each that stays."""
        self.now = now
        came: list[int] = []
        while True:
            due = self.wheel.collect(now, due_max)
            came += due
            if len(due) < due_max and not self.wheel.is_behind(now):
                break
        for id in came:
            deadline, filed_at = self.filed.pop(id)          # KeyError: came twice, or was never filed
            assert deadline - now < early_ms_max(deadline - filed_at), "too early"
        for deadline, filed_at in self.filed.values():
            assert now < max(deadline, filed_at) + TICK_MS, "too late"
        assert len(self.wheel) == len(self.filed)
        assert all(id in self.wheel for id in self.filed)
        assert not any(id in self.wheel for id in came)
        return came


def early_ms_max(delay_ms: int) -> int:
    """How early an id may come that was filed so long before its deadline: the length of a slot of its level."""
    level = next((level for level in range(3) if delay_ms < (254 * TICK_MS) << 8 * level), 3)
    return TICK_MS << 8 * level if level else 1


delays = st.one_of(st.integers(-DAY, 0), st.integers(0, 20 * SECOND), st.integers(0, 2 * HOUR),
                   st.integers(0, 40 * DAY), st.sampled_from([16320, 16384, 16385, 4_194_304, 2**30, 2**31]))
steps = st.one_of(st.integers(0, 200), st.integers(0, 20 * SECOND), st.integers(0, HOUR))
actions = st.one_of(st.tuples(st.just("file"), st.integers(0, 40), delays),
                    st.tuples(st.just("remove"), st.integers(0, 40), st.just(0)),
                    st.tuples(st.just("move"), st.integers(1, 8), steps))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10 * DAY), st.lists(actions, max_size=40), st.sampled_from([0, HOUR, DAY, 13 * DAY]))
def test_any_schedule(start: int, schedule: list[tuple[str, int, int]], jump: int) -> None:
    """`jump` comes last and once: walking empty ticks of days takes its time."""
    model = Model(41, start)
    for action, number, ms in schedule:
        if action == "file":
            model.file(number, model.now + ms)
        elif action == "remove":
            model.remove(number)
        else:
            model.move(model.now + ms, number)
        model.wheel.check()
    model.move(model.now + jump, 3)
    model.wheel.check()


@pytest.mark.parametrize("seed", range(3))
def test_lazy_re_arm_fires_all_in_time_and_in_order(seed: int) -> None:
    """The real use: what comes early is filed again; each id fires within one tick and one step of its deadline."""
    rng = random.Random(seed)
    step, wheel, now = 50, Wheel(2000), 0
    deadlines = [rng.choice((rng.randrange(20_000), rng.randrange(600_000))) for _ in range(2000)]
    for id, deadline in enumerate(deadlines):
        wheel.add(id, deadline)
    fired: list[tuple[int, int]] = []
    while len(wheel):
        now += step
        for id in wheel.collect(now, 65536):
            if now < deadlines[id]:
                wheel.add(id, deadlines[id])
            else:
                fired.append((now, id))
    assert sorted(id for _, id in fired) == list(range(2000))
    assert all(deadlines[id] <= at < deadlines[id] + TICK_MS + step for at, id in fired)
    assert [at for at, _ in fired] == sorted(at for at, _ in fired)


@pytest.mark.parametrize("deadline", [0, TICK_MS, 90 * SECOND, HOUR, 25 * HOUR, 32 * DAY, 60 * DAY])
def test_a_deadline_comes_out_at_most_once_for_each_level(deadline: int) -> None:
    """An id that is filed again after each early visit is visited four times at most, plus one for each reach."""
    wheel, now, visits = Wheel(1), 0, 0
    wheel.add(0, deadline)
    while True:
        now += max(TICK_MS, (deadline - now) // 7 // TICK_MS * TICK_MS)
        while wheel.is_behind(now):
            if wheel.collect(now):
                visits += 1
                if now >= deadline:
                    assert visits <= 5
                    assert now < deadline + 2 * TICK_MS
                    return
                wheel.add(0, deadline)


def test_a_hundred_thousand_ids_in_one_slot() -> None:
    """They come in portions, may be taken out or filed again in between, and none comes twice."""
    count = 100_000
    wheel = Wheel(count)
    for id in range(count):
        wheel.add(id, 5000)
    now = 5056
    first = wheel.collect(now, 1000)
    assert len(first) == 1000
    assert len(wheel) == count - 1000
    wheel.check()
    wheel.discard(count - 1)
    wheel.add(count - 2, now + HOUR)
    wheel.add(first[0], 0)                       # overdue again: not before the next tick, or this never ended
    rest: list[int] = []
    while wheel.is_behind(now):
        rest += wheel.collect(now, 1000)
    wheel.check()
    assert sorted(first + rest) == list(range(count - 2))
    assert wheel.collect(now + TICK_MS) == [first[0]]
    assert len(wheel) == 1


def test_a_jump_is_walked_in_bounded_steps() -> None:
    wheel = Wheel(2)
    wheel.add(0, 40 * DAY)
    calls, came = 0, []
    while wheel.is_behind(30 * DAY):
        came += wheel.collect(30 * DAY)
        calls += 1
    assert calls >= 30 * DAY // TICK_MS // 65536
    assert came in ([], [0])                     # early by its level, or not yet
    wheel.discard(0)
    assert wheel.collect(10**15) == []
    assert not wheel.is_behind(10**15), "an empty wheel jumps"
    wheel.add(1, 10**15 + 1)
    assert wheel.collect(10**15 + 2 * TICK_MS) == [1]


def test_time_that_does_not_move_or_goes_back_changes_nothing() -> None:
    wheel = Wheel(1, 10_000)
    wheel.add(0, 10_001)
    assert wheel.collect(10_000) == []
    assert wheel.collect(0) == []
    assert 0 in wheel
    assert wheel.collect(10_001 + TICK_MS) == [0]


def test_extreme_deadlines() -> None:
    wheel = Wheel(2)
    wheel.add(0, 2**63 - 1)
    wheel.add(1, -2**63)
    assert wheel.collect(TICK_MS) == [1]
    assert 0 in wheel
    wheel.check()


def test_ids_and_sizes_beyond_the_wheel_are_refused() -> None:
    wheel = Wheel(3)
    for call in (lambda: wheel.add(3, 0), lambda: wheel.discard(3), lambda: 3 in wheel):
        with pytest.raises(IndexError):
            call()
    for ids_max in (0, 2**31):
        with pytest.raises(ValueError):
            Wheel(ids_max)
    with pytest.raises(ValueError):
        wheel.collect(0, 0)


def test_untouched_ids_cost_no_memory() -> None:
    """A wheel for a hundred million ids exists next to others; only what was filed is paid for."""
    wheel = Wheel(100_000_000)
    before = resident_bytes()
    for id in (0, 50_000_000, 99_999_999):
        wheel.add(id, 1000)
    assert sorted(wheel.collect(2000)) == [0, 50_000_000, 99_999_999]
    assert resident_bytes() - before < 1 << 20


def resident_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096
