"""A change of version: how long no transmitter gets a reply while one engine replaces another.

takeover.idle      nothing but the probe: a heartbeat every 2 ms, each reply timed from the moment its frame was due
takeover.loaded    the same beside a fleet that sends heartbeats and signals
Target             gap_p50_ms at most 50 with 100,000 paths
"""
import json
import os
import select
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.harness import ROOT, NotBuilt, Refused, Result, Size, digest
from benchmarks.servers import ENGINE_CONFIGURATION, ENGINE_START_S_MAX, STOP_S_MAX, line_of, reading
from codec.reading import build_frame

GAP_MS_MAX = 50
PROBE_EVERY_S = 0.002
PROBE_FRAMES = 9999              # sequence numbers; they come again after 20 s
ANSWER_S_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Shape:
    """How much of it: paths in the table, changes of each side, the fleet's frames a second, share of signals."""
    paths: int
    changes: int
    rate: int
    signals: float = 0.01


SHAPES: dict[Size, Shape] = {"smoke": Shape(500, 1, 500), "full": Shape(100_000, 5, 10_000)}


class Probe(threading.Thread):
    """Sends a heartbeat every PROBE_EVERY_S, whatever comes back, until the block ends; `gap_s` is the longest wait.

    A frame that is never answered counts as having waited until the end.
    """

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.link.connect(("127.0.0.1", port))
        self.frames = [build_frame("NULL", "BEEF", sequence=number) for number in range(1, PROBE_FRAMES + 1)]
        self.ended = threading.Event()
        self.waiting: dict[int, float] = {}
        self.gap_s = 0.0
        self.answered = self.lost = 0

    def __enter__(self) -> "Probe":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()
        self.link.close()

    def run(self) -> None:
        due = time.monotonic()
        sent = 0
        while not self.ended.is_set():
            self.take(due)
            while (now := time.monotonic()) >= due:
                number = sent % PROBE_FRAMES
                self.waiting[number + 1] = due
                self.link.send(self.frames[number])
                sent, due = sent + 1, due + PROBE_EVERY_S
        last = time.monotonic() + ANSWER_S_MAX
        while self.waiting and time.monotonic() < last:
            self.take(last)
        self.lost = len(self.waiting)
        for due in self.waiting.values():
            self.gap_s = max(self.gap_s, now - due)

    def take(self, until: float) -> None:
        """Take replies until a moment."""
        while (left := until - time.monotonic()) > 0 and select.select([self.link], [], [], left)[0]:
            reply = self.link.recv(4096)
            due = self.waiting.pop(int(reply.partition(b'"ACK"')[2][:4]), None)
            if due is not None:
                self.answered += 1
                self.gap_s = max(self.gap_s, time.monotonic() - due)
            if not self.waiting:
                return self.rest(until)
        return None

    def rest(self, until: float) -> None:
        self.ended.wait(max(0.0, until - time.monotonic()))


