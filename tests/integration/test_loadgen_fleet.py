"""The fleet in its own process against the null receiver in another, over real sockets."""

import argparse
import asyncio
import json
import socket
import threading

import pytest

from loadgen import command, send
from loadgen.child import FleetError, run_plan, with_sink
from loadgen.dc09_client import frame
from loadgen.plan import Plan
from loadgen.sink import answer_to
from loadgen.transmitters import Outcome


def plan_for(transport: str, port: int, **changes: object) -> Plan:
    values = {
        "host": "127.0.0.1", "port": port, "transport": transport, "links": 4, "transmitters": 1000, "rate": 2000.0,
        "alarms": 0.1, "duration_s": 0.5, "account_first": 0xA00001, "digits": 6, "seed": 7, "run": "r"}
    return Plan(**{**values, **changes})


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_every_frame_is_answered(transport):
    found, answered = await with_sink(transport, lambda port: plan_for(transport, port))
    counts = found.counts
    assert counts["heartbeats"] + counts["signals"] == 1000
    assert counts["heartbeats_answered"] == counts["heartbeats"]
    assert counts["acknowledged"] == counts["signals"] == len(found.outcomes) > 50
    assert answered == 1000
    assert set(found.outcomes) == {Outcome.OUTCOME_ACKNOWLEDGED}
    assert counts["doubles"] == counts["unexpected"] == counts["unreadable"] == 0
    assert found.sending_s > 0.49


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_window_bounds_what_is_outstanding(transport):
    found, _ = await with_sink(transport, lambda port: plan_for(transport, port, rate=1e9, duration_s=0.2, window=64))
    assert found.counts["heartbeats_answered"] == found.counts["heartbeats"] > 1000


async def test_no_receiver_over_tcp_is_told():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(FleetError, match="refused"):
            await run_plan(plan_for("tcp", unused.getsockname()[1]), lambda *counts: None)


class Datagrams(asyncio.DatagramProtocol):
    """Answers heartbeats at once, and each signal only at its second coming."""

    def connection_made(self, transport):
        self.transport, self.seen = transport, {}

    def datagram_received(self, data, where):
        self.seen[data] = self.seen.get(data, 0) + 1
        if b"NULL" in data or self.seen[data] == 2:
            self.transport.sendto(answer_to(data), where)


async def test_a_signal_without_reply_comes_again_as_the_same_bytes():
    loop = asyncio.get_running_loop()
    transport, receiver = await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", 0))
    found = await run_plan(plan_for("udp", transport.get_extra_info("sockname")[1], rate=200.0), lambda *counts: None)
    transport.close()
    assert found.counts["retransmissions"] == found.counts["acknowledged"] == found.counts["signals"] > 0
    assert sorted({count for data, count in receiver.seen.items() if b"SIA-DCS" in data}) == [2]


async def test_a_broken_connection_is_opened_again_and_its_signals_come_again():
    connections = []

    async def serve(reader, writer):
        connections.append(writer)
        try:
            if len(connections) == 1:
                await reader.readuntil(b"\r")
                return
            while True:
                writer.write(answer_to(await reader.readuntil(b"\r")))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    found = await run_plan(plan_for("tcp", port, links=1, alarms=1.0, rate=100.0), lambda *counts: None)
    server.close()
    await server.wait_closed()
    assert (found.network["errors"], found.reopened, len(connections)) == (1, 1, 2)
    assert found.counts["acknowledged"] == found.counts["signals"] == 50
    assert found.counts["retransmissions"] > 0


def answer_one(link: socket.socket, reply: bytes | None) -> None:
    with link:
        data, where = link.recvfrom(4096)
        if reply is not None:
            link.sendto(reply or answer_to(data), where)


@pytest.mark.parametrize(("reply", "code", "out", "error"), [
    (b"", 0, "ACK  acknowledged", ""),
    (None, 1, "sent ", "no reply from"),
    (b"hello", 1, "received  hello", "no DC-09 reply"),
    (frame(b'"NAK"0000R0L0A0[]_04:05:06,03-09-2026'), 1, "timestamp 04:05:06,03-09-2026", ""),
    (frame(b'"DUH"0001L0#0123[]'), 1, "DUH  received, but not understood", ""),
])
def test_send_by_udp(reply, code, out, error, capsys):
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.bind(("127.0.0.1", 0))
    port = link.getsockname()[1]
    receiver = threading.Thread(target=answer_one, args=(link, reply))
    receiver.start()
    parser = argparse.ArgumentParser()
    send.add_arguments(parser)
    timeout = "0.2" if reply is None else "5"
    arguments = ["--to", f"127.0.0.1:{port}", "--account", "0123", "--timeout", timeout]
    assert send.run(parser.parse_args(arguments)) == code
    receiver.join()
    captured = capsys.readouterr()
    assert out in captured.out
    assert error in captured.err


def test_send_by_tcp(capsys):
    def serve() -> None:
        with listener, listener.accept()[0] as link:
            data = link.recv(4096)
            reply = answer_to(data)
            link.sendall(reply[:7])
            link.sendall(reply[7:])

    listener = socket.create_server(("127.0.0.1", 0))
    receiver = threading.Thread(target=serve)
    receiver.start()
    parser = argparse.ArgumentParser()
    send.add_arguments(parser)
    arguments = ["--to", f"127.0.0.1:{listener.getsockname()[1]}", "--account", "0123", "--transport", "tcp"]
    assert send.run(parser.parse_args(arguments)) == 0
    receiver.join()
    assert "sequence" in capsys.readouterr().out


def test_send_to_a_closed_port_is_told(capsys):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        parser = argparse.ArgumentParser()
        send.add_arguments(parser)
        where = f"127.0.0.1:{unused.getsockname()[1]}"
        assert send.run(parser.parse_args(["--to", where, "--account", "0123", "--transport", "tcp"])) == 1
    assert "refused" in capsys.readouterr().err


def test_the_ceiling_stands_in_the_report(capsys, tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        args = parser.parse_args([
            "--to", f"127.0.0.1:{silent.getsockname()[1]}", "--rate", "100", "--duration", "0.1", "--alarms", "0",
            "--transmitters", "10", "--no-audit", "--json", "--report", str(tmp_path / "report.json")])
        assert command.run(args) == command.FAILED
    captured = capsys.readouterr()
    shown = json.loads(captured.out)
    assert captured.err.startswith(f"the generator's own ceiling by udp: {shown['ceiling']:,} frames/s\n")
    assert shown == json.loads((tmp_path / "report.json").read_text())
    assert shown["ceiling"] > 0
    assert not shown["generator_limited"]
    assert shown["heartbeats"] == {"sent": 10, "answered": 0, "unanswered": 10}
    assert shown["audit"] == "off"
