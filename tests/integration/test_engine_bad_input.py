"""Bad input on real sockets: what each kind leads to, what is counted, and that the next good frame is answered."""
from __future__ import annotations

import select
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from codec.reading import build_frame
from tests.integration.engine import Engine, data_directory, serve, tocsin
from tests.integration.transmitter import ack, null, sia, tcp, token_of, udp

CONFIG = """
[listen]
idle_timeout = "2s"
frame_timeout = "1s"
garbage_bytes_max = "4KiB"
"""
GARBAGE_BYTES_MAX = 4096


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with data_directory() as data, serve(data, CONFIG) as running:
        yield running


def rejected(reason: str, count: int = 1, protocol: str = "dc09") -> dict[str, float]:
    return {f'frames_rejected{{protocol="{protocol}",reason="{reason}"}}': count}


GOOD = sia("C000", "NFA1")
BAD = {
    "no frame": (b"GET / HTTP/1.1\r", rejected("start", protocol="unknown")),
    "no frame, binary": (bytes([0, 255, 13, 200]) * 5, rejected("start", protocol="unknown")),
    "LF without a frame": (b"\nhello, world", rejected("start")),
    "wrong checksum": (GOOD.replace(b"FA1", b"FA2"), rejected("checksum")),
    "checksum of zeros": (GOOD[:1] + b"0000" + GOOD[5:], rejected("checksum")),
    "length too small": (GOOD[:5] + b"0010" + GOOD[9:], rejected("length")),
    "length of nothing": (GOOD[:5] + b"0000" + GOOD[9:], rejected("length")),
    "length too great": (GOOD[:5] + b"0100" + GOOD[9:], rejected("length")),
    "no account": (build_frame("NULL", None), rejected("field")),
    "sequence of letters": (build_frame('NULL"ABCD"', "C000"), rejected("field")),
    "encrypted": (build_frame("*SIA-DCS", "C000", b"0123456789ABCDEF0123456789ABCDEF"), rejected("crypto")),
}


@pytest.mark.parametrize("transport", [udp, tcp])
@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_good_frame_gets_silence_and_a_count(engine: Engine, kind: str, transport: Any) -> None:
    data, reasons = BAD[kind]
    with transport(engine.place) as transmitter:
        transmitter.say(null("C000"))
        replies = {'replies{protocol="dc09",result="accept"}': 1,
                   "garbage_bytes": 0 if kind == "encrypted" else len(data)}     # that is a whole frame
        with engine.counting({**reasons, **replies, "connections_closed": 0, "signals": 0}):
            transmitter.send(data)
            assert transmitter.say(null("C000", 2)) == ack("C000", 2)


def test_the_last_refused_frames_are_kept_for_the_installer(engine: Engine) -> None:
    wrong = GOOD.replace(b"FA1", b"FA9")
    with udp(engine.place) as transmitter:
        transmitter.unanswered(wrong)
        host, port = transmitter.socket.getsockname()
    last = engine.json("/v1/rejected?limit=1&account=C000")["rejected"][0]
    assert (bytes.fromhex(last["bytes"]), last["reason"], last["protocol"], last["peer"], last["answered"]) == (
        wrong, "checksum", "dc09", f"{host}:{port}", None)


def test_the_program_takes_the_refused_frames_of_an_engine_apart(engine: Engine) -> None:
    wrong = GOOD[:1] + b"A1B2" + GOOD[5:]
    with udp(engine.place) as transmitter:
        transmitter.unanswered(wrong)
        host, port = transmitter.socket.getsockname()
    shown = tocsin("decode", "--explain", "--rejected", f"http://{engine.http}", "--source", host, "--limit", "1")
    assert (shown.returncode, shown.stderr) == (0, "")
    for line in (f"from {host}:{port}", "refused   checksum: its checksum is wrong", "answered  nothing",
                 f"wrong checksum ({len(wrong)} bytes)", "!! sent A1B2, computed"):
        assert line in shown.stdout
    nobody = tocsin("decode", "--explain", "--rejected", f"http://{engine.http}", "--source", "192.0.2.1")
    assert nobody.stdout.startswith("no refused frames are kept that fit")


def test_a_wrong_length_does_not_hide_the_next_frame(engine: Engine) -> None:
    """Sent in one piece with a good one behind it, which the wrong length reaches over."""
    with tcp(engine.place) as transmitter, engine.counting(rejected("length")):
        transmitter.send(GOOD[:5] + b"0FFF" + GOOD[9:] + null("C000", 3))
        assert transmitter.reply() == ack("C000", 3)


def test_half_a_datagram_is_never_completed_by_the_next(engine: Engine) -> None:
    with udp(engine.place) as transmitter, engine.counting(rejected("length")):
        transmitter.send(GOOD[:20], null("C000", 4))
        assert transmitter.reply() == ack("C000", 4)