class Engines:
    """One engine after the other on the same data and the same sockets."""

    def __init__(self, directory: Path) -> None:
        program = ROOT / ".venv" / "bin" / "tocsin"
        if not program.exists():
            raise NotBuilt("the program tocsin: run `make build`")
        directory.chmod(0o755)
        file = directory / "tocsin.toml"
        file.write_text(ENGINE_CONFIGURATION)
        self.command = [str(program), "serve", "--config", str(file), "--listen", "127.0.0.1:0",
                        "--http", "127.0.0.1:0", "--data", str(directory / "data")]
        self.log = (directory / "log").open("ab")
        self.running = self.begin()

    def begin(self, *more: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen([*self.command, *more], stdout=subprocess.PIPE, stderr=self.log, cwd=ROOT)
        found = line_of(child, r"ready listen=\S+:(\d+) http=(\S+) database=(\S+)", ENGINE_START_S_MAX)
        self.port, self.http, self.pid = int(found[1]), found[2], child.pid
        return child

    def change(self) -> None:
        """Replace the running engine. Raises Refused when the old one does not end in order."""
        before, self.running = self.running, self.begin("--takeover")
        self.end(before)

    def end(self, child: subprocess.Popen[bytes]) -> None:
        code = child.wait(STOP_S_MAX)
        if child.stdout:
            child.stdout.close()
        if code:
            raise Refused(f"an engine ended with {code}")

    def close(self) -> None:
        self.running.terminate()
        self.end(self.running)
        self.log.close()


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure the gap of several changes, idle and under load. Raises Refused when a heartbeat got no reply."""
    shape = SHAPES[size]
    changes = min(rounds, shape.changes)
    with tempfile.TemporaryDirectory(prefix="tocsin-takeover-") as name, ExitStack() as stack:
        engines = Engines(Path(name))
        stack.callback(engines.close)
        enrol(engines, shape)
        idle = [gap_of(engines) for _ in range(changes)]
        with fleet(engines, shape, Path(name)):
            loaded = [gap_of(engines) for _ in range(changes)]
        kept = int(reading_of(engines, "tocsin_paths"))
    if kept < shape.paths:
        raise Refused(f"{kept} of {shape.paths} paths are known after the changes")
    return [result(f"takeover.{side}", size, shape, gaps) for side, gaps in (("idle", idle), ("loaded", loaded))]


def gap_of(engines: Engines) -> float:
    with Probe(engines.port) as probe:
        engines.change()
    if probe.lost or not probe.answered:
        raise Refused(f"{probe.lost} heartbeats were never answered, {probe.answered} were")
    return probe.gap_s


def result(name: str, size: Size, shape: Shape, gaps: list[float]) -> Result:
    middle = median(gaps)
    facts: dict[str, float | int | str] = {
        "paths": shape.paths, "gap_p50_ms": middle * 1000, "gap_max_ms": max(gaps) * 1000,
        "gap_min_ms": min(gaps) * 1000, "gap_p50_ms_max": GAP_MS_MAX}
    return Result(name, size, len(gaps), "change", 1 / middle, (max(gaps) - min(gaps)) / middle,
                  digest(json.dumps([shape.paths, len(gaps)]).encode()), facts)


def reading_of(engines: Engines, name: str) -> float:
    from benchmarks.servers import Server

    return reading(Server(engines.pid, engines.port, engines.http), name)


def loadgen(engines: Engines, *more: str) -> list[str]:
    return [str(ROOT / ".venv" / "bin" / "tocsin"), "loadgen", "--to", f"127.0.0.1:{engines.port}", "--http",
            f"http://{engines.http}", "--no-ceiling", *more]


def enrol(engines: Engines, shape: Shape) -> None:
    """Let every transmitter speak once. Raises RuntimeError when not all are known then."""
    rate = min(20_000, shape.paths)
    done = subprocess.run(loadgen(engines, "--transmitters", str(shape.paths), "--rate", str(rate), "--alarms", "0",
                                  "--duration", str(shape.paths / rate + 0.5), "--no-audit"),
                          capture_output=True, text=True, timeout=120)
    if (known := int(reading_of(engines, "tocsin_paths"))) < shape.paths:
        raise RuntimeError(f"only {known} of {shape.paths} transmitters were enrolled: {done.stdout} {done.stderr}")


@contextmanager
def fleet(engines: Engines, shape: Shape, directory: Path) -> Iterator[None]:
    """Let the fleet send while the block runs."""
    with (directory / "loadgen").open("wb") as said:
        child = subprocess.Popen(loadgen(engines, "--transmitters", str(shape.paths), "--rate", str(shape.rate),
                                         "--alarms", str(shape.signals), "--duration", "600", "--no-audit"),
                                 stdout=said, stderr=said)
    try:
        before = reading_of(engines, "tocsin_frames_received_total")
        until = time.monotonic() + ANSWER_S_MAX
        while reading_of(engines, "tocsin_frames_received_total") == before:
            if time.monotonic() > until or child.poll() is not None:
                raise RuntimeError(f"the fleet does not send: {(directory / 'loadgen').read_text()}")
            os.sched_yield()
        yield
    finally:
        child.terminate()
        child.wait(STOP_S_MAX)
