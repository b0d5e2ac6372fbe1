"""The segment log on a disk in memory: torn at every byte, failing, restarted, trimmed, read while it grows."""
import asyncio
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import SECOND_NS, FakeClock
from engine.journal import Ahead, Damaged, Entry, Full, LogStart, SegmentLog, SpaceSettings, Trimmed, Unavailable
from engine.journal.layout import SEGMENT_HEADER_BYTES, entry_bytes
from engine.journal.memory_disk import MemoryDisk

NAME = bytes(range(16))
FIRST = 1000


async def open_log(disk, *, segment_bytes=1024, memory_bytes=1 << 20, bytes_max=None, reserve_bytes=0, cut_after=None,
                   clock=None, name=None):
    return await SegmentLog.open(
        disk, clock or FakeClock(), "log", SpaceSettings(segment_bytes, bytes_max, reserve_bytes),
        lambda: LogStart(NAME, FIRST, 500), memory_bytes=memory_bytes, name=name, cut_after=cut_after)


async def fill(log, count, size=60, rows=2):
    return [await log.append(bytes([index % 251]) * size, rows, log.mark + 1) for index in range(count)]


async def content(log, after=0) -> list[Entry]:
    return [entry async for entry in log.read(after, log.last)]


def failing(operation, error, times=1):
    """Return a hook that lets the next `times` calls of `operation` fail."""
    left = [times]

    def hook(called, name):
        if called == operation and left[0]:
            left[0] -= 1
            raise error
    return hook


async def test_numbers_begin_where_told_and_go_on_after_a_restart():
    disk = MemoryDisk()
    log = await open_log(disk)
    assert (log.next, log.last, log.first_kept) == (FIRST, FIRST - 1, FIRST)
    first = await fill(log, 3)
    assert [(entry.first, entry.rows, entry.last) for entry in first] == [(1000, 2, 1001), (1002, 2, 1003),
                                                                          (1004, 2, 1005)]
    log = await open_log(disk.killed())
    assert (log.next, log.last, log.name, log.mark) == (1006, 1005, NAME, 503)
    more = await fill(log, 30)
    assert len(log.segments) > 2
    assert await content(log) == first + more
    assert await content(await open_log(disk.killed())) == first
    assert await content(await open_log(log.disk.killed())) == first + more


async def test_an_empty_log_keeps_its_name_and_first_number():
    disk = MemoryDisk()
    await open_log(disk)
    clock = FakeClock()
    again = await SegmentLog.open(disk.killed(), clock, "log", SpaceSettings(1024), lambda: LogStart(b"x" * 16, 7))
    assert (again.name, again.next) == (NAME, FIRST)


async def three_entries():
    disk = MemoryDisk()
    log = await open_log(disk)
    entries = await fill(log, 3, size=21)
    return disk, log.segments[0].file, entries


async def test_torn_at_every_length():
    disk, file, entries = await three_entries()
    each = entry_bytes(21)
    for size in range(SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES + 3 * each + 1):
        torn = disk.killed()
        del torn.files[file].seen[size:]
        log = await open_log(torn)
        whole = (size - SEGMENT_HEADER_BYTES) // each
        # The payload's padding is zeros, as is everything that is missing; so nothing but whole entries comes back.
        assert await content(log) == entries[:whole], size
        added = await fill(log, 2)
        assert await content(log) == entries[:whole] + added
        assert await content(await open_log(torn.killed())) == entries[:whole] + added


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
async def test_every_byte_of_the_last_entry_broken(flip):
    disk, file, entries = await three_entries()
    each = entry_bytes(21)
    for offset in range(SEGMENT_HEADER_BYTES + 2 * each, SEGMENT_HEADER_BYTES + 3 * each):
        broken = disk.killed()
        broken.files[file].seen[offset] ^= flip
        log = await open_log(broken)
        assert await content(log) == entries[:2], offset
        assert not any(broken.files[file].seen[log.segments[0].end:])
        added = await fill(log, 2)
        assert await content(await open_log(broken.killed())) == entries[:2] + added


async def test_every_byte_before_the_last_entry_is_damage():
    disk, file, _ = await three_entries()
    for offset in range(SEGMENT_HEADER_BYTES + 2 * entry_bytes(21)):
        broken = disk.killed()
        broken.files[file].seen[offset] ^= 0x10
        with pytest.raises(Damaged) as told:
            await open_log(broken)
        assert told.value.segment == file and "copy the data directory" in str(told.value)
        assert told.value.offset <= offset


