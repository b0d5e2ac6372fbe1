def monotonic_ns() -> int:
    """Return ns from an arbitrary start, the same for all processes of the machine; it never goes back."""

def wall_ns() -> int:
    """Return ns since 1970 UTC. It may jump."""
