"""The store's read-ahead: it ends when it is told to, and lets who ends it be ended too."""
import asyncio

import pytest

from engine.store.intake import Intake
from tests.integration.store_rows import entry


async def test_who_is_cancelled_while_it_closes_ends():
    reading, held_up = asyncio.Event(), asyncio.Event()

    async def source():
        try:
            reading.set()
            await asyncio.Event().wait()
        finally:
            await held_up.wait()         # a source may take time to end, such as one that reads a file
        yield

    intake = Intake(source(), 10, 1000)
    await reading.wait()
    closing = asyncio.create_task(intake.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing], timeout=5)
    assert closing.cancelled()
    held_up.set()
    await intake.close()


async def test_what_is_full_or_wanted_is_taken_at_once():
    more = asyncio.Event()

    async def source():
        for number in range(1, 7):
            yield entry(number, 1)
            if number == 3:
                await more.wait()

    intake = Intake(source(), 3, 1 << 20)
    await asyncio.wait_for(intake.full(), 5)                 # three rows are as many as may be
    assert [first for first, _, _ in await intake.take()] == [1, 2, 3]
    waiting = asyncio.create_task(intake.full())
    await asyncio.sleep(0)
    assert not waiting.done()
    intake.hurry()
    await asyncio.wait_for(waiting, 5)
    more.set()
    assert (await intake.take())[0][0] == 4
    await asyncio.wait_for(intake.full(), 5)                 # the source has ended
    await intake.close()


async def test_an_error_of_the_source_is_raised_by_take_and_not_by_close():
    async def source():
        raise OSError("the disk is gone")
        yield

    intake = Intake(source(), 10, 1000)
    with pytest.raises(OSError, match="the disk is gone"):
        await intake.take()
    await intake.close()
