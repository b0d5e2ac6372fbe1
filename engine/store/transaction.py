"""One transaction: the signals and events of some entries, the alarms they change, and the position behind them.

It is first tried as one COPY each. When the database refuses the data, it is tried again with savepoints: what is
refused is halved until one row is alone, and that row goes to tocsin.refused.
"""
from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from engine.clock import Clock
from engine.store.copy import EVENT_COLUMNS, SIGNAL_COLUMNS, Copy, EventCopy, SignalCopy
from engine.store.entries import days, first_signal, is_signal, json_of, numbers_of, raw_of
from engine.store.line_faults import LineFaults
from engine.store.partitions import DAY_NS, Partitions, day_number
from engine.store.source import Entry

SLICE_BYTES = 2 << 20                # of a COPY, handed to the socket at once
PAUSE_ROWS = 4096                    # rows encoded before the loop may turn to others; well below 1 ms
CONSUMER = "store"
# The database refuses the data itself: bad values (22), violated constraints (23), values beyond its limits (54).
DATA_ERROR_CLASSES = ("22", "23", "54")
INT64_MIN = -(1 << 63)
BIGINT_MAX = (1 << 63) - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LOCK_POSITION = """
SELECT p.number, r.dropped_before FROM tocsin.position p, tocsin.retention r
WHERE journal = $1 AND partition = $2 AND consumer = $3 FOR UPDATE OF p FOR SHARE OF r"""
MOVE_POSITION = """
UPDATE tocsin.position SET number = $4, updated_at = $5 WHERE journal = $1 AND partition = $2 AND consumer = $3"""
REFUSE = """
INSERT INTO tocsin.refused (id, what, at, sqlstate, error, raw) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING"""
# The last event of each alarm says what the alarm is now. $1 and $2: the first and last event; $3: the signal behind
# the first. Alarms from that number on were raised here: nothing is there to be looked for, which makes them cheaper.
# A mass loss is no alarm. What happened once (a confirmation, an answer, an acceptance) is looked for in all events.
LAST_EVENTS = """
INSERT INTO tocsin.alarm AS a (id, state, protocol, account, facility, facility_name, area, class, condition, point,
    verification, priority, count, revision, detectors, opened_at, updated_at, cleared_at, signal_id, event_number)
SELECT DISTINCT ON (alarm_id) alarm_id, type, protocol, account, facility, facility_name, area, class, condition, point,
    verification, priority, count, revision, detectors, opened_at, received_at,
    CASE type WHEN 'cleared' THEN received_at END, signal_id, number
FROM tocsin.event_row WHERE number BETWEEN $1 AND $2 AND alarm_id {} $3 ORDER BY alarm_id, number DESC"""
ADD_ALARMS = LAST_EVENTS.format(">=")
UPDATE_ALARMS = LAST_EVENTS.format("<") + """
ON CONFLICT (id) DO UPDATE SET state = CASE a.state WHEN 'cleared' THEN a.state ELSE excluded.state END,
    protocol = excluded.protocol, account = excluded.account, facility = excluded.facility,
    facility_name = excluded.facility_name, area = excluded.area, class = excluded.class,
    condition = excluded.condition, point = excluded.point, verification = excluded.verification,
    priority = excluded.priority, count = excluded.count, revision = excluded.revision, detectors = excluded.detectors,
    updated_at = excluded.updated_at, cleared_at = coalesce(a.cleared_at, excluded.cleared_at),
    signal_id = excluded.signal_id, event_number = excluded.event_number
WHERE a.event_number < excluded.event_number"""
MARK_ALARMS = """
UPDATE tocsin.alarm a SET confirmed_at = coalesce(a.confirmed_at, e.confirmed_at),
    accepted_at = coalesce(a.accepted_at, e.accepted_at), cleared_at = coalesce(a.cleared_at, e.cleared_at),
    state = CASE WHEN e.cleared_at IS NULL THEN a.state ELSE 'cleared' END, answered = coalesce(e.answered, a.answered)
FROM (SELECT alarm_id, min(received_at) FILTER (WHERE verification = 'confirmed') AS confirmed_at,
          min(received_at) FILTER (WHERE reason = 'accepted') AS accepted_at,
          min(received_at) FILTER (WHERE type = 'cleared') AS cleared_at,
          (array_agg(substr(reason, 10) ORDER BY number DESC) FILTER (WHERE reason LIKE 'answered%'))[1] AS answered
      FROM tocsin.event_row
      WHERE number BETWEEN $1 AND $2 AND alarm_id IS NOT NULL
          AND (verification = 'confirmed' OR type = 'cleared'
               OR reason IN ('accepted', 'answered_true', 'answered_false'))
      GROUP BY alarm_id) e
WHERE a.id = e.alarm_id AND (a.confirmed_at IS NULL AND e.confirmed_at IS NOT NULL
    OR a.accepted_at IS NULL AND e.accepted_at IS NOT NULL OR e.cleared_at IS NOT NULL OR e.answered IS NOT NULL)"""
