"""The store against a real PostgreSQL: what is written, once, and what is refused."""
from __future__ import annotations

import asyncio
import datetime
import json
import socket
from pathlib import Path

import asyncpg
import pytest

from codec.batch import Batch
from engine.clock import Clock, FakeClock
from engine.filter.filter import Filter
from engine.filter.outcome import Outcome
from engine.store.copy import HeartbeatCopy, PathCopy, RollupCopy
from engine.store.migrate import SchemaError, files, migrate
from engine.store.queries import DatabaseAway, Queries
from engine.store.settings import StoreSettings
from engine.store.writer import SEND_BUFFER_BYTES, Store, widen
from tests.integration.store_rows import NO_ROW, NOW_NS, SECOND_NS, ListSource, entry, event, outcome

FIRST = 1_000_001
WMEM_MAX = int(Path("/proc/sys/net/core/wmem_max").read_text())
DAY_NS = 86_400 * SECOND_NS


async def store_all(source: ListSource, database: str, **more: object) -> Store:
    """Store everything that the source has and return the store."""
    store = Store(source, database, Clock(), **more)  # type: ignore[arg-type]
    await asyncio.wait_for(store.run(), 30)
    return store


async def fetch(database: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database)
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


async def execute(database: str, statement: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute(statement)
    await connection.close()


async def test_signals_with_their_verdict(database: str) -> None:
    source = ListSource([entry(FIRST, 3), entry(FIRST + 3, 2, occurred_ns=NOW_NS - SECOND_NS)])
    store = await store_all(source, database)
    rows = await fetch(database, "SELECT * FROM tocsin.signal ORDER BY id")
    assert [row["id"] for row in rows] == list(range(FIRST, FIRST + 5))
    first = dict(rows[0])
    assert first == {
        "id": FIRST, "received_at": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "occurred_at": None,
        "protocol": "dc09", "account": "1234", "class": "fire", "condition": "smoke", "state": "raised",
        "point": "1/2", "native": f"FA {FIRST}", "raw": b"raw %d" % FIRST, "realm": "", "path": 7, "sequence": 0,
        "flags": 0, "rule": 3, "rule_version": 4, "details": None, "verdict": "forward", "reason": "alarm"}
    assert list(first)[-2:] == ["verdict", "reason"]
    assert rows[4]["occurred_at"] == datetime.datetime(2025, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
    verdicts = await fetch(database, f"SELECT * FROM tocsin.verdict WHERE signal_id = {FIRST}")
    assert [(row["number"], row["verdict"], row["reason"]) for row in verdicts] == [(1, "forward", "alarm")]
    assert (store.counters.rows_total, store.counters.position, store.counters.up) == (5, FIRST + 4, False)


async def test_the_last_verdict_counts(database: str) -> None:
    await store_all(ListSource([entry(FIRST, 2)]), database)
    await execute(database, f"INSERT INTO tocsin.verdict_later VALUES ({FIRST}, 2, 'hold', 'state', 5, 6, now()), "
                            f"({FIRST}, 3, 'suppress', 'cancelled', 7, 8, now())")
    rows = await fetch(database, "SELECT verdict, reason, rule, rule_version FROM tocsin.signal ORDER BY id")
    assert [tuple(row) for row in rows] == [("suppress", "cancelled", 7, 8), ("forward", "alarm", 3, 4)]
    numbers = await fetch(database, f"SELECT number FROM tocsin.verdict WHERE signal_id = {FIRST} ORDER BY number")
    assert [row["number"] for row in numbers] == [1, 2, 3]


async def test_only_signals_are_rows(database: str) -> None:
    batch = Batch(4, 1024)
    for kind in (2, 1, 3, 4):
        batch.add(kind=kind, account="1", signal_class=1 if kind == 1 else 0, received_ns=NOW_NS)
    store = await store_all(ListSource([(FIRST, batch, outcome([(0, 0, 0, 0)] * 4))]), database)
    assert [row["id"] for row in await fetch(database, "SELECT id FROM tocsin.signal")] == [FIRST + 1]
    assert store.counters.position == FIRST + 3


async def test_events_and_the_alarm_they_make(database: str) -> None:
    events = [event(5, FIRST, FIRST), event(6, FIRST + 1, FIRST, 2, 2)]
    later = [event(7, FIRST + 2, FIRST, 3, 3), event(8, FIRST + 2, FIRST + 2)]
    source = ListSource([entry(FIRST, 2, events=events), entry(FIRST + 2, 1, events=later)])
    await store_all(source, database, settings=StoreSettings(batch_rows=1))
    rows = await fetch(database, "SELECT number, type, data->>'id' AS id FROM tocsin.event ORDER BY number")
    assert [tuple(row) for row in rows] == [(5, "raised", "5"), (6, "updated", "6"), (7, "cleared", "7"),
                                            (8, "raised", "8")]
    alarms = await fetch(database, "SELECT id, state, revision, account, point, event_number, cleared_at IS NOT NULL, "
                                   "facility FROM tocsin.alarm ORDER BY id")
    assert [tuple(row) for row in alarms] == [(FIRST, "cleared", 3, "1234", "1/2", 7, True, None),
                                              (FIRST + 2, "raised", 1, "1234", "1/2", 8, False, None)]


async def test_an_event_is_read_as_it_left(database: str) -> None:
    batch = Batch(6, 16384)
    rows: list[dict[str, object]] = [
        {"account": "0001", "point": "1/2", "native": 'FA"1\\é', "occurred_ns": NOW_NS - 1},
        {"account": "0001", "point": "1/3", "condition": 3, "details": '{"room":"é","n":[1,null]}'},
        {"account": "0002", "realm": "nghe-an", "signal_class": 2, "occurred_ns": -(1 << 62)},
        {"account": "0001", "point": "1/2", "state": 2}, {"account": "0001", "point": "1/3", "state": 2},
        {"account": "0003", "point": "é" * 32, "details": '{"long":"%s"}' % ("x" * 4085)}]
    for second, row in enumerate(rows):
        assert batch.add(**{"protocol": 1, "signal_class": 1, "condition": 1, "state": 1,  # type: ignore[arg-type]
                            "received_ns": NOW_NS + second * SECOND_NS + 1999, **row})
    made = Outcome.view(Filter(41, hash_key=bytes(16)).apply(FIRST, batch))
    left = [made.event(index) for index in range(made.events_in)]
    assert [one["type"] for one in left] == ["raised", "updated", "raised", "updated", "cleared", "raised"]
    await store_all(ListSource([(FIRST, batch, made)], partition=2), database)
    stored = await fetch(database, "SELECT number, data FROM tocsin.event ORDER BY number")
    assert [row["number"] for row in stored] == [2 << 53 | number for number in range(41, 47)]
    assert [json.loads(row["data"]) for row in stored] == [json.loads(one["json"]) for one in left]


async def test_events_that_keep_their_json(database: str, tmp_path: Path) -> None:
    """Those of an engine that stored it, and those that no row of their batch made."""
    for number, path in files():
        if number < 5:
            (tmp_path / path.name).write_text(path.read_text())
    connection = await asyncpg.connect(database)
    await migrate(connection, tmp_path)
    await connection.execute(
        "INSERT INTO tocsin.event VALUES (4, 'raised', 3, 3, now(), now(), 'fire', 'smoke', 'raised', 'unconfirmed', "
        "1, 1, 1, '{\"id\": \"4\"}')")
    await connection.close()
    kept = event(5, FIRST, FIRST, row=NO_ROW, json=b'{"id": "five"}')
    await store_all(ListSource([entry(FIRST, 1, events=[kept])]), database)
    stored = await fetch(database, "SELECT number, data->>'id' AS id FROM tocsin.event ORDER BY number")
    assert [tuple(row) for row in stored] == [(4, "4"), (5, "five")]


async def test_an_alarm_whose_beginning_is_not_stored(database: str) -> None:
    source = ListSource([entry(FIRST, 2, events=[event(6, FIRST, 77, 2, 2), event(7, FIRST + 1, FIRST + 1)])])
    await store_all(source, database)
    alarms = await fetch(database, "SELECT id, state, revision FROM tocsin.alarm ORDER BY id")
    assert [tuple(row) for row in alarms] == [(77, "updated", 2), (FIRST + 1, "raised", 1)]


async def test_partition_stands_in_the_ids(database: str) -> None:
    await store_all(ListSource([entry(FIRST, 1, events=[event(5, FIRST, FIRST)])], partition=3), database)
    assert [row["id"] for row in await fetch(database, "SELECT id FROM tocsin.signal")] == [3 << 53 | FIRST]
    assert [row["id"] for row in await fetch(database, "SELECT id FROM tocsin.alarm")] == [3 << 53 | FIRST]


async def test_day_partitions(database: str) -> None:
    source = ListSource([entry(FIRST, 2), entry(FIRST + 2, 1, received_ns=NOW_NS - 40 * DAY_NS),
                         entry(FIRST + 3, 1, received_ns=-5)])
    await store_all(source, database)
    rows = await fetch(database, "SELECT relname, count(*) FROM tocsin.signal_row s "
                                 "JOIN pg_class c ON c.oid = s.tableoid GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in rows] == [
        ("signal_row_20251122", 1), ("signal_row_20260101", 2), ("signal_row_default", 1)]


async def test_a_dropped_day_is_never_filled_again(database: str) -> None:
    old = entry(FIRST, 2, received_ns=NOW_NS - 10 * DAY_NS)
    source = ListSource([old], live=True)
    store = Store(source, database, Clock())
    running = asyncio.create_task(store.run())
    await asyncio.wait_for(store.wait_stored(FIRST + 1), 20)
    assert await store.drop_days(datetime.date(2025, 12, 31)) == 1
    source.append(entry(FIRST + 2, 3, received_ns=NOW_NS - 10 * DAY_NS))
    source.append(entry(FIRST + 5, 1))
    await asyncio.wait_for(store.wait_stored(FIRST + 5), 20)
    running.cancel()
    assert [row["id"] for row in await fetch(database, "SELECT id FROM tocsin.signal")] == [FIRST + 5]
    assert store.counters.skipped_total == 3


async def test_a_day_whose_lock_is_held_goes_to_the_default(database: str) -> None:
    await store_all(ListSource([entry(FIRST, 1)]), database)
    reader = await asyncpg.connect(database)
    async with reader.transaction():
        await reader.fetch("SELECT 1 FROM tocsin.signal_row")
        source = ListSource([entry(FIRST, 1), entry(FIRST + 1, 1, received_ns=NOW_NS + DAY_NS)])
        await store_all(source, database, settings=StoreSettings(lock_s_max=0.01))
    await reader.close()
    rows = await fetch(database, "SELECT id FROM tocsin.signal_row_default")
    assert [row["id"] for row in rows] == [FIRST + 1]
    # The default partition now holds rows of that day, so it can have no partition any more; it goes on all the same.
    source.entries.append(entry(FIRST + 2, 1, received_ns=NOW_NS + DAY_NS))
    await store_all(source, database)
    assert len(await fetch(database, "SELECT id FROM tocsin.signal_row_default")) == 2


@pytest.mark.parametrize("rows, bad", [(1, {0}), (7, {3}), (64, {0, 13, 63}), (9, set(range(9)))])
async def test_a_refused_row_is_alone(database: str, rows: int, bad: set[int]) -> None:
    await store_all(ListSource([entry(FIRST, 1)]), database)
    names = ", ".join(f"'FA {FIRST + 1 + index}'" for index in bad)
    await execute(database, f"ALTER TABLE tocsin.signal_row ADD CHECK (native NOT IN ({names}))")
    events = [event(5 + index, FIRST + 1 + index, FIRST + 1 + index) for index in range(rows)]
    source = ListSource([entry(FIRST, 1), entry(FIRST + 1, rows, events=events), entry(FIRST + 1 + rows, 1)])
    store = await store_all(source, database)
    good = {FIRST, FIRST + 1 + rows} | {FIRST + 1 + index for index in range(rows) if index not in bad}
    assert {row["id"] for row in await fetch(database, "SELECT id FROM tocsin.signal")} == good
    refused = await fetch(database, "SELECT id, what, sqlstate, error, raw FROM tocsin.refused ORDER BY id")
    assert [(row["id"], row["what"], row["sqlstate"], row["raw"]) for row in refused] == [
        (FIRST + 1 + index, "signal", "23514", b"raw %d" % (FIRST + 1 + index)) for index in sorted(bad)]
    assert all("check" in row["error"] for row in refused)
    assert len(await fetch(database, "SELECT 1 FROM tocsin.event")) == rows
    assert store.counters.refused_total == len(bad)
    assert store.counters.rows_total == rows + 1 - len(bad)


async def test_a_refused_event_is_alone(database: str) -> None:
    broken = event(6, FIRST + 1, FIRST, 2, 2, row=NO_ROW, json=b'{"text": "\\u0000"}')
    events = [event(5, FIRST, FIRST), broken, event(7, FIRST + 2, FIRST, 3, 3)]
    store = await store_all(ListSource([entry(FIRST, 3, events=events)]), database)
    assert [row["number"] for row in await fetch(database, "SELECT number FROM tocsin.event ORDER BY 1")] == [5, 7]
    refused = await fetch(database, "SELECT id, what, raw FROM tocsin.refused")
    assert [tuple(row) for row in refused] == [(6, "event", b'{"text": "\\u0000"}')]
    assert [row["revision"] for row in await fetch(database, "SELECT revision FROM tocsin.alarm")] == [3]
    assert (store.counters.rows_total, store.counters.events_total, store.counters.refused_total) == (3, 2, 1)


async def test_catch_up_from_the_middle(database: str) -> None:
    entries = [entry(FIRST + 10 * index, 10) for index in range(6)]
    await store_all(ListSource(entries[:3]), database)
    store = await store_all(ListSource(entries), database)
    assert store.counters.rows_total == 30
    ids = [row["id"] for row in await fetch(database, "SELECT id FROM tocsin.signal ORDER BY id")]
    assert ids == list(range(FIRST, FIRST + 60))


async def test_two_journals(database: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "engine.store")
    await store_all(ListSource([entry(FIRST, 2)]), database)
    await store_all(ListSource([entry(FIRST + 1000, 2)], journal="journal-b"), database)
    rows = await fetch(database, "SELECT journal, number FROM tocsin.position ORDER BY journal")
    assert [tuple(row) for row in rows] == [("journal-a", FIRST + 1), ("journal-b", FIRST + 1001)]
    assert len(await fetch(database, "SELECT 1 FROM tocsin.signal")) == 4
    assert any("holds journal journal-a" in record.message and record.levelname == "INFO" for record in caplog.records)


async def test_position_ahead_of_the_journal(database: str, caplog: pytest.LogCaptureFixture) -> None:
    await store_all(ListSource([entry(FIRST, 5), entry(FIRST + 5, 5)]), database)
    told: list[int] = []
    source = ListSource([entry(FIRST, 5)])

    def on_ahead(number: int) -> None:
        told.append(number)
        source.append(entry(FIRST + 5, 1, native="new"))

    store = await store_all(source, database, on_ahead=on_ahead)
    assert told == [FIRST + 9]
    assert store.counters.ahead_total == 1
    assert any(record.levelname == "ERROR" and "ahead" in record.message for record in caplog.records)
    rows = await fetch(database, f"SELECT native FROM tocsin.signal WHERE id = {FIRST + 5} ORDER BY native")
    assert [row["native"] for row in rows] == [f"FA {FIRST + 5}", f"new {FIRST + 5}"]


async def test_a_trimmed_journal_is_told(database: str, caplog: pytest.LogCaptureFixture) -> None:
    await store_all(ListSource([entry(FIRST, 5)]), database)
    source = ListSource([entry(FIRST + 20, 2)])
    source.oldest = FIRST + 20
    store = await store_all(source, database)
    assert (store.counters.trimmed_total, store.counters.rows_total) == (1, 2)
    assert any("trimmed" in record.message for record in caplog.records if record.levelname == "ERROR")


async def test_side_data(database: str) -> None:
    clock = FakeClock(NOW_NS)
    source = ListSource([entry(FIRST, 1)], live=True)
    store = Store(source, database, clock)
    assert not await store.write_rollups(RollupCopy())          # not connected yet: told, not waited for
    running = asyncio.create_task(store.run())
    await asyncio.wait_for(store.wait_stored(FIRST), 20)
    paths, beats, rollups = PathCopy(), HeartbeatCopy(), RollupCopy()
    paths.add("dc09:1/default", 1, transmitter="dc09:1", protocol="dc09", account="1", state="connected",
              last_seen_ns=NOW_NS, supervision_ms=90_000)
    paths.add("dc09:1/default", 1, transmitter="dc09:1", protocol="dc09", account="1", state="silent",
              last_seen_ns=NOW_NS + SECOND_NS)
    paths.add("dc09:2/default", 2, realm="é")
    for _ in range(2):
        assert await store.write_paths(paths), store.side.last_error
    beats.add("dc09:1/default", NOW_NS)
    beats.add("dc09:1/default", NOW_NS + DAY_NS)
    assert await store.write_heartbeats(beats), store.side.last_error
    rollups.add("dc09:1/default", NOW_NS, 10, 61_000)
    assert await store.write_rollups(rollups), store.side.last_error
    rollups.add("dc09:1/default", NOW_NS, 5, 62_000)
    assert await store.write_rollups(rollups), store.side.last_error
    running.cancel()
    rows = await fetch(database, "SELECT key, state, supervision_ms, realm, last_seen_at FROM tocsin.path ORDER BY key")
    assert [tuple(row) for row in rows] == [
        ("dc09:1/default", "silent", None, None, datetime.datetime(2026, 1, 1, 0, 0, 1, tzinfo=datetime.UTC)),
        ("dc09:2/default", None, None, "é", None)]
    rows = await fetch(database, "SELECT relname FROM tocsin.heartbeat h JOIN pg_class c ON c.oid = h.tableoid "
                                 "ORDER BY 1")
    assert [row["relname"] for row in rows] == ["heartbeat_20260101", "heartbeat_default"]
    rows = await fetch(database, "SELECT frames, longest_silence FROM tocsin.heartbeat_quarter")
    assert [tuple(row) for row in rows] == [(25, datetime.timedelta(seconds=62))]


async def test_queries(database: str) -> None:
    events = [event(5, FIRST, FIRST), event(6, FIRST + 1, FIRST, 2, 3), event(7, FIRST + 1, FIRST + 1)]
    source = ListSource([entry(FIRST, 50, events=events), entry(FIRST + 50_000, 50)])
    await store_all(source, database)
    queries = Queries(database)
    newest = await queries.signals(limit=60)
    ids = list(range(FIRST + 50_049, FIRST + 49_999, -1)) + list(range(FIRST + 49, FIRST - 1, -1))
    assert [row["id"] for row in newest] == ids[:60]
    assert [row["id"] for row in await queries.signals(limit=60, cursor=ids[59])] == ids[60:]
    assert await queries.signals(account="none") == []
    assert len(await queries.signals(account="1234", signal_class="fire")) == 100
    assert [row["id"] for row in await queries.alarms()] == [FIRST + 1, FIRST]
    assert [row["id"] for row in await queries.alarms(open_only=True)] == [FIRST + 1]
    assert [row["number"] for row in await queries.events(FIRST)] == [5, 6]
    assert [row["verdict"] for row in await queries.verdicts(FIRST)] == ["forward"]
    assert await queries.paths() == []
    assert await queries.refused() == []
    await queries.close()
    away = Queries("postgresql://tocsin@/tocsin?host=/nowhere")
    with pytest.raises(DatabaseAway):
        await away.signals()
    await away.close()


async def test_a_local_socket_takes_more_at_once(database: str) -> None:
    connection = await asyncpg.connect(database)
    link = connection._transport.get_extra_info("socket")
    before = link.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    widen(connection)
    after = link.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    assert after >= min(2 * WMEM_MAX, 2 * SEND_BUFFER_BYTES) >= before
    await connection.close()


async def test_a_changed_schema_file_is_an_error(database: str, tmp_path: object) -> None:
    connection = await asyncpg.connect(database)
    await asyncio.gather(migrate(connection))
    await migrate(connection)
    rows = await connection.fetch("SELECT number, name FROM tocsin.schema_version ORDER BY number")
    assert [(row["number"], row["name"]) for row in rows] == [(number, path.name) for number, path in files()]
    await connection.execute("UPDATE tocsin.schema_version SET checksum = 'other' WHERE number = 2")
    with pytest.raises(SchemaError, match="0002_alarms.sql"):
        await migrate(connection)
    await connection.close()


async def test_a_newer_schema_is_an_error(database: str) -> None:
    connection = await asyncpg.connect(database)
    await migrate(connection)
    await connection.execute("INSERT INTO tocsin.schema_version VALUES (99, '0099_later.sql', 'x', now())")
    with pytest.raises(SchemaError, match="newer"):
        await migrate(connection)
    await connection.close()
