HEARTBEAT_LOG_ROWS: int

class HeartbeatLog:
    """A ring of `capacity` heartbeats that wait to become rows; capacity 0: none is kept."""

    shed: int

    def __init__(self, capacity: int = 0) -> None: ...
    def __len__(self) -> int: ...
