"""What one frame costs between the wire and the batch, in yardsticks: CRC-16/ARC by a table over the same bytes.

wire.yardstick_signal      the checksum of a DC-09 signal of 64 bytes, a byte a step (floor/crc_table.c)
wire.gbt26875              GB/T 26875.3, a component's status (type 2) with one object: bytes -> row of a batch
wire.dc09                  the DC-09 signals of the yardstick: bytes -> row of a batch
wire.yardstick_heartbeat   the checksum of a DC-09 heartbeat without a stamp
wire.heartbeat             the same heartbeats through the receiver: bytes -> path -> finished reply, every path known
Target                     gbt26875 at most 2 yardsticks of the signal, heartbeat at most 4 of its own
"""
import struct
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter

from benchmarks.crc import table_sum
from benchmarks.frames import frame, heartbeats
from benchmarks.harness import Refused, Result, Rounds, Size, digest, in_turn, need, ratio

NOW_NS = 1_767_225_600_000_000_000
SIGNAL_BYTES = 64
ROW_ARENA_BYTES = 512            # texts of one row, with room to spare
YARDSTICKS_MAX = {"gbt26875": 2.0, "heartbeat": 4.0}
YARDSTICK_OF = {"gbt26875": "yardstick_signal", "dc09": "yardstick_signal", "heartbeat": "yardstick_heartbeat"}
# Second floor, group eight, as GB 18030 has it, in the 31 bytes of a component's description.
DESCRIPTION = bytes.fromhex("B6FEB2E3B0CBD7E9").ljust(31, b"\0")


@dataclass(frozen=True, slots=True)
class Shape:
    """Frames of a round, and how often they are read in it."""
    frames: int
    laps: int


SHAPES: dict[Size, Shape] = {"smoke": Shape(64, 2), "full": Shape(10_000, 40)}


def run(size: Size, rounds: int = 7) -> list[Result]:
    """Measure all sides in turn.

    Raises  NotBuilt without codec or engine, Refused when a side does not read every frame
    """
    need("codec.reading", "benchmarks.taking")
    shape = SHAPES[size]
    signals, statuses, lives = dc09_signals(shape.frames), gbt26875_statuses(shape.frames), heartbeats(shape.frames)
    work = {"yardstick_signal": checksums(signals), "gbt26875": decoding(statuses), "dc09": decoding(signals),
            "yardstick_heartbeat": checksums(lives), "heartbeat": taking(lives)}
    frames = {"gbt26875": statuses, "yardstick_heartbeat": lives, "heartbeat": lives}
    found = in_turn(rounds, {name: rate(once, shape) for name, once in work.items()})
    return [Result(f"wire.{name}", size, shape.frames * shape.laps, "frame", found[name].median, found[name].spread,
                   digest(*frames.get(name, signals)), facts(name, found, len(frames.get(name, signals)[0])))
            for name in work]


def facts(name: str, found: dict[str, Rounds], frame_bytes: int) -> dict[str, float | int | str]:
    told: dict[str, float | int | str] = {"frame_bytes": frame_bytes}
    if name in YARDSTICK_OF:
        told["yardsticks"] = ratio(found[YARDSTICK_OF[name]], found[name])
    if name in YARDSTICKS_MAX:
        told["yardsticks_max"] = YARDSTICKS_MAX[name]
    return told


def rate(once: Callable[[], None], shape: Shape) -> Callable[[], float]:
    """Return what measures `once`, which reads all frames; the first call, unmeasured, warms it."""
    once()

    def measured() -> float:
        begin = perf_counter()
        for _ in range(shape.laps):
            once()
        return shape.frames * shape.laps / (perf_counter() - begin)

    return measured


def dc09_signals(count: int) -> list[bytes]:
    """SIA-DCS frames of 64 bytes, one fire each, with a text."""
    frames = [frame(f'"SIA-DCS"{index % 9999 + 1:04d}L0#{index % 1000:06X}'
                    f"[#{index % 1000:06X}|Nri1/FA{index % 512:03d}^Smoke 1023^]") for index in range(count)]
    assert {len(one) for one in frames} == {SIGNAL_BYTES}
    return frames


def gbt26875_statuses(count: int) -> list[bytes]:
    """Frames of 78 bytes: smoke detector on fire, with its description; addresses take turns."""
    frames = []
    for index in range(count):
        tag = bytes((0, index % 60, 8, 1, 1, 26))
        component = struct.pack("<HH", index % 200 + 1, index % 7 + 1)
        data = bytes((2, 1, 1, 1, 40)) + component + b"\x02\x00" + DESCRIPTION + tag
        body = (struct.pack("<H", index & 0xFFFF) + b"\x01\x00" + tag + (index % 1000 + 1).to_bytes(6, "little")
                + bytes(6) + struct.pack("<H", len(data)) + b"\x02" + data)
        frames.append(b"@@" + body + bytes((sum(body) & 0xFF,)) + b"##")
    return frames


def checksums(frames: list[bytes]) -> Callable[[], None]:
    table = table_sum(b"".join(frames), len(frames), len(frames[0]))

    def once() -> None:
        table()

    return once


def decoding(frames: list[bytes]) -> Callable[[], None]:
    """Return what reads all frames into a batch once."""
    decode_stream = import_module("codec.reading").decode_stream
    batch = import_module("codec.batch").Batch(len(frames), len(frames) * ROW_ARENA_BYTES)
    data = b"".join(frames)

    def once() -> None:
        batch.clear()
        if decode_stream(data, batch, NOW_NS) != len(frames) or len(batch) != len(frames):
            raise Refused(f"not every frame is read: {len(batch)} rows of {len(frames)} frames")

    return once


def taking(frames: list[bytes]) -> Callable[[], None]:
    """Return what hands all frames to a receiver that knows their paths."""
    receiver = import_module("benchmarks.taking").Listening(len(frames))
    data = b"".join(frames)
    receiver.meet(data, NOW_NS)

    def once() -> None:
        taken, reply_bytes = receiver.take(data, NOW_NS)
        if taken != len(frames) or reply_bytes < 30 * taken:
            raise Refused(f"{taken} of {len(frames)} heartbeats taken, {reply_bytes} bytes of replies")

    return once
