"""The main line of one running engine: transmitters in, replies out, alarms on the stream, rows in the database."""
from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from random import Random

import pytest

from codec.reading import build_frame
from tests.integration.engine import Engine, data_directory, serve, tocsin, until
from tests.integration.transmitter import ack, null, sia, tcp, token_of, udp

CONFIG = """
[[listener]]
name = "default"
listen = "127.0.0.1:0"
[[listener]]
name = "every"
listen = "0.0.0.0:0"
[[listener]]
name = "six"
listen = "[::1]:0"
realm = "north"
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with data_directory() as data, serve(data, CONFIG) as running:
        yield running


def place_of(engine: Engine, listener: str) -> tuple[str, int]:
    address = next(entry["address"] for entry in engine.json("/v1/status")["listen"] if entry["name"] == listener)
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


@pytest.mark.parametrize("transport", [udp, tcp])
def test_heartbeats_are_answered_and_are_no_rows(engine: Engine, transport: object) -> None:
    account = {udp: "A001", tcp: "A002"}[transport]     # type: ignore[index]
    expected = {'frames_received{protocol="dc09",kind="heartbeat"}': 3, 'replies{protocol="dc09",result="accept"}': 3,
                'unknown_accounts{result="enrolled"}': 1, "signals": 0, "duplicates": 0}
    with engine.counting(expected), transport(engine.place) as transmitter:     # type: ignore[operator]
        for sequence in (1, 2, 2):
            assert transmitter.say(null(account, sequence)) == ack(account, sequence)
    assert engine.signals(account) == []
    assert engine.json(f"/v1/transmitters/dc09:{account}")["state"] == "up"


def test_heartbeats_right_after_enrolment_are_answered(engine: Engine) -> None:
    """Also between the moment at which the enrolment is durable and that at which it has been judged."""
    with udp(engine.place) as transmitter:
        for account in (f"B{number:03X}" for number in range(300)):
            for sequence in (1, 2):
                assert transmitter.say(null(account, sequence)) == ack(account, sequence)
    assert engine.metrics()["replies_held"] == 0


def test_a_fire_goes_all_the_way(engine: Engine) -> None:
    account = "A010"
    frame = sia(account, "Nri2/FA017^Stairs^", 7, extended=[b"H10:00:00,11-20-2026"])
    expected = {'frames_received{protocol="dc09",kind="signal"}': 1, 'replies{protocol="dc09",result="accept"}': 1,
                'signals{class="fire"}': 1, 'verdicts{verdict="forward",reason="alarm"}': 1}
    with engine.subscribed() as stream, engine.counting(expected), udp(engine.place) as transmitter:
        assert transmitter.say(frame) == ack(account, 7)
        event = stream.event()
    told = event.data
    assert (event.kind, told["account"], told["class"], told["condition"], told["state"]) == (
        "raised", account, "fire", "fire", "raised")
    assert (told["native"], told["verification"], told["durable"], told["occurred_at"]) == (
        "FA017^Stairs^", "unconfirmed", True, "2026-11-20T10:00:00.000000Z")
    [row] = engine.signals(account)
    assert (str(row["id"]), row["raw"], row["sequence"], row["class"], row["condition"], row["verdict"],
            row["reason"]) == (told["signal_id"], frame, 7, "fire", "fire", "forward", "alarm")
    assert row["occurred_at"].isoformat() == "2026-11-20T10:00:00+00:00"
    assert row["point"] == told["point"] != ""
    [stored] = engine.rows("SELECT * FROM tocsin.event WHERE number = $1", int(event.id))
    assert json.loads(stored["data"])["data"] == told
    [alarm] = engine.rows("SELECT * FROM tocsin.alarm WHERE id = $1", int(told["alarm_id"]))
    assert (alarm["state"], alarm["account"], alarm["cleared_at"]) == ("raised", account, None)
    assert engine.rows("SELECT number FROM tocsin.position")[0]["number"] >= row["id"]
    [path] = until(lambda: engine.rows("SELECT * FROM tocsin.path WHERE account = $1", account), "a row for the path")
    assert (path["state"], path["transmitter"], path["number"], path["listener"]) == (
        "up", f"dc09:{account}", row["path"], "default")
    [shown] = engine.json(f"/v1/signals?account={account}")["signals"]
    assert shown["id"] == told["signal_id"]


def test_contact_id(engine: Engine) -> None:
    with engine.subscribed() as stream, tcp(engine.place) as transmitter:
        frame = sia("A011", "1110 01 015", token="ADM-CID")
        assert transmitter.say(frame) == ack("A011")
        event = stream.event()
    assert event.told == ("raised", "A011", "1110 01 015")
    assert event.data["class"] == "fire"


def test_the_life_of_an_alarm(engine: Engine) -> None:
    account = "A020"
    with engine.subscribed() as stream, udp(engine.place) as transmitter:
        for sequence, code in enumerate(("FA1", "FA2", "FH1", "FH2", "FA1"), 1):
            assert transmitter.say(sia(account, f"N{code}", sequence)) == ack(account, sequence)
        events = stream.take(5)
    assert [event.kind for event in events] == ["raised", "updated", "updated", "cleared", "raised"]
    assert [event.data["revision"] for event in events] == [1, 2, 3, 4, 1]
    assert len({event.data["alarm_id"] for event in events[:4]}) == 1
    assert events[4].data["alarm_id"] != events[0].data["alarm_id"]
    assert [int(event.id) for event in events] == list(range(int(events[0].id), int(events[0].id) + 5))
    engine.until_stored()
    alarms = engine.rows("SELECT state, revision, cleared_at FROM tocsin.alarm WHERE account = $1 ORDER BY id", account)
    assert [(alarm["state"], alarm["revision"], alarm["cleared_at"] is None) for alarm in alarms] == [
        ("cleared", 4, False), ("raised", 1, True)]


def test_read_the_open_alarms_then_follow(engine: Engine) -> None:
    with udp(engine.place) as transmitter:
        transmitter.say(sia("A030", "NFA1"))
        listed = until(lambda: [alarm for alarm in engine.json("/v1/alarms")["alarms"] if alarm["account"] == "A030"],
                       "the alarm in the list")
        [opened] = listed
        assert (opened["class"], opened["verification"], opened["revision"]) == ("fire", "unconfirmed", 1)
        assert [(part["class"], part["condition"]) for part in opened["open"]] == [("fire", "fire")]
        position = engine.json("/v1/alarms")["position"]
        transmitter.say(sia("A030", "NFA2", 2))
        with engine.subscribed(f"?after={position}") as stream:
            first = stream.event()
            transmitter.say(sia("A030", "NFH1/FH2", 3))
            rest = stream.take(2)
        with engine.subscribed(last_event_id=first.id) as stream:
            again = stream.take(2)
    assert [event.told for event in (first, *rest)] == [
        ("updated", "A030", "FA2"), ("updated", "A030", "FH1"), ("cleared", "A030", "FH2")]
    assert again == rest
    # Cleared, and kept in the list until somebody has accepted it, or nobody has in time.
    [cleared] = [alarm for alarm in engine.json("/v1/alarms")["alarms"] if alarm["account"] == "A030"]
    assert (cleared["state"], cleared["open"]) == ("cleared", [])


def test_several_events_in_one_frame(engine: Engine) -> None:
    expected = {'frames_received{protocol="dc09",kind="signal"}': 1, 'replies{protocol="dc09",result="accept"}': 1,
                'signals{class="fire"}': 2, 'signals{class="fault"}': 1}
    with engine.subscribed() as stream, engine.counting(expected), tcp(engine.place) as transmitter:
        assert transmitter.say(sia("A040", "Nri1/FA011/FA012/AT000")) == ack("A040")
        events = stream.take(2)
    assert [event.told for event in events] == [("raised", "A040", "FA011"), ("updated", "A040", "FA012")]
    signals = engine.signals("A040")
    assert [(row["native"], row["verdict"], row["reason"]) for row in signals] == [
        ("FA011", "forward", "coincidence"), ("FA012", "forward", "coincidence"), ("AT000", "suppress", "state")]
    verdicts = engine.rows("SELECT number, reason FROM tocsin.verdict WHERE signal_id = $1 ORDER BY number",
                           signals[0]["id"])
    assert [row["reason"] for row in verdicts] == ["alarm", "coincidence"]   # what the second one made of the first
    assert [row["id"] for row in signals] == list(range(signals[0]["id"], signals[0]["id"] + 3))


def test_replies_keep_the_order_of_their_frames_however_they_are_cut(engine: Engine) -> None:
    """Heartbeats wait behind the signals before them on one connection."""
    random = Random(9)
    frames, expected = [], []
    for number in range(1, 1501):
        account = f"A05{random.randrange(4)}"
        frames.append(null(account, number) if number % 3 else sia(account, f"NFT{number}", number))
        expected.append(ack(account, number))
    stream = b"".join(frames)
    with tcp(engine.place) as transmitter:
        at, got = 0, []
        while at < len(stream):
            size = random.choice((1, 2, 7, 60, 700, 9000))
            transmitter.send(stream[at:at + size])
            at += size
        got = transmitter.replies(len(frames))
    assert got == expected
    assert len(engine.signals("A050", "A051", "A052", "A053")) == 500


def test_several_frames_in_one_datagram(engine: Engine) -> None:
    with udp(engine.place) as transmitter:
        transmitter.send(null("A060", 1) + sia("A060", "NFT1", 2) + null("A060", 3))
        assert sorted(transmitter.reply() for _ in range(3)) == sorted(ack("A060", n) for n in (1, 2, 3))
    assert [row["native"] for row in engine.signals("A060")] == ["FT1"]


def test_a_binary_checksum_is_answered_in_kind(engine: Engine) -> None:
    with udp(engine.place) as transmitter:
        frame = build_frame("SIA-DCS", "A061", b"#A061|NFT1", binary_crc=True)
        assert transmitter.say(frame) == build_frame("ACK", "A061", binary_crc=True)


def test_receiver_and_line_come_back_and_make_paths(engine: Engine) -> None:
    with udp(engine.place) as transmitter:
        for receiver, line in (("1", "0"), ("01", "2"), (None, "0")):
            frame = build_frame("NULL", "A062", receiver=receiver, line=line)
            assert transmitter.say(frame) == build_frame("ACK", "A062", receiver=receiver, line=line)
    paths = engine.json("/v1/transmitters/dc09:A062")["paths"]
    assert sorted((path["receiver"] or "", path["line"]) for path in paths) == [("", "0"), ("01", "2"), ("1", "0")]


def test_the_reply_leaves_from_the_address_that_was_called(engine: Engine) -> None:
    port = place_of(engine, "every")[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as transmitter:
        transmitter.settimeout(20)
        transmitter.bind(("127.0.0.3", 0))
        for sequence, frame in ((1, null("A070", 1)), (2, sia("A070", "NFT1", 2))):   # at once, and held
            for host in ("127.0.0.2", "127.0.0.1"):
                transmitter.sendto(frame, (host, port))
                assert transmitter.recvfrom(4096) == (ack("A070", sequence), (host, port))


def test_the_other_internet_protocol(engine: Engine) -> None:
    place = place_of(engine, "six")
    assert place[0] == "::1"
    with udp(place) as transmitter, tcp(place) as connection:
        assert transmitter.say(null("A080")) == ack("A080")
        assert connection.say(sia("A080", "NFT1", 2)) == ack("A080", 2)
    [row] = engine.signals("A080")
    assert (row["realm"], row["native"]) == ("north", "FT1")
    assert engine.json("/v1/transmitters/dc09:A080@north")["key"] == "dc09:A080@north"


def test_send_and_decode_as_programs(engine: Engine) -> None:
    to = f"{engine.place[0]}:{engine.place[1]}"
    with engine.subscribed() as stream:
        for transport in ("udp", "tcp"):
            sent = tocsin("send", "--to", to, "--account", "A090", "--event", "fire", "--zone", "3", "--transport",
                          transport)
            assert (sent.returncode, sent.stderr) == (0, "")
            assert '"ACK"' in sent.stdout and "acknowledged" in sent.stdout
        assert [event.told for event in stream.take(2)] == [("raised", "A090", "FA003"), ("updated", "A090", "FA003")]
    frame = next(row["raw"] for row in engine.signals("A090"))
    decoded = tocsin("decode", data=b"noise" + frame + null("0A90"))
    assert (decoded.returncode, decoded.stderr) == (0, "")
    garbage, fire, heartbeat = map(json.loads, decoded.stdout.splitlines())
    assert (garbage["status"], garbage["length"]) == ("garbage", 5)
    assert (fire["status"], fire["kind"], fire["account"], fire["token"]) == ("ok", "signal", "A090", "SIA-DCS")
    assert [(signal["class"], signal["native"]) for signal in fire["signals"]] == [("fire", "FA003")]
    assert (heartbeat["kind"], heartbeat["account"]) == ("heartbeat", "0A90")


def test_send_to_nobody_says_so() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as unused:
        unused.bind(("127.0.0.1", 0))
        to = f"127.0.0.1:{unused.getsockname()[1]}"
        sent = tocsin("send", "--to", to, "--account", "A091", "--transport", "tcp")
    assert (sent.returncode, len(sent.stderr.splitlines())) == (1, 1)


def test_every_reply_is_a_frame_that_anybody_can_read(engine: Engine) -> None:
    with tcp(engine.place) as transmitter:
        reply = transmitter.say(sia("A100", "NFT1", 12))
    assert token_of(reply) == "ACK"
    assert reply == b'\n5D3B0012"ACK"0012L0#A100[]\r'
