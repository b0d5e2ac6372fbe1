"""What goes after `retention.signals`, and what stays: in the tables, and of a running engine."""
from __future__ import annotations

import asyncio
import datetime

import asyncpg
import pytest

from engine.clock import Clock
from engine.store.migrate import migrate
from engine.store.partitions import OLD_ROWS
from engine.store.writer import Store
from tests.integration.store_rows import NOW_NS, SECOND_NS, ListSource, entry, line_faults

DAY_NS = 86_400 * SECOND_NS
FIRST = 1_000_001
BEFORE = datetime.date(2025, 12, 31)
# Each table with two rows that are old, and one or more that are not, on or after BEFORE or open; the ids of those.
ROWS = {
    "alarm": ("""
        INSERT INTO tocsin.alarm (id, state, priority, count, revision, signal_id, event_number, opened_at, updated_at,
            cleared_at)
        SELECT id, 'x', 1, 1, 1, id, id, opened::timestamptz, updated::timestamptz, cleared::timestamptz FROM (VALUES
            (1, '2025-12-01', '2025-12-02', '2025-12-02'),
            (2, '2025-12-01', '2025-12-30 23:59:59.999999', '2025-12-30 23:59:59.999999'),
            (3, '2025-12-01', '2025-12-31', '2025-12-31'), (4, '2025-12-01', '2025-12-02', NULL),
            (5, '2025-12-01', '2025-12-31', '2025-12-02')) v (id, opened, updated, cleared)""", "id", [3, 4, 5]),
    "event_row": ("""
        INSERT INTO tocsin.event_row (number, type, alarm_id, signal_id, opened_at, received_at, priority, count,
            revision)
        SELECT number, 'x', alarm, 1, '2025-12-01', at::timestamptz, 1, 1, 1 FROM (VALUES
            (10, 1, '2025-12-02'), (11, NULL, '2025-12-02'), (12, NULL, '2025-12-31'), (13, 4, '2025-12-01'),
            (14, 3, '2025-12-01'), (15, 3, '2025-12-31')) v (number, alarm, at)""", "number", [12, 13, 14, 15]),
    "line_fault_row": ("""
        INSERT INTO tocsin.line_fault_row (path, transmitter, raised_at, raised_id, cleared_at) VALUES
            ('a', 'a', '2025-12-01', 1, '2025-12-02'), ('a', 'a', '2025-12-02', 2, '2025-12-30'),
            ('a', 'a', '2025-12-01', 3, '2025-12-31'), ('a', 'a', '2025-12-01', 4, NULL)""", "raised_id", [3, 4]),
    "heartbeat_rollup": ("""
        INSERT INTO tocsin.heartbeat_rollup VALUES ('a', '2025-12-30 23:45', 1, 0), ('b', '2025-12-01', 2, 0),
            ('a', '2025-12-31', 3, 0)""", "frames", [3]),
    "forward_quarter": ("""
        INSERT INTO tocsin.forward_quarter VALUES ('2025-12-01', 1, 1, '{1}', '{1,0}'),
            ('2025-12-30 23:45', 2, 1, '{1}', '{1,0}'), ('2025-12-31', 3, 1, '{1}', '{1,0}')""", "events", [3]),
    "verdict_later": ("""
        INSERT INTO tocsin.verdict_later VALUES (1, 2, 'hold', 'x', 1, 1, '2025-12-01'),
            (2, 2, 'hold', 'x', 1, 1, '2025-12-30'), (3, 2, 'hold', 'x', 1, 1, '2025-12-31')""", "signal_id", [3]),
    "refused": ("""
        INSERT INTO tocsin.refused VALUES (1, 'signal', '2025-12-01', '22000', 'x', ''),
            (2, 'event', '2025-12-30', '22000', 'x', ''), (3, 'signal', '2025-12-31', '22000', 'x', '')""", "id", [3]),
}


@pytest.mark.parametrize("at_once", [1, 20_000])
async def test_what_goes_and_what_stays(database: str, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.store.partitions.ROWS_AT_ONCE", at_once)
    monkeypatch.setattr("engine.store.writer.ROWS_AT_ONCE", at_once)
    assert ROWS.keys() == OLD_ROWS.keys()
    connection = await asyncpg.connect(database, server_settings={"timezone": "UTC"})
    await migrate(connection)
    for rows, _, _ in ROWS.values():
        await connection.execute(rows)
    source = ListSource([entry(FIRST, 2, received_ns=NOW_NS - 10 * DAY_NS), entry(FIRST + 2, 1)], live=True)
    store = Store(source, database, Clock())
    running = asyncio.create_task(store.run())
    await asyncio.wait_for(store.wait_stored(FIRST + 2), 20)
    for dropped in (1, 0):               # the second time there is nothing to do
        assert await store.drop_days(BEFORE) == dropped
        for table, (_, name, kept) in ROWS.items():
            found = await connection.fetch(f"SELECT {name} FROM tocsin.{table} ORDER BY {name}")
            assert [row[0] for row in found] == kept, table
    assert [row[0] for row in await connection.fetch("SELECT id FROM tocsin.signal")] == [FIRST + 2]
    # Never filled again: neither its signals nor its line faults.
    source.append(entry(FIRST + 3, 1, received_ns=NOW_NS - 10 * DAY_NS))
    source.append(entry(FIRST + 4, 1))
    await asyncio.wait_for(store.wait_stored(FIRST + 4), 20)
    assert await connection.fetchval("SELECT count(*) FROM tocsin.signal") == 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await store.drop_days(BEFORE) is None        # away: told, not waited for
    await connection.close()


async def test_no_dropped_days_line_fault_is_kept(database: str) -> None:
    source = ListSource(live=True)
    store = Store(source, database, Clock())
    running = asyncio.create_task(store.run())
    source.append(entry(FIRST, 1))
    await asyncio.wait_for(store.wait_stored(FIRST), 20)
    await store.drop_days(BEFORE)
    source.append(line_faults(FIRST + 1, [("0001/a", "R", -10 * 86_400), ("0001/b", "R", 0)]))
    await asyncio.wait_for(store.wait_stored(FIRST + 2), 20)
    connection = await asyncpg.connect(database)
    assert [row[0] for row in await connection.fetch("SELECT path FROM tocsin.line_fault")] == ["dc09:0001/b"]
    await connection.close()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
