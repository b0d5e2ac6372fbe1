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
from engine.store.alarm_rows import ALARM_COLUMNS, VERDICT_COLUMNS
from engine.store.copy import EVENT_COLUMNS, SIGNAL_COLUMNS, Copy
from engine.store.entries import days, is_signal, json_of, numbers_of, raw_of
from engine.store.group import INT64_MIN, GroupRows, Piece, halve
from engine.store.line_faults import write_line_faults
from engine.store.partitions import DAY_NS, Partitions, day_number
from engine.store.source import Entry

SLICE_BYTES = 2 << 20                # of a COPY, handed to the socket at once
CONSUMER = "store"
# The database refuses the data itself: bad values (22), violated constraints (23), values beyond its limits (54).
DATA_ERROR_CLASSES = ("22", "23", "54")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LOCK_POSITION = """
SELECT p.number, r.dropped_before FROM tocsin.position p, tocsin.retention r
WHERE journal = $1 AND partition = $2 AND consumer = $3 FOR UPDATE OF p FOR SHARE OF r"""
MOVE_POSITION = """
UPDATE tocsin.position SET number = $4, updated_at = $5 WHERE journal = $1 AND partition = $2 AND consumer = $3"""
REFUSE = """
INSERT INTO tocsin.refused (id, what, at, sqlstate, error, raw) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING"""
# Alarms that were raised before are changed in one statement. A simple one without arguments: its plan is made for as
# many rows as there are just now. What stands in the staging table is that of all parts of a transaction, which are
# told apart by the numbers of their events.
STAGING = "staging_alarm"
MAKE_STAGING = f"""
CREATE TEMP TABLE IF NOT EXISTS {STAGING} (LIKE tocsin.alarm) ON COMMIT DELETE ROWS"""
CHANGE_ALARMS = f"""
UPDATE tocsin.alarm a SET state = CASE a.state WHEN 'cleared' THEN a.state ELSE s.state END,
    protocol = s.protocol, account = s.account, facility = s.facility, facility_name = s.facility_name, area = s.area,
    class = s.class, condition = s.condition, point = s.point, verification = s.verification, priority = s.priority,
    count = s.count, revision = s.revision, detectors = s.detectors, updated_at = s.updated_at,
    cleared_at = coalesce(a.cleared_at, s.cleared_at), signal_id = s.signal_id, event_number = s.event_number,
    confirmed_at = coalesce(a.confirmed_at, s.confirmed_at), accepted_at = coalesce(a.accepted_at, s.accepted_at),
    answered = coalesce(s.answered, a.answered)
FROM {STAGING} s WHERE a.id = s.id AND s.event_number BETWEEN {{}} AND {{}} AND a.event_number < s.event_number"""
ADD_MISSING = f"""
INSERT INTO tocsin.alarm ({", ".join(ALARM_COLUMNS)}) SELECT {", ".join(ALARM_COLUMNS)} FROM {STAGING} s
WHERE s.event_number BETWEEN {{}} AND {{}} AND NOT EXISTS (SELECT FROM tocsin.alarm a WHERE a.id = s.id)"""


class PositionMoved(Exception):
    """The position in the database is not where this store left it: another one writes, or one of ours landed late."""


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
    """Writes groups of entries of one partition of one journal.

    While one group is written, the next one may be prepared: its bytes are there when its turn comes, and the database
    waits for none of them.
    """

    def __init__(self, journal: str, partition: int, clock: Clock, partitions: Partitions, write_s_max: float) -> None:
        self.key = (journal, partition, CONSUMER)
        self.base = partition << 53
        self.clock = clock
        self.partitions = partitions
        self.write_s_max = write_s_max
        self._rows = GroupRows(partition)
        self._next = GroupRows(partition)
        self._dropped_before_ns = INT64_MIN

    async def begin(self, connection: Any) -> None:
        """Make a new connection ready."""
        await connection.execute(MAKE_STAGING)

    async def prepare(self, group: list[Entry]) -> None:
        """Encode a group that is written after the one that is being written now."""
        rows = self._next
        rows.begin(group)
        await rows.fill_signals(rows.rows, self._dropped_before_ns)
        await rows.fill_events(rows.event_rows)

    async def write(self, connection: Any, group: list[Entry], after: int) -> Written:
        """Write `group`, whose rows come after position `after`, exactly once, and return what was done.

        Raises  PositionMoved, and what asyncpg raises; after an error of the connection the outcome is unknown,
                and only the position in the database tells it
        """
        if self._next.group is group:
            self._rows, self._next = self._next, self._rows
        else:
            self._rows.begin(group)
        try:
            return await self._attempt(connection, group, after, self._write_whole)
        except asyncpg.PostgresError as error:
            if not is_data_error(error):
                raise
            return await self._attempt(connection, group, after, self._write_halving)
        finally:
            self._rows.let_go()

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
                await write(connection, self._rows.rows, self._copy_signals, written)
                if self._rows.event_rows:
                    await write(connection, self._rows.event_rows, self._copy_events, written)
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
        rows = self._rows
        await rows.fill_signals(pieces, self._dropped_before_ns)
        if rows.signals.rows:
            await self._copy(connection, "signal_row", SIGNAL_COLUMNS, rows.signals)
        if rows.line_faults.rows:
            await write_line_faults(connection, rows.line_faults, self._copy)
        written.rows += rows.signals.rows
        written.skipped += rows.signals.skipped

    async def _copy_events(self, connection: Any, pieces: list[Piece], written: Written) -> None:
        rows = self._rows
        await rows.fill_events(pieces)
        if not rows.events.rows:         # a canary's alone
            return
        await self._copy(connection, "event_row", EVENT_COLUMNS, rows.events)
        alarms = rows.alarms
        if alarms.new.rows:
            await self._copy(connection, "alarm", ALARM_COLUMNS, alarms.new)
        if alarms.changed.rows:
            numbers = rows.event_numbers(pieces)
            await self._copy(connection, STAGING, ALARM_COLUMNS, alarms.changed, schema=None)
            changed = await connection.execute(CHANGE_ALARMS.format(*numbers))
            if changed != f"UPDATE {alarms.changed.rows}":
                await connection.execute(ADD_MISSING.format(*numbers))
        if alarms.verdicts.rows:
            await self._copy(connection, "verdict_later", VERDICT_COLUMNS, alarms.verdicts)
        written.events += rows.events.rows

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
