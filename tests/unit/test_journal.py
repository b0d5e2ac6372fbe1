"""The journal on a disk in memory: batches, positions, snapshots, room."""
import asyncio

import pytest

from codec.batch import Batch
from engine.clock import SECOND_NS, FakeClock
from engine.journal import Damaged, Full, Journal, JournalSettings, Lease, Position, Room, Span, Trimmed, Unavailable
from engine.journal.memory_disk import MemoryDisk

SMALL = JournalSettings(segment_bytes=4096, bytes_max=1 << 20, memory_bytes=2000)


def batch_of(*accounts: str, text: str = "") -> Batch:
    batch = Batch(16, 8192)
    for account in accounts:
        assert batch.add(account=account, native=text)
    return batch


def accounts(batch: Batch) -> list[str]:
    return [str(batch.row(index)["account"]) for index in range(len(batch))]


async def lease_of(journal: Journal) -> Lease:
    leases = [lease async for lease in journal.acquire()]
    assert len(leases) == 1
    return leases[0]


async def everything(journal: Journal, after: int | None = None) -> list[tuple[int, list[str]]]:
    start = journal.first - 1 if after is None else after
    return [(span.first, accounts(batch)) async for span, batch in journal.read(start, journal.durable().number)]


async def fill(journal: Journal, count: int, urgent: bool = False) -> list[Span]:
    return [await journal.append(0, batch_of("1234", text="t" * 400), urgent=urgent) for _ in range(count)]


async def test_a_new_journal_begins_at_the_microseconds():
    clock = FakeClock()
    journal = await Journal.open(MemoryDisk(), clock, SMALL)
    assert journal.first == clock.wall_ns() // 1000
    assert journal.durable() == Position(journal.name, 0, journal.first - 1)
    other = await Journal.open(MemoryDisk(), clock, SMALL)
    assert len(journal.name) == 16 and journal.name != other.name
    assert (await Journal.open(MemoryDisk(), clock, SMALL, name=b"n" * 16)).name == b"n" * 16


async def test_batches_come_back_with_their_numbers():
    disk, clock = MemoryDisk(), FakeClock()
    journal = await Journal.open(disk, clock, SMALL)
    first = journal.first
    assert await journal.append(0, batch_of("A", "B")) == Span(0, first, 2)
    span = await journal.append(0, batch_of("C"))
    assert (span.first, span.last) == (first + 2, first + 2)
    expected = [(first, ["A", "B"]), (first + 2, ["C"])]
    assert await everything(journal) == expected
    await journal.close()
    clock.jump(-SECOND_NS)
    again = await Journal.open(disk.killed(), clock, SMALL)
    assert again.name == journal.name and again.durable().number == first + 2
    assert await everything(again) == expected
    assert await everything(again, first + 1) == expected[1:]
    assert (await again.append(0, batch_of("D"))).first == first + 3


async def test_the_batch_is_encoded_at_the_call():
    journal = await Journal.open(MemoryDisk(), FakeClock(), SMALL)
    batch = batch_of("first")
    waiting = journal.append(0, batch)
    batch.clear()
    batch.add(account="second")
    await waiting
    assert await everything(journal) == [(journal.first, ["first"])]


async def test_a_reader_that_waits_gets_the_next_batch():
    journal = await Journal.open(MemoryDisk(), FakeClock(), SMALL)
    reader = journal.read(journal.durable().number)
    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    assert not waiting.done()
    span = await journal.append(0, batch_of("A"))
    assert (await waiting)[0] == span
    waiting = asyncio.ensure_future(anext(reader, None))
    await journal.close()
    assert await waiting is None


async def test_skip_past_what_the_database_knows():
    journal = await Journal.open(MemoryDisk(), FakeClock(), SMALL)
    await fill(journal, 1)
    known = journal.durable().number + 1000
    journal.skip_past(known)
    assert journal.durable().number == known
    assert (await fill(journal, 1))[0].first == known + 1
    journal.skip_past(5)
    assert (await fill(journal, 1))[0].first == known + 2
    assert len(await everything(journal)) == 3


