"""The follower's readings, with batches on their way to the journal when something breaks."""
import asyncio
from contextlib import suppress
from types import SimpleNamespace

import pytest

from codec.batch import Batch
from engine.bulk import OUTSTANDING_MAX, Bulk
from engine.clock import FakeClock
from engine.journal import Full, Journal, JournalError, JournalSettings, Room, Unavailable
from engine.journal.memory_disk import MemoryDisk
from engine.registry import follower
from engine.words import Change

ROWS, ROWS_A_BATCH = 100, 8
READING, READ = int(Change.CHANGE_READING), int(Change.CHANGE_READ)
BATCHES = 14                     # the last one holds the end alone
WHOLE = ["reading", *(str(number) for number in range(ROWS)), "read"]


class Engine:
    """What a follower sees of a pipeline: a journal whose append number `fails_at` fails; its appends can be held."""

    def __init__(self, fails_at: int = 0) -> None:
        self.clock = FakeClock()
        self.filter = SimpleNamespace(registry_seen=("", 0))
        self.rows_waiting, self.journal_idle, self.open = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.open.set()
        self.journal_idle.set()
        self.journal = self
        self.bulk = Bulk(self)  # type: ignore[arg-type]
        self.fails_at = fails_at
        self.appends = 0
        self.rows: list[str] = []
        self.space = Room.OK
        self.most_waiting = 0

    def room(self) -> Room:
        return self.space

    async def append(self, partition: int, batch: Batch) -> None:
        self.appends += 1
        await self.open.wait()
        await asyncio.sleep(0)
        if self.appends == self.fails_at:
            raise Unavailable("this one")
        for row in (batch.row(index) for index in range(len(batch))):
            self.rows.append({READING: "reading", READ: "read"}.get(int(row["condition"]), str(row["account"])))

    def durable(self) -> SimpleNamespace:
        return SimpleNamespace(number=0)

    def judged(self) -> int:
        return 0

    async def journal_rows(self) -> None:
        while True:
            await self.rows_waiting.wait()
            self.rows_waiting.clear()
            while self.bulk.waiting:
                self.most_waiting = max(self.most_waiting, len(self.bulk._waiting))
                await self.bulk.append()
            self.journal_idle.set()


class Database:
    """A connection whose transmitters come in pieces, each after some turns of the loop; it goes at piece `away_at`."""

    def __init__(self, piece: int = 300, away_at: int = -1, turns: int = 0) -> None:
        self.piece, self.away_at, self.turns = piece, away_at, turns

    async def fetchrow(self, statement: str) -> dict[str, object]:
        return {"identity": "one", "revision": 7}

    async def execute(self, statement: str) -> None:
        pass

    async def copy_from_query(self, query: str, *, output, **options: object) -> None:
        if "FROM tocsin.transmitter" not in query:
            return
        data = b"".join(b"dc09:%d\t\t\t\t\t\tf\tf\tlate\n" % number for number in range(ROWS))
        for count, at in enumerate(range(0, len(data), self.piece)):
            if count == self.away_at:
                raise ConnectionResetError("gone")
            for _ in range(self.turns):
                await asyncio.sleep(0)
            await output(data[at:at + self.piece])


@pytest.fixture(autouse=True)
def small_batches_and_no_keys(monkeypatch):
    monkeypatch.setattr(follower, "BATCH_ROWS", ROWS_A_BATCH)
    monkeypatch.setattr(follower, "Keyring", lambda engine: None)


async def read(engine: Engine, database: Database) -> follower.Follower:
    """Let a follower read once, beside the journal; what breaks it is raised."""
    reader = follower.Follower(engine)  # type: ignore[arg-type]
    journal = asyncio.ensure_future(engine.journal_rows())
    try:
        await reader.look(database)
    finally:
        await engine.journal_idle.wait()
        journal.cancel()
        assert not reader._flushing and not engine.bulk.waiting
    return reader


@pytest.mark.parametrize("piece", [7, 300, 100_000])
async def test_a_reading_keeps_its_order_with_several_batches_on_their_way(piece):
    engine = Engine()
    reader = await read(engine, Database(piece))
    assert (engine.rows, reader.rows, reader.readings["full"]) == (WHOLE, len(WHOLE), 1)
    assert 1 < engine.most_waiting < OUTSTANDING_MAX + 1


@pytest.mark.parametrize("turns", [0, 1, 2, 5])
@pytest.mark.parametrize("fails_at", range(1, 17))
async def test_behind_a_batch_that_fails_nothing_of_the_reading_is_durable(fails_at, turns):
    engine = Engine(fails_at)
    with suppress(JournalError):
        await read(engine, Database(200, turns=turns))
    assert engine.rows == WHOLE[:len(engine.rows)]
    assert len(engine.rows) == min(ROWS_A_BATCH * (fails_at - 1), len(WHOLE) - (fails_at == BATCHES))
    assert engine.appends == min(fails_at, BATCHES)


@pytest.mark.parametrize("away_at", range(8))
async def test_a_database_that_goes_away_leaves_no_end_and_no_gap(away_at):
    engine = Engine()
    with pytest.raises(ConnectionResetError):
        await read(engine, Database(away_at=away_at))
    assert engine.rows == WHOLE[:len(engine.rows)] and "read" not in engine.rows


async def test_a_journal_without_room_ends_the_reading():
    engine = Engine()
    engine.space = Room.LOW
    with pytest.raises(Full):
        await read(engine, Database())
    assert engine.rows == []


@pytest.mark.parametrize("turns", range(0, 120, 3))
async def test_a_stop_in_the_middle_leaves_no_gap_before_the_end(turns):
    engine = Engine()
    task = asyncio.ensure_future(read(engine, Database()))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert engine.rows == WHOLE[:len(engine.rows)]


async def test_one_that_is_not_wanted_any_more_takes_those_behind_it_along():
    engine = Engine()
    engine.open.clear()
    batch = Batch(1, 64)
    assert batch.add(account="A")
    journal = asyncio.ensure_future(engine.journal_rows())
    under_way, unwanted, behind = (engine.bulk.hand(batch) for _ in range(3))
    await asyncio.sleep(0)
    unwanted.cancel()
    engine.open.set()
    await under_way
    with pytest.raises(JournalError):
        await behind
    assert engine.appends == 1
    journal.cancel()


async def test_the_real_journal_takes_batches_one_behind_the_other():
    clock = FakeClock()
    journal = await Journal.open(MemoryDisk(), clock, JournalSettings(segment_bytes=4096, bytes_max=1 << 20))
    engine = Engine()
    engine.journal = journal  # type: ignore[assignment]
    engine.judged = lambda: journal.durable().number  # type: ignore[method-assign]
    await read(engine, Database())
    found = [batch.row(index)["account"] async for _, batch in journal.read(journal.first - 1, journal.durable().number)
             for index in range(len(batch))]
    assert found[1:-1] == WHOLE[1:-1]
    await journal.close()
