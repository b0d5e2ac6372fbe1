"""The last refused frames: a few of each source, newest first, and never more than the table holds."""
import pytest

from codec.reading import build_frame
from tests.unit.listen_world import SECOND, Wire, World, connect, heartbeat, receive


def heard(world, tcp, peer, data):
    connection, wire = connect(tcp, Wire((peer, 4000)))
    receive(connection, data)
    connection.close("peer")
    return wire


def test_four_of_a_source_are_kept_newest_first():
    world = World()
    tcp = world.tcp()
    for number in range(6):
        world.clock.advance(1000)
        heard(world, tcp, "192.0.2.1", b"?%d" % number)
    assert [entry["bytes"] for entry in world.refused.newest()] == [b"?5", b"?4", b"?3", b"?2"]


@pytest.mark.parametrize("addresses", [
    [f"10.0.0.{last}" for last in range(64)], [f"10.{second}.0.1" for second in range(64)],
    [f"2001:db8::{last:x}" for last in range(1, 65)], [f"2001:db8:{part:x}::1" for part in range(1, 65)]])
def test_neighbours_do_not_push_each_other_out(addresses):
    world = World()
    tcp = world.tcp()
    for address in addresses:
        for _ in range(2):
            heard(world, tcp, address, b"?")
    kept = {entry["peer"] for entry in world.refused.newest()}
    assert len(kept) >= 60


def test_one_noisy_source_leaves_the_others_alone():
    world = World()
    tcp = world.tcp()
    heard(world, tcp, "192.0.2.1", b"!")
    for number in range(3000):
        heard(world, tcp, "192.0.2.77", b"?%d" % number)
    assert [entry["peer"] for entry in world.refused.newest()] == ["192.0.2.77"] * 4 + ["192.0.2.1"]


def test_the_table_never_grows_and_uses_all_of_its_rows():
    world = World()
    tcp = world.tcp()
    for number in range(4096):
        heard(world, tcp, f"172.16.{number >> 8}.{number & 255}", b"?")
    assert 900 < len(world.refused.newest()) <= 1024


def test_frames_of_one_moment_can_be_told_apart_in_their_order():
    world = World()
    tcp = world.tcp()
    for number in range(4):
        heard(world, tcp, "192.0.2.1", b"?%d" % number)
    kept = world.refused.newest()
    assert [entry["bytes"] for entry in kept] == [b"?3", b"?2", b"?1", b"?0"]
    numbers = [entry["received_ns"] for entry in kept]
    assert len(set(numbers)) == 4
    assert 0 <= numbers[-1] - world.clock.wall_ns() < 1000


def test_a_long_one_is_cut_and_its_length_told():
    world = World()
    connection, _ = connect(world.tcp(garbage_bytes_max=1 << 20))
    receive(connection, b"?" * 5000)
    [entry] = world.refused.newest()
    assert (entry["size"], entry["bytes"]) == (5000, b"?" * 4106)


@pytest.mark.parametrize("data, protocol, reason", [
    (b"?", None, "start"), (heartbeat("0001")[:-1] + b"!", "dc09", "length"),
    (heartbeat("0001").replace(b"#0001", b"#0002"), "dc09", "checksum"),
    (build_frame("SIA-DCS", "00", b"#00|Nri1/FA017"), "dc09", "field")])
def test_the_reason_is_named(data, protocol, reason):
    world = World()
    heard(world, world.tcp(), "192.0.2.1", data)
    entry = world.refused.newest()[-1]
    assert (entry["protocol"], entry["reason"], entry["answered"]) == (protocol, reason, b"")


def test_an_unknown_account_under_policy_refuse():
    world = World(policy="refuse")
    wire = heard(world, world.tcp(), "192.0.2.1", heartbeat("0001"))
    [entry] = world.refused.newest()
    assert (entry["reason"], entry["bytes"], entry["account"]) == ("unknown_account", heartbeat("0001"), "0001")
    assert wire.written == b""


def test_the_same_refusal_again_is_counted_and_pushes_nothing_out():
    world = World()
    tcp = world.tcp()
    heard(world, tcp, "192.0.2.1", b"first")
    for _ in range(100):
        world.clock.advance(1000)
        heard(world, tcp, "192.0.2.1", b"?")
    newest, first = world.refused.newest()
    assert (newest["bytes"], newest["count"], newest["received_ns"]) == (b"?", 100, world.clock.wall_ns())
    assert (first["bytes"], first["count"]) == (b"first", 1)


def test_what_was_answered_is_kept():
    """A stamp outside the window is refused and answered: with our time."""
    key = bytes(range(16))
    world = World(registered=[(1, "0001", "", 90_000, key)])
    stale = build_frame("NULL", "0001", stamp_ns=world.clock.wall_ns() - 7200 * SECOND, key=key)
    wire = heard(world, world.tcp(), "192.0.2.1", stale)
    [entry] = world.refused.newest()
    assert (entry["reason"], entry["account"], entry["answered"]) == ("time", "0001", bytes(wire.written))
    assert b'"NAK"' in wire.written


def test_what_a_connection_was_closed_for_is_kept():
    world = World()
    connection, wire = connect(world.tcp(garbage_bytes_max=100), Wire(("192.0.2.1", 4000)))
    receive(connection, b"?" * 200)
    assert wire.closed
    tcp = world.tcp()
    connection, wire = connect(tcp, Wire(("192.0.2.2", 4000)))
    receive(connection, heartbeat("0001")[:20])
    world.clock.advance(60 * SECOND)
    tcp.sweep()
    assert wire.closed
    kept = {(entry["peer"], entry["reason"]): entry["bytes"] for entry in world.refused.newest()}
    assert kept["192.0.2.1", "garbage_limit"] == b"?" * 200
    assert kept["192.0.2.2", "frame_timeout"] == heartbeat("0001")[:20]
