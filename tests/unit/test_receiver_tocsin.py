"""Messages of the Tocsin profile in the receiver: counters, members of a gateway, policies, what waits for the disk."""
from typing import Any

import msgpack
import pytest

from codec.batch import Batch
from codec.reading import build_message, encode_reply, read_frames
from engine.listen.registered import FrameRules
from engine.listen.windows import Windows
from tests.unit.listen_world import SECOND, World, connect, heartbeat, receive

KEY, OTHER = bytes(range(32)), bytes(32)
ACCEPTED, STALE, UNABLE = 1, 2, 3
FIRE = [None, 1, 2, 1, "2/7"]


def world_of(**options: Any) -> World:
    rules = options.pop("rules", FrameRules())
    return World(registered=[(3, "1207", "", 30_000, KEY, rules), (3, "8", "", 30_000, OTHER)], **options)


def message(counter: int, *items: Any, key_id: int = 1207, key: bytes = KEY) -> bytes:
    return build_message(key_id, counter, key, b"".join(map(msgpack.packb, items)))


def ask(world: World, data: bytes) -> bytes:
    connection, wire = connect(world.tcp())
    receive(connection, data)
    world.journal()
    connection.close("peer")
    return bytes(wire.written)


def reply(data: bytes, answer: int = ACCEPTED, counter: int = 0) -> bytes:
    return encode_reply(data, answer, 0, key=KEY, counter=counter)


def paths(world: World) -> dict[str, Any]:
    shown = [world.paths.show(number) for number in range(len(world.paths))]
    return {str(path["path"]): path["last_seen_ms"] for path in shown}


def told(world: World) -> list[tuple[Any, ...]]:
    return [(row["account"], row["class"], row["condition"], row["state"], row["point"]) for row in world.signals()]


