from collections.abc import Iterator

from codec.batch import Batch

PATH_STATE_TEXT: dict[int, str]
SEEN_TEXT: dict[int, str]

class PathTable:
    """Every path that the engine knows, by number.

    paths_max  records that memory is reserved for;  hash_key  16 random bytes
    """

    listeners: list[tuple[str, str]]
    peer_changes: int
    shared: bool
    """Whether receiver threads touch paths too."""

    def __init__(self, paths_max: int, hash_key: bytes) -> None: ...
    def __len__(self) -> int: ...
    def states_in(self) -> dict[str, int]:
        """Return how many paths are new, pending, up and in fault."""
    def listener(self, name: str, realm: str) -> int:
        """Return the number of a listener, a new one if need be. Raises ValueError beyond 256 or 63 characters."""
    def supervise(self, number: int, supervision_ms: int) -> None:
        """Set a path's supervision time; 0 = none. Raises IndexError."""
    def key_text(self, number: int) -> str:
        """Return a path's key, such as `dc09:0123@north/default/R1/L0`. Raises IndexError."""
    def transmitter_text(self, number: int) -> str:
        """Return the key of a path's transmitter, such as `dc09:0123@north`. Raises IndexError."""
    def paths_of(self, transmitter: str) -> list[int]:
        """Return the numbers of a transmitter's paths; none when it is unknown."""
    def is_first(self, number: int) -> bool:
        """Tell whether a path is the first of its transmitter. Raises IndexError."""
    def stop_supervising(self, number: int) -> None:
        """Supervise a path no longer; a line fault that it has ends. Raises IndexError."""
    def is_expected(self, number: int) -> bool:
        """Tell whether a path only stands for a transmitter that the configuration names. Raises IndexError."""
    def scan(self, start: int, state: str | None, limit: int) -> list[int]:
        """Return the first paths, from number `start` on, of transmitters that have a path in `state`, at most `limit`.

        Cost  some nanoseconds for each path that is passed over
        """
    def show(self, number: int) -> dict[str, object]:
        """Return a path as people see it: path, transmitter, state, last_seen_ms, ... Raises IndexError."""
    def habits(self, number: int) -> dict[str, object]:
        """Return what frames showed of a path. Raises IndexError.

        Keys  clock_offset_s (its clock minus ours, or None), seen (texts of SEEN_TEXT),
              refused_count, refused_status (number of the last reason, 0 = none), refused_ms (wall clock, or None)
        """
    def apply(self, batch: Batch, listening_ms: int | None = None) -> None:
        """Bring the table to what a journalled batch says; doing it again changes nothing.

        listening_ms  now, where a running supervisor has moved the states of its line faults already; None: replayed
        """
    def retract(self, batch: Batch) -> None:
        """Take back what the rows of a batch that could not be journalled had changed in advance."""
    def save(self) -> Iterator[bytes]:
        """Return the table in chunks, to be drawn on any thread; frames may touch paths meanwhile."""
    def chunks(self, count: int, head: bytes) -> Iterator[bytes]: ...
    def load(self, saved: bytes | memoryview) -> None:
        """Fill an empty table. Raises ValueError when the bytes are no table or do not fit."""
    def renew(self, saved: bytes | memoryview) -> None:
        """Bring a table that `load` filled to what a later `save` of the same engine gave. Raises ValueError."""
    def check(self) -> None:
        """Raise AssertionError unless every path is found by its key and the states are counted right."""
