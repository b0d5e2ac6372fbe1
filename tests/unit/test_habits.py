"""What is known and learned of one transmitter: rules for its frames, its clock, its habits, what was refused."""
from typing import Any

import pytest

from codec.batch import Batch
from codec.gbt26875_downlink import build_frame as build_gbt26875
from codec.reading import build_frame, checksum, read_frames
from engine.listen.refused import REFUSAL_TEXT
from engine.listen.registered import FrameRules
from engine.paths import PathTable
from tests.unit.listen_world import HASH_KEY, SECOND, World, connect, receive

KEY = bytes(range(16))
HOUR = 3600 * SECOND


def world_of(**rules: Any) -> World:
    return World(registered=[(1, "0001", "", 30_000, rules.pop("key", KEY), FrameRules(**rules))])


def sealed(world: World, token: str = "NULL", data: bytes = b"", *, ago_s: int = 0, sequence: int = 1,
           key: bytes | None = KEY) -> bytes:
    return build_frame(token, "0001", data, sequence=sequence, stamp_ns=world.clock.wall_ns() - ago_s * SECOND, key=key)


def ask(world: World, frame: bytes) -> bytes:
    """Send a frame on a connection of its own, let its rows be durable, and return the reply."""
    connection, wire = connect(world.tcp())
    receive(connection, frame)
    world.journal()
    connection.close("peer")
    return bytes(wire.written)


def answer(world: World, frame: bytes) -> str | None:
    reply = ask(world, frame)
    return str(read_frames(reply, world.clock.wall_ns(), key=KEY)[0]["token"]) if reply else None


def last_seen(world: World) -> object:
    return world.paths.show(0)["last_seen_ms"]


# ---- rules -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("past", "future", "ago_s", "token"), [
    (40, 20, 40, "ACK"), (40, 20, 41, "NAK"), (40, 20, -20, "ACK"), (40, 20, -21, "NAK"),
    (7200, 20, 7000, "ACK"), (5, 5, 6, "NAK"), (5, 3600, -3000, "ACK")])
def test_the_window_is_each_transmitters_own(past: int, future: int, ago_s: int, token: str) -> None:
    world = world_of(window_past_s=past, window_future_s=future)
    assert answer(world, sealed(world, ago_s=ago_s)) == token


@pytest.mark.parametrize("frame", ["heartbeat", "signal"])
@pytest.mark.parametrize("known", [False, True])
def test_clear_frames_of_one_that_encrypts_are_refused_and_prove_no_life(frame: str, known: bool) -> None:
    world = world_of(encrypted_only=True)
    if known:
        assert answer(world, sealed(world)) == "ACK"
    seen = last_seen(world) if known else None
    world.clock.advance(5 * SECOND)
    clear = (sealed(world, key=None, sequence=2) if frame == "heartbeat"
             else sealed(world, "SIA-DCS", b"#0001|Nri1/FA017", key=None, sequence=2))
    assert ask(world, clear) == b""
    assert world.count("rejected", "dc09", "crypto") == 1
    assert not world.signals()
    assert not known or last_seen(world) == seen
    assert answer(world, sealed(world, sequence=3)) == "ACK"


def test_the_mark_for_clear_frames_comes_back_after_a_restart() -> None:
    before = world_of(encrypted_only=True)
    ask(before, sealed(before))
    after = world_of(encrypted_only=True)
    after.paths = PathTable(1000, HASH_KEY)
    after.paths.load(b"".join(before.paths.save()))
    world = world_of(encrypted_only=True)
    world.paths.load(b"".join(before.paths.save()))
    assert answer(world, sealed(world, key=None)) == "ACK"     # nobody has marked it yet
    world.enrolment.watch()
    assert ask(world, sealed(world, key=None, sequence=2)) == b""


def test_stamps_of_clear_frames_are_checked_where_that_is_asked_for() -> None:
    lenient, strict = world_of(key=b""), world_of(key=b"", check_clear_stamps=True)
    for token, data in (("NULL", b""), ("SIA-DCS", b"#0001|Nri1/RP001")):
        assert answer(lenient, sealed(lenient, token, data, ago_s=7200, key=None)) == "ACK"
        assert answer(strict, sealed(strict, token, data, ago_s=7200, key=None)) == "NAK"
    assert answer(strict, sealed(strict, key=None)) == "ACK"
    assert answer(strict, build_frame("NULL", "0001", sequence=9)) == "ACK"    # without a stamp nothing is stale


