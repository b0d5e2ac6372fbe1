SECOND_NS: int

def clock_offset_seconds() -> float:
    """Return how far the kernel's clock is from its time source, as the NTP daemon says; NaN when there is none."""

class Clock:
    """The machine's clocks."""

    def wall_ns(self) -> int:
        """Return ns since 1970 UTC. It may jump; nothing is ordered by it alone."""
    def monotonic_ns(self) -> int:
        """Return ns from an arbitrary start; it never goes back."""

class FakeClock(Clock):
    """A clock that stands still until it is moved; starts at 2026-01-01 00:00 UTC."""

    def __init__(self, wall_ns: int = ..., monotonic_ns: int = 0) -> None: ...
    def advance(self, ns: int) -> None:
        """Let `ns` go by on both clocks."""
    def jump(self, ns: int) -> None:
        """Set the wall clock forward or back, as an administrator or NTP would."""
