from engine.heartbeats import HeartbeatLog
from engine.paths import PathTable
from engine.store.copy import Copy

class PathChanges(Copy):
    """Rows of tocsin.path for paths whose state changed, and for those that spoke since the last slow pass."""

    def __init__(self, paths: PathTable) -> None: ...
    def gather(self, slice_paths: int, wall_ms: int) -> bool:
        """Add every changed path, and of the next `slice_paths` those that spoke since the last pass began.

        Returns True when all have to be looked at, as at the start and after a failed write, and there are more.
        """
    def failed(self) -> None:
        """Note that what was gathered did not reach the database."""

class Rollups(Copy):
    """Rows of tocsin.heartbeat_rollup: frames and longest silence of a quarter hour."""

    def __init__(self, paths: PathTable) -> None: ...
    def gather(self, quarter_ns: int, paths_max: int) -> bool:
        """Add the next `paths_max` paths that spoke, and begin theirs anew. Returns True until all were looked at."""

class HeartbeatRows(Copy):
    """Rows of tocsin.heartbeat."""

    def __init__(self, paths: PathTable) -> None: ...
    def gather(self, log: HeartbeatLog, rows_max: int) -> None:
        """Move up to `rows_max` heartbeats out of the ring into rows."""
