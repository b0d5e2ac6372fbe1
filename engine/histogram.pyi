BOUNDS_NS: tuple[int, ...]
"""The upper bounds of all buckets but the last, in ns, rising; each belongs to its bucket."""

class Histogram:
    """Durations counted in fixed buckets; C code adds to it with `histogram_add(&histogram.data, ns, count)`."""

    def add(self, ns: int, count: int = 1) -> None:
        """Count `count` durations of `ns` each; one below zero counts as zero."""
    def snapshot(self) -> tuple[tuple[int, ...], int, int]:
        """Return (buckets, sum in ns, count); a bucket holds its own count only, and the last has no bound."""
    def part(self) -> Histogram:
        """Return a histogram for one more thread, which this one's snapshot counts in."""
