"""Reading messages of the Tocsin profile: whole, byte by byte, with more behind; bounds, linear time, any bytes."""
import random

import msgpack
import pytest

from codec.batch import Batch
from codec.explain import explain
from codec.explained import Setting
from codec.reading import (
    build_frame,
    build_message,
    count_steps,
    decode_stream,
    encode_reply,
    read_frames,
    split_status,
)

KEY = bytes(range(32))
NOW_NS = 1_767_225_600 * 10**9
FIRE = build_message(1207, 7, KEY, msgpack.packb([None, 1, 2, 1, "2/7", None, "Stairs"]))
HEARTBEAT = build_message(1207, 8, KEY)
GATEWAY = build_message(16777215, 9, KEY, b"".join(map(msgpack.packb, (["A1"], ["A2", 5, 52, 1], [3]))))
LONGEST = build_message(1, 2**32 - 1, KEY, msgpack.packb([None] * 1) + b"\xc0" * 100 + msgpack.packb(b"x" * 1274))
REPLY = encode_reply(FIRE, 1, NOW_NS, key=KEY)
MESSAGES = [FIRE, HEARTBEAT, GATEWAY, LONGEST, REPLY]


def sound(data: bytes) -> list[tuple[object, object]]:
    return [(one["account"], one["sequence"]) for one in read_frames(data, NOW_NS, key=KEY) if one["status"] == "ok"]


@pytest.mark.parametrize("data", MESSAGES, ids=len)
def test_whole(data: bytes) -> None:
    found, = read_frames(data, NOW_NS, key=KEY)
    assert (found["protocol"], found["status"], found["length"]) == ("tocsin", "ok", len(data))
    assert split_status(data) == ("ok", len(data))


@pytest.mark.parametrize("data", MESSAGES, ids=len)
def test_byte_by_byte(data: bytes) -> None:
    for size in range(len(data)):
        assert split_status(data[:size]) == ("need_data", 0), size


@pytest.mark.parametrize("trailing", [b"\0", b"\xc1", b"\xc1\x00", b"\n", b"@@", FIRE, FIRE[:20], b"\xff" * 50],
                         ids=len)
@pytest.mark.parametrize("data", MESSAGES, ids=len)
def test_with_trailing_bytes(data: bytes, trailing: bytes) -> None:
    assert split_status(data + trailing) == ("ok", len(data))
    assert read_frames(data + trailing, NOW_NS, key=KEY)[0] == read_frames(data, NOW_NS, key=KEY)[0]


@pytest.mark.parametrize("before", [b"\xc1", b"\xc1\xc1\xc1", b"\xc1\x00\x12", FIRE[:12], FIRE[:12] + b"\xc1", FIRE[1:],
                                    b"\n0000", b"@@", b"\0" * 30], ids=lambda data: data.hex())
def test_the_next_good_message_is_never_swallowed(before: bytes) -> None:
    assert sound(before + HEARTBEAT + FIRE) == [("1207", 8), ("1207", 7)]


def test_every_damaged_byte_costs_one_message_only() -> None:
    for at in range(len(FIRE)):
        for value in (0, 0xC1, 0xFF, FIRE[at] ^ 1):
            wrong = FIRE[:at] + bytes([value]) + FIRE[at + 1:]
            if wrong != FIRE:
                assert sound(wrong + HEARTBEAT) == [("1207", 8)], (at, value)


@pytest.mark.parametrize("length", [0, 17, 1398, 0xFFFF])
def test_a_length_that_cannot_be_is_known_by_three_bytes(length: int) -> None:
    assert split_status(b"\xc1" + length.to_bytes(2, "big")) == ("length", 0)


@pytest.mark.parametrize("length", [18, 19, 1397])
def test_a_wrong_length_waits_for_13_bytes_at_most(length: int) -> None:
    wrong = b"\xc1" + length.to_bytes(2, "big") + HEARTBEAT[3:11] + b"\0\0"
    assert split_status(wrong[:12]) == ("need_data", 0)
    assert split_status(wrong) == ("checksum", 0)


@pytest.mark.parametrize(("key_id", "counter", "key", "body"), [
    (0, 0, KEY, b""), (1 << 24, 0, KEY, b""), (1, -1, KEY, b""), (1, 1 << 32, KEY, b""), (1, 1, KEY[:31], b""),
    (1, 1, KEY + b"x", b""), (1, 1, KEY, bytes(1380)),
])
def test_what_does_not_fit_is_not_written(key_id: int, counter: int, key: bytes, body: bytes) -> None:
    with pytest.raises((ValueError, OverflowError)):
        build_message(key_id, counter, key, body)


def test_a_reply_never_answers_a_reply_and_needs_the_key() -> None:
    assert encode_reply(REPLY, 1, NOW_NS, key=KEY) == b""
    assert encode_reply(FIRE, 1, NOW_NS) == b""


def test_a_batch_takes_all_rows_of_a_message_or_none() -> None:
    body = b"".join(msgpack.packb([f"A{number}", 1, 2, 1]) for number in range(10))
    batch = Batch(16, 1 << 16)
    assert decode_stream(build_message(1, 1, KEY, body), batch, NOW_NS, key=KEY) == 1
    assert len(batch) == 10
    assert decode_stream(build_message(1, 2, KEY, body), batch, NOW_NS, key=KEY) == 0
    assert len(batch) == 10
    batch.check()


def test_with_other_protocols_in_one_stream() -> None:
    data = HEARTBEAT + build_frame("NULL", "1234") + FIRE + b"@@\xc1" + HEARTBEAT
    found = [one["protocol"] for one in read_frames(data, NOW_NS, key=KEY) if one["status"] == "ok"]
    assert found == ["tocsin", "dc09", "tocsin", "tocsin"]


@pytest.mark.parametrize("unit", [b"\xc1", b"\xc1\x05\x75", b"\xc1\x00\x12\x10", HEARTBEAT[:13], HEARTBEAT[:20],
                                  FIRE[:-1], LONGEST[:1390], HEARTBEAT], ids=len)
def test_linear_time(unit: bytes) -> None:
    few, many = (count_steps((unit * 40_000)[:size]) / size for size in (5_000, 40_000))
    assert many < few * 1.05 + 1
    assert many < 40


@pytest.mark.parametrize("body", [b"\x91" * 1379, b"\x81" * 1379, b"\xdd\xff\xff\xff\xff" * 275,
                                  b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
                                  b"\x9f" * 1379, b"\x91\xc0" * 689, b"\xc0" * 1379], ids=len)
def test_bodies_of_ill_will_are_refused_and_explained(body: bytes) -> None:
    """As deep as a message goes, counts beyond its end, more items than allowed: no reader minds."""
    data = build_message(1, 1, KEY, body)
    found, = read_frames(data, NOW_NS, key=KEY)
    assert found["status"] == "field"
    told = explain(data, Setting(NOW_NS, KEY))
    assert [one.found["status"] for one in told] == ["field"]


def test_any_bytes_raise_nothing() -> None:
    chance = random.Random(3)
    for _ in range(3000):
        data = bytearray(chance.choice(MESSAGES) + chance.choice(MESSAGES))
        for _ in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.choice((0, 0xC1, chance.randrange(256)))
        if chance.random() < 0.5:                              # authentic nonsense gets further than the tag
            data = bytearray(build_message(5, 5, KEY, chance.randbytes(chance.randrange(80))))
        found = read_frames(bytes(data), NOW_NS, key=KEY)
        assert sum(int(str(one["length"])) for one in found) == len(data)
