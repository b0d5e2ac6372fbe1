"""GB/T 26875.3 through a running engine: confirms, rows and alarms of status words, and the ways of the field."""
from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codec.gbt26875_downlink import build_frame, build_request
from codec.reading import read_frames
from tests.integration.engine import Engine, data_directory, serve
from tests.integration.gbt26875 import (
    CENTRE,
    DENY,
    FAULT,
    FIRE,
    NOON_NS,
    answers,
    component,
    datagrams,
    line,
    point,
    send,
    status,
)
from tests.integration.transmitter import ack, null, sia, tcp

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "gbt26875.json").read_text())
MINUTE_NS = 60 * 10**9
CONFIG = """
[[listener]]
name = "default"
listen = "127.0.0.1:0"
[[listener]]
name = "pinned"
listen = "127.0.0.1:0"
protocol = "gbt26875"
[[listener]]
name = "south"
listen = "127.0.0.1:0"
realm = "south"
"""
ALARMS = {"fire", "gas", "prealarm"}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with data_directory() as data, serve(data, CONFIG) as running:
        yield running


def place_of(engine: Engine, listener: str) -> tuple[str, int]:
    address = next(entry["address"] for entry in engine.json("/v1/status")["listen"] if entry["name"] == listener)
    host, _, port = address.rpartition(":")
    return host, int(port)


def received(kind: str, count: int, protocol: str = "gbt26875") -> dict[str, float]:
    return {f'frames_received{{protocol="{protocol}",kind="{kind}"}}': count}


def replied(result: str, count: int) -> dict[str, float]:
    return {f'replies{{protocol="gbt26875",result="{result}"}}': count}


def told(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(row["class"], row["state"], row["point"]) for row in rows]


class Truth:
    """What a stream of frames must lead to, worked out word by word."""

    def __init__(self) -> None:
        self.words: dict[tuple[str, int, str], int] = {}

    def changes(self, account: str, data: bytes) -> int:
        """Return how many rows the frame makes, and remember its words."""
        found, = read_frames(data, NOON_NS)
        rows = 0
        for level in found["levels"]:
            key = (account, data[27], level["point"])
            rows += ((self.words.get(key, 0) ^ level["word"]) & 0xFFFE).bit_count()
            self.words[key] = level["word"]
        bits = sum((level["word"] & 0xFFFE).bit_count() for level in found["levels"])
        return rows + len(found["signals"]) - bits


def test_every_sound_vector_is_answered_and_stored() -> None:
    """Captured and vendors' frames one after the other on one connection, against a slow truth."""
    truth, kept = Truth(), 0
    with data_directory() as data, serve(data) as engine, line(engine.place) as transmitter:
        for vector in VECTORS:
            frame = bytes.fromhex(vector["raw_hex"])
            if not vector["expect"]["valid"]:
                continue
            found, = read_frames(frame, NOON_NS)
            if found["token"] in ("control", "request", "answer", "confirm", "deny"):
                transmitter.send(frame)              # no reply: that of the next frame comes next
            else:
                assert transmitter.confirmed(frame), vector["note"]
            kept += truth.changes(found["account"], frame)
        assert transmitter.confirmed(send(1))
        engine.until_stored()
        rows = engine.rows("SELECT * FROM tocsin.signal WHERE protocol = 'gbt26875' ORDER BY id")
        alarms = engine.json("/v1/alarms")["alarms"]
    assert len(rows) == kept > 15
    open_points = {(account, place) for (account, _, place), word in truth.words.items() if word & FIRE}
    shown = {(alarm["account"], item["point"]) for alarm in alarms for item in alarm["open"]}
    assert {one for one in shown if not one[1].endswith("/operation")} == open_points
    assert {row["class"] for row in rows} >= {"fire", "fault", "info"}


