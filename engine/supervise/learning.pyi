from engine.clock import Clock
from engine.intake import Intake
from engine.paths import PathTable

class Learner:
    """Proposes supervision times from what paths showed; with mode `apply`, gives them to those that nobody named.

    mode            off, propose, apply
    min_ms, max_ms  bounds of a proposed time
    """

    mode: str
    learned: int
    """Rows handed over, each with the time of one path."""

    def __init__(self, paths: PathTable, intake: Intake, clock: Clock, mode: str, min_ms: int, max_ms: int) -> None: ...
    def turn(self) -> None:
        """Look at the next paths; hand over the rows of those that are to have another time. One batch at a time."""
    def proposals(self, after: int | None, limit: int) -> list[dict[str, object]]:
        """Return what was seen of the paths behind number `after` that spoke three times, and the time it speaks for.

        Keys  number, transmitter, path, frames, typical_ms (or None), usual_ms, longest_ms, supervision_ms (or None),
              named (somebody gave it its time), learned, proposed_ms, preset (or None)
        Cost  some nanoseconds for each path that is passed over
        """