# What an alarm learnt later is a later verdict on the signal that raised it.
LATER_VERDICTS = """
INSERT INTO tocsin.verdict_later (signal_id, number, verdict, reason, rule, rule_version, at)
SELECT alarm_id, revision + 1, 'forward', reason, 0, rule_version, received_at FROM tocsin.event_row
WHERE number BETWEEN $1 AND $2
    AND reason IN ('coincidence', 'answered_true', 'answered_false', 'closed', 'test_ended')
ON CONFLICT DO NOTHING"""


class PositionMoved(Exception):
    """The position in the database is not where this store left it: another one writes, or one of ours landed late."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows, or some events, of one entry: [begin, end)."""

    entry: Entry
    begin: int
    end: int


@dataclass(slots=True)
class Written:
    """What one committed transaction did."""

    position: int
    rows: int = 0
    events: int = 0
    refused: int = 0
    skipped: int = 0


def is_data_error(error: asyncpg.PostgresError) -> bool:
    """Whether the database refuses the data and would refuse it again."""
    return str(error.sqlstate)[:2] in DATA_ERROR_CLASSES


def last_number(entry: Entry) -> int:
    """Return the number of the last row of an entry."""
    return entry[0] + len(entry[1]) - 1


def moment(ns: int) -> datetime:
    """Return a time for a query's argument, to the microsecond."""
    return EPOCH + timedelta(microseconds=ns // 1000)


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


class Slices:
    """The bytes of a COPY in slices that the socket can take, for one COPY.

    A class, and no generator: when a COPY fails its source is left as it stands, and the views of the buffer must be
    given back all the same before the buffer is filled again. The end of the `with` does that.
    """

    def __init__(self, connection: Any, data: Any) -> None:
        self._connection = connection
        self._whole = memoryview(data)
        self._part = self._whole[:0]
        self._at = 0

    def __enter__(self) -> Slices:
        return self

    def __exit__(self, *_: object) -> None:
        self._part.release()
        self._whole.release()

    def __aiter__(self) -> Slices:
        return self

    async def __anext__(self) -> memoryview:
        self._part.release()
        await asyncio.sleep(0)       # a long COPY must not keep the loop from the transmitters
        if self._connection.is_closed():
            raise ConnectionResetError("the connection was lost during COPY")
        if self._at >= len(self._whole):
            raise StopAsyncIteration
        self._part = self._whole[self._at:self._at + SLICE_BYTES]
        self._at += SLICE_BYTES
        return self._part


class Transaction:
    """Writes groups of entries of one partition of one journal; its buffers are used again and again."""

    def __init__(self, journal: str, partition: int, clock: Clock, partitions: Partitions, write_s_max: float) -> None:
        self.key = (journal, partition, CONSUMER)
        self.base = partition << 53
        self.clock = clock
        self.partitions = partitions
        self.write_s_max = write_s_max
        self.signals = SignalCopy(partition)
        self.events = EventCopy(partition)
        self.line_faults = LineFaults(partition)
        self._dropped_before_ns = 0

    async def write(self, connection: Any, group: list[Entry], after: int) -> Written:
        """Write `group`, whose rows come after position `after`, exactly once, and return what was done.

        Raises  PositionMoved, and what asyncpg raises; after an error of the connection the outcome is unknown,
                and only the position in the database tells it
        """
        try:
            return await self._attempt(connection, group, after, self._write_whole)
        except asyncpg.PostgresError as error:
            if not is_data_error(error):
                raise
        return await self._attempt(connection, group, after, self._write_halving)

    async def _attempt(self, connection: Any, group: list[Entry], after: int, write: Any) -> Written:
        written = Written(last_number(group[-1]))
        try:
            async with connection.transaction():
                row = await connection.fetchrow(LOCK_POSITION, *self.key)
                if row is None or row["number"] != after:
                    raise PositionMoved(f"stored up to {row and row['number']}, expected {after}")
                dropped_before = day_number(row["dropped_before"])
                self._dropped_before_ns = max(dropped_before * DAY_NS, INT64_MIN)
                wanted = set().union(*(days(batch) for _, batch, _ in group))
                await self.partitions.ensure(connection, {day for day in wanted if day >= dropped_before})
                rows = [Piece(entry, 0, len(entry[1])) for entry in group]
                events = [Piece(entry, 0, entry[2].events_in) for entry in group if entry[2].events_in]
                await write(connection, rows, self._copy_signals, written)
                if events:
                    await write(connection, events, self._copy_events, written)
                await connection.execute(MOVE_POSITION, *self.key, written.position, moment(self.clock.wall_ns()))
        except BaseException:
            self.partitions.forget()
            raise
        return written

    async def _write_whole(self, connection: Any, pieces: list[Piece], copy: Any, written: Written) -> None:
        await copy(connection, pieces, written)

    async def _write_halving(self, connection: Any, pieces: list[Piece], copy: Any, written: Written) -> None:
        waiting = [pieces]
        while waiting:
            part = waiting.pop()
            tried = Written(written.position)
            try:
                async with connection.transaction():
                    await copy(connection, part, tried)
                written.rows += tried.rows
                written.events += tried.events
                written.skipped += tried.skipped
            except asyncpg.PostgresError as error:
                if not is_data_error(error):
                    raise
                if sum(piece.end - piece.begin for piece in part) == 1:
                    await self._refuse(connection, part[0], copy, error)
                    written.refused += 1
                else:
                    waiting.extend(reversed(halve(part)))

    async def _copy_signals(self, connection: Any, pieces: list[Piece], written: Written) -> None:
        self.signals.clear()
        self.line_faults.copy.clear()
        since_pause = 0
        for piece in pieces:
            first, batch, outcome = piece.entry
            self.signals.add(batch, outcome, first, piece.begin, piece.end, self._dropped_before_ns)
            self.line_faults.copy.add(batch, first, piece.begin, piece.end, self._dropped_before_ns)
            since_pause += piece.end - piece.begin
            if since_pause >= PAUSE_ROWS:
                since_pause = 0
                await asyncio.sleep(0)
        if self.signals.rows:
            await self._copy(connection, "signal_row", SIGNAL_COLUMNS, self.signals)
            await self.line_faults.write(connection, self._copy)
        written.rows += self.signals.rows
        written.skipped += self.signals.skipped

    async def _copy_events(self, connection: Any, pieces: list[Piece], written: Written) -> None:
        self.events.clear()
        for piece in pieces:
            self.events.add(piece.entry[1], piece.entry[2], piece.begin, piece.end)
        if not self.events.rows:         # a canary's alone
            return
        await self._copy(connection, "event_row", EVENT_COLUMNS, self.events)
        first, _ = numbers_of(pieces[0].entry[2], pieces[0].begin)
        last, _ = numbers_of(pieces[-1].entry[2], pieces[-1].end - 1)
        signals = (first_signal(piece.entry[2], piece.begin, piece.end) for piece in pieces)
        signal = next((number for number in signals if number is not None), None)
        raised_from = self.base | signal if signal is not None else BIGINT_MAX
        for statement in (ADD_ALARMS, UPDATE_ALARMS):
            await connection.execute(statement, self.base | first, self.base | last, raised_from)
        if self.events.once:
            for statement in (MARK_ALARMS, LATER_VERDICTS):
                await connection.execute(statement, self.base | first, self.base | last)
        written.events += self.events.rows

    async def _copy(self, connection: Any, table: str, columns: tuple[str, ...], copy: Copy,
                    schema: str | None = "tocsin") -> None:
        with Slices(connection, copy) as source:
            await connection.copy_to_table(table, schema_name=schema, columns=columns, format="binary",
                                           source=source, timeout=self.write_s_max)

    async def _refuse(self, connection: Any, piece: Piece, copy: Any, error: asyncpg.PostgresError) -> None:
        first, batch, outcome = piece.entry
        if copy == self._copy_signals:
            assert is_signal(batch, piece.begin)
            what, number, raw = "signal", first + piece.begin, raw_of(batch, piece.begin)
        else:
            what = "event"
            (number, _), raw = numbers_of(outcome, piece.begin), json_of(outcome, piece.begin)
        await connection.execute(REFUSE, self.base | number, what, moment(self.clock.wall_ns()), error.sqlstate,
                                 str(error), raw)
