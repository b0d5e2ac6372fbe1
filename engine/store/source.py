"""What the store reads from: batches with their outcomes, by position."""
from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from codec.batch import Batch
from engine.filter.outcome import Outcome

Entry = tuple[int, Batch, Outcome]   # number of row 0, the rows, the verdicts on them and the events they made


class Trimmed(Exception):
    """What comes after the position is no longer kept; `oldest` is the first number that is."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"the journal begins at {oldest}")
        self.oldest = oldest


class Ahead(Exception):
    """The position lies beyond the journal, whose last number is `newest`."""

    def __init__(self, newest: int) -> None:
        super().__init__(f"the journal ends at {newest}")
        self.newest = newest


class Source(Protocol):
    """One partition of one journal, with what the filter made of it."""

    @property
    def journal(self) -> str:
        """Name of the journal; another name means other numbers."""
    @property
    def partition(self) -> int:
        """0..1023."""
    def __call__(self, after: int) -> AsyncIterator[Entry]:
        """Yield every entry whose first number is greater than `after`, and go on as they are appended.

        after   the last number of an entry, or 0 for everything from the journal's beginning
        Raises  Trimmed, Ahead
        """
