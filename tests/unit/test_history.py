"""What was open at any time, from a real journal on a disk in memory, against what was noted down all along."""
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.batch import Batch
from codec.words import RowKind
from engine.clock import FakeClock
from engine.filter.states_view import StatesTable
from engine.history import Then, TooOld, Transmitter, open_then
from engine.journal.journal import Journal, JournalSettings
from engine.journal.memory_disk import MemoryDisk
from engine.journal.segments import LogStart, SegmentLog
from engine.journal.space import SpaceSettings
from engine.sources import StoredRows
from engine.words import Reason
from tests.integration.store_rows import outcome

S = 1_000_000_000
WHO = [(1, "0001", ""), (1, "0001", "north"), (2, "0001", ""), (1, "0002", "")]
Key = tuple[str, str, str]
Plain = list[tuple[str, str, str | None, str | None]]


class Past:
    """A journal and its outcomes as the pipeline keeps them, and what was open at each transmitter after each row."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.now = self.clock.wall_ns()
        self.table = StatesTable(len(WHO), 1000)
        self.after: list[tuple[int, int, list[Plain]]] = []       # number, received_ns, what is open then

    async def open(self) -> "Past":
        disk = MemoryDisk()
        self.journal = await Journal.open(disk, self.clock, JournalSettings(
            segment_bytes=16384, bytes_max=1 << 24, keep_seconds=0, consumers=(), snapshots=()))
        self.outcomes = await SegmentLog.open(
            disk, self.clock, "outcomes", SpaceSettings(4096),
            lambda: LogStart(self.journal.name, self.journal.first, 0), name=self.journal.name, cut_after=0)
        self.source = StoredRows(self.journal, self.outcomes)
        return self

    async def add(self, signals: list[tuple[int, dict[str, Any]]]) -> None:
        """Append one entry of signals, each with its transmitter; judge it as the filter does."""
        batch = Batch(len(signals), 200 * len(signals))
        times = []
        for who, signal in signals:
            self.now += signal.pop("later", 0)
            protocol, account, realm = WHO[who]
            batch.add(protocol=protocol, account=account, realm=realm, received_ns=self.now, **signal)
            times.append(self.now)
        span = await self.journal.append(0, batch)
        verdicts = []
        for row, (who, signal) in enumerate(signals):
            change = self.table.note(who, signal["signal_class"], signal["condition"], signal["state"],
                                     signal["point"].encode(), span.first + row, times[row]) \
                if signal.get("kind", RowKind.ROW_SIGNAL) == RowKind.ROW_SIGNAL else "none"
            changed = Reason.REASON_MASS_LOSS if signal["condition"] == 51 else Reason.REASON_STATE
            verdicts.append((3, changed if change != "none" else Reason.REASON_AGAIN, 6, 2))
            self.after.append((span.first + row, times[row], [plain(self.table.rows(who)) for who in range(len(WHO))]))
        self.outcomes.append_now(outcome(verdicts).encode(), span.rows, 0, first=span.first)

    async def ask(self, who: int, at_ns: int) -> Then:
        protocol, account, realm = WHO[who]
        position = self.after[-1][0] if self.after else 0
        return await open_then(self.source, Transmitter(protocol, account.encode(), realm.encode()),
                               self.table.rows(who), position, at_ns, trimmed=self.journal.trimmed)

    def truth(self, who: int, at_ns: int) -> tuple[int, Plain]:
        return next((number, rows[who]) for number, ns, rows in reversed(self.after) if ns <= at_ns)


def plain(rows: list[dict[str, Any]]) -> Plain:
    return [(row["class"], row["condition"], row["point"], row["signal_id"]) for row in rows]


def some_signal(chance: random.Random) -> tuple[int, dict[str, Any]]:
    return chance.choice([0, 0, 0, 1, 2, 3]), {
        "kind": chance.choice([RowKind.ROW_SIGNAL] * 9 + [RowKind.ROW_CHANGE]),
        "signal_class": chance.choice([5, 5, 5, 4, 6, 7, 10, 1]),
        "condition": chance.choice([0, 50, 51, 52, 56, 65, 67]), "state": chance.choice([1, 1, 2, 3]),
        "point": chance.choice(["", "1", "1", "2", "3/4"]), "later": chance.choice([0, 0, 1, S])}


@given(st.integers(0, 1 << 60))
@settings(max_examples=25, deadline=None)
async def test_any_time_that_is_kept(seed: int) -> None:
    chance = random.Random(seed)
    past = await Past().open()
    for _ in range(chance.randrange(1, 40)):
        await past.add([some_signal(chance) for _ in range(chance.randrange(1, 12))])
    for _ in range(12):
        who, at_ns = chance.randrange(len(WHO)), chance.choice(past.after)[1] + chance.choice([-1, 0, 0, 1])
        if at_ns < past.after[0][1]:
            with pytest.raises(TooOld):
                await past.ask(who, at_ns)
            continue
        then = await past.ask(who, at_ns)
        assert (then.position, plain(then.rows), then.whole) == (*past.truth(who, at_ns), True)


@given(st.integers(0, 1 << 60))
@settings(max_examples=15, deadline=None)
async def test_where_the_beginning_is_gone(seed: int) -> None:
    chance = random.Random(seed)
    past = await Past().open()
    for _ in range(150):
        await past.add([some_signal(chance) for _ in range(chance.randrange(1, 12))])
    past.clock.advance(10.0)
    await past.journal.trim()
    await past.outcomes.trim(past.journal.first - 1, bytes_max=0)
    oldest = max(past.journal.first, past.outcomes.first_kept)
    assert oldest > past.after[0][0]
    kept_ns = next(ns for number, ns, _ in past.after if number == oldest)
    with pytest.raises(TooOld) as error:
        await past.ask(0, past.after[0][1])
    assert error.value.oldest_ns == kept_ns
    for _ in range(10):
        who, at_ns = chance.randrange(len(WHO)), max(kept_ns, chance.choice(past.after)[1])
        then = await past.ask(who, at_ns)
        number, rows = past.truth(who, at_ns)
        assert then.position == number
        found = plain(then.rows)
        assert {row for row in found if row[3]} <= set(rows)
        assert {row for row in rows if int(row[3] or 0) >= oldest} <= set(found)
        unknown = [row[:3] for row in found if not row[3]]
        older = [row[:3] for row in rows if row not in found]
        assert {row for row in unknown if row[2]} <= set(older) or not then.whole
        if then.whole:
            assert sorted(unknown) == sorted(older)


async def test_now_and_the_future_are_what_is_open_now() -> None:
    past = await Past().open()
    assert (await past.ask(0, past.now)).rows == []
    await past.add([(0, {"signal_class": 5, "condition": 52, "state": 1, "point": ""})])
    then = await past.ask(0, past.now + S)
    assert then == Then(past.table.rows(0), past.after[-1][0], whole=True)


async def test_a_time_long_ago_is_found_among_many_entries() -> None:
    past = await Past().open()
    for hour in range(40):
        mains = {"signal_class": 5, "condition": 52, "state": 1 + hour % 2, "point": "", "later": 3600 * S}
        await past.add([(0, mains)])
        noise = [(3, {"signal_class": 10, "condition": 120, "state": 3, "point": "", "later": 1}) for _ in range(2000)]
        await past.add(noise)
    for hour in (0, 1, 17, 38):
        then = await past.ask(0, past.after[hour * 2001][1])
        assert (then.position, plain(then.rows)) == past.truth(0, past.after[hour * 2001][1])
