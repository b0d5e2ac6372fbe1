"""One engine under load, with everything that can be taken away from it: its process, its database, its disk.

    fleets ──► engine ──► its own PostgreSQL                    (embedded: it dies with the engine)
                     └──► proxy ──► PostgreSQL on a faulty disk  (elsewhere: it outlives the engine)
"""
from __future__ import annotations

import contextlib
import os
import random
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import asyncpg

from engine.store.embedded import first_number
from tests.breaking.disk import FaultyDisk
from tests.breaking.load import EVERYONE, Load, LoopThread
from tests.breaking.proxy import Proxy
from tests.integration.engine import ROOT, Engine, environment, until

SUPERVISION_S = 8
CONFIG = """
[[listener]]
name = "default"
listen = "127.0.0.1:{port}"
[listen]
drain_timeout = "2s"
[supervision]
default = "{supervision}s"
[journal]
segment = "1MiB"
bytes_max = "256MiB"
keep = "0s"
snapshot_every = "5s"
[store]
retry_max = "500ms"
"""
PORTS = range(12_000, 30_000)    # below those that the kernel gives away: nobody takes ours while the engine is down
OUR_ERROR = re.compile(r"Traceback|Exception ignored|py\.warnings|Warning:|never awaited|Fatal Python|CRITICAL")
READY_S = 40.0
SERVED_S = 30.0                  # within which replies must come again
REPLIES = 50                     # that show it


class Broken(AssertionError):
    """The engine did something that no fault excuses."""


def free_port(chance: random.Random) -> int:
    """Return a port that is free for TCP and UDP."""
    while True:
        port = chance.choice(PORTS)
        with contextlib.suppress(OSError), socket.socket() as tcp, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
            return port


