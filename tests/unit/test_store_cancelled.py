"""A store task that is cancelled ends, also when its connection breaks in the rollback that follows."""
import asyncio

import pytest

from engine.clock import FakeClock
from engine.store.settings import StoreSettings
from engine.store.side import SideWriter
from engine.store.writer import Store
from tests.integration.store_rows import ListSource


class Broken:
    """A connection that hangs in its first statement, and is gone when that is given up."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()

    async def connect(self, url, **_):
        return self

    def is_closed(self):
        return False

    def terminate(self):
        """It is gone already."""

    async def execute(self, *_):
        self.reached.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionResetError("gone during the rollback") from None


async def ended(task):
    task.cancel()
    await asyncio.wait([task], timeout=5)
    return task.cancelled()


async def test_the_writer():
    broken = Broken()
    store = Store(ListSource(), "postgresql://nowhere", FakeClock(), connect=broken.connect)
    running = asyncio.create_task(store.run())
    await broken.reached.wait()
    assert await ended(running)


async def test_the_side_writer():
    broken = Broken()
    side = SideWriter(lambda: "", FakeClock(), StoreSettings(), lambda: True, broken.connect)
    running = asyncio.create_task(side.with_connection(lambda connection: connection.execute("")))
    await broken.reached.wait()
    assert await ended(running)


async def test_an_error_without_a_cancellation_is_survived():
    async def refuse(url, **_):
        raise ConnectionRefusedError

    side = SideWriter(lambda: "", FakeClock(), StoreSettings(), lambda: True, refuse)
    assert await side.with_connection(lambda connection: pytest.fail("there is none")) is None
    assert side.failures_total == 1
