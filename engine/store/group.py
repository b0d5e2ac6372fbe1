"""A group of entries as the bytes of the COPYs that one transaction sends: signals, events, alarms, later verdicts."""
from __future__ import annotations

import asyncio
from dataclasses import dataclass

from engine.store.alarm_rows import AlarmRows
from engine.store.copy import EventCopy, SignalCopy
from engine.store.entries import first_signal, numbers_of
from engine.store.line_fault_rows import LineFaultCopy
from engine.store.source import Entry

PAUSE_ROWS = 4096                    # rows or events encoded before the loop may turn to others; well below 2 ms
INT64_MIN = -(1 << 63)
BIGINT_MAX = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows, or some events, of one entry: [begin, end)."""

    entry: Entry
    begin: int
    end: int


def halve(pieces: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Split at the middle row; both halves have at least one when there are two."""
    left: list[Piece] = []
    right: list[Piece] = []
    wanted = sum(piece.end - piece.begin for piece in pieces) // 2
    for piece in pieces:
        cut = min(piece.end, piece.begin + wanted)
        wanted -= cut - piece.begin
        if cut > piece.begin:
            left.append(Piece(piece.entry, piece.begin, cut))
        if cut < piece.end:
            right.append(Piece(piece.entry, cut, piece.end))
    return left, right


def parts(pieces: list[Piece]) -> list[Piece]:
    """Cut into pieces of at most PAUSE_ROWS."""
    return [Piece(piece.entry, begin, min(begin + PAUSE_ROWS, piece.end))
            for piece in pieces for begin in range(piece.begin, piece.end, PAUSE_ROWS)]


class Pauses:
    """Lets the loop turn to others after every PAUSE_ROWS rows."""

    def __init__(self) -> None:
        self._rows = 0

    async def after(self, rows: int) -> None:
        self._rows += rows
        if self._rows >= PAUSE_ROWS:
            self._rows = 0
            await asyncio.sleep(0)


class GroupRows:
    """The buffers of one group; used again and again.

    group               whose bytes they are; None: of none
    rows, event_rows    the pieces of the group, once begin() has been called
    """

    def __init__(self, partition: int) -> None:
        self.base = partition << 53
        self.signals = SignalCopy(partition)
        self.line_faults = LineFaultCopy(partition)
        self.events = EventCopy(partition)
        self.alarms = AlarmRows(partition)
        self.group: list[Entry] | None = None
        self.rows: list[Piece] = []
        self.event_rows: list[Piece] = []
        self._signals_of: tuple[list[Piece], int] | None = None
        self._events_of: list[Piece] | None = None

    def begin(self, group: list[Entry]) -> None:
        """Take a group; nothing is encoded yet."""
        self.group = group
        self.rows = [Piece(entry, 0, len(entry[1])) for entry in group]
        self.event_rows = [Piece(entry, 0, entry[2].events_in) for entry in group if entry[2].events_in]
        self._signals_of = self._events_of = None

    def let_go(self) -> None:
        """Forget the group; the memory of the buffers stays."""
        self.begin([])
        self.group = None

    async def fill_signals(self, pieces: list[Piece], dropped_before_ns: int) -> None:
        """Encode the signals of `pieces`, and the line faults among them; nothing, where they are encoded already."""
        if self._signals_of is not None and self._signals_of[0] is pieces and self._signals_of[1] == dropped_before_ns:
            return
        self._signals_of = None
        self.signals.clear()
        self.line_faults.clear()
        pauses = Pauses()
        for part in parts(pieces):
            first, batch, outcome = part.entry
            self.signals.add(batch, outcome, first, part.begin, part.end, dropped_before_ns)
            self.line_faults.add(batch, first, part.begin, part.end, dropped_before_ns)
            await pauses.after(part.end - part.begin)
        self._signals_of = pieces, dropped_before_ns

    async def fill_events(self, pieces: list[Piece]) -> None:
        """Encode the events of `pieces` and what they make of their alarms; nothing, where they are encoded already."""
        if self._events_of is pieces:
            return
        self._events_of = None
        self.events.clear()
        self.alarms.clear()
        pauses = Pauses()
        for part in parts(pieces):
            _, batch, outcome = part.entry
            self.events.add(batch, outcome, part.begin, part.end)
            self.alarms.note(batch, outcome, part.begin, part.end)
            await pauses.after(part.end - part.begin)
        signals = (first_signal(piece.entry[2], piece.begin, piece.end) for piece in pieces)
        raised_from = next((number for number in signals if number is not None), BIGINT_MAX)
        for begin in range(0, self.alarms.count, PAUSE_ROWS):
            self.alarms.write(raised_from, begin, begin + PAUSE_ROWS)
            await pauses.after(PAUSE_ROWS)
        self.alarms.let_go()
        self._events_of = pieces

    def event_numbers(self, pieces: list[Piece]) -> tuple[int, int]:
        """Return the numbers of the first and the last event of `pieces`, the partition with them."""
        first, _ = numbers_of(pieces[0].entry[2], pieces[0].begin)
        last, _ = numbers_of(pieces[-1].entry[2], pieces[-1].end - 1)
        return self.base | first, self.base | last
