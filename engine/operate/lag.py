"""How late the event loop is: a timer that measures its own lateness."""
from __future__ import annotations

import asyncio
from collections import deque

from engine.clock import Clock
from engine.histogram import Histogram

EVERY_NS = 100_000_000
REMEMBERED = 50                  # samples, five seconds: what `worst_ns` looks back on


class LagSampler:
    """Wakes every 100 ms by the loop's own timer and counts by how much it was late.

    clock   the engine's; only its monotonic side is read
    Owns `histogram`, which `tocsin_event_loop_lag_seconds` shows.
    """

    __slots__ = ("_clock", "_due_ns", "_recent", "_timer", "histogram")

    def __init__(self, clock: Clock) -> None:
        self.histogram = Histogram()
        self._clock = clock
        self._recent: deque[int] = deque(maxlen=REMEMBERED)
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns = 0

    def start(self) -> None:
        """Begin to sample on the running loop."""
        assert self._timer is None, "the sampler runs already"
        self._arm()

    def stop(self) -> None:
        """End sampling; harmless when it does not run."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def sample(self) -> None:
        """Count how late this call is, and set the timer again."""
        late_ns = max(0, self._clock.monotonic_ns() - self._due_ns)
        self.histogram.add(late_ns)
        self._recent.append(late_ns)
        self._arm()

    def worst_ns(self) -> int:
        """Return the greatest lateness of the last five seconds of samples, 0 before the first."""
        return max(self._recent, default=0)

    def _arm(self) -> None:
        self._due_ns = self._clock.monotonic_ns() + EVERY_NS
        self._timer = asyncio.get_running_loop().call_later(EVERY_NS / 1e9, self.sample)