def test_a_fire_is_raised_once_and_cleared_once(engine: Engine) -> None:
    expected = {**received("signal", 2), **received("heartbeat", 3), **replied("accept", 5),
                'signals{class="fire"}': 2, "duplicates": 0, "frames_rejected": 0}
    with engine.subscribed() as stream, line(engine.place) as transmitter, engine.counting(expected):
        for serial, word in enumerate((0, FIRE, FIRE | 1, 0, 1)):
            assert transmitter.confirmed(status(2001, word, serial, at_ns=NOON_NS + serial * MINUTE_NS))
        raised, cleared = stream.take(2)
    assert raised.told == ("raised", "2001", "status 0x0002")
    assert (raised.data["class"], raised.data["condition"], raised.data["point"]) == ("fire", "smoke", point())
    assert (raised.data["verification"], raised.data["protocol"]) == ("unconfirmed", "gbt26875")
    assert cleared.told == ("cleared", "2001", "status 0x0000")
    rows = engine.signals("2001")
    assert told(rows) == [("fire", "raised", point()), ("fire", "cleared", point())]
    assert [row["occurred_at"].timestamp() for row in rows] == [NOON_NS / 1e9 + 60, NOON_NS / 1e9 + 180]


def test_bit_0_never_suppresses(engine: Engine) -> None:
    """Most real alarms come with bit 0 clear, which is test by the letter."""
    with engine.subscribed() as stream, datagrams(engine.place) as transmitter:
        for source, word in ((2011, FIRE), (2012, FIRE | 1)):
            assert transmitter.confirmed(status(source, word))
        assert [(event.kind, event.data["account"], event.data["verification"]) for event in stream.take(2)] == [
            ("raised", "2011", "unconfirmed"), ("raised", "2012", "unconfirmed")]


def test_each_changed_bit_is_a_signal_and_each_clears_alone(engine: Engine) -> None:
    with engine.subscribed() as stream, line(engine.place) as transmitter:
        for serial, word in enumerate((FIRE | FAULT, FIRE, FAULT, 0)):
            assert transmitter.confirmed(status(2021, word, serial))
        assert [event.kind for event in stream.take(2)] == ["raised", "cleared"]
    assert [(row["class"], row["state"]) for row in engine.signals("2021")] == [
        ("fire", "raised"), ("fault", "raised"), ("fault", "cleared"), ("fire", "cleared"), ("fault", "raised"),
        ("fault", "cleared")]


def test_the_transmitters_own_restore_ends_no_component(engine: Engine) -> None:
    with engine.subscribed() as stream, line(engine.place) as transmitter:
        for data in (b"\2\1" + component(FIRE), b"\x15\1\2", b"\x15\1\0", b"\x18\1\4\1", b"\x18\1\x08\1"):
            assert transmitter.confirmed(send(2031, data))
        assert [event.kind for event in stream.take(5)] == ["raised"] + ["updated"] * 4
        [alarm] = [alarm for alarm in engine.json("/v1/alarms")["alarms"] if alarm["account"] == "2031"]
        assert [item["point"] for item in alarm["open"]] == [point()]
        assert transmitter.confirmed(send(2031, b"\2\1" + component(0)))
        assert stream.event().kind == "cleared"


def test_a_thousand_unchanged_statuses_leave_one_row(engine: Engine) -> None:
    expected = {**received("signal", 1), **received("heartbeat", 1000), **replied("accept", 1001),
                'signals{class="fault"}': 1}
    with line(engine.place) as transmitter, engine.counting(expected):
        assert transmitter.confirmed(status(2041, FAULT))
        frames = [status(2041, FAULT, serial, at_ns=NOON_NS + serial * MINUTE_NS) for serial in range(1, 1001)]
        transmitter.send(b"".join(frames))
        for frame in frames:
            assert answers(transmitter.reply(), frame)
    assert len(engine.signals("2041")) == 1


