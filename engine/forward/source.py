"""What FORWARD reads: outcomes by event number, from memory or files, and the head."""
from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from engine.filter.outcome import Outcome


class Trimmed(Exception):
    """The events asked for are no longer kept.

    oldest   number of the oldest event that is; reading after `oldest - 1` succeeds, unless that is trimmed by then
    """

    def __init__(self, oldest: int) -> None:
        super().__init__(f"events before {oldest} are trimmed")
        self.oldest = oldest


class EventSource(Protocol):
    """The numbered events that FILTER has made, as far as they may be shown."""

    def events_after(self, number: int) -> AsyncIterator[Outcome]:
        """Yield, in order and without a hole, the outcomes with events numbered above `number`; then wait for more.

        The first one may also hold events up to `number`; outcomes without events may be left out or not.
        Never ends by itself. One iterator a subscriber: it must be cheap, and hold no memory for a reader that is slow.
        Raises  Trimmed, at the beginning or at any step, when the next event is no longer kept; where it names the very
                next event, nothing is missing and the reader begins again
        """
        ...

    def latest_event(self) -> int:
        """Return the number of the newest event that `events_after` yields; before the first one, its number - 1."""
        ...