@pytest.mark.parametrize(("reject", "signals"), [(False, 1), (True, 0)])
def test_a_stale_fire_is_late_or_refused_as_configured(reject: bool, signals: int) -> None:
    world = world_of(reject_stale=reject)
    assert answer(world, sealed(world, "SIA-DCS", b"#0001|Nri1/FA017", ago_s=7200)) == "NAK"
    assert len(world.signals()) == signals


# ---- replay ----------------------------------------------------------------------------------------------------

def test_a_replayed_heartbeat_is_answered_and_proves_no_life() -> None:
    world = world_of()
    frame = sealed(world)
    assert answer(world, frame) == "ACK"
    seen = last_seen(world)
    world.clock.advance(10 * SECOND)
    assert answer(world, frame) == "ACK"
    assert last_seen(world) == seen
    assert world.receiver.counts()["replays"] == 1
    assert "a frame that was replayed" in world.paths.habits(0)["seen"]
    assert answer(world, sealed(world, sequence=2)) == "ACK"
    assert last_seen(world) != seen


def test_a_replayed_signal_is_answered_and_is_no_second_one() -> None:
    world = world_of()
    frame = sealed(world, "SIA-DCS", b"#0001|Nri1/FA017")
    assert [answer(world, frame) for _ in range(3)] == ["ACK"] * 3
    assert len(world.signals()) == 1


def test_the_memory_of_frames_lasts_as_long_as_the_window_and_is_bounded() -> None:
    world = world_of(window_past_s=3600)
    frame = sealed(world)
    ask(world, frame)
    world.clock.advance(59 * SECOND)
    ask(world, frame)
    assert world.receiver.counts()["replays"] == 1
    for sequence in range(2, 3000):
        ask(world, sealed(world, sequence=sequence))
    assert world.receiver.counts()["replays_early"] >= 1
    world.clock.advance(200 * SECOND)
    ask(world, frame)
    assert world.receiver.counts()["replays"] == 1             # forgotten by now; its stamp is what guards it


# ---- what is learned -------------------------------------------------------------------------------------------

def test_the_clock_offset_is_learned_also_from_frames_that_are_refused() -> None:
    world = world_of()
    ask(world, sealed(world))
    assert world.paths.habits(0)["clock_offset_s"] == 0
    world.clock.advance(SECOND)
    assert answer(world, sealed(world, ago_s=7200, sequence=2)) == "NAK"
    habits = world.paths.habits(0)
    assert habits["clock_offset_s"] == -7200
    assert (REFUSAL_TEXT[int(str(habits["refused_status"]))], habits["refused_count"]) == ("time", 1)
    assert habits["refused_ms"] == world.clock.wall_ns() // 1_000_000
    ask(world, sealed(world, key=bytes(16), sequence=3))
    habits = world.paths.habits(0)
    assert (REFUSAL_TEXT[int(str(habits["refused_status"]))], habits["refused_count"]) == ("crypto", 2)
    assert habits["clock_offset_s"] == -7200                   # noise under another key says nothing of its clock


def test_habits_of_the_wire_are_shown() -> None:
    world = World()
    world.enrol("0001")
    assert world.paths.habits(0) == {"clock_offset_s": None, "seen": [], "refused_count": 0, "refused_status": 0,
                                     "refused_ms": None}
    data = b"#0001|Nri1/RP001"
    ask(world, build_frame("SIA-DCS", "0001", data, binary_crc=True))
    assert world.paths.habits(0)["seen"] == ["clear frames", "checksum as two raw bytes"]
    over_cr = build_frame("SIA-DCS", "0001", data, sequence=2)[9:]
    ask(world, b"\n%04X%04X%b" % (checksum(over_cr), len(over_cr), over_cr))
    assert "checksum covers the CR" in world.paths.habits(0)["seen"]


def test_heartbeats_are_looked_at_now_and_then() -> None:
    world = World()
    world.enrol("0001")
    for number in range(1, 70):
        ask(world, build_frame("NULL", "0001", sequence=number, stamp_ns=world.clock.wall_ns() + number * SECOND))
    assert world.paths.habits(0)["clock_offset_s"] == 65       # the first and the 65th


