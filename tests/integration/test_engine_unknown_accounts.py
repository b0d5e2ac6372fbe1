"""Accounts that nobody announced: enrolled, quarantined or refused; and those that the configuration names."""
from __future__ import annotations

import pytest

from tests.integration.engine import data_directory, serve, until
from tests.integration.transmitter import ack, null, sia, tcp, udp

NAMED = """
[[transmitter]]
account = "dc09:0123"
supervision = "33s"
"""
QUARANTINED = 32


def policy(name: str, **more: int) -> str:
    lines = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f'[unknown_accounts]\npolicy = "{name}"\n{lines}{NAMED}'


def test_refused() -> None:
    fire = sia("E001", "NFA1")
    expected = {'frames_rejected{protocol="dc09",reason="unknown_account"}': 4,
                'unknown_accounts{result="refused"}': 4, 'unknown_accounts{result="enrolled"}': 1,
                'replies{protocol="dc09",result="accept"}': 4, "signals": 0, "connections_closed": 0}
    with data_directory() as data, serve(data, policy("refuse")) as engine, udp(engine.place) as transmitter, \
            tcp(engine.place) as connection, engine.subscribed() as stream:
        with engine.counting(expected):
            for frame in (fire, null("E001")):
                transmitter.unanswered(frame, "0123")
                connection.send(frame)
                assert connection.say(null("0123", 7)) == ack("0123", 7)
        refused = engine.json("/v1/rejected?account=E001")["rejected"]
        assert {entry["reason"] for entry in refused} == {"unknown_account"}
        assert sum(entry["count"] for entry in refused) == 4
        assert transmitter.say(sia("0123", "NFA1", 8)) == ack("0123", 8)
        assert stream.event().told == ("raised", "0123", "FA1")
        assert [entry["key"] for entry in engine.json("/v1/transmitters")["transmitters"]] == ["dc09:0123"]
        [path] = engine.json("/v1/transmitters/dc09:0123")["paths"]
        assert path["supervision_ms"] == 33_000
        assert engine.ask("/v1/transmitters/dc09:E001")[0] == 404
        assert [row["account"] for row in engine.signals("0123", "E001")] == ["0123"]


def test_quarantined() -> None:
    """Answered, stored and labelled; its fire goes out as unconfirmed; nobody supervises it."""
    expected = {'unknown_accounts{result="quarantined"}': 3, 'replies{protocol="dc09",result="accept"}': 3,
                'signals{class="fire"}': 1, "duplicates": 1, "paths": 0, "frames_rejected": 0}
    with data_directory() as data, serve(data, policy("quarantine")) as engine, udp(engine.place) as transmitter, \
            engine.subscribed() as stream:
        with engine.counting(expected):
            assert transmitter.say(null("E002")) == ack("E002")
            for _ in range(2):
                assert transmitter.say(sia("E002", "NFA1", 2)) == ack("E002", 2)
        event = stream.event()
        assert (event.told, event.data["verification"]) == (("raised", "E002", "FA1"), "unconfirmed")
        [row] = engine.signals("E002")
        assert (row["flags"] & QUARANTINED, row["path"]) == (QUARANTINED, None)
        assert engine.ask("/v1/transmitters/dc09:E002")[0] == 404
        assert transmitter.say(null("0123")) == ack("0123")
        assert engine.json("/v1/transmitters/dc09:0123")["state"] == "up"


@pytest.mark.parametrize(("limits", "enrolled"), [({"limit": 3}, 3), ({"rate": 2, "limit": 1000}, 2)])
def test_enrolled_up_to_the_limit_and_the_rate(limits: dict[str, int], enrolled: int) -> None:
    """A rate of 2 a second lets two come at once; the others come within the same half second."""
    frames = [sia(f"E1{number:02}", "NFA1") for number in range(8)]
    expected = {'unknown_accounts{result="quarantined"}': 8 - enrolled,
                'unknown_accounts{result="enrolled"}': enrolled + 1, 'paths{state="up"}': enrolled + 1,
                'replies{protocol="dc09",result="accept"}': 9, 'signals{class="fire"}': 8}
    with data_directory() as data, serve(data, policy("enrol", **limits)) as engine, tcp(engine.place) as connection:
        with engine.counting(expected):
            connection.send(b"".join(frames) + null("0123"))
            assert connection.replies(9) == [*(ack(f"E1{number:02}") for number in range(8)), ack("0123")]
        accounts = [f"E1{number:02}" for number in range(8)]
        rows = {row["account"]: row for row in engine.signals(*accounts)}
        assert [bool(rows[account]["flags"] & QUARANTINED) for account in accounts] == [
            number >= enrolled for number in range(8)]


def test_enrolments_outlive_the_engine() -> None:
    """After a kill right after the reply: the same paths with the same numbers."""
    accounts = [f"E2{number:02}" for number in range(20)]
    with data_directory() as data:
        with serve(data, NAMED) as engine, tcp(engine.place) as connection:
            connection.send(b"".join(null(account) for account in accounts))
            assert connection.replies(20) == [ack(account) for account in accounts]
            engine.kill()
        with serve(data, NAMED) as engine:
            assert [entry["key"] for entry in engine.json("/v1/transmitters")["transmitters"]] == [
                f"dc09:{account}" for account in accounts]
            with engine.counting({"unknown_accounts": 0}), udp(engine.place) as transmitter:
                assert transmitter.say(null(accounts[7], 2)) == ack(accounts[7], 2)
            stored = until(lambda: engine.rows(
                "SELECT number FROM tocsin.path WHERE account = 'E207'"), "the path in the database")
            assert [row["number"] for row in stored] == [7]
