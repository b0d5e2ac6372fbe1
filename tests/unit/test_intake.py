"""The intake: which rows still come in when it fills or the journal is short of space, and the tickets they get."""
import pytest

from codec.batch import Batch
from codec.words import SignalClass
from engine.histogram import Histogram
from engine.intake import Intake
from tests.unit.listen_world import World, alarm, bound, heartbeat, replies

FIRE, INFO, TEST, FAULT = (SignalClass.CLASS_FIRE, SignalClass.CLASS_INFO, SignalClass.CLASS_TEST,
                           SignalClass.CLASS_FAULT)
CODES = {"fire": "FA", "gas": "GA", "fault": "FT", "test": "RP", "info": "LB"}


@pytest.fixture
def line():
    """A world, its UDP listener and a panel: UDP is always read, so that the intake alone decides."""
    world = World()
    world.enrol("0001")
    with bound() as socket, bound() as panel:
        udp = world.udp(socket)
        panel.connect(socket.getsockname())
        yield world, udp, panel


def offered(line, code, sequence=1):
    """Return whether a signal of this code came in, and check that it was counted where it did not."""
    world, udp, panel = line
    before, shed = len(world.admit), world.count("shed", "signal")
    panel.send(alarm("0001", sequence, code))
    udp.on_readable()
    assert (len(world.admit) - before, world.count("shed", "signal") - shed) in ((1, 0), (0, 1))
    return len(world.admit) > before


@pytest.mark.parametrize("urgency_min, welcome", [
    (0, {"fire", "gas", "fault", "test", "info"}), (1, {"fire", "gas", "fault"}), (2, {"fire", "gas"})])
def test_who_comes_in_while_the_journal_is_short_of_space(line, urgency_min, welcome):
    world, _, _ = line
    world.admit.urgency_min = urgency_min
    assert {name for name, code in CODES.items() if offered(line, code)} == welcome


def test_the_last_eighth_is_for_fire_and_gas(line):
    world, _, _ = line
    world.fill(1024 - 128)
    assert {name for name, code in CODES.items() if offered(line, code)} == {"fire", "gas"}
    world.fill(1024)
    assert not offered(line, "FA", 2)
    world.journal()
    assert offered(line, "FA", 3)


def test_the_bytes_are_bounded_as_the_rows_are():
    world = World(arena_bytes=64 * 4106)
    world.enrol("0001")
    for number in range(77):
        assert world.admit.offer_frame({"signal_class": FIRE, "raw": bytes(3000), "identity": b"%d" % number})
    with bound() as socket, bound() as panel:
        udp = world.udp(socket)
        panel.connect(socket.getsockname())
        assert not offered((world, udp, panel), "FT")
        assert offered((world, udp, panel), "FA")


def test_nothing_of_a_frame_that_is_not_taken_stays(line):
    world, udp, panel = line
    world.fill(1024 - 127)
    rows, used, ticket = len(world.admit), world.admit.batch.arena_used, world.admit.offered
    assert not offered(line, "RP")
    assert (len(world.admit), world.admit.batch.arena_used, world.admit.offered) == (rows, used, ticket)
    panel.send(heartbeat("0001"))
    udp.on_readable()
    assert len(replies(panel)) == 1


def test_what_was_not_taken_is_new_when_it_comes_again(line):
    world, _, panel = line
    world.admit.urgency_min = 2
    assert not offered(line, "FT")
    world.admit.urgency_min = 0
    assert offered(line, "FT")
    world.journal()
    assert len(replies(panel)) == 1


def test_tickets_rise_by_rows_and_a_frame_is_all_or_nothing():
    intake = Intake(1024, 64 * 4106)
    assert intake.offer_frame({"signal_class": FIRE}) == (1, True)
    assert intake.offer_frame({"signal_class": FAULT}, {"signal_class": TEST}) == (3, True)
    assert intake.take() == 3
    assert (len(intake), intake.offered, intake.durable) == (0, 3, 0)
    assert intake.offer_frame(*[{"signal_class": FIRE}] * 1025) is None
    assert (len(intake), intake.offered) == (0, 3)
    assert intake.offer_frame({"signal_class": FIRE}) == (4, True)
    intake.release(3)
    assert intake.durable == 3
    intake.fail(4)
    assert intake.durable == 4


@pytest.mark.parametrize("rows, arena", [(1023, 1 << 20), (1024, 64 * 4106 - 1), (16385, 1 << 20)])
def test_sizes_that_cannot_be(rows, arena):
    with pytest.raises(ValueError):
        Intake(rows, arena)


def test_the_time_to_durable_counts_signals_alone():
    batch, histogram = Batch(8, 64), Histogram()
    batch.add(received_ns=1000)
    batch.add(received_ns=4000)
    batch.add(kind=2, received_ns=0)
    Intake(1024, 64 * 4106).record_durable(batch, histogram, 5000)
    _, total_ns, count = histogram.snapshot()
    assert (count, total_ns) == (2, 4000 + 1000)
