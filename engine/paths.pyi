from collections.abc import Iterator

from codec.batch import Batch
from engine.path_records import PathRecords

PATH_STATE_TEXT: dict[int, str]
SEEN_TEXT: dict[int, str]

class PathTable(PathRecords):
    """Every path that the engine knows, by number."""

    def states_in(self) -> dict[str, int]:
        """Return how many paths are new, pending, up and in fault."""
    def supervise(self, number: int, supervision_ms: int) -> None:
        """Set a path's supervision time; 0 = none. Raises IndexError."""
    def set_default_times(self, primary_ms: int, alternate_ms: int = 0, alone_ms: int = 0) -> None:
        """Say what transmitters have that nobody named; what they have already stays."""
    def supervise_transmitter(self, transmitter: str, primary_ms: int, alternate_ms: int = 0, alone_ms: int = 0,
                              primary: str | None = None) -> None:
        """Give a transmitter its supervision times: all its paths, and those that are enrolled later.

        primary_ms    of its primary path; 0: as nobody had named it, the default
        alternate_ms  of its other paths while that is up; 0: every path has primary_ms
        alone_ms      of its other paths while that is in fault; 0: primary_ms
        primary       which one that is: a listener and perhaps numbers, `default/R1`; empty: the first; None: as it was

        A time that is shorter than the silence so far begins anew. A line fault stays until the path is heard.
        """
    def in_system_fault(self, number: int) -> bool:
        """Tell whether all supervised paths of a path's transmitter are in fault, two or more. Raises IndexError."""
    def is_expected(self, number: int) -> bool:
        """Tell whether a path only stands for a transmitter that the configuration names. Raises IndexError."""
    def scan(self, start: int, state: str | None, limit: int) -> list[int]:
        """Return the first paths, from number `start` on, of transmitters that have a path in `state`, at most `limit`.

        state  one of PATH_STATE_TEXT, `never_heard` (it never spoke), or None

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
    def load(self, saved: bytes | memoryview) -> None:
        """Fill an empty table. Raises ValueError when the bytes are no table or do not fit."""
    def renew(self, saved: bytes | memoryview) -> None:
        """Bring a table that `load` filled to what a later `save` of the same engine gave. Raises ValueError."""
    def check(self) -> None:
        """Raise AssertionError unless every path is found by its key and the states are counted right."""
