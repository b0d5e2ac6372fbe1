"""GB/T 26875.3 frames that are valid, or nearly so."""
import random

from codec.gbt26875_downlink import build_frame

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
    if rng.random() < 0.005:             # more rows than a batch may get: chance alone makes hardly any
        command, content = 2, b"\x18\x7f" + bytes([rng.choice([3, 0xFF]), 0]) * 127
    built = bytearray(build_frame(command, content, serial=rng.randrange(65536), source=rng.choice([0, 889, 2**48 - 1]),
                                  destination=rng.choice([0, 0x2323, 0x4040, rng.randrange(2**48)])))
    built[6:12] = tag(rng)
    return sound_again(built)


def sound_again(data: bytearray) -> bytes:
    data[-3] = sum(data[2:-3]) & 0xFF
    return bytes(data)
