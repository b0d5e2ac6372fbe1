"""A whole engine on a disk in memory that refuses: fire is shown all the same, nothing is promised, and it recovers.

No database is there; what cannot be kept needs none.
"""
from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from codec.batch import Batch
from engine.clock import Clock
from engine.journal.errors import Full, Unavailable
from engine.journal.journal import Journal, JournalSettings
from engine.journal.memory_disk import MemoryDisk
from engine.journal.space import Room
from tests.integration.engine import until
from tests.integration.in_process import running
from tests.integration.transmitter import ack, null, sia, udp

# Token, data, native text, class.
ALARMS = (("SIA-DCS", "NFA1", "FA1", "fire"), ("SIA-DCS", "NGA2", "GA2", "gas"),
          ("ADM-CID", "1118 01 003", "1118 01 003", "prealarm"))
JOURNAL = "journal-"


def no_flush(operation: str, name: str) -> None:
    """A disk whose flush fails, as a medium that is dying does."""
    if operation == "sync" and name.startswith(JOURNAL):
        raise Unavailable(f"writing {name}: Input/output error")


def no_room(operation: str, name: str) -> None:
    """A disk without a byte left, the reserve gone as well."""
    if operation in ("create", "write", "rename") and name.startswith(JOURNAL):
        raise Full(f"writing {name}: No space left on device")


def kept(disk: MemoryDisk) -> list[str]:
    """Return the native texts of the signals that a new engine finds on the disk after a power cut."""
    async def read() -> list[str]:
        journal = await Journal.open(disk.unplugged(Random(7)), Clock(), JournalSettings(1 << 20, bytes_max=64 << 20))
        found = []
        async for _, batch in journal.read(journal.first - 1, journal.durable().number):
            found += [natives(batch, index) for index in range(len(batch)) if batch.row(index)["kind"] == 1]
        await journal.close()
        return found
    return asyncio.run(read())


def natives(batch: Batch, index: int) -> str:
    return str(batch.row(index)["native"])


@pytest.mark.parametrize("fault, reason, why", [
    (no_flush, "unavailable", "Input/output error"), (no_room, "full", "No space left on device")])
def test_what_cannot_be_kept_is_shown_and_not_answered(
        tmp_path: Path, fault: Callable[[str, str], None], reason: str, why: str) -> None:
    """Fire, gas and prealarm go to the subscribers without a number; nothing else does; no reply leaves."""
    with running(tmp_path) as engine, udp(engine.place) as transmitter, engine.subscribed() as stream:
        assert transmitter.say(null("6101")) == ack("6101")
        assert transmitter.say(sia("6101", "NFT1", 7)) == ack("6101", 7)
        engine.until_ready()
        engine.disk.on_call = fault
        for number, (token, data, native, signal_class) in enumerate(ALARMS, 11):
            transmitter.unanswered(sia("6101", f"NFT{number}", number), "6101")    # a fault, which is not shown
            transmitter.unanswered(sia("6101", data, number + 10, token), "6101")
            shown = stream.event()
            assert (shown.id, shown.told, shown.data["class"]) == ("", ("raised", "6101", native), signal_class)
            assert (shown.data["durable"], shown.data["signal_id"], shown.data["alarm_id"]) == (False, None, None)
        engine.until_told("[-]journal", why, "[-]canary no canary came out for", "JOURNAL refused it")
        assert engine.metric(f'journal_failures_total{{reason="{reason}"}}') >= 6
        assert engine.metric("alarms_unaccepted") == 0
        last = engine.metric("canary_last_success_timestamp_seconds")
        assert last > 0

        engine.disk.on_call = None
        engine.until_ready()
        assert transmitter.silent()                                # nothing is answered afterwards
        assert transmitter.say(sia("6101", "NFA1", 11 + 10)) == ack("6101", 21)     # sent again, it is new
        event = stream.event()
        assert (event.told, event.data["durable"], event.id == "") == (("raised", "6101", "FA1"), True, False)
        until(lambda: engine.metric("canary_last_success_timestamp_seconds") > last, "a canary")
    assert kept(engine.disk) == ["FT1", "FA1"]


