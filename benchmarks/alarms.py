"""Alarm latency: from a fire's first byte to its event at a subscriber, alone and under a flood of heartbeats.

alarms.idle     a fire now and then, nothing else
alarms.flooded  the same beside heartbeats at 0.7 of the highest rate that this run saw answered without loss
Target          flooded / idle at most 3 at p50 and p99, without the disk's share: the same percentile of the flushes
inside          by the engine's own clock, from the receipt of its bytes to the subscriber's socket, less what passes
                until it is durable
Probe, subscriber and load share the processors that the engine does not have, so outside they wait for each other.
"""
import json
import re
import socket
import tempfile
import threading
import urllib.request
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from benchmarks.frames import heartbeats, write_frames
from benchmarks.harness import Refused, Result, Size, digest
from benchmarks.servers import Server, engine, pinned, processors, reading
from benchmarks.udp import Shape as Load
from benchmarks.udp import client, enrol
from codec.reading import build_frame

Counts = dict[float, float]
BUCKET = re.compile(r'^tocsin_(journal_flush|receive_to_durable|receive_to_forwarded)_seconds_bucket'
                    r'\{le="([^"]+)"\} (\S+)$', re.MULTILINE)
SHARE = 0.7
STEP = 0.9                       # between two rates that are tried
TIMES_MAX = 3.0
ACCOUNT = "00BEEF"
ANSWER_S_MAX = 5.0
SETTLE_S = 0.3                   # between load and probe
SLOW_S = 0.08                    # of a fire on a slow disk: the load goes on for so long


@dataclass(frozen=True, slots=True)
class Shape:
    """Fires of a phase, seconds between two, and the load."""
    fires: int
    every_s: float
    load: Load


SHAPES: dict[Size, Shape] = {"smoke": Shape(5, 0.02, Load(0.3, 0.1, 200, 4, 64)),
                             "full": Shape(150, 0.02, Load(3.0, 0.5, 10_000, 16, 1024))}


@dataclass(slots=True)
class Phase:
    """Seconds of each fire, and meanwhile the flushes."""
    taken_s: list[float]
    counted: dict[str, Counts]       # by histogram of the engine: how many took up to so many seconds
    heard_per_s: float = 0.0         # frames, by the engine's own count

    def at(self, percent: int) -> float:
        return quantiles(self.taken_s, n=100, method="inclusive")[percent - 1]

    def counted_at(self, name: str, percent: int) -> float:
        """Return within how many seconds so many percent of a histogram ended, between two of its bounds."""
        counts = self.counted[name]
        wanted, below, before = percent / 100 * max(counts.values()), 0.0, 0.0
        for bound, count in sorted(counts.items()):
            if count >= wanted:
                return below + (bound - below) * (wanted - before) / max(count - before, 1.0)
            below, before = bound, count
        return below

    def flush_at(self, percent: int) -> float:
        return self.counted_at("journal_flush", percent)

    def inside_at(self, percent: int) -> float:
        """Return the engine's own seconds behind the disk."""
        return self.counted_at("receive_to_forwarded", percent) - self.counted_at("receive_to_durable", percent)


