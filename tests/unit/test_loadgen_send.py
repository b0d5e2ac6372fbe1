"""The frame by hand in each protocol, the ways in which it misbehaves, and the reply in words."""

import argparse

import pytest

from codec.gbt26875_downlink import build_frame as build_gbt
from codec.reading import encode_reply, read_frames
from loadgen import send
from loadgen.dc09_client import frame
from loadgen.frames import EVENTS, describe

NOW_NS = 1_767_225_600_000_000_000
HEX_KEY, KEY = "00112233445566778899aabbccddeeff", bytes.fromhex("00112233445566778899aabbccddeeff")

LONG_KEY = bytes(range(32))


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    send.add_arguments(parser)
    return parser.parse_args(arguments)


def dc09(*more: str) -> argparse.Namespace:
    return parse("--account", "0123", "--sequence", "7", *more)


def gbt(*more: str) -> argparse.Namespace:
    return parse("--account", "4660", "--sequence", "7", "--protocol", "gbt26875", *more)


def ours(*more: str) -> argparse.Namespace:
    return parse("--account", "1207", "--sequence", "7", "--protocol", "tocsin", "--key", LONG_KEY.hex(), *more)


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_in_every_form_is_read(event):
    expected = {"fire": "fire", "trouble": "fault", "supervisory": "supervisory"}.get(event)
    for args, key in ((dc09("--event", event), None), (dc09("--event", event, "--key", HEX_KEY), KEY),
                      (gbt("--event", event), None)):
        read, = read_frames(send.build(args, NOW_NS), NOW_NS, key=key)
        assert (read["status"], read["account"]) == ("ok", "4660" if args.protocol == "gbt26875" else "0123")
        assert read["kind"] == "heartbeat" if event == "heartbeat" else read["kind"] != "heartbeat"
        if expected:
            assert [signal["class"] for signal in read["signals"]] == [expected]


def test_status_words():
    def word(*more: str) -> object:
        return read_frames(send.build(gbt(*more), NOW_NS), NOW_NS)[0]["levels"][0]["word"]

    assert [word("--event", event) for event in ("fire", "restore", "trouble", "mains")] == [2, 0, 4, 0x100]
    named, = read_frames(send.build(gbt("--text", "大厅", "--zone", "258"), NOW_NS), NOW_NS)
    assert "大厅" in named["signals"][0]["native"]
    assert "02010000" in named["signals"][0]["point"]


def test_keys_are_hex_or_ascii_from_the_argument_or_a_file(tmp_path):
    path = tmp_path / "key"
    path.write_text(HEX_KEY + "\n")
    assert send.read_key(dc09("--key-file", str(path))) == send.read_key(dc09("--key", HEX_KEY)) == KEY
    assert send.read_key(dc09("--key", "sixteen letters!")) == b"sixteen letters!"


