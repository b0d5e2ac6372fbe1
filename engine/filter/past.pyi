from codec.batch import Batch
from engine.filter.outcome import Outcome

class Past:
    """What was open at one transmitter at an earlier time; the two ways, undo and replay, stand in past.pxd.

    protocol        its number;  account, realm  as in the rows
    after, until    everywhere: rows with numbers above the one, up to the other
    """

    def __init__(self, protocol: int, account: bytes, realm: bytes) -> None: ...
    def seed(self, signal_class: int, condition: int, point: bytes, signal: int) -> None:
        """Tell of something that was open before the first row that will be replayed."""
    def undo(self, first: int, batch: Batch, outcome: Outcome, after: int, until: int) -> bool:
        """Take in the rows of one entry; return False when they ended something from before: then replay."""
    def replay(self, first: int, batch: Batch, outcome: Outcome, after: int, until: int, asked: bool) -> None:
        """Take in the rows of one entry.

        asked  they come after the time asked for: what they end unknown was open then, and is noted
        """
    def rows(self) -> list[dict[str, str]]:
        """Return what is open after the rows so far, like StatesTable.rows."""
    @property
    def lost(self) -> list[tuple[str, str, str | None]]:
        """What was ended and raised before all that was replayed: class, condition and point (None: not said)."""
    @property
    def sure(self) -> bool:
        """False where more may have been ended than is noted."""

def row_after(first: int, batch: Batch, at_ns: int, after: int) -> int | None:
    """Return the number of the first row above `after` that was received later than a time, or None."""

def begun_ns(batch: Batch) -> int:
    """Return when the first row of a batch was received, in ns since 1970."""
