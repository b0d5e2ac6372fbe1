from array import array

class Fleet:
    """`count` paths with accounts 000000, 000001, ...; all loops run in C without the GIL.

    Raises  MemoryError, ValueError as the table and the wheel do
    """

    def __init__(self, count: int) -> None: ...
    def enrol(self, supervision_ms: int) -> None:
        """Add all paths to the table, heard at 0 ms."""
    def file(self, deadline_ms: array[int]) -> None:
        """Make the wheel at 0 ms and file every path in it, at its own first deadline."""
    def find(self, accounts: array[int], heard_ms: int) -> int:
        """Look each account up by its key, with the key made from text, and touch it; return the sum of the numbers."""
    def touch(self, first: int, step: int, heard_ms: int) -> None:
        """Touch the paths first, first + step, ..."""
    def look(self, now_ms: int) -> int:
        """Take out all that have come due, read when they were heard, file them again; return how many visits.

        Raises  AssertionError when a path is silent past its time
        """
