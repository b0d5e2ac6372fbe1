"""How the engine begins and ends as a process: what it refuses to start with, and what a SIGTERM leaves behind."""
from __future__ import annotations

import os
import re
import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.engine import data_directory, serve, tocsin, until
from tests.integration.transmitter import ack, null, sia, tcp, udp

BAD_CONFIGURATIONS = [
    ('[supervision]\ndefault = "3s"', 'supervision.default = "3s"', "5s"),
    ("[listen]\nheld_max = 0", "listen.held_max = 0", "1"),
    ("[store]\nheartbeat = 1", "store.heartbeat", "heartbeats"),
    ('[unknown_accounts]\npolicy = "ask"', 'unknown_accounts.policy = "ask"', "quarantine"),
    ('[[transmitter]]\naccount = "dc09:12\\n34"', "account", "PROTOCOL:ACCOUNT"),
    ('[[transmitter]]\naccount = "dc09:1234"\nkey = "0011"', "key = (not shown)", "32, 48 or 64 hex digits"),
    ('[journal]\nbytes_max = "64MiB"', "journal.bytes_max", "4 times"),
    ('http = "0.0.0.0:0"', "http", "http_token"),
    ("this is no TOML", "engine.toml", ""),
]


@pytest.mark.parametrize(("config", "key", "allowed"), BAD_CONFIGURATIONS)
def test_a_bad_configuration_is_one_line(tmp_path: Path, config: str, key: str, allowed: str) -> None:
    file = tmp_path / "engine.toml"
    file.write_text(config)
    done = tocsin("serve", "--config", str(file), "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0")
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("tocsin: ") and key in line and allowed in line
    assert not (tmp_path / "data").exists()


def test_a_port_in_use_is_one_line() -> None:
    with data_directory() as data, socket.create_server(("127.0.0.1", 0)) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"
        for arguments in (("--listen", place, "--http", "127.0.0.1:0"), ("--listen", "127.0.0.1:0", "--http", place)):
            done = tocsin("serve", "--data", str(data / "data"), *arguments)
            assert (done.returncode, done.stdout) == (1, "")
            assert place in done.stderr.splitlines()[-1]
            assert len(done.stderr.splitlines()) <= 4 and not re.search("Traceback|py.warnings", done.stderr)


def test_the_end_in_order() -> None:
    """Everything acknowledged is stored, what is not durable yet is answered first, and the exit code is 0."""
    with data_directory() as data:
        with serve(data) as engine, tcp(engine.place) as connection, engine.subscribed() as stream:
            engine.until_store_up()
            connection.send(b"".join(sia("F001", f"NFA{number}", number) for number in range(1, 401)))
            engine.process.send_signal(signal.SIGTERM)
            replies = connection.until_closed().split(b"\r")[:-1]
            assert [reply + b"\r" for reply in replies] == [
                ack("F001", number) for number in range(1, len(replies) + 1)]
            told = []
            with pytest.raises(EOFError):
                while True:
                    told.append(stream.event())
            engine.stop()
        with serve(data) as engine:
            stored = [row["native"] for row in engine.signals("F001")]
            assert engine.metrics()["store_rows"] == 0           # all of them were stored before the end
        assert stored == [f"FA{number}" for number in range(1, len(replies) + 1)]      # and all of them answered
        assert [event.data["native"] for event in told] == stored


def signal_all(processes: list[int], number: int) -> None:
    """Some may have ended: a database has helpers that come and go."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def test_not_ready_while_it_ends() -> None:
    """With the database away there is something to wait for, so the end takes a moment."""
    with data_directory() as data, serve(data) as engine, udp(engine.place) as transmitter:
        assert engine.ask("/readyz")[0] == 200
        transmitter.say(null("F002"))
        engine.signals()
        postmaster = engine.postgres_pid()
        backends = list(map(int, Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()))
        signal_all(backends, signal.SIGSTOP)
        transmitter.say(sia("F002", "NFA1", 2))
        engine.process.send_signal(signal.SIGTERM)
        try:
            until(lambda: engine.ask("/readyz")[1].endswith(b" the engine is stopping\nnot ready\n"), "not ready")
            assert engine.ask("/readyz")[0] == 503
        finally:
            signal_all(backends, signal.SIGCONT)
        engine.stop()


def test_a_second_engine_on_the_same_data_is_refused() -> None:
    with data_directory() as data, serve(data) as engine, udp(engine.place) as transmitter:
        done = tocsin("serve", "--data", str(data / "data"), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
        assert (done.returncode, done.stdout) == (1, "")
        [line] = done.stderr.splitlines()
        assert str(data / "data") in line
        assert transmitter.say(sia("F003", "NFA1")) == ack("F003")
        assert len(engine.signals("F003")) == 1
