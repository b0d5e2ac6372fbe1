"""A command to a site over HTTP: journalled, sent with the next reply, shown; a transmitter that learns our time."""
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from codec.batch import Batch
from codec.reading import build_frame, read_frames
from engine.journal import examine
from tests.integration.engine import Engine, data_directory, serve
from tests.integration.transmitter import null, udp

KEY = bytes(range(16))
CONFIG = f'[[transmitter]]\naccount = "dc09:D300"\nkey = "{KEY.hex()}"\n'


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with data_directory() as data, serve(data, CONFIG) as running:
        yield running


def post(engine: Engine, key: str, body: Any, content_type: str = "application/json",
         headers: dict[str, str] | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(f"http://{engine.http}/v1/transmitters/{key}/commands", method="POST",
                                     data=json.dumps(body).encode(),
                                     headers={"Content-Type": content_type, **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


ASKED = {"command": "#D100|NZZOR0003", "by": "night shift", "why": "open the smoke vents"}


def test_a_command_goes_out_with_the_next_reply(engine: Engine) -> None:
    with udp(engine.place) as transmitter:
        transmitter.say(null("D100"))
        status, queued = post(engine, "dc09:D100", ASKED)
        assert (status, queued["state"], queued["command"]) == (202, "waiting", ASKED["command"])
        assert b'"RSP"0002L0#D100[#D100|NZZOR0003]' in transmitter.say(null("D100", 2))
        assert b'"ACK"0003' in transmitter.say(null("D100", 3))
    [shown] = engine.json("/v1/transmitters/dc09:D100")["paths"][0]["commands"]
    assert (shown["state"], shown["by"]) == ("sent", "night shift")
    changes = [row for row in journal_rows(engine) if "NZZOR0003" in str(row["native"])]
    assert [json.loads(str(row["native"])) for row in changes] == [
        {"change": "command", "transmitter": "dc09:D100"} | ASKED]


def test_whose_token_it_was_is_journalled_whatever_the_asker_says() -> None:
    with data_directory() as data:
        token = data / "chief.token"
        token.touch(0o600)
        token.write_text("chief-0123456789-abcdefghijk")
        with serve(data, f'[[http_token]]\nfile = "{token}"\nrole = "operate"\n') as engine, udp(engine.place) as panel:
            panel.say(null("D400"))
            asked = ASKED | {"by": "somebody else", "token": "somebody else"}
            assert post(engine, "dc09:D400", asked)[0] == 401
            bearer = {"Authorization": f"Bearer {token.read_text()}"}
            assert post(engine, "dc09:D400", asked, headers=bearer)[0] == 202
            [change] = [json.loads(str(row["native"])) for row in journal_rows(engine)
                        if "NZZOR0003" in str(row["native"])]
            assert (change["by"], change["token"]) == ("somebody else", "chief")


def journal_rows(engine: Engine) -> list[dict[str, Any]]:
    found = []
    for entry in examine.entries(engine.data / "data" / "journal", "journal"):
        batch = Batch.view(entry.payload)
        found += [batch.row(index) for index in range(len(batch))]
    return found


@pytest.mark.parametrize(("key", "change", "content_type", "status"), [
    ("dc09:NOBODY", {}, "application/json", 404), ("dc09:D200", {"by": ""}, "application/json", 422),
    ("dc09:D200", {"why": None}, "application/json", 422), ("dc09:D200", {"command": "[x]"}, "application/json", 422),
    ("dc09:D200", {"expires": "soon"}, "application/json", 422), ("dc09:D200", {}, "text/plain", 415)])
def test_what_cannot_be_done_is_said(engine: Engine, key: str, change: dict[str, Any], content_type: str,
                                     status: int) -> None:
    with udp(engine.place) as transmitter:
        transmitter.say(null("D200"))
        got, problem = post(engine, key, ASKED | change, content_type)
        assert (got, problem["status"]) == (status, status)
        assert b'"ACK"' in transmitter.say(null("D200", 2))


def test_a_transmitter_that_is_hours_off_takes_our_time_and_is_heard(engine: Engine) -> None:
    def sealed(sequence: int, offset_s: int) -> bytes:
        now_ns = int(datetime.now(UTC).timestamp() + offset_s) * 1_000_000_000
        return build_frame("SIA-DCS", "D300", b"#D300|NRP001", sequence=sequence, stamp_ns=now_ns, key=KEY)

    with udp(engine.place) as transmitter:
        nak = transmitter.say(sealed(1, -3 * 3600))
        [found] = read_frames(nak, 0)
        assert found["token"] == "NAK" and re.fullmatch(r"\d{4}-.*Z", str(found["timestamp"]))
        ours = datetime.fromisoformat(str(found["timestamp"]))
        assert abs((ours - datetime.now(UTC)).total_seconds()) < 20
        assert b'"*ACK"0001' in transmitter.say(sealed(1, 0))
    [path] = engine.json("/v1/transmitters/dc09:D300")["paths"]
    assert abs(path["clock_offset_s"]) < 20
    assert (path["has_key"], path["refused"]["reason"], path["refused"]["count"]) == (True, "time", 1)
