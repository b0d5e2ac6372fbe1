"""What the groups of a fleet say is read by the codec, and what the codec answers is read by the groups."""

import pytest

from codec.reading import encode_reply, read_frames
from loadgen.client import Speaker
from loadgen.dc09_client import ReplyKind
from loadgen.shapes import DC09_HEARTBEATS, GBT_HEARTBEATS, Style, account_of, keys_of, speaker

SECOND = 1_772_000_000
NOW_NS = SECOND * 10**9
FIRST, DIGITS, RUN, SECRET = 0xA00001, 6, "19a8f3c2b1047aa", b"a fleet's secret"
STYLES = [
    *(Style(heartbeat=name) for name in DC09_HEARTBEATS),
    *(Style(protocol="gbt26875", heartbeat=name) for name in GBT_HEARTBEATS),
    Style(checksum="binary"), Style(line=False, receiver=True), Style(header_account=False, heartbeat="ajax"),
    Style(stamp=False), Style(extended=True), Style(encrypted=True), Style(encrypted=True, checksum="binary"),
    Style(encrypted=True, extended=True, receiver=True),
    Style(protocol="gbt26875", tags="bcd"), Style(protocol="gbt26875", tags="none"),
    Style(protocol="gbt26875", serial="big"), Style(protocol="tocsin"),
]


def make(style: Style, **more: object) -> Speaker:
    first, count = (FIRST, 3) if style.header_account else (FIRST + 1, 1)
    return speaker(style, account_first=first, digits=DIGITS, count=count, run=RUN, secret=SECRET, **more)


def index(style: Style) -> int:
    """Of the transmitter FIRST + 1."""
    return 1 if style.header_account else 0


def key(style: Style, number: int) -> bytes | None:
    return keys_of(style, SECRET, FIRST + number, DIGITS, 1)[0] if style.keyed else None


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_a_signal_is_fire_with_its_text(style):
    frame = make(style).frame(index(style), 1234, SECOND, number=77, zone=5)
    read, = read_frames(frame, NOW_NS, key=key(style, 1))
    assert read["status"] == "ok"
    assert read["account"] == account_of(style, FIRST + 1, DIGITS)
    assert [(signal["class"], signal["state"]) for signal in read["signals"]] == [("fire", "raised")]
    assert f"{RUN}-000000077" in read["signals"][0]["native"]
    assert read["encrypted"] == style.keyed
    assert read["signals"][0]["point"].endswith("4d000000" if style.protocol == "gbt26875" else "0005")


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_heartbeats_and_signals_are_answered(style):
    mine = make(style)
    for number in (None, 9):
        sent = mine.frame(index(style), 1234, SECOND, number=number)
        assert sent == mine.frame(index(style), 1234, SECOND, number=number)
        reply = encode_reply(sent, 1, NOW_NS, key=key(style, 1), entropy=5)
        assert mine.frame_bytes(reply) == len(reply)
        assert [mine.frame_bytes(reply[:size]) for size in range(len(reply))] == [0] * len(reply)
        assert mine.reply(reply, SECOND) == (ReplyKind.REPLY_ACK, 1234, FIRST + 1)
        assert mine.proves(reply, sent, index(style))
        for at in range(len(reply)):
            damaged = bytearray(reply)
            damaged[at] ^= 1
            assert (mine.reply(bytes(damaged), SECOND)[0] == ReplyKind.REPLY_NONE
                    or not mine.proves(bytes(damaged), sent, index(style)))


def test_an_encrypted_acknowledgement_must_open_and_be_of_now():
    style = Style(encrypted=True)
    mine, sent = make(style), make(style).frame(1, 7, SECOND)
    good = encode_reply(sent, 1, NOW_NS, key=key(style, 1), entropy=5)
    assert mine.reply(good, SECOND + 60)[0] == ReplyKind.REPLY_ACK
    assert mine.reply(good, SECOND + 61)[0] == ReplyKind.REPLY_NONE
    others = encode_reply(make(style).frame(1, 7, SECOND), 1, NOW_NS, key=key(style, 2), entropy=5)
    assert mine.reply(others, SECOND)[0] == ReplyKind.REPLY_NONE
    clear = encode_reply(make(Style()).frame(1, 7, SECOND), 1, NOW_NS)
    assert mine.reply(clear, SECOND)[0] == ReplyKind.REPLY_NONE


def test_an_acknowledgement_of_the_tocsin_profile_is_bound_to_its_message():
    style = Style(protocol="tocsin")
    mine = make(style, counter_first=2**32 - 3)
    sent = mine.frame(1, 7, SECOND, number=3)
    assert read_frames(sent, NOW_NS, key=key(style, 1))[0]["sequence"] == 4
    for answer, kind in ((1, ReplyKind.REPLY_ACK), (3, ReplyKind.REPLY_DUH)):
        reply = encode_reply(sent, answer, NOW_NS, key=key(style, 1))
        assert mine.reply(reply, SECOND) == (kind, 7, FIRST + 1)
        assert mine.proves(reply, sent, 1)
    stale = encode_reply(sent, 2, NOW_NS, key=key(style, 1), counter=99)
    assert mine.reply(stale, SECOND) == (ReplyKind.REPLY_NAK, 0, FIRST + 1)
    others = encode_reply(mine.frame(1, 7, SECOND, number=4), 1, NOW_NS, key=key(style, 1))
    assert mine.reply(others, SECOND)[0] == ReplyKind.REPLY_ACK
    assert not mine.proves(others, sent, 1)
    assert not mine.proves(others, b"", 1)
    behind = encode_reply(make(style, counter_first=2**31).frame(1, 7, SECOND), 1, NOW_NS, key=key(style, 1))
    assert mine.reply(behind, SECOND)[0] == ReplyKind.REPLY_NONE


def test_a_refusal_is_told_apart():
    sent = make(Style(protocol="gbt26875")).frame(0, 8, SECOND)
    assert make(Style(protocol="gbt26875")).reply(encode_reply(sent, 2, NOW_NS), SECOND) == (
        ReplyKind.REPLY_DUH, 8, FIRST)
    binary = make(Style(checksum="binary"))
    assert binary.reply(encode_reply(binary.frame(0, 8, SECOND), 2, NOW_NS), SECOND)[0] == ReplyKind.REPLY_NAK


def test_habits_of_the_bytes():
    assert make(Style(tail=True)).frame(0, 1, SECOND) == make(Style()).frame(0, 1, SECOND) + b"\0"
    assert make(Style(over_end=True)).frame(0, 1, SECOND)[:5] != make(Style()).frame(0, 1, SECOND)[:5]
    assert make(Style(over_end=True)).frame(0, 1, SECOND)[5:] == make(Style()).frame(0, 1, SECOND)[5:]


def test_clocks_are_seeded_and_stand_in_the_stamp():
    one, two = (make(Style(), clock_spread_s=5.0, seed=4).frame(0, 1, SECOND) for _ in range(2))
    assert one == two
    assert {make(Style(), clock_spread_s=500.0, seed=seed).frame(0, 1, SECOND) for seed in range(3)} != {one}


@pytest.mark.parametrize("style", [
    Style(protocol="x"), Style(heartbeat="x"), Style(checksum="x"), Style(encrypted=True, stamp=False),
    Style(encrypted=True, protocol="gbt26875"), Style(header_account=False), Style(tags="x"), Style(serial="x"),
])
def test_a_style_that_does_not_hold_together(style):
    with pytest.raises(ValueError, match="allowed|needed"):
        make(style)