async def test_errors_of_the_disk_reach_the_caller_and_the_journal_goes_on():
    disk = MemoryDisk()
    journal = await Journal.open(disk, FakeClock(), SMALL)
    first = (await fill(journal, 1))[0]

    def no(operation, name):
        if operation == "sync":
            raise Unavailable("no")
    disk.on_call = no
    with pytest.raises(Unavailable):
        await fill(journal, 1)
    assert journal.durable().number == first.last
    disk.on_call = None
    assert (await fill(journal, 1))[0].first == first.last + 2
    assert len(await everything(journal)) == 2


async def test_snapshot_and_what_is_after_it():
    disk, clock = MemoryDisk(), FakeClock()
    journal = await Journal.open(disk, clock, SMALL)
    lease = await lease_of(journal)
    assert await journal.load(lease, "engine") is None
    spans = await fill(journal, 3)
    sections = {"paths": [b"one", bytearray(b"two"), memoryview(b"three")], "admit": b"", "filter": b"f" * 10000,
                "supervise": iter([b"", b"x"])}
    await journal.snapshot(lease, "engine", spans[1].last, sections)
    again = await Journal.open(disk.killed(), clock, SMALL)
    snapshot = await again.load(await lease_of(again), "engine")
    assert snapshot is not None
    assert (snapshot.at, snapshot.journal, snapshot.created_ns) == (spans[1].last, journal.name, clock.wall_ns())
    assert snapshot.sections == {"paths": b"onetwothree", "admit": b"", "filter": b"f" * 10000, "supervise": b"x"}
    assert [first for first, _ in await everything(again, snapshot.at)] == [spans[2].first]


async def test_a_broken_snapshot_falls_back_to_the_one_before():
    disk, clock = MemoryDisk(), FakeClock()
    journal = await Journal.open(disk, clock, SMALL)
    lease = await lease_of(journal)
    for span in await fill(journal, 3):
        await journal.snapshot(lease, "engine", span.last, {"paths": str(span.last).encode()})
    files = [name for name in disk.list() if name.startswith("snapshot")]
    assert len(files) == 2
    last = journal.durable().number
    whole = len(disk.files[files[1]].seen)
    for offset in range(whole):
        broken = disk.killed()
        broken.files[files[1]].seen[offset] ^= 0x40
        again = await Journal.open(broken, clock, SMALL)
        snapshot = await again.load(await lease_of(again), "engine")
        assert snapshot is not None and snapshot.at == last - 1
        assert snapshot.sections["paths"] == str(last - 1).encode()
    for size in range(whole):
        broken = disk.killed()
        del broken.files[files[1]].seen[size:]
        again = await Journal.open(broken, clock, SMALL)
        snapshot = await again.load(await lease_of(again), "engine")
        assert snapshot is not None and snapshot.at == last - 1
    again = await Journal.open(disk.killed(), clock, SMALL)
    snapshot = await again.load(await lease_of(again), "engine")
    assert snapshot is not None and snapshot.at == last


async def test_snapshots_and_positions_of_another_journal_are_not_ours():
    disk, clock = MemoryDisk(), FakeClock()
    journal = await Journal.open(disk, clock, SMALL)
    lease = await lease_of(journal)
    await fill(journal, 1)
    await journal.snapshot(lease, "engine", journal.durable().number, {"paths": b"p"})
    await journal.commit(lease, "store", journal.durable().number)
    for name in [name for name in disk.list() if name.startswith("journal")]:
        del disk.files[name]
    other = await Journal.open(disk, clock, SMALL)
    lease = await lease_of(other)
    assert await other.load(lease, "engine") is None
    assert other.committed(lease, "store") is None


async def test_a_snapshot_that_fails_leaves_the_one_before():
    disk = MemoryDisk()
    journal = await Journal.open(disk, FakeClock(), SMALL)
    lease = await lease_of(journal)
    await fill(journal, 2)
    await journal.snapshot(lease, "engine", journal.first, {"paths": b"p"})
    disk.bytes_max = 0
    with pytest.raises(Full):
        await journal.snapshot(lease, "engine", journal.first + 1, {"paths": b"q"})
    snapshot = await journal.load(lease, "engine")
    assert snapshot is not None and snapshot.sections == {"paths": b"p"}


