"""The real engine as a process, its metrics, its rows and its stream.

Nothing here sleeps for a fixed time: who waits, waits for a socket, a process or a condition, with a deadline.
"""
from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import asyncpg

from engine.store.embedded import first_number, runs_in

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-m", "engine")
NOTHING: Mapping[str, str] = MappingProxyType({})
DEADLINE_S = 20.0                # for anything that a healthy engine does in far less than a second
LOOK_AGAIN_S = 0.02
TROUBLE = re.compile(r"Traceback|Exception ignored| (ERROR|CRITICAL) |py\.warnings|Warning:|never awaited|Fatal Python")
UNACCEPTED = "nobody has accepted a fire in time"      # of a test that takes longer, and accepts nothing
SAMPLE = re.compile(r"([a-z_]+(?:\{.*\})?) (\S+)")


def until(condition: Callable[[], T], what: str, deadline_s: float = DEADLINE_S) -> T:
    """Return the first true value of `condition`; fail when there is none in time."""
    end = time.monotonic() + deadline_s
    pause = threading.Event()
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s:g} s: {what}")
        pause.wait(LOOK_AGAIN_S)
    return value


def rows(url: str, statement: str, *arguments: object) -> list[dict[str, Any]]:
    """Ask the database once, on a connection of its own."""
    async def ask() -> list[dict[str, Any]]:
        connection = await asyncpg.connect(url, timeout=DEADLINE_S)
        try:
            return [dict(row) for row in await connection.fetch(statement, *arguments)]
        finally:
            await connection.close()
    return asyncio.run(ask())


