"""What taking a frame apart for a person results in; filled by one module a format, joined in explain.py."""
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a frame.

    at       offset from the frame's first byte, or in the decrypted text where `sealed`
    data     its bytes; may be empty where something is missing
    meaning  in words
    faults   what is wrong with it, each found by a check on the bytes
    """

    at: int
    data: bytes
    name: str
    meaning: str
    faults: tuple[str, ...] = ()
    sealed: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """What a reader knows beside the bytes: the arguments of read_frames."""

    now_ns: int
    key: bytes | None = None
    window: tuple[int, int] = (40, 20)
    encrypted_only: bool = False
    check_clear_stamps: bool = False
    reject_stale: bool = False


@dataclass(slots=True)
class Parts:
    """The fields of one frame under construction, in the order of the bytes."""

    data: bytes
    found: list[Part] = field(default_factory=list)

    def add(self, at: int, end: int, name: str, meaning: str, *faults: str) -> None:
        """Add the field data[at:end]; what lies behind the last byte there is left out."""
        self.found.append(Part(at, self.data[at:max(at, end)], name, meaning, faults))


def plural(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def span_text(seconds: int) -> str:
    """A length of time in its two largest units: 2 h 3 min."""
    seconds = abs(seconds)
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    for (name, size), (below, part) in zip(units, units[1:], strict=False):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {name}" + (f" {rest} {below}" if rest else "")
    return f"{seconds} s"


def zone_hint(ahead_s: int, reference: str) -> str | None:
    """Say so when a clock is off by whole quarters of an hour, as one that shows another zone's time is."""
    quarters = round(ahead_s / 900)
    if quarters == 0 or abs(quarters) > 56 or abs(ahead_s - quarters * 900) > 60:
        return None
    sign = "+" if quarters > 0 else "-"
    hours, minutes = divmod(abs(quarters) * 15, 60)
    return f"it is off by whole quarters of an hour: a clock of {reference}{sign}{hours:02}:{minutes:02}?"
