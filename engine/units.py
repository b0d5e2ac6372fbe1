"""Durations, sizes and addresses as people write them, and back.

A duration is a number and ms, s, m, h or d ("90s", "1.5h", "250 ms"); inside it is whole nanoseconds.
A size is a number and B, KiB, MiB, GiB or TiB ("64MiB"); inside it is whole bytes.
An address is HOST:PORT, with brackets around IPv6 ("127.0.0.1:8914", "[::1]:8914"); port 0 takes a free one.
All readers raise ValueError on anything else.
"""
import ipaddress
import re
from dataclasses import dataclass
from fractions import Fraction

DURATION_NS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}
SIZE_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
QUANTITY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen or to connect."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it; a name other than localhost is taken as reachable."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_quantity(text: str, units: dict[str, int]) -> int:
    """Return `text` in the base unit; fractions must come out whole."""
    match = QUANTITY.fullmatch(text)
    if match is None or match[2] not in units:
        raise ValueError(text)
    quantity = Fraction(match[1]) * units[match[2]]
    if quantity.denominator != 1:
        raise ValueError(text)
    return int(quantity)


def write_quantity(quantity: int, units: dict[str, int]) -> str:
    """Return the shortest whole number with its unit; exact, so that reading it back gives the same."""
    for unit, factor in sorted(units.items(), key=lambda item: -item[1]):
        if quantity and quantity % factor == 0:
            return f"{quantity // factor}{unit}"
    smallest, factor = min(units.items(), key=lambda item: item[1])
    whole, rest = divmod(quantity, factor)
    return f"{whole}{smallest}" if not rest else f"{whole}.{rest:06d}{smallest}"   # ns left over: only of ms


def read_duration_ns(text: str) -> int:
    return read_quantity(text, DURATION_NS)


def write_duration(ns: int) -> str:
    return write_quantity(ns, DURATION_NS)


def read_size(text: str) -> int:
    return read_quantity(text, SIZE_BYTES)


def write_size(size: int) -> str:
    return write_quantity(size, SIZE_BYTES)


def read_address(text: str) -> Address:
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^\s:\[\]/@]+)):([0-9]{1,5})", text)
    if match is None or int(match[3]) > 65535:
        raise ValueError(text)
    if match[1] is not None:
        ipaddress.IPv6Address(match[1])
    return Address(match[1] or match[2], int(match[3]))
