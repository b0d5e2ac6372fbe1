from codec.batch import Batch
from engine.store.copy import Copy

LINE_FAULT_COLUMNS: tuple[str, ...]
"""Of a COPY of the begins and ends of line faults; `rest` is the path's key behind the transmitter's."""

class LineFaultCopy(Copy):
    """Begins and ends of the line faults that SUPERVISE found; what a frame reports of its own lines is none."""

    def __init__(self, partition: int = 0) -> None: ...
    def add(self, batch: Batch, first: int, begin: int, end: int, dropped_before_ns: int) -> int:
        """Add those of rows [begin, end) of a batch whose first row has number `first`; return how many there were."""
