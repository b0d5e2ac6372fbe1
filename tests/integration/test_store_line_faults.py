"""Line faults as the store keeps them: begins and ends paired as they come, in one transaction or in several."""
from __future__ import annotations

import asyncio
import random
from collections import defaultdict

import asyncpg
import pytest

from engine.clock import Clock
from engine.store.settings import StoreSettings
from engine.store.writer import Store
from tests.integration.store_rows import NOW_NS, SECOND_NS, ListSource, line_faults

FIRST = 1_000_001
Step = tuple[str, str, int]                  # path behind "dc09:", R(aised) or C(leared), second
Span = tuple[str, int | None, int | None]    # path, raised, cleared; in seconds, None = not known or open

async def store(database: str, steps: list[Step], parts: list[int], batch_rows: int = 1) -> list[Span]:
    """Store the steps in entries of these lengths, and return the spans that are kept, by path and begin."""
    source, at = ListSource(), 0
    for length in parts:
        source.append(line_faults(FIRST + at, steps[at:at + length]))
        at += length
    assert at == len(steps)
    await asyncio.wait_for(Store(source, database, Clock(), settings=StoreSettings(batch_rows=batch_rows)).run(), 60)
    return await spans(database)


async def spans(database: str) -> list[Span]:
    connection = await asyncpg.connect(database)
    rows = await connection.fetch("SELECT * FROM tocsin.line_fault ORDER BY path COLLATE \"C\", raised_at, raised_id")
    await connection.close()
    assert all(row["path"].startswith(row["transmitter"] + "/") for row in rows)

    def second(row: asyncpg.Record, what: str) -> int | None:
        return None if row[f"{what}_id"] is None else round(row[f"{what}_at"].timestamp()) - NOW_NS // SECOND_NS
    return [(row["path"].removeprefix("dc09:"), second(row, "raised"), second(row, "cleared")) for row in rows]


A, B = "0001/default/R1/L0", "0001@nghe-an/gprs"


@pytest.mark.parametrize(("steps", "kept"), [
    ([(A, "R", 1)], [(A, 1, None)]),
    ([(A, "R", 1), (A, "C", 5)], [(A, 1, 5)]),
    ([(A, "R", 1), (B, "R", 2), (A, "C", 5), (A, "R", 7), (B, "C", 9)], [(A, 1, 5), (A, 7, None), (B, 2, 9)]),
    ([(A, "C", 5)], [(A, None, 5)]),                                            # its begin was never stored
    ([(A, "R", 1), (A, "R", 3), (A, "C", 5)], [(A, 1, 5)]),                     # the end between them was not
    ([(A, "R", 1), (A, "C", 3), (A, "C", 5), (A, "R", 7)], [(A, 1, 3), (A, None, 5), (A, 7, None)]),
    ([(A, "R", 9), (A, "C", 4), (A, "R", 6)], [(A, 6, None), (A, 9, 9)]),       # the clock was set back
])
@pytest.mark.parametrize("together", [True, False])
async def test_begins_and_ends_make_spans(database: str, steps: list[Step], kept: list[Span], together: bool) -> None:
    assert await store(database, steps, [len(steps)] if together else [1] * len(steps)) == kept


async def test_random_steps_against_a_slow_truth(database: str) -> None:
    chance = random.Random(7)
    steps = [(chance.choice((A, B, "0002/x", "0003/x")), chance.choice("RC"), second) for second in range(400)]
    parts = [1, 2, 97, 3, 50, 147, 100]
    open_since: dict[str, int] = {}
    kept: dict[str, list[Span]] = defaultdict(list)
    for path, state, second in steps:
        if state == "R":
            open_since.setdefault(path, second)
        else:
            kept[path].append((path, open_since.pop(path, None), second))
    for path, second in open_since.items():
        kept[path].append((path, second, None))
    assert await store(database, steps, parts) == [span for path in sorted(kept) for span in kept[path]]


async def test_a_refused_row_leaves_the_others_and_comes_to_no_span(database: str) -> None:
    assert await store(database, [(A, "R", 1)], [1]) == [(A, 1, None)]
    connection = await asyncpg.connect(database)
    await connection.execute("ALTER TABLE tocsin.signal_row ADD CHECK (account <> '0666')")
    await connection.close()
    source = ListSource([line_faults(FIRST, [(A, "R", 1)]),
                         line_faults(FIRST + 1, [(A, "C", 2), ("0666/x", "R", 3), (A, "R", 4), (B, "R", 5),
                                                 (A, "C", 6)])])
    stored = Store(source, database, Clock())
    await asyncio.wait_for(stored.run(), 60)
    assert stored.counters.refused_total == 1
    assert await spans(database) == [(A, 1, 2), (A, 4, 6), (B, 5, None)]


async def test_the_reader_joins_the_facility(database: str) -> None:
    await store(database, [(A, "R", 1)], [1])
    connection = await asyncpg.connect(database)
    await connection.execute("INSERT INTO tocsin.facility (id, name) VALUES ('school', 'A school'); "
                             "INSERT INTO tocsin.transmitter (key, facility) VALUES ('dc09:0001', 'school')")
    assert await connection.fetchval("SELECT facility FROM tocsin.line_fault") == "school"
    await connection.close()
