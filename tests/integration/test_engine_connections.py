"""A crowd of connections against an engine with few open files: a fire still gets in, is stored, shown and snapshot."""
from __future__ import annotations

import contextlib
import socket

import pytest

from tests.integration import engine as harness
from tests.integration.engine import DEADLINE_S, data_directory, serve, until
from tests.integration.transmitter import ack, null, sia, udp

FILES = 400
CONFIG = """
[journal]
segment = "1MiB"
snapshot_every = "1s"
[forward]
subscribers_max = 10
"""


def test_connections_leave_the_journal_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """400 from 100 addresses; what is beyond their half is refused and counted."""
    limited = ("sh", "-c", f'ulimit -n {FILES}; exec "$@"', "sh", *harness.PROGRAM)
    monkeypatch.setattr(harness, "PROGRAM", limited)
    with data_directory() as data, serve(data, CONFIG) as engine, contextlib.ExitStack() as crowd:
        assert f"limit={FILES} connections={FILES // 2}" in engine.said()
        engine.until_store_up()
        for number in range(FILES):
            link = socket.create_connection(engine.place, DEADLINE_S, source_address=(f"127.0.1.{number % 100}", 0))
            crowd.enter_context(link)
        until(lambda: sum(value for name, value in engine.metrics().items() if name.startswith("connections_closed"))
              == FILES // 2, "the refusals")
        figures = engine.metrics()
        assert (figures["connections"], figures['shed{what="connection"}']) == (FILES // 2, FILES // 2)
        before = engine.json("/v1/status")["snapshot_at"]
        with engine.subscribed() as stream, udp(engine.place) as transmitter:
            assert transmitter.insist(null("A001")) == ack("A001")
            for number in range(1, 400):     # of some 3 KB each: more than a segment
                assert transmitter.say(sia("A001", f"NFA{number}^{'x' * 3000}^", number)) == ack("A001", number)
            assert stream.event().kind == "raised"
        until(lambda: engine.json("/v1/status")["snapshot_at"] != before, "another snapshot")
        assert engine.metrics()["journal_segments"] > 1
        assert len(engine.signals("A001")) == 399
