"""Invariant: the Cython GB/T 26875.3 codec and the plain Python one find the same in any input, status included."""
import json
import random
from pathlib import Path

import pytest

from codec import reference
from codec.batch import Batch
from codec.gbt26875_downlink import build_frame
from codec.reading import build_frame as build_dc09
from codec.reading import count_steps, decode_stream, read_frames

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "gbt26875.json").read_text())
INPUTS = 20_000
SEED = 26875
NOW_NS = 1_767_268_800 * 10**9  # 2026-01-01 12:00:00 UTC
TYPES = [1, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8, 21, 21, 24, 25, 26, 28, 190, 0, 9, 61, 134, 255]
BODIES = {1: 4, 2: 40, 3: 10, 4: 4, 5: 4, 7: 38, 8: 8, 21: 1, 24: 2, 25: 2, 28: 6, 190: 1}
SHORT_BODIES = [9, 9, 10, 40]
TEXTS = ["1号接口板1回路1号", "酒店负一层肉类加工间", "", " ", "Boiler room", "㐀𠀀é€", "a\tb", "a\x01b",
         "x\0old bytes", "一二三四五六七八九十一二三四五六七"]
TAGS = [b"\x22\x08\x11\x0a\x17\x02", bytes.fromhex("585923310126"), bytes.fromhex("120312010126"), bytes(6),
        bytes.fromhex("010203010a1a"), b"\xff" * 6, bytes.fromhex("000000290218"), bytes.fromhex("0000001d0219")]


def tag(rng: random.Random) -> bytes:
    return rng.choice(TAGS) if rng.random() < 0.7 else rng.randbytes(6)


def item(rng: random.Random, data_type: int, body: int) -> bytes:
    """One object without its tag."""
    if data_type in (6, 26):
        words = rng.choice(TEXTS).encode("gb18030") * rng.choice([1, 1, 3, 12])
        words = words[:255]
        return rng.randbytes(2 if data_type == 6 else 0) + bytes([len(words)]) + words
    words = (rng.choice(TEXTS).encode("gb18030") + rng.choice([b"\0", b" "]) * 31)[:31]
    head = bytes([1, rng.randrange(4), rng.choice([40, 23, 91, 0, rng.randrange(256)])]) + rng.randbytes(4)
    if data_type in (2, 7):
        status = rng.choice([0, 1, 2, 3, 4, 1 << rng.randrange(16), rng.randrange(65536)]).to_bytes(2, "little")
        return (head + (status if data_type == 2 else b"") + words)[:body]
    return (head + rng.randbytes(40))[:body] if rng.random() < 0.5 else rng.randbytes(body)


def data_unit(rng: random.Random) -> bytes:
    """Type, count and objects, mostly as the standard has them."""
    data_type = rng.choice(TYPES)
    count = rng.choice([0, 1, 1, 1, 2, 3, 5, 22, 102, 127])
    body = BODIES.get(data_type, rng.randrange(12))
    if data_type == 2 and rng.random() < 0.3:
        body = rng.choice(SHORT_BODIES)
    tagged = rng.random() < (0.7 if data_type in (1, 2, 3, 4, 21, 24) else 0.1)
    parts = [item(rng, data_type, body) + (tag(rng) if tagged else b"") for _ in range(count or rng.randrange(2))]
    said = count if rng.random() < 0.85 else rng.randrange(256)
    content = bytes([data_type, said]) + b"".join(parts)
    draw = rng.random()
    if draw < 0.1:
        content = content[:rng.randrange(len(content) + 1)]
    elif draw < 0.2:
        content += rng.randbytes(rng.randrange(50))
    return content[:1024]


def frame(rng: random.Random) -> bytes:
    command = rng.choice([2] * 12 + [5, 5, 3, 6, 1, 4, 0, 7, 0xFE, 200])
    content = data_unit(rng) if command in (2, 5) and rng.random() < 0.9 else rng.randbytes(rng.choice([0, 0, 1, 2, 9]))
    built = bytearray(build_frame(command, content, serial=rng.randrange(65536), source=rng.choice([0, 889, 2**48 - 1]),
                                  destination=rng.choice([0, 0x2323, 0x4040, rng.randrange(2**48)])))
    built[6:12] = tag(rng)
    return sound_again(built)


def sound_again(data: bytearray) -> bytes:
    data[-3] = sum(data[2:-3]) & 0xFF
    return bytes(data)


def mutate(rng: random.Random, data: bytes) -> bytes:
    """Change, drop, insert or double a few bytes."""
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(changed)) if changed else 0
        draw = rng.randrange(5)
        if draw == 0:
            changed[at:at + 1] = bytes([rng.choice(b"@#\n\0\xff\x02")])
        elif draw == 1:
            changed[at:at + 1] = b""
        elif draw == 2:
            changed[at:at] = rng.choice([b"@@", b"##", b"@", b"\n", rng.randbytes(3)])
        elif draw == 3:
            del changed[at:]
        else:
            changed[at:at] = changed[at:at + rng.randrange(40)]
    return bytes(changed)


def inputs(seed: int, count: int):
    rng = random.Random(seed)
    known = [bytes.fromhex(vector["raw_hex"]) for vector in VECTORS]
    heartbeat = build_dc09("NULL", "1234")
    for _ in range(count):
        draw = rng.random()
        data = rng.choice(known) if rng.random() < 0.15 else frame(rng)
        if draw > 0.9:
            data = build_frame(2, b"\x1a\x01" + data[:1000], source=7)  # a frame inside a frame
        elif draw > 0.75:
            changed = bytearray(mutate(rng, data))
            data = sound_again(changed) if len(changed) > 30 else bytes(changed)
        elif draw > 0.5:
            data = mutate(rng, data) + rng.choice([frame(rng), heartbeat, b""])
        elif draw > 0.47:
            data = bytes(rng.choices(b"@#\n\0\1\2\x1e", k=rng.randrange(120)))
        yield data


def without_order(found: list[dict]) -> list[dict]:
    for each in found:
        for signal in each.get("signals", []):
            signal["flags"] = sorted(signal["flags"])
    return found


@pytest.mark.slow
def test_gbt26875_twins_agree() -> None:
    seen, kinds = set(), set()
    batch = Batch(16384, 1 << 24)
    for data in inputs(SEED, INPUTS):
        ours, theirs = without_order(read_frames(data, NOW_NS)), reference.read_frames(data, NOW_NS)
        assert ours == theirs, f"seed {SEED}: {data.hex()}"
        assert sum(each["length"] for each in ours) == len(data)
        batch.clear()
        decode_stream(data, batch, NOW_NS)
        batch.check()
        assert Batch.view(batch.encode()).encode() == batch.encode()
        seen.update(each["status"] for each in ours)
        kinds.update(each.get("kind") for each in ours)
    assert seen == {"ok", "garbage", "need_data", "length", "checksum", "field"}
    assert kinds == {"heartbeat", "signal", "reply", "other", None}


@pytest.mark.parametrize("pattern", [b"@", b"@@", b"@@" + bytes(22) + b"\x00\x04\x02", b"@@" + bytes(25) + b"\0##",
                                     b"@@x\xfc\x03##", b"@@x\x05\0##"], ids=repr)
def test_gbt26875_time_is_linear(pattern: bytes) -> None:
    """Bytes looked at, not seconds. Worst are starts that overlap, each with an end mark where it says: one in seven
    bytes, each summed up for nothing."""
    smaller, larger = (count_steps((pattern * size)[:size]) for size in (32768, 65536))
    assert larger < 2.2 * smaller
    assert larger < 180 * 65536
