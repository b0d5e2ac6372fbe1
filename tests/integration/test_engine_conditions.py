"""What is open at transmitters and where they are, asked of a real engine: now, as of a time, by condition, by area."""
from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from tests.integration.engine import Engine, data_directory, serve, until
from tests.integration.transmitter import ack, sia, udp

NOTHING = {"transmitters": [], "next": None}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Two transmitters in one commune, one elsewhere, one that no facility has; two of them had a fault."""
    with data_directory() as data, serve(data) as engine:
        until(lambda: "following the registry" in engine.said(), "the follower")
        engine.rows("INSERT INTO tocsin.facility (id, name, province, commune, team) VALUES "
                    "('school', 'School', '40', '17257', 'vinh-1'), ('hall', 'Hall', '79', '26734', '')")
        engine.rows("INSERT INTO tocsin.transmitter (key, facility) VALUES "
                    "('dc09:C001', 'school'), ('dc09:C002', 'school'), ('dc09:C003', 'hall')")
        until(lambda: engine.ask("/v1/transmitters/dc09:C003")[0] == 200, "the registry")
        with udp(engine.place) as link:
            for sequence, (account, code) in enumerate([("C001", "NAT000"), ("C002", "NYT000"), ("C004", "NAT000"),
                                                        ("C001", "NAR000")], 1):
                assert link.say(sia(account, code, sequence)) == ack(account, sequence)
        until(lambda: conditions(engine, "C001") == [] and conditions(engine, "C004") != [], "what was said last")
        yield engine


def conditions(engine: Engine, account: str, **question: str) -> list[str]:
    rows = engine.json(f"/v1/transmitters/dc09:{account}/conditions?{urlencode(question)}")["conditions"]
    return [row["condition"] for row in rows]


def keys(engine: Engine, path: str, **question: str) -> list[str]:
    return [entry.get("key") or entry["transmitter"]
            for entry in engine.json(f"{path}?{urlencode(question)}")["transmitters"]]


@pytest.mark.parametrize(("area", "found"), [
    ("40", ["dc09:C001", "dc09:C002"]), ("40/17257", ["dc09:C001", "dc09:C002"]),
    ("vinh-1", ["dc09:C001", "dc09:C002"]), ("40/17257/vinh-1", ["dc09:C001", "dc09:C002"]),
    ("26734", ["dc09:C003"]), ("4", []), ("40/", []), ("172", [])])
def test_transmitters_of_an_area(engine: Engine, area: str, found: list[str]) -> None:
    assert sorted(keys(engine, "/v1/transmitters", area=area)) == found


def test_an_area_in_pieces(engine: Engine) -> None:
    first = engine.json("/v1/transmitters?area=40&limit=1")
    second = engine.json(f"/v1/transmitters?area=40&limit=1&cursor={first['next']}")
    assert sorted(one["transmitters"][0]["key"] for one in (first, second)) == ["dc09:C001", "dc09:C002"]
    assert engine.json(f"/v1/transmitters?area=40&limit=1&cursor={second['next']}") == NOTHING
    assert engine.json("/v1/transmitters?area=40&state=fault") == NOTHING


def test_who_has_a_condition_and_since_when(engine: Engine) -> None:
    [mains] = engine.json("/v1/conditions?condition=mains_fault")["transmitters"]
    assert (mains["transmitter"], mains["facility"]) == ("dc09:C004", None)
    assert sorted(keys(engine, "/v1/conditions")) == ["dc09:C002", "dc09:C004"]
    assert keys(engine, "/v1/conditions", before="2026-01-01") == []
    assert sorted(keys(engine, "/v1/conditions", before="2100-01-01T00:00:00+07:00")) == ["dc09:C002", "dc09:C004"]


def test_what_was_open_at_a_time(engine: Engine) -> None:
    raised, restored = (signal["received_at"] for signal in engine.signals("C001"))
    at = raised + (restored - raised) / 2
    assert conditions(engine, "C001", at=at.isoformat()) == ["mains_fault"]
    assert conditions(engine, "C001", at=at.replace(tzinfo=None).isoformat()) == ["mains_fault"]     # it is UTC
    assert conditions(engine, "C001", at=datetime.fromtimestamp(time.time() + 60, UTC).isoformat()) == []


@pytest.mark.parametrize("at", ["yesterday", "2026-13-01", "9" * 400, "2026-01-01T25:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_is_none_is_refused_with_what_is_needed(engine: Engine, at: str) -> None:
    for path in ("/v1/conditions?" + urlencode({"before": at}), "/v1/transmitters/dc09:C001/conditions?"
                 + urlencode({"at": at})):
        status, answer = engine.ask(path)
        assert (status, "ISO 8601" in str(answer)) == (400, True)


def test_times_at_both_ends_of_the_calendar(engine: Engine) -> None:
    assert keys(engine, "/v1/conditions", before="0001-01-01") == []
    assert sorted(keys(engine, "/v1/conditions", before="9999-12-31")) == ["dc09:C002", "dc09:C004"]
    assert conditions(engine, "C002", at="9999-12-31") == conditions(engine, "C002") != []
    status, answer = engine.ask("/v1/transmitters/dc09:C002/conditions?at=0001-01-01")
    assert (status, "what is kept begins at" in str(answer)) == (422, True)


def test_rules_and_networks(engine: Engine) -> None:
    rules = engine.json("/v1/rules")
    assert [rule["name"] for rule in rules["rule"]] == ["at-once", "as-facility"]
    assert engine.json("/v1/networks") == {"networks": []}
    assert engine.ask("/v1/transmitters/dc09:NOBODY/conditions")[0] == 404