async def test_damage_in_a_closed_segment_is_told_when_it_is_read():
    disk = MemoryDisk()
    log = await open_log(disk)
    await fill(log, 30)
    disk.files[log.segments[1].file].seen[300] ^= 1
    log = await open_log(disk.killed())
    seen = 0
    with pytest.raises(Damaged) as told:
        async for _ in log.read(0):
            seen += 1
    assert told.value.segment == log.segments[1].file and told.value.offset <= 300 and seen > 0


async def test_a_missing_segment_is_damage():
    disk = MemoryDisk()
    log = await open_log(disk)
    await fill(log, 40)
    del disk.files[log.segments[1].file]
    with pytest.raises(Damaged, match="is missing"):
        await open_log(disk.killed())


async def test_a_segment_that_was_only_begun_is_removed():
    disk = MemoryDisk()
    log = await open_log(disk)
    entries = await fill(log, 3)
    await disk.create("log-0000000002.segment", 1024)
    log = await open_log(disk.killed())
    assert log.disk.list() == ["log-0000000001.segment"]
    assert await content(log) == entries


async def test_an_entry_in_a_payload_is_no_entry():
    disk = MemoryDisk()
    log = await open_log(disk, segment_bytes=4096)
    await fill(log, 1)
    raw = bytes(disk.files[log.segments[0].file].seen[SEGMENT_HEADER_BYTES:log.segments[0].end])
    other = await open_log(MemoryDisk(), segment_bytes=4096)
    await fill(other, 20, size=200)  # segment 2 of the same log has another seed
    await other.append(raw, 1, 0)
    file = other.disk.files[other.segments[-1].file]
    file.seen[other.segments[-1].end - entry_bytes(len(raw)) + 4] ^= 1  # the entry itself, not what it carries
    last = other.last
    again = await open_log(other.disk.killed(), segment_bytes=4096)
    assert again.last == last - 1


async def test_a_large_entry_gets_a_segment_of_its_size():
    log = await open_log(MemoryDisk())
    await fill(log, 1)
    large = await log.append(b"L" * 5000, 1, 0)
    small = await fill(log, 1)
    assert [segment.size for segment in log.segments] == [1024, 88 + 48 + 5000, 1024]
    assert (await content(await open_log(log.disk.killed())))[1:] == [large, *small]


async def test_a_live_reader_sees_everything_in_order():
    log = await open_log(MemoryDisk())
    seen: list[Entry] = []

    async def read_along():
        async for entry in log.read(FIRST - 1):
            seen.append(entry)

    reader = asyncio.create_task(read_along())
    written = []
    for _ in range(50):
        written += await fill(log, 1)
        await asyncio.sleep(0)
    await log.close()
    await reader
    assert seen == written
    await fill_closed(log)


async def fill_closed(log):
    with pytest.raises(AssertionError):
        await fill(log, 1)


async def test_a_live_reader_needs_no_disk():
    log = await open_log(MemoryDisk())
    log.disk.on_call = failing("read", AssertionError("the disk was read"), times=1 << 30)
    entries = await fill(log, 40)
    assert await content(log, FIRST - 1) == entries


async def test_a_lagging_reader_reads_the_files_then_memory():
    log = await open_log(MemoryDisk(), memory_bytes=200)
    entries = await fill(log, 40)
    reads = []
    log.disk.on_call = lambda operation, name: reads.append(operation)
    assert await content(log) == entries
    assert "read" in reads
    for position in range(FIRST - 1, log.last + 1):
        assert await content(log, position) == [entry for entry in entries if entry.last > position]


async def test_until_ends_also_in_a_hole():
    log = await open_log(MemoryDisk())
    entries = await fill(log, 2)
    log.skip_past(5000)
    assert log.last == 5000
    assert await content(log, FIRST - 1) == entries
    assert await content(log, 5000) == []
    after = await log.append(b"x", 1, 0)
    assert after.first == 5001
    assert await content(await open_log(log.disk.killed())) == [*entries, after]


async def test_ahead_and_trimmed():
    clock = FakeClock()
    log = await open_log(MemoryDisk(), clock=clock, memory_bytes=100)
    with pytest.raises(Ahead) as ahead:
        await content_of(log.read(FIRST))
    assert ahead.value.head == FIRST - 1
    entries = await fill(log, 40)
    lagging = log.read(0)
    await anext(lagging)
    await log.trim(log.last, bytes_max=2048)
    assert len(log.segments) == 2 and log.bytes_used <= 2048
    with pytest.raises(Trimmed) as trimmed:
        await content_of(log.read(FIRST))
    oldest = trimmed.value.oldest
    assert oldest == log.first_kept
    assert await content(log, oldest - 1) == [entry for entry in entries if entry.first >= oldest]
    with pytest.raises(Trimmed):
        await content_of(lagging)
    assert (await open_log(log.disk.killed())).first_kept == oldest


async def content_of(reader):
    return [entry async for entry in reader]


