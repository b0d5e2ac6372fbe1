"""Invariant: whatever the bytes, the explainer raises nothing, agrees with read_frames, and needs linear time."""
import random

import pytest

from codec.explain import BEGINNING, explain
from codec.explained import Setting
from codec.gbt26875_downlink import build_frame as build_gbt
from codec.reading import build_frame, read_frames
from engine.command.explaining import COLUMNS, lines_of

NOON_NS = 1_767_268_800 * 10**9
KEY = bytes(range(16))
FRAMES = [
    build_frame("SIA-DCS", "1234", b"#1234|Nri1/FA017^M\xfcller^", receiver="1", stamp_ns=NOON_NS, extended=(b"I@@x",)),
    build_frame("ADM-CID", "1234", b"#1234|1110 01 012", binary_crc=True), build_frame("NULL", "12AB"),
    build_frame("SIA-DCS", "1234", b"NFA1", stamp_ns=NOON_NS - 7200 * 10**9, key=KEY),
    build_gbt(2, b"\2\1" + bytes(range(46)), source=889), build_gbt(2, b""), build_gbt(2, b"\6\2\1\1\3abc\1\2\1x"),
    build_gbt(4, b"\x51\1\0"), build_gbt(2, b"\x15\1\2" + bytes(6)), b"GET / HTTP/1.1\r\n"]


def mutated(source: random.Random) -> bytes:
    data = bytearray(b"".join(source.choice(FRAMES) for _ in range(source.randrange(1, 4))))
    for _ in range(source.randrange(6)):
        at = source.randrange(len(data) + 1)
        what = source.randrange(4)
        if what == 0:
            data[at:at + 1] = bytes([source.randrange(256)])
        elif what == 1:
            del data[at:at + source.randrange(20)]
        elif what == 2:
            data[at:at] = source.choice((b"\n", b"@@", b"]", b'"', b"|", b"##", source.randbytes(5)))
        else:
            data[at:at] = data[source.randrange(len(data) + 1):][:40]
    return bytes(data)


@pytest.mark.parametrize("seed", range(8))
def test_verdict_and_lengths_agree(seed):
    source = random.Random(seed)
    for _ in range(150):
        data = mutated(source) if source.random() < 0.9 else source.randbytes(source.randrange(200))
        key = source.choice((None, KEY, bytes(16)))
        found = explain(data, Setting(NOON_NS, key))
        assert [each.found for each in found] == read_frames(data, NOON_NS, key=key), data.hex()
        assert b"".join(each.data for each in found) == data
        for each in found:
            for line in lines_of(each):
                assert len(line) <= COLUMNS and line.isprintable(), data.hex()


@pytest.mark.parametrize("unit", [b'\n00000FFF"', b"@@", b"@", b"\n", b"]_", b'\n00000FFF"*X"0000L0#123[00', b"##",
                                  FRAMES[0][:-1], FRAMES[4][:-1], b"@@" + bytes(22) + b"\0\4" + b"##" * 9])
def test_time_is_linear(unit, monkeypatch):
    """What the readers are given, counted: together not more than a few times the input."""
    import codec.explain
    given = 0
    formats = dict(codec.explain.FORMATS)

    def counting(reader):
        def read(data, setting):
            nonlocal given
            given += len(data)
            return reader(data, setting)
        return read
    monkeypatch.setattr(codec.explain, "FORMATS", {first: (name, counting(reader), longest)
                                                   for first, (name, reader, longest) in formats.items()})
    data = unit * (40_000 // len(unit))
    explain(data, Setting(NOON_NS, KEY))
    assert given <= 2 * len(data)
    assert BEGINNING.pattern