def test_a_failed_flush_is_never_tried_again_on_its_pages(tmp_path: Path) -> None:
    """The segment is given up: what comes next is in another one, and both are read again."""
    with running(tmp_path) as engine, udp(engine.place) as transmitter:
        assert transmitter.insist(sia("6101", "NFA1", 1)) == ack("6101", 1)
        before = {name for name in engine.disk.list() if name.startswith(JOURNAL)}
        failed: list[str] = []

        def once(operation: str, name: str) -> None:
            if operation == "sync" and name.startswith(JOURNAL) and not failed:
                failed.append(name)
                raise Unavailable(f"writing {name}: Input/output error")

        engine.disk.on_call = once
        assert transmitter.insist(sia("6101", "NFA2", 2)) == ack("6101", 2)
        until(lambda: transmitter.silent() and engine.ask("/readyz")[0] == 200, "being ready")
        assert failed
        assert engine.pipeline.journal._log.segments[-1].file != failed[0]
        assert before <= set(engine.disk.list())
    assert kept(engine.disk) == ["FA1", "FA2"]


def test_a_flush_that_does_not_end_is_told(tmp_path: Path) -> None:
    """The disk hangs: no error ever comes, so that the canary alone can tell."""
    released = asyncio.Event()

    async def hang(operation: str, name: str) -> None:
        if operation == "write" and name.startswith(JOURNAL):
            await released.wait()

    with running(tmp_path) as engine, udp(engine.place) as transmitter:
        assert transmitter.say(null("6101")) == ack("6101")
        engine.until_ready()
        engine.disk.pause = hang
        engine.until_told("[-]canary", "JOURNAL does not end its append")
        assert "[-]journal" not in engine.ask("/readyz")[1]
        assert transmitter.say(null("6101")) == ack("6101")          # heartbeats are answered
        engine.call(released.set)
        engine.until_ready()


def test_a_filter_that_stands_still_is_told(tmp_path: Path) -> None:
    with running(tmp_path) as engine:
        engine.until_ready()
        judge_batch = engine.pipeline.judge_batch
        engine.call(lambda: setattr(engine.pipeline, "judge_batch", lambda span, batch, replayed: None))
        engine.until_told("[-]canary", "FILTER did not judge it")
        engine.call(lambda: setattr(engine.pipeline, "judge_batch", judge_batch))
        engine.until_ready()


def test_a_subscriber_that_gets_nothing_is_told(tmp_path: Path) -> None:
    with running(tmp_path) as engine:
        engine.until_ready()
        wake = engine.pipeline.outcomes._wake
        engine.call(lambda: setattr(engine.pipeline.outcomes, "_wake", lambda: None))
        engine.until_told("[-]canary", "FORWARD did not give its event to a subscriber")
        engine.call(lambda: setattr(engine.pipeline.outcomes, "_wake", wake))
        engine.until_ready()


def test_an_outcome_log_that_refuses_is_told_and_made_again(tmp_path: Path) -> None:
    def refuse(operation: str, name: str) -> None:
        if operation in ("write", "create") and name.startswith("outcomes-"):
            raise Unavailable(f"writing {name}: Input/output error")

    with running(tmp_path) as engine, udp(engine.place) as transmitter, engine.subscribed() as stream:
        engine.until_ready()
        engine.disk.on_call = refuse
        engine.until_told("[-]outcomes", "[-]canary", "its event is not kept", "Input/output error")
        assert transmitter.insist(sia("6101", "NFA1", 1)) == ack("6101", 1)      # durable: it is answered, and shown
        assert stream.event().told == ("raised", "6101", "FA1")
        engine.disk.on_call = None
        engine.until_ready()


def test_a_canary_keeps_out_of_the_room_for_fire(tmp_path: Path) -> None:
    """While only fire is taken it is refused, and fire is not."""
    with running(tmp_path) as engine, udp(engine.place) as transmitter:
        engine.until_ready()
        room = engine.pipeline.journal.room
        engine.call(lambda: setattr(engine.pipeline.journal, "room", lambda: Room.FULL))
        engine.until_told("[-]journal the journal is full", "[-]canary", "ADMIT has no room for it")
        assert transmitter.insist(sia("6101", "NFA1", 1)) == ack("6101", 1)
        engine.call(lambda: setattr(engine.pipeline.journal, "room", room))
        engine.until_ready()
