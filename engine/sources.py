"""What the readers behind the filter read: journal and outcome log, joined by number.

Both logs have an entry for the same rows under the same first number. The outcome log is written after the journal,
so whoever follows it finds the journal's entry there already.
"""
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from codec.batch import Batch
from engine.filter.outcome import Outcome
from engine.forward.source import Trimmed as EventsTrimmed
from engine.journal.errors import Ahead, Trimmed
from engine.journal.journal import Journal
from engine.journal.segments import SegmentLog
from engine.store.source import Ahead as StoreAhead
from engine.store.source import Trimmed as StoreTrimmed


class StoredRows:
    """STORE's source: batches with their outcomes, by signal number."""

    def __init__(self, journal: Journal, outcomes: SegmentLog) -> None:
        self.journal = journal.name.hex()
        self.partition = 0
        self._journal = journal
        self._outcomes = outcomes

    async def __call__(self, after: int) -> AsyncIterator[tuple[int, Batch, Outcome]]:
        """Yield every entry above number `after` as it is judged; 0 stands for the oldest that is kept.

        Raises  engine.store.source.Trimmed, Ahead
        """
        start = after or max(self._journal.first, self._outcomes.first_kept) - 1
        while self._outcomes.last < start <= self._journal.durable().number:
            await self._outcomes.grown()     # its end was lost, and is made again
        try:
            async with (aclosing(self._outcomes.read(start)) as outcomes,
                        aclosing(self._journal.read(start)) as batches):
                begun = False
                async for entry in outcomes:
                    span, batch = await anext(batches)
                    if not begun and span.first < entry.first:
                        # The outcomes were lost and made again from the last snapshot on: what is before has none.
                        raise StoreTrimmed(entry.first)
                    begun = True
                    if (span.first, span.rows) != (entry.first, entry.rows):
                        raise AssertionError(f"outcome {entry.first}+{entry.rows} beside journal entry "
                                             f"{span.first}+{span.rows}")
                    yield span.first, batch, Outcome.view(entry.payload)
        except Trimmed as error:
            raise StoreTrimmed(error.oldest) from None
        except Ahead:
            raise StoreAhead(self._journal.durable().number) from None   # its outcome log may end before it


class LoggedEvents:
    """FORWARD's source: outcomes by event number. The mark of a log entry is the last event number up to its end.

    made  returns the number of the last event that FILTER has made: a log whose end was lost is made again up to it
    """

    def __init__(self, outcomes: SegmentLog, made: Callable[[], int] = lambda: 0) -> None:
        self._outcomes = outcomes
        self._made = made

    def latest_event(self) -> int:
        """Return the number of the newest event; before the first one, its number - 1."""
        return max(self._outcomes.mark, self._made())

    async def events_after(self, number: int) -> AsyncIterator[Outcome]:
        """Yield the outcomes that hold events above `number`, then wait for more. Raises forward.source.Trimmed."""
        while self._outcomes.mark < number <= self._made():
            await self._outcomes.grown()
        try:
            start = await self._outcomes.seek(number)
            async with aclosing(self._outcomes.read(start)) as entries:
                async for entry in entries:
                    outcome = Outcome.view(entry.payload)
                    if outcome.events_in:
                        yield outcome
        except Trimmed:
            raise EventsTrimmed(self._outcomes.segments[0].header.base_mark + 1) from None
