"""Wheel, path table and supervisor against a slow truth in plain Python, over random schedules.

The clock of the wall jumps, the engine stalls, paths come, times change while it runs, appends are refused. Held
against the truth: every line fault and every system fault, raised and cleared once, none too early, and each within one
tick of the wheel and one turn.
"""
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.supervise_world import MS, NAMES, STATES, World, state_of

TICK_MS, LOOK_AGAIN_MS = 64, 5000
TIMES = [(5000,), (20_000,), (90_000,), (20_000, 120_000, 10_000), (10_000, 60_000, 60_000), (30_000, 20_000, 5000)]
ACCOUNTS, LINES = ("0001", "0002", "0003", "0004"), (0, 0, 1, 2)


@dataclass
class Path:
    number: int
    heard_ms: int
    fault: bool = False
    heard_in_fault: bool = False
    raised_ms: int = 0
    lost_ms: int = -10**9            # when the journal last refused its line fault


@dataclass
class Transmitter:
    times: tuple[int, ...]
    paths: dict[int, Path] = field(default_factory=dict)
    system: bool = False
    said_ms: int = -1                # when a row of that was last pushed

    @property
    def primary(self) -> Path:
        return min(self.paths.values(), key=lambda path: path.number)

    def deadline_ms(self, path: Path) -> int:
        if len(self.times) == 1:
            return path.heard_ms + self.times[0]
        primary_ms, alternate_ms, alone_ms = self.times
        primary = self.primary
        if path is primary:
            return path.heard_ms + primary_ms
        if not primary.fault or primary.heard_in_fault:
            return path.heard_ms + alternate_ms
        alone_from_ms = max(path.heard_ms, primary.heard_ms + primary_ms)
        return min(path.heard_ms + alternate_ms, alone_from_ms + alone_ms)

    @property
    def gone(self) -> bool:
        return len(self.paths) > 1 and all(path.fault for path in self.paths.values())


class Truth:
    """Plays one schedule; each step is checked."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.transmitters = {account: Transmitter(self.random.choice(TIMES)) for account in ACCOUNTS}
        self.world = World({f"dc09:{account}": one.times for account, one in self.transmitters.items()})
        self.by_number: dict[int, tuple[Transmitter, Path]] = {}
        self.seen = 0                    # rows of the intake that were looked at
        self.faults = self.systems = 0

    def play(self, steps: int) -> None:
        for _ in range(steps):
            self.step()
        for kept in (False, True):
            again = self.world.again(snapshot=kept)
            for account, one in self.transmitters.items():
                again.paths.supervise_transmitter(f"dc09:{account}", *one.times)
            assert state_of(again.paths) == state_of(self.world.paths)
        self.world.paths.check()

    def step(self) -> None:
        world, dice = self.world, self.random
        stalled = dice.random() < 0.01
        world.clock.advance((dice.randrange(2000, 500_000) if stalled else dice.randrange(1, 1000)) * MS)
        if dice.random() < 0.05:
            world.clock.jump(dice.randrange(-10**6, 10**6) * 1000 * MS)
        before_ms = world.now_ms
        world.turn()
        if stalled and not world.listening.overdrawn:
            assert world.now_ms - before_ms <= 1000, "a stall is not silence"
        self.look_at_rows()
        if not stalled:
            self.nobody_is_late()
        if dice.random() < 0.3:
            self.hear(dice.choice(ACCOUNTS), dice.choice(LINES))
        if dice.random() < 0.01 and not len(world.admit):    # a fault on its way may be none by a longer time
            self.change_times(dice.choice(ACCOUNTS), dice.choice(TIMES))
        if dice.random() < 0.03:
            self.lose()
        self.land()
        world.supervisor.clear_returned()
        self.land()
        self.everything_is_told()

    def hear(self, account: str, line: int) -> None:
        one, world = self.transmitters[account], self.world
        known = line in one.paths
        world.hear(account, line, land=False)
        if not known:
            self.land()                  # a path whose row is refused is no path yet
            one.paths[line] = Path(len(world.paths) - 1, world.now_ms)
            self.by_number[one.paths[line].number] = (one, one.paths[line])
        path = one.paths[line]
        path.heard_ms = world.now_ms
        path.heard_in_fault = path.fault
        self.look_at_rows()

    def change_times(self, account: str, times: tuple[int, ...]) -> None:
        one, now_ms = self.transmitters[account], self.world.now_ms
        one.times = times
        self.world.paths.supervise_transmitter(f"dc09:{account}", *times)
        for path in one.paths.values():
            if not path.fault and one.deadline_ms(path) <= now_ms:
                path.heard_ms = now_ms   # what it kept silent before was its right

    def look_at_rows(self) -> None:
        """Judge the rows that came into the intake since the last look."""
        batch = self.world.admit.batch
        for row in map(batch.row, range(self.seen, len(batch))):
            if row["condition"] in NAMES:
                self.judge(*self.by_number[row["path"]], NAMES[row["condition"]], STATES[row["state"]] == "raised")
        self.seen = len(batch)

    def judge(self, one: Transmitter, path: Path, kind: str, raised: bool) -> None:
        now_ms = self.world.now_ms
        if kind == "system":
            assert one.system != raised, "said twice"
            assert one.gone == raised
            one.system, one.said_ms = raised, now_ms
            self.systems += raised
        elif raised:
            assert not path.fault, "raised twice"
            assert one.deadline_ms(path) <= now_ms, "too early"
            path.fault, path.heard_in_fault, path.raised_ms = True, False, now_ms
            self.faults += 1
        else:
            assert path.fault and path.heard_in_fault, "cleared without a frame"
            path.fault = path.heard_in_fault = False

    def lose(self) -> None:
        """Let the journal refuse what gathered: the truth goes back, too."""
        batch = self.world.admit.batch
        for row in reversed([batch.row(number) for number in range(len(batch))]):
            one, path = self.by_number[row["path"]]
            raised = STATES[row["state"]] == "raised"
            if NAMES[row["condition"]] == "system":
                one.system = not raised
            else:
                path.fault, path.heard_in_fault, path.lost_ms = not raised, False, self.world.now_ms
        self.world.lose()
        self.seen = 0

    def land(self) -> None:
        self.look_at_rows()
        self.world.land()
        self.seen = 0

    def nobody_is_late(self) -> None:
        """The deadline error: one tick and one turn. A refused row is offered again after LOOK_AGAIN_MS."""
        now_ms = self.world.now_ms
        for one in self.transmitters.values():
            for path in one.paths.values():
                due_ms = one.deadline_ms(path) + TICK_MS
                if path is not one.primary and one.primary.fault:    # it counts from when its primary was told
                    due_ms = max(due_ms, one.primary.raised_ms + 2 * TICK_MS)
                due_ms = max(due_ms, path.lost_ms + LOOK_AGAIN_MS + 2 * TICK_MS)
                assert path.fault or now_ms < due_ms, "late"
            # One row of a system is on its way at a time: the next one comes with the next turn.
            assert one.system == one.gone or one.said_ms == now_ms

    def everything_is_told(self) -> None:
        for one in self.transmitters.values():
            for path in one.paths.values():
                assert (self.world.paths.show(path.number)["state"] == "fault") == path.fault
                assert not path.heard_in_fault, "heard, and still in fault"
                assert self.world.paths.in_system_fault(path.number) == one.system


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_every_fault_comes_once_and_in_its_time(seed: int) -> None:
    Truth(seed).play(300)


def test_a_long_schedule_has_every_kind_of_fault() -> None:
    truth = Truth(7)
    truth.play(8000)
    assert truth.faults > 200
    assert truth.systems > 20
