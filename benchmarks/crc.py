"""Checksums: CRC-16/ARC by a table in C over the bytes that the decode benchmark reads.

crc.table     a byte a step, the plain way; what of a frame's decode the checksum would be if done like that
"""
import ctypes
from collections.abc import Callable
from time import perf_counter

from benchmarks.compile import library
from benchmarks.decode import BODY_AT, SHAPES, stream
from benchmarks.frames import crc
from benchmarks.harness import Refused, Result, Size, digest, in_turn


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure the table.

    Raises  Refused when its sum is not that of the Python twin
    """
    shape = SHAPES[size]
    frames = stream(shape)
    data, frame_bytes = b"".join(frames), len(frames[0])
    table = table_sum(data, len(frames), frame_bytes)
    expected = sum(crc(one[BODY_AT:-1]) for one in frames)
    if table() != expected:
        raise Refused(f"crc_table sums to {table()}, the twin to {expected}")

    def rate() -> float:
        begin = perf_counter()
        for _ in range(shape.laps):
            table()
        return shape.frames * shape.laps / (perf_counter() - begin)

    found = in_turn(rounds, {"table": rate})["table"]
    covered = frame_bytes - BODY_AT - 1
    facts: dict[str, float | int | str] = {"bytes_per_frame": covered, "gigabytes_per_s": found.median * covered / 1e9}
    return [Result("crc.table", size, shape.frames * shape.laps, "frame", found.median, found.spread,
                   digest(expected.to_bytes(8, "little")), facts)]


def table_sum(data: bytes, frames: int, frame_bytes: int) -> Callable[[], int]:
    """Return a call into C that sums the checksums of all frames of `data`."""
    call = library("crc_table").crc_frames
    call.restype = ctypes.c_uint64
    call.argtypes = [ctypes.c_char_p, *[ctypes.c_uint32] * 4]
    return lambda: int(call(data, frames, frame_bytes, BODY_AT, frame_bytes - 1))
