"""What the pipeline makes of errors that no stage awaits."""
import asyncio

import asyncpg
import pytest

from codec.batch import Batch
from engine.clock import FakeClock
from engine.configure import load
from engine.pipeline import Pipeline


def raised(call):
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


async def told(error):
    pipeline = Pipeline(load(), FakeClock())
    pipeline.on_callback_error(asyncio.get_running_loop(), {"message": "in a callback", "exception": error})
    return pipeline


async def test_an_error_of_ours_in_a_callback_stops_the_engine():
    error = raised(lambda: Batch.view(b""))
    pipeline = await told(error)
    assert pipeline.failure is error
    assert pipeline.stopping.is_set()


@pytest.mark.parametrize("error", [
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),  # a future left unread
    asyncpg.InternalClientError("cannot switch to state 12"), ConnectionResetError("peer"), None])
async def test_what_the_network_and_the_driver_leave_behind_is_survived(error):
    pipeline = await told(error)
    assert pipeline.failure is None
    assert not pipeline.stopping.is_set()


async def test_an_error_inside_a_library_is_survived():
    pipeline = await told(raised(lambda: asyncpg.Range(lower=1, upper=0, lower_inc=3, nonsense=1)))
    assert pipeline.failure is None