def test_kill_between_raise_and_clear() -> None:
    with data_directory() as data:
        with serve(data) as engine, engine.subscribed() as stream, line(engine.place) as transmitter:
            began = stream.began
            assert transmitter.confirmed(status(7, FIRE | FAULT, 1))
            engine.kill()
        with serve(data) as engine, line(engine.place) as transmitter:
            with engine.counting({**received("heartbeat", 2), "signals": 0}):
                assert transmitter.confirmed(status(7, FIRE | FAULT, 1))     # its confirm may have gone with the engine
                assert transmitter.confirmed(status(7, FIRE | FAULT, 2, at_ns=NOON_NS + MINUTE_NS))
            engine.stop()                            # a snapshot is written
        with serve(data) as engine, line(engine.place) as transmitter:
            assert transmitter.confirmed(status(7, FIRE | FAULT, 3, at_ns=NOON_NS + 2 * MINUTE_NS))
            assert transmitter.confirmed(status(7, 0, 4, at_ns=NOON_NS + 3 * MINUTE_NS))
            assert told(engine.signals("7")) == [("fire", "raised", point()), ("fault", "raised", point()),
                                                 ("fire", "cleared", point()), ("fault", "cleared", point())]
            with engine.subscribed(f"?after={began}") as stream:
                assert [event.kind for event in stream.take(2)] == ["raised", "cleared"]


def test_serials_that_begin_again_and_serials_that_never_change(engine: Engine) -> None:
    """The second fire has the serial of the first, by reconnecting or because all serials are 0."""
    for source, serials in ((2051, (0, 1)), (2052, (0, 0))):
        for turn in range(3):
            with line(engine.place) as transmitter:
                for serial, word in zip(serials, (FIRE, 0), strict=True):
                    at_ns = NOON_NS + (2 * turn + (word == 0)) * MINUTE_NS
                    assert transmitter.confirmed(status(source, word, serial, at_ns=at_ns))
        assert [row["state"] for row in engine.signals(str(source))] == ["raised", "cleared"] * 3


@pytest.mark.parametrize("reset", [b"\x18\1\1\1", b"\4\1\1\1\1\1", b"\1\1\1\1\0\x20", b"\x86\1\1\2\3"],
                         ids=["transmitter", "system", "status bit 13", "vendor"])
def test_a_fire_after_a_reset_is_told_again(engine: Engine, reset: bytes) -> None:
    """Many panels are reset without a word of each component: its next fire says what was said before."""
    source = 2300 + reset[0]
    with engine.subscribed() as stream, line(engine.place) as transmitter:
        for serial, data in enumerate((b"\2\1" + component(FIRE), reset, b"\2\1" + component(FIRE),
                                       b"\2\1" + component(FIRE), reset, b"\2\1" + component(0))):
            assert transmitter.confirmed(send(source, data, serial))
        assert [(event.kind, event.data["count"]) for event in stream.take(3)] == [
            ("raised", 1), ("updated", 2), ("cleared", 2)]


def test_a_frame_sent_again_is_confirmed_again_and_makes_nothing(engine: Engine) -> None:
    frame = send(2061, b"\2\2" + component(FIRE) + component(FAULT, 2), 9)
    with line(engine.place) as transmitter, engine.counting({'signals{class="fire"}': 1, 'signals{class="fault"}': 1}):
        transmitter.send(frame * 3)                  # the first is not durable yet
        for _ in range(3):
            assert answers(transmitter.reply(), frame)
        assert transmitter.confirmed(frame)
    assert len(engine.signals("2061")) == 2


HEARTBEATS = {
    "a send without data": (2, b""), "one byte": (2, b"\x16"), "type 28": (2, b"\x1c\1" + bytes([1, 2, 3, 4, 5, 26])),
    "type 8": (2, b"\x08\1\1\1" + bytes([1, 2, 3, 4, 5, 26])), "type 190": (2, b"\xbe\1\0"), "command 7": (7, b""),
    "command 254": (0xFE, b""), "command 254 with data": (0xFE, b"\1\2\3"),
}


