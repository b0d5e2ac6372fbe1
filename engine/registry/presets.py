"""Supervision as the registry writes it, a duration or a preset, as the three times of a transmitter with two paths.

A name is a number and no claim of conformance. EN 50136-1 has categories SP1 to SP6 for one path, DP1 to DP4 for two;
NFPA 72 has a time for one path and one for each of several.
"""
from engine.config import SUPERVISION_PRESETS, read_supervision
from engine.units import read_duration_ns

MS = 1_000_000
# primary, alternate while the primary is up, alternate while it is down
TWO_PATHS = {
    "DP1": ("25h", "50h", "25h"), "DP2": ("30m", "25h", "30m"), "DP3": ("180s", "25h", "180s"),
    "DP4": ("90s", "5h", "90s"), "NFPA-dual": ("6h", "6h", "6h"),
}
ONE_PATH = {name: SUPERVISION_PRESETS[name] for name in SUPERVISION_PRESETS if name not in TWO_PATHS}
ONE_PATH["NFPA-single"] = "60m"
DEFAULT = (0, 0, 0)


def supervision_ms(text: str) -> tuple[int, int, int]:
    """Return (primary, alternate, alternate alone) in ms; three zeros for an empty text: the configuration's default.

    Raises  ValueError
    """
    if not text:
        return DEFAULT
    if text in TWO_PATHS:
        primary, alternate, alone = (read_duration_ns(value) // MS for value in TWO_PATHS[text])
        return primary, alternate, alone
    time = read_supervision(ONE_PATH.get(text, text)) // MS
    return time, time, time


def window_s(text: str, default_s: int) -> int:
    """Return how many whole seconds a stamp may lie off; an empty text: `default_s`. Raises ValueError."""
    if not text:
        return default_s
    ns = read_duration_ns(text)
    if not read_duration_ns("1s") <= ns <= read_duration_ns("36500d"):
        raise ValueError(text)
    return ns // (1000 * MS)
