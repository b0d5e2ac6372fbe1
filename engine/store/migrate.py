"""The schema, brought up to date by the numbered files in schema/.

A file is applied once, in a transaction of its own, and never changed afterwards: its checksum is kept beside its
number.
"""
from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

LOG = logging.getLogger("engine.store")
SCHEMA = Path(__file__).parent / "schema"
LOCK = 0x746F6373696E                # "tocsin"; one engine migrates at a time

VERSION_TABLE = """
CREATE SCHEMA IF NOT EXISTS tocsin;
CREATE TABLE IF NOT EXISTS tocsin.schema_version (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""


class SchemaError(Exception):
    """The database's schema is none that this engine can bring up to date."""


def files(directory: Path = SCHEMA) -> list[tuple[int, Path]]:
    """Return (number, file) in order; the numbers are 1, 2, 3, ... without a gap."""
    found = sorted((int(path.name.split("_", 1)[0]), path) for path in directory.glob("[0-9]*_*.sql"))
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    return found


async def migrate(connection: Any, directory: Path = SCHEMA) -> None:
    """Apply what is missing. Raises SchemaError where an applied file has changed, or is unknown to us."""
    await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
    try:
        if await connection.fetchval("SELECT to_regclass('tocsin.schema_version')") is None:
            await connection.execute(VERSION_TABLE)
        rows = await connection.fetch("SELECT number, name, checksum FROM tocsin.schema_version")
        applied = {row["number"]: row for row in rows}
        for number, path in files(directory):
            text = path.read_text()
            checksum = hashlib.sha256(text.encode()).hexdigest()
            known = applied.pop(number, None)
            if known is not None and known["checksum"] != checksum:
                raise SchemaError(f"schema file {path.name} is not the one that was applied as {known['name']}")
            if known is None:
                async with connection.transaction():
                    await connection.execute(text)
                    await connection.execute(
                        "INSERT INTO tocsin.schema_version (number, name, checksum) VALUES ($1, $2, $3)",
                        number, path.name, checksum)
                LOG.info("schema: applied %s", path.name)
        if applied:
            raise SchemaError(f"the database has schema {max(applied)}, newer than this engine: run the engine that "
                              "made it, or give another database")
    finally:
        if not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
