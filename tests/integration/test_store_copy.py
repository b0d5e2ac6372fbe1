"""What PostgreSQL reads from our COPY bytes is what stood in the batch, for any text and any time."""
from __future__ import annotations

import datetime
import json
from typing import Any

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codec.batch import Batch
from codec.words import CLASS_TEXT, CONDITION_TEXT, PROTOCOL_TEXT, STATE_TEXT
from engine.store.copy import SIGNAL_COLUMNS, SignalCopy
from engine.store.migrate import migrate
from engine.store.transaction import Slices
from engine.words import REASON_TEXT, VERDICT_TEXT
from tests.integration.store_rows import outcome

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
UNTIL_NS = 7_258_118_400 * 10**9                 # 2200
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
UINT32 = st.integers(0, (1 << 32) - 1)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
DETAILS = st.dictionaries(TEXT, TEXT, max_size=3).map(lambda found: json.dumps(found) if found else "")
ROW = st.fixed_dictionaries({
    "protocol": st.sampled_from(sorted(PROTOCOL_TEXT)), "path": UINT32, "sequence": UINT32, "received_ns": INT64,
    "occurred_ns": st.one_of(st.none(), INT64, st.integers(0, UNTIL_NS)), "account": TEXT, "realm": TEXT,
    "point": TEXT, "native": TEXT, "details": DETAILS, "signal_class": st.sampled_from(sorted(CLASS_TEXT)),
    "condition": st.sampled_from(sorted(CONDITION_TEXT)), "state": st.sampled_from(sorted(STATE_TEXT)),
    "flags": st.integers(0, 65535), "raw": st.binary(max_size=60)})
VERDICT = st.tuples(st.sampled_from(sorted(VERDICT_TEXT)), st.sampled_from(sorted(REASON_TEXT)),
                    st.integers(0, 65535), UINT32)


def moment(ns: int) -> datetime.datetime:
    return EPOCH + datetime.timedelta(microseconds=ns // 1000)


def expected(number: int, row: dict[str, Any], verdict: tuple[int, int, int, int]) -> tuple[Any, ...]:
    occurred_ns = row["occurred_ns"]
    sane = occurred_ns is not None and 0 <= occurred_ns < UNTIL_NS
    return (number, moment(row["received_ns"]), moment(occurred_ns) if sane else None, PROTOCOL_TEXT[row["protocol"]],
            row["account"], row["realm"], CLASS_TEXT[row["signal_class"]], CONDITION_TEXT[row["condition"]],
            STATE_TEXT[row["state"]], row["point"], row["native"],
            json.loads(row["details"]) if row["details"] else None, row["raw"],
            None if row["path"] == 0xFFFFFFFF else row["path"], row["sequence"], row["flags"],
            verdict[2], verdict[3], VERDICT_TEXT[verdict[0]], REASON_TEXT[verdict[1]])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(ROW, VERDICT), min_size=1, max_size=12), st.integers(0, (1 << 53) - 20))
async def test_read_back(database: str, rows: list[tuple[dict[str, Any], tuple[int, int, int, int]]],
                         first: int) -> None:
    batch = Batch(16, 16384)
    for row, _ in rows:
        assert batch.add(**row)
    data = SignalCopy()
    data.add(batch, outcome([verdict for _, verdict in rows]), first, 0, len(rows), -(1 << 63))
    connection = await asyncpg.connect(database)
    try:
        await migrate(connection)
        with Slices(connection, data) as source:
            await connection.copy_to_table("signal_row", schema_name="tocsin", columns=SIGNAL_COLUMNS,
                                           format="binary", source=source)
        found = await connection.fetch(f"SELECT {', '.join(SIGNAL_COLUMNS)} FROM tocsin.signal ORDER BY id")
        await connection.execute("TRUNCATE tocsin.signal_row")
    finally:
        await connection.close()
    shown = [{**row, "details": row["details"] and json.loads(row["details"])} for row in found]
    assert [tuple(row.values()) for row in shown] == [
        expected(first + index, row, verdict) for index, (row, verdict) in enumerate(rows)]