class Ear(threading.Thread):
    """A subscriber that notes when each event came."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.heard: dict[str, float] = {}
        self.came = threading.Condition()
        self.stream = urllib.request.urlopen(f"http://{server.http}/v1/alarms/stream", timeout=60)
        self.stream.readline()           # the first block is there: what happens from now on will be heard

    def run(self) -> None:
        with suppress(HTTPException, OSError), self.stream:
            for line in self.stream:
                if line.startswith(b"data: "):
                    self.hear(line[6:], perf_counter())

    def hear(self, data: bytes, now: float) -> None:
        with self.came:
            self.heard[json.loads(data)["data"]["native"]] = now
            self.came.notify_all()

    def wait(self, native: str) -> float:
        """Return when this one came. Raises Refused when it does not."""
        with self.came:
            if not self.came.wait_for(lambda: native in self.heard, ANSWER_S_MAX):
                raise Refused(f"no event of {native} within {ANSWER_S_MAX} s")
            return self.heard[native]


class Probe:
    """Sends fires and times them."""

    def __init__(self, server: Server, ear: Ear) -> None:
        self.link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.link.connect(("127.0.0.1", server.port))
        self.link.setblocking(False)
        self.server, self.ear, self.sequence = server, ear, 0

    def phase(self, shape: Shape) -> Phase:
        before = self._counted()
        taken = [self._one(shape.every_s) for _ in range(shape.fires)]
        return Phase(taken, {name: {bound: count - before[name][bound] for bound, count in counts.items()}
                             for name, counts in self._counted().items()})

    def _one(self, pause_s: float) -> float:
        self.sequence += 1
        text = f"FA1^{self.sequence}^"
        frame = build_frame("SIA-DCS", ACCOUNT, f"#{ACCOUNT}|N{text}".encode(), sequence=self.sequence % 9999 + 1)
        begin = perf_counter()
        self.link.send(frame)
        seconds = self.ear.wait(text) - begin
        threading.Event().wait(pause_s)
        return seconds

    def _counted(self) -> dict[str, Counts]:
        with urllib.request.urlopen(f"http://{self.server.http}/metrics", timeout=10) as answer:
            found = BUCKET.findall(answer.read().decode())
        return {name: {float(bound): float(count) for one, bound, count in found if one == name and bound != "+Inf"}
                for name in {one for one, _, _ in found}}


def run(size: Size, rounds: int = 3) -> list[Result]:
    """Measure both phases in turn on one engine. Raises Refused when an event does not come."""
    shape = SHAPES[size]
    with tempfile.TemporaryDirectory(prefix="tocsin-alarms-") as name, ExitStack() as stack:
        file = write_frames(Path(name) / "frames", heartbeats(shape.load.accounts))
        server = stack.enter_context(engine(Path(name)))
        enrol(server, file, shape.load)
        highest = highest_rate(server, file, shape.load)
        stack.enter_context(pinned(processors()[1]))
        ear = Ear(server)
        ear.start()
        probe = Probe(server, ear)
        stack.callback(probe.link.close)
        probe.phase(Shape(3, 0.0, shape.load))
        drops = reading(server, "tocsin_socket_drops_total")
        phases: dict[str, list[Phase]] = {"idle": [], "flooded": []}
        for _ in range(rounds):
            phases["idle"].append(probe.phase(shape))
            phases["flooded"].append(flooded(probe, server, file, shape, SHARE * highest))
        dropped = reading(server, "tocsin_socket_drops_total") - drops
    ear.join(ANSWER_S_MAX)               # the stream has ended with the engine
    idle, flood = (together(phases[side]) for side in ("idle", "flooded"))
    return [result(size, "idle", idle, {}), result(size, "flooded", flood, {
        "highest_per_s": highest, "heard_per_s": median(one.heard_per_s for one in phases["flooded"]),
        "drops": dropped,
        **{f"times_p{percent}": beside(flood, idle, percent) for percent in (50, 99)}, "times_max": TIMES_MAX})]


def highest_rate(server: Server, file: Path, load: Load) -> float:
    """Return the highest rate, offered and not fed, that is answered without loss: sought from above."""
    rate = client(server, file, load)["rate"]
    while True:
        try:
            client(server, file, load, rate)
            return rate
        except Refused:
            rate *= STEP


def flooded(probe: Probe, server: Server, file: Path, shape: Shape, rate: float) -> Phase:
    """Probe while heartbeats come at this rate."""
    seconds = shape.fires * (shape.every_s + SLOW_S) + 2 * SETTLE_S + 1
    load = Load(seconds, 0.1, shape.load.accounts, shape.load.sockets, shape.load.window, 1000)
    failed: list[Exception] = []

    def flood() -> None:
        try:
            client(server, file, load, rate, 1.0)    # beside probe and subscriber it may miss replies
        except RuntimeError as error:
            failed.append(error)

    loading = threading.Thread(target=flood)
    loading.start()
    threading.Event().wait(SETTLE_S)
    heard = reading(server, "tocsin_frames_received_total")
    began = perf_counter()
    phase = probe.phase(shape)
    phase.heard_per_s = (reading(server, "tocsin_frames_received_total") - heard) / (perf_counter() - began)
    if not loading.is_alive():
        failed.append(Refused("the load ended before the probe"))
    loading.join()
    if failed:
        raise failed[0]
    return phase


def together(phases: list[Phase]) -> Phase:
    counted: dict[str, Counter[float]] = {name: Counter() for name in phases[0].counted}
    for phase in phases:
        for name, counts in phase.counted.items():
            counted[name].update(counts)
    return Phase([one for phase in phases for one in phase.taken_s], {name: dict(one) for name, one in counted.items()})


def beside(flood: Phase, idle: Phase, percent: int) -> float:
    """Return flooded / idle at a percentile, the same percentile of the flushes taken away; 0: it was all disk."""
    return max(flood.at(percent) - flood.flush_at(percent), 0.0) / max(idle.at(percent) - idle.flush_at(percent), 1e-9)


def result(size: Size, side: str, phase: Phase, more: dict[str, float]) -> Result:
    facts: dict[str, float | int | str] = {
        "p50_ms": phase.at(50) * 1e3, "p99_ms": phase.at(99) * 1e3, "flush_p50_ms": phase.flush_at(50) * 1e3,
        "flush_p99_ms": phase.flush_at(99) * 1e3, "inside_p50_ms": phase.inside_at(50) * 1e3,
        "inside_p99_ms": phase.inside_at(99) * 1e3, **more}
    return Result(f"alarms.{side}", size, len(phase.taken_s), "fire", 1 / phase.at(50), 0.0,
                  digest(str(len(phase.taken_s)).encode()), facts)
