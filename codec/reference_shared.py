"""What the plain twins of all formats share: the profile of a transmitter, the checksum, texts and times as shown."""
from dataclasses import dataclass
from datetime import timedelta

from codec.reference_details import EPOCH, text_of


class Bad(Exception):
    """The bytes are at fault; the argument is the status."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of the transmitter; the fields of Profile in frame.pxd."""
    key: bytes | None = None
    window: tuple[int, int] = (40, 20)
    encrypted_only: bool = False
    check_clear_stamps: bool = False
    reject_stale: bool = False
    clock: str | None = None


def checksum(data: bytes) -> int:
    """CRC-16/ARC, bit by bit."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def shown(seconds: int | None) -> str | None:
    return None if seconds is None else (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def cut(text: str, bytes_max: int) -> tuple[str, bool]:
    kept = text.encode()[:bytes_max].decode("utf-8", "ignore")
    return kept, kept != text


def clean(native: bytes, room: int = 512) -> tuple[str, list[str]]:
    """Return text without NUL, at most `room` bytes of UTF-8, and the flags cut and cleaned."""
    text, cleaned = text_of(native)
    kept, was_cut = cut(text, room)
    return kept, ["cut"] * was_cut + ["cleaned"] * cleaned
