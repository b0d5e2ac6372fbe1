class Replays:
    """The encrypted frames of the last minute.

    frames    how many are planned for in `span_ns`; more are remembered for a shorter time
    span_ns   as long as the widest window of stamps
    hash_key  16 random bytes
    """

    found: int
    early: int

    def __init__(self, frames: int, span_ns: int, hash_key: bytes) -> None: ...
    def plan(self, frames: int, span_ns: int) -> None:
        """Plan for more frames, or a longer time; never for less. A set grows when it is emptied."""
