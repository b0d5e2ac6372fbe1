"""UDP from 64 sockets, one frame in a thousand a new signal: the engine against a bare C server, on the same client.

mixed.floor     receives with recvmmsg and answers with sendmmsg, reads nothing and keeps nothing
mixed.engine    `tocsin serve`: a signal is journalled and flushed before its reply, then stored and forwarded
Target          engine / floor at least 0.80; it counts only without loss
Every signal is sent once in a run, so that each of them is one more in the journal.
"""
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.frames import heartbeats, signals, write_frames
from benchmarks.harness import Refused, Result, Size, digest, in_turn, need, ratio
from benchmarks.servers import engine, floor, reading
from benchmarks.udp import Report, Shape, client, cpu_ns, enrol

RATIO_MIN = 0.80
SIGNAL_EVERY = 1000
FRAMES: dict[Size, int] = {"smoke": 50_000, "full": 1_000_000}   # more than are sent in a round
# A signal's reply waits for the disk, which may take long on a machine that others use.
SHAPES: dict[Size, Shape] = {"smoke": Shape(0.2, 0.1, 200, 8, 64, 2000),
                             "full": Shape(3.0, 0.5, 10_000, 64, 4096, 2000)}


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure the floor and the engine beside it. Raises Refused when frames were lost, or no signal was journalled."""
    need("engine.pipeline")
    shape = SHAPES[size]
    with tempfile.TemporaryDirectory(prefix="tocsin-mixed-") as name, ExitStack() as stack:
        servers = {"floor": stack.enter_context(floor("udp_floor")), "engine": stack.enter_context(engine(Path(name)))}
        alive = heartbeats(shape.accounts)
        enrol(servers["engine"], write_frames(Path(name) / "heartbeats", alive), shape)
        files = {side: loads(Path(name) / side, size, alive) for side in servers}
        reports: dict[str, list[Report]] = {side: [] for side in servers}

        def one(side: str) -> float:
            reports[side].append(client(servers[side], next(files[side]), shape))
            return reports[side][-1]["rate"]

        found = in_turn(rounds, {side: lambda side=side: one(side) for side in servers})  # type: ignore[misc]
        journalled = reading(servers["engine"], "tocsin_signals_total")
    answered = sum(report["received"] for report in reports["engine"])
    if journalled < answered / SIGNAL_EVERY / 2:
        raise Refused(f"{journalled:.0f} signals among {answered:.0f} frames that were answered")
    facts: dict[str, dict[str, float | int | str]] = {
        side: {"server_cpu_ns": cpu_ns(reports[side]), "sockets": shape.sockets} for side in servers}
    facts["engine"] |= {"ratio": ratio(found["engine"], found["floor"]), "ratio_min": RATIO_MIN,
                        "cpu_ratio": cpu_ns(reports["floor"]) / cpu_ns(reports["engine"]), "signals": int(journalled)}
    return [Result(f"mixed.{side}", size, int(found[side].median * shape.seconds), "frame", found[side].median,
                   found[side].spread, digest(*alive), facts[side]) for side in servers]


def loads(directory: Path, size: Size, alive: list[bytes]) -> Iterator[Path]:
    """Yield a file for each round: heartbeats, and between them signals that none before it had."""
    directory.mkdir()
    count = FRAMES[size] // SIGNAL_EVERY
    first = 0
    while True:
        new = signals(count, len(alive), first)
        first += count
        frames = [new[index // SIGNAL_EVERY] if index % SIGNAL_EVERY == 0 else alive[index % len(alive)]
                  for index in range(FRAMES[size])]
        yield write_frames(directory / "frames", frames)
