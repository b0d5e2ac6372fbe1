"""Invariant: no bytes cost more than linear time, and none make a connection keep more than one unfinished frame."""
from __future__ import annotations

import random

import pytest

from codec.gbt26875_downlink import build_frame as build_gbt
from codec.reading import build_frame, build_message, count_steps
from tests.fuzz.formats import FORMATS, one
from tests.unit.listen_world import SECOND, World, connect, receive

SMALLER, LARGER = 1 << 19, 1 << 20
FRAME_BYTES_MAX = 4106               # codec/limits.pxd
READ_BYTES_MAX = 65536               # engine/listen/tcp.pxd: what one read may bring, carried bytes included
GARBAGE_BYTES_MAX = 100_000
KEY = bytes(range(32))

# What costs most for each byte: starts that promise much and overlap, each looked at to where it proves false.
DC09 = [b"\n", b"\n0000", b'\n00000FFF"', b'\n00000FFF"\r', b'\n000FFF"', b'\n\n00FFF"', b'\n00000FFE"' + b"x" * 30,
        b'\n00000009"', b"\r", b'"', b"[", b"]", b"]_", build_frame("SIA-DCS", "1234", b"|" * 4000),
        build_frame("SIA-DCS", "1234", b"[" * 4000), build_frame("SIA-DCS", "1234", b"^/" * 2000)]
GBT26875 = [b"@", b"@@", b"@@" + bytes(22) + b"\x00\x04\x02", b"@@" + bytes(25) + b"\0##", b"@@x\xfc\x03##", b"#",
            b"@@x\x05\0##", b"@@@@@@@#", build_gbt(2, b"@@" * 512), build_gbt(2, b"@@##" * 256),
            build_gbt(2, build_gbt(2, build_gbt(2, bytes(900))))]
TOCSIN = [b"\xc1", b"\xc1\0\x12", b"\xc1\x05\x75", b"\xc1\x05\x75\x20" + bytes(7), build_message(1, 1, KEY),
          build_message(1, 1, KEY, b"\x91" * 1300), b"\xc1\x05\x75\x20\0\0\1\0\0\0\1"]
SURGARD = [b"S", b"SR", b"SR0001L0001        006969XX        [ID0", b"SR0001L0001    006969XX    [ID00000000]"]
MIXED = [b"\n@\xc1", b"@@\n\xc1", b'\n00000FFF"@@\xc1\x05\x75']
PATTERNS = [*DC09, *GBT26875, *TOCSIN, *SURGARD, *MIXED]


def repeated(pattern: bytes, size: int) -> bytes:
    return (pattern * (size // len(pattern) + 1))[:size]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern[:12].hex() + f"x{len(pattern)}")
def test_time_is_linear(pattern: bytes) -> None:
    """Bytes looked at, not seconds. Worst is GB/T 26875.3: starts that overlap, one in seven bytes, each with an end
    mark where it says and summed up for nothing."""
    smaller, larger = (count_steps(repeated(pattern, size)) for size in (SMALLER, LARGER))
    assert larger < 2.2 * smaller
    assert larger < (180 if b"@" in pattern else 20) * LARGER


@pytest.mark.parametrize("name", FORMATS)
def test_time_is_linear_over_broken_frames(name: str) -> None:
    rng = random.Random(name)
    data = b"".join(one(rng, FORMATS[name], FORMATS[name].seeds()) for _ in range(1000))
    assert count_steps(data) < 12 * len(data)


def kept(connection: object) -> int:
    """Bytes that a connection carries to its next read."""
    return READ_BYTES_MAX - len(connection.get_buffer(-1))


@pytest.mark.parametrize("size", [1, 61, 4000, 60_000])
@pytest.mark.parametrize("pattern", [b"x", *PATTERNS], ids=lambda pattern: pattern[:12].hex() + f"x{len(pattern)}")
def test_a_connection_keeps_less_than_a_frame(pattern: bytes, size: int) -> None:
    """Endless, whatever the pieces: it keeps one unfinished frame at most, and too much garbage ends it."""
    world = World()
    tcp = world.tcp(garbage_bytes_max=GARBAGE_BYTES_MAX)
    connection, wire = connect(tcp)
    stream = repeated(pattern, 3000 if size == 1 else 3 * GARBAGE_BYTES_MAX)
    for at in range(0, len(stream), size):
        receive(connection, stream[at:at + size])
        if not wire.reading:             # replies wait, or the intake is full: nothing more is read until an append
            assert kept(connection) <= size + FRAME_BYTES_MAX
            while not wire.reading and not wire.closed:
                world.journal()
        if wire.closed:
            assert tcp.closed == {"garbage": 1}
            return
        assert kept(connection) < FRAME_BYTES_MAX
    assert size == 1 or world.count("garbage_bytes") <= GARBAGE_BYTES_MAX + FRAME_BYTES_MAX \
        or sum(world.receiver.counts()["frames"].values())


@pytest.mark.parametrize("beginning", [b'\n00000FFF"', b"@@" + bytes(22) + b"\x00\x04\x02",
                                       build_message(1, 1, KEY, bytes(900))[:20]],
                         ids=["dc09", "gbt26875", "tocsin"])
def test_a_frame_that_never_ends_is_timed_out(beginning: bytes) -> None:
    world = World()
    tcp = world.tcp(frame_ns=20 * SECOND)
    connection, wire = connect(tcp)
    receive(connection, beginning)
    for _ in range(25):
        assert kept(connection) < FRAME_BYTES_MAX
        world.clock.advance(SECOND)
        if not wire.closed:
            receive(connection, b"x")
        tcp.sweep()
    assert wire.closed
