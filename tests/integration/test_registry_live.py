"""The registry's changes in the running engine: within a second, without a restart, and with the database away."""
from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codec.reading import build_frame
from engine.registry.keys import KeyStore
from tests.integration.engine import Engine, data_directory, rows, serve, until
from tests.integration.transmitter import Udp, ack, null, sia, udp

REFUSE = '[unknown_accounts]\npolicy = "refuse"\n[[transmitter]]\naccount = "dc09:ABCDEF"\n'
KEY = b"Geheim-Feuer-16b"
MANY = 200_000
NUMBERS = itertools.count(1)     # of frames: one that came before is no news


@pytest.fixture
def data() -> Iterator[Path]:
    with data_directory() as directory:
        yield directory


def change(engine: Engine, statement: str) -> float:
    """Change the registry; return when that was committed."""
    engine.rows(statement)
    return time.monotonic()


def shown(engine: Engine, transmitter: str) -> bool:
    return engine.ask(f"/v1/transmitters/{transmitter}")[0] == 200


def add(engine: Engine, transmitter: str, supervision: str = "") -> float:
    """Let the registry name a transmitter, and wait until it has a path; return how long that took."""
    began = change(engine, f"INSERT INTO tocsin.transmitter (key, supervision) VALUES ('{transmitter}', "
                           f"'{supervision}')")
    until(lambda: shown(engine, transmitter), transmitter)
    return time.monotonic() - began


def supervision(engine: Engine, transmitter: str) -> list[int]:
    return [int(path["supervision_ms"] or 0) for path in engine.json(f"/v1/transmitters/{transmitter}")["paths"]]


def answered(transmitter: Udp, frame: bytes) -> bool:
    """Tell whether a frame gets a reply: a signal of a transmitter of the configuration is answered behind it."""
    number = next(NUMBERS)
    last = ack("ABCDEF", number)
    transmitter.send(frame, sia("ABCDEF", f"NRP{number}", number))
    replies = [transmitter.reply()]
    while replies[-1] != last:
        replies.append(transmitter.reply())
    return len(replies) > 1


def refused(transmitter: Udp, account: str) -> bool:
    """Tell whether a heartbeat of an account gets no reply."""
    return not answered(transmitter, null(account, next(NUMBERS)))


def test_a_transmitter_comes_changes_and_goes_while_the_engine_runs(data: Path) -> None:
    with serve(data, REFUSE) as engine, udp(engine.place) as transmitter:
        transmitter.insist(null("ABCDEF"))
        assert refused(transmitter, "1234")
        until(lambda: "following the registry" in engine.said(), "the follower")
        assert add(engine, "dc09:1234", "DP4") < 1
        assert supervision(engine, "dc09:1234") == [90_000]
        assert not refused(transmitter, "1234")
        assert transmitter.say(sia("1234", "NFA1", 4)) == ack("1234", 4)

        began = change(engine, "UPDATE tocsin.transmitter SET supervision = 'SP3' WHERE key = 'dc09:1234'")
        until(lambda: 1_800_000 in supervision(engine, "dc09:1234"), "its new supervision")
        assert time.monotonic() - began < 1

        began = change(engine, "DELETE FROM tocsin.transmitter")
        until(lambda: refused(transmitter, "1234"), "its refusal")
        assert time.monotonic() - began < 1
        assert set(supervision(engine, "dc09:1234")) == {0}

        add(engine, "dc09:1234", "30s")
        until(lambda: not refused(transmitter, "1234"), "it being known again")
        assert 30_000 in supervision(engine, "dc09:1234")


def test_a_key_that_is_set_live_opens_the_next_frame(data: Path) -> None:
    def opened() -> bool:
        return answered(transmitter, build_frame("SIA-DCS", "1234", b"#1234|NFA7", sequence=next(NUMBERS), key=KEY,
                                                 stamp_ns=time.time_ns()))

    keys = KeyStore(data / "data")
    with serve(data, REFUSE) as engine, udp(engine.place) as transmitter:
        transmitter.insist(null("ABCDEF"))
        add(engine, "dc09:1234")
        assert not opened()
        keys.load()
        keys.set("dc09:1234", KEY)
        began = time.monotonic()
        until(opened, "its frame being opened")
        assert time.monotonic() - began < 1
        assert engine.signals("1234")[0]["native"].startswith("FA7")
        keys.remove("dc09:1234")
        until(lambda: not opened(), "its frame being refused")
        keys.set("dc09:1234", KEY)
    with serve(data, REFUSE) as engine, udp(engine.place) as transmitter:
        transmitter.insist(null("ABCDEF"))
        assert opened()


