"""The store's read-ahead: it ends when it is told to, and lets who ends it be ended too."""
import asyncio

import pytest

from engine.store.intake import Intake


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


async def test_an_error_of_the_source_is_raised_by_take_and_not_by_close():
    async def source():
        raise OSError("the disk is gone")
        yield

    intake = Intake(source(), 10, 1000)
    with pytest.raises(OSError, match="the disk is gone"):
        await intake.take()
    await intake.close()
