"""The Tocsin profile through a running engine: gateways, counters, recordings, late fires, deaths."""
from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

from codec.gbt26875_downlink import build_frame as build_gbt
from codec.reading import build_message, encode_reply, read_frames
from tests.integration.engine import Engine, data_directory, serve, until
from tests.integration.transmitter import Tcp, ack, null, tcp, udp

KEY, GATEWAY_KEY = bytes(range(32)), bytes(range(32, 64))
SENDER, GATEWAY = 1207, 77
ACCEPTED, STALE, UNABLE = 1, 2, 3
SUPERVISION_S = 5
CONFIG = f"""
[[transmitter]]
account = "tocsin:1207"
key = "{KEY.hex()}"
[[transmitter]]
account = "tocsin:77"
key = "{GATEWAY_KEY.hex()}"
"""
SUPERVISED = CONFIG + f'supervision = "{SUPERVISION_S}s"\n' + "".join(
    f'[[transmitter]]\naccount = "tocsin:{name}"\nsupervision = "{SUPERVISION_S}s"\n' for name in ("A1", "A2", "A3"))
REPLY_BYTES = 21
FIRE = [None, 1, 2, 1, "2/7"]
FAULT = [None, 5, 52, 1]


def message(counter: int, *items: Any, key_id: int = SENDER, key: bytes = KEY) -> bytes:
    return build_message(key_id, counter, key, b"".join(map(msgpack.packb, items)))


def gateway(counter: int, *items: Any) -> bytes:
    return message(counter, *items, key_id=GATEWAY, key=GATEWAY_KEY)


def reply(data: bytes, answer: int = ACCEPTED, counter: int = 0) -> bytes:
    key = GATEWAY_KEY if int.from_bytes(data[4:7], "big") == GATEWAY else KEY
    return encode_reply(data, answer, 0, key=key, counter=counter)


def received(kind: str, count: int) -> dict[str, float]:
    return {f'frames_received{{protocol="tocsin",kind="{kind}"}}': count}


def replied(result: str, count: int) -> dict[str, float]:
    return {f'replies{{protocol="tocsin",result="{result}"}}': count}


def states(engine: Engine) -> dict[str, str]:
    return {entry["key"]: entry["state"] for entry in engine.json("/v1/transmitters")["transmitters"]}


def last_seen(engine: Engine, key: str) -> str:
    return str(engine.json(f"/v1/transmitters/{key}")["last_seen_at"])


def take(connection: Tcp, count: int) -> bytes:
    """Return the next `count` bytes of replies."""
    while len(connection.received) < count:
        piece = connection.socket.recv(65536)
        if not piece:
            raise EOFError("the engine closed the connection")
        connection.received += piece
    found, connection.received = connection.received[:count], connection.received[count:]
    return found


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with data_directory() as data, serve(data, CONFIG) as running:
        yield running


def test_a_gateway_speaks_for_three_and_the_one_that_stops_alone_has_a_line_fault() -> None:
    with data_directory() as data, serve(data, SUPERVISED) as engine, udp(engine.place) as line, \
            engine.subscribed() as stream:
        first = gateway(1, ["A1"], ["A2", 1, 2, 1, 7], ["A3"])
        assert line.say(first) == reply(first)
        event = stream.event()
        assert (event.kind, event.data["account"], event.data["point"]) == ("raised", "A2", "7")
        keys = [f"tocsin:{name}" for name in ("77", "A1", "A2", "A3")]
        until(lambda: states(engine).items() >= dict.fromkeys(keys, "up").items(), "four paths that are up")
        assert engine.json("/v1/transmitters/tocsin:77")["paths"][0]["receiver"] is None
        for name in ("A1", "A2", "A3"):
            [path] = engine.json(f"/v1/transmitters/tocsin:{name}")["paths"]
            assert (path["receiver"], path["supervision_ms"]) == ("00004D", SUPERVISION_S * 1000)
        counter, silent_since = 1, time.monotonic()

        def a3_is_missed() -> bool:
            nonlocal counter
            counter += 1
            beat = gateway(counter, ["A1"], ["A2"])
            assert line.say(beat) == reply(beat)
            return states(engine)["tocsin:A3"] == "fault"

        until(a3_is_missed, "a line fault of A3", SUPERVISION_S + 6)
        assert time.monotonic() - silent_since > SUPERVISION_S - 0.1
        assert [name for name, state in states(engine).items() if state == "fault"] == ["tocsin:A3"]
        back = gateway(counter + 1, ["A3"])
        assert line.say(back) == reply(back)
        until(lambda: states(engine)["tocsin:A3"] == "up", "the end of the line fault")
        assert [(row["account"], row["condition"], row["state"]) for row in engine.signals("A1", "A2", "A3", "77")] == [
            ("A2", "smoke", "raised"), ("A3", "line_fault", "raised"), ("A3", "line_fault", "cleared")]
        assert engine.metrics()["line_faults"] == 1


def test_a_retransmission_is_one_signal_and_no_proof_of_life(engine: Engine) -> None:
    fire = message(1000, FIRE)
    expected = {**replied("accept", 4), 'signals{class="fire"}': 1, "replays": 3, "frames_rejected": 0}
    with udp(engine.place) as line, engine.counting(expected), engine.subscribed() as stream:
        assert line.say(fire) == reply(fire)
        assert (stream.event().kind, stream.last_id != "") == ("raised", True)
        seen = last_seen(engine, "tocsin:1207")
        assert [line.say(fire) for _ in range(3)] == [reply(fire)] * 3
        assert last_seen(engine, "tocsin:1207") == seen
    assert len(engine.signals("1207")) == 1


