"""DC-09 frames to measure with, always the same for the same arguments, and the files that the C clients read."""
import struct
from collections.abc import Iterable
from functools import cache
from pathlib import Path

SIGNAL_CODES = ("FA", "FR", "GA", "GH", "FT", "AT", "YT", "RP")   # SIA: fire, gas, faults, test


@cache
def crc_table() -> tuple[int, ...]:
    """The 256 steps of CRC-16/ARC: polynomial 0x8005 reflected, start 0."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
        table.append(value)
    return tuple(table)


def crc(body: bytes) -> int:
    """Return the CRC-16/ARC of `body`; "123456789" gives 0xBB3D."""
    table, value = crc_table(), 0
    for byte in body:
        value = value >> 8 ^ table[(value ^ byte) & 0xFF]
    return value


def frame(body: str) -> bytes:
    """Return the frame around `body` (from the token's quote to the last byte before CR)."""
    inside = body.encode("ascii")
    return b"\n%04X0%03X%s\r" % (crc(inside), len(inside), inside)


def heartbeats(accounts: int) -> list[bytes]:
    """One NULL frame for each account; all have the same size."""
    return [frame(f'"NULL"0001L0#{account:06X}[]') for account in range(accounts)]


def signals(count: int, accounts: int, first: int = 0) -> list[bytes]:
    """`count` SIA-DCS frames, one signal each, each new; accounts and codes take turns. All have the same size.

    first   frames that were made before: those that follow them
    """
    frames = []
    for index in range(first, first + count):
        account, code = f"{index % accounts:06X}", SIGNAL_CODES[index // accounts % len(SIGNAL_CODES)]
        frames.append(frame(f'"SIA-DCS"{index % 9999 + 1:04d}L0#{account}[#{account}|Nri1/{code}{index % 512:03d}]'))
    return frames


def fires(count: int, accounts: int) -> list[bytes]:
    """`count` SIA-DCS frames with a fire each: all accounts at one point, then at the next. All have the same size."""
    return [frame(f'"SIA-DCS"{turn + 1:04d}L0#{account:06X}[#{account:06X}|Nri1/FA{turn + 1:03d}]')
            for turn, account in (divmod(index, accounts) for index in range(count))]


def write_frames(path: Path, frames: Iterable[bytes]) -> Path:
    """Write the frames as the C clients read them: u16 little endian length, bytes."""
    path.write_bytes(b"".join(struct.pack("<H", len(one)) + one for one in frames))
    return path