async def test_commit_is_written_at_most_once_a_second():
    disk, clock = MemoryDisk(), FakeClock()
    journal = await Journal.open(disk, clock, SMALL)
    lease = await lease_of(journal)
    spans = await fill(journal, 4)
    writes = []
    disk.on_call = lambda operation, name: writes.append(operation) if operation == "replace" else None
    assert journal.committed(lease, "store") is None
    for span in spans[:3]:
        await journal.commit(lease, "store", span.last)
    assert writes == ["replace"] and journal.committed(lease, "store") == spans[2].last
    killed = await Journal.open(disk.killed(), clock, SMALL)
    assert killed.committed(await lease_of(killed), "store") == spans[0].last
    clock.advance(SECOND_NS)
    await journal.commit(lease, "store", spans[3].last)
    assert len(writes) == 2
    await journal.commit(lease, "store", spans[2].last)
    await journal.close()
    closed = await Journal.open(disk.killed(), clock, SMALL)
    assert closed.committed(await lease_of(closed), "store") == spans[2].last


async def test_nothing_that_is_needed_is_trimmed():
    disk, clock = MemoryDisk(), FakeClock()
    journal = await Journal.open(disk, clock, SMALL)
    lease = await lease_of(journal)
    spans = await fill(journal, 60)
    clock.advance(8 * 24 * 3600 * SECOND_NS)
    await fill(journal, 10)
    clock.advance(8 * 24 * 3600 * SECOND_NS)
    assert await journal.trim() == 0  # no store has committed, no snapshot is there
    await journal.commit(lease, "store", spans[40].last)
    assert await journal.trim() == 0
    await journal.snapshot(lease, "engine", spans[30].last, {})
    await journal.snapshot(lease, "engine", spans[50].last, {})
    assert await journal.trim(spans[10].last) > 0
    assert journal.first <= spans[11].first
    assert await journal.trim() > 0
    assert spans[11].first < journal.first <= spans[31].first  # the older snapshot may have to be used
    await journal.snapshot(lease, "engine", spans[55].last, {})
    await journal.trim()
    assert spans[31].first < journal.first <= spans[41].first  # the store
    kept = [first for first, _ in await everything(journal)]
    assert kept[0] == journal.first
    with pytest.raises(Trimmed):
        await everything(journal, spans[0].last)
    await journal.forget(lease, "store")
    assert await journal.trim() == 0


async def test_young_segments_stay():
    disk, clock = MemoryDisk(), FakeClock()
    journal = await Journal.open(disk, clock, SMALL)
    lease = await lease_of(journal)
    await fill(journal, 60)
    await journal.commit(lease, "store", journal.durable().number)
    await journal.snapshot(lease, "engine", journal.durable().number, {})
    assert await journal.trim() == 0
    clock.advance(8 * 24 * 3600 * SECOND_NS)
    assert await journal.trim() > 0


TIGHT = JournalSettings(segment_bytes=16384, bytes_max=160_000, memory_bytes=2000, reserve_part=0.10, low_part=0.20)


async def test_full_when_all_is_needed_and_the_reserve_for_urgent_ones():
    disk, clock = MemoryDisk(), FakeClock()
    journal = await Journal.open(disk, clock, TIGHT)
    lease = await lease_of(journal)
    rooms = [journal.room()]
    spans = []
    with pytest.raises(Full):
        while True:
            spans += await fill(journal, 1)
            rooms.append(journal.room())
    assert [room for index, room in enumerate(rooms) if room not in rooms[:index]] == [Room.OK, Room.LOW, Room.FULL]
    assert rooms == sorted(rooms, key=[Room.OK, Room.LOW, Room.FULL].index)
    urgent = []
    with pytest.raises(Full):
        while True:
            urgent += await fill(journal, 1, urgent=True)
            with pytest.raises(Full):
                await fill(journal, 1)
    assert len(urgent) >= 16000 // 800
    assert sum(disk.size(name) for name in disk.list()) <= TIGHT.bytes_max
    assert len(await everything(journal)) == len(spans) + len(urgent)
    await journal.commit(lease, "store", spans[-1].last)
    await journal.snapshot(lease, "engine", spans[-1].last, {})
    again = await fill(journal, 1)  # what is no longer needed makes room by itself
    assert again[0].first > urgent[-1].last and journal.first > spans[0].first
    await journal.trim()
    assert "journal.reserve" in disk.list()
    assert sum(disk.size(name) for name in disk.list() if name.startswith("journal")) <= TIGHT.bytes_max


