from array import array

from engine.paths import PathTable

class Fleet:
    """`count` paths with accounts 000000, 000001, ... on line L0 of the listener `default`.

    All loops run in C without the GIL.

    Raises  MemoryError, ValueError as the table and the wheel do
    """

    def __init__(self, count: int) -> None: ...
    @property
    def table(self) -> PathTable: ...
    def enrol(self, supervision_ms: int) -> None:
        """Add all paths to the table, up, heard at 0 ms."""
    def show_habits(self) -> None:
        """Note of each path that its frames come in clear: what every path has after its first frame."""
    def sizes(self) -> dict[str, int]:
        """Return the bytes of each table that all these paths occupy, by its name."""
    def file(self, deadline_ms: array[int]) -> None:
        """Make the wheel at 0 ms and file every path in it, at its own first deadline."""
    def find(self, accounts: array[int], heard_ms: int) -> int:
        """Look each account up by its key, with the key made from text, and touch it; return the sum of the numbers."""
    def find_together(self, accounts: array[int], heard_ms: int) -> int:
        """The same, 64 accounts at a time, each line of memory asked for before it is needed."""
    def touch(self, first: int, step: int, heard_ms: int) -> None:
        """Touch the paths first, first + step, ..."""
    def touch_once_in(self, period: int, second: int) -> None:
        """Touch the paths whose turn it is: each has one second in a period of so many, another one each time."""
    def look(self, now_ms: int) -> int:
        """Take out all that have come due, read when they were heard, file them again; return how many visits.

        Raises  AssertionError when a path is silent past its time
        """
