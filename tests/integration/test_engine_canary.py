"""The canary of a real engine: it comes out, it is stored past, and nobody but the engine sees it."""
from __future__ import annotations

import time

from tests.integration.engine import Engine, data_directory, serve, tocsin, until
from tests.integration.transmitter import ack, sia, udp

OFTEN = """
[canary]
every = "100ms"
"""
LAST, STORED = "canary_last_success_timestamp_seconds", "canary_stored_last_success_timestamp_seconds"
EVERYTHING = "?verification=unconfirmed,confirmed,false,test,late"


def canaries(engine: Engine, count: int) -> None:
    """Return when so many more have come out."""
    before = engine.metrics()["canary_round_trip_seconds_count"]
    until(lambda: engine.metrics()["canary_round_trip_seconds_count"] >= before + count, f"{count} canaries")


def test_it_comes_out_and_nobody_sees_it() -> None:
    with data_directory() as data:
        with serve(data, OFTEN) as engine, udp(engine.place) as transmitter, \
                engine.subscribed() as stream, engine.subscribed(EVERYTHING) as all_of_it:
            before = engine.metrics()
            canaries(engine, 3)
            assert abs(time.time() - engine.metrics()[LAST]) < 5
            until(lambda: engine.metrics()[STORED] > before[LAST], "a canary passed by the database")
            assert transmitter.say(sia("0001", "NFA1")) == ack("0001")
            for one in (stream, all_of_it):
                assert one.event().told == ("raised", "0001", "FA1")
            canaries(engine, 2)
            after = engine.metrics()
            families = ("frames_", "signals", "verdicts", "replies{", "unknown_", "events_forwarded", "alarms_",
                        "receive_to_durable_seconds_count", "receive_to_forwarded_seconds_count", "store_rows",
                        "duplicates", "admit_entries", "paths", "subscribers", "connections", "shed")
            rose = {name: value - before.get(name, 0) for name, value in after.items()
                    if name.startswith(families) and value != before.get(name, 0)}
            assert rose == {
                'frames_received{protocol="dc09",kind="signal"}': 1, 'replies{protocol="dc09",result="accept"}': 1,
                'signals{class="fire"}': 1, 'verdicts{verdict="forward",reason="alarm"}': 1,
                'unknown_accounts{result="enrolled"}': 1, "events_forwarded": 2, "alarms_unaccepted": 1,
                "alarms_open": 1,
                "receive_to_durable_seconds_count": 1, "receive_to_forwarded_seconds_count": 2, "store_rows": 1,
                "admit_entries": 1, 'paths{state="up"}': 1}
            assert [alarm["account"] for alarm in engine.json("/v1/alarms")["alarms"]] == ["0001"]
            assert [one["key"] for one in engine.json("/v1/transmitters")["transmitters"]] == ["dc09:0001"]
            assert [row["account"] for row in engine.json("/v1/signals")["signals"]] == ["0001"]
            until(lambda: engine.rows("SELECT 1 FROM tocsin.path"), "the path's row", 30)
            for table in ("signal_row", "event", "alarm", "path", "refused"):
                [row] = engine.rows(f"SELECT count(*) FROM tocsin.{table}")
                assert row["count"] == (0 if table == "refused" else 1), table
            assert engine.json("/v1/status")["stages"]["canary"]["overdue"] is False
            assert b"[+]canary ok" in engine.ask("/readyz?verbose")[1]
        dumped = tocsin("journal", "dump", "--data", str(data / "data")).stdout.splitlines()
        assert sum('"kind":"canary"' in line for line in dumped) > 5
        with serve(data, OFTEN) as engine, udp(engine.place) as transmitter:     # and after a restart
            canaries(engine, 2)
            assert [alarm["account"] for alarm in engine.json("/v1/alarms")["alarms"]] == ["0001"]


def test_no_database_no_policy_and_no_subscriber_keeps_it() -> None:
    policy = OFTEN + '[unknown_accounts]\npolicy = "refuse"\n'
    with data_directory() as data, serve(data, policy, "--database", "postgresql://tocsin@127.0.0.1:9/none") as engine:
        canaries(engine, 3)
        metrics = engine.metrics()
        assert (metrics[STORED], metrics["store_up"]) == (0, 0)
        assert metrics[LAST] > 0
        assert engine.ask("/readyz")[0] == 200


def test_turned_off_it_shows_nothing() -> None:
    with data_directory() as data, serve(data, '[canary]\nevery = "0"\n') as engine:
        assert not [name for name in engine.metrics() if name.startswith("canary")]
        assert b"canary" not in engine.ask("/readyz?verbose")[1]
        assert engine.json("/v1/status")["stages"]["canary"]["on"] is False
