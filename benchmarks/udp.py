"""UDP heartbeats with reply: the engine against a bare C server, on the same client.

udp.floor     receives with recvmmsg and answers with sendmmsg, reads nothing
udp.engine    `tocsin serve`: parse, check, look the path up, touch it, answer
Target        engine / floor at least 0.7; it counts only without loss
"""
import json
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.compile import program
from benchmarks.frames import heartbeats, write_frames
from benchmarks.harness import Refused, Result, Rounds, Size, digest, exists, in_turn, ratio
from benchmarks.servers import Server, engine, floor, pinned, processors, reading

RATIO_MIN = 0.7
ENROL_ROUNDS_MAX = 20
Report = dict[str, float]       # what the client prints
LOSS_SHARE_MAX = 0.001           # a stalled machine loses a few; more than that and the rate says nothing


@dataclass(frozen=True, slots=True)
class Shape:
    """How much of it: seconds and warm-up of a round, transmitters, sockets of the client, frames outstanding.

    timeout_ms  what is not answered for so long counts as lost
    linger_ms   how long replies are waited for after the last frame; until none is missing
    """
    seconds: float
    warm_up: float
    accounts: int
    sockets: int
    window: int
    timeout_ms: int = 100
    linger_ms: int = 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """Frames that the client makes itself: `count` heartbeats of accounts 0..accounts-1, drawn at random by `seed`."""
    accounts: int
    count: int
    seed: int


SHAPES: dict[Size, Shape] = {"smoke": Shape(0.2, 0.1, 200, 4, 64), "full": Shape(3.0, 0.5, 10_000, 16, 1024)}


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure the floor, and the engine beside it where that is built.

    Raises  Refused when frames were lost
    """
    shape = SHAPES[size]
    with tempfile.TemporaryDirectory(prefix="tocsin-udp-") as name, ExitStack() as stack:
        frames = heartbeats(shape.accounts)
        file = write_frames(Path(name) / "frames", frames)
        servers = {"floor": stack.enter_context(floor("udp_floor"))}
        if exists("engine.pipeline"):
            servers["engine"] = stack.enter_context(engine(Path(name)))
            enrol(servers["engine"], file, shape)
        reports: dict[str, list[Report]] = {side: [] for side in servers}

        def one(side: str) -> float:
            reports[side].append(client(servers[side], file, shape))
            return reports[side][-1]["rate"]

        found = in_turn(rounds, {side: lambda side=side: one(side) for side in servers})  # type: ignore[misc]
    work = digest(*frames)
    return [result(size, side, shape, found, reports, work) for side in servers]


def result(size: Size, side: str, shape: Shape, found: dict[str, Rounds], reports: dict[str, list[Report]],
           work: str) -> Result:
    facts: dict[str, float | int | str] = {
        "server_cpu_ns": cpu_ns(reports[side]), "best_per_s": found[side].best, "accounts": shape.accounts,
        "server_busy": median(one["server_cpu_s"] / one["elapsed_s"] for one in reports[side]),
        "client_busy": median(one["client_cpu_s"] / one["elapsed_s"] for one in reports[side]),
        "lost": int(sum(one["lost"] + one["late"] for one in reports[side]))}
    if side == "engine":
        facts |= {"ratio": ratio(found["engine"], found["floor"]), "ratio_min": RATIO_MIN,
                  "cpu_ratio": cpu_ns(reports["floor"]) / max(cpu_ns(reports["engine"]), 1.0)}
    rows = int(found[side].median * shape.seconds)
    return Result(f"udp.{side}", size, rows, "frame", found[side].median, found[side].spread, work, facts)


def cpu_ns(reports: list[Report]) -> float:
    """CPU of the server for each answered frame, all its threads, user and system: the median of the rounds."""
    return median(one["server_cpu_s"] * 1e9 / max(one["received"], 1) for one in reports)


def client(server: Server, frames: Path | Drawn, shape: Shape, rate: float = 0, loss_max: float = LOSS_SHARE_MAX,
           to: set[int] | None = None) -> Report:
    """Run the client once; return its report.

    frames    a file of them, or how to draw them
    rate      frames a second to offer; 0 keeps the window full instead
    loss_max  0..1 of the frames
    to        the processors that it may use; None: the client's own
    Raises    Refused when more was lost
    """
    command = [str(program("udp_client")), "--to", str(server.port), *frames_words(frames),
               "--sockets", str(shape.sockets), "--window", str(shape.window), "--seconds", str(shape.seconds),
               "--warm-up", str(shape.warm_up), "--timeout-ms", str(shape.timeout_ms), "--rate", str(rate),
               "--linger-ms", str(shape.linger_ms), "--watch", str(server.pid)]
    seconds_max = shape.seconds + shape.warm_up + shape.linger_ms / 1000 + 30
    with pinned(to or processors()[1]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds_max)
    if done.returncode:
        raise RuntimeError(f"udp_client ended with {done.returncode}: {done.stderr}")
    report: Report = json.loads(done.stdout)
    if report["lost"] + report["late"] > report["sent"] * loss_max:
        raise Refused(f"frames were lost, so the rate does not count: {report}")
    return report


def frames_words(frames: Path | Drawn) -> list[str]:
    if isinstance(frames, Path):
        return ["--frames", str(frames)]
    return ["--draw", str(frames.accounts), "--drawn", str(frames.count), "--seed", str(frames.seed)]


def enrol(server: Server, file: Path, shape: Shape) -> None:
    """Send until the engine knows every transmitter of the file.

    Raises  RuntimeError when it never does
    """
    gentle = Shape(0.5, 0.0, shape.accounts, shape.sockets, min(shape.window, 256))
    known = 0
    for _ in range(ENROL_ROUNDS_MAX):
        try:
            client(server, file, gentle)
        except Refused:                  # a reply that waits for the disk is late for the client, not lost
            time.sleep(0.1)
        known = int(reading(server, "tocsin_paths"))
        if known >= shape.accounts:
            return
    raise RuntimeError(f"only {known} of {shape.accounts} transmitters were enrolled")
