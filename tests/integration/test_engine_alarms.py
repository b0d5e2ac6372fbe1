"""What people do with alarms, by the API of a real engine: it counts when it is in the journal, and outlives a kill."""
from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.integration.engine import DEADLINE_S, Engine, data_directory, serve, tocsin, until
from tests.integration.transmitter import ack, sia, udp

CONFIG = """
[alarms]
accept_within = "2s"
"""


@pytest.fixture(scope="module")
def quiet_engine() -> Iterator[Engine]:
    with data_directory() as data, serve(data) as engine:
        yield engine


def post(engine: Engine, path: str, body: object, content_type: str = "application/json") -> tuple[int, Any]:
    with closing(http.client.HTTPConnection(engine.http, timeout=DEADLINE_S)) as connection:
        connection.request("POST", path, body if isinstance(body, str) else json.dumps(body),
                           {"Content-Type": content_type})
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def fire(engine: Engine, account: str, code: str, sequence: int) -> None:
    with udp(engine.place) as link:
        assert link.say(sia(account, code, sequence)) == ack(account, sequence)


def the_alarm(engine: Engine) -> dict[str, Any]:
    [alarm] = engine.json("/v1/alarms")["alarms"]
    return dict(alarm)


def test_an_alarm_is_accepted_answered_and_closed_and_an_engine_that_was_killed_knows_it() -> None:
    with data_directory() as data:
        with serve(data, CONFIG) as engine, engine.subscribed() as stream:
            fire(engine, "A100", "NFA001", 1)
            alarm = the_alarm(engine)
            assert (alarm["waiting"], alarm["accepted"], alarm["answered"]) == (1, False, None)
            path = f"/v1/alarms/{alarm['alarm_id']}"
            assert post(engine, f"{path}/accept", {"by": "desk"})[0] == 202
            assert post(engine, f"{path}/accept", {"by": "another"})[0] == 202       # said twice, told once
            assert post(engine, f"{path}/verify", {"by": "An", "why": "rice", "true": False})[0] == 202
            raised, accepted, answered = stream.take(3)
            assert [event.data["reason"] for event in (raised, accepted, answered)] == [
                "alarm", "accepted", "answered_false"]
            assert (accepted.data["by"], answered.data["by"], answered.data["why"]) == ("desk", "An", "rice")
            assert (answered.data["verification"], answered.data["priority"]) == ("false", 8)
            engine.kill()
        with serve(data, CONFIG) as engine, engine.subscribed() as stream:
            alarm = the_alarm(engine)
            assert (alarm["waiting"], alarm["accepted"], alarm["answered"]) == (None, True, False)
            fire(engine, "A100", "NFA002", 2)
            [again] = stream.take(1)
            assert (again.data["verification"], again.data["accepted"]) == ("confirmed", False)
            assert post(engine, f"{path}/close", {"by": "desk", "why": "no restores"})[0] == 202
            closed = stream.event()
            assert (closed.kind, closed.data["reason"], closed.data["why"]) == ("cleared", "closed", "no restores")
            assert engine.json("/v1/alarms")["alarms"] == []
            engine.until_stored()
            [stored] = engine.rows("SELECT state, answered, accepted_at, cleared_at FROM tocsin.alarm")
            assert (stored["state"], stored["answered"]) == ("cleared", "false")
            assert stored["accepted_at"] is not None
            assert stored["cleared_at"] is not None


def test_a_fire_that_nobody_accepts_is_told_once_more_also_when_the_engine_was_away_at_that_time() -> None:
    with data_directory() as data:
        with serve(data, CONFIG) as engine, engine.subscribed() as stream:
            fire(engine, "B100", "NFA001", 1)
            assert stream.event().data["reason"] == "alarm"
            before = engine.metrics()
            assert (before["alarms_unaccepted"], before["alarms_overdue"]) == (1, 0)
            missed = stream.event()
            assert (missed.kind, missed.data["reason"], missed.data["accepted"]) == ("updated", "unaccepted", False)
            until(lambda: "nobody has accepted a fire in time" in engine.said(), "the line")
            assert engine.metrics()["alarms_overdue"] == 1
            fire(engine, "B200", "NFA001", 1)
            last = stream.event().id
            engine.kill()
        with serve(data, CONFIG) as engine, engine.subscribed(last_event_id=last) as stream:
            missed = stream.event()
            assert (missed.data["account"], missed.data["reason"]) == ("B200", "unaccepted")


