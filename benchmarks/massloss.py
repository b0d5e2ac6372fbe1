"""A million transmitters that fall silent within a second, while others live on and one reports a fire.

massloss.event   from the first deadline to the one event that says so, at a subscriber; at most 2 s
massloss.beats   heartbeats answered meanwhile, of those offered, against the time before; at least 0.8
massloss.fire    a fire sent when a tenth of them is lost, to the same subscriber; at most 1 s
The engine starts knowing them all and hears none of them, with a real database. Heartbeats of others are offered at
a steady rate by a client in C; what was answered is the engine's own count, read ten times a second.
"""
import asyncio
import json
import socket
import tempfile
import threading
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException
from pathlib import Path

from benchmarks.frames import frame, write_frames
from benchmarks.harness import Refused, Result, Size, digest
from benchmarks.known import remember
from benchmarks.servers import Server, engine, pinned, processors
from benchmarks.udp import Shape as Load
from benchmarks.udp import client
from codec.reading import build_frame

EVENT_S_MAX, FIRE_S_MAX, BEATS_MIN = 2.0, 1.0, 0.8
FIRST_ACCOUNT = 0xF00000         # of those that live on; the first of them reports the fire
ACCOUNT = f"{FIRST_ACCOUNT:06X}"
LOOK_S = 0.1
CONFIGURATION = """\
[unknown_accounts]
policy = "enrol"
rate = 1000000
limit = {paths}
[supervision]
default = "{seconds}s"
grace = "{seconds}s"
[paths]
max = {paths}
[alarms]
accept_within = "0"
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """lost: who falls silent; alive: who lives on; rate: their heartbeats a second; seconds: all are silent so long."""
    lost: int
    alive: int
    rate: float
    seconds: int


SHAPES: dict[Size, Shape] = {"smoke": Shape(2_000, 50, 2_000, 5), "full": Shape(1_000_000, 1_000, 100_000, 20)}


@dataclass(frozen=True, slots=True)
class Sample:
    at: float
    frames: float
    faults: float


class Ear(threading.Thread):
    """A subscriber that notes when each event came, by the wall clock and by ours."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.events: list[tuple[float, float, dict[str, object]]] = []
        self.stream = urllib.request.urlopen(f"http://{server.http}/v1/alarms/stream", timeout=120)
        self.stream.readline()

    def run(self) -> None:
        with suppress(HTTPException, OSError, ValueError), self.stream:
            for line in self.stream:
                if line.startswith(b"data: {"):
                    self.events.append((time.time(), time.perf_counter(), json.loads(line[6:])))

    def of(self, kind: str) -> list[tuple[float, float, dict[str, object]]]:
        return [event for event in list(self.events) if str(event[2].get("type")).startswith(f"io.tocsin.{kind}")]


def run(size: Size, rounds: int = 1) -> list[Result]:
    """Measure once: a loss is no thing to repeat on one engine. Raises Refused when an event does not come."""
    shape = SHAPES[size]
    paths = shape.lost + shape.alive + 1000
    with tempfile.TemporaryDirectory(prefix="tocsin-massloss-") as name:
        directory = Path(name)
        asyncio.run(remember(directory / "data" / "journal", shape.lost, shape.seconds * 1000, judged=True))
        frames = write_frames(directory / "frames", [frame(f'"NULL"0001L0#{FIRST_ACCOUNT + number:06X}[]')
                                                     for number in range(shape.alive)])
        with engine(directory, CONFIGURATION.format(paths=paths, seconds=shape.seconds)) as server:
            ear = Ear(server)
            ear.start()
            samples, fired = watch(server, shape, frames, ear)
            lost = ear.of("network.lost")
            fires = ear.of("alarm.raised")
    if len(lost) != 1 or not fires:
        raise Refused(f"{len(lost)} events of mass loss, {len(fires)} of a fire")
    return results(size, shape, samples, lost[0], fires[0][1] - fired)


def watch(server: Server, shape: Shape, frames: Path, ear: Ear) -> tuple[list[Sample], float]:
    """Offer heartbeats until all are lost, and a while longer; return the samples, and when the fire was sent."""
    seconds = 2.0 * shape.seconds + 20
    load = Load(seconds, 0.1, shape.alive, 16, 1024, 1000)
    def offer() -> None:
        with suppress(RuntimeError):         # the engine is stopped before the load ends
            client(server, frames, load, shape.rate, 1.0)

    threading.Thread(target=offer, daemon=True).start()
    samples: list[Sample] = []
    fired = 0.0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link, pinned(processors()[1]):
        link.connect(("127.0.0.1", server.port))
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            samples.append(sample(server))
            if not fired and samples[-1].faults >= shape.lost / 10:
                fired = time.perf_counter()
                link.send(build_frame("SIA-DCS", ACCOUNT, f"#{ACCOUNT}|NFA1".encode(), sequence=1))
            if samples[-1].faults >= shape.lost and ear.of("network.lost") and ear.of("alarm.raised"):
                break
            time.sleep(LOOK_S)
    return samples, fired


def sample(server: Server) -> Sample:
    with urllib.request.urlopen(f"http://{server.http}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()

    def total(name: str) -> float:
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((name + "{", name + " ")))
    return Sample(time.perf_counter(), total("tocsin_frames_received_total"), total("tocsin_line_faults_total"))


def results(size: Size, shape: Shape, samples: list[Sample], lost: tuple[float, float, dict[str, object]],
            fire_s: float) -> list[Result]:
    """Turn what was seen into figures."""
    data = lost[2]["data"]
    assert isinstance(data, dict)
    event_s = lost[0] - datetime.fromisoformat(data["since"]).timestamp()
    begun = next(index for index, one in enumerate(samples) if one.faults > 0)
    ended = next((index for index, one in enumerate(samples) if one.faults >= shape.lost), len(samples) - 1)
    before = [one for one in samples[:begun] if one.at > samples[begun].at - 5.0]
    if len(before) < 2:
        raise Refused("the loss began before heartbeats had a rate")
    normal = rate_of(before[0], before[-1])
    meanwhile = rate_of(samples[begun - 1], samples[ended])
    loss_s = samples[ended].at - samples[begun].at
    work = digest(repr(shape).encode())
    facts: dict[str, float | int | str] = {"lost": shape.lost, "loss_s": loss_s, "told_members": int(data["members"])}
    return [
        Result("massloss.event", size, 1, "event", 1 / event_s, 0.0, work,
               facts | {"seconds": event_s, "seconds_max": EVENT_S_MAX}),
        Result("massloss.beats", size, int(meanwhile * loss_s), "heartbeat", meanwhile, 0.0, work,
               {"normal_per_s": normal, "ratio": meanwhile / normal, "ratio_min": BEATS_MIN}),
        Result("massloss.fire", size, 1, "fire", 1 / fire_s, 0.0, work,
               {"seconds": fire_s, "seconds_max": FIRE_S_MAX}),
    ]


def rate_of(first: Sample, last: Sample) -> float:
    return (last.frames - first.frames) / (last.at - first.at)
