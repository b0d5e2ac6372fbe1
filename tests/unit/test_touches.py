"""Who was heard, as it is written every second and read at a start."""
import asyncio
from random import Random

import pytest

from codec.batch import Batch
from codec.words import RowKind
from engine.journal.errors import Full
from engine.journal.memory_disk import MemoryDisk
from engine.paths import PathTable
from engine.supervise.listening import ListeningClock
from engine.supervise.touch_file import TouchFile, decode
from engine.supervise.touches import Touches

JOURNAL = bytes(range(16))
LATER_MS = 100_000


def table(*supervision_ms: int) -> PathTable:
    paths = PathTable(1000, bytes(16))
    batch = Batch(1024, 1 << 20)
    for number, time_ms in enumerate(supervision_ms):
        batch.add(kind=RowKind.ROW_ENROLMENT, path=number, native=f"dc09:{number:04X}/default/L0 supervision={time_ms}")
    paths.apply(batch)
    return paths


def left_ms(paths: PathTable, now_ms: int) -> list[int]:
    """Return how long each path may still be silent."""
    ages = b"".join(Touches(paths).ages(len(paths), now_ms))
    return [int(str(paths.show(number)["supervision_ms"])) - (int.from_bytes(ages[4 * number:4 * number + 4], "little")
                                                              & 0x7FFFFFFF) for number in range(len(paths))]


def test_what_a_start_gives():
    paths = table(30_000, 60_000, 120_000, 300_000)  # heard at 0, and it is 100 s
    Touches(paths).resume(LATER_MS, 90_000, 4, life_ms=0)
    assert left_ms(paths, LATER_MS) == [30_000, 60_000, 110_000, 290_000]


def test_who_was_enrolled_after_the_writing_has_its_whole_time():
    paths = table(300_000, 300_000)
    Touches(paths).resume(LATER_MS, 90_000, 1, life_ms=0)
    assert left_ms(paths, LATER_MS) == [290_000, 300_000]


@pytest.mark.parametrize(("life_ms", "again"), [(44_000, True), (45_000, False)])
def test_the_grace_comes_once_in_a_silence_unless_the_life_was_too_short_to_be_heard_in(life_ms, again):
    paths = table(300_000)
    touches = Touches(paths)
    touches.resume(300_000, 90_000, 1, life_ms=0)
    assert left_ms(paths, 300_000) == [90_000]
    after = table(300_000)
    later = Touches(after)
    later.load(b"".join(touches.ages(1, 300_000 + life_ms)), 300_000 + life_ms)
    later.resume(300_000 + life_ms, 90_000, 1, life_ms=life_ms)
    assert left_ms(after, 300_000 + life_ms) == [(180_000 if again else 90_000) - life_ms]


async def write_one(disk: MemoryDisk, listening_ms: int, paths: PathTable) -> TouchFile:
    file = TouchFile(disk, JOURNAL, paths)
    await file.resume(listening_ms, 90_000, len(paths))
    await file.write(ListeningClock(listening_ms, 0))
    return file


async def test_the_newest_whole_one_is_read():
    disk = MemoryDisk()
    for listening_ms in (1000, 2000, 3000):
        await write_one(disk, listening_ms, table(90_000))
    assert await TouchFile(disk, JOURNAL, table(90_000)).resume(0, 90_000, 1) == 3000
    newest = max(disk.files.values(), key=lambda content: decode(bytes(content.seen), JOURNAL).listening_ms)
    newest.seen[70] ^= 1
    assert await TouchFile(disk, JOURNAL, table(90_000)).resume(0, 90_000, 1) == 2000
    assert await TouchFile(disk, bytes(16), table(90_000)).resume(500, 90_000, 1) == 500      # of another journal


async def test_every_cut_is_refused():
    disk = MemoryDisk()
    await write_one(disk, 1000, table(90_000, 90_000))
    (content,) = disk.files.values()
    data = bytes(content.seen)
    assert decode(data, JOURNAL) is not None
    assert all(decode(data[:size], JOURNAL) is None for size in range(len(data)))


async def test_after_power_cuts_something_whole_is_left():
    disk = MemoryDisk()
    file = await write_one(disk, 1000, table(90_000))
    for second in range(2, 15):
        await file.write(ListeningClock(second * 1000, 0), flush=second % 5 == 0)
    for seed in range(50):
        found = await TouchFile(disk.unplugged(Random(seed)), JOURNAL, table(90_000)).resume(0, 90_000, 1)
        assert 10_000 <= found <= 14_000, seed


async def test_a_full_disk_is_told_once_and_tried_again(caplog):
    disk = MemoryDisk()
    tries, written = [], asyncio.Event()

    def no(operation, name):
        tries.append(operation)
        if len(tries) < 3:
            raise Full("no space left on the disk")
        written.set()

    disk.on_call = no
    running = asyncio.create_task(TouchFile(disk, JOURNAL, table(90_000)).run(ListeningClock(0, 0)))
    async with asyncio.timeout(10):
        await written.wait()
    running.cancel()
    assert caplog.text.count("who was heard cannot be written") == 1


async def test_the_first_writing_of_a_life_is_flushed_and_then_every_fifth(monkeypatch):
    disk, order, enough = MemoryDisk(), [], asyncio.Event()

    def note(operation, name):
        order.extend([operation] if operation in ("write", "sync") else [])
        if order.count("sync") == 3:
            enough.set()

    disk.on_call = note
    monkeypatch.setattr("engine.supervise.touch_file.EVERY_S", 0)
    running = asyncio.create_task(TouchFile(disk, JOURNAL, table(90_000)).run(ListeningClock(0, 0)))
    async with asyncio.timeout(10):
        await enough.wait()
    running.cancel()
    assert order[:14] == ["write", "sync", *["write"] * 5, "sync", *["write"] * 5, "sync"]