def test_a_test_mode_labels_and_ends_by_itself() -> None:
    with data_directory() as data, serve(data, CONFIG) as engine, engine.subscribed() as desk, \
            engine.subscribed("?verification=test") as tests:
        fire(engine, "C100", "NYK", 1)                     # whoever is tested has to be known
        wanted = {"transmitter": "dc09:C100", "for": "1500ms", "by": "Binh", "why": "yearly"}
        status, body = post(engine, "/v1/tests", wanted)
        assert (status, body["transmitter"]) == (202, "dc09:C100")
        until(lambda: engine.json("/v1/tests")["tests"], "the test mode")
        fire(engine, "C100", "NFA001", 2)
        assert tests.event().data["verification"] == "test"
        fire(engine, "C100", "NFR001", 3)
        assert tests.event().kind == "cleared"
        until(lambda: not engine.json("/v1/tests")["tests"], "its end")
        fire(engine, "C100", "NFA001", 4)
        assert (first := desk.event()).data["verification"] == "unconfirmed"
        assert first.kind == "raised"


@pytest.mark.parametrize(("path", "body", "status"), [
    ("/v1/alarms/1/accept", {"by": "x"}, 404), ("/v1/alarms/99999999999999999999/accept", {"by": "x"}, 404),
    ("/v1/alarms/1/verify", {"by": "x", "why": "y"}, 422),
    ("/v1/alarms/1/verify", {"by": "x", "why": "y", "true": 1}, 422),
    ("/v1/alarms/1/close", {"by": "x"}, 422), ("/v1/alarms/1/close", {"by": "", "why": "y"}, 422),
    ("/v1/alarms/1/accept", {"by": "x" * 201}, 422), ("/v1/alarms/1/accept", "[1]", 400),
    ("/v1/alarms/1/accept", "{", 400), ("/v1/alarms/1/burn", {"by": "x"}, 404),
    ("/v1/alarms/x/accept", {"by": "x"}, 404),
    ("/v1/tests", {"by": "x", "why": "y"}, 422), ("/v1/tests", {"by": "x", "why": "y", "facility": 7}, 422),
    ("/v1/tests", {"by": "x", "why": "y", "facility": "a", "transmitter": "dc09:1"}, 422),
    ("/v1/tests", {"by": "x", "why": "y", "facility": "nobody"}, 422),
    ("/v1/tests", {"by": "x", "why": "y", "transmitter": "dc09:1", "for": "soon"}, 422),
    ("/v1/tests", {"by": "x", "why": "y", "transmitter": "dc09:1", "for": "99d"}, 422)])
def test_what_cannot_be_is_refused_with_what_is_allowed(quiet_engine: Engine, path: str, body: object,
                                                        status: int) -> None:
    found, problem = post(quiet_engine, path, body)
    assert found == status, problem
    assert problem["status"] == status
    assert problem["detail"]


def test_only_json_is_read(quiet_engine: Engine) -> None:
    assert post(quiet_engine, "/v1/tests", "by=x", "application/x-www-form-urlencoded")[0] == 415


@pytest.mark.parametrize(("text", "says"), [("", "filter.rules"), ("version = 'x'", "version"),
                                            ("version = 1\nrule = 7", "rule")])
def test_rules_that_are_none_end_the_start_with_one_line(text: str, says: str) -> None:
    with data_directory() as data:
        file = data / "rules.toml"
        if text:
            file.write_text(text)
        (data / "engine.toml").write_text(f'[filter]\nrules = "{file}"\n')
        done = tocsin("serve", "--config", str(data / "engine.toml"), "--data", str(data / "data"))
        assert done.returncode == 2
        assert says in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert not (data / "data").exists()
