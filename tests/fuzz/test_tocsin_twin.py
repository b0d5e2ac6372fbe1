"""The Tocsin profile in Cython equals its plain twin, statuses and replies too, on valid, mutated and random bytes.

Deterministic: each case is made from its number.
"""
import random
from typing import Any

import msgpack
import pytest

from codec import reference, reference_tocsin
from codec.reading import build_message, encode_reply, read_frames

KEY = bytes(range(32))
NOW_NS = 1_767_225_600 * 10**9
CASES, BLOCKS = 250, 40
TEXTS = ["", "2/7", "GW-3", "Tầng 2", "a" * 70, "\0x", "Zimmer 4"]


def value(chance: random.Random, depth: int = 0) -> Any:
    """Any value that MessagePack has."""
    kinds: list[Any] = [None, True, chance.randrange(300), -chance.randrange(300), chance.getrandbits(64), 1.5,
                        chance.choice(TEXTS), chance.randbytes(5)]
    if depth < 3:
        kinds += [[value(chance, depth + 1)], {"k": value(chance, depth + 1)}, msgpack.ExtType(3, b"x" * 5)]
    return chance.choice(kinds)


def item(chance: random.Random) -> Any:
    """Mostly a signal as it should be; at times with one element of another kind, or of another length."""
    found = [chance.choice([None, None, "A1", 4711, 1207, "gw.2"]), chance.randrange(12), chance.randrange(130),
             chance.randrange(5), chance.choice([None, 7, *TEXTS]), chance.choice([None, 5, 300]),
             chance.choice([None, *TEXTS])]
    if chance.random() < 0.2:
        found[chance.randrange(7)] = value(chance)
    if chance.random() < 0.1:
        found += [value(chance) for _ in range(chance.randrange(70))]
    return found[:chance.choice([1, 4, 5, 6, 7, 7, 7, 100, chance.randrange(8)])]


def body(chance: random.Random) -> bytes:
    count = chance.choice([0, 1, 1, 2, 5, 40])
    items = [item(chance) if chance.random() < 0.9 else value(chance) for _ in range(count)]
    return b"".join(map(msgpack.packb, items))[:1379]


def data_of(chance: random.Random) -> bytes:
    message = bytearray(build_message(chance.choice([1, 1207, 0xFFFFFF]), chance.getrandbits(32), KEY, body(chance)))
    kind = chance.random()
    if kind < 0.3:
        message[chance.randrange(len(message))] ^= 1 << chance.randrange(8)
    elif kind < 0.4:                                           # a body that is authentic and means nothing
        message = bytearray(build_message(7, 7, KEY, chance.randbytes(chance.randrange(60))))
    elif kind < 0.5:
        message[1:3] = chance.randbytes(2)
    if chance.random() < 0.2:
        del message[chance.randrange(len(message)):]
    return bytes(message) + chance.choice([b"", b"\xc1", b"junk", b"\n@@\xc1"])


def normalised(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one | {"signals": [signal | {"flags": sorted(signal["flags"])} for signal in one["signals"]]}
            if "signals" in one else one for one in found]


@pytest.mark.parametrize("block", range(BLOCKS))
def test_equal(block: int) -> None:
    for number in range(block * CASES, (block + 1) * CASES):
        chance = random.Random(number)
        data = data_of(chance) + (data_of(chance) if chance.random() < 0.3 else b"")
        ours = normalised(read_frames(data, NOW_NS, key=KEY))
        theirs = normalised(reference.read_frames(data, NOW_NS, reference.Profile(key=KEY)))
        assert ours == theirs, f"case {number}: {data.hex()}"
        assert sum(one["length"] for one in ours) == len(data)
        if ours and ours[0].get("kind") in ("signal", "heartbeat"):
            for answer, kind, counter in ((1, 0x20, None), (2, 0x21, 99), (3, 0x22, None)):
                reply = encode_reply(data, answer, NOW_NS, key=KEY, counter=99)
                assert reply == reference_tocsin.reply_to(data, KEY, kind, counter), f"case {number}: {data.hex()}"
                assert len(reply) == 21
