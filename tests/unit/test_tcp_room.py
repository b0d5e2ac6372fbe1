"""TCP and an intake without room: at which frame a connection stops, what goes on, and that nothing counts twice."""
import pytest

from tests.unit.listen_world import World, accepted, alarm, connect, heartbeat, receive

ACCOUNTS = [f"{number:04X}" for number in range(8)]


def world_of(**limits):
    world = World()
    world.enrol(*ACCOUNTS)
    return world, world.tcp(**limits)


def test_a_crowded_intake_stops_a_connection_at_a_signal_and_nobody_else():
    world, tcp = world_of()
    (one, first), (two, second), (three, third) = connect(tcp), connect(tcp), connect(tcp)
    world.fill(896)
    receive(one, heartbeat("0001") + alarm("0001", code="FT") + heartbeat("0001", 2))
    receive(two, heartbeat("0002"))
    receive(three, alarm("0003"))
    assert (first.written, second.written, third.written) == (
        accepted(heartbeat("0001")), accepted(heartbeat("0002")), b"")
    assert (first.reading, second.reading, third.reading) == (False, True, True)
    assert len(world.admit) == 897           # the fire has one of the last places
    world.journal()
    assert third.written == accepted(alarm("0003"))
    assert first.reading
    world.journal()
    assert first.written == b"".join(map(accepted, (heartbeat("0001"), alarm("0001", code="FT"), heartbeat("0001", 2))))


def test_a_frame_that_waited_for_room_is_counted_and_journalled_once():
    world, tcp = world_of()
    connection, wire = connect(tcp)
    world.fill(896)
    receive(connection, heartbeat("0001") + alarm("0001", code="FT"))
    for _ in range(3):                       # appends that end when others have filled the next one already
        sealed = world.seal()
        world.fill(896)
        world.journal(sealed)
        assert (len(world.admit), wire.reading, connection.held_in) == (896, False, 0)
    assert world.count("frames", "dc09", "signal") == world.count("bytes") - len(heartbeat("0001")) == 0
    assert world.count("shed", "signal") == 0
    world.journal()
    world.journal()
    assert wire.written == accepted(heartbeat("0001")) + accepted(alarm("0001", code="FT"))
    assert world.count("frames", "dc09", "signal") == 1
    assert [row["account"] for row in world.signals() if row["account"]] == ["0001"]
    assert world.count("bytes") == len(heartbeat("0001") + alarm("0001", code="FT"))


@pytest.mark.parametrize("code, urgency_min, rows", [("RP", 0, 512), ("LB", 0, 1000), ("RP", 1, 10), ("FT", 2, 1000)])
def test_what_gives_way_to_others_or_finds_the_journal_full_does_not_hold_its_connection(code, urgency_min, rows):
    world, tcp = world_of()
    connection, wire = connect(tcp)
    world.fill(rows)
    world.admit.urgency_min = urgency_min
    receive(connection, alarm("0001", code=code) + heartbeat("0001"))
    assert (wire.written, wire.reading, world.count("shed", "signal")) == (accepted(heartbeat("0001")), True, 1)


def test_an_unknown_transmitter_waits_for_room_to_enrol_it_and_its_fire_does_not():
    world, tcp = world_of()
    (one, first), (two, second) = connect(tcp), connect(tcp)
    world.fill(897)
    receive(one, heartbeat("ABCD"))
    receive(two, alarm("ABCE"))
    assert (first.reading, second.reading, len(world.admit), len(world.paths)) == (False, True, 898, 8)
    world.journal()
    assert second.written == accepted(alarm("ABCE"))
    assert (first.written, len(world.paths), world.count("shed", "enrolment")) == (b"", 9, 0)
    world.journal()
    assert first.written == accepted(heartbeat("ABCD"))


def test_those_that_nobody_knows_are_counted_once_however_long_they_wait():
    world = World(policy="quarantine")
    tcp = world.tcp()
    connection, wire = connect(tcp)
    world.fill(896)
    receive(connection, alarm("0001", code="FT"))
    tcp.release(0)
    world.journal()
    world.journal()
    assert (wire.written, world.enrolment.quarantined) == (accepted(alarm("0001", code="FT")), 1)


def test_a_peer_that_said_all_while_its_frame_waits_for_room_is_heard_to_the_end():
    world, tcp = world_of()
    connection, wire = connect(tcp)
    world.fill(896)
    receive(connection, alarm("0001", code="FT") + heartbeat("0001"))
    assert connection.eof_received()
    world.journal()
    assert not wire.closed
    world.journal()
    assert (wire.written, wire.closed) == (accepted(alarm("0001", code="FT")) + accepted(heartbeat("0001")), True)


def test_a_peer_that_said_all_and_whose_frame_is_shed_in_the_end_is_closed():
    world, tcp = world_of()
    connection, wire = connect(tcp)
    world.fill(896)
    receive(connection, alarm("0001", code="FT"))
    assert connection.eof_received()
    world.admit.urgency_min = 2
    world.lose()
    assert (wire.written, wire.closed, world.count("shed", "signal")) == (b"", True, 1)


def test_the_last_replies_that_may_wait_are_for_connections_without_one():
    world, tcp = world_of(held_max=16)
    (one, first), (two, second) = connect(tcp), connect(tcp)
    receive(one, b"".join(alarm("0001", number) for number in range(1, 18)))
    assert (one.held_in, first.reading) == (14, False)
    receive(two, alarm("0002") + heartbeat("0002"))
    assert (two.held_in, second.reading) == (1, False)
    world.journal()
    world.journal()
    assert (first.reading, second.reading, tcp.held_in) == (True, True, 0)
