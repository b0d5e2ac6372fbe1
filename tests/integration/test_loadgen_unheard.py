"""Heartbeats without replies: what leaves, against sockets that count, that answer, or that nobody has."""

import argparse
import json
import re
import socket
import threading
from collections import Counter

import pytest

from loadgen import command
from loadgen.child import run_plan, with_sink
from loadgen.dc09_client import frame
from loadgen.plan import FULL_SPEED, Plan
from loadgen.sink import answer_to

BODY = re.compile(rb'"NULL"(\d{4})L0#([0-9A-F]{6})\[\]_\d\d:\d\d:\d\d,\d\d-\d\d-\d{4}')


def plan_for(port: int, **changes: object) -> Plan:
    values = {
        "host": "127.0.0.1", "port": port, "transport": "udp", "links": 4, "transmitters": 150, "rate": 2000.0,
        "alarms": 0.0, "duration_s": 0.2, "account_first": 0xA00001, "digits": 6, "seed": 7, "run": "r",
        "replies": False}
    return Plan(**{**values, **changes})


def loadgen(port: int, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([
        "--no-replies", "--to", f"127.0.0.1:{port}", "--transmitters", "150", "--duration", "0.2", "--no-ceiling",
        "--json", *arguments]))


@pytest.fixture
def receiver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        link.bind(("127.0.0.1", 0))
        link.settimeout(0.2)
        yield link


def received(link: socket.socket) -> list[bytes]:
    """Return the datagrams that wait, until none comes for a while."""
    found = []
    while True:
        try:
            found.append(link.recv(4096))
        except TimeoutError:
            return found


async def test_each_transmitter_speaks_in_its_turn_by_sound_frames(receiver):
    found = await run_plan(plan_for(receiver.getsockname()[1]), lambda *counts: None)
    said = Counter()
    for datagram in received(receiver):
        parts = BODY.fullmatch(datagram[9:-1])
        assert parts, datagram
        assert datagram == frame(parts[0])
        said[int(parts[2], 16), int(parts[1])] += 1
    assert said == Counter((0xA00001 + k % 150, k // 150 + 1) for k in range(400))
    assert found.counts["heartbeats"] == 400
    assert found.network["unsendable"] == found.network["errors"] == found.counts["signals"] == 0


async def test_a_receiver_that_counts_sees_every_frame():
    found, counted = await with_sink("udp", plan_for, replies=False)
    assert counted == found.counts["heartbeats"] == 400
    assert found.counts["heartbeats_answered"] == 0


async def test_full_speed_ends_by_time():
    found, counted = await with_sink("udp", lambda port: plan_for(port, rate=FULL_SPEED), replies=False)
    assert 2000 < counted <= found.counts["heartbeats"]
    assert found.sending_s >= 0.2


def test_replies_are_neither_read_nor_missed(receiver, capsys):
    def answer() -> None:
        for _ in range(400):
            data, where = receiver.recvfrom(4096)
            receiver.sendto(answer_to(data) * 20, where)

    thread = threading.Thread(target=answer)
    receiver.settimeout(10)
    thread.start()
    code = loadgen(receiver.getsockname()[1], "--rate", "2000")
    thread.join()
    shown = json.loads(capsys.readouterr().out)
    assert (code, shown["failures"], shown["frames"]) == (command.CLEAN, [], 400)
    assert shown["heartbeats"] == {"sent": 400, "answered": None, "unanswered": None}
    assert (shown["audit"], shown["asked"]["replies"], shown["network"]["drops"]) == ("off", False, 0)
    assert not any("replies" in warning for warning in shown["warnings"])


def test_a_run_as_fast_as_it_goes_says_so(receiver, capsys):
    assert loadgen(receiver.getsockname()[1], "--rate", "max") == command.CLEAN
    shown = json.loads(capsys.readouterr().out)
    assert shown["asked"]["rate"] is None
    assert shown["generator_limited"]
    assert shown["frames"] > 2000


def test_frames_that_nobody_takes_fail_the_run(capsys):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert loadgen(port, "--rate", "2000") == command.FAILED
    assert "does anybody listen" in json.loads(capsys.readouterr().out)["failures"][0]


def test_the_ceiling_without_replies_is_said_before_the_run(receiver, capsys):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    port = receiver.getsockname()[1]
    args = parser.parse_args(["--no-replies", "--to", f"127.0.0.1:{port}", "--rate", "100", "--duration", "0.1",
                              "--transmitters", "10"])
    assert command.run(args) == command.CLEAN
    captured = capsys.readouterr()
    said = re.match(r"the generator's own ceiling by udp without replies: ([\d,]+) frames/s\n", captured.err)
    assert said
    assert f"generator's ceiling {said[1]} frames/s" in captured.out
    assert "latency" not in captured.out
