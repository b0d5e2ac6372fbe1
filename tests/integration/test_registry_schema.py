"""The registry's tables against a real PostgreSQL: who follows them by revision misses nothing."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from engine.store.migrate import migrate


@pytest.fixture
async def registry(database: str) -> AsyncIterator[Any]:
    """A connection to a migrated database."""
    connection = await asyncpg.connect(database)
    await migrate(connection)
    yield connection
    await connection.close()


async def state_of(connection: Any) -> tuple[str, int]:
    row = await connection.fetchrow("SELECT identity::text, revision FROM tocsin.registry")
    return row["identity"], row["revision"]


async def waits(connection: Any, pid: int) -> bool:
    return bool(await connection.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", pid))


async def test_a_transaction_has_one_revision_and_an_empty_one_has_none(registry: Any) -> None:
    identity, before = await state_of(registry)
    async with registry.transaction():
        await registry.execute("INSERT INTO tocsin.facility (id, name) VALUES ('a', 'A'), ('b', 'B')")
        await registry.execute("INSERT INTO tocsin.transmitter (key, facility) VALUES ('dc09:1', 'a')")
    assert await state_of(registry) == (identity, before + 1)
    assert {row["revision"] for row in await registry.fetch("SELECT revision FROM tocsin.facility")} == {before + 1}
    await registry.execute("UPDATE tocsin.facility SET name = 'C' WHERE id = 'b'")
    assert await registry.fetchval("SELECT revision FROM tocsin.facility WHERE id = 'b'") == before + 2
    await registry.execute("UPDATE tocsin.facility SET name = 'C' WHERE id = 'none'")
    await registry.execute("DELETE FROM tocsin.facility WHERE id = 'none'")
    assert (await state_of(registry))[1] == before + 2


async def test_revisions_become_visible_in_their_order(registry: Any, database: str) -> None:
    """A second writer waits for the first one's end, however long that takes, so its higher revision comes later."""
    first, second = await asyncpg.connect(database), await asyncpg.connect(database)
    pid = second.get_server_pid()
    slow = first.transaction()
    await slow.start()
    await first.execute("INSERT INTO tocsin.facility (id, name) VALUES ('slow', 'S')")
    quick = asyncio.create_task(second.execute("INSERT INTO tocsin.facility (id, name) VALUES ('quick', 'Q')"))
    while not await waits(registry, pid):
        pass
    assert await registry.fetch("SELECT 1 FROM tocsin.facility") == []
    await slow.commit()
    await quick
    rows = await registry.fetch("SELECT id FROM tocsin.facility ORDER BY revision")
    assert [row["id"] for row in rows] == ["slow", "quick"]
    await first.close()
    await second.close()


async def test_who_reads_by_revision_misses_nothing(registry: Any, database: str) -> None:
    """Many writers, some of which give up; a reader that only ever asks for higher revisions sees all that stayed."""
    writers, rounds, seen, done = 6, 15, [], asyncio.Event()

    async def write(writer: int) -> None:
        connection = await asyncpg.connect(database)
        for number in range(rounds):
            transaction = connection.transaction()
            await transaction.start()
            for part in "xy":
                await connection.execute("INSERT INTO tocsin.facility (id, name) VALUES ($1, 'F')",
                                         f"{writer}-{number}-{part}")
                await connection.fetchval("SELECT 1")
            await (transaction.rollback() if number % 4 == 3 else transaction.commit())
        await connection.close()

    async def read() -> None:
        connection, to, last = await asyncpg.connect(database), 0, False
        while not last:
            last = done.is_set()
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                upto = await connection.fetchval("SELECT revision FROM tocsin.registry")
                rows = await connection.fetch("SELECT id FROM tocsin.facility WHERE revision > $1", to)
            seen.extend(row["id"] for row in rows)
            to = upto
        await connection.close()

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(writer) for writer in range(writers)))
    done.set()
    await reader
    stayed = {row["id"] for row in await registry.fetch("SELECT id FROM tocsin.facility")}
    assert len(stayed) == writers * 12 * 2
    assert sorted(seen) == sorted(stayed)


