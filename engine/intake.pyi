from typing import Any

from codec.batch import Batch
from engine.histogram import Histogram

class Intake:
    """The batch that is being filled, and the tickets of what waits for it.

    rows_max   1024..16384 rows;  arena_max  bytes of their texts
    The last eighth of both is kept for fire, gas and prealarm; what finds no room may be offered again after an append.
    """

    batch: Batch
    offered: int
    durable: int
    urgency_min: int  # 0 everything comes in; 1 no test or info; 2 fire, gas and prealarm alone

    def __init__(self, rows_max: int, arena_max: int) -> None: ...
    def __len__(self) -> int:
        """Return the rows that wait for an append."""
    def offer_frame(self, *rows: dict[str, Any]) -> tuple[int, bool] | None:
        """Hand over rows (arguments of `Batch.add`) as one frame.

        Returns  (ticket to wait for, whether they are new), or None when there is no room for them
        """
    def take(self) -> int:
        """Forget the rows, which the caller has encoded; return the ticket up to which they reach."""
    def record_durable(self, batch: Batch, histogram: Histogram, wall_ns: int) -> None:
        """Record for each signal of a batch that is durable now how long that took since it was received."""
    def release(self, ticket: int) -> None:
        """Note that every row up to `ticket` is durable."""
    def fail(self, ticket: int) -> None:
        """Note that the rows up to `ticket` that are not durable never will be."""
