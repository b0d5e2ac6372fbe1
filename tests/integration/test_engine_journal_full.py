"""A journal that cannot take any more: nobody is told that it did, fire is shown all the same, and it recovers."""
from __future__ import annotations

import asyncio
import contextlib

from engine.clock import Clock
from engine.store.embedded import EmbeddedPostgres
from tests.breaking.disk import FaultyDisk
from tests.integration.engine import Engine, data_directory, serve, until
from tests.integration.transmitter import ack, null, sia, tcp, udp

SMALL = """
[journal]
segment = "1MiB"
bytes_max = "64MiB"
reserve = {reserve}
keep = "0s"
snapshot_every = "1s"
[store]
retry_max = "100ms"
"""
LONG = "x" * 3900
WINDOW = 50
ROOM = "in a room with a long name, so that it fits nowhere " * 9
PROBE_ANSWERED = 'replies{protocol="dc09",result="accept"}'
REFUSED = "the journal refuses rows"


def ready(engine: Engine) -> bool:
    return engine.ask("/readyz")[0] == 200


def fill(engine: Engine, code: str, text: str, window: int = WINDOW) -> int:
    """Send frames until the engine closes the connection for one that it could not keep; return the acknowledged.

    window  frames on their way at once; what does not fit together may still fit alone
    """
    acknowledged = 0
    with tcp(engine.place) as connection, contextlib.suppress(EOFError, ConnectionError):
        for begin in range(1, 40_000, window):
            places = [divmod(number - 1, 9999) for number in range(begin, begin + window)]
            numbers = [place + 1 for _, place in places]
            connection.send(*(sia("6001", f"N{code}^{lap} {place + 1} {text}^", place + 1) for lap, place in places))
            for number in numbers:
                assert connection.reply() == ack("6001", number)
                acknowledged += 1
        raise AssertionError("the journal took more than it may")
    return acknowledged


def check_kept(stored: list[str], acknowledged: int) -> None:
    """What was acknowledged is there once. Some of the last window may be there besides: their replies were held
    behind one that could never leave, and went with the connection."""
    assert acknowledged <= len(stored) < acknowledged + 2 * WINDOW
    assert len(set(stored)) == len(stored)


def test_full_while_the_database_is_away() -> None:
    """Nothing may be deleted that is not stored; once the database is there again, there is room again."""
    with data_directory() as data, asyncio.Runner() as runner:
        server = EmbeddedPostgres(data / "late", Clock())
        with serve(data, SMALL.format(reserve=0.05), "--database", server.url) as engine, \
                udp(engine.place) as transmitter, engine.subscribed("?class=fire") as stream:
            engine.expect(REFUSED)
            kept = fill(engine, "FT1", LONG)
            assert kept * 4000 > 48 << 20
            # State signals are refused, and there is no reply; a fire takes what was set aside for it.
            assert transmitter.say(null("6001")) == ack("6001")
            with engine.counting({"signals": 0, PROBE_ANSWERED: 1}):
                transmitter.unanswered(sia("6001", f"NFT2^{LONG}^", 9001), "6001")
            assert transmitter.say(sia("6001", "NFA3", 9002)) == ack("6001", 9002)
            fire = stream.event()
            assert (fire.told, fire.data["durable"]) == (("raised", "6001", "FA3"), True)
            runner.run(server.start())
            try:
                assert transmitter.insist(sia("6001", "NFT4", 9003)) == ack("6001", 9003)
                until(lambda: ready(engine), "being ready")
                stored = [row["native"] for row in engine.signals("6001")]
                check_kept(stored[:-2], kept)
                assert stored[-2:] == ["FA3", "FT4"]
                engine.stop()
            finally:
                runner.run(server.stop())


def test_a_full_disk() -> None:
    """Also the reserve is used up: a fire is shown without a number and gets no reply; it all ends with the room."""
    fire = sia("6101", f"NFA1^{ROOM}^")
    with data_directory() as data, FaultyDisk(data, data / "data/journal", "journal").under("") as disk, \
            serve(data, SMALL.format(reserve=0.0), more=disk.environment) as engine, udp(engine.place) as transmitter:
        engine.expect(REFUSED)
        engine.tolerate("housekeeping failed")
        assert transmitter.say(null("6101")) == ack("6101")
        engine.until_stored()
        disk.order("full")
        kept = fill(engine, "FT2", LONG)
        kept += fill(engine, "FA2", LONG, 1) + fill(engine, "FA3", "y" * 200, 1)
        assert kept < 5000
        until(lambda: not ready(engine), "not being ready")
        assert engine.ask("/readyz")[1].startswith(b"[-]journal ")
        with engine.subscribed() as stream:
            with engine.counting({'shed{what="reply_withheld"}': 1, 'journal_failures{reason="full"}': 1,
                                  "signals": 0, "volatile_shown": 1, "duplicates": 0, PROBE_ANSWERED: 1}):
                transmitter.unanswered(fire, "6101")
                shown = stream.event()
            assert (shown.id, shown.told, shown.data["durable"]) == ("", ("raised", "6101", f"FA1^{ROOM}^"), False)
            assert (shown.data["signal_id"], shown.data["alarm_id"]) == (None, None)
            assert "6101" not in {alarm["account"] for alarm in engine.json("/v1/alarms")["alarms"]}
            disk.order("")
            assert transmitter.say(fire) == ack("6101")              # sent again: now it is kept, and no repetition
            event = stream.event()
            assert (event.told, event.data["durable"]) == (("raised", "6101", f"FA1^{ROOM}^"), True)
        until(lambda: ready(engine), "being ready")
        assert [row["native"] for row in engine.signals("6101")] == [f"FA1^{ROOM}^"]
        check_kept([row["native"] for row in engine.signals("6001")], kept)


def test_a_full_disk_and_many_small_fires() -> None:
    """What is made of a fire takes more room than the fire: it runs out first, and must not hold anything up."""
    with data_directory() as data, FaultyDisk(data, data / "data/journal", "journal").under("") as disk, \
            serve(data, SMALL.format(reserve=0.0), more=disk.environment) as engine, udp(engine.place) as transmitter:
        engine.tolerate("housekeeping failed|" + REFUSED)
        engine.expect("the outcome log refuses entries")
        assert transmitter.say(null("6101")) == ack("6101")
        engine.until_stored()
        begin = engine.json("/v1/alarms")["position"]
        with engine.subscribed() as stream:
            disk.order("full")
            kept = fill(engine, "FA2", "")
            missing = {f"FA2^0 {number} ^" for number in range(1, kept + 1)}
            while missing:                               # all that was acknowledged
                missing.discard(stream.event().data["native"])
        disk.order("")
        with engine.subscribed() as stream:
            assert transmitter.insist(sia("6101", "NFA1")) == ack("6101")
            event = stream.event()
            while event.data["account"] != "6101" or not event.data["durable"]:
                event = stream.event()
            assert event.told == ("raised", "6101", "FA1")
        until(lambda: ready(engine), "being ready")
        check_kept([row["native"] for row in engine.signals("6001")], kept)
        with engine.subscribed(f"?after={begin}") as stream:    # and the log of what was made of them is whole again
            missing = {f"FA2^0 {number} ^" for number in range(1, kept + 1)}
            while missing:
                missing.discard(stream.event().data["native"])
