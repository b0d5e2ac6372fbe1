HEARTBEAT_LOG_ROWS: int

class HeartbeatLog:
    """A ring of `capacity` heartbeats that wait to become rows; capacity 0: none is kept."""

    def __init__(self, capacity: int = 0) -> None: ...
    def __len__(self) -> int: ...
    @property
    def shed(self) -> int:
        """Heartbeats for which there was no room."""
    def part(self) -> HeartbeatLog:
        """Return a log for one more thread, as large; what is read of this one is read of it too."""
