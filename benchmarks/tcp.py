"""TCP heartbeats with reply: the engine against a bare C server, on the same client.

tcp.floor.N    epoll, one read, 40 bytes of reply for each frame's length that came; reads nothing
tcp.engine.N   `tocsin serve`
N              frames that are on their way on each connection: 1, so that each read has one, on 1,000 connections, and
               64 on 64
Target         engine / floor at least 0.80 with one, and 0.35 with 64
"""
import json
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.compile import program
from benchmarks.frames import heartbeats, write_frames
from benchmarks.harness import Result, Size, digest, exists, in_turn, ratio
from benchmarks.servers import Server, engine, floor, pinned, processors


@dataclass(frozen=True, slots=True)
class Shape:
    """Seconds and warm-up of a round, transmitters, connections, frames on their way on each."""
    seconds: float
    warm_up: float
    accounts: int
    connections: int
    pipeline: int


SHAPES: dict[Size, tuple[Shape, Shape]] = {
    "smoke": (Shape(0.2, 0.1, 200, 20, 1), Shape(0.2, 0.1, 200, 10, 8)),
    "full": (Shape(3.0, 1.0, 10_000, 1000, 1), Shape(3.0, 1.0, 10_000, 64, 64))}
RATIOS_MIN = (0.80, 0.35)


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure both shapes, the floor and beside it the engine where that is built."""
    return [result for shape, ratio_min in zip(SHAPES[size], RATIOS_MIN, strict=True)
            for result in run_shape(size, rounds, shape, ratio_min)]


def run_shape(size: Size, rounds: int, shape: Shape, ratio_min: float) -> list[Result]:
    """Measure one shape. The warm-up enrols the transmitters."""
    frames = heartbeats(shape.accounts)
    with tempfile.TemporaryDirectory(prefix="tocsin-tcp-") as name, ExitStack() as stack:
        file = write_frames(Path(name) / "frames", frames)
        servers = {"floor": stack.enter_context(floor("tcp_floor", "--frame-bytes", str(len(frames[0]))))}
        if exists("engine.pipeline"):
            servers["engine"] = stack.enter_context(engine(Path(name)))
            client(servers["engine"], file, shape)
        costs: dict[str, list[float]] = {side: [] for side in servers}

        def one(side: str) -> float:
            report = client(servers[side], file, shape)
            costs[side].append(report["server_cpu_s"] * 1e9 / max(report["received"], 1))
            return report["rate"]

        found = in_turn(rounds, {side: lambda side=side: one(side) for side in servers})  # type: ignore[misc]
    results = []
    for side in servers:
        facts: dict[str, float | int | str] = {"server_cpu_ns": median(costs[side]), "connections": shape.connections}
        if side == "engine":
            facts |= {"ratio": ratio(found[side], found["floor"]), "ratio_min": ratio_min,
                      "cpu_ratio": median(bare / ours for bare, ours in zip(costs["floor"], costs[side], strict=True))}
        results.append(Result(f"tcp.{side}.{shape.pipeline}", size, int(found[side].median * shape.seconds), "frame",
                              found[side].median, found[side].spread, digest(*frames), facts))
    return results


def client(server: Server, file: Path, shape: Shape, *more: str) -> dict[str, float]:
    """Run the client once; return its report.

    more    further arguments of the program, where the protocol is not DC-09
    """
    command = [str(program("tcp_client")), "--to", str(server.port), "--frames", str(file),
               "--connections", str(shape.connections), "--pipeline", str(shape.pipeline),
               "--seconds", str(shape.seconds), "--warm-up", str(shape.warm_up), "--watch", str(server.pid), *more]
    with pinned(processors()[1]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=shape.seconds + shape.warm_up + 30)
    if done.returncode:
        raise RuntimeError(f"tcp_client ended with {done.returncode}: {done.stderr}")
    report: dict[str, float] = json.loads(done.stdout)
    return report
