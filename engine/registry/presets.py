"""Supervision as the registry writes it: the names and values of the configuration, in ms; and windows of stamps."""
from engine.supervise.presets import read_times
from engine.units import read_duration_ns

MS = 1_000_000
DEFAULT = (0, 0, 0)


def supervision_ms(text: str) -> tuple[int, int, int]:
    """Return (primary, alternate, alternate alone) in ms; three zeros for an empty text: the configuration's default.

    The last two are 0 where every path has the first. Raises ValueError
    """
    return read_times(text).milliseconds if text else DEFAULT


def window_s(text: str, default_s: int) -> int:
    """Return how many whole seconds a stamp may lie off; an empty text: `default_s`. Raises ValueError."""
    if not text:
        return default_s
    ns = read_duration_ns(text)
    if not read_duration_ns("1s") <= ns <= read_duration_ns("36500d"):
        raise ValueError(text)
    return ns // (1000 * MS)