def test_a_restart_with_the_database_away_still_knows_the_registry(data: Path) -> None:
    with serve(data, REFUSE) as engine:
        add(engine, "dc09:1234", "DP4")
        engine.rows("INSERT INTO tocsin.transmitter (key) VALUES ('dc09:5678')")
        until(lambda: shown(engine, "dc09:5678"), "the other one")
        engine.rows("DELETE FROM tocsin.transmitter WHERE key = 'dc09:5678'")
        until(lambda: supervision(engine, "dc09:5678") == [0], "its end")
    away = 'database = "postgresql://tocsin@127.0.0.1:9/none"\n' + REFUSE
    for number in (5001, 5002):          # from the snapshot, and then from one that such a start wrote
        with serve(data, away) as engine, udp(engine.place) as transmitter:
            transmitter.insist(null("ABCDEF"))
            assert not refused(transmitter, "1234")
            assert refused(transmitter, "5678")
            assert 90_000 in supervision(engine, "dc09:1234")
            with engine.subscribed() as stream:
                assert transmitter.say(sia("1234", f"NFA{number}", number)) == ack("1234", number)
                assert stream.event().told[1:] == ("1234", f"FA{number}")
            engine.kill()


def test_the_configuration_wins(data: Path) -> None:
    with serve(data, REFUSE.replace('"dc09:ABCDEF"', '"dc09:ABCDEF"\nsupervision = "30s"')) as engine:
        until(lambda: shown(engine, "dc09:ABCDEF"), "its path")
        engine.rows("INSERT INTO tocsin.transmitter (key, supervision) VALUES ('dc09:ABCDEF', '90s')")
        add(engine, "dc09:1")
        assert supervision(engine, "dc09:ABCDEF") == [30_000]
        engine.rows("DELETE FROM tocsin.transmitter WHERE key = 'dc09:ABCDEF'")
        add(engine, "dc09:2")
        assert supervision(engine, "dc09:ABCDEF") == [30_000]


def test_a_kill_in_the_middle_of_a_full_reading_leaves_nothing_half_known(data: Path) -> None:
    with serve(data, REFUSE) as engine:
        engine.until_store_up()
        rows(engine.database, "INSERT INTO tocsin.transmitter (key) SELECT 'dc09:' || upper(to_hex(x + 1048576)) "
                  f"FROM generate_series(1, {MANY}) AS x")
        with udp(engine.place) as transmitter:
            transmitter.insist(null("ABCDEF"))
            until(lambda: not refused(transmitter, f"{1048576 + 1:X}"), "the first row")
            engine.kill()
    with serve(data, REFUSE) as engine, udp(engine.place) as transmitter:
        transmitter.insist(null("ABCDEF"))
        until(lambda: "read the registry" in engine.said(), "a reading to its end", 60)
        assert "whole=True" in engine.said()
        assert not refused(transmitter, f"{1048576 + MANY:X}")
        assert not refused(transmitter, f"{1048576 + 1:X}")
        engine.rows("TRUNCATE tocsin.transmitter CASCADE")
        until(lambda: refused(transmitter, f"{1048576 + 1:X}"), "the end of all")
        until(lambda: refused(transmitter, f"{1048576 + MANY:X}"), "the end of all", 60)


def test_nonsense_in_the_tables_is_refused_row_by_row(data: Path) -> None:
    with serve(data, REFUSE) as engine, udp(engine.place) as transmitter:
        engine.until_store_up()
        transmitter.insist(null("ABCDEF"))
        for table in ("facility", "transmitter", "point"):
            for row in engine.rows("SELECT conname FROM pg_constraint WHERE contype IN ('c', 'f') AND conrelid = "
                                   f"'tocsin.{table}'::regclass"):
                engine.rows(f"ALTER TABLE tocsin.{table} DROP CONSTRAINT {row['conname']}")
        engine.rows("ALTER TABLE tocsin.transmitter ALTER network DROP NOT NULL")
        engine.rows(r"""
            INSERT INTO tocsin.transmitter (key, supervision, window_past, network) VALUES
            ('dc09:1', 'nonsense', '', ''), ('dc09:2', '', '-1s', ''), (E'dc09:3\t\n', '', '', ''),
            (repeat('dc09:4', 200), '', '', ''), ('', '', '', ''), ('engine:1', '', '', ''), ('dc09:', '', '', ''),
            ('dc09:5', '', '', NULL), ('dc09:6', '', '', E'a\\b'), ('dc09:ünsinn', '', '', ''),
            ('dc09:1234', '', '', '')
            """)
        engine.rows(r"""INSERT INTO tocsin.facility (id, name, province) VALUES ('A', repeat('x', 97), ''),
                        (E'B\nC', 'b', ''), ('C', 'c', 'no province'), ('D', E'tab\there \\ and\nthere', '')""")
        engine.rows("INSERT INTO tocsin.point (transmitter, point, condition) VALUES "
                    "('dc09:1234', repeat('9', 65), ''), ('dc09:1234', '', ''), "
                    "('dc09:1234', '1/2', 'SMOKE!'), ('dc09:1234', '1/3', 'smoke')")
        engine.expect("rows of the registry cannot be used, and count as not there")
        until(lambda: not refused(transmitter, "1234"), "the good row")
        until(lambda: engine.metrics()["registry_rows_refused"] == 16, "all of them")
        said = engine.said()
        for told in ("transmitter dc09:1: supervision", "transmitter dc09:2: window_past", "transmitter engine:1: key",
                     "transmitter dc09:5: a character", "facility A: name", "point dc09:1234: condition"):
            assert told in said
