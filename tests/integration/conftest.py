"""One embedded PostgreSQL for all integration tests; each test gets a database of its own in it."""
from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from engine.clock import Clock
from engine.store.embedded import EmbeddedPostgres

COUNT = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A running PostgreSQL; nobody restarts it when a test kills it, so such a test starts its own."""
    with tempfile.TemporaryDirectory(prefix="tocsin-test-") as directory, asyncio.Runner() as runner:
        os.chmod(directory, 0o755)
        server = EmbeddedPostgres(Path(directory) / "postgres", Clock())
        runner.run(server.start())
        yield server
        runner.run(server.stop())


@pytest.fixture
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """URL of an empty database, dropped after the test."""
    name = f"test_{next(COUNT)}"
    connection = await asyncpg.connect(postgres.url)
    await connection.execute(f"CREATE DATABASE {name}")
    yield postgres.url.replace("/tocsin?", f"/{name}?")
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()