@pytest.mark.parametrize("style", HEARTBEATS)
def test_every_style_of_heartbeat_is_confirmed_and_proves_life(engine: Engine, style: str) -> None:
    source = 2100 + list(HEARTBEATS).index(style)
    command, data = HEARTBEATS[style]
    expected = {**received("heartbeat", 3), **replied("accept", 3), "signals": 0}
    with engine.counting(expected), line(engine.place) as transmitter, datagrams(engine.place) as other:
        for sender in (transmitter, other, transmitter):
            assert sender.confirmed(send(source, data, command=command))
    [path] = engine.json(f"/v1/transmitters/gbt26875:{source}")["paths"]
    assert (path["state"], path["last_seen_at"] is None) == ("up", False)
    assert engine.signals(str(source)) == []


def test_the_transmitters_status_as_a_heartbeat(engine: Engine) -> None:
    """Type 21, sent all the time: what it says first is a row, then it only lives."""
    with line(engine.place) as transmitter, engine.counting({**received("signal", 1), **received("heartbeat", 4)}):
        for byte in (1, 1, 9, 9, 9):
            assert transmitter.confirmed(send(2111, bytes([21, 1, byte])))
    assert [(row["condition"], row["state"]) for row in engine.signals("2111")] == [("mains_fault", "raised")]


def test_an_answer_to_a_poll_proves_life_and_is_not_confirmed(engine: Engine) -> None:
    with line(engine.place) as transmitter, engine.counting({**received("signal", 1), **received("heartbeat", 2),
                                                             **replied("accept", 1)}):
        transmitter.send(send(2112, b"\x15\1\x08", command=5), send(2112, b"\x15\1\x08", command=5))
        assert transmitter.confirmed(send(2112))
    assert engine.json("/v1/transmitters/gbt26875:2112")["state"] == "up"


def test_data_that_makes_too_many_rows_is_denied(engine: Engine) -> None:
    frame = send(2121, b"\x18\x7f" + b"\3\0" * 127, 5)
    rejected = {'frames_rejected{protocol="gbt26875",reason="field"}': 1, **replied("refuse", 1), "signals": 0}
    with line(engine.place) as transmitter:
        assert transmitter.confirmed(send(2121))
        with engine.counting(rejected):
            assert answers(transmitter.say(frame), frame, DENY)
        assert transmitter.confirmed(send(2121))
    [kept] = engine.json("/v1/rejected?account=2121")["rejected"]
    assert (bytes.fromhex(kept["bytes"]), kept["reason"]) == (frame, "field")
    assert answers(bytes.fromhex(kept["answered"]), frame, DENY)


@pytest.mark.parametrize("damage", ["checksum", "end", "length"])
def test_a_broken_frame_gets_silence_and_costs_only_itself(engine: Engine, damage: str) -> None:
    """Its serial and addresses may be wrong as well, so that a deny might go to another exchange."""
    wrong = bytearray(status(2131, FIRE))
    wrong[{"checksum": -3, "end": -1, "length": 24}[damage]] ^= 1
    reason = "checksum" if damage == "checksum" else "length"
    expected = {f'frames_rejected{{protocol="gbt26875",reason="{reason}"}}': 1, **replied("accept", 1),
                'frames_rejected{protocol="gbt26875",reason="start"}': 1}     # its second "@"
    with line(engine.place) as transmitter, engine.counting(expected):
        transmitter.send(bytes(wrong) + send(2131, serial=6))
        assert answers(transmitter.reply(), send(2131, serial=6))


def test_frames_in_pieces_and_frames_in_one_piece(engine: Engine) -> None:
    frames = [status(2141, word, serial) for serial, word in enumerate((FIRE, 0, FAULT, 0))]
    stream = b"".join(frames)
    with line(engine.place) as transmitter:
        for step in (1, 7, 30, 77, 79, len(stream)):
            transmitter.send(*(stream[at:at + step] for at in range(0, len(stream), step)))
            for frame in frames:
                assert answers(transmitter.reply(), frame)


def test_both_protocols_on_one_connection(engine: Engine) -> None:
    frame = status(2151, FIRE)
    with tcp(engine.place) as transmitter, engine.counting({**received("signal", 1), **received("signal", 1, "dc09"),
                                                            **received("heartbeat", 1, "dc09")}):
        transmitter.send(null("2152") + frame + sia("2152", "NFA1", 2))
        assert transmitter.reply() == ack("2152", 1)
        while len(transmitter.received) < 30 + len(ack("2152", 2)):
            transmitter.received += transmitter.socket.recv(4096)
    assert answers(transmitter.received[:30], frame)
    assert transmitter.received[30:] == ack("2152", 2)
    assert told(engine.signals("2151")) == [("fire", "raised", point())]


