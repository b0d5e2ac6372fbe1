class Batch:
    """Rows as a struct of arrays, with one byte arena for their texts.

    rows_max   slots of every column, 0..16384
    arena_max  bytes for all texts together, 0..16 MiB
    Raises     ValueError beyond the limits, MemoryError
    """

    def __init__(self, rows_max: int = 0, arena_max: int = 0) -> None: ...
    def __len__(self) -> int: ...
    @property
    def arena_used(self) -> int: ...
    def clear(self) -> None:
        """Forget all rows; the memory stays."""
    def encode(self) -> bytes:
        """Return the rows as bytes that `view` reads in place; equal rows give equal bytes."""
    @staticmethod
    def view(encoded: bytes) -> Batch:
        """Return a read-only batch over `encoded`, which it keeps alive. No copy is made.

        Raises  ValueError when the bytes are no encoded batch
        """
    def check(self) -> None:
        """Raise AssertionError unless every span lies in the arena and every word is one."""
    def row(self, index: int) -> dict[str, object]:
        """Return one row with its numbers and texts; for people and tests, never for the hot path.

        Keys    kind, protocol, path, sequence, level, received_ns, occurred_ns (or None), account, realm, point,
                native, details, class, condition, state, flags, identity, raw
        Raises  IndexError
        """
    def add(self, *, kind: int = 1, protocol: int = 0, path: int = 0xFFFFFFFF, sequence: int = 0,
            level: int = 0, received_ns: int = 0, occurred_ns: int | None = None, account: str = "", realm: str = "",
            point: str = "", native: str = "", details: str = "", signal_class: int = 0, condition: int = 0,
            state: int = 0, flags: int = 0, identity: bytes = b"", raw: bytes = b"") -> bool:
        """Add one row that Python made (a tick, a line fault, a test). Return False when it does not fit."""

def check_details(text: str) -> None:
    """Raise AssertionError unless `text` is a JSON object that PostgreSQL and a line of a stream can take.

    At most DETAILS_BYTES_MAX bytes, not empty, no control character as it is, no U+0000 and no surrogate in any form.
    """
