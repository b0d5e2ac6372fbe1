"""Decode of DC-09 frames with one signal each: the codec into a batch, against pysiaalarm into its objects.

decode.codec        a whole buffer of frames -> rows of a batch, no Python object a frame
decode.pysiaalarm   the same frames one by one -> SIAEvent: checksum, fields, code
Target              codec / pysiaalarm at least 100, per frame
"""
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter

from benchmarks.frames import signals
from benchmarks.harness import Refused, Result, Size, digest, in_turn, need, ratio

RATIO_MIN = 100.0
BODY_AT = 9                      # LF, four digits of checksum, four of length
NOW_NS = 1_767_225_600_000_000_000
ROW_ARENA_BYTES = 512            # texts of one row, with room to spare


@dataclass(frozen=True, slots=True)
class Shape:
    """Frames in the buffer, how often the codec reads it in a round, how many frames pysiaalarm gets."""
    frames: int
    laps: int
    peer_frames: int


SHAPES: dict[Size, Shape] = {"smoke": Shape(64, 2, 16), "full": Shape(4096, 100, 2000)}


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure both sides in turn.

    Raises  NotBuilt without codec.reading, Refused when a side does not read every frame
    """
    need("codec.reading")
    shape = SHAPES[size]
    frames = stream(shape)
    codec, codec_digest = codec_side(frames, shape)
    peer, peer_digest = peer_side(frames, shape)
    found = in_turn(rounds, {"codec": codec, "pysiaalarm": peer})
    facts: dict[str, float | int | str] = {
        "ratio": ratio(found["codec"], found["pysiaalarm"]), "ratio_min": RATIO_MIN, "frame_bytes": len(frames[0])}
    return [
        Result("decode.codec", size, shape.frames * shape.laps, "frame", found["codec"].median, found["codec"].spread,
               codec_digest, facts),
        Result("decode.pysiaalarm", size, shape.peer_frames, "frame", found["pysiaalarm"].median,
               found["pysiaalarm"].spread, peer_digest),
    ]


def stream(shape: Shape) -> list[bytes]:
    return signals(shape.frames, accounts=max(shape.frames // 8, 1))


def codec_side(frames: list[bytes], shape: Shape) -> tuple[Callable[[], float], str]:
    """Return what measures the codec once, and the hash of the rows it makes."""
    decode_stream = import_module("codec.reading").decode_stream
    batch = import_module("codec.batch").Batch(len(frames), len(frames) * ROW_ARENA_BYTES)
    data = b"".join(frames)

    def once() -> None:
        batch.clear()
        read = decode_stream(data, batch, NOW_NS)
        if read != len(frames) or len(batch) != len(frames):
            raise Refused(f"the codec read {read} frames and {len(batch)} rows of {len(frames)}")

    def rate() -> float:
        begin = perf_counter()
        for _ in range(shape.laps):
            once()
        return shape.laps * len(frames) / (perf_counter() - begin)

    once()
    return rate, digest(batch.encode())


def peer_side(frames: list[bytes], shape: Shape) -> tuple[Callable[[], float], str]:
    """Return what measures pysiaalarm once, and the hash of the codes it finds. It does what its server does."""
    event_of = import_module("pysiaalarm.event").SIAEvent.from_line
    taken = [frames[index % len(frames)] for index in range(shape.peer_frames)]

    def once(data: bytes) -> str:
        event = event_of(data.decode("ascii", errors="ignore").strip())
        if not event.valid_message or event.code_not_found:
            raise Refused(f"pysiaalarm does not read {data!r}")
        return f"{event.account}{event.code}"

    def rate() -> float:
        begin = perf_counter()
        for data in taken:
            once(data)
        return len(taken) / (perf_counter() - begin)

    return rate, digest(*[once(data).encode() for data in taken])
