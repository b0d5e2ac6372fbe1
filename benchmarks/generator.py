"""UDP heartbeats without replies from one core: `tocsin loadgen` against a bare C sender of the same bytes.

generator.bare, .loadgen           the receiver on the other core takes messages whole (UDP_GRO), so that the cost
                                   is that of sending: as fast as it goes
generator.paced                    the same by `tocsin loadgen` in an open loop at 1,000,000 frames a second
generator.bare_cut, .loadgen_cut   the receiver takes each datagram: over loopback the sender's core cuts the messages
                                   and queues every datagram, so that the kernel is most of the cost
Target        1,000,000 frames a second sent and counted; loadgen_cut / bare_cut at least 0.9

The rate is what the receiver counted, from the first frame to the last.
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.compile import program
from benchmarks.frames import write_frames
from benchmarks.harness import ROOT, Refused, Result, Rounds, Size, digest, in_turn, ratio
from benchmarks.servers import FLOOR_START_S_MAX, line_of, pinned, processors, started
from loadgen.dc09_client import heartbeat_frame

RATIO_MIN = 0.9
PACE = 1_000_000
FIRST, DIGITS, SECOND = 0xA00001, 6, 1_767_225_600   # accounts as loadgen has them; a stamp of the same size
SOCKETS = 8
COUNT_S_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Shape:
    """Seconds of a round, transmitters, and frames a second of the open loop."""
    seconds: float
    accounts: int
    pace: int


@dataclass(frozen=True, slots=True)
class Run:
    """One round: frames a second sent and counted, share of the frames that the receiver lost, CPU of a frame in ns."""
    sent: float
    counted: float
    lost: float
    cpu_ns: float


SHAPES: dict[Size, Shape] = {"smoke": Shape(0.2, 200, 10_000), "full": Shape(2.0, 100_000, PACE)}


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure sender and generator in turn against a counting receiver of either kind.

    Raises  Refused when a generator says that it did not send
    """
    shape = SHAPES[size]
    found: dict[str, list[Run]] = {}
    rates: dict[str, Rounds] = {}
    frames = [heartbeat_frame(FIRST + index, DIGITS, 1, SECOND) for index in range(shape.accounts)]
    with tempfile.TemporaryDirectory(prefix="tocsin-generator-") as name, ExitStack() as stack:
        file = write_frames(Path(name) / "frames", frames)
        for suffix, whole in (("", "1"), ("_cut", "0")):
            process = stack.enter_context(started([str(program("udp_counter")), "--whole", whole], Path(name)))
            counter = Counter(process)
            sides = {f"bare{suffix}": partial(bare, counter, file, shape),
                     f"loadgen{suffix}": partial(generator, counter, shape, "max")}
            if not suffix:
                sides["paced"] = partial(generator, counter, shape, str(shape.pace))
            found |= {side: [] for side in sides}
            rates |= in_turn(rounds, {side: partial(noted, found[side], sides[side]) for side in sides})
    work = digest(*frames)
    return [result(size, side, shape, found, rates, work) for side in found]


def noted(runs: list[Run], side: Callable[[], Run]) -> float:
    runs.append(side())
    return runs[-1].counted


def result(size: Size, side: str, shape: Shape, found: dict[str, list[Run]], rates: dict[str, Rounds],
           work: str) -> Result:
    runs = found[side]
    facts: dict[str, float | int | str] = {
        "sent_per_s": median(one.sent for one in runs), "counted_per_s": rates[side].median,
        "lost_share": median(one.lost for one in runs), "cpu_ns": median(one.cpu_ns for one in runs),
        "best_per_s": rates[side].best}
    if side.startswith("loadgen"):
        floor = side.replace("loadgen", "bare")
        facts["ratio"] = ratio(rates[side], rates[floor])
        facts["cpu_ratio"] = median(one.cpu_ns for one in found[floor]) / max(float(facts["cpu_ns"]), 1.0)
    if side == "loadgen_cut":
        facts["ratio_min"] = RATIO_MIN
    if side == "paced":
        facts["asked_per_s"] = shape.pace
    rows = int(rates[side].median * shape.seconds)
    return Result(f"generator.{side}", size, rows, "frame", rates[side].median, rates[side].spread, work, facts)


class Counter:
    """The counting receiver, told apart by its process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.port = int(line_of(process, r"port (\d+)", FLOOR_START_S_MAX)[1])

    def count(self) -> dict[str, float]:
        """Return what it counted since the last time."""
        os.kill(self.process.pid, signal.SIGUSR1)
        counted: dict[str, float] = json.loads(line_of(self.process, r"counted (\{.*\})", COUNT_S_MAX)[1])
        return counted


def bare(counter: Counter, file: Path, shape: Shape) -> Run:
    """Let the C sender run once."""
    said = output([str(program("udp_sender")), "--to", str(counter.port), "--frames", str(file), "--seconds",
                   str(shape.seconds), "--sockets", str(SOCKETS)], shape)
    return outcome(counter, said["frames"], said["rate"], said["cpu_s"])


def generator(counter: Counter, shape: Shape, rate: str) -> Run:
    """Let `tocsin loadgen` run once."""
    said = output([sys.executable, "-m", "loadgen", "--no-replies", "--no-ceiling", "--json", "--rate", rate,
                   "--duration", str(shape.seconds), "--transmitters", str(shape.accounts), "--sockets", str(SOCKETS),
                   "--first-account", f"{FIRST:X}", "--to", f"127.0.0.1:{counter.port}"], shape)
    return outcome(counter, said["frames"], said["rate"], said["generator_cpu_seconds"])


def outcome(counter: Counter, frames: float, rate: float, cpu_s: float) -> Run:
    counted = counter.count()
    return Run(sent=rate, counted=counted["frames"] / max(counted["elapsed_s"], 1e-9),
               lost=1 - counted["frames"] / frames, cpu_ns=cpu_s * 1e9 / frames)


def output(command: list[str], shape: Shape) -> dict[str, float]:
    """Run a sender on its own core and return what it prints.

    Raises  Refused when it fails
    """
    with pinned(processors()[1]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=shape.seconds + 60, cwd=ROOT)
    if done.returncode:
        raise Refused(f"{command[0]} ended with {done.returncode}: {done.stderr}{done.stdout[-500:]}")
    said: dict[str, float] = json.loads(done.stdout)
    return said
