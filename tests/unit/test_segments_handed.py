"""A segment log that its last writer hands to the next one, as an engine does that is replaced while it runs."""
from engine.clock import FakeClock
from engine.journal import LogStart, SegmentLog, SpaceSettings
from engine.journal.memory_disk import MemoryDisk

NAME = bytes(range(16))
FIRST = 1000


async def open_log(disk, *, name=NAME, **more):
    return await SegmentLog.open(disk, FakeClock(), "log", SpaceSettings(1024, 1 << 16, 2048),
                                 lambda: LogStart(name, FIRST, 500), **more)


async def fill(log, count):
    return [await log.append(bytes([index % 251]) * 60, 2, log.mark + 1) for index in range(count)]


async def content(log):
    return [entry async for entry in log.read(0, log.last)]


async def test_a_finished_log_is_handed_on_without_looking_through_it():
    log = await open_log(MemoryDisk())
    first = await fill(log, 30)
    log.prepare()                        # a spare segment is no part of it
    handed = await log.finish()
    assert await content(log) == first, "readers of the old owner go on"
    disk, read = log.disk, []
    disk.on_call = lambda called, name: read.append(name) if called == "read" else None
    after = await open_log(disk, handed=handed)
    assert read == [handed[-1].file], "its header alone"
    assert (after.last, after.next, after.mark, after.name) == (log.last, log.next, log.mark, log.name)
    await log.close()                    # and takes no file of the new owner's with it
    more = await fill(after, 30)
    assert await content(after) == first + more
    assert await content(await open_log(disk.killed())) == first + more


async def test_a_handed_log_that_the_disk_does_not_bear_out_is_looked_through():
    log = await open_log(MemoryDisk())
    entries = await fill(log, 30)
    handed = await log.finish()
    assert await content(await open_log(log.disk.killed(), handed=handed[:-1])) == entries
    other = await open_log(MemoryDisk(), name=b"another journal.")
    assert await content(await open_log(log.disk.killed(), handed=other.segments)) == entries


async def test_a_derivable_log_that_was_handed_on_is_not_taken_for_flushed():
    log = await open_log(MemoryDisk())
    for first in range(FIRST, FIRST + 60, 2):
        log.append_now(bytes(60), 2, log.mark + 1, first=first)
    handed = await log.finish()          # flushes the closed segments, which the next owner would not
    after = await open_log(log.disk, handed=handed, cut_after=FIRST)
    assert after.last == log.last, "nothing is cut"
    assert after.synced < after.last
    for first in range(after.next, after.next + 40, 2):
        after.append_now(bytes(60), 2, after.mark + 1, first=first)
    kept = await after.sync()
    assert kept == after.last
    assert (await open_log(after.disk.killed(), cut_after=kept)).last == kept
