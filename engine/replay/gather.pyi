from io import RawIOBase

from codec.batch import Batch

class Gatherer:
    """Walks the entries of one segment's file.

    file    open for reading, unbuffered
    seed    what the checksums of its entries begin with
    offset  where the first entry to read begins
    until   offset behind the last byte that counts
    after   rows up to this number are passed over
    last    number of the last row before `offset`; 0: any entry may be the next
    """

    def __init__(self, file: RawIOBase, seed: int, offset: int, until: int, after: int = 0, last: int = 0) -> None: ...
    @property
    def offset(self) -> int:
        """Where in the file the next entry begins, or what cannot be read does."""
    @property
    def last(self) -> int:
        """The number of the last row that was walked; 0: none was."""
    @property
    def ended(self) -> bool:
        """Whether the last `fill` met the end, or bytes that are no sound entry: `offset` tells which."""
    @property
    def seed(self) -> int: ...
    def skip(self, offset: int) -> None:
        """Go on at another offset of the file, where any entry may be the next."""
    def fill(self, batch: Batch) -> int:
        """Empty `batch`, put the rows of the next entries into it, return the number of the first; 0 without any.

        batch   at least as large as the largest entry; its rows have consecutive numbers
        Raises  OSError
        """

def room() -> Batch:
    """Return a batch that the largest entry fits into; memory is taken as it is used."""

def rules_in(batch: Batch) -> list[tuple[int, str]]:
    """Return row and text of those rows that set the rules."""

def span_ns(batch: Batch) -> tuple[int, int] | None:
    """Return when the first and the last row were received, ns since 1970; None without rows."""
