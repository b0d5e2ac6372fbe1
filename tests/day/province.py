"""A small province for one day: buildings in the registry, a real engine, transmitters that live, and who listens.

    Everyone   one UDP socket for each transmitter, and a thread that lets those who live say so
    Listener   a subscriber of the stream, which reconnects when the engine does
"""
from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codec.reading import build_frame, read_frames
from engine.filter.rulebook import default_text
from tests.breaking.world import free_port
from tests.integration.engine import DEADLINE_S, Engine, rows, until
from tests.integration.transmitter import null, sia

SUPERVISION_S, HEARTBEAT_S, ACCEPT_S = 5, 1.0, 3
CROWD = 40                       # transmitters of each operator's network, beside the buildings of the story
CONFIG = """
[[listener]]
name = "default"
listen = "127.0.0.1:{port}"
[supervision]
default = "{supervision}s"
grace = "5s"
[alarms]
accept_within = "{accept}s"
[journal]
snapshot_every = "5s"
[filter]
rules = "{rules}"
[unknown_accounts]
policy = "refuse"
"""
# The rules that come with the program, but for the time that a network has to be back: an hour is a second that day.
RULES = default_text().replace('within = "60s"', 'within = "10s"').replace("version = 3", "version = 100")


@dataclass(frozen=True)
class Building:
    """One of the story."""

    id: str
    name: str
    kind: str
    verification: str
    account: str

    @property
    def key(self) -> str:
        return f"dc09:{self.account}"


HOSPITAL = Building("hospital", "Bệnh viện Thành phố", "hospital", "coincidence", "1001")
RESTAURANT = Building("restaurant", "Quán cơm Bà Lan", "other", "human", "1002")
SCHOOL = Building("school", "Trường Lê Lợi", "school", "rules", "1003")
WAREHOUSE = Building("warehouse", "Kho Hưng Nguyên", "warehouse", "coincidence", "1004")
HOTEL = Building("hotel", "Khách sạn Bến Thủy", "hotel", "none", "1005")
OFFICE = Building("office", "Sở Xây dựng", "office", "coincidence", "1006")
BUILDINGS = (HOSPITAL, RESTAURANT, SCHOOL, WAREHOUSE, HOTEL, OFFICE)
NETWORKS = ("mobile", "fixed")   # the operators whose networks the others use
AREA = ("40", "16681", "vinh-1")  # province, commune, team


def crowd(network: str) -> list[str]:
    """Return the accounts that use an operator's network."""
    first = 2000 + 1000 * NETWORKS.index(network)
    return [str(first + number) for number in range(CROWD)]


class Listener:
    """A subscriber in a thread of its own: every event with the time at which it came."""

    def __init__(self, address: str, query: str = "") -> None:
        self.address, self.query = address, query
        self.events: list[tuple[float, dict[str, Any]]] = []
        self.changed = threading.Condition()
        self.last_id = ""
        self.gaps = 0
        self.ended = threading.Event()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        assert self.ready.wait(DEADLINE_S), "no stream"

    def run(self) -> None:
        while not self.ended.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.listen()
            self.ended.wait(0.1)

    def listen(self) -> None:
        connection = http.client.HTTPConnection(self.address, timeout=30)
        with contextlib.closing(connection):
            self.read(connection)

    def read(self, connection: http.client.HTTPConnection) -> None:
        connection.request("GET", f"/v1/alarms/stream{self.query}",
                           headers={"Last-Event-ID": self.last_id} if self.last_id else {})
        with connection.getresponse() as stream:
            name = ""
            while line := stream.readline():
                key, _, value = line.decode().rstrip("\n").partition(": ")
                if key == "id":
                    self.last_id = value
                    self.ready.set()
                elif key == "event":
                    name = value
                elif key == "data" and not name:
                    with self.changed:
                        self.events.append((time.monotonic(), json.loads(value)))
                        self.changed.notify_all()
                elif not key:
                    self.gaps += name == "gap"
                    name = ""

    def mark(self) -> int:
        with self.changed:
            return len(self.events)

    def since(self, mark: int, wanted: Callable[[dict[str, Any]], bool] = bool) -> list[tuple[float, dict[str, Any]]]:
        with self.changed:
            return [(at, event) for at, event in self.events[mark:] if wanted(event)]

    def wait(self, mark: int, wanted: Callable[[dict[str, Any]], bool], count: int = 1,
             deadline_s: float = DEADLINE_S) -> list[tuple[float, dict[str, Any]]]:
        """Return the events since `mark` that are wanted, once there are so many; fewer when they do not come."""
        with self.changed:
            self.changed.wait_for(lambda: sum(wanted(event) for _, event in self.events[mark:]) >= count, deadline_s)
        return self.since(mark, wanted)

    def close(self) -> None:
        """Come again no more; what is read ends with the engine."""
        self.ended.set()