REQUESTS: list[tuple[int, dict[str, Any]]] = [
    (61, {"systems": [(1, 1)]}), (62, {"components": [(1, 1, bytes(4))]}), (63, {"components": [(1, 1, bytes(4))]}),
    (64, {"systems": [(1, 1)], "number": 1}), (65, {"systems": [(1, 1)]}), (66, {"systems": [(1, 1)]}),
    (67, {"components": [(1, 1, bytes(4))]}), (68, {"systems": [(1, 1)]}), (81, {}), (84, {"number": 1}), (85, {}),
    (86, {}), (88, {}), (89, {}), (90, {}), (91, {"minutes": 5}),
]


def test_what_only_a_centre_says_is_not_answered(engine: Engine) -> None:
    """A device that reflects what it hears must not start an echo; nor do replies get replies."""
    frames = [build_request(kind, **fields, source=2161, destination=CENTRE, serial=kind) for kind, fields in REQUESTS]
    frames += [build_frame(command, data, source=2161, serial=50) for command in (3, 6) for data in (b"", b"\0")]
    with line(engine.place) as transmitter, engine.counting({**received("other", len(REQUESTS)),
                                                             **received("reply", 4), **received("heartbeat", 1),
                                                             **replied("accept", 1), "signals": 0}):
        transmitter.send(*frames)
        assert transmitter.confirmed(send(2161, serial=99))


def test_a_vendors_registration_and_its_unknown_types_are_kept(engine: Engine) -> None:
    """Command 0 with 110 bytes; user types 134, 135, 136, by which one vendor restores."""
    frames = [send(2171, b"\0\1" + bytes(108), 1, command=0),
              *(send(2171, bytes([kind, 1]) + b"\1\2\3", kind) for kind in (0x86, 0x87, 0x88)), send(2171, b"\1", 3,
                                                                                               command=200)]
    with line(engine.place) as transmitter:
        for frame in frames:
            assert transmitter.confirmed(frame)
    rows = engine.signals("2171")
    assert [row["raw"] for row in rows] == frames[:4]
    assert [(row["class"], row["condition"]) for row in rows] == [("info", "unknown")] + [("info", "reset")] * 3


def test_source_0_is_told_apart_by_listener_and_by_realm(engine: Engine) -> None:
    """Two devices with source 0 on one listener are one transmitter; a realm keeps them apart."""
    south = place_of(engine, "south")
    with line(engine.place) as north, line(south) as other, engine.subscribed() as stream:
        assert north.confirmed(status(0, FIRE))
        assert other.confirmed(status(0, FIRE))
        first, second = stream.take(2)
        assert [(event.kind, event.data["account"]) for event in (first, second)] == [("raised", "0")] * 2
        assert first.data["alarm_id"] != second.data["alarm_id"]
        assert other.confirmed(status(0, 0, 1))
        assert stream.event().data["alarm_id"] == second.data["alarm_id"]
    for key in ("gbt26875:0", "gbt26875:0@south"):
        assert engine.json(f"/v1/transmitters/{key}")["state"] == "up"


def test_a_listener_of_one_protocol_takes_no_other(engine: Engine) -> None:
    pinned = place_of(engine, "pinned")
    refused = {'frames_rejected{protocol="dc09",reason="not_served"}': 1, **received("heartbeat", 1)}
    with line(pinned) as transmitter, engine.counting(refused):
        transmitter.send(null("2181"))
        assert transmitter.confirmed(send(2182))


def test_after_all_of_it_the_engine_is_well(engine: Engine) -> None:
    assert engine.ask("/readyz") == (200, b"ready\n")
    assert engine.metrics()["replies_held"] == 0
    engine.check_log()
