"""A million paths that fall silent in the same second: each is raised once, in turns of bounded work."""
import pytest

from benchmarks.fleet import Fleet
from codec.batch import Batch
from engine.clock import FakeClock
from engine.intake import Intake
from engine.supervise.listening import ListeningClock
from engine.supervise.supervisor import Supervisor
from engine.supervise.wheel import Wheel

SUPERVISION_S, MS = 90, 1_000_000
ROWS, ROWS_FOR_OWN, LOOKED_AT_MAX = 8192, 5121, 8192     # five eighths of the intake are for line faults


@pytest.mark.slow
def test_a_million_paths_that_vanish_are_raised_once_each_in_bounded_turns():
    count = 1_000_000
    fleet = Fleet(count)
    fleet.enrol(SUPERVISION_S * 1000)
    fleet.touch_once_in(1, 0)
    clock, intake = FakeClock(), Intake(ROWS, 1 << 22)
    listening = ListeningClock(0, clock.monotonic_ns())
    supervisor = Supervisor(fleet.table, Wheel(count, 0), listening, clock, intake)
    raised = bytearray(count)
    turns = ticks = 0
    while supervisor.line_faults < count:
        clock.advance(64 * MS)
        ticks += 1
        more = True
        while more:
            looked_at = supervisor.looked_at
            more = supervisor.turn()
            turns += 1
            assert supervisor.looked_at - looked_at <= LOOKED_AT_MAX
            assert len(intake) <= ROWS_FOR_OWN, "the rest is for those who speak"
            if len(intake):
                sealed = Batch.view(intake.batch.encode())
                for row in range(len(sealed)):
                    raised[sealed.row(row)["path"]] += 1
                intake.release(intake.take())
                fleet.table.apply(sealed, listening.listening_ms)
        assert ticks * 64 <= (SUPERVISION_S + 60) * 1000
    assert raised.count(1) == count
    assert fleet.table.states_in()["fault"] == count
    # At least every second turn finds its whole share of the intake.
    assert turns < ticks + 2 * count // ROWS_FOR_OWN
