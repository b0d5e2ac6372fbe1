class Counter:
    """A receiver that only counts, on a bound non-blocking UDP socket that it borrows.

    Raises  MemoryError
    """

    def __init__(self, fd: int) -> None: ...
    def run(self, until_ns: int) -> int:
        """Count without the GIL until `until_ns` (monotonic); return how many frames came."""
