"""What frames of GB/T 26875.3 lead to: status words that are new, that are not, that wait, that find no room."""
import struct

import pytest

from codec.gbt26875_downlink import build_frame, tag_bytes
from codec.reading import encode_reply, read_frames
from tests.unit.listen_world import SECOND, World, connect, receive

FIRE, FAULT = 2, 4
ACCEPT, REFUSE = 1, 2


@pytest.fixture
def line():
    world = World(heartbeats=1000)
    connection, wire = connect(world.tcp())
    receive(connection, build_frame(2, source=889))      # it is known from here on
    world.journal()
    wire.written.clear()
    return world, connection, wire


def status(*words: int, serial: int = 1, at_ns: int = 0) -> bytes:
    """A frame with the words of the detectors 1, 2, ... of transmitter 889."""
    objects = b"".join(bytes((1, 1, 40)) + struct.pack("<IH", number, word) + bytes(31) + tag_bytes(at_ns)
                       for number, word in enumerate(words, 1))
    return build_frame(2, bytes((2, len(words))) + objects, serial=serial, source=889, stamp_ns=at_ns)


def confirm(world: World, *frames: bytes) -> bytes:
    return b"".join(encode_reply(frame, ACCEPT, world.clock.wall_ns()) for frame in frames)


def test_a_new_word_waits_for_the_disk_and_an_old_one_does_not(line):
    world, connection, wire = line
    receive(connection, status(FIRE))
    assert (len(world.admit), wire.written) == (1, b"")
    world.journal()
    assert wire.written == confirm(world, status(FIRE))
    wire.written.clear()
    world.clock.advance(30 * SECOND)
    receive(connection, status(FIRE, serial=2))
    assert (len(world.admit), wire.written) == (0, confirm(world, status(FIRE, serial=2)))
    assert (world.count("frames", "gbt26875", "signal"), world.count("frames", "gbt26875", "heartbeat")) == (1, 2)
    assert world.paths.show(0)["last_seen_ms"] == world.clock.wall_ns() // 1_000_000
    assert len(world.heartbeats) == 2


def test_a_word_said_again_waits_for_the_rows_that_told_it(line):
    world, connection, wire = line
    receive(connection, status(FIRE) + status(FIRE, serial=2))
    assert (len(world.admit), wire.written) == (1, b"")
    world.journal()
    assert wire.written == confirm(world, status(FIRE), status(FIRE, serial=2))


def test_after_a_failed_append_nothing_is_confirmed_and_the_fire_is_news_again(line):
    world, connection, wire = line
    receive(connection, status(FIRE) + status(FIRE, serial=2))
    world.lose()
    assert (wire.written, wire.closed) == (b"", True)
    connection, wire = connect(world.parts[0])
    receive(connection, status(FIRE))
    assert len(world.admit) == 1
    world.journal()
    assert wire.written == confirm(world, status(FIRE))
    assert [(row["class"], row["state"]) for row in world.signals()] == [(1, 1)]


def test_a_crowded_intake_takes_fires_and_what_is_not_new_and_nothing_else(line):
    world, connection, wire = line
    receive(connection, status(0, FAULT))
    world.journal()
    wire.written.clear()
    world.fill(896)                                     # of 1024: the last eighth is for fire
    receive(connection, status(0, FAULT, serial=2))
    assert (wire.written, len(world.admit)) == (confirm(world, status(0, FAULT, serial=2)), 896)
    receive(connection, status(FIRE, FAULT, serial=3))
    assert (len(world.admit), world.count("shed", "signal")) == (897, 0)
    world.journal()
    assert wire.written == confirm(world, status(0, FAULT, serial=2), status(FIRE, FAULT, serial=3))


def test_a_word_that_found_no_room_is_news_when_it_comes_again(line):
    world, connection, wire = line
    world.fill(896)
    receive(connection, status(FAULT, FAULT))
    assert (len(world.admit), world.count("shed", "signal"), wire.reading) == (896, 0, False)
    world.journal()
    world.journal()
    assert [row["state"] for row in world.signals()[-2:]] == [1, 1]
    assert wire.written == confirm(world, status(FAULT, FAULT))


def test_data_beyond_all_limits_are_denied_in_our_time(line):
    world, connection, wire = line
    frame = build_frame(2, b"\x18\x7f" + b"\3\0" * 127, serial=5, source=889)
    receive(connection, frame)
    assert wire.written == encode_reply(frame, REFUSE, world.clock.wall_ns())
    found, = read_frames(bytes(wire.written), 0)
    assert (found["token"], found["sequence"], len(world.admit)) == ("deny", 5, 0)
    assert world.count("rejected", "gbt26875", "field") == 1
    assert world.count("replies", "gbt26875", "refuse") == 1


def test_a_listener_that_is_pinned_takes_nothing_else():
    world = World()
    connection, wire = connect(world.tcp(protocol=2))
    receive(connection, b'\n66D4001F"NULL"0001L0#1234[]\r')
    receive(connection, build_frame(2, source=7))
    world.journal()
    assert wire.written == confirm(world, build_frame(2, source=7))
