"""The client of the document against a running engine, and against a receiver that loses, forges and refuses."""
from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codec.reading import build_message, encode_reply, read_frames
from tests.integration.engine import ROOT, data_directory, serve
from tests.integration.transmitter import udp

PROGRAM = ROOT / "docs" / "tocsin_client.py"
KEY = bytes(range(32))
CONFIG = f"""
[[transmitter]]
account = "tocsin:1207"
key = "{KEY.hex()}"
"""
FIRE = b"\x95\xc0\x01\x02\x01\xa32/7"


def client(directory: Path, place: tuple[str, int], point: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a person would."""
    (directory / "key").write_text(KEY.hex() + "\n")
    return subprocess.run([sys.executable, PROGRAM, place[0], str(place[1]), "1207", directory / "key",
                           directory / "counter", point], capture_output=True, text=True, timeout=60, check=False)


def module() -> Any:
    spec = importlib.util.spec_from_file_location("tocsin_client", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_it_is_short_and_needs_nothing_but_python() -> None:
    text = PROGRAM.read_text()
    assert text.count("\n") <= 60
    imported = {line.split()[1] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= sys.stdlib_module_names


def test_against_an_engine() -> None:
    expected = {'frames_received{protocol="tocsin",kind="heartbeat"}': 4,
                'frames_received{protocol="tocsin",kind="signal"}': 3,
                'replies{protocol="tocsin",result="accept"}': 7, 'replies{protocol="tocsin",result="refuse"}': 1}
    with data_directory() as data, serve(data, CONFIG) as engine, engine.counting(expected):
        for point in ("2/7", "2/8"):
            done = client(data, engine.place, point)
            assert (done.returncode, done.stderr) == (0, "")
        assert int((data / "counter").read_text()) == 2000
        (data / "counter").unlink()                  # it has lost its counter: 21 helps it on
        with udp(engine.place) as other:             # beyond the window, so that a low counter is stale
            other.say(build_message(1207, 5000, KEY))
        done = client(data, engine.place, "2/9")
        assert (done.returncode, done.stderr) == (0, "")
        assert int((data / "counter").read_text()) > 5000
        rows = engine.signals("1207")
        assert [(row["class"], row["condition"], row["state"], row["point"]) for row in rows] == [
            ("fire", "smoke", "raised", point) for point in ("2/7", "2/8", "2/9")]


@contextmanager
def receiver(answer: Callable[[int, bytes], list[bytes]]) -> Iterator[tuple[tuple[str, int], list[bytes]]]:
    """A receiver on loopback: `answer` gives the replies to the n-th message, from 0 on."""
    came: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("127.0.0.1", 0))
        link.settimeout(20)

        def run() -> None:
            while True:
                data, peer = link.recvfrom(2048)
                if data == b"end":
                    return
                came.append(data)
                for reply in answer(len(came) - 1, data):
                    link.sendto(reply, peer)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield link.getsockname(), came
        finally:
            link.sendto(b"end", link.getsockname())
            thread.join(20)


def transmitter(place: tuple[str, int], counter_file: Path) -> Any:
    found = module().Transmitter(*place, 1207, KEY, counter_file)
    found.waits_s = (0.05, 0.05, 0.05, 0.05)
    return found


def counters(messages: list[bytes]) -> list[object]:
    return [read_frames(message, 0, key=KEY)[0]["sequence"] for message in messages]


def test_it_repeats_the_same_bytes_and_takes_no_forged_reply(tmp_path: Path) -> None:
    def answer(number: int, data: bytes) -> list[bytes]:
        good = encode_reply(data, 1, 0, key=KEY)
        forged = [good[:-1] + bytes([good[-1] ^ 1]), encode_reply(data, 1, 0, key=bytes(32)), good[:20], b"",
                  encode_reply(build_message(1207, 9, KEY), 1, 0, key=KEY)]
        return [*forged, good] if number == 2 else forged

    with receiver(answer) as (place, came):
        sender = transmitter(place, tmp_path / "counter")
        assert sender.report(FIRE)
        sender.link.close()
    assert came == [build_message(1207, 1, KEY, FIRE)] * 3


def test_it_gives_up_and_says_so(tmp_path: Path) -> None:
    with receiver(lambda number, data: []) as (place, came):
        sender = transmitter(place, tmp_path / "counter")
        assert not sender.report(FIRE)
        sender.link.close()
    assert len(came) == 4


def test_it_follows_the_counter_of_a_21(tmp_path: Path) -> None:
    def answer(number: int, data: bytes) -> list[bytes]:
        return [encode_reply(data, 1 if number else 2, 0, key=KEY, counter=70_000)]

    with receiver(answer) as (place, came):
        sender = transmitter(place, tmp_path / "counter")
        assert sender.report(FIRE)
        assert sender.report()
        sender.link.close()
    assert counters(came) == [1, 70_001, 70_002]
    assert int((tmp_path / "counter").read_text()) == 71_000


def test_no_counter_comes_twice_over_restarts(tmp_path: Path) -> None:
    with receiver(lambda number, data: [encode_reply(data, 1, 0, key=KEY)]) as (place, came):
        for _ in range(3):
            sender = transmitter(place, tmp_path / "counter")
            assert sender.report()
            assert sender.report()
            sender.link.close()
    assert counters(came) == [1, 2, 1001, 1002, 2001, 2002]


def test_what_is_unable_is_not_accepted(tmp_path: Path) -> None:
    with receiver(lambda number, data: [encode_reply(data, 3, 0, key=KEY)]) as (place, came):
        sender = transmitter(place, tmp_path / "counter")
        assert not sender.report(b"\x92\x01\x02")
        sender.link.close()
    assert len(came) == 1
