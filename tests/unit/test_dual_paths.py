"""Transmitters with two paths: which is the primary, how long each may be silent, and the fault of the whole system."""
import pytest

from codec.batch import Batch
from codec.words import RowKind
from engine.words import Change
from tests.unit.supervise_world import World, state_of

DP4 = (90_000, 18_000_000, 90_000)
HOUR = 3600


def dual(*, times=DP4):
    """A transmitter of two paths, line 0 and line 1, heard now."""
    world = World({"dc09:0001": times})
    world.hear("0001", 0)
    world.hear("0001", 1)
    return world


def shown(world, *names):
    return [tuple(world.paths.show(number)[name] for name in names) for number in range(len(world.paths))]


def test_the_first_path_is_the_primary_and_the_second_has_the_longer_time():
    world = dual()
    assert shown(world, "role", "supervision_ms") == [("primary", 90_000), ("alternate", 18_000_000)]
    world.run(2 * HOUR, ("0001", 0), step_ms=1000)
    assert world.rows == []
    world.run(3 * HOUR + 1, ("0001", 0), step_ms=1000)
    assert [(row[:3], 18_000_000 <= row[3] <= 18_001_100) for row in world.rows] == [((1, "line", "raised"), True)]


def test_the_enrolment_says_all_three_times_and_a_replay_gives_the_same():
    world = dual()
    world.run(100)
    again = world.again(snapshot=False)
    assert state_of(again.paths) == state_of(world.paths)
    assert shown(again, "role", "times_ms") == [("primary", DP4), ("alternate", DP4)]
    again.paths.check()


def test_when_the_primary_goes_the_alternate_must_speak_within_its_shorter_time_from_then_on():
    world = dual()
    world.run(4 * HOUR, ("0001", 0), step_ms=1000)
    world.run(91)
    assert world.said() == [(0, "line", "raised")]
    assert shown(world, "supervision_ms")[1] == (90_000,)
    world.run(80)
    assert world.said() == [(0, "line", "raised")], "silent for four hours, and not due before its 90 s"
    world.run(12)
    assert world.said() == [(0, "line", "raised"), (1, "line", "raised"), (0, "system", "raised")]
    assert world.rows[1][3] - world.rows[0][3] == pytest.approx(90_000, abs=200)
    assert world.paths.in_system_fault(1)


def test_an_alternate_that_polls_faster_when_the_primary_is_gone_stays_up():
    world = dual()
    world.run(HOUR, ("0001", 0), step_ms=1000)
    world.run(95)
    for _ in range(20):
        world.hear("0001", 1)
        world.run(60)
    assert world.said() == [(0, "line", "raised")]
    world.hear("0001", 0)
    world.run(HOUR, ("0001", 0), step_ms=1000)
    assert world.said() == [(0, "line", "raised"), (0, "line", "cleared")]


def test_the_system_fault_ends_with_the_first_path_that_returns_and_once():
    world = dual()
    world.run(300)
    assert world.said() == [(0, "line", "raised"), (1, "line", "raised"), (0, "system", "raised")]
    world.hear("0001", 1)
    world.run(10)
    assert world.said()[3:] == [(1, "line", "cleared"), (0, "system", "cleared")]
    world.hear("0001", 0)
    world.run(10)
    assert world.said()[5:] == [(0, "line", "cleared")]
    assert (world.supervisor.system_faults, world.supervisor.system_cleared) == (1, 1)


def test_two_paths_with_one_time_have_a_system_fault_too_and_one_path_has_none():
    world = World()
    world.hear("0001", 0)
    world.hear("0001", 1)
    world.hear("0002", 0)
    assert shown(world, "role") == [(None,), (None,), (None,)]
    world.run(100)
    assert sorted(world.said()) == [(0, "line", "raised"), (0, "system", "raised"), (1, "line", "raised"),
                                    (2, "line", "raised")]


