"""The registry: from its tables into the running engine, against a bare COPY out of the same tables.

registry.bare     asyncpg copies the tables of facilities and transmitters out and drops what comes
registry.engine   `tocsin serve` reads all of it: from the commit of a new identity until every row is durable in the
                  journal and judged, beside a probe that sends a heartbeat every 2 ms
registry.change   one transmitter changed by SQL, beside a fleet at 10,000 heartbeats a second: until the API shows it
Target            engine / bare at least 0.5 with 1,000,000 transmitters; a change within 1 s
"""
import json
import os
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import uvloop

from benchmarks.harness import Refused, Result, Rounds, Size, digest, in_turn, ratio
from benchmarks.servers import Server, engine, reading
from benchmarks.takeover import Probe, fleet
from benchmarks.takeover import Shape as Fleet

RATIO_MIN = 0.5
CHANGE_S_MAX = 1.0
READ_S_MAX = 120.0
LOOK_S = 0.025                   # looking costs the engine a moment; the time until it is seen counts
CONFIGURATION = """\
[unknown_accounts]
policy = "enrol"
rate = 1000000
limit = 1500000
[supervision]
default = "3600s"
"""
FILL = """
INSERT INTO tocsin.facility (id, name, kind, province, commune, team)
SELECT 'F' || x, 'Chung cư số ' || x, 'residential', '40', (17000 + x % 300)::text, 'vinh-' || x % 9
FROM generate_series(1, {facilities}) AS x;
INSERT INTO tocsin.transmitter (key, facility, supervision, network)
SELECT 'dc09:' || upper(to_hex(1048576 * 16 + x)), 'F' || 1 + x % {facilities}, (ARRAY['', '3600s', 'SP3'])[1 + x % 3],
       'viettel' FROM generate_series(1, {transmitters}) AS x;
ANALYZE tocsin.facility, tocsin.transmitter"""
READ_AGAIN = """
UPDATE tocsin.transmitter SET note = note || '.' WHERE key = 'dc09:1000001';
UPDATE tocsin.registry SET identity = gen_random_uuid()"""


@dataclass(frozen=True, slots=True)
class Shape:
    """How many there are; changes; the fleet that sends meanwhile."""
    transmitters: int
    facilities: int
    changes: int
    fleet: Fleet


SHAPES: dict[Size, Shape] = {"smoke": Shape(2000, 200, 2, Fleet(200, 1, 200, 0.001)),
                             "full": Shape(1_000_000, 100_000, 20, Fleet(100_000, 1, 10_000, 0.001))}


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure both sides in turn on one engine. Raises Refused when not every row arrived."""
    shape = SHAPES[size]
    rows = shape.transmitters + shape.facilities
    waits: list[float] = []
    with tempfile.TemporaryDirectory(prefix="tocsin-registry-") as name, \
            engine(Path(name), CONFIGURATION, os.sched_getaffinity(0)) as server:
        until(lambda: reading(server, "tocsin_store_up"), "the store")
        ask(server, FILL.format(facilities=shape.facilities, transmitters=shape.transmitters))
        until(lambda: reading(server, "tocsin_paths") >= shape.transmitters, "a path for everyone", 900)
        until(lambda: stored_paths(server) >= shape.transmitters, "a row for every path", 300)
        found = in_turn(rounds, {"bare": lambda: rows / copied(server, rows),
                                 "engine": lambda: rows / read_again(server, waits)})
        if (named := reading(server, "tocsin_registry_transmitters")) != shape.transmitters:
            raise Refused(f"{named} of {shape.transmitters} transmitters are known")
        with fleet(server, shape.fleet, Path(name)):  # type: ignore[arg-type]
            changes = Rounds(tuple(1 / changed(server, number) for number in range(shape.changes)))
    facts: dict[str, dict[str, float | int | str]] = {side: {"seconds": rows / found[side].median} for side in found}
    facts["engine"] |= {"ratio": ratio(found["engine"], found["bare"]), "ratio_min": RATIO_MIN,
                        "heartbeat_max_ms": max(waits) * 1000}
    same = digest(json.dumps([shape.transmitters, shape.facilities]).encode())
    return [*(Result(f"registry.{side}", size, rows, "row", found[side].median, found[side].spread, same, facts[side])
              for side in found),
            Result("registry.change", size, 1, "change", changes.median, changes.spread, same, {
                "p50_ms": 1000 / changes.median, "max_ms": 1000 / min(changes.rates),
                "max_ms_max": CHANGE_S_MAX * 1000})]


def copied(server: Server, rows: int) -> float:
    """Copy both tables out; return seconds."""
    lines = 0

    async def drop(data: bytes) -> None:
        nonlocal lines
        lines += data.count(b"\n")

    async def copy() -> float:
        connection = await asyncpg.connect(server.database)
        began = time.perf_counter()
        for table in ("facility", "transmitter"):
            await connection.copy_from_table(table, schema_name="tocsin", output=drop)
        took = time.perf_counter() - began
        await connection.close()
        return took
    took = uvloop.run(copy())
    if lines != rows:
        raise Refused(f"{lines} of {rows} rows were copied")
    return took


def read_again(server: Server, waits: list[float]) -> float:
    """Let the engine read everything; return seconds, and add the longest wait of a heartbeat to `waits`."""
    before = revision(server)
    with Probe(server.port) as probe:
        ask(server, READ_AGAIN)
        began = time.perf_counter()
        until(lambda: revision(server) > before, "the reading's end")
        took = time.perf_counter() - began
    if probe.lost or not probe.answered:
        raise Refused(f"{probe.lost} heartbeats were never answered")
    waits.append(probe.gap_s)
    return took


def stored_paths(server: Server) -> int:
    """Return how many paths stand in the database."""
    async def count() -> int:
        connection = await asyncpg.connect(server.database)
        paths: int = await connection.fetchval("SELECT count(*) FROM tocsin.path")
        await connection.close()
        return paths
    return uvloop.run(count())


def revision(server: Server) -> int:
    """Return up to where the engine knows the registry, as /v1/status says it: /metrics cost seven times as much."""
    with urllib.request.urlopen(f"http://{server.http}/v1/status", timeout=10) as answer:
        return int(json.load(answer)["stages"]["registry"]["revision"])


def changed(server: Server, number: int) -> float:
    """Change the supervision of one transmitter; return seconds until the API shows it."""
    transmitter, seconds = f"dc09:{1048576 * 16 + 1 + number:X}", 5000 + number
    ask(server, f"UPDATE tocsin.transmitter SET supervision = '{seconds}s' WHERE key = '{transmitter}'")
    began = time.perf_counter()
    until(lambda: seconds * 1000 in supervision(server, transmitter), "the change")
    return time.perf_counter() - began


def supervision(server: Server, transmitter: str) -> list[int]:
    with urllib.request.urlopen(f"http://{server.http}/v1/transmitters/{transmitter}", timeout=10) as answer:
        told: dict[str, Any] = json.load(answer)
    return [path["supervision_ms"] for path in told["paths"]]


def ask(server: Server, statement: str) -> None:
    """Change the database in one transaction."""
    async def change() -> None:
        connection = await asyncpg.connect(server.database)
        await connection.execute(statement)
        await connection.close()
    uvloop.run(change())


def until(condition: Callable[[], object], what: str, seconds: float = READ_S_MAX) -> None:
    """Raises  Refused when it does not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Refused(f"{what} did not come within {seconds:g} s")
        time.sleep(LOOK_S)
