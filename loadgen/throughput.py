"""How many frames were sent and acknowledged over the time of a run: a bounded series, however long that is."""

POINTS_MAX = 120
STEP_NS = 100_000_000


class Throughput:
    """Call it with (frames sent, frames answered, at monotonic ns), totals that never fall.

    It keeps at most POINTS_MAX of them, at even steps; when they are full, every second one goes and steps double.
    """

    def __init__(self) -> None:
        self.step_ns = STEP_NS
        self.kept: list[tuple[int, int, int]] = []  # ns, sent, answered
        self.last = (0, 0, 0)

    def __call__(self, sent: int, answered: int, at_ns: int) -> None:
        self.last = (at_ns, sent, answered)
        if self.kept and at_ns - self.kept[-1][0] < self.step_ns:
            return
        self.kept.append(self.last)
        if len(self.kept) > POINTS_MAX:
            self.kept = self.kept[::2]
            self.step_ns *= 2

    def rates(self) -> dict[str, list[float]]:
        """Return frames a second, step by step: `seconds` since the first call at which each step ends, `sent`,
        `acknowledged`.
        """
        points = self.kept
        if points and self.last[0] - points[-1][0] >= self.step_ns // 2:
            points = [*points, self.last]
        elif len(points) > 1:
            points = [*points[:-1], self.last]  # rather one long step than a short one, which shows noise
        pairs = list(zip(points, points[1:], strict=False))
        return {
            "seconds": [round((after[0] - points[0][0]) / 1e9, 3) for _, after in pairs],
            "sent": [rate(before, after, 1) for before, after in pairs],
            "acknowledged": [rate(before, after, 2) for before, after in pairs],
        }


def rate(before: tuple[int, int, int], after: tuple[int, int, int], of: int) -> float:
    """Return how much a total rose a second between two points."""
    return round((after[of] - before[of]) * 1e9 / (after[0] - before[0]), 1)
