"""Supervision times by name: how long the paths of a transmitter may be silent, as three times.

primary          the primary path; the time of every path where there is no other one
alternate        a further path while the primary is up; 0: as the primary
alternate alone  a further path while the primary is in fault

The names are those of categories of EN 50136-1 and of NFPA 72 (26.6); a name here is a number and no claim of
conformance. Own values are written with slashes: "90s", "90s/5h" (alone as the primary), "90s/5h/90s".
"""
from dataclasses import dataclass

from engine.units import read_duration_ns

MS = 1_000_000
LOW, HIGH = "5s", "49d"
PRESETS = {
    "SP1": "32d", "SP2": "25h", "SP3": "30m", "SP4": "180s", "SP5": "90s", "SP6": "20s",
    "DP1": "25h/50h/25h", "DP2": "30m/25h/30m", "DP3": "180s/25h/180s", "DP4": "90s/5h/90s",
    "NFPA-single": "60m", "NFPA-dual": "6h/6h/6h",
}
ALLOWED = (f'a duration from "{LOW}" to "{HIGH}", two or three of them with slashes between (primary/alternate/'
           f'alternate alone, the last one not the longest), or one of {", ".join(PRESETS)}')


@dataclass(frozen=True, slots=True)
class Times:
    """Supervision times in ns. text: as they were written; empty, with zeros: none were."""

    primary_ns: int
    alternate_ns: int
    alone_ns: int
    text: str

    @property
    def milliseconds(self) -> tuple[int, int, int]:
        """The three of them in ms, as the path table takes them."""
        return self.primary_ns // MS, self.alternate_ns // MS, self.alone_ns // MS

    def __bool__(self) -> bool:
        return self.primary_ns > 0

    def __str__(self) -> str:
        return self.text


UNSET = Times(0, 0, 0, "")


def read_times(text: str) -> Times:
    """Read a name or own values. Raises ValueError."""
    low, high = read_duration_ns(LOW), read_duration_ns(HIGH)
    parts = [read_duration_ns(part) for part in PRESETS.get(text, text).split("/")]
    if len(parts) > 3 or not all(low <= part <= high for part in parts):
        raise ValueError(text)
    primary = parts[0]
    alternate = parts[1] if len(parts) > 1 else 0
    alone = parts[2] if len(parts) > 2 else min(primary, alternate)
    if alone > alternate:                # silence is allowed for longer when nobody else speaks
        raise ValueError(text)
    return Times(primary, alternate, alone, text)


def read_times_or_none(text: str) -> Times:
    """Read what `read_times` does, or an empty text: UNSET."""
    return read_times(text) if text else UNSET


def smallest_preset(ms: int) -> str | None:
    """Return the category of one path whose time is the smallest that is no shorter than `ms`, or None."""
    fitting = {name: read_times(name).primary_ns for name in PRESETS if name.startswith("SP")}
    return min((name for name in fitting if fitting[name] >= ms * MS), key=fitting.__getitem__, default=None)