@pytest.mark.parametrize("snapshot", [True, False])
def test_after_a_restart_it_is_as_it_was_and_nothing_is_said_twice(snapshot):
    world = dual()
    world.run(300)
    again = world.again(snapshot=snapshot)
    assert state_of(again.paths) == state_of(world.paths)
    again.run(HOUR, step_ms=1000)
    assert again.rows == []
    again.hear("0001", 0)
    again.run(1)
    assert again.said() == [(0, "line", "cleared"), (0, "system", "cleared")]


@pytest.mark.parametrize("snapshot", [True, False])
def test_an_alternate_alone_has_the_rest_of_its_shorter_time_and_the_grace_after_a_restart(snapshot):
    world = dual()
    world.run(2 * HOUR, ("0001", 0), step_ms=1000)
    world.run(91 + 60)
    again = world.again(snapshot=snapshot, grace_ms=10_000)
    again.run(37)
    assert again.rows == []
    again.run(10)
    assert again.said() == [(1, "line", "raised"), (0, "system", "raised")]


def test_what_the_journal_lost_is_raised_again_in_one_frame():
    world = dual()
    while not len(world.admit):
        world.clock.advance(100_000_000)
        world.supervisor.turn()
    world.lose()
    world.run(6)
    assert world.said() == [(0, "line", "raised")]
    for _ in range(1000):
        world.clock.advance(100_000_000)
        world.supervisor.turn()
        if len(world.admit):
            break
    assert len(world.admit) == 2
    world.lose()
    assert not world.paths.in_system_fault(0)
    world.run(10)
    assert world.said() == [(0, "line", "raised"), (1, "line", "raised"), (0, "system", "raised")]
    world.hear("0001", 1, land=False)
    assert len(world.admit) == 2
    world.lose()
    assert world.paths.in_system_fault(0)
    world.hear("0001", 1)
    assert world.said()[3:] == [(1, "line", "cleared"), (0, "system", "cleared")]


def test_a_raise_and_its_end_that_are_both_lost_leave_nothing():
    world = World()
    world.hear("0001", 0)
    world.run(30)
    world.hear("0001", 1)
    world.run(70)
    assert world.said() == [(0, "line", "raised")]
    while not len(world.admit):
        world.clock.advance(100_000_000)
        world.supervisor.turn()
    world.hear("0001", 0, land=False)
    assert len(world.admit) == 4
    world.lose()
    assert not world.paths.in_system_fault(0)
    world.hear("0001", 0)
    world.hear("0001", 1)
    world.run(10)
    assert world.said() == [(0, "line", "raised"), (0, "line", "cleared")]


def test_a_new_path_ends_the_system_fault():
    world = dual()
    world.run(300)
    world.hear("0001", 2)
    world.run(1)
    assert world.said()[3:] == [(0, "system", "cleared")]
    assert shown(world, "role") == [("primary",), ("alternate",), ("alternate",)]


def test_times_that_change_live_hold_at_once_and_give_a_whole_new_time():
    world = dual(times=(1000_000,))
    assert shown(world, "role") == [(None,), (None,)]
    world.run(500)
    world.paths.supervise_transmitter("dc09:0001", *DP4)
    world.run(85)
    assert world.rows == []
    world.run(10)
    assert world.said() == [(0, "line", "raised")]
    world.hear("0001", 2)
    assert shown(world, "role", "times_ms")[2] == ("alternate", DP4)
    world.paths.supervise_transmitter("dc09:0001", 5000)
    world.run(10)
    assert [shown(world, "role", "supervision_ms")[number] for number in (1, 2)] == [(None, 5000)] * 2
    assert world.said()[-1] == (0, "system", "raised")
    world.paths.supervise_transmitter("dc09:0001", 0)
    assert shown(world, "supervision_ms") == [(90_000,)] * 3
    assert world.paths.supervise_transmitter("dc09:FFFF", *DP4) is None
    world.hear("FFFF")
    assert shown(world, "times_ms")[3] == (DP4,)