def tocsin(*arguments: str, data: bytes = b"", deadline_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    done = subprocess.run([*PROGRAM, *arguments], input=data, capture_output=True, cwd=ROOT, timeout=deadline_s,
                          env=environment(), check=False)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def environment() -> dict[str, str]:
    """Return this process's environment without what would configure an engine; its warnings are shown."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    return kept | {"PYTHONWARNINGS": "default"}


@contextmanager
def data_directory() -> Iterator[Path]:
    """Yield a new directory that goes at the end."""
    directory = new_directory()
    try:
        yield directory
    finally:
        remove_directory(directory)


def new_directory() -> Path:
    """Make a directory that the embedded PostgreSQL can reach; pytest's own are closed to other users."""
    directory = Path(tempfile.mkdtemp(prefix="tocsin-test-"))
    directory.chmod(0o755)
    return directory


def remove_directory(directory: Path) -> None:
    """Remove a directory when every PostgreSQL in it has ended."""
    for pid_file in directory.glob("**/postmaster.pid"):     # of a killed engine: it takes a moment to end
        until(lambda pid_file=pid_file: not runs_in(first_number(pid_file), pid_file.parent), "its end")
    shutil.rmtree(directory)


@dataclass(frozen=True)
class Event:
    """One event of the stream; `id` is empty where the block had none."""

    id: str
    kind: str                    # raised, updated, cleared
    data: dict[str, Any]

    @property
    def told(self) -> tuple[str, str, str]:
        """What most tests compare: the step, and the transmitter's account and native text."""
        return self.kind, self.data["account"], self.data["native"]


class Stream:
    """A subscriber. `take` returns the next events and fails on a gap, or when they do not come in time."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self.connection, self.response = connection, response
        self.last_id = ""
        self.began = self._block()[0]    # the id that a stream without a position begins with

    def _block(self) -> tuple[str, str, str]:
        """Read up to the next empty line: id, event, data."""
        identity, event, data = "", "message", ""
        while line := self.response.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if not name:
                return identity, event, data
            if name == "id":
                identity = self.last_id = value
            elif name == "event":
                event = value
            elif name == "data":
                data = value
        raise EOFError("the stream has ended")

    def event(self) -> Event:
        """Return the next event; comments that keep the stream alive are no events."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            identity, event, data = self._block()
            assert event == "message", f"{event}: {data}"
            if data:
                told = json.loads(data)
                assert told["id"] == identity or not identity
                return Event(identity, told["type"].rpartition(".")[2], told["data"])
        raise AssertionError(f"no event within {DEADLINE_S:g} s")

    def take(self, count: int) -> list[Event]:
        """Return the next `count` events."""
        return [self.event() for _ in range(count)]

    def close(self) -> None:
        self.response.close()
        self.connection.close()


class Engine:
    """One engine process from its start to its end; made by `serve`. `more` goes into its environment."""

    def __init__(self, data: Path, arguments: tuple[str, ...], config: str, more: Mapping[str, str] = NOTHING) -> None:
        self.data = data
        self.log = data / "engine.log"
        self.log_start = self.log.stat().st_size if self.log.exists() else 0
        self.expected: list[str] = []
        self.tolerated: list[str] = []
        (data / "engine.toml").write_text(config)
        command = [*PROGRAM, "serve", "--config", str(data / "engine.toml"), "--data", str(data / "data"),
                   "--http", "127.0.0.1:0", *arguments]
        if "[[listener]]" not in config:
            command += ["--listen", "127.0.0.1:0"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT,
                                            env=environment() | more)
        self._read_ready()

    def _read_ready(self) -> None:
        output = self.process.stdout
        assert output is not None
        try:
            assert select.select([output], [], [], 60)[0], f"not ready within 60 s: {self.said()}"
            line = output.readline().decode()
            assert line.startswith("ready "), f"{line!r}; exit {self.process.wait(10)}: {self.said()}"
        except BaseException:
            self.kill()
            raise
        places = dict(part.split("=", 1) for part in line.split()[1:])
        host, _, port = places["listen"].rpartition(":")
        self.place = (host.strip("[]"), int(port))
        self.http, self.database = places["http"], places["database"]

    # -- its end

    def said(self) -> str:
        """Return what this process has logged."""
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode()

    def expect(self, pattern: str) -> None:
        """Let a line of trouble that matches `pattern` pass; it must also come."""
        self.expected.append(pattern)

    def tolerate(self, pattern: str) -> None:
        """Let a line of trouble that matches `pattern` pass; whether it comes is a matter of time."""
        self.tolerated.append(pattern)

    def check_log(self) -> None:
        """Fail on any line of trouble that the test did not expect, and on any expected one that never came."""
        lines = self.said().splitlines()
        allowed = [*self.expected, *self.tolerated, UNACCEPTED]
        wrong = [line for line in lines if TROUBLE.search(line) and not any(re.search(p, line) for p in allowed)]
        missing = [pattern for pattern in self.expected if not any(re.search(pattern, line) for line in lines)]
        assert not wrong and not missing, f"{wrong=} {missing=}\n" + "\n".join(lines)

    def stop(self) -> None:
        """End it in order: SIGTERM, exit 0."""
        self.process.send_signal(signal.SIGTERM)
        self.ended()

    def ended(self) -> None:
        """It ends in order by itself, as one does that another engine has replaced."""
        assert self.process.wait(30) == 0, self.said()
        self._closed()
        self.check_log()

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.process.kill()
        self.process.wait(30)
        self._closed()

    def _closed(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()

    # -- what it shows

    def ask(self, path: str) -> tuple[int, bytes]:
        """GET; return status and body."""
        connection = http.client.HTTPConnection(self.http, timeout=DEADLINE_S)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        status, body = self.ask(path)
        assert status == 200, body
        return json.loads(body)

    def stream(self, query: str = "", last_event_id: str = "") -> Stream:
        """Subscribe; what happens from now on is in it."""
        connection = http.client.HTTPConnection(self.http, timeout=DEADLINE_S)
        connection.request("GET", f"/v1/alarms/stream{query}", headers={"Last-Event-ID": last_event_id}
                           if last_event_id else {})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        return Stream(connection, response)

    @contextmanager
    def subscribed(self, query: str = "", last_event_id: str = "") -> Iterator[Stream]:
        stream = self.stream(query, last_event_id)
        try:
            yield stream
        finally:
            stream.close()

    def metrics(self) -> dict[str, float]:
        """Return every sample, named as it is written, without the prefix and `_total`."""
        lines = self.ask("/metrics")[1].decode().splitlines()
        found = {}
        for line in lines:
            if not line.startswith("#"):
                match = SAMPLE.fullmatch(line)
                assert match is not None, line
                found[re.sub(r"_total(?=\{|$)", "", match[1].removeprefix("tocsin_"))] = float(match[2])
        return found

    @contextmanager
    def counting(self, expected: Mapping[str, float]) -> Iterator[None]:
        """Check that meanwhile these metrics rise by exactly so much, and nothing else of their families at all."""
        before = self.metrics()
        families = {name.partition("{")[0] for name in expected}
        yield
        wanted = {name: value for name, value in expected.items() if value}
        seen: dict[str, float] = {}

        def right() -> bool:
            nonlocal seen
            after = self.metrics()
            seen = {name: value - before.get(name, 0) for name, value in after.items()
                    if name.partition("{")[0] in families and value != before.get(name, 0)}
            return seen == wanted

        try:
            until(right, "metrics", 5)
        except AssertionError:
            raise AssertionError(f"metrics rose by {seen}, not by {wanted}") from None

    def until_store_up(self) -> None:
        """Return when the store has made its tables and writes."""
        until(lambda: self.json("/v1/status")["stages"]["store"]["up"], "the store being up")

    def rows(self, statement: str, *arguments: object) -> list[dict[str, Any]]:
        """Ask the database."""
        self.until_store_up()
        return rows(self.database, statement, *arguments)

    def until_stored(self) -> None:
        """Return when everything that is durable now is in the database."""
        durable = int(self.json("/v1/status")["stages"]["journal"]["durable"])
        until(lambda: int(self.json("/v1/status")["stages"]["store"]["position"]) >= durable, f"{durable} stored")

    def signals(self, *accounts: str) -> list[dict[str, Any]]:
        """Return the stored signals of these accounts in their order."""
        self.until_stored()
        return self.rows("SELECT * FROM tocsin.signal WHERE account = ANY($1) ORDER BY id", list(accounts))

    def postgres_pid(self) -> int:
        """Return the process id of its embedded PostgreSQL."""
        return int((self.data / "data/postgresql/cluster/postmaster.pid").read_text().split("\n", 1)[0])


@contextmanager
def serve(data: Path, config: str = "", *arguments: str, more: Mapping[str, str] = NOTHING) -> Iterator[Engine]:
    """Run an engine; at the end, unless the test ended it, stop it in order and look at its log."""
    engine = Engine(data, arguments, config, more)
    try:
        yield engine
    except BaseException:
        sys.stderr.write(engine.said())
        engine.kill()
        raise
    if engine.process.returncode is None:
        engine.stop()