def test_too_many_signals_in_one_frame(engine: Engine) -> None:
    with udp(engine.place) as transmitter, engine.counting(rejected("field")):
        transmitter.send(sia("C001", "N" + "/".join(f"FA{n:03}" for n in range(200))), null("C001", 2))
        assert [token_of(transmitter.reply()) for _ in range(2)] == ["DUH", "ACK"]
    assert engine.signals("C001") == []


def test_endless_garbage_closes_the_connection(engine: Engine) -> None:
    expected = {'connections_closed{reason="garbage"}': 1, **rejected("garbage_limit", 1, "unknown"),
                **rejected("start", 4)}
    with tcp(engine.place) as transmitter, engine.counting(expected):
        assert transmitter.say(null("C000", 5)) == ack("C000", 5)
        for _ in range(5):
            transmitter.send(b"\n" + b"x" * (GARBAGE_BYTES_MAX // 4))
        assert transmitter.until_closed() == b""


def test_garbage_between_good_frames_is_forgiven(engine: Engine) -> None:
    """The limit is on garbage that is not outweighed by frames."""
    good = b"".join(null("C000", n) for n in range(1, 11))
    with tcp(engine.place) as transmitter, engine.counting({"connections_closed": 0}):
        for _ in range(3 * GARBAGE_BYTES_MAX // 200):
            transmitter.send(b"x" * 200 + good)
            assert transmitter.replies(10)[9] == ack("C000", 10)


def test_a_frame_that_never_ends_and_a_connection_that_says_nothing(engine: Engine) -> None:
    expected = {'connections_closed{reason="frame_timeout"}': 2, 'connections_closed{reason="idle"}': 1,
                **rejected("frame_timeout", 2, "unknown")}
    endless = sia("C000", "NFA1^" + "x" * 3000)
    with tcp(engine.place) as half, tcp(engine.place) as slow, tcp(engine.place) as idle, engine.counting(expected):
        assert half.say(null("C000", 6)) == ack("C000", 6)
        half.send(GOOD[:20])
        for byte in endless:             # a byte now and then does not count as progress
            if select.select([slow.socket], [], [], 0.05)[0]:
                break
            slow.send(bytes([byte]))
        assert [connection.until_closed() for connection in (half, slow, idle)] == [b"", b"", b""]
    assert bytes([byte]) != b"\r"


UNKNOWN_CODES = [
    ("SIA-DCS", "NFN001", "fire", "raised"), ("SIA-DCS", "NFE", "fire", "raised"),
    ("SIA-DCS", "NSQ3", "fire", "raised"), ("ADM-CID", "1119 01 007", "fire", "raised"),
    ("SIA-DCS", "NGQ3", "gas", "raised"), ("SIA-PUL", "1 2 3", "info", "info"),
    ("SIA-DCS", "NQQ1", "info", "info"), ("ADM-CID", "1EEE 01 007", "info", "info"),
    ("SIA-DCS", "what is this?", "info", "info"), ("ADM-CID", "x", "info", "info"),
]


@pytest.mark.parametrize(("token", "data", "signal_class", "state"), UNKNOWN_CODES)
def test_an_unknown_code_is_acknowledged_and_kept(engine: Engine, token: str, data: str, signal_class: str,
                                                  state: str) -> None:
    account = f"C1{UNKNOWN_CODES.index((token, data, signal_class, state)):02}"
    expected = {f'signals{{class="{signal_class}"}}': 1, 'replies{protocol="dc09",result="accept"}': 1,
                'frames_received{protocol="dc09",kind="signal"}': 1, "frames_rejected": 0}
    with engine.subscribed() as stream, udp(engine.place) as transmitter:
        with engine.counting(expected):
            assert transmitter.say(sia(account, data, token=token)) == ack(account)
        transmitter.say(sia("C199", f"NFA1^behind {account}^", int(account[2:])))   # so that something comes anyway
        told = stream.event().data
    if signal_class != "info":
        assert (told["account"], told["class"], told["condition"], told["state"]) == (
            account, signal_class, "unknown", state)
    else:
        assert told["account"] == "C199"
    [row] = engine.signals(account)
    assert (row["class"], row["condition"], row["state"], row["flags"] & 4) == (signal_class, "unknown", state, 4)


def test_an_unknown_token_is_acknowledged_and_kept(engine: Engine) -> None:
    frame = build_frame("NEW-1", "C200", b"#C200|whatever 1")
    expected = {'frames_received{protocol="dc09",kind="other"}': 2, 'signals{class="info"}': 1,
                'signals{class="fault"}': 1, "duplicates": 1,
                'replies{protocol="dc09",result="accept"}': 2, "frames_rejected": 0}
    with udp(engine.place) as transmitter, engine.counting(expected):
        assert transmitter.say(frame) == ack("C200")
        assert transmitter.say(frame) == ack("C200")
    row, fault = sorted(engine.signals("C200"), key=lambda row: str(row["class"]), reverse=True)
    assert (row["class"], row["raw"], row["reason"]) == ("info", frame, "state")
    assert "NEW-1" in row["native"]
    assert (fault["condition"], fault["native"]) == ("communication_fault", "a token that is not read: NEW-1")


@pytest.mark.parametrize("transport", [udp, tcp])
@pytest.mark.parametrize("data", ["", "NRP0000"])
def test_a_signal_frame_that_says_nothing_is_a_heartbeat(engine: Engine, data: str, transport: Any) -> None:
    expected = {'frames_received{protocol="dc09",kind="heartbeat"}': 2, 'replies{protocol="dc09",result="accept"}': 2,
                "signals": 0}
    with transport(engine.place) as transmitter, engine.counting(expected):
        assert transmitter.say(null("C300")) == ack("C300")
        assert transmitter.say(sia("C300", data, 2)) == ack("C300", 2)


def test_the_same_frame_again(engine: Engine) -> None:
    frame = sia("C400", "NFA1")
    expected = {"duplicates": 3, 'signals{class="fire"}': 1, 'replies{protocol="dc09",result="accept"}': 4}
    with engine.subscribed() as stream, tcp(engine.place) as connection, udp(engine.place) as transmitter:
        with engine.counting(expected):
            connection.send(frame + frame)                                   # the first is not durable yet
            assert connection.replies(2) == [ack("C400")] * 2
            assert connection.say(frame) == transmitter.say(frame) == ack("C400")
        transmitter.say(sia("C400", "NFA2", 2))
        assert [event.told for event in stream.take(2)] == [("raised", "C400", "FA1"), ("updated", "C400", "FA2")]
    assert [row["native"] for row in engine.signals("C400")] == ["FA1", "FA2"]


def test_a_panel_that_never_changes_its_sequence(engine: Engine) -> None:
    with engine.subscribed() as stream, udp(engine.place) as transmitter:
        for code in ("FA1", "FH1", "FA1"):
            assert transmitter.say(sia("C401", f"N{code}")) == ack("C401")
        assert [event.told for event in stream.take(3)] == [
            ("raised", "C401", "FA1"), ("cleared", "C401", "FH1"), ("raised", "C401", "FA1")]


def test_text_that_is_no_text(engine: Engine) -> None:
    frames = [build_frame("SIA-DCS", "C500", b"#C500|NFA1^" + text + b"^", sequence=sequence)
              for sequence, text in enumerate((b"\xff\xfe\xc3(", b"a\x00b", b"\x01\x1b[2J", "Cầu thang".encode(),
                                               b'"},{"a":"\\', b"\xed\xa0\x80"), 1)]
    with engine.subscribed() as stream, udp(engine.place) as transmitter, engine.counting({"store_refused": 0}):
        for sequence, frame in enumerate(frames, 1):
            assert transmitter.say(frame) == ack("C500", sequence)
        events = stream.take(len(frames))
        signals = engine.signals("C500")
    assert [row["raw"] for row in signals] == frames
    assert [row["native"] for row in signals] == [event.data["native"] for event in events]
    assert [bool(row["flags"] & 2) for row in signals] == [True, True, False, False, False, True]
    assert (signals[3]["native"], signals[4]["native"]) == ("FA1^Cầu thang^", 'FA1^"},{"a":"\\^')


@pytest.mark.parametrize(("stamp", "year"), [
    ("12:00:00,01-01-1970", 1970), ("12:00:00,06-15-2090", 2090), ("23:59:59,12-31-2261", None),
    ("23:59:59,12-31-9999", None), ("00:00:00,00-00-0000", None), ("12:00:00,02-29-2001", None)])
def test_a_device_clock_in_another_year(engine: Engine, stamp: str, year: int | None) -> None:
    """Kept where it may be true; nothing is ordered by it, and the store takes the row in any case."""
    frame = build_frame("SIA-DCS", "C600", f"#C600|NFT1^{stamp}^".encode(), extended=[b"H" + stamp.encode()])
    with udp(engine.place) as transmitter, engine.counting({"store_refused": 0, 'signals{class="fault"}': 1}):
        assert transmitter.say(frame) == ack("C600")
        row = engine.signals("C600")[-1]
    assert stamp in row["native"]
    assert (row["occurred_at"] and row["occurred_at"].year) == year
    assert abs(row["received_at"] - datetime.now(UTC)) < timedelta(minutes=1)


def test_after_all_of_it_the_engine_is_well(engine: Engine) -> None:
    assert engine.ask("/readyz") == (200, b"ready\n")
    assert engine.metrics()["replies_held"] == 0
    engine.check_log()
