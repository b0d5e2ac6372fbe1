from collections.abc import Iterable
from typing import Any

LATENCY_NS_MAX: int
LATENCY_DIGITS: int

class Recorder:
    """Latencies in ns, 0..60 s with 3 digits; what is longer is counted as 60 s."""

    histogram: Any
    def record(self, values: Iterable[int]) -> None:
        """Count values in ns, as the fleet does from C."""
    def sync(self) -> Any:
        """Return the HdrHistogram with its totals, minimum and maximum set from what was counted so far."""
    @property
    def max_ns(self) -> int:
        """The largest value so far, ns, beyond 60 s too."""