def test_what_is_learned_survives_a_snapshot() -> None:
    world = world_of()
    ask(world, sealed(world, "SIA-DCS", b"#0001|Nri1/RP001", ago_s=30))
    after = PathTable(1000, HASH_KEY)
    after.load(b"".join(world.paths.save()))
    assert after.habits(0) == world.paths.habits(0)
    assert after.habits(0)["clock_offset_s"] == -30


# ---- a token that nobody reads ---------------------------------------------------------------------------------

def faults(world: World) -> list[str]:
    return [str(row["native"]) for row in world.journalled if row["class"] == 5]


def test_an_unreadable_token_raises_one_fault_for_a_transmitter() -> None:
    world = World()
    world.enrol("0001", "0002")
    frames = [build_frame("HENG-BO", account, b"#%b|x" % account.encode(), sequence=n)
              for n in (1, 2, 3) for account in ("0001", "0002")]
    assert [answer(world, frame) for frame in frames] == ["ACK"] * 6
    assert faults(world) == ["a token that is not read: HENG-BO"] * 2
    assert len(world.signals()) == 8


def test_a_fault_that_was_lost_with_its_append_comes_again_and_is_known_after_a_restart() -> None:
    world = World()
    world.enrol("0001")
    connection, _ = connect(world.tcp())
    receive(connection, build_frame("HENG-BO", "0001", b"x"))
    world.lose()
    ask(world, build_frame("HENG-BO", "0001", b"x"))
    assert faults(world) == ["a token that is not read: HENG-BO"]
    after = World()
    after.enrol("0001")
    batch = Batch(16, 4096)
    for row in world.journalled:
        batch.add(kind=row["kind"], protocol=row["protocol"], path=row["path"], signal_class=row["class"],
                  condition=row["condition"], state=row["state"], identity=row["identity"])
    after.paths.apply(batch)
    ask(after, build_frame("HENG-BO", "0001", b"y", sequence=2))
    assert faults(after) == []


# ---- clocks of GB/T 26875.3 ------------------------------------------------------------------------------------

def status(world: World, tag: bytes, serial: int, word: int) -> bytes:
    data = bytes([2, 1, 1, 5, 40, 1, 0, 2, 0]) + word.to_bytes(2, "little") + bytes(31) + tag
    frame = bytearray(build_gbt26875(2, data, serial=serial, source=889))
    frame[6:12] = tag
    frame[-3] = sum(frame[2:-3]) & 0xFF
    return bytes(frame)


def test_a_clock_in_bcd_is_proven_once_and_then_believed() -> None:
    """1 January 2026 in UTC+8: 0x26 is 2026 in BCD and 2038 in binary; seconds of 0x59 prove it, 0x10 do not."""
    world = World()
    world.clock.jump(12 * 365 * 24 * HOUR)                     # 2037: the binary reading is the nearer one
    proving, open_tag = bytes([0x59, 0x30, 0x08, 1, 1, 0x26]), bytes([0x10, 0x30, 0x08, 1, 1, 0x26])
    assert answer(world, status(world, open_tag, 1, 2)) == "confirm"
    assert answer(world, status(world, proving, 2, 0)) == "confirm"
    assert answer(world, status(world, open_tag, 3, 2)) == "confirm"
    years = [1970 + int(str(row["occurred_ns"])) / SECOND / 86400 / 365.25 for row in world.signals()]
    assert [int(year) for year in years] == [2038, 2026, 2026]
    assert "clock in BCD" in world.paths.habits(0)["seen"]


@pytest.mark.parametrize(("clock", "year"), [(None, "2026"), ("bcd", "2026"), ("binary", "2038")])
def test_the_twin_of_the_reader_takes_the_same_hint(clock: str | None, year: str) -> None:
    from codec import reference
    frame = status(World(), bytes([0x10, 0x30, 0x08, 1, 1, 0x26]), 1, 2)
    now_ns = 1_767_225_600 * SECOND
    [found] = read_frames(frame, now_ns, clock=clock)
    assert str(found["timestamp"]).startswith(year)
    assert reference.read_frames(frame, now_ns, reference.Profile(clock=clock)) == [found]