def test_a_heartbeat_and_a_fire_of_the_sender() -> None:
    world = world_of()
    assert ask(world, message(1)) == reply(message(1))
    assert ask(world, message(2, FIRE)) == reply(message(2, FIRE))
    assert told(world) == [("1207", 1, 2, 1, "2/7")]
    assert paths(world) == {"tocsin:1207/default": world.clock.wall_ns() // 1_000_000}
    assert [world.count("frames", "tocsin", kind) for kind in ("heartbeat", "signal")] == [1, 1]


def test_nothing_is_believed_without_the_right_tag() -> None:
    world = world_of()
    broken = bytearray(message(1, FIRE))
    broken[15] ^= 1
    for data in (bytes(broken), message(1, FIRE, key=OTHER), message(1, key_id=99), message(1, FIRE, key_id=99)):
        assert ask(world, data) == b""
    assert (told(world), world.count("rejected", "tocsin", "crypto")) == ([], 4)
    assert all(seen is None or seen == world.clock.wall_ns() // 1_000_000 for seen in paths(world).values())
    assert "tocsin:99/default" not in paths(world)
    assert ask(world, message(1, FIRE)) == reply(message(1, FIRE))   # the forged ones did not use its counter up


def test_a_retransmission_is_answered_is_no_second_signal_and_proves_no_life() -> None:
    world = world_of()
    fire = message(5, FIRE, ["A1", 1, 5, 1])
    assert ask(world, fire) == reply(fire)
    ask(world, message(6, [None, 1, 2, 2, "2/7"]))             # something of the same point between
    before = paths(world)
    world.clock.advance(7 * SECOND)
    assert [ask(world, fire) for _ in range(3)] == [reply(fire)] * 3
    assert len(told(world)) == 3
    assert paths(world) == before
    assert world.receiver.counts()["replays"] == 3


def test_a_retransmission_of_what_was_lost_with_its_append_is_new() -> None:
    world = world_of()
    ask(world, message(1, FIRE, ["A1"]))
    fire = message(2, ["A1", 1, 2, 1])
    connection, wire = connect(world.tcp())
    receive(connection, fire)
    world.lose()
    assert wire.written == b""
    assert ask(world, fire) == reply(fire)
    assert told(world)[-1] == ("A1", 1, 2, 1, "")


@pytest.mark.parametrize("counter", [100, 36, 0])
def test_a_counter_that_is_used_up_is_refused_with_the_highest_one(counter: int) -> None:
    world = world_of()
    ask(world, message(100))
    data = message(counter, [None, 5, 52, 1])
    assert ask(world, data) == reply(data, STALE, 100)
    assert (told(world), world.count("rejected", "tocsin", "time")) == ([], 1)
    assert ask(world, message(101)) == reply(message(101))


def test_counters_may_come_out_of_order_within_the_window() -> None:
    world = world_of()
    for counter in (100, 37, 99, 98, 163, 101):
        assert ask(world, message(counter)) == reply(message(counter)), counter
    for counter in (37, 99):                                   # 63 and more behind 163: stale even if it is the same
        assert ask(world, message(counter)) == reply(message(counter), STALE, 163)
    assert ask(world, message(101)) == reply(message(101))
    assert ask(world, message(2 ** 32 - 1)) == reply(message(2 ** 32 - 1))


@pytest.mark.parametrize(("reject", "kept"), [(False, 1), (True, 0)])
def test_a_stale_fire_is_kept_as_late_unless_that_is_configured_away(reject: bool, kept: int) -> None:
    world = world_of(rules=FrameRules(reject_stale=reject))
    ask(world, message(1000))
    data = message(7, FIRE)
    assert [ask(world, data) for _ in range(2)] == [reply(data, STALE, 1000)] * 2
    assert [row["flags"] & 16 for row in world.signals()] == [16] * kept


def test_a_gateway_speaks_for_many() -> None:
    world = world_of()
    data = message(1, ["A1", 1, 2, 1, 7], ["a2"], [4711], FIRE)
    assert ask(world, data) == reply(data)
    assert told(world) == [("A1", 1, 2, 1, "7"), ("1207", 1, 2, 1, "2/7")]
    now = world.clock.wall_ns() // 1_000_000
    assert paths(world) == {f"tocsin:{name}": now for name in (
        "1207/default", "A1/default/R0004B7", "A2/default/R0004B7", "4711/default/R0004B7")}
    world.clock.advance(9 * SECOND)
    ask(world, message(2, ["A2"]))
    later = paths(world)
    assert {name for name, seen in later.items() if seen != now} == {"tocsin:1207/default", "tocsin:A2/default/R0004B7"}
    assert [row["path"] for row in world.signals()] == [1, 0]


def test_the_reply_waits_for_enrolments_and_signals() -> None:
    world = world_of()
    ask(world, message(1))
    connection, wire = connect(world.tcp())
    data = message(2, ["B1"])
    receive(connection, data + message(3, FIRE))
    assert wire.written == b""
    world.journal()
    assert wire.written == reply(data) + reply(message(3, FIRE))


def test_unknown_members_under_each_policy() -> None:
    for policy, signals, flags in (("enrol", 2, 0), ("quarantine", 2, 32), ("refuse", 1, 0)):
        world = world_of(policy=policy)
        data = message(1, FIRE, ["B1", 1, 2, 1], ["B2"])
        assert ask(world, data) == reply(data)
        assert len(told(world)) == signals, policy
        assert world.signals()[-1]["flags"] == flags
        assert len(world.paths) == (3 if policy == "enrol" else 1)


def test_beyond_the_rate_of_enrolments_members_are_quarantined() -> None:
    world = world_of(limit=2)
    assert ask(world, message(1, ["B1", 1, 2, 1], ["B2", 1, 2, 1])) != b""
    assert [row["flags"] for row in world.signals()] == [0, 32]


def test_a_body_that_is_no_list_of_items_is_answered_as_unable() -> None:
    world = world_of()
    for body in (b"\xc1", b"\x92\x01\x02", b"\x94\xc0\x01"):
        data = build_message(1207, 5, KEY, body)
        assert ask(world, data) == reply(data, UNABLE)
    assert ask(world, message(5)) == reply(message(5))         # what could not be read used no counter up


def test_a_full_intake_keeps_a_place_for_fire_and_answers_nothing_else() -> None:
    world = world_of()
    ask(world, message(1, ["B1"]))
    for number in range(896):
        world.admit.offer_frame({"signal_class": 1, "identity": b"%d" % number})
    connection, wire = connect(world.tcp())
    receive(connection, message(2, ["B1", 5, 52, 1]))
    assert (wire.written, len(world.admit)) == (b"", 896)


def crowded_append(world: World) -> None:
    """End an append when others have filled the next one already."""
    sealed = world.seal()
    world.fill(896)
    world.journal(sealed)


@pytest.mark.parametrize("standing", ["new", "again", "behind"])
def test_a_message_that_waited_for_room_is_judged_as_if_it_came_then(standing: str) -> None:
    world = world_of()
    ask(world, message(70, ["B1"]))
    fault = message(7 if standing == "behind" else 71, ["B1", 5, 52, 1])
    if standing == "again":
        connection, _ = connect(world.tcp())
        receive(connection, fault)
        world.lose()
    saved, again = world.windows.save(), world.windows.repeated
    world.fill(896)
    connection, wire = connect(world.tcp())
    receive(connection, fault)
    for _ in range(2):
        crowded_append(world)
        assert (world.windows.save(), world.windows.repeated, wire.reading) == (saved, again, False)
    world.clock.advance(SECOND)
    world.journal()
    world.journal()
    assert wire.written == reply(fault)
    assert world.windows.repeated - again == (standing == "again")
    assert paths(world)["tocsin:B1/default/R0004B7"] == world.clock.wall_ns() // 1_000_000 - (
        1000 if standing == "again" else 0)
    assert len([one for one in told(world) if one[0] == "B1"]) == 1


def test_a_fire_of_members_that_find_no_room_to_be_enrolled_goes_through() -> None:
    world = world_of()
    ask(world, message(1))
    connection, wire = connect(world.tcp())
    world.fill(897)
    receive(connection, message(2, ["B1", 1, 2, 1], ["B2"]))
    assert (len(world.admit), len(world.paths), wire.reading) == (898, 1, True)
    world.journal()
    assert wire.written == reply(message(2, ["B1", 1, 2, 1], ["B2"]))
    assert (told(world)[-1][0], world.signals()[-1]["flags"]) == ("B1", 32)
    assert world.count("shed", "enrolment") == 0


def test_members_that_were_enrolled_before_the_room_ended_stay_so() -> None:
    world = world_of()
    ask(world, message(1))
    world.fill(894)
    connection, wire = connect(world.tcp())
    data = message(2, *([f"B{number}"] for number in range(5)))
    receive(connection, data)
    assert (len(world.admit), wire.reading) == (896, False)
    world.journal()
    world.journal()
    assert (wire.written, len(world.paths)) == (reply(data), 6)
    assert {path["state"] for path in map(world.paths.show, range(6))} == {"up"}
    assert world.count("shed", "enrolment") == 0


def test_a_line_fault_that_a_transmitter_reports_is_none_of_ours() -> None:
    world = world_of()
    ask(world, message(1, [None, 5, 51, 1]))
    assert (told(world), world.paths.show(0)["state"]) == ([("1207", 5, 51, 1, "")], "up")


def test_other_protocols_on_the_same_connection() -> None:
    world = world_of()
    world.enrol("0001")
    data = heartbeat("0001") + message(1) + b"\xc1\xc1junk" + message(2) + heartbeat("0001", 2)
    found = read_frames(ask(world, data), 0, key=KEY)
    assert [one["token"] for one in found] == ["ACK", "accepted", "accepted", "ACK"]


def test_windows_come_back_from_snapshot_and_journal() -> None:
    world = world_of()
    for counter in (10, 11, 12):
        ask(world, message(counter, FIRE, ["A1", 1, 2, 1]))
    saved = Windows(4)
    saved.load(world.windows.save())
    replayed = Windows(4)
    batch = Batch(64, 1 << 16)
    for row in world.journalled:
        batch.add(kind=row["kind"], protocol=row["protocol"], raw=row["raw"])
    replayed.apply(batch)
    for windows in (saved, replayed):
        after = world_of(windows=windows)
        assert ask(after, message(11, FIRE, ["A1", 1, 2, 1])) == reply(message(11, FIRE, ["A1", 1, 2, 1]))
        assert after.receiver.counts()["replays"] == 1
        stale = message(12, [None, 5, 52, 1])
        assert ask(after, stale) == reply(stale, STALE, 12)


@pytest.mark.parametrize("saved", [b"", b"\x09\0\0\0\0\0\0\0", b"\x01\0\0\0\x05\0\0\0"])
def test_damaged_windows_are_refused(saved: bytes) -> None:
    with pytest.raises(ValueError, match="version or length"):
        Windows(4).load(saved)


def test_windows_agree_with_a_set_of_counters() -> None:
    """Random counters: new once, again with the same bytes, stale otherwise; the highest is always told."""
    import random
    chance, world = random.Random(7), world_of()
    came: dict[int, bytes] = {}
    for _ in range(1500):
        counter = max(0, max(came, default=50) + chance.randrange(-90, 12))
        data = message(counter, [None, 10, 0, 3, None, None, str(chance.randrange(2))])
        highest = max(came, default=0)
        expected = ACCEPTED
        if counter <= highest - 64 or came.get(counter, data) != data:
            expected = STALE
        elif counter not in came:
            came[counter] = data
        assert ask(world, data) == reply(data, expected, max(highest, counter if expected == ACCEPTED else 0))
