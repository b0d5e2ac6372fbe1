"""Encrypted frames at the receiver: whose key, what is answered, what is late, what is refused."""
import pytest

from codec.reading import build_frame, read_frames
from codec.words import Flag
from tests.unit.listen_world import SECOND, World, accepted, alarm, connect, heartbeat, receive

KEY, OTHER = bytes(range(16)), bytes(range(32))


@pytest.fixture
def line():
    world = World(registered=[(1, "0001", "", 30_000, KEY), (1, "0002", "", 30_000, OTHER)])
    connection, wire = connect(world.tcp(garbage_bytes_max=1 << 20))
    return world, connection, wire


def sealed(world, token="SIA-DCS", data=b"#0001|Nri1/FA017", *, key=KEY, ago_s=0, sequence=7, account="0001"):
    stamp_ns = world.clock.wall_ns() - ago_s * SECOND
    return build_frame(token, account, data, sequence=sequence, key=key, stamp_ns=stamp_ns)


def replies(world, wire, key=KEY):
    found = [(frame["token"], frame["sequence"], frame["encrypted"])
             for frame in read_frames(bytes(wire.written), world.clock.wall_ns(), key=key)]
    wire.written.clear()
    return found


def test_an_encrypted_alarm_is_a_row_and_its_reply_is_encrypted(line):
    world, connection, wire = line
    receive(connection, sealed(world))
    assert wire.written == b""  # nothing before it is durable
    world.journal()
    assert replies(world, wire) == [("ACK", 7, True)]
    [row] = world.signals()
    assert (row["account"], row["class"], row["point"], row["native"]) == ("0001", 1, "1/017", "FA017")
    assert row["raw"].startswith(b"\n")


def test_each_transmitter_has_its_own_key(line):
    world, connection, wire = line
    receive(connection, sealed(world, key=OTHER, account="0002", data=b"#0002|NFA003"))
    world.journal()
    assert replies(world, wire, OTHER) == [("ACK", 7, True)]
    receive(connection, sealed(world, key=OTHER))
    assert (wire.written, world.count("rejected", "dc09", "crypto")) == (b"", 1)
    assert world.refused.newest()[0]["reason"] == "crypto"


def test_an_encrypted_heartbeat_is_one(line):
    world, connection, wire = line
    receive(connection, sealed(world, "NULL", b""))
    world.journal()
    world.clock.advance(SECOND)
    receive(connection, sealed(world, "NULL", b"", sequence=8))
    assert replies(world, wire) == [("ACK", 7, True), ("ACK", 8, True)]
    assert (world.count("frames", "dc09", "heartbeat"), len(world.signals())) == (2, 0)


def test_a_repetition_with_another_pad_is_no_second_signal(line):
    world, connection, wire = line
    receive(connection, sealed(world))
    world.journal()
    world.clock.advance(SECOND)
    receive(connection, sealed(world))
    assert replies(world, wire) == [("ACK", 7, True), ("ACK", 7, True)]
    assert (len(world.signals()), world.admit.duplicates) == (1, 1)


def test_an_unknown_account_is_not_enrolled_by_what_nobody_can_read(line):
    world, connection, wire = line
    receive(connection, sealed(world, account="0009") + heartbeat("0003"))
    world.journal()
    assert (len(world.paths), world.count("rejected", "dc09", "crypto")) == (1, 1)
    assert wire.written == accepted(heartbeat("0003"))


def test_a_stale_frame_learns_our_time_and_proves_no_life(line):
    world, connection, wire = line
    receive(connection, sealed(world, "NULL", b""))
    world.journal()
    wire.written.clear()
    before = world.paths.show(0)["last_seen_ms"]
    world.clock.advance(5 * SECOND)
    receive(connection, sealed(world, "NULL", b"", ago_s=3600))
    assert replies(world, wire) == [("NAK", 0, False)]
    assert world.count("rejected", "dc09", "time") == 1
    assert world.paths.show(0)["last_seen_ms"] == before


def test_a_stale_fire_is_kept_as_late_and_still_learns_our_time(line):
    world, connection, wire = line
    receive(connection, sealed(world, ago_s=3600))
    assert wire.written == b""
    world.journal()
    assert replies(world, wire) == [("NAK", 0, False)]
    [row] = world.signals()
    assert row["flags"] & Flag.FLAG_LATE


def test_clear_frames_of_a_transmitter_with_a_key_are_still_read(line):
    world, connection, wire = line
    receive(connection, alarm("0001"))
    world.journal()
    assert wire.written == accepted(alarm("0001"))
