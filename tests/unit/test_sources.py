"""Journal and outcome log read together, by signal number and by event number, on a disk in memory."""
import asyncio
from contextlib import aclosing

import pytest

from codec.batch import Batch
from engine.clock import FakeClock
from engine.forward.source import Trimmed as EventsTrimmed
from engine.journal.journal import Journal, JournalSettings
from engine.journal.memory_disk import MemoryDisk
from engine.journal.segments import LogStart, SegmentLog
from engine.journal.space import SpaceSettings
from engine.sources import LoggedEvents, StoredRows
from engine.store.source import Ahead, Trimmed
from tests.integration.store_rows import event, outcome


class Logs:
    """Both logs as the pipeline keeps them: an entry of the one for each of the other."""

    def __init__(self, disk=None):
        self.disk = disk or MemoryDisk()
        self.clock = FakeClock()

    async def open(self, cut_after=0, mark=None):
        self.journal = await Journal.open(self.disk, self.clock, JournalSettings(segment_bytes=65536,
                                                                                 bytes_max=1 << 24, keep_seconds=0))
        self.event = self.journal.first if mark is None else mark
        self.outcomes = await SegmentLog.open(
            self.disk, self.clock, "outcomes", SpaceSettings(4096),
            lambda: LogStart(self.journal.name, max(cut_after + 1, self.journal.first), self.event),
            name=self.journal.name, cut_after=cut_after)
        self.event = self.outcomes.mark
        self.rows = StoredRows(self.journal, self.outcomes)
        self.events = LoggedEvents(self.outcomes)
        return self

    async def add(self, rows=2, events=1, judge=True):
        batch = Batch(rows, 4096)
        for index in range(rows):
            batch.add(received_ns=self.clock.wall_ns(), signal_class=1, sequence=index, raw=bytes(100))
        span = await self.journal.append(0, batch)
        if judge:
            self.judge(span, events)
        return span

    def judge(self, span, events=1):
        made = [event(self.event + 1 + index, span.first, span.first) for index in range(events)]
        self.event += events
        self.outcomes.append_now(outcome([(1, 1, 0, 0)] * span.rows, made).encode(), span.rows, self.event,
                                 first=span.first)

    async def stored(self, after, count):
        found = []
        async with aclosing(self.rows(after)) as entries:
            while len(found) < count:
                found.append(await asyncio.wait_for(anext(entries), 5))
        return [(first, len(batch), len(verdicts)) for first, batch, verdicts in found]

    async def numbers(self, after, count):
        found = []
        async with aclosing(self.events.events_after(after)) as outcomes:
            while len(found) < count:
                each = await asyncio.wait_for(anext(outcomes), 5)
                found += [each.event(index)["number"] for index in range(each.events_in)]
        return found


async def test_from_nothing_and_from_a_position():
    logs = await Logs().open()
    spans = [await logs.add() for _ in range(5)]
    expected = [(span.first, 2, 2) for span in spans]
    assert await logs.stored(0, 5) == expected
    assert await logs.stored(spans[1].last, 3) == expected[2:]
    assert await logs.stored(spans[1].first, 4) == expected[1:]  # inside an entry: the entry comes whole


async def test_what_is_not_judged_yet_is_waited_for():
    logs = await Logs().open()
    first = await logs.add()
    second = await logs.add(judge=False)
    async with aclosing(logs.rows(0)) as entries:
        assert (await anext(entries))[0] == first.first
        waiting = asyncio.ensure_future(anext(entries))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not waiting.done()
        logs.judge(second)
        assert (await asyncio.wait_for(waiting, 5))[0] == second.first


async def test_logs_that_disagree_are_our_error():
    logs = await Logs().open()
    span = await logs.add(judge=False)
    logs.outcomes.append_now(outcome([(1, 1, 0, 0)] * 3).encode(), 3, logs.event, first=span.first)
    with pytest.raises(AssertionError, match="beside journal entry"):
        await logs.stored(0, 1)


async def test_a_position_ahead_is_told_with_the_head():
    logs = await Logs().open()
    span = await logs.add()
    with pytest.raises(Ahead) as error:
        await logs.stored(span.last + 10, 1)
    assert error.value.newest == span.last


async def test_what_is_ahead_is_told_by_the_journal_also_where_its_outcomes_end_before():
    logs = await Logs().open()
    await logs.add()
    unjudged = await logs.add(judge=False)
    with pytest.raises(Ahead) as error:
        await logs.stored(unjudged.last + 10, 1)
    assert error.value.newest == unjudged.last


