"""Deaths: of the engine under load, of its PostgreSQL, and a database that is not there. Nothing acknowledged is lost
and nothing comes twice.
"""
from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import time
from collections import Counter

from engine.clock import Clock
from engine.store.embedded import EmbeddedPostgres
from tests.integration.engine import data_directory, serve, until
from tests.integration.senders import ACCOUNTS, Sender, load
from tests.integration.transmitter import ack, null, sia, tcp, udp

ROUNDS = 3


def test_kill_under_load_three_times() -> None:
    senders = [Sender("AA", socket.SOCK_STREAM), Sender("BB", socket.SOCK_STREAM), Sender("CC", socket.SOCK_DGRAM)]
    with data_directory() as data:
        for number in range(ROUNDS):
            with serve(data) as engine:
                if number == 0:
                    with engine.subscribed() as stream:
                        began = stream.began
                with load(engine, senders, 400):
                    engine.kill()
        with serve(data) as engine, load(engine, senders, 1):    # what was not acknowledged is sent again
            engine.stop()
        with serve(data) as engine, udp(engine.place) as transmitter:
            stored = Counter(row["native"] for row in engine.signals(*(
                f"{sender.mark}{number:02}" for sender in senders for number in range(ACCOUNTS))))
            acknowledged = {sender.text(number) for sender in senders for number in sender.acknowledged}
            sent = {sender.text(number) for sender in senders for number in sender.sent}
            assert len(acknowledged) > ROUNDS * 400 * len(senders)
            assert not [native for native in acknowledged if native not in stored], "acknowledged and lost"
            assert not [native for native, times in stored.items() if times > 1], "stored twice"
            assert set(stored) <= sent
            with engine.subscribed(f"?after={began}") as stream:
                events = stream.take(len(stored))
                assert Counter(event.data["native"] for event in events) == stored
                numbers = [int(began), *(int(event.id) for event in events)]     # canaries leave holes
                assert numbers == sorted(set(numbers))
                assert [int(event.data["signal_id"]) for event in events] == [
                    row["id"] for row in engine.rows("SELECT id FROM tocsin.signal ORDER BY id")]
                with engine.counting({"duplicates": 1, "signals": 0}):
                    known = min(senders[0].acknowledged)
                    assert transmitter.say(senders[0].sent[known])       # admitted before the first kill
                transmitter.say(sia("DD00", "NFA1^the next^"))
                assert stream.event().data["native"] == "FA1^the next^"
            engine.until_stored()
            assert engine.rows("SELECT count(*) FROM tocsin.event")[0]["count"] == len(stored) + 1


def test_a_stream_goes_on_over_a_restart() -> None:
    with data_directory() as data:
        with serve(data) as engine, engine.subscribed() as stream, udp(engine.place) as transmitter:
            for number in range(1, 6):
                transmitter.say(sia("D001", f"NFA{number}", number))
            first = stream.take(2)
            engine.kill()
        with serve(data) as engine, engine.subscribed(last_event_id=first[-1].id) as stream, \
                udp(engine.place) as transmitter:
            transmitter.say(sia("D001", "NFA6", 6))
            rest = stream.take(4)
            assert [event.data["native"] for event in first + rest] == [f"FA{number}" for number in range(1, 7)]
            assert [event.kind for event in first + rest] == ["raised"] + ["updated"] * 5
            assert len({event.data["alarm_id"] for event in first + rest}) == 1
            [alarm] = engine.json("/v1/alarms")["alarms"]
            assert (alarm["revision"], len(alarm["open"])) == (6, 6)


def test_kill_of_postgresql() -> None:
    """Fires go on within a second; the store catches up with the one that is started again; nothing comes twice."""
    sender = Sender("EE", socket.SOCK_STREAM)
    with data_directory() as data, serve(data) as engine, engine.subscribed() as stream, \
            udp(engine.place) as transmitter:
        engine.until_store_up()
        restarts = engine.metrics()["store_restarts"]
        with load(engine, [sender], 300):
            os.kill(engine.postgres_pid(), signal.SIGKILL)
            killed = len(sender.acknowledged)
            began = time.monotonic()
            transmitter.say(sia("EF00", "NFA1"))
            while stream.event().data["account"] != "EF00":
                pass
            assert time.monotonic() - began < 1
            assert engine.ask("/readyz")[0] == 200
            until(lambda: len(sender.acknowledged) >= killed + 300, "300 more")
            until(lambda: engine.metrics()["store_restarts"] > restarts, "a restart of PostgreSQL")
        stored = Counter(row["native"] for row in engine.signals(*(f"EE{number:02}" for number in range(ACCOUNTS))))
        assert {sender.text(number) for number in sender.acknowledged} <= set(stored)
        assert max(stored.values()) == 1
        assert engine.metrics()["store_retries"] >= 1


def test_a_database_that_comes_later() -> None:
    with data_directory() as data, asyncio.Runner() as runner:
        server = EmbeddedPostgres(data / "late", Clock())
        with serve(data, "[store]\nretry_max = '100ms'", "--database", server.url) as engine, \
                engine.subscribed() as stream, udp(engine.place) as transmitter:
            assert engine.database == server.url
            assert transmitter.say(null("D101")) == ack("D101")
            assert transmitter.say(sia("D101", "NFA1", 2)) == ack("D101", 2)
            assert stream.event().told == ("raised", "D101", "FA1")
            assert engine.ask("/readyz")[0] == 200
            assert engine.ask("/v1/signals")[0] == 503
            assert engine.metrics()["store_up"] == 0
            runner.run(server.start())
            try:
                assert [row["native"] for row in engine.signals("D101")] == ["FA1"]
                assert engine.metrics()["store_up"] == 1
                [path] = until(lambda: engine.rows("SELECT state FROM tocsin.path WHERE account = 'D101'"), "the path")
                assert path["state"] == "up"
                engine.stop()
            finally:
                runner.run(server.stop())


def test_its_own_database_that_does_not_start() -> None:
    """The transmitters of a restarted engine do not wait for it, and what they said is stored when it is repaired."""
    with data_directory() as data:
        with serve(data):
            pass
        version = data / "data/postgresql/cluster/PG_VERSION"
        right = version.read_bytes()
        version.write_text("9.6\n")
        with serve(data, "[store]\nretry_max = '100ms'") as engine, engine.subscribed() as stream, \
                udp(engine.place) as transmitter:
            engine.expect("embedded PostgreSQL does not start, going on without it")
            assert transmitter.say(sia("D301", "NFA1")) == ack("D301")
            assert stream.event().told == ("raised", "D301", "FA1")
            assert engine.ask("/readyz")[0] == 200
            version.write_bytes(right)
            assert [row["native"] for row in engine.signals("D301")] == ["FA1"]


def test_the_engine_takes_its_postgresql_with_it() -> None:
    with data_directory() as data, serve(data) as engine, tcp(engine.place) as transmitter:
        assert transmitter.say(null("D201")) == ack("D201")
        end = os.pidfd_open(engine.postgres_pid())
        try:
            engine.kill()
            assert select.select([end], [], [], 30)[0]
        finally:
            os.close(end)
