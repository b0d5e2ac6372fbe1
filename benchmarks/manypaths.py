"""UDP heartbeats of very many transmitters in random order: what it costs that their paths are in no cache.

manypaths.few    `tocsin serve` that knows 1,000 paths, a heartbeat of one of them after the other, drawn at random
manypaths.many   the same with 10,000,000
Target           many / few at least 0.6; it counts only without loss
Each engine runs alone: the other one stands still (SIGSTOP) meanwhile. Both start on a data directory whose snapshot
has their paths, and write their touches each second; no snapshot falls into a round.
"""
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.harness import SEED, Refused, Result, Rounds, Size, digest, in_turn, ratio
from benchmarks.known import known_engine
from benchmarks.servers import Server, reading
from benchmarks.udp import Drawn, Report, Shape, client, cpu_ns

RATIO_MIN = 0.6
SETTLE_S = 0.3                   # an engine that stood still has first to catch up with its clock


@dataclass(frozen=True, slots=True)
class Fleets:
    """Paths of the two engines, and how they are called."""
    few: int
    many: int
    drawn: int                   # frames of a round's random order; then it begins again
    shape: Shape


FLEETS: dict[Size, Fleets] = {
    "smoke": Fleets(50, 2_000, 4_000, Shape(0.2, 0.1, 0, 4, 64, 1000)),
    "full": Fleets(1_000, 10_000_000, 1 << 21, Shape(3.0, 0.5, 0, 16, 1024, 1000)),
}


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure both in turn.

    Raises  Refused when frames were lost, or a drawn account was unknown
    """
    fleets = FLEETS[size]
    counts = {"few": fleets.few, "many": fleets.many}
    reports: dict[str, list[Report]] = {side: [] for side in counts}
    with tempfile.TemporaryDirectory(prefix="tocsin-manypaths-") as name, ExitStack() as stack:
        servers = {side: stack.enter_context(known_engine(Path(name) / side, count)) for side, count in counts.items()}

        for server in servers.values():
            stack.callback(os.kill, server.pid, signal.SIGCONT)
            os.kill(server.pid, signal.SIGSTOP)

        def one(side: str) -> float:
            frames = Drawn(counts[side], fleets.drawn, SEED + len(reports[side]))
            with running(servers[side]):
                reports[side].append(client(servers[side], frames, replace(fleets.shape, accounts=counts[side])))
            return reports[side][-1]["rate"]

        found = in_turn(rounds, {side: lambda side=side: one(side) for side in counts})  # type: ignore[misc]
        for side, count in counts.items():
            with running(servers[side]):
                if reading(servers[side], "tocsin_paths") != count:
                    raise Refused(f"the engine of {count} paths met others")
    return [result(size, side, counts[side], fleets.shape, found, reports) for side in counts]


@contextmanager
def running(server: Server) -> Iterator[None]:
    """Let a server that stands still go on until the block ends."""
    os.kill(server.pid, signal.SIGCONT)
    try:
        time.sleep(SETTLE_S)
        yield
    finally:
        os.kill(server.pid, signal.SIGSTOP)


def result(size: Size, side: str, paths: int, shape: Shape, found: dict[str, Rounds],
           reports: dict[str, list[Report]]) -> Result:
    facts: dict[str, float | int | str] = {
        "paths": paths, "server_cpu_ns": cpu_ns(reports[side]),
        "server_busy": median(one["server_cpu_s"] / one["elapsed_s"] for one in reports[side]),
        "client_busy": median(one["client_cpu_s"] / one["elapsed_s"] for one in reports[side]),
        "lost": int(sum(one["lost"] + one["late"] for one in reports[side]))}
    if side == "many":
        facts |= {"ratio": ratio(found["many"], found["few"]), "ratio_min": RATIO_MIN,
                  "cpu_ratio": cpu_ns(reports["few"]) / max(cpu_ns(reports["many"]), 1.0)}
    return Result(f"manypaths.{side}", size, int(found[side].median * shape.seconds), "frame", found[side].median,
                  found[side].spread, digest(repr((side, paths)).encode()), facts)
