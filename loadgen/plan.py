"""What a run is told to do, and what it reports back; both cross a process border, so both are plain values."""

from dataclasses import dataclass, field
from random import SystemRandom

from loadgen.client import Speaker
from loadgen.clock import wall_ns
from loadgen.shapes import Style, speaker

ACCOUNT_DIGITS_MIN = 4
ACCOUNT_DIGITS_MAX = 15
SOCKETS_MAX = 4096
FULL_SPEED = 1e9  # frames a second: one is always due, so that the generator alone sets the pace


@dataclass(frozen=True, slots=True)
class Plan:
    """One run of the fleet.

    host, port     the receiver
    transport      "udp" or "tcp"
    links          UDP sockets or TCP connections, 1..4096
    transmitters   1 and up; accounts are account_first, account_first + 1, ... as `digits` hex digits
    rate           frames a second over all transmitters; FULL_SPEED: as many as leave within duration_s
    alarms         share of fire alarms among the frames, 0..1
    duration_s     seconds of sending
    seed           decides which frames are signals
    run            1..32 characters that no other run has; stands in the text of every signal
    group          name in a fleet's report
    style          how its transmitters speak
    secret         of the fleet, from which encrypted groups have their keys
    clock_spread_s deviation of the transmitters' clocks
    number_first   number of the first signal
    counter_first  of the Tocsin profile, below every counter of the run
    window         most frames outstanding; 0 is the open loop, others measure the ceiling
    replies        False: heartbeats in plain DC-09 by UDP alone, and nobody waits for what comes back
    """

    host: str
    port: int
    transport: str
    links: int
    transmitters: int
    rate: float
    alarms: float
    duration_s: float
    account_first: int
    digits: int
    seed: int
    run: str
    window: int = 0
    replies: bool = True
    group: str = ""
    style: Style = field(default=Style())
    secret: bytes = field(default=b"", repr=False)
    clock_spread_s: float = 0.0
    number_first: int = 0
    counter_first: int = 0

    @property
    def full_speed(self) -> bool:
        """Whether the time ends the run, and not the number of its frames."""
        return self.rate >= FULL_SPEED

    @property
    def frames(self) -> int:
        """How many frames the run sends."""
        return max(1, round(self.rate * self.duration_s))

    def speaker(self) -> Speaker | None:
        """Return what its transmitters say, None where that is plain DC-09."""
        if self.style.plain and not self.clock_spread_s:
            return None
        return speaker(
            self.style, account_first=self.account_first, digits=self.digits, count=self.transmitters, run=self.run,
            secret=self.secret, clock_spread_s=self.clock_spread_s, seed=self.seed,
            counter_first=self.counter_first,
        )


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What the fleet saw.

    counts             counters of loadgen.transmitters
    network            counters of the links, and `drops`: datagrams that our own sockets had no room for
    outcomes           loadgen.transmitters.Outcome of each signal, one byte each, by its number
    histograms         encoded HdrHistograms of ns, "heartbeats" and "signals"
    sending_s          from the first frame's due time to the last frame
    behind_ns          the latest that any frame left after it was due
    cpu_s              processor time of the fleet's process while it ran
    reopened           broken connections that were opened again
    """

    counts: dict[str, int]
    network: dict[str, int]
    outcomes: bytes
    histograms: dict[str, bytes]
    sending_s: float
    behind_ns: int
    cpu_s: float
    reopened: int = field(default=0)


def accounts(first: str, transmitters: int) -> tuple[int, int]:
    """Return the first account as a number and the digits that all accounts have.

    Raises  ValueError when `first` is no account, or the last one has too many digits
    """
    if not 1 <= len(first) <= ACCOUNT_DIGITS_MAX or any(digit not in "0123456789abcdefABCDEF" for digit in first):
        raise ValueError(f"{first!r} is no account: {ACCOUNT_DIGITS_MIN} to {ACCOUNT_DIGITS_MAX} hex digits")
    number = int(first, 16)
    digits = max(ACCOUNT_DIGITS_MIN, len(first), len(f"{number + transmitters - 1:X}"))
    if digits > ACCOUNT_DIGITS_MAX:
        raise ValueError(f"{first} and {transmitters} transmitters: beyond {ACCOUNT_DIGITS_MAX} hex digits")
    return number, digits


def new_run() -> str:
    """Return a run id that no other run has: the time in ms and four random digits, hex."""
    return f"{wall_ns() // 1_000_000:x}{SystemRandom().randrange(1 << 16):04x}"


def address(text: str) -> tuple[str, int]:
    """Return host and port of "HOST:PORT" or "[V6]:PORT".

    Raises  ValueError
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is no HOST:PORT")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not host:
        raise ValueError(f"{text!r} names no host")
    return host, int(port)
