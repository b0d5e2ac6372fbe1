"""An alarm storm: every frame over UDP is a new fire, and counts when it is journalled, stored and forwarded.

storm.floor     the bare UDP server answers the same frames to the same client; it reads nothing, and keeps nothing
storm.engine    `tocsin serve`, its PostgreSQL, one subscriber and the client, all on the same two cores
Target          engine / floor at least 0.25
storm.to_10     a smaller storm with so many subscribers: what one more costs is seen in `loop_us`
storm.to_100

Each frame is sent once: every transmitter raises a fire, then another one at its next point. The engine's rate is over
the time from the first frame to the last reply, the last event at the subscriber and the last row in the database,
whichever comes last. Each round has an engine and a database of its own, and transmitters that are known.
"""
import asyncio
import json
import os
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import asyncpg  # type: ignore[import-untyped]

from benchmarks.compile import program
from benchmarks.frames import fires, heartbeats, write_frames
from benchmarks.harness import Refused, Result, Size, digest, in_turn, need, ratio
from benchmarks.servers import Server, engine, floor, line_of, pinned, processors, reading
from benchmarks.udp import Report

RATIO_MIN = 0.25
SECONDS_MAX = 120.0              # of one storm
POLL_S = 0.01
SETTLE_S = 1.0
STORED = "SELECT number FROM tocsin.position WHERE consumer = 'store'"
COUNTS = "SELECT (SELECT count(*) FROM tocsin.signal), (SELECT count(*) FROM tocsin.event)"
PROCESSES = "SELECT pid, coalesce(nullif(application_name, ''), backend_type) FROM pg_stat_activity"

# Microseconds a frame: of the engine's loop, its other threads, the backend that stores, and all else of the database.
PARTS = LOOP, THREADS, BACKEND, POSTGRES = "loop_us", "threads_us", "backend_us", "postgres_us"


@dataclass(frozen=True, slots=True)
class Shape:
    """Frames of a storm, transmitters that send them, sockets of the client, frames outstanding."""
    frames: int
    accounts: int
    sockets: int
    window: int


SHAPES: dict[Size, Shape] = {"smoke": Shape(1000, 200, 4, 64), "full": Shape(300_000, 100_000, 16, 4096)}


CROWD_SHAPES: dict[Size, Shape] = {"smoke": Shape(200, 200, 4, 64), "full": Shape(30_000, 30_000, 16, 4096)}
CROWDS: dict[Size, tuple[int, ...]] = {"smoke": (2,), "full": (10, 100)}


def run(size: Size, rounds: int = 3) -> list[Result]:
    """Measure floor and engine in turn.

    Raises  Refused when a frame was lost, or did not become one row and one event
    """
    need("engine.pipeline")
    shape = SHAPES[size]
    with tempfile.TemporaryDirectory(prefix="tocsin-storm-") as name:
        frames = fires(shape.frames, shape.accounts)
        file = write_frames(Path(name) / "fires", frames)
        known = write_frames(Path(name) / "heartbeats", heartbeats(shape.accounts))
        storms: list[Report] = []

        def on_floor() -> float:
            with floor("udp_floor") as server:
                return client(server, file, shape.frames, shape)["rate"]

        def on_engine() -> float:
            directory = Path(name) / str(len(storms))
            directory.mkdir()
            storms.append(storm(directory, file, known, shape, 1))
            return storms[-1]["rate"]

        crowds = [crowd(Path(name), size, subscribers) for subscribers in CROWDS[size]]
        found = in_turn(rounds, {"floor": on_floor, "engine": on_engine})
    facts: dict[str, dict[str, float | int | str]] = {
        "floor": {}, "engine": {"ratio": ratio(found["engine"], found["floor"]), "ratio_min": RATIO_MIN,
                                **{fact: median(one[fact] for one in storms) for fact in storms[0] if fact != "rate"}}}
    return [*(Result(f"storm.{side}", size, shape.frames, "frame", found[side].median, found[side].spread,
                     digest(*frames), facts[side]) for side in found), *crowds]


def crowd(directory: Path, size: Size, subscribers: int) -> Result:
    """Let a smaller storm go to so many subscribers."""
    shape, place = CROWD_SHAPES[size], directory / f"crowd-{subscribers}"
    place.mkdir()
    frames = fires(shape.frames, shape.accounts)
    report = storm(place, write_frames(place / "fires", frames),
                   write_frames(place / "heartbeats", heartbeats(shape.accounts)), shape, subscribers)
    return Result(f"storm.to_{subscribers}", size, shape.frames, "frame", report["rate"], 0.0, digest(*frames),
                  {name: value for name, value in report.items() if name != "rate"})