async def test_a_trimmed_position_is_told_and_nought_begins_with_the_oldest_kept():
    logs = await Logs().open()
    spans = [await logs.add(rows=20, events=3) for _ in range(100)]
    await logs.outcomes.trim(spans[60].last, bytes_max=4096)
    oldest = logs.outcomes.first_kept
    assert oldest > spans[0].last
    with pytest.raises(Trimmed) as error:
        await logs.stored(spans[0].last, 1)
    assert error.value.oldest == oldest
    assert (await logs.stored(0, 1))[0][0] == oldest
    first_event = spans[0].first + 1
    with pytest.raises(EventsTrimmed) as gone:
        await logs.numbers(first_event, 1)
    kept = await logs.numbers(gone.value.oldest - 1, 3)
    assert kept[0] == gone.value.oldest
    assert kept == list(range(kept[0], kept[0] + 3))


async def test_events_follow_their_number_over_entries_without_any():
    logs = await Logs().open()
    start = logs.events.latest_event()
    for events in (0, 2, 0, 0, 3, 0, 1, 0):
        await logs.add(events=events)
    assert logs.events.latest_event() == start + 6
    assert await logs.numbers(start, 6) == [start + number for number in range(1, 7)]
    assert await logs.numbers(start + 2, 4) == [start + number for number in range(3, 7)]
    assert await logs.numbers(start + 3, 4) == [start + number for number in range(3, 7)]  # its entry comes whole
    assert await logs.numbers(start + 5, 1) == [start + 6]


async def test_who_has_all_waits_for_the_next():
    logs = await Logs().open()
    await logs.add(events=2)
    async with aclosing(logs.events.events_after(logs.events.latest_event())) as outcomes:
        waiting = asyncio.ensure_future(anext(outcomes))
        await logs.add(events=0)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not waiting.done()
        await logs.add(events=1)
        found = await asyncio.wait_for(waiting, 5)
        assert found.event(0)["number"] == logs.events.latest_event()


async def test_the_first_event_of_all():
    logs = await Logs().open()
    start = logs.events.latest_event()
    assert start == logs.journal.first
    await logs.add(events=0)
    await logs.add(events=1)
    assert await logs.numbers(start, 1) == [start + 1]


async def test_after_a_restart_the_outcomes_are_made_again_behind_the_snapshot():
    logs = await Logs().open()
    spans = [await logs.add(events=2) for _ in range(6)]
    await logs.outcomes.sync()
    kept = 3
    at, mark = spans[kept - 1].last, logs.journal.first + 2 * kept
    after = await Logs(logs.disk.killed()).open(cut_after=at, mark=mark)
    assert (after.outcomes.last, after.events.latest_event()) == (at, mark)
    async for span, _ in after.journal.read(at, after.journal.durable().number):
        after.judge(span, 2)
    assert await after.stored(0, 6) == [(span.first, 2, 2) for span in spans]
    start = after.journal.first
    assert await after.numbers(start, 12) == [start + number for number in range(1, 13)]


async def test_a_lost_outcome_log_begins_behind_the_snapshot():
    logs = await Logs().open()
    spans = [await logs.add(events=2) for _ in range(6)]
    for name in [name for name in logs.disk.list() if name.startswith("outcomes")]:
        await logs.disk.remove(name)
    at, mark = spans[2].last, logs.journal.first + 6
    after = await Logs(logs.disk.killed()).open(cut_after=at, mark=mark)
    async for span, _ in after.journal.read(at, after.journal.durable().number):
        after.judge(span, 2)
    assert await after.stored(0, 3) == [(span.first, 2, 2) for span in spans[3:]]
    with pytest.raises(Trimmed) as missing:
        await after.stored(spans[0].last, 1)
    assert missing.value.oldest == spans[3].first
    assert await after.stored(missing.value.oldest - 1, 1) == [(spans[3].first, 2, 2)]
    with pytest.raises(EventsTrimmed) as gone:
        await after.numbers(mark - 1, 1)
    assert gone.value.oldest == mark + 1
    assert await after.numbers(mark, 1) == [mark + 1, mark + 2]


async def test_readers_wait_for_an_outcome_log_whose_end_is_made_again():
    """After a power cut its end may be missing while the disk takes nothing: that is no position ahead of us."""
    world = await Logs().open()
    await world.add()
    lost = await world.add(judge=False)          # stored and shown before the power cut
    events = LoggedEvents(world.outcomes, lambda: world.event + 1)
    assert events.latest_event() == world.event + 1
    rows, told = world.rows(lost.last), events.events_after(world.event + 1)
    waiting = [asyncio.ensure_future(anext(rows)), asyncio.ensure_future(anext(told))]
    await asyncio.sleep(0)
    assert not any(one.done() for one in waiting)
    world.judge(lost)
    following = await world.add()
    (first, batch, _), outcome = await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert (first, len(batch), outcome.events_in) == (following.first, 2, 1)
    await rows.aclose()
    await told.aclose()
