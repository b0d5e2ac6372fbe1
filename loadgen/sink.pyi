class Sink:
    """A null receiver on a socket that it borrows: a bound UDP socket, or a listening non-blocking TCP one.

    Raises  MemoryError, OSError
    """

    def __init__(self, fd: int, stream: bool) -> None: ...
    def run(self, until_ns: int) -> int:
        """Answer without the GIL until `until_ns` (monotonic); return how many frames were answered."""

def answer_to(frame: bytes) -> bytes:
    """Return the ACK that the sink gives to one frame; empty when it gives none."""