def test_an_old_recording_gives_nothing_and_a_stale_fire_is_late(engine: Engine) -> None:
    old_beat, old_fault = message(2000), message(2001, FAULT)
    old_clear, old_fire = message(2002, [None, 1, 2, 2, "2/9"]), message(2003, [None, 1, 2, 1, "2/9"])
    with udp(engine.place) as line:                  # of the test before; a late fire then raises an alarm of its own
        restore = message(2999, [None, 1, 2, 2, "2/7"])
        assert line.say(restore) == reply(restore)
    expected = {**replied("refuse", 4), **replied("accept", 1), 'frames_rejected{protocol="tocsin",reason="time"}': 3,
                'signals{class="fire"}': 1, "line_faults": 0}
    with udp(engine.place) as line, engine.counting(expected), engine.subscribed() as stream:
        newest = message(3000)
        assert line.say(newest) == reply(newest)
        seen = last_seen(engine, "tocsin:1207")
        for data in (old_beat, old_fault, old_clear, old_fire):
            assert line.say(data) == reply(data, STALE, 3000)
        event = stream.event()
        assert (event.kind, event.data["verification"], event.data["point"]) == ("raised", "late", "2/9")
        assert last_seen(engine, "tocsin:1207") == seen
    following = message(3001)
    with udp(engine.place) as line:
        assert line.say(following) == reply(following)
    assert [row["point"] for row in engine.signals("1207")][-1] == "2/9"


def test_what_is_not_authentic_gets_silence_and_a_bad_body_gets_22(engine: Engine) -> None:
    unable = build_message(SENDER, 4000, KEY, b"\x92\x01\x02")
    forged = [message(4000, FIRE, key=bytes(32)), message(4000, FIRE)[:-1] + b"\0", message(1, FIRE, key_id=99)]
    expected = {'frames_rejected{protocol="tocsin",reason="crypto"}': 3,
                'frames_rejected{protocol="tocsin",reason="field"}': 1, **replied("unable", 1),
                'replies{protocol="dc09",result="accept"}': 3, "signals": 0}
    with udp(engine.place) as line, engine.counting(expected):
        for data in forged:
            line.unanswered(data)
        assert line.say(unable) == reply(unable, UNABLE)
    assert "tocsin:99" not in states(engine)


def test_several_messages_in_one_datagram(engine: Engine) -> None:
    beats = [message(counter) for counter in range(4100, 4103)]
    with udp(engine.place) as line:
        assert line.say(b"".join(beats)) == reply(beats[0])
        assert [line.reply() for _ in beats[1:]] == [reply(beat) for beat in beats[1:]]


def test_three_protocols_on_one_connection_cut_anywhere(engine: Engine) -> None:
    chance = random.Random(5)
    with tcp(engine.place) as connection:
        for round_ in range(20):
            counter = 5000 + 3 * round_
            ours = [message(counter), message(counter + 1, [None, 10, 125, 3, None, None, str(round_)]),
                    message(counter + 2)]
            frames = [null("0C01", round_ + 1), ours[0], build_gbt(2, serial=round_, source=9, destination=1), ours[1],
                      b"\xc1\xc1" + null("0C01", round_ + 101), ours[2]]
            data = b"".join(frames)
            cuts = sorted(chance.sample(range(1, len(data)), 6))
            connection.send(*(data[at:end] for at, end in zip([0, *cuts], [*cuts, len(data)], strict=True)))
            sizes = [len(ack("0C01")), REPLY_BYTES, 30, REPLY_BYTES, len(ack("0C01", 101)), REPLY_BYTES]
            found = [take(connection, size) for size in sizes]
            assert [found[0], found[4]] == [ack("0C01", round_ + 1), ack("0C01", round_ + 101)]
            assert [found[1], found[3], found[5]] == [reply(one) for one in ours]
            assert read_frames(found[2], 0)[0]["token"] == "confirm"
    assert [row["native"] for row in engine.signals("1207")][-20:] == [f"10/125/3 {round_}" for round_ in range(20)]


def test_the_window_survives_a_kill_as_documented() -> None:
    """Messages with signals are in the journal: again they are answered, and nothing more. The highest one is known."""
    fire, fault = message(500, FIRE), gateway(900, ["A1", 5, 52, 1], ["A2"])
    with data_directory() as data:
        with serve(data, CONFIG) as engine, udp(engine.place) as line:
            for one in (fire, fault):
                assert line.say(one) == reply(one)
            beat = message(501)
            assert line.say(beat) == reply(beat)
            engine.kill()
        with serve(data, CONFIG) as engine, udp(engine.place) as line:
            with engine.counting({"replays": 2, "signals": 0, **replied("accept", 2)}):
                assert [line.say(one) for one in (fire, fault)] == [reply(one) for one in (fire, fault)]
            other = message(500, FAULT)
            assert line.say(other) == reply(other, STALE, 500)       # the heartbeat 501 was in no snapshot yet
            low = gateway(5, ["A1"])
            assert line.say(low) == reply(low, STALE, 900)
            assert line.say(beat) == reply(beat)
            following = message(502, [None, 1, 2, 2, "2/7"])
            assert line.say(following) == reply(following)
            assert [row["state"] for row in engine.signals("1207")] == ["raised", "cleared"]
            engine.stop()
        expected = {"replays": 1, **replied("accept", 1), **received("heartbeat", 1)}
        with serve(data, CONFIG) as engine, udp(engine.place) as line, engine.counting(expected):
            assert line.say(beat) == reply(beat)                         # a stop in order forgets nothing