class World:
    """Everything of one run, in `data`; use as a context.

    embedded  the engine starts its PostgreSQL itself
    seed      of everything that is left to chance
    seconds   the longest that the load goes on
    supervision_s  how long a transmitter may be silent
    """

    def __init__(self, data: Path, *, embedded: bool, seed: int, seconds: float,
                 supervision_s: int = SUPERVISION_S) -> None:
        self.data, self.embedded, self.seed, self.seconds = data, embedded, seed, seconds
        self.supervision_s = supervision_s
        self.chance = random.Random(seed)
        self.port, self.http_port = (free_port(random.Random()) for _ in range(2))
        self.journal_disk = FaultyDisk(data, data / "data/journal", "journal")
        self.postgres_disk = FaultyDisk(data, data / "elsewhere", "postgres")
        self.injected: Counter[str] = Counter()
        self.restarts_s: list[float] = []
        self.engine: Engine | None = None
        self.hung = False                # PostgreSQL is
        self.stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.thread = stack.enter_context(LoopThread())
            arguments = ["--http", f"127.0.0.1:{self.http_port}"]
            if not self.embedded:
                self.proxy = stack.enter_context(self._postgres_elsewhere())
                arguments += ["--database", self.proxy.url]
            self.arguments = tuple(arguments)
            stack.callback(self.end)
            self.start()
            self.until_stored_up()
            self.load = stack.enter_context(Load(self.thread, ("127.0.0.1", self.port),
                                                 f"127.0.0.1:{self.http_port}", self.seed, self.seconds))
            self.until_served(2 * EVERYONE)              # everybody is known from here on
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    @contextlib.contextmanager
    def _postgres_elsewhere(self) -> Iterator[Proxy]:
        command = [sys.executable, "-m", "tests.breaking.postgres", str(self.data / "elsewhere")]
        with (self.data / "elsewhere.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT,
                                       env=environment() | self.postgres_disk.environment)
        try:
            assert process.stdout is not None and select.select([process.stdout], [], [], 60)[0]
            self.database = process.stdout.readline().decode().strip()
            run = Path(self.database.partition("?host=")[2])
            with Proxy(self.data / "proxy", run) as proxy:
                yield proxy
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            assert process.stdout is not None
            process.stdout.close()

    # -- the engine's process

    @property
    def running(self) -> Engine:
        assert self.engine is not None
        return self.engine

    def start(self) -> None:
        """Start the engine; ready at its return."""
        config = CONFIG.format(port=self.port, supervision=self.supervision_s)
        self.engine = Engine(self.data, self.arguments, config, self.journal_disk.environment)
        if self.embedded:
            self.database = self.engine.database

    def kill(self) -> None:
        """End the engine as a power cut would, and look at what it said before."""
        engine, self.engine = self.running, None
        ended = engine.process.poll()
        engine.kill()
        if ended is not None:
            raise Broken(f"the engine ended by itself with {ended}:\n{engine.said()}")
        check_log(engine)

    def restart(self) -> None:
        """Start the engine that was ended, and note how long it took."""
        began = time.monotonic()
        self.start()
        self.restarts_s.append(time.monotonic() - began)

    def stop(self) -> None:
        """End the engine in order."""
        engine, self.engine = self.running, None
        engine.process.send_signal(signal.SIGTERM)
        code = engine.process.wait(60)
        engine.kill()
        if code != 0:
            raise Broken(f"exit {code} after SIGTERM:\n{engine.said()}")
        check_log(engine)

    def end(self) -> None:
        """Leave no process behind."""
        if self.engine is not None:
            self.engine.kill()

    def check(self) -> None:
        """Fail when the engine has ended or erred, or the load has."""
        if self.running.process.poll() is not None:
            raise Broken(f"the engine ended by itself with {self.running.process.poll()}:\n{self.running.said()}")
        check_log(self.running)
        if not self.load.going():
            raise Broken("the load ended before its time")

    # -- waiting

    def go_on(self, seconds: float) -> None:
        """Let things run for a while: a fault has its time too. Returns early when the engine ends."""
        handle = os.pidfd_open(self.running.process.pid)
        try:
            select.select([handle], [], [], seconds)
        finally:
            os.close(handle)
        self.check()

    def until_served(self, replies: int = REPLIES) -> None:
        """Return when so many more replies have come."""
        goal = self.load.answered + replies
        until(lambda: self.load.answered >= goal or self.running.process.poll() is not None, f"{replies} replies",
              SERVED_S)
        self.check()

    def until_stored_up(self) -> None:
        """Return when the store writes."""
        until(lambda: self.running.json("/v1/status")["stages"]["store"]["up"], "the store being up", READY_S)

    # -- the database

    @property
    def postgres_directory(self) -> Path:
        return self.data / ("data/postgresql" if self.embedded else "elsewhere")

    def postmaster(self) -> int:
        """Return the process id of PostgreSQL, 0 when it is away."""
        return first_number(self.postgres_directory / "cluster/postmaster.pid")

    def postgres_processes(self) -> list[int]:
        """Return PostgreSQL's processes, the postmaster first."""
        first = self.postmaster()
        return [first, *children_of(first)] if first else []

    async def connect(self) -> Any:
        """Return a connection of our own to PostgreSQL itself, past the proxy."""
        return await asyncpg.connect(self.database, timeout=10)

    def ask(self, statement: str, *arguments: object) -> list[Any]:
        """Ask the database once. Raises what asyncpg raises, and OSError."""
        async def ask() -> list[Any]:
            connection = await self.connect()
            try:
                return list(await connection.fetch(statement, *arguments))
            finally:
                connection.terminate()
        return self.thread.do(ask())

    @contextlib.contextmanager
    def holding(self, statement: str) -> Iterator[None]:
        """Keep a transaction open that has executed `statement`."""
        async def begin() -> Any:
            connection = await self.connect()
            await connection.execute("BEGIN")
            await connection.execute(statement, timeout=10)
            return connection

        async def end() -> None:
            connection.terminate()

        connection = self.thread.do(begin())
        try:
            yield
        finally:
            self.thread.do(end())


def children_of(parent: int) -> list[int]:
    """Return the process ids of a process's children."""
    found = []
    for thread in Path(f"/proc/{parent}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in thread.read_text().split()]
    return found


def check_log(engine: Engine) -> None:
    """Fail on what only an error of ours writes; refusals and lost connections are what faults are for."""
    wrong = [line for line in engine.said().splitlines() if OUR_ERROR.search(line)]
    if wrong:
        raise Broken(f"the engine's log: {wrong[0]}\n{engine.said()}")


def signal_all(pids: list[int], number: int) -> None:
    """Send a signal to those that still live."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def pause(seconds: float) -> None:
    """Wait where there is nothing to wait for but time: the length of a fault."""
    threading.Event().wait(seconds)
