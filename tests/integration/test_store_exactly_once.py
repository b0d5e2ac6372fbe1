"""Each row comes once, wherever the connection is cut and whenever PostgreSQL is killed."""
from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from engine.clock import Clock
from engine.store.embedded import EmbeddedPostgres
from engine.store.settings import StoreSettings
from engine.store.writer import Store
from tests.integration.store_rows import ListSource, entry, event

FIRST = 5_000_001
HURRY = StoreSettings(batch_rows=1, backoff_s_min=0.001, backoff_s_max=0.01)
STEPS = 16                               # more than one transaction with a new day has


class CutTransaction:
    """A transaction of the real connection whose end is a step as well."""

    def __init__(self, cutter: Cutter, real: Any) -> None:
        self.cutter = cutter
        self.real = real

    async def __aenter__(self) -> Any:
        return await self.cutter.step(self.real.__aenter__)

    async def __aexit__(self, *error: object) -> Any:
        if error[0] is not None:
            return await self.real.__aexit__(*error)
        return await self.cutter.step(self.real.__aexit__, *error)


class Cutter:
    """The real connection, ended by pg_terminate_backend before or after one step."""

    def __init__(self, connection: Any, database: str, at: int, after: bool) -> None:
        self.connection = connection
        self.database = database
        self.at = at
        self.after = after
        self.steps = 0

    async def cut(self) -> None:
        pid = self.connection.get_server_pid()
        knife = await asyncpg.connect(self.database)
        # With a time, it returns when the backend is gone.
        await knife.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
        await knife.close()

    async def step(self, work: Any, *arguments: object, **named: object) -> Any:
        now = self.steps == self.at
        self.steps += 1
        if now and not self.after:
            await self.cut()
        result = await work(*arguments, **named)
        if now and self.after:
            await self.cut()
        return result

    def transaction(self) -> CutTransaction:
        return CutTransaction(self, self.connection.transaction())

    def is_closed(self) -> bool:
        return bool(self.connection.is_closed())

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: object, **named: object) -> Any:
            return await self.step(getattr(self.connection, name), *arguments, **named)
        return call


async def stored_once(database: str, ids: list[int], numbers: list[int]) -> None:
    connection = await asyncpg.connect(database)
    found = [row["id"] for row in await connection.fetch("SELECT id FROM tocsin.signal ORDER BY id")]
    assert found == ids
    events = [row["number"] for row in await connection.fetch("SELECT number FROM tocsin.event ORDER BY number")]
    assert events == numbers
    assert await connection.fetchval("SELECT count(*) FROM tocsin.refused") == 0
    assert await connection.fetchval("SELECT count(*) FROM tocsin.alarm") == len(numbers)
    await connection.close()


async def test_cut_at_every_step(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 2 * STEPS
    entries = [entry(FIRST + 10 * n, 10, events=[event(n + 1, FIRST + 10 * n, FIRST + 10 * n)]) for n in range(count)]
    store = Store(ListSource(entries), database, Clock(), HURRY)
    write = store._transaction.write
    attempts = 0
    steps_seen = set()

    async def write_and_be_cut(connection: Any, group: Any, after: int) -> Any:
        nonlocal attempts
        cutter = Cutter(connection, database, attempts // 2, attempts % 2 == 1)
        attempts += 1
        try:
            return await write(cutter, group, after)
        finally:
            steps_seen.add(cutter.steps)

    monkeypatch.setattr(store._transaction, "write", write_and_be_cut)
    await asyncio.wait_for(store.run(), 60)
    assert max(steps_seen) < STEPS                           # so no step was left uncut
    assert store.counters.reconnects_total >= 10
    await stored_once(database, list(range(FIRST, FIRST + 10 * count)), list(range(1, count + 1)))


async def test_cut_in_the_middle_of_a_copy(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.store.transaction.SLICE_BYTES", 100)
    source = ListSource([entry(FIRST, 200), entry(FIRST + 200, 200)])
    store = Store(source, database, Clock(), HURRY)
    from engine.store.transaction import Slices
    read, cuts = Slices.__anext__, 0

    async def read_and_cut(self: Slices) -> memoryview:
        nonlocal cuts
        if self._at > 1000 and cuts < 2:
            cuts += 1
            knife = await asyncpg.connect(database)
            await knife.fetchval("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                                 "WHERE application_name = 'tocsin store' AND datname = current_database()")
            await knife.close()
        return await read(self)

    monkeypatch.setattr(Slices, "__anext__", read_and_cut)
    await asyncio.wait_for(store.run(), 30)
    assert cuts == 2
    assert store.counters.reconnects_total == 2
    await stored_once(database, list(range(FIRST, FIRST + 400)), [])


async def test_two_stores_on_one_journal_do_not_double(database: str) -> None:
    entries = [entry(FIRST + 10 * n, 10) for n in range(40)]
    stores = [Store(ListSource(entries), database, Clock(), HURRY) for _ in range(2)]
    await asyncio.wait_for(asyncio.gather(*(store.run() for store in stores)), 60)
    await stored_once(database, list(range(FIRST, FIRST + 400)), [])
    assert sum(store.counters.rows_total for store in stores) == 400


async def test_postgres_killed_and_started_again(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", Clock())
    source = ListSource([entry(FIRST, 10)], live=True)
    store = Store(source, lambda: server.url, Clock(), HURRY)
    running = asyncio.create_task(store.run())               # the store is there before its database
    await server.start()
    try:
        await asyncio.wait_for(store.wait_stored(FIRST + 9), 30)
        for n in range(1, 4):
            source.append(entry(FIRST + 100 * n, 50))
            pid = server.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            source.append(entry(FIRST + 100 * n + 50, 50))
            await asyncio.wait_for(store.wait_stored(FIRST + 100 * n + 99), 30)
        assert server.restarts >= 3
        assert store.counters.up
        await stored_once(server.url, [*range(FIRST, FIRST + 10), *range(FIRST + 100, FIRST + 400)], [])
    finally:
        running.cancel()
        await server.stop()
