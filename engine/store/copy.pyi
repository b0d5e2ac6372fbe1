from codec.batch import Batch
from engine.filter.outcome import Outcome

SIGNAL_COLUMNS: tuple[str, ...]
EVENT_COLUMNS: tuple[str, ...]
PATH_COLUMNS: tuple[str, ...]
HEARTBEAT_COLUMNS: tuple[str, ...]
ROLLUP_COLUMNS: tuple[str, ...]

class Copy:
    """Rows of one binary COPY, header and trailer included; read it by `memoryview(copy)`.

    No row may be added, and clear() not called, while a memoryview of it is out.
    """

    @property
    def rows(self) -> int:
        """Rows in it."""
    def __len__(self) -> int:
        """Return its bytes."""
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def clear(self) -> None:
        """Forget all rows; the memory stays."""

class SignalCopy(Copy):
    """Signals with their first verdict, in the order of SIGNAL_COLUMNS.

    partition  0..1023; stands in the upper bits of every id
    """

    def __init__(self, partition: int = 0) -> None: ...
    @property
    def skipped(self) -> int:
        """Rows of dropped days that were left out since the last clear()."""
    def clear(self) -> None:
        """Forget all rows, and how many were skipped."""
    def add(self, batch: Batch, outcome: Outcome, first: int, begin: int, end: int, dropped_before_ns: int) -> int:
        """Add the signals among the rows [begin, end) of `batch`; other kinds of rows are passed over.

        first              number of row 0
        dropped_before_ns  rows received before it are of a dropped day: left out and counted
        Returns            rows added. Raises MemoryError, and then none is
        Cost               one pass, without the GIL
        """

class EventCopy(Copy):
    """Events in the order of EVENT_COLUMNS: in place of their JSON what it is made of."""

    def __init__(self, partition: int = 0) -> None: ...
    def add(self, batch: Batch, outcome: Outcome, begin: int, end: int) -> int:
        """Add the events [begin, end) of `outcome`, which was made of `batch`; canaries are passed over.

        An event that no row of the batch made keeps its JSON.
        Returns  rows added. Raises MemoryError, and then none is
        """

class PathCopy(Copy):
    """Paths in the order of PATH_COLUMNS; in bulk filled from Cython by `copy_path`."""

    def add(self, key: str, number: int = 0, *, transmitter: str | None = None, protocol: str | None = None,
            account: str | None = None, realm: str | None = None, listener: str | None = None,
            receiver: str | None = None, line: str | None = None, network: str | None = None,
            state: str | None = None, last_seen_ns: int | None = None, supervision_ms: int = 0,
            enrolled_ns: int | None = None, peer: str | None = None) -> None: ...

class HeartbeatCopy(Copy):
    """Heartbeats in the order of HEARTBEAT_COLUMNS; in bulk filled from Cython by `copy_heartbeat`."""

    def add(self, path: str, received_ns: int) -> None: ...

class RollupCopy(Copy):
    """Quarter hours in the order of ROLLUP_COLUMNS; in bulk filled from Cython by `copy_rollup`."""

    def add(self, path: str, quarter_ns: int, frames: int, longest_silence_ms: int) -> None: ...

def entry_bytes(batch: Batch, outcome: Outcome) -> int:
    """Return an upper bound of the COPY bytes that a batch and its outcome become."""
