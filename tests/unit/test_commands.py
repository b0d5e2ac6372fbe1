"""Commands to sites: what goes out in place of an ACK, once, and what is asked for that cannot be sent."""
from typing import Any

import pytest

from codec import reference_dc09
from codec.gbt26875_downlink import build_frame as build_gbt26875
from codec.gbt26875_downlink import build_request
from codec.reading import build_frame, encode_reply, read_frames
from engine.commanding import encode
from engine.listen.commands import Command, Commands
from engine.operate.view import BadChange
from tests.unit.listen_world import SECOND, World, accepted, alarm, connect, heartbeat, receive

KEY = bytes(range(16))
DATA = b"#0001|NZZOR0003"


def command(world: World, data: bytes = DATA, seconds: int = 600, number: int = 1) -> Command:
    now_ns = world.clock.wall_ns()
    return Command(number, data, data.decode("latin-1"), "night shift", now_ns, now_ns + seconds * SECOND)


def ask(world: World, frame: bytes) -> bytes:
    connection, wire = connect(world.tcp())
    receive(connection, frame)
    world.journal()
    connection.close("peer")
    return bytes(wire.written)


def rsp(frame: bytes, data: bytes = DATA) -> bytes:
    return encode_reply(frame, 4, 0, command=data)


def test_it_goes_out_once_in_place_of_an_ack() -> None:
    world = World()
    world.enrol("0001", "0002")
    assert world.receiver.queue_command(0, command(world))
    assert ask(world, heartbeat("0002")) == accepted(heartbeat("0002"))
    reply = ask(world, heartbeat("0001", 7))
    assert reply == rsp(heartbeat("0001", 7)) and b'"RSP"0007L0#0001[#0001|NZZOR0003]' in reply
    assert ask(world, heartbeat("0001", 8)) == accepted(heartbeat("0001", 8))
    assert [one.state for one in world.receiver.commands_of(0, world.clock.wall_ns())] == ["sent"]
    assert world.count("replies", "dc09", "command") == 1


def test_with_a_signal_it_waits_for_the_disk() -> None:
    world = World()
    world.enrol("0001")
    world.receiver.queue_command(0, command(world))
    connection, wire = connect(world.tcp())
    receive(connection, alarm("0001"))
    assert wire.written == b""
    world.journal()
    assert wire.written == rsp(alarm("0001"))


def test_encrypted_it_is_sealed() -> None:
    world = World(registered=[(1, "0001", "", 30_000, KEY)])
    ask(world, build_frame("NULL", "0001", stamp_ns=world.clock.wall_ns(), key=KEY))
    world.receiver.queue_command(0, command(world, b"x" * 40))
    reply = ask(world, build_frame("NULL", "0001", sequence=2, stamp_ns=world.clock.wall_ns(), key=KEY))
    assert b'"*RSP"' in reply and len(reply) <= 256
    opened = reference_dc09.unseal(KEY, reply.partition(b"[")[2].rstrip(b"\r"))
    assert opened is not None and opened[0].startswith(b"x" * 40 + b"]_")


def test_what_expires_is_not_sent_and_no_more_than_four_wait() -> None:
    world = World()
    world.enrol("0001")
    for number in range(4):
        assert world.receiver.queue_command(0, command(world, seconds=60, number=number))
    assert not world.receiver.queue_command(0, command(world, number=9))
    world.clock.advance(61 * SECOND)
    assert ask(world, heartbeat("0001")) == accepted(heartbeat("0001"))
    assert {one.state for one in world.receiver.commands_of(0, world.clock.wall_ns())} == {"expired"}
    assert not Commands().waits(0)


def test_a_frame_of_gbt26875_follows_the_confirm() -> None:
    world = World()
    frame = build_gbt26875(2, b"", serial=3, source=889)
    confirm = ask(world, frame)
    request = build_request(91, minutes=5, destination=889)
    world.receiver.queue_command(0, command(world, request))
    reply = ask(world, frame)
    assert reply == confirm + request
    assert [one["token"] for one in read_frames(reply, 0)] == ["confirm", "control"]


def test_a_heartbeat_whose_reply_has_no_room_for_it_leaves_it_waiting() -> None:
    """A device that also sends Sur-Gard style heartbeats has one account and, by them, another path."""
    surgard = b"SR0001L0001    006969XX    [ID00000000]"
    world = World()
    world.enrol("006969")
    assert ask(world, surgard) == b"\x06"
    for path in range(len(world.paths)):
        assert world.receiver.queue_command(path, command(world, number=path))
    assert len(world.paths) == 2
    assert ask(world, surgard) == b"\x06"
    now_ns = world.clock.wall_ns()
    assert [[one.state for one in world.receiver.commands_of(path, now_ns)] for path in range(2)] == 2 * [["waiting"]]
    assert b'"RSP"' in ask(world, heartbeat("006969"))


@pytest.mark.parametrize(("protocol", "asked"), [
    ("dc09", ""), ("dc09", "[x]"), ("dc09", "x" * 41), ("dc09", "ü"), ("dc09", 5), ("dc09", "a\rb"), ("tocsin", "x"),
    ("gbt26875", "x"), ("gbt26875", {"type": 1}), ("gbt26875", {"type": 61, "systems": [[1]]}),
    ("gbt26875", {"type": "61"}), ("gbt26875", {"type": 62, "components": [[1, 1, "zz"]]}), ("gbt26875", {}),
    ("gbt26875", {"type": 61, "systems": [[1, number] for number in range(101)]})])
def test_what_cannot_be_sent_is_named(protocol: str, asked: Any) -> None:
    with pytest.raises(BadChange, match="command"):
        encode(protocol, asked, 0)


@pytest.mark.parametrize(("protocol", "asked", "token"), [
    ("dc09", "#0001|NZZOR0003", None), ("gbt26875", {"type": 91, "minutes": 5}, "control"),
    ("gbt26875", {"type": 61, "systems": [[1, 1]]}, "request"), ("gbt26875", {"type": 90}, "control"),
    ("gbt26875", {"type": 62, "components": [[1, 1, "01000200"]]}, "request")])
def test_what_can_be_sent(protocol: str, asked: Any, token: str | None) -> None:
    text, data = encode(protocol, asked, 1_767_225_600 * SECOND)
    assert text and (token is None or read_frames(data, 0)[0]["token"] == token)