@pytest.mark.parametrize("more", [
    ("--key", "short"), ("--key", "ü" * 16), ("--misbehave", "x"), ("--misbehave", "clock=2"), ("--misbehave", "key"),
    ("--misbehave", "slow"), ("--system", "256"), ("--protocol", "gbt26875", "--key", HEX_KEY),
    ("--key-file", "/no/such/file"), ("--protocol", "gbt26875", "--text", "x" * 32),
    ("--protocol", "gbt26875", "--code", "x"), ("--text", "a|b"),
])
def test_usage(more, capsys):
    assert send.run(dc09(*more)) == 2
    error = capsys.readouterr().err
    assert error.startswith("tocsin send: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("make", [dc09, gbt])
def test_misbehaviour(make):
    def statuses(how: str, *more: str) -> list[object]:
        data = b"".join(send.pieces(make("--misbehave", how, *more), NOW_NS))
        return [one["status"] for one in read_frames(data, NOW_NS)]

    assert statuses("crc")[0] != "ok"
    assert statuses("cut")[0] != "ok"
    assert statuses("coalesce") == statuses("replay") == ["ok", "ok"]
    assert statuses("slow", "--transport", "tcp") == ["ok"]
    assert len(send.pieces(make("--misbehave", "slow", "--transport", "tcp"), NOW_NS)) == len(
        send.build(make(), NOW_NS))
    off = send.build(make("--misbehave", "clock=-2h"), NOW_NS)
    assert off == send.build(make(), NOW_NS - 7200 * 10**9)


def test_the_wrong_key_does_not_open():
    wrong, = send.pieces(dc09("--key", HEX_KEY, "--misbehave", "key"), NOW_NS)
    assert read_frames(wrong, NOW_NS, key=KEY)[0]["status"] != "ok"


def test_replies_in_words():
    sent = send.build(dc09("--key", HEX_KEY), NOW_NS)
    reply = encode_reply(sent, 1, NOW_NS, key=KEY, entropy=3)
    opened, shut = (describe(reply, "dc09", NOW_NS, key) for key in (KEY, bytes(16)))
    assert opened.good and "opened with the key" in opened.words and "2026-01-01" in opened.words
    assert not shut.good and "proves nothing" in shut.words
    clear = describe(encode_reply(send.build(dc09(), NOW_NS), 1, NOW_NS), "dc09", NOW_NS)
    assert clear.good and clear.token == "ACK"
    assert not describe(frame(b'"ACK"0007L0#0123[]'), "dc09", NOW_NS, KEY).good


@pytest.mark.parametrize(("stamp", "told"), [
    ("00:00:09,01-01-2026", "9 s behind"), ("22:00:00,12-31-2025", "7200 s ahead of"),
])
def test_a_refusal_tells_how_far_the_clock_is_off(stamp, told):
    answer = describe(frame(f'"NAK"0000R0L0A0[]_{stamp}'.encode()), "dc09", NOW_NS)
    assert not answer.good
    assert told in answer.words


def test_gbt_replies_in_words():
    sent = send.build(gbt(), NOW_NS)
    confirm, deny = (describe(encode_reply(sent, answer, NOW_NS), "gbt26875", NOW_NS) for answer in (1, 2))
    assert confirm.good and "serial 7  account 4660" in confirm.words and "2026-01-01 08:00:00" in confirm.words
    assert not deny.good and deny.words.startswith("deny")
    assert describe(build_gbt(2), "gbt26875", NOW_NS) is None
    assert describe(b"hello", "dc09", NOW_NS) is None


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_in_the_tocsin_profile(event):
    read, = read_frames(send.build(ours("--event", event, "--zone", "12", "--text", "Tầng 2"), NOW_NS), NOW_NS,
                        key=LONG_KEY)
    assert (read["status"], read["account"], read["sequence"]) == ("ok", "1207", 7)
    assert read["kind"] == ("heartbeat" if event == "heartbeat" else "signal")
    if event != "heartbeat":
        signal, = read["signals"]
        assert (signal["point"], signal["flags"]) == ("12", [])
        assert signal["native"].endswith(" Tầng 2")
        assert signal["state"] == ("info" if event == "test" else
                                   "cleared" if "restore" in event or event == "enable" else "raised")


def test_the_counter_of_the_tocsin_profile_is_the_clock():
    args = parse("--account", "1", "--protocol", "tocsin", "--key", LONG_KEY.hex())
    assert read_frames(send.build(args, NOW_NS), NOW_NS, key=LONG_KEY)[0]["sequence"] == NOW_NS // 10**9
    args.misbehave = "coalesce"
    both = read_frames(b"".join(send.pieces(args, NOW_NS)), NOW_NS, key=LONG_KEY)
    assert [one["sequence"] for one in both] == [NOW_NS // 10**9 + 1, NOW_NS // 10**9]


@pytest.mark.parametrize(("how", "status"), [("crc", "checksum"), ("cut", "need_data"), ("key", "crypto")])
def test_the_tocsin_profile_misbehaves(how, status):
    data, = send.pieces(ours("--misbehave", how), NOW_NS)
    assert read_frames(data, NOW_NS, key=LONG_KEY)[0]["status"] == status


@pytest.mark.parametrize("more", [
    ("--account", "0"), ("--account", "16777216"), ("--account", "12A"), ("--key", HEX_KEY), ("--key", ""),
    ("--code", "NFA1"), ("--misbehave", "clock=-2h"), ("--sequence", "4294967296"), ("--text", "x" * 1400),
])
def test_usage_of_the_tocsin_profile(more, capsys):
    assert send.run(ours(*more)) == 2
    error = capsys.readouterr().err
    assert error.startswith("tocsin send: ")
    assert error.count("\n") == 1
    assert LONG_KEY.hex() not in error


def test_tocsin_replies_in_words():
    sent, other = (send.build(ours("--zone", zone), NOW_NS) for zone in ("1", "2"))
    replies = [encode_reply(sent, answer, NOW_NS, key=LONG_KEY, counter=99) for answer in (1, 2, 3)]
    accepted, stale, unable = (describe(reply, "tocsin", NOW_NS, LONG_KEY, sent=other + sent) for reply in replies)
    assert accepted.good and "key id 1207  counter 7" in accepted.words and "is right" in accepted.words
    assert not stale.good and "the next is 100" in stale.words
    assert not unable.good and unable.token == "unable"
    for wrong in (describe(replies[0], "tocsin", NOW_NS, LONG_KEY, sent=other),
                  describe(replies[0], "tocsin", NOW_NS, bytes(32), sent=sent)):
        assert not wrong.good
        assert "no proof" in wrong.words
    assert describe(b"hello", "tocsin", NOW_NS, LONG_KEY, sent=sent) is None
    assert describe(sent, "tocsin", NOW_NS, LONG_KEY, sent=sent) is None


@pytest.mark.parametrize(("how", "told"), [
    (None, "journal has no room"), ("crc", "wrong checksum"), ("cut", "without its end"), ("clock=-2h", "window")])
def test_silence_is_reasoned_about(how, told):
    text = send.why_silent(dc09(*(("--misbehave", how) if how else ())))
    assert told in text
    assert "/v1/rejected" in text and "tocsin decode --explain" in text
