"""What was open at one transmitter, as of any time that the journal and its outcomes still reach.

The past is found from what is open now: rows are read from the time asked for on, and what they changed is undone. Only
where they ended something that is older, all that is kept is read, to learn since when it had been open.
"""
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from codec.batch import Batch
from codec.words import CLASS_TEXT, CONDITION_TEXT
from engine.filter.outcome import Outcome
from engine.filter.past import Past, begun_ns, row_after
from engine.store.source import Trimmed

ENTRIES_NEAR = 16384         # numbers so near are read one after the other
TRIES = 3                    # the oldest entries may be deleted while they are read
CLASS_NUMBER = {text: number for number, text in CLASS_TEXT.items()}
CONDITION_NUMBER = {text: number for number, text in CONDITION_TEXT.items()}
Row = dict[str, Any]
Rows = Callable[[int], AsyncIterator[tuple[int, Batch, Outcome]]]


class TooOld(Exception):
    """The time asked for lies before all that is kept, which begins at `oldest_ns`."""

    def __init__(self, oldest_ns: int) -> None:
        super().__init__(f"what is kept begins at {oldest_ns}")
        self.oldest_ns = oldest_ns


@dataclass(frozen=True, slots=True)
class Transmitter:
    """Whose rows: the number of the protocol, account and realm as in the rows."""

    protocol: int
    account: bytes
    realm: bytes = b""


@dataclass(frozen=True, slots=True)
class Then:
    """What was open then.

    rows      like those of now; signal_id and since are None where it was raised before all that is kept, point where
              the restore did not say it either
    position  the last number that counted; what came after it was received later
    whole     False: more may have been open, raised before all that is kept
    """

    rows: list[Row]
    position: int
    whole: bool


async def open_then(source: Rows, transmitter: Transmitter, rows: list[Row], position: int, at_ns: int, *,
                    trimmed: bool = True) -> Then:
    """Return what was open at a transmitter at a time, in ns since 1970.

    source    engine.sources.StoredRows
    rows      what is open there now, that is, after the row `position`, which is judged and in the outcome log
    trimmed   whether rows from before the oldest that is kept may have opened something (Journal.trimmed)
    Raises    TooOld
    Cost      the entries from that time on, or all that are kept; the loop is given away every few of them
    """
    for _ in range(TRIES - 1):
        try:
            return await _open_then(source, transmitter, rows, position, at_ns, trimmed)
        except Trimmed:
            continue
    return await _open_then(source, transmitter, rows, position, at_ns, trimmed)


async def _open_then(source: Rows, transmitter: Transmitter, rows: list[Row], position: int, at_ns: int,
                     trimmed: bool) -> Then:
    if position == 0:
        return Then(rows, 0, True)
    first, batch = await _entry(source, 0)
    if begun_ns(batch) > at_ns:
        raise TooOld(begun_ns(batch))
    cut = await _cut(source, first, position, at_ns)
    if cut is None:
        return Then(rows, position, True)
    past = Past(transmitter.protocol, transmitter.account, transmitter.realm)
    still = [row for row in rows if int(row["signal_id"]) < cut]
    async with aclosing(_entries(source, cut - 1, position)) as entries:
        async for number, batch, outcome in entries:
            if not past.undo(number, batch, outcome, cut - 1, position):
                break
        else:
            return Then(still, cut - 1, True)
    then = await _replay(source, transmitter, still, first, cut, position)
    return then if trimmed else replace(then, whole=True)


async def _replay(source: Rows, transmitter: Transmitter, still: list[Row], first: int, cut: int,
                  position: int) -> Then:
    """Read from the first entry on.

    still  what was open at the cut and is open now
    """
    past = Past(transmitter.protocol, transmitter.account, transmitter.realm)
    for row in still:
        if int(row["signal_id"]) < first:
            past.seed(CLASS_NUMBER[row["class"]], CONDITION_NUMBER[row["condition"]], row["point"].encode(),
                      int(row["signal_id"]))
    then: list[Row] | None = None
    async with aclosing(_entries(source, first - 1, position)) as entries:
        async for number, batch, outcome in entries:
            past.replay(number, batch, outcome, first - 1, cut - 1, asked=False)
            if number + len(batch) > cut - 1:
                then = past.rows() if then is None else then
                past.replay(number, batch, outcome, cut - 1, position, asked=True)
    known = {int(row["signal_id"]): row for row in [*(then or []), *still]}
    unknown = [{"class": lost[0], "condition": lost[1], "point": lost[2], "signal_id": None, "since": None}
               for lost in past.lost]
    return Then([*unknown, *(known[number] for number in sorted(known))], cut - 1, past.sure)


async def _entries(source: Rows, after: int, until: int) -> AsyncGenerator[tuple[int, Batch, Outcome]]:
    """Yield the entries with rows above `after`, up to the one with the row `until`."""
    if after < until:
        async with aclosing(source(after)) as entries:       # type: ignore[type-var]
            async for first, batch, outcome in entries:
                yield first, batch, outcome
                if first + len(batch) > until:
                    return


async def _entry(source: Rows, after: int) -> tuple[int, Batch]:
    """Return the first entry with a row above `after`; 0: the oldest."""
    while True:
        try:
            async with aclosing(source(after)) as entries:   # type: ignore[type-var]
                first, batch, _ = await anext(entries)
                return first, batch
        except Trimmed as error:
            if after >= error.oldest - 1:
                raise
            after = error.oldest - 1


async def _cut(source: Rows, first: int, position: int, at_ns: int) -> int | None:
    """Return the number of the first row received later than a time; None when there is none up to `position`."""
    low, high = first - 1, position
    while high - low > ENTRIES_NEAR:
        middle = (low + high) // 2
        begun, batch = await _entry(source, middle)
        if begun_ns(batch) > at_ns:
            high = middle
        elif begun - 1 > low:
            low = begun - 1
        else:
            break
    async with aclosing(_entries(source, low, position)) as entries:
        async for number, batch, _ in entries:
            found = row_after(number, batch, at_ns, low)
            if found is not None:
                return found if found <= position else None
    return None