async def test_a_disk_that_others_filled_takes_the_place_of_old_segments():
    disk, clock = MemoryDisk(), FakeClock()
    journal = await Journal.open(disk, clock, SMALL)
    lease = await lease_of(journal)
    spans = await fill(journal, 60)
    await journal.commit(lease, "store", spans[-1].last)
    await journal.snapshot(lease, "engine", spans[-1].last, {})
    disk.bytes_max = sum(disk.size(name) for name in disk.list())
    count = journal.stat()["segments"]
    await fill(journal, 60)
    assert journal.stat()["segments"] == count and journal.first > spans[0].first


async def test_the_reserve_is_there_when_others_fill_the_disk():
    disk = MemoryDisk()
    journal = await Journal.open(disk, FakeClock(), TIGHT)
    await fill(journal, 1)
    disk.bytes_max = sum(disk.size(name) for name in disk.list())
    with pytest.raises(Full):
        await fill(journal, 100)
    urgent = await fill(journal, 10, urgent=True)
    assert journal.room() is Room.FULL
    again = await Journal.open(disk.killed(), FakeClock(), TIGHT)
    assert again.durable().number == urgent[-1].last
    with pytest.raises(Full):  # also after a restart
        await fill(again, 1)
    assert await fill(again, 1, urgent=True)


async def test_the_next_segment_is_made_ahead_of_time():
    disk = MemoryDisk()
    journal = await Journal.open(disk, FakeClock(), SMALL)
    while journal.stat()["bytes"] == 4096:
        await fill(journal, 1)
        await asyncio.sleep(0)
    assert journal.stat()["segments"] == 1 and "journal-0000000002.segment" in disk.list()
    disk.on_call = forbid_create
    await fill(journal, 5)
    assert journal.stat()["segments"] == 2
    disk.on_call = None
    await journal.close()
    assert "journal-0000000003.segment" not in disk.list()


def forbid_create(operation, name):
    assert operation != "create"


async def test_flushes_are_told():
    journal = await Journal.open(MemoryDisk(), FakeClock(), SMALL)
    told = []
    journal.on_flush.append(lambda seconds, size, rows: told.append((seconds, size, rows)))
    batch = batch_of("A", "B")
    await journal.append(0, batch)
    assert told == [(0.0, len(batch.encode()), 2)]
    stat = journal.stat()
    assert (stat["flushes"], stat["durable"], stat["name"]) == (1, journal.durable().number, journal.name.hex())


async def test_a_journal_that_cannot_be_read_is_not_begun_anew():
    disk = MemoryDisk()
    journal = await Journal.open(disk, FakeClock(), SMALL)
    await fill(journal, 2)
    disk.files["journal-0000000001.segment"].seen[20] ^= 1
    with pytest.raises(Damaged):
        await Journal.open(disk, FakeClock(), SMALL)


async def test_others_get_the_loop_between_two_large_batches():
    journal = await Journal.open(MemoryDisk(), FakeClock(), JournalSettings(bytes_max=1 << 30))
    large = Batch(1024, 8192)
    while large.add(account="1"):
        pass
    for batch in (batch_of("a"), batch_of("b"), large, large, batch_of("c")):
        await journal.append(0, batch)
    turns, seen = 0, []

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count())
    async for span, _ in journal.read(journal.first - 1, journal.durable().number):
        seen.append((span.rows, turns))
    counting.cancel()
    assert [rows for rows, _ in seen] == [1, 1, 1024, 1024, 1]
    assert seen[2][1] < seen[3][1] < seen[4][1] and seen[0][1] == seen[2][1]
    await journal.close()