def client(server: Server, file: Path, frames: int, shape: Shape) -> Report:
    """Send every frame once and wait for the replies. Raises Refused when one did not come."""
    command = [str(program("udp_client")), "--to", str(server.port), "--frames", str(file),
               "--sockets", str(shape.sockets), "--window", str(shape.window), "--seconds", str(SECONDS_MAX),
               "--timeout-ms", "10000", "--count", str(frames), "--watch", str(server.pid)]
    with pinned(processors()[1]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX + 30)
    if done.returncode:
        raise RuntimeError(f"udp_client ended with {done.returncode}: {done.stderr}")
    report: Report = json.loads(done.stdout)
    if report["received"] != frames:
        raise Refused(f"frames were lost, so the rate does not count: {report}")
    return report


def storm(directory: Path, file: Path, known: Path, shape: Shape, subscribers: int) -> Report:
    """Let one storm go over an engine of its own; return the rate and where the time went, microseconds a frame."""
    with engine(directory, to=os.sched_getaffinity(0)) as server:
        client(server, known, shape.accounts, shape)
        while reading(server, "tocsin_store_lag_rows"):
            sleep(POLL_S)
        sleep(SETTLE_S)
        with ExitStack() as stack:
            ears = [stack.enter_context(subscriber(server, shape)) for _ in range(subscribers)]
            before = asyncio.run(processor_s(server))
            sent = client(server, file, shape.frames, shape)
            stored = asyncio.run(stored_at(server, journalled(server)))
            heard = [told(ear) for ear in ears]
            after = asyncio.run(processor_s(server))
        counted = asyncio.run(asked(server, COUNTS))[0]
    fewest, last_s = min(one["events"] for one in heard), max(one["last_s"] for one in heard)
    if (fewest, *counted) != (shape.frames,) * 3:
        raise Refused(f"{shape.frames} frames, {fewest} events heard, {tuple(counted)} rows and events stored")
    replied = sent["begin_s"] + sent["elapsed_s"]
    end = max(replied, last_s, stored)
    spent = dict.fromkeys(PARTS, 0.0)
    for (part, number), now_s in after.items():
        spent[part] += 1e6 * (now_s - before.get((part, number), 0.0)) / shape.frames
    return {"rate": shape.frames / (end - sent["begin_s"]), "replied_per_s": sent["rate"],
            "forwarded_later_s": last_s - replied, "stored_later_s": stored - replied, **spent,
            "client_us": 1e6 * sent["client_cpu_s"] / shape.frames,
            "reader_us": 1e6 * sum(one["cpu_s"] for one in heard) / shape.frames}


@contextmanager
def subscriber(server: Server, shape: Shape) -> Iterator[subprocess.Popen[bytes]]:
    """Run the reader until the block ends; it is subscribed when the block begins."""
    command = [str(program("sse_reader")), "--to", server.http.rpartition(":")[2], "--events", str(shape.frames),
               "--seconds", str(SECONDS_MAX)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        try:
            line_of(child, "ready", SECONDS_MAX)
            yield child
        finally:
            child.kill()


def told(ear: subprocess.Popen[bytes]) -> Report:
    """Return what the reader says when it has heard all."""
    report: Report = json.loads(ear.communicate(timeout=SECONDS_MAX)[0])
    return report


def journalled(server: Server) -> int:
    """Return the number of the last row that is durable."""
    with urllib.request.urlopen(f"http://{server.http}/v1/status", timeout=10) as answer:
        return int(json.load(answer)["stages"]["journal"]["durable"])


async def stored_at(server: Server, wanted: int) -> float:
    """Return when the row of that number was stored, by the monotonic clock."""
    connection = await asyncpg.connect(server.database)
    until = perf_counter() + SECONDS_MAX
    while await connection.fetchval(STORED) < wanted:
        if perf_counter() > until:
            raise Refused(f"not stored within {SECONDS_MAX} s")
        await asyncio.sleep(POLL_S)
    await connection.close()
    return perf_counter()


async def asked(server: Server, question: str) -> list[tuple[int, ...]]:
    connection = await asyncpg.connect(server.database)
    rows = await connection.fetch(question)
    await connection.close()
    return [tuple(row) for row in rows]


async def processor_s(server: Server) -> dict[tuple[str, int], float]:
    """Return the processor time so far of each thread and process, by the part that it belongs to."""
    spent = {}
    for thread in map(int, os.listdir(f"/proc/{server.pid}/task")):
        spent[LOOP if thread == server.pid else THREADS, thread] = thread_s(server.pid, thread)
    for process, name in await asked(server, PROCESSES):
        spent[BACKEND if name == "tocsin store" else POSTGRES, process] = thread_s(process, process)
    return spent


def thread_s(process: int, thread: int) -> float:
    """Return the processor time of a thread; 0 where it has gone. Source: proc(5), schedstat."""
    try:
        return int(Path(f"/proc/{process}/task/{thread}/schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return 0.0
