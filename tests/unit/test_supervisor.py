"""Line faults on a fake clock: raised once and in time, cleared by the next frame, never by a restart or a stall."""
import asyncio

import pytest

from codec.batch import Batch
from codec.words import RowKind
from engine.clock import FakeClock
from engine.intake import Intake
from engine.journal.memory_disk import MemoryDisk
from engine.paths import PathTable
from engine.supervise.listening import ListeningClock
from engine.supervise.supervisor import Supervisor
from engine.supervise.touch_file import TouchFile
from engine.supervise.touches import Touches
from engine.supervise.wheel import Wheel

MS = 1_000_000
SECOND = 1000 * MS


class World:
    def __init__(self, paths, *, supervision_s=90, start_ms=0, saved=None, seen_ns=0):
        self.clock = FakeClock()
        self.listening = ListeningClock(start_ms, self.clock.monotonic_ns())
        self.paths = PathTable(100_000, bytes(16))
        self.intake = Intake(8192, 1 << 22)
        if saved:
            self.paths.load(saved)
        for start in range(0, paths, 500):
            enrolments = Batch(1024, 1 << 20)
            for number in range(start, min(start + 500, paths)):
                enrolments.add(kind=RowKind.ROW_ENROLMENT, path=number, received_ns=seen_ns,
                               native=f"dc09:{number:04X}/default/L0 supervision={supervision_s * 1000}")
            self.paths.apply(enrolments)
        self.supervisor = Supervisor(self.paths, Wheel(100_000, start_ms), self.listening, self.clock, self.intake)
        self.rows = []

    def run(self, seconds, *, step_ms=100):
        for _ in range(int(seconds * 1000 / step_ms)):
            self.clock.advance(step_ms * MS)
            while self.supervisor.turn():
                pass
            self.collect()
        return self

    def collect(self):
        for index in range(len(self.intake)):
            row = self.intake.batch.row(index)
            self.rows.append((row["path"], row["state"], self.listening.listening_ms, row))
        self.paths.apply(self.intake.batch, self.listening.listening_ms)
        self.intake.release(self.intake.take())


def test_a_silent_path_is_raised_once_within_a_tick_of_its_time():
    world = World(3).run(300)
    assert sorted(path for path, *_ in world.rows) == [0, 1, 2]
    for _, state, at_ms, row in world.rows:
        assert state == 1
        assert 90_000 <= at_ms <= 90_000 + 64 + 100
        assert row["account"] == f"{row['path']:04X}"
        assert row["point"] == "default/L0"
        assert row["native"] == "line_fault"
    assert world.paths.states_in()["fault"] == 3


def test_ten_thousand_at_once_all_come_out_whatever_the_room():
    world = World(10_000).run(95)
    assert sorted(path for path, *_ in world.rows) == list(range(10_000))


def test_no_supervision_no_fault():
    assert World(10, supervision_s=0).run(1000, step_ms=1000).rows == []


def test_a_stall_of_ours_is_not_silence_of_theirs():
    world = World(5).run(60)
    world.clock.advance(3600 * SECOND)
    world.run(25)
    assert world.rows == []
    assert world.listening.credited_ms == 3_599_000 + 100
    world.run(10)
    assert len(world.rows) == 5


def test_a_clock_that_jumps_raises_nothing():
    world = World(5).run(60)
    world.clock.jump(-86400 * SECOND)
    world.run(10)
    world.clock.jump(2 * 86400 * SECOND)
    world.run(10)
    assert world.rows == []


def test_who_was_last_seen_before_the_wall_clock_was_set_back_is_raised_once():
    tomorrow_ns = FakeClock().wall_ns() + 86400 * SECOND
    world = World(5, seen_ns=tomorrow_ns).run(300)
    assert sorted((path, state) for path, state, *_ in world.rows) == [(path, 1) for path in range(5)]
    assert world.paths.states_in()["fault"] == 5


@pytest.mark.parametrize(("heard_before_s", "grace_s", "due_s"),
                         [(30, 10, 70), (85, 10, 15), (85, 90, 90), (0, 10, 90)])
def test_after_a_restart_a_path_has_the_rest_of_its_time_and_the_grace(heard_before_s, grace_s, due_s):
    world = World(1).run(heard_before_s)
    again = World(0, start_ms=world.listening.listening_ms, saved=b"".join(world.paths.save()))
    again.clock.advance(86400 * SECOND)
    again.listening = ListeningClock(world.listening.listening_ms, again.clock.monotonic_ns())
    again.supervisor = Supervisor(again.paths, Wheel(100_000, world.listening.listening_ms), again.listening,
                                  again.clock, again.intake)
    Touches(again.paths).resume(world.listening.listening_ms, grace_s * 1000, 1, life_ms=0)
    again.run(due_s - 1)
    assert again.rows == []
    again.run(2)
    assert len(again.rows) == 1


def test_restarts_every_minute_do_not_hide_a_dead_transmitter():
    disk, rows = MemoryDisk(), []
    saved, start_ms = b"".join(World(1, supervision_s=300).paths.save()), 0
    for _ in range(20):
        world = World(0, start_ms=start_ms, saved=saved)
        file = TouchFile(disk, bytes(16), world.paths)
        assert asyncio.run(file.resume(start_ms, 90_000, 1)) == start_ms
        world.run(60)
        rows += [at_ms for *_, at_ms, _ in world.rows]
        asyncio.run(file.write(world.listening))
        saved, start_ms = b"".join(world.paths.save()), world.listening.listening_ms
    assert len(rows) == 1
    assert 300_000 <= rows[0] <= 390_000 + 1000


def test_line_faults_stay_out_while_the_journal_keeps_its_space_for_fire():
    world = World(50)
    world.run(80)
    world.intake.urgency_min = 2
    world.run(100)
    assert world.rows == []
    assert world.paths.states_in()["fault"] == 0
    world.intake.urgency_min = 0
    world.run(1)
    assert sorted(path for path, *_ in world.rows) == list(range(50))


def test_a_line_fault_that_the_journal_refused_is_raised_again_soon():
    world = World(2)
    while not len(world.intake):
        world.clock.advance(100 * MS)
        world.supervisor.turn()
    world.paths.retract(world.intake.batch)
    world.intake.fail(world.intake.take())
    assert world.paths.states_in()["up"] == 2
    world.run(6)
    assert sorted(path for path, *_ in world.rows) == [0, 1]
    assert world.paths.states_in()["fault"] == 2


def test_datagrams_that_the_kernel_dropped_give_each_path_its_time_once_more():
    world = World(3)
    world.supervisor.note_drops(7)       # before we began: no news
    world.run(60)
    world.supervisor.note_drops(8)
    world.run(85)
    assert world.rows == []
    assert world.supervisor.excused == 3
    world.run(10)
    assert all(149_000 <= at_ms <= 151_000 for *_, at_ms, _ in world.rows)
    assert len(world.rows) == 3
    assert not world.supervisor.impaired


def test_a_flood_that_never_ends_does_not_switch_supervision_off():
    world = World(3)
    for drops in range(1000):
        world.supervisor.note_drops(drops)
        world.run(1)
    assert sorted(path for path, *_ in world.rows) == [0, 1, 2]
    assert all(at_ms <= 2 * 90_000 + 2000 for *_, at_ms, _ in world.rows)
    assert world.supervisor.impaired
    world.run(3600, step_ms=500)
    assert not world.supervisor.impaired


def test_drops_before_a_path_was_heard_are_no_excuse():
    world = World(1)
    world.supervisor.note_drops(0)
    world.supervisor.note_drops(1)       # in the moment in which it was heard last
    world.run(91)
    assert len(world.rows) == 1
