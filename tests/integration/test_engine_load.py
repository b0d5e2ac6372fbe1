"""The engine with every heartbeat as a row, and under its own load generator."""
from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.integration.engine import Engine, data_directory, serve, tocsin, until
from tests.integration.transmitter import ack, null, sia, udp

CONFIG = """
[store]
heartbeats = "all"
"""
RATE, SECONDS = 2000, 2


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with data_directory() as data, serve(data, CONFIG) as running:
        yield running


def test_each_heartbeat_is_a_row(engine: Engine) -> None:
    """Also the one that enrols; a signal is none."""
    said = {"AB01": 3, "AB02": 5}
    with udp(engine.place) as transmitter, engine.counting({'shed{what="heartbeat_row"}': 0}):
        for account, count in said.items():
            for sequence in range(1, count + 1):
                assert transmitter.say(null(account, sequence)) == ack(account, sequence)
        assert transmitter.say(sia("AB02", "NFT1", 9)) == ack("AB02", 9)

    def stored() -> Counter[str]:
        return Counter(row["path"] for row in engine.rows("SELECT path FROM tocsin.heartbeat WHERE path LIKE '%AB0%'"))

    until(lambda: sum(stored().values()) >= sum(said.values()), "every heartbeat in the database")
    assert stored() == {f"dc09:{account}/default/L0": count for account, count in said.items()}
    assert engine.rows("SELECT count(*) FROM tocsin.heartbeat WHERE received_at > now() - interval '1 minute'")[0][
        "count"] == sum(said.values())


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_fleet_with_a_clean_audit(engine: Engine, transport: str) -> None:
    frames = RATE * SECONDS
    before = engine.metrics()
    done = tocsin("loadgen", "--to", f"{engine.place[0]}:{engine.place[1]}", "--http", f"http://{engine.http}",
                  "--transmitters", "500", "--rate", str(RATE), "--duration", str(SECONDS), "--alarms", "0.01",
                  "--transport", transport, "--seed", "7", "--no-ceiling", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["lost"], report["doubled"], report["failures"]) == (0, 0, [])
    sent, heartbeats = report["sent"], report["heartbeats"]["sent"]
    assert sent > 0.002 * frames and sent + heartbeats >= 0.95 * frames
    assert report["acknowledged"] == report["stored"] == report["forwarded"] == sent
    after = engine.metrics()
    rose = {name: after[name] - before.get(name, 0) for name in (
        'signals{class="fire"}', 'frames_received{protocol="dc09",kind="heartbeat"}')}
    assert rose['signals{class="fire"}'] == sent
    assert rose['frames_received{protocol="dc09",kind="heartbeat"}'] == heartbeats
    assert after["replies_held"] == 0
