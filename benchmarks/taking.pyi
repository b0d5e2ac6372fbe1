class Listening:
    """A receiver with everything that it needs, for at most `paths` paths (and never fewer than 1000)."""

    def __init__(self, paths: int) -> None: ...
    def meet(self, data: bytes, received_ns: int) -> None:
        """Let the transmitters of all frames in `data` be known and their enrolments be durable; at most 16,384."""
    def settle(self) -> None:
        """Let all rows that gathered be durable and be forgotten."""
    @property
    def rows_in(self) -> int:
        """Rows that wait for an append."""
    def save(self) -> bytes:
        """Return what ADMIT puts into a snapshot."""
    def take(self, data: bytes, received_ns: int) -> tuple[int, int]:
        """Hand every frame of `data` to the receiver; return (frames taken, bytes of all their replies).

        received_ns  wall clock of all of them, ns since 1970 UTC
        """