async def test_followers_are_told_when_it_counts(registry: Any, database: str) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    await registry.add_listener("tocsin_registry", lambda *told: heard.put_nowait(told[3]))
    writer = await asyncpg.connect(database)
    with pytest.raises(asyncpg.CheckViolationError):
        await writer.execute("INSERT INTO tocsin.facility (id, name) VALUES ('a b', 'A')")
    async with writer.transaction():
        await writer.execute("INSERT INTO tocsin.facility (id, name) VALUES ('a', 'A')")
        await writer.execute("UPDATE tocsin.facility SET name = 'B'")
    async with asyncio.timeout(10):
        told = await heard.get()
    assert int(told) == await registry.fetchval("SELECT revision FROM tocsin.facility")
    assert heard.empty()
    await writer.close()


async def test_what_is_deleted_is_told(registry: Any) -> None:
    await registry.execute("""
        INSERT INTO tocsin.area (code, kind, name) VALUES ('40', 'province', 'N');
        INSERT INTO tocsin.facility (id, name) VALUES ('f', 'F');
        INSERT INTO tocsin.transmitter (key, facility) VALUES ('dc09:1', 'f'), ('dc09:2@hue', 'f');
        INSERT INTO tocsin.point (transmitter, point) VALUES ('dc09:1', '1/2'), ('dc09:1', '1/3');
        DELETE FROM tocsin.point WHERE point = '1/3'; DELETE FROM tocsin.transmitter WHERE key = 'dc09:1';
        DELETE FROM tocsin.area""")
    async with registry.transaction():
        await registry.execute("DELETE FROM tocsin.facility")
    gone = await registry.fetch("SELECT kind, key, point FROM tocsin.registry_gone ORDER BY kind, key, point")
    assert [tuple(row) for row in gone] == [
        ("area", "40", ""), ("facility", "f", ""), ("point", "dc09:1", "1/2"), ("point", "dc09:1", "1/3"),
        ("transmitter", "dc09:1", "")]
    left = await registry.fetchrow("SELECT facility, revision FROM tocsin.transmitter")
    newest = await registry.fetchval("SELECT max(revision) FROM tocsin.registry_gone WHERE kind = 'facility'")
    assert tuple(left) == (None, newest)     # it lost its facility, and that is a change of its own


@pytest.mark.parametrize("table", ["area", "facility", "transmitter", "point"])
async def test_what_is_emptied_is_another_registry(registry: Any, table: str) -> None:
    await registry.execute("INSERT INTO tocsin.facility (id, name) VALUES ('f', 'F')")
    identity, revision = await state_of(registry)
    await registry.execute(f"TRUNCATE tocsin.{table} CASCADE")
    assert (await state_of(registry))[0] != identity
    assert (await state_of(registry))[1] == revision + 1
    async with registry.transaction():
        await registry.execute("DELETE FROM tocsin.facility")
    assert (await state_of(registry))[0] != identity


@pytest.mark.parametrize("statement", [
    "facility (id, name) VALUES ('', 'A')", "facility (id, name) VALUES ('a', '')",
    "facility (id, name, latitude) VALUES ('a', 'A', 'NaN')", "facility (id, name, longitude) VALUES ('a', 'A', 181)",
    "facility (id, name, verification) VALUES ('a', 'A', 'at_once')",
    "facility (id, name, contacts) VALUES ('a', 'A', '{}')", "facility (id, name, province) VALUES ('a', 'A', '4 0')",
    "transmitter (key) VALUES ('dc09:abc')", "transmitter (key) VALUES (E'dc09:1\\n')",
    "transmitter (key, facility) VALUES ('dc09:1', 'none')", "transmitter (key, stale) VALUES ('dc09:1', 'never')",
    "point (transmitter, point) VALUES ('dc09:none', '1')", "area (code, kind, name) VALUES ('40', 'A', 'A')",
    "area (code, parent, kind, name) VALUES ('17257', '40', 'ward', 'A')"])
async def test_what_the_tables_refuse(registry: Any, statement: str) -> None:
    before = await state_of(registry)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await registry.execute(f"INSERT INTO tocsin.{statement}")
    assert await state_of(registry) == before