async def test_trim_by_age_and_never_beyond_upto():
    clock = FakeClock()
    log = await open_log(MemoryDisk(), clock=clock)
    for _ in range(20):
        await fill(log, 1, size=300)
        clock.advance(SECOND_NS)
    count = len(log.segments)
    assert await log.trim(log.last, keep_ns=100 * SECOND_NS) == 0
    assert await log.trim(FIRST - 1, keep_ns=0, bytes_max=0) == 0
    assert await log.trim(log.segments[1].last, keep_ns=0, bytes_max=0) == 2
    assert await log.trim(log.last, keep_ns=5 * SECOND_NS) > 0
    assert len(log.segments) < count
    assert clock.wall_ns() - log.segments[1].header.created_ns <= 5 * SECOND_NS
    await log.trim(log.last, bytes_max=0)
    assert len(log.segments) == 1


async def test_a_segment_that_cannot_be_deleted_stays_the_oldest():
    log = await open_log(MemoryDisk())
    entries = await fill(log, 40)
    log.disk.on_call = failing("remove", Unavailable("no"))
    with pytest.raises(Unavailable):
        await log.trim(log.last, bytes_max=2048)
    assert await content(log) == entries
    both = await asyncio.gather(log.trim(log.last, bytes_max=2048), log.trim(log.last, bytes_max=1024))
    assert min(both) > 0 and len(log.segments) == 1
    assert (await open_log(log.disk.killed())).first_kept == log.first_kept


