"""The real engine in a thread of this process, on a disk in memory and without a database."""
from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from engine.clock import Clock
from engine.configure import load
from engine.journal.memory_disk import MemoryDisk
from engine.pipeline import Pipeline
from engine.surroundings import Surroundings
from tests.integration.engine import DEADLINE_S, Stream, until

SETTINGS = {
    "listen": "127.0.0.1:0", "http": "127.0.0.1:0", "database": "postgresql://tocsin@127.0.0.1:9/none",
    "journal.segment": "1MiB", "journal.bytes_max": "64MiB", "paths.max": "1000", "unknown_accounts.limit": "1000",
    "listen.drain_timeout": "0s", "canary.every": "100ms", "canary.within": "100ms"}


class Running:
    """A pipeline that serves in a thread of its own."""

    def __init__(self, disk: MemoryDisk, data: Path, settings: dict[str, str]) -> None:
        self.disk, self.pipeline = disk, Pipeline(
            load(flags=SETTINGS | {"data": str(data)} | settings), Clock(), Surroundings(lambda _: disk))
        self.failure: BaseException | None = None
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        try:
            uvloop.run(self.serve())
        except BaseException as error:
            self.failure = error
        finally:
            self.ready.set()

    async def serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        try:
            await self.pipeline.open()
            self.place, self.http = self.pipeline.bound[0][1], "{}:{}".format(*self.pipeline.http)
            self.ready.set()
            await self.pipeline.run()
        finally:
            await self.pipeline.close()

    def ask(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.http, timeout=DEADLINE_S)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        for line in self.ask("/metrics")[1].splitlines():
            if line.startswith(f"tocsin_{name} "):
                return float(line.rpartition(" ")[2])
        return 0

    def until_told(self, *parts: str) -> None:
        """Return when /readyz is 503 and says all of this."""
        said: tuple[int, str] = (0, "")

        def told() -> bool:
            nonlocal said
            said = self.ask("/readyz")
            return said[0] == 503 and all(part in said[1] for part in parts)
        try:
            until(told, "trouble")
        except AssertionError:
            raise AssertionError(f"{parts} not told: {said}") from None

    def until_ready(self) -> None:
        until(lambda: self.ask("/readyz")[0] == 200, "being ready")

    @contextmanager
    def subscribed(self) -> Iterator[Stream]:
        connection = http.client.HTTPConnection(self.http, timeout=DEADLINE_S)
        connection.request("GET", "/v1/alarms/stream")
        stream = Stream(connection, connection.getresponse())
        try:
            yield stream
        finally:
            stream.close()

    def call(self, change: Callable[[], object]) -> None:
        """Do something on the engine's own thread."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (change(), done.set()))
        assert done.wait(DEADLINE_S)


@contextmanager
def running(data: Path, disk: MemoryDisk | None = None, **settings: str) -> Iterator[Running]:
    engine = Running(disk or MemoryDisk(), data, settings)
    engine.thread.start()
    assert engine.ready.wait(DEADLINE_S)
    if engine.failure:
        raise engine.failure
    try:
        yield engine
    finally:
        engine.disk.on_call = engine.disk.pause = None
        engine.loop.call_soon_threadsafe(engine.pipeline.stop)
        engine.thread.join(DEADLINE_S)
        assert not engine.thread.is_alive()
    if engine.failure:
        raise engine.failure
