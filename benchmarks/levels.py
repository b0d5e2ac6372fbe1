"""What a status that says nothing new costs beside a heartbeat, and what remembering 1,000,000 components takes.

levels.null        DC-09 heartbeats through the receiver: bytes -> path -> finished reply, every path known
levels.empty       GB/T 26875.3 heartbeats without data, likewise
levels.quiet       a component's status (type 2, one object with its text) that says that all is well, as before
levels.unchanged   a component's status that says fire, as before: its word is remembered and compared
levels.memory      frames of 22 components, all on fire: bytes a component, memory of recent frames included, and
                   how long a snapshot of them holds the loop; a fresh process
Target             quiet at most 4 times null, unchanged at most 6
"""
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter

from benchmarks.frames import heartbeats
from benchmarks.harness import ROOT, Refused, Result, Size, digest, in_turn, memory_bytes, need, ratio

NOW_NS = 1_767_225_600_000_000_000
TIMES_MAX = {"quiet": 4.0, "unchanged": 6.0}     # what a status may cost, in heartbeats
FIRE, QUIET = 0x0002, 0x0000
OBJECTS_PER_FRAME = 22           # the most that the standard allows
FRAMES_PER_APPEND = 700          # their rows fit into one batch
COMPONENTS: dict[Size, int] = {"smoke": 22_000, "full": 1_000_000}
DESCRIPTION = bytes.fromhex("B6FEB2E3B0CBD7E9").ljust(31, b"\0")      # second floor, group eight, in GB 18030


@dataclass(frozen=True, slots=True)
class Shape:
    """Frames of a round, and how often they are taken in it."""
    frames: int
    laps: int


SHAPES: dict[Size, Shape] = {"smoke": Shape(64, 2), "full": Shape(10_000, 40)}


def run(size: Size, rounds: int = 7) -> list[Result]:
    """Measure the kinds of frames in turn, then the memory.

    Raises  NotBuilt without the receiver, Refused when a frame is not answered or an unchanged status makes a row
    """
    need("benchmarks.taking")
    shape = SHAPES[size]
    work = {"null": heartbeats(shape.frames), "empty": [send(number) for number in range(1, shape.frames + 1)],
            "quiet": [status(number, 1, QUIET) for number in range(1, shape.frames + 1)],
            "unchanged": [status(number, 1) for number in range(1, shape.frames + 1)]}
    found = in_turn(rounds, {name: taking(frames, shape) for name, frames in work.items()})
    results = []
    for name, frames in work.items():
        facts: dict[str, float | int | str] = {"frame_bytes": len(frames[0])}
        if name != "null":
            facts["times_null"] = ratio(found["null"], found[name])
        if name in TIMES_MAX:
            facts["times_null_max"] = TIMES_MAX[name]
        results.append(Result(f"levels.{name}", size, shape.frames * shape.laps, "frame", found[name].median,
                              found[name].spread, digest(*frames), facts))
    report = in_process(size)
    results.append(Result("levels.memory", size, COMPONENTS[size], "component", report.pop("components_per_s"), 0.0,
                          digest(struct.pack("<Q", int(report["snapshot_bytes"]))), dict(report)))
    return results


def send(source: int, data: bytes = b"", serial: int = 0) -> bytes:
    """Return a frame of command 2 (send)."""
    tag = bytes((0, source % 60, 8, 1, 1, 26))
    body = (struct.pack("<H", serial & 0xFFFF) + b"\x01\x00" + tag + source.to_bytes(6, "little") + bytes(6)
            + struct.pack("<H", len(data)) + b"\x02" + data)
    return b"@@" + body + bytes((sum(body) & 0xFF,)) + b"##"


def status(source: int, objects: int, word: int = FIRE) -> bytes:
    """Return a frame that gives the word of `objects` smoke detectors of one transmitter."""
    tag = bytes((0, source % 60, 8, 1, 1, 26))
    components = (bytes((1, 1, 40)) + struct.pack("<IH", source * OBJECTS_PER_FRAME + number, word) + DESCRIPTION + tag
                  for number in range(objects))
    return send(source, bytes((2, objects)) + b"".join(components), source)


def taking(frames: list[bytes], shape: Shape) -> Callable[[], float]:
    """Return what hands all frames to a receiver that has met them; none may make a row any more."""
    receiver = import_module("benchmarks.taking").Listening(len(frames))
    data = b"".join(frames)
    receiver.meet(data, NOW_NS)                                       # enrolments
    receiver.meet(data, NOW_NS)                                       # words

    def rate() -> float:
        begin = perf_counter()
        for _ in range(shape.laps):
            taken, reply_bytes = receiver.take(data, NOW_NS)
            if taken != len(frames) or reply_bytes < 30 * taken or receiver.rows_in:
                raise Refused(f"{taken} of {len(frames)} frames taken, {reply_bytes} bytes of replies, "
                              f"{receiver.rows_in} rows")
        return shape.laps * len(frames) / (perf_counter() - begin)

    return rate


def in_process(size: Size) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-m", "benchmarks.levels", size], cwd=ROOT, capture_output=True, text=True,
                          timeout=300)
    if done.returncode:
        raise RuntimeError(done.stderr)
    report: dict[str, float] = json.loads(done.stdout)
    return report


def measure_memory(components: int) -> dict[str, float]:
    """Let one receiver hear of so many components, each on fire."""
    count = -(-components // OBJECTS_PER_FRAME)
    receiver = import_module("benchmarks.taking").Listening(count)
    frames = [status(source, OBJECTS_PER_FRAME) for source in range(1, count + 1)]
    for at in range(0, count, FRAMES_PER_APPEND):                     # enrolments, and memory that is used again
        senders = range(at + 1, min(at + FRAMES_PER_APPEND, count) + 1)
        receiver.meet(b"".join(send(source) for source in senders), NOW_NS)
    before, begin = memory_bytes(), perf_counter()
    for at in range(0, count, FRAMES_PER_APPEND):
        receiver.meet(b"".join(frames[at:at + FRAMES_PER_APPEND]), NOW_NS)
    rate = count * OBJECTS_PER_FRAME / (perf_counter() - begin)
    bytes_per_component = (memory_bytes() - before) / (count * OBJECTS_PER_FRAME)
    begin = perf_counter()
    saved = receiver.save()
    return {"components_per_s": rate, "bytes_per_component": bytes_per_component, "snapshot_bytes": len(saved),
            "snapshot_ms": (perf_counter() - begin) * 1000}


if __name__ == "__main__":
    wanted: Size = "full" if sys.argv[1] == "full" else "smoke"
    sys.stdout.write(json.dumps(measure_memory(COMPONENTS[wanted])) + "\n")
