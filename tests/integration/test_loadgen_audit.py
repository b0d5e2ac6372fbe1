"""The whole command against a small stand-in for the engine that can lose and double signals on purpose."""

import argparse
import asyncio
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from loadgen import command
from loadgen.sink import answer_to

PAGE = 7  # signals of one page, so that paging is used


@dataclass
class Faults:
    """What the stand-in does wrong, by the place of a signal in the order of arrival."""

    not_stored: set[int] = field(default_factory=set)
    not_forwarded: set[int] = field(default_factory=set)
    stored_twice: set[int] = field(default_factory=set)
    unacknowledged_heartbeats: bool = False
    cut_stream_after: int = 0  # events on the first subscription; 0: never


class StandIn(asyncio.DatagramProtocol):
    """Takes frames over UDP, and plays the three HTTP resources that the audit reads."""

    def __init__(self, faults: Faults) -> None:
        self.faults, self.seen, self.subscriptions = faults, set(), 0
        self.signals = [{"id": "1", "account": "A00001", "native": "NFA0001^an earlier one^"}]
        self.events: list[bytes] = []
        self.changed = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, where):
        if b"NULL" in data:
            if not self.faults.unacknowledged_heartbeats:
                self.transport.sendto(answer_to(data), where)
            return
        if data not in self.seen:
            self.take(data.split(b"|")[1].split(b"]")[0].decode(), len(self.seen))
            self.seen.add(data)
        self.transport.sendto(answer_to(data), where)

    def take(self, native: str, place: int) -> None:
        ident = str(1000 + 2 * place)
        if place not in self.faults.not_stored:
            self.signals.append({"id": ident, "account": "A", "native": native})
        if place in self.faults.stored_twice:
            self.signals.append({"id": ident + "9", "account": "A", "native": native})
        if place not in self.faults.not_forwarded:
            event = json.dumps({"id": str(place), "data": {"native": native, "signal_id": ident}})
            self.events.append(f"id: {place}\nevent: message\ndata: {event}\n\n".encode())
        self.changed.set()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        self.subscriptions += 1
        first = self.subscriptions == 1
        after = request.headers.get("Last-Event-ID")
        begin = f"id: {after}\n".encode()
        at = 0 if after is None else 1 + next(i for i, event in enumerate(self.events) if event.startswith(begin))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": hello\n\n")
        while not (first and self.faults.cut_stream_after and at >= self.faults.cut_stream_after):
            self.changed.clear()
            while at < len(self.events):
                await response.write(self.events[at])
                at += 1
            await self.changed.wait()
        return response

    async def listed(self, request: web.Request) -> web.Response:
        at = int(request.query.get("cursor", 0))
        size = min(PAGE, int(request.query["limit"]))
        newest_first = self.signals[::-1]
        following = str(at + size) if at + size < len(newest_first) else None
        return web.json_response({"signals": newest_first[at:at + size], "next": following})

    async def metrics(self, request: web.Request) -> web.Response:
        return web.Response(text=f'tocsin_frames_received_total{{kind="signal"}} {len(self.seen)}\ntocsin_paths 5\n')


async def serve(faults: Faults, ready: threading.Event, ended: asyncio.Event, ports: list[int]) -> None:
    loop = asyncio.get_running_loop()
    transport, engine = await loop.create_datagram_endpoint(lambda: StandIn(faults), local_addr=("127.0.0.1", 0))
    application = web.Application()
    application.router.add_get("/v1/alarms/stream", engine.stream)
    application.router.add_get("/v1/signals", engine.listed)
    application.router.add_get("/metrics", engine.metrics)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    ports += [transport.get_extra_info("sockname")[1], runner.addresses[0][1]]
    ready.set()
    await ended.wait()
    transport.close()
    await runner.cleanup()


@contextmanager
def engine(faults: Faults):
    """Run the stand-in on a thread with a loop of its own; yields its UDP and HTTP ports."""
    ready, ports, loops = threading.Event(), [], []

    def run() -> None:
        async def main() -> None:
            loops.extend((asyncio.get_running_loop(), asyncio.Event()))
            await serve(faults, ready, loops[1], ports)
        asyncio.run(main())

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    try:
        yield ports
    finally:
        loops[0].call_soon_threadsafe(loops[1].set)
        thread.join(10)


def audit(faults: Faults, capsys, *more: str) -> tuple[int, dict]:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with engine(faults) as (port, http):
        code = command.run(parser.parse_args([
            "--to", f"127.0.0.1:{port}", "--http", f"http://127.0.0.1:{http}", "--transmitters", "50", "--rate", "200",
            "--duration", "0.5", "--alarms", "0.3", "--seed", "1", "--settle", "1", "--no-ceiling", "--json", *more]))
    return code, json.loads(capsys.readouterr().out)


def test_a_sound_engine_is_clean(capsys):
    code, found = audit(Faults(), capsys)
    assert found["failures"] == []
    assert code == 0
    assert found["audit"] == "clean"
    assert found["sent"] == found["acknowledged"] == found["stored"] == found["forwarded"] > 10
    assert found["lost"] == found["doubled"] == found["unanswered"] == 0
    assert found["metrics"] == {'tocsin_frames_received_total{kind="signal"}': found["sent"]}
    assert found["latency"]["signals"]["p999"] > 0


@pytest.mark.parametrize(("faults", "lost", "doubled", "why"), [
    (Faults(not_stored={3}), 1, 0, "not stored"),
    (Faults(not_forwarded={0, 5}), 2, 0, "never left on the stream"),
    (Faults(stored_twice={4}), 0, 1, "more than one id"),
])
def test_planted_faults_are_found(faults, lost, doubled, why, capsys):
    code, found = audit(faults, capsys)
    assert code == 1
    assert found["audit"] == "failed"
    assert (found["lost"], found["doubled"]) == (lost, doubled)
    assert len(found["failures"]) == 1
    assert why in found["failures"][0]


def test_unanswered_heartbeats_fail_and_may_be_allowed(capsys):
    code, found = audit(Faults(unacknowledged_heartbeats=True), capsys)
    assert code == 1
    assert "heartbeats unanswered" in found["failures"][0]
    assert audit(Faults(unacknowledged_heartbeats=True), capsys, "--heartbeat-loss", "1")[0] == 0


def test_a_stream_that_is_cut_is_resumed_without_loss(capsys):
    code, found = audit(Faults(cut_stream_after=4), capsys)
    assert (code, found["lost"], found["stream"]) == (0, 0, {"gaps": 0, "reconnects": 1})


def test_no_engine_to_ask_is_told_before_anything_is_sent(capsys):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert command.run(parser.parse_args(["--http", "http://127.0.0.1:9", "--no-ceiling"])) == 1
    assert "--no-audit" in capsys.readouterr().err
