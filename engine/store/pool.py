"""Connections for questions that people ask: few, opened when the first of them comes."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg  # type: ignore[import-untyped]


class Pool:
    """At most so many connections to one database.

    database       URL, or a function that returns it
    connect_s_max  for opening one
    settings       of the server, for each connection
    """

    def __init__(self, database: str | Callable[[], str], connections_max: int, connect_s_max: float,
                 settings: dict[str, str]) -> None:
        self._url: Callable[[], str] = database if callable(database) else lambda: database
        self._connections_max = connections_max
        self._connect_s_max = connect_s_max
        self._settings = settings
        self._pool: Any = None
        self._turn = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    @asynccontextmanager
    async def connected(self, seconds: float) -> AsyncIterator[Any]:
        """A connection for at most so long, waiting for it included. Raises errors of the database, TimeoutError."""
        async with asyncio.timeout(seconds):
            async with self._turn:
                if self._pool is None:
                    self._pool = await asyncpg.create_pool(
                        self._url(), min_size=0, max_size=self._connections_max, timeout=self._connect_s_max,
                        server_settings=self._settings)
            async with self._pool.acquire() as connection:
                yield connection
