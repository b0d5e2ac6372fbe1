MS: int

class ListeningClock:
    """A clock that advances only while the engine can hear.

    start_ms      where it stood when it was saved;  monotonic_ns  now
    stall_ns      of a longer gap between two updates only this much counts; of several gaps in an hour ten
                  minutes are left out so; then the clock is `overdrawn` and counts all
    """

    credited_ms: int

    @property
    def overdrawn(self) -> bool:
        """Whether in this hour more was lost than may be credited."""
    @property
    def listening_ms(self) -> int:
        """Where it stands, ms."""
    def __init__(self, start_ms: int, monotonic_ns: int, stall_ns: int = 1_000_000_000) -> None: ...
    def advance_to(self, monotonic_ns: int) -> int:
        """Bring the clock to `monotonic_ns`; return listening time in ms."""
    def follow(self, monotonic_ns: int) -> Follower:
        """Return the clock of one more receiver thread, which hears from now on. Raises ValueError beyond 64."""

class Follower(ListeningClock):
    """Listening time for a receiver thread. It goes with the leader, and without it at most `stall_ns` further."""

    def deaf_ms(self, monotonic_ns: int) -> int:
        """Return for how many ms the thread has not been at its socket; 0 where that is shorter than a stall."""
    def retire(self) -> None:
        """Expect nothing more of the thread: it has ended in order."""
