"""UDP heartbeats by the loop, and by two receiver threads: CPU of the engine for a frame at the same offered rate.

receivers.one   `tocsin serve` as it is by default: the loop receives
receivers.two   `listen.receivers = 2`: two threads without the GIL, each on a socket of its own
Target          CPU of a frame, two / one, at most 1.25
Beside it       the highest rate of each, and how long a heartbeat waits for its reply under the load

Engine and client share the processors by halves. With two of them the engine has one, so that both threads run on it:
the ratio then holds their switches too, and the highest rate says nothing about more cores.
"""
import os
import socket
import tempfile
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from benchmarks.frames import heartbeats, write_frames
from benchmarks.harness import Refused, Result, Rounds, Size, digest, in_turn, ratio
from benchmarks.servers import ENGINE_CONFIGURATION, Server, engine, reading
from benchmarks.udp import Report, client, cpu_ns, enrol
from benchmarks.udp import Shape as Load
from codec.reading import build_frame

RATIO_MAX = 1.25
SHARE = 0.5                      # of the highest rate of one receiver: well below saturation of either
KEPT = 0.95                      # of the offered rate must have come; else a neighbour took the core in this round
PROBE_EVERY_S, PROBE_ACCOUNT = 0.002, "00BEEF"
ANSWER_S_MAX = 1.0
SIDES = {"one": 1, "two": 2}


@dataclass(frozen=True, slots=True)
class Shape:
    """The load that is offered, and the one that finds the highest rate."""
    load: Load
    full: Load


SHAPES: dict[Size, Shape] = {
    "smoke": Shape(Load(0.3, 0.1, 200, 4, 64, 1000), Load(0.2, 0.1, 200, 4, 64)),
    "full": Shape(Load(2.0, 0.3, 10_000, 16, 1024, 1000), Load(1.0, 0.3, 10_000, 16, 1024))}


@dataclass(slots=True)
class Side:
    """One engine and what was measured of it."""
    server: Server
    reports: list[Report] = field(default_factory=list)
    highest: list[float] = field(default_factory=list)
    waited_s: list[float] = field(default_factory=list)

    def cpu_s(self) -> float:
        return self.reports[-1]["server_cpu_s"] / max(self.reports[-1]["received"], 1)


class Probe(threading.Thread):
    """Sends a heartbeat every PROBE_EVERY_S, one at a time, until the block ends; `waited_s` has each one's time."""

    def __init__(self, port: int, where: set[int]) -> None:
        super().__init__(daemon=True)
        self.link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.link.connect(("127.0.0.1", port))
        self.link.settimeout(ANSWER_S_MAX)
        self.ended = threading.Event()
        self.where = where
        self.waited_s: list[float] = []

    def __enter__(self) -> "Probe":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()
        self.link.close()

    def run(self) -> None:
        os.sched_setaffinity(0, self.where)
        sequence = 0
        while not self.ended.wait(PROBE_EVERY_S):
            sequence = sequence % 9999 + 1
            began = perf_counter()
            self.link.send(build_frame("NULL", PROBE_ACCOUNT, sequence=sequence))
            try:
                self.link.recv(512)
            except TimeoutError:         # lost, or later than anything that could be told
                continue
            self.waited_s.append(perf_counter() - began)


def halves() -> tuple[set[int], set[int]]:
    """Return the processors of (server, client)."""
    usable = sorted(os.sched_getaffinity(0))
    half = len(usable) // 2
    return (set(usable[:half]), set(usable[half:])) if half else (set(usable), set(usable))


def run(size: Size, rounds: int = 7) -> list[Result]:
    """Measure both sides in turn at one rate. Raises Refused when no round came near it, or frames were lost."""
    shape, (servers, clients) = SHAPES[size], halves()
    with tempfile.TemporaryDirectory(prefix="tocsin-receivers-") as name, ExitStack() as stack:
        Path(name).chmod(0o755)
        frames = heartbeats(shape.load.accounts)
        file = write_frames(Path(name) / "frames", frames)
        sides = {}
        for side, receivers in SIDES.items():
            directory = Path(name) / side
            directory.mkdir()
            settings = f"{ENGINE_CONFIGURATION}[listen]\nreceivers = {receivers}\n"
            sides[side] = Side(stack.enter_context(engine(directory, settings, to=servers)))
            enrol(sides[side].server, file, shape.load)
        for _ in range(min(rounds, 3)):
            for one in sides.values():
                one.highest.append(client(one.server, file, shape.full, loss_max=1.0, to=clients)["rate"])
        rate = SHARE * median(sides["one"].highest)

        def offer(one: Side) -> float:
            with Probe(one.server.port, clients) as probe:
                one.reports.append(client(one.server, file, shape.load, rate, to=clients))
            one.waited_s += probe.waited_s
            return 1 / one.cpu_s()

        found = in_turn(rounds, {side: lambda one=one: offer(one) for side, one in sides.items()})  # type: ignore[misc]
        handed = reading(sides["two"].server, "tocsin_datagrams_handed_total")
    kept = [turn for turn in range(rounds) if size == "smoke" or all(
        one.reports[turn]["rate"] >= KEPT * rate for one in sides.values())]
    if not kept:
        raise Refused(f"{rate:,.0f} frames a second were never answered on both sides: the machine is too busy")
    told = {side: Rounds(tuple(found[side].rates[turn] for turn in kept)) for side in SIDES}
    more = {"ratio": ratio(told["one"], told["two"]), "ratio_max": RATIO_MAX, "handed": handed}
    work = digest(*frames)
    return [result(size, side, sides[side], told[side], rate, work, more if side == "two" else {}) for side in SIDES]


def result(size: Size, name: str, side: Side, told: Rounds, rate: float, work: str,
           more: dict[str, float]) -> Result:
    percentiles = quantiles(side.waited_s, n=100, method="inclusive")
    facts: dict[str, float | int | str] = {
        "server_cpu_ns": 1e9 / told.median, "server_cpu_ns_all": cpu_ns(side.reports), "rounds": len(told.rates),
        "highest_per_s": median(side.highest), "reply_p50_ms": percentiles[49] * 1e3,
        "reply_p99_ms": percentiles[98] * 1e3, **more}
    return Result(f"receivers.{name}", size, int(rate), "frame", rate, told.spread, work, facts)
