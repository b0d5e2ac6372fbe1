"""What the pipeline makes of errors that no stage awaits."""
import asyncio

import asyncpg
import pytest

from codec.batch import Batch
from codec.words import RowKind
from engine.arguments import journal_settings
from engine.clock import Clock, FakeClock
from engine.configure import load
from engine.journal.journal import Journal
from engine.journal.real_disk import RealDisk
from engine.paths import PathTable
from engine.pipeline import Pipeline
from engine.remembering import make_stages


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


async def recovered(config, trial):
    """Return how many paths an engine knows that tried the state of another one and then had to start by itself."""
    pipeline = Pipeline(config, Clock())
    if trial is not None:
        make_stages(pipeline, trial, 1)
        assert len(pipeline.paths) == 1
    pipeline.disk = RealDisk(pipeline.data / "journal")
    pipeline.journal = await Journal.open(pipeline.disk, pipeline.clock, journal_settings(config))
    await pipeline.recover()
    sections = {name: content if isinstance(content, bytes) else b"".join(content)
                for name, content in pipeline.house.sections().items()}
    paths = len(pipeline.paths)
    await pipeline.close()
    return paths, sections


async def test_a_trial_leaves_nothing_behind_when_the_other_engine_dies(tmp_path):
    """It may have died before what it told at last was in the journal."""
    config = load(None, {}, {"data": str(tmp_path), "database": "postgresql://nobody@127.0.0.1:1/none"})
    _, sections = await recovered(config, None)
    known = PathTable(1000, bytes(16))
    row = Batch(8, 1 << 16)
    assert row.add(kind=RowKind.ROW_ENROLMENT, path=0, native="dc09:0123/default supervision=90000", received_ns=1)
    known.apply(row)
    paths, _ = await recovered(config, sections | {"paths": b"".join(known.save())})
    assert paths == 0
