"""Keeps tocsin.line_fault_row: the span of each line fault, in the transaction that writes its signals.

A path has at most one open. A second begin in a row goes on with the first one; an end without a begin is a row of its
own whose begin nobody knows.
"""
from __future__ import annotations

from typing import Any

from engine.store.line_fault_rows import LINE_FAULT_COLUMNS, LineFaultCopy

STAGING = "staging_line_fault"
MAKE_STAGING = f"""
CREATE TEMP TABLE IF NOT EXISTS {STAGING} (id bigint, at timestamptz, raised boolean, protocol text, account text,
    realm text, rest text, transmitter text GENERATED ALWAYS AS
        (protocol || ':' || account || CASE realm WHEN '' THEN '' ELSE '@' || realm END) STORED,
    path text GENERATED ALWAYS AS
        (protocol || ':' || account || CASE realm WHEN '' THEN '' ELSE '@' || realm END || '/' || rest) STORED)
ON COMMIT DELETE ROWS"""
# The first end of each path ends what is open, and the begins before it went on with that.
END_OPEN = f"""
WITH ended AS (
    UPDATE tocsin.line_fault_row f SET cleared_at = greatest(f.raised_at, first.at), cleared_id = first.id
    FROM (SELECT DISTINCT ON (path) path, id, at FROM {STAGING} WHERE NOT raised ORDER BY path, id) first
    WHERE f.path = first.path AND f.cleared_at IS NULL
    RETURNING f.path, f.cleared_id
)
DELETE FROM {STAGING} s USING ended WHERE s.path = ended.path AND s.id <= ended.cleared_id"""
ADD = f"""
WITH step AS (
    SELECT s.*, coalesce(lag(s.raised) OVER (PARTITION BY s.path ORDER BY s.id), f.path IS NOT NULL) AS was_open
    FROM {STAGING} s LEFT JOIN tocsin.line_fault_row f ON f.path = s.path AND f.cleared_at IS NULL
), pair AS (
    SELECT transmitter, path, raised, was_open, at, id, lead(at) OVER following AS next_at,
        lead(id) OVER following AS next
    FROM step WHERE NOT (raised AND was_open) WINDOW following AS (PARTITION BY path ORDER BY id)
)
INSERT INTO tocsin.line_fault_row (path, transmitter, raised_at, raised_id, cleared_at, cleared_id)
SELECT path, transmitter, at, CASE WHEN raised THEN id END,
    CASE WHEN NOT raised THEN at WHEN next IS NOT NULL THEN greatest(at, next_at) END,
    CASE WHEN raised THEN next ELSE id END
FROM pair WHERE raised OR NOT was_open"""


async def write_line_faults(connection: Any, faults: LineFaultCopy, copy: Any) -> None:
    """Write begins and ends, inside the caller's transaction.

    faults  at least one row
    copy    sends a COPY: connection, table, its columns, the bytes
    """
    await connection.execute(MAKE_STAGING)
    await copy(connection, STAGING, LINE_FAULT_COLUMNS, faults, schema=None)
    await connection.execute(END_OPEN)
    await connection.execute(ADD)
    await connection.execute(f"DELETE FROM {STAGING}")   # another part may follow in this transaction
