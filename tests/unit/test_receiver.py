"""What one frame leads to: rows, replies, counters, and the path that it touches."""
import pytest

from codec.reading import build_frame
from codec.words import Condition
from tests.unit.listen_world import SECOND, World, accepted, alarm, connect, heartbeat, receive


@pytest.fixture
def line():
    world = World(heartbeats=1000)
    world.enrol("0001", "0002")
    connection, wire = connect(world.tcp(garbage_bytes_max=1 << 30))
    return world, connection, wire


def test_an_alarm_becomes_a_row_and_touches_its_path(line):
    world, connection, _ = line
    world.clock.advance(7 * SECOND)
    receive(connection, alarm("0002"))
    row = world.admit.batch.row(0)
    assert (row["path"], row["account"], row["class"], row["state"], row["point"]) == (1, "0002", 1, 1, "1/017")
    assert row["received_ns"] == world.clock.wall_ns()
    assert row["raw"] == alarm("0002")
    assert world.paths.show(1)["last_seen_ms"] == world.clock.wall_ns() // 1_000_000
    assert world.paths.show(0)["last_seen_ms"] in (None, 0)
    assert world.count("frames", "dc09", "signal") == 1
    assert len(world.heartbeats) == 0


def test_a_frame_of_several_signals_is_all_or_nothing(line):
    world, connection, wire = line
    for number in range(880):
        world.admit.offer_frame({"signal_class": 5, "identity": b"%d" % number})
    data = b"#0001|Nri1" + b"/FT017" * 30
    receive(connection, build_frame("SIA-DCS", "0001", data))
    assert (len(world.admit), world.count("shed", "signal"), wire.reading) == (880, 0, False)    # it waits
    other, _ = connect(world.tcp())
    receive(other, build_frame("SIA-DCS", "0001", data.replace(b"FT", b"FA")))
    assert len(world.admit) == 910
    world.journal()
    assert (len(world.admit), wire.reading) == (30, True)


def test_fire_comes_in_until_the_batch_is_full(line):
    world, connection, wire = line
    for number in range(1000):
        world.admit.offer_frame({"signal_class": 1, "identity": b"%d" % number})
    for sequence in range(1, 26):
        receive(connection, alarm("0001", sequence))
    assert (len(world.admit), wire.reading) == (1024, False)  # TCP waits; the frame is kept, nothing is shed
    assert world.count("shed", "signal") == 0
    world.journal()
    assert (len(world.admit), wire.reading) == (1, True)


def test_a_frame_of_too_many_signals_is_answered_as_not_understood(line):
    world, connection, wire = line
    frame = build_frame("SIA-DCS", "0001", b"#0001|N" + b"/FA1" * 129)
    receive(connection, frame)
    assert (wire.written, len(world.admit)) == (build_frame("DUH", "0001"), 0)
    assert world.count("rejected", "dc09", "field") == 1


@pytest.mark.parametrize("content", [b"#0001|", b"[[[", b"#0001|Nri1/", b"\xff\xfe"])
def test_odd_content_is_one_frame_or_one_refusal_and_never_costs_the_next(line, content):
    world, connection, wire = line
    receive(connection, build_frame("SIA-DCS", "0001", content) + heartbeat("0001", 2))
    world.journal()
    counts = world.receiver.counts()
    assert sum(counts["frames"].values()) + sum(counts["rejected"].values()) == 2
    assert wire.written.endswith(accepted(heartbeat("0001", 2)))


def test_a_path_in_fault_that_speaks_returns_once(line):
    world, connection, _ = line
    world.admit.offer_frame({"path": 0, "signal_class": 5, "condition": Condition.CONDITION_LINE_FAULT, "state": 1})
    world.paths.apply(world.seal()[0])
    assert world.paths.show(0)["state"] == "fault"
    receive(connection, heartbeat("0001") + heartbeat("0001", 2))
    world.paths.check()
    assert world.paths.states_in()["fault"] == 1


def test_an_old_batch_does_not_take_a_returned_path_back_into_fault(line):
    world, _, _ = line
    world.admit.offer_frame({"path": 0, "signal_class": 5, "condition": Condition.CONDITION_LINE_FAULT, "state": 1})
    raised, _ = world.seal()
    world.paths.apply(raised, False)
    assert world.paths.show(0)["state"] == "up"
    world.paths.apply(raised)
    assert world.paths.show(0)["state"] == "fault"


def test_heartbeats_are_noted_with_their_path(line):
    world, connection, _ = line
    receive(connection, heartbeat("0001") + heartbeat("0002") + heartbeat("0001", 2))
    assert len(world.heartbeats) == 3


def test_every_count_has_a_label(line):
    world, connection, _ = line
    counts = world.receiver.counts()
    assert set(counts) == {"frames", "rejected", "replies", "shed", "replies_withheld", "bytes", "garbage_bytes",
                           "connections_accepted", "replays", "replays_early", "peer_changes", "handed"}
    assert ("dc09", "heartbeat") in counts["frames"]
    assert ("unknown", "start") in counts["rejected"]
    assert ("dc09", "accept") in counts["replies"]
    assert set(counts["shed"]) == {"signal", "held_reply", "reply", "connection", "enrolment", "heartbeat_reply"}
    assert counts["connections_accepted"] == 1


def test_bytes_are_counted_whole(line):
    world, connection, _ = line
    data = b"??" + heartbeat("0001") + alarm("0002") + b"\r\n" + heartbeat("0002")[:9]
    receive(connection, data)
    assert world.count("bytes") == len(data) - 9
    assert world.count("garbage_bytes") == 4


def test_a_refused_time_stamp_does_not_enter_twice(line):
    world, connection, wire = line
    frame = build_frame("SIA-DCS", "0001", b"#0001|Nri1/FA017", stamp_ns=world.clock.wall_ns())
    receive(connection, frame + frame)
    world.journal()
    assert wire.written == accepted(frame) * 2
    assert len(world.signals()) == 1
    assert world.admit.duplicates == 1


def test_a_protocol_that_is_not_served_is_refused_and_not_acknowledged(line):
    world, _, _ = line
    connection, wire = connect(world.tcp(protocol=1))
    frame = bytes.fromhex("40402e000100041f0c0706120101010101010202020202020c00020101010b020024220c0706121e2323")
    receive(connection, frame + heartbeat("0001", 2))
    assert wire.written == accepted(heartbeat("0001", 2))
    assert (world.count("rejected", "gbt26875", "not_served"), len(world.paths)) == (1, 2)