def test_a_default_of_two_times_holds_for_transmitters_that_nobody_named():
    world = World({"dc09:0002": (90_000,)}, default=DP4)
    for line in (0, 1):
        world.hear("0001", line)
        world.hear("0002", line)
    assert shown(world, "role") == [("primary",), (None,), ("alternate",), (None,)]


def test_the_primary_path_that_somebody_names():
    world = World()
    world.paths.supervise_transmitter("dc09:0001", *DP4, primary="default/L1")
    world.hear("0001", 0)
    assert shown(world, "role") == [("primary",)], "as long as it is alone"
    world.hear("0001", 1)
    assert shown(world, "role", "supervision_ms") == [("alternate", 18_000_000), ("primary", 90_000)]
    world.paths.supervise_transmitter("dc09:0001", *DP4, primary="")
    assert shown(world, "role") == [("primary",), ("alternate",)]


def test_one_that_is_waited_for_has_the_primarys_time_until_it_speaks():
    world = World(registered=[(1, "0001", "", 90_000, b"")])
    world.paths.supervise_transmitter("dc09:0001", *DP4)
    assert world.world.enrolment.expect(world.admit, 0, world.clock.wall_ns())
    world.land()
    assert shown(world, "state", "supervision_ms") == [("new", 90_000)]
    assert world.paths.scan(0, "new", 10) == world.paths.scan(0, "never_heard", 10) == [0]
    assert world.paths.scan(0, "up", 10) == []
    world.run(91)
    assert world.said() == [(0, "line", "raised")]
    assert (world.paths.scan(0, "new", 10), world.paths.scan(0, "never_heard", 10)) == ([], [0])
    world.hear("0001", 0)
    world.hear("0001", 1)
    world.run(1)
    assert world.said()[1:] == [(0, "line", "cleared")]
    assert shown(world, "role", "supervision_ms")[1:] == [("primary", 90_000), ("alternate", 18_000_000)]
    assert world.paths.scan(0, "never_heard", 10) == []
    assert world.paths.scan(0, "up", 10) == world.paths.scan(0, None, 10) == [0]
    assert state_of(world.again(snapshot=False).paths) == state_of(world.paths)


def test_a_snapshot_of_before_there_were_roles_is_read():
    world = dual()
    saved = b"".join(world.paths.save())
    old = World()
    old.paths.load(saved[:-2 * 24])
    assert shown(old, "role", "supervision_ms") == [(None, 90_000), (None, 18_000_000)]
    with pytest.raises(ValueError, match="wrong length"):
        World().paths.load(saved[:-1])


def test_more_revisits_than_are_remembered_look_at_all():
    world = World({"dc09:0001": (1000_000,)})
    world.hear("0001")
    for _ in range(5000):
        world.paths.supervise_transmitter("dc09:0001", 20_000)
    world.run(25)
    assert world.said() == [(0, "line", "raised")]


def change(world, times):
    """Let the registry name a transmitter with these times, by a row that has landed."""
    batch = Batch(4, 1024)
    batch.add(kind=RowKind.ROW_CHANGE, protocol=1, account="0001", condition=Change.CHANGE_TRANSMITTER,
              native="\t".join(["f", *map(str, times), ""]) if times else "")
    world.world.enrolment.apply(batch)


def test_what_the_registry_names_holds_for_paths_there_are_and_for_those_to_come():
    world = World()
    change(world, DP4)
    world.hear("0001", 0)
    world.hear("0001", 1)
    assert shown(world, "role", "times_ms") == [("primary", DP4), ("alternate", DP4)]
    change(world, (60_000, 3_600_000, 30_000))
    assert shown(world, "supervision_ms") == [(60_000,), (3_600_000,)]
    change(world, (0, 0, 0))
    assert shown(world, "role", "supervision_ms") == [(None, 90_000), (None, 90_000)]
    change(world, DP4)
    change(world, None)
    assert shown(world, "role", "supervision_ms") == [(None, 90_000), (None, 90_000)]
