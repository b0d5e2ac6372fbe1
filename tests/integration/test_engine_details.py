"""What a frame says beside its event, on one running engine: in the event, in the database and in the API."""
from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.integration.engine import Engine, data_directory, serve
from tests.integration.transmitter import ack, null, sia, tcp, udp

EXTENDED = [b"IK\xfcche", b"R12", b"R13", b"X105E51.2345", b'J{"loop":\t[1,\n2],"note":"\\u00e9"}', b"Ksecret", b"Qx"]
DETAILS = {"alarm_text": "Küche", "room": ["12", "13"], "longitude": "105E51.2345", "longitude_degrees": 105.853908,
           "json": {"loop": [1, 2], "note": "é"}, "key_given": True, "other": {"Q": "x"}, "user": "7"}
HEARTBEAT = b"SR0001L0001    0069E1XX    [ID00000000]"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with data_directory() as data, serve(data) as running:
        yield running


def test_details_go_all_the_way(engine: Engine) -> None:
    with engine.subscribed() as stream, udp(engine.place) as transmitter:
        assert transmitter.say(sia("E010", "Nid7/FA1", extended=EXTENDED)) == ack("E010")
        assert stream.event().data["details"] == DETAILS
        assert transmitter.say(sia("E010", "NFA2", 2)) == ack("E010", 2)
        assert stream.event().data["details"] is None
    engine.until_stored()
    rows = engine.rows("SELECT details, raw FROM tocsin.signal WHERE account = 'E010' ORDER BY id")
    assert [row["details"] and json.loads(row["details"]) for row in rows] == [DETAILS, None]
    assert b"secret" not in rows[0]["raw"]
    assert engine.rows("SELECT 1 FROM tocsin.refused") == []
    found = engine.json("/v1/signals?account=E010")["signals"]
    assert [signal["details"] for signal in found] == [None, DETAILS]


def test_a_stored_fire_leaves_as_late(engine: Engine) -> None:
    stored = sia("E011", "NFA1", extended=[b"H10:00:00,11-20-2001"], stamp_ns=1_006_250_520 * 10**9)
    with engine.subscribed() as stream, udp(engine.place) as transmitter:
        assert transmitter.say(stored) == ack("E011")
        told = stream.event().data
    assert (told["verification"], told["occurred_at"]) == ("late", "2001-11-20T10:00:00.000000Z")


@pytest.mark.parametrize("transport", [udp, tcp])
def test_the_sur_gard_heartbeat_is_answered_beside_dc09(engine: Engine, transport: object) -> None:
    with transport(engine.place) as transmitter:    # type: ignore[operator]
        for sequence in (1, 2):
            transmitter.send(HEARTBEAT)
            assert transmitter.socket.recv(64) == b"\x06"
            transmitter.send(null("0069E1", sequence))
            assert transmitter.socket.recv(64) == ack("0069E1", sequence)
    assert engine.json("/v1/transmitters/dc09:0069E1")["state"] == "up"