class Everyone:
    """All transmitters. Who is silent, or whose network is out, sends nothing."""

    def __init__(self, place: tuple[str, int]) -> None:
        self.place = place
        self.accounts = [building.account for building in BUILDINGS] + [
            account for network in NETWORKS for account in crowd(network)]
        self.sockets = {account: self.connect() for account in self.accounts}
        self.second = {HOSPITAL.account: self.connect()}     # its other path
        self.numbers = {account: itertools.count(1) for account in self.accounts}
        self.silent: set[str] = set()
        self.heard: dict[str, float] = {}    # when each last said that it lives
        self.answered = 0
        self.guard = threading.Lock()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.live, daemon=True)
        self.thread.start()

    def connect(self) -> socket.socket:
        link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        link.settimeout(1.0)
        link.connect(self.place)
        return link

    def live(self) -> None:
        while not self.ended.wait(HEARTBEAT_S):
            for account in self.accounts:
                if account not in self.silent:
                    with self.guard, contextlib.suppress(OSError):
                        self.beat(account, self.sockets[account], null(account, self.number(account)))
            for account, link in self.second.items():
                if account not in self.silent:
                    with self.guard, contextlib.suppress(OSError):
                        self.beat(account, link, second_line(account, "", self.number(account), "NULL"))

    def beat(self, account: str, link: socket.socket, frame: bytes) -> None:
        """Send a heartbeat, and take what replies have come."""
        link.setblocking(False)
        link.send(frame)
        self.heard[account] = time.monotonic()
        with contextlib.suppress(BlockingIOError):
            while link.recv(4096):
                self.answered += 1

    def number(self, account: str) -> int:
        return next(self.numbers[account]) % 9999 + 1

    def say(self, account: str, data: str, *, second: bool = False) -> float:
        """Send a signal again and again until it is acknowledged, as transmitters do; return when it was first sent."""
        number = self.number(account)
        with self.guard:
            link = self.second[account] if second else self.sockets[account]
            frame = second_line(account, data, number) if second else sia(account, data, number)
            sent = time.monotonic()
            for _ in range(100):
                with contextlib.suppress(OSError):
                    link.settimeout(0.3)
                    link.send(frame)
                    while True:
                        [reply] = read_frames(link.recv(4096), 0)
                        if reply["token"] == "ACK" and int(str(reply["sequence"])) == number:
                            return sent
        raise AssertionError(f"{account} was not acknowledged: {data}")

    def close(self) -> None:
        self.ended.set()
        self.thread.join(10)
        for link in (*self.sockets.values(), *self.second.values()):
            link.close()


def second_line(account: str, data: str, sequence: int, token: str = "SIA-DCS") -> bytes:
    """A frame by the second path: another line number."""
    return build_frame(token, account, f"#{account}|{data}".encode("latin-1") if data else b"", sequence=sequence,
                       line="1")


@dataclass
class Province:
    """Everything of one day, in `data`; use as a context."""

    data: Path
    engine: Engine = field(init=False)
    everyone: Everyone = field(init=False)
    desk: Listener = field(init=False)
    tests: Listener = field(init=False)
    restarts: int = 0

    def __enter__(self) -> Province:
        port = free_port(random.Random())
        rules = self.data / "rules.toml"
        rules.write_text(RULES)
        self.config = CONFIG.format(port=port, supervision=SUPERVISION_S, accept=ACCEPT_S, rules=rules)
        self.engine = Engine(self.data, (), self.config)
        self.engine.until_store_up()
        self.register()
        self.everyone = Everyone(self.engine.place)
        self.desk = Listener(self.engine.http)
        self.tests = Listener(self.engine.http, "?verification=test,unconfirmed,confirmed,false,late")
        return self

    def __exit__(self, *_: object) -> None:
        self.everyone.close()
        self.desk.close()
        self.tests.close()
        if self.engine.process.returncode is None:
            self.engine.kill()

    def stop(self) -> None:
        """End everything in order, and look at the engine's log."""
        self.everyone.close()
        self.desk.close()
        self.tests.close()
        self.engine.stop()
        for listener in (self.desk, self.tests):
            listener.thread.join(10)

    def register(self) -> None:
        """Write the registry as people do, and wait until the engine knows it."""
        province, commune, team = AREA
        for building in BUILDINGS:
            self.change("PUT", f"/v1/facilities/{building.id}", {
                "name": building.name, "kind": building.kind, "verification": building.verification,
                "province": province, "commune": commune, "team": team, "address": "", "contacts": []})
            self.change("PUT", f"/v1/registry/transmitters/{building.key}", {
                "facility": building.id, "network": "fixed"})
        rows(self.engine.database, """
            INSERT INTO tocsin.transmitter (key, network)
            SELECT 'dc09:' || account, network FROM unnest($1::text[], $2::text[]) AS t (account, network)""",
             [account for network in NETWORKS for account in crowd(network)],
             [network for network in NETWORKS for _ in crowd(network)])
        until(lambda: self.engine.metrics().get('registry_entries{kind="transmitters"}') == len(BUILDINGS)
              + CROWD * len(NETWORKS), "the registry in the engine")

    def change(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """Ask for a change as the person on duty; return the answer."""
        connection = http.client.HTTPConnection(self.engine.http, timeout=DEADLINE_S)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps({"by": "duty officer", "why": "the day", **body}),
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
            assert response.status < 300, f"{method} {path}: {response.status} {answer!r}"
            return json.loads(answer) if answer else None

    def restart(self) -> float:
        """Kill the engine as a power cut would, start it again, and return how long nobody was heard, s."""
        began = time.monotonic()
        self.engine.kill()
        self.engine = Engine(self.data, (), self.config)
        for listener in (self.desk, self.tests):
            listener.address = self.engine.http
        self.restarts += 1
        return time.monotonic() - began

    def line_faults(self) -> Iterator[str]:
        """Yield the accounts that are in line fault now."""
        for transmitter in self.engine.json("/v1/transmitters?state=fault&limit=1000")["transmitters"]:
            yield transmitter["key"].partition(":")[2]