async def test_seek_finds_the_entry_that_holds_a_mark():
    log = await open_log(MemoryDisk(), memory_bytes=300)
    entries = []
    for index in range(40):  # entry i holds the marks 500 + 3 i .. 502 + 3 i
        entries.append(await log.append(b"e" * 60, 1, 500 + 3 * (index + 1)))
    for mark in range(500, 620):
        position = await log.seek(mark)
        assert (await content(log, position))[0] == entries[(mark - 500) // 3]
    assert await log.seek(620) == log.last
    with pytest.raises(Ahead):
        await log.seek(621)
    with pytest.raises(Trimmed):
        await log.seek(499)
    again = await open_log(log.disk.killed())
    assert (await content(again, await again.seek(533)))[0] == entries[11]
    await log.trim(log.last, bytes_max=2048)
    with pytest.raises(Trimmed) as trimmed:
        await log.seek(500)
    assert (await content(log, await log.seek(trimmed.value.oldest)))[0].first == log.first_kept


@pytest.mark.parametrize("operation", ["write", "sync"])
@pytest.mark.parametrize("before", [0, 1, 12])
async def test_a_failed_flush_is_told_and_its_numbers_are_not_given_again(operation, before):
    log = await open_log(MemoryDisk())
    entries = await fill(log, before)
    failed_first = log.next
    log.disk.on_call = failing(operation, Unavailable("no"))
    with pytest.raises(Unavailable):
        await log.append(b"lost" * 10, 3, 0)
    assert await content(log) == entries
    given_up = log.segments[-1].file
    size = log.segments[-1].end
    entries += await fill(log, 3)
    assert log.segments[-1].file != given_up and log.segments[-2].end == size
    assert entries[before].first == failed_first + 3
    assert await content(log) == entries
    assert await content(await open_log(log.disk.killed())) == entries


async def test_a_failed_flush_of_a_fresh_segment():
    log = await open_log(MemoryDisk(), segment_bytes=256)
    entries = await fill(log, 1)
    log.disk.on_call = failing("sync", Unavailable("no"), times=2)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await fill(log, 1)
    entries += await fill(log, 2)
    assert await content(log) == entries
    assert [segment.header.ordinal for segment in log.segments] == [1, 2, 3]
    assert await content(await open_log(log.disk.killed(), segment_bytes=256)) == entries


async def test_full_takes_nothing_and_later_there_is_room():
    disk = MemoryDisk(bytes_max=3000)
    log = await open_log(disk)
    entries = []
    with pytest.raises(Full):
        while True:
            entries += await fill(log, 1)
    assert await content(log) == entries
    disk.bytes_max = 6000
    entries += await fill(log, 5)
    assert await content(await open_log(disk.killed())) == entries


async def test_one_append_at_a_time():
    log = await open_log(MemoryDisk())
    gate = asyncio.Event()

    async def pause(operation, name):
        await gate.wait()
    log.disk.pause = pause
    first = asyncio.create_task(log.append(b"a", 1, 0))
    await asyncio.sleep(0)
    with pytest.raises(AssertionError, match="one append"):
        await log.append(b"b", 1, 0)
    assert log.last == FIRST - 1  # not published before it is durable
    gate.set()
    assert (await first).first == FIRST


@pytest.mark.parametrize("operation", ["write", "create"])
async def test_a_cancelled_append_leaves_a_sound_log(operation):
    log = await open_log(MemoryDisk(), segment_bytes=256)
    entries = await fill(log, 1)
    entered = asyncio.Event()

    async def pause(called, name):
        if called == operation:
            entered.set()
            await asyncio.Event().wait()
    log.disk.pause = pause
    task = asyncio.create_task(log.append(b"c" * 60, 1, 0))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    log.disk.pause = None
    entries += await fill(log, 3)
    assert await content(log) == entries
    assert await content(await open_log(log.disk.killed(), segment_bytes=256)) == entries


async def test_the_derivable_log_goes_back_to_what_was_flushed():
    disk = MemoryDisk()
    log = await open_log(disk, cut_after=0)
    written = [log.append_now(b"o" * 100, 4, index, first=FIRST + 5 * index) for index in range(30)]
    assert len(log.segments) > 3
    upto = await log.sync()
    assert upto == written[-1].last
    later = [log.append_now(b"p" * 100, 1, 100, first=log.next) for _ in range(30)]
    assert await content(log) == written + later
    for seed in range(30):
        again = await open_log(disk.unplugged(Random(seed)), cut_after=upto, name=NAME)
        assert await content(again) == written, seed
        more = again.append_now(b"q", 1, 101, first=again.next)
        assert await content(again) == [*written, more]


async def test_the_derivable_log_of_another_journal_is_dropped():
    disk = MemoryDisk()
    log = await open_log(disk, cut_after=0)
    log.append_now(b"o", 1, 0, first=FIRST)
    await log.sync()
    again = await open_log(disk.killed(), cut_after=FIRST, name=b"n" * 16)
    assert await content(again) == [] and again.next == FIRST


async def test_a_failed_sync_stays_failed():
    log = await open_log(MemoryDisk(), cut_after=0)
    log.append_now(b"o", 1, 0, first=FIRST)
    log.disk.on_call = failing("sync", Unavailable("no"))
    for _ in range(2):
        with pytest.raises(Unavailable):
            await log.sync()
    entry = log.append_now(b"o", 1, 0, first=FIRST + 1)  # readers that are there go on
    assert (await content(log))[-1] == entry


STEPS = st.lists(st.one_of(
    st.tuples(st.just("append"), st.integers(1, 400), st.integers(1, 5)),
    st.tuples(st.just("kill"), st.just(0), st.just(0)),
    st.tuples(st.just("unplug"), st.just(0), st.integers(0, 1 << 16)),
    st.tuples(st.just("fail"), st.integers(1, 400), st.integers(0, 1)),
    st.tuples(st.just("skip"), st.integers(1, 50), st.just(0)),
    st.tuples(st.just("trim"), st.integers(0, 6000), st.just(0)),
    st.tuples(st.just("read"), st.integers(0, 100), st.just(0)),
), max_size=40)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_any_schedule_keeps_what_was_acknowledged(steps):
    asyncio.run(run_schedule(steps))


async def run_schedule(steps):
    """Acknowledged entries come back, in order, once, unless trimmed; whatever else comes back was tried and failed."""
    log = await open_log(MemoryDisk(), memory_bytes=300)
    kept: list[Entry] = []
    for step, size, number in steps:
        if step == "append":
            kept.append(await log.append(bytes([number]) * size, number, 0))
        elif step == "fail":
            log.disk.on_call = failing(("write", "sync")[number], Unavailable("no"))
            with pytest.raises(Unavailable):
                await log.append(b"f" * size, 1, 0)
        elif step in ("kill", "unplug"):
            disk = log.disk.killed() if step == "kill" else log.disk.unplugged(Random(number))
            log = await open_log(disk, memory_bytes=300)
            found = await content(log, log.first_kept - 1)
            failed = [entry for entry in found if entry not in kept]
            assert len(failed) <= 1 and all(entry.payload[:1] == b"f" for entry in failed)
            assert [entry for entry in found if entry not in failed] == kept
            kept = found
        elif step == "skip":
            log.skip_past(log.last + size)
        elif step == "trim":
            upto = kept[len(kept) // 2].last if kept else 0
            await log.trim(upto, bytes_max=size)
            assert [entry for entry in kept if entry.last > upto] == await content(log, max(upto, log.first_kept - 1))
            kept = [entry for entry in kept if entry.first >= log.first_kept]
        else:
            after = max(log.first_kept - 1, log.last - size)
            assert await content(log, after) == [entry for entry in kept if entry.last > after]
        assert await content(log, log.first_kept - 1) == kept
        assert len({row for entry in kept for row in range(entry.first, entry.last + 1)}) == \
            sum(entry.rows for entry in kept)
