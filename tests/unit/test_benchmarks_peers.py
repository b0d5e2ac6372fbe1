"""The table of peers: what PyPI brings is measured, what is missing is told, and what the peers say is read right."""
import os
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import servers
from benchmarks.compile import program
from benchmarks.frames import heartbeats, signals, write_frames
from benchmarks.harness import ROOT, Refused, machine
from benchmarks.peers import contenders, offered, packages, running, table
from benchmarks.peers.__main__ import main
from benchmarks.peers.connected import CONNACK, PINGREQ, PINGRESP, mqtt_connect
from benchmarks.peers.offered import Trial, highest
from benchmarks.peers.packages import Missing
from benchmarks.peers.table import Row

FROM_PYPI = {"floor", "tocsin", "pysiaalarm"}


@pytest.fixture
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without peers; the place where they would be unpacked."""
    machine()                                    # remembered: with its compiler
    monkeypatch.setattr(packages, "UNPACKED", tmp_path / "peers")
    monkeypatch.setattr(packages, "SYSTEM_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "peers"


def children(session: int | None = None) -> set[int]:
    """The processes that we started, or those of a session."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, _, of_session = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if state != "Z" and int(of_session if session else parent) == (session or os.getpid()):
            found.add(int(path.parent.name))
    return found


# -- the whole -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_peer_has_a_row_and_what_pypi_brings_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    before = children()
    status = main(["--smoke"])
    said = capsys.readouterr().out
    assert status == 0, said
    assert children() <= before
    lines = said.splitlines()
    for one in contenders.CONTENDERS:
        rows = [line for line in lines if line.startswith(one.who + " ")]
        assert rows, (one.who, said)
        if one.peer in FROM_PYPI:
            assert not any("not installed" in row for row in rows), said
        else:
            assert all("not installed: " in row or one.counted in row for row in rows), said
    for peer in contenders.DIFFERS:
        assert f"- {peer}: " in said


def test_a_missing_peer_is_a_row_that_says_how_to_get_it(nothing_installed: Path,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rsyslog", "mosquitto", "statsd", "--smoke"]) == 0
    said = capsys.readouterr().out
    for told in ("not installed: apt-get install rsyslog, or python -m benchmarks.peers --fetch",
                 "not installed: apt-get install mosquitto", "no node: apt-get install nodejs npm"):
        assert told in said
    assert main(["rsyslog", "--smoke", "--markdown"]) == 0
    assert "| rsyslog to file | not installed: " in capsys.readouterr().out


def test_a_peer_that_ends_at_once_is_a_row_and_leaves_nothing(nothing_installed: Path,
                                                              capsys: pytest.CaptureFixture[str]) -> None:
    unpack(nothing_installed, "mosquitto", "echo mosquitto version 9.8.7; exit 3")
    before = children()
    assert main(["mosquitto", "--smoke"]) == 1
    assert "failed: mosquitto did not open its port; exit status 3" in capsys.readouterr().out
    assert children() <= before


def test_who_is_told_to_stop_takes_the_servers_along() -> None:
    command = [sys.executable, "-m", "benchmarks.peers", "floor"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          start_new_session=True) as running_table:
        assert running_table.stderr
        assert b"measuring floor" in running_table.stderr.readline()
        running_table.send_signal(signal.SIGTERM)
        assert running_table.wait(60) == 128 + signal.SIGTERM
        assert children(running_table.pid) == set()


def test_a_peer_without_a_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["carrier-pigeon"])
    assert "no peer carrier-pigeon" in capsys.readouterr().err


# -- packages --------------------------------------------------------------------------------------------------------


def unpack(place: Path, name: str, script: str) -> None:
    path = place / "root" / "usr" / "sbin" / name
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_an_unpacked_peer_is_found_with_its_libraries(nothing_installed: Path) -> None:
    unpack(nothing_installed, "rsyslogd", "echo 'rsyslogd  8.2302.0 (aka 2023.02) compiled with:'")
    for part in ("usr/lib/x86_64-linux-gnu/rsyslog", "lib/x86_64-linux-gnu"):
        (nothing_installed / "root" / part).mkdir(parents=True)
    found = packages.rsyslog()
    assert found.version == "8.2302.0 (Debian, unpacked)"
    assert found.command[1:] == ("-M", str(nothing_installed / "root/usr/lib/x86_64-linux-gnu/rsyslog"))
    assert found.environment["LD_LIBRARY_PATH"].count("x86_64-linux-gnu") == 2


@pytest.mark.parametrize(("said", "name", "version"), [
    ("rsyslogd  8.2302.0 (aka 2023.02) compiled with:\n\tPLATFORM: x86_64", "rsyslogd", "8.2302.0"),
    ("rsyslogd 8.24.0, compiled with:", "rsyslogd", "8.24.0"),
    ("mosquitto version 2.0.11\n\nmosquitto is an MQTT v5.0/v3.1.1/v3.1 broker.", "mosquitto version", "2.0.11"),
    ("v20.1", "rsyslogd", "unknown"),
])
def test_versions_are_read(said: str, name: str, version: str) -> None:
    assert packages.version_in(said, name) == version


def test_only_new_packages_are_unpacked() -> None:
    """One that would be renewed is not: its library would hide the machine's own."""
    said = ("NOTE: This is only a simulation!\nInst libestr0 (0.1.11-1 Debian:12.15/oldstable [amd64])\n"
            "Inst libssl3 [3.0.11-1] (3.0.15-1 Debian:12.15/oldstable [amd64])\n"
            "Inst rsyslog (8.2302.0-1 Debian:12.15/oldstable [amd64])\nConf libestr0 (0.1.11-1)\n")
    assert packages.new_packages(said) == ["libestr0", "rsyslog"]


def test_what_cannot_be_fetched_is_told(nothing_installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert packages.fetch() is False
    said = capsys.readouterr().out
    assert "rsyslog mosquitto: could not be fetched: " in said
    assert "statsd: could not be fetched: " in said
    with pytest.raises(Missing, match="apt-get install rsyslog"):
        packages.rsyslog()


# -- what the peers tell ---------------------------------------------------------------------------------------------

SOCKETS = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
   50: 0100007F:1FBD 0100007F:CB9D 01 00000000:00000000 00:00000000 00000000 0 0 289422 2 00000000692a869a 9
   77: 0100007F:1FBD 00000000:0000 07 00000000:00000A00 00:00000000 00000000 0 0 289423 2 0000000015ee1dd1 1234
"""


def test_the_kernels_account_of_a_socket_is_read() -> None:
    assert running.udp_socket(0x1FBD, SOCKETS) == (0xA00, 1234)
    with pytest.raises(RuntimeError, match="UDP port 7"):
        running.udp_socket(7, SOCKETS)


def test_statsds_counter_is_read() -> None:
    said = b"{ 'statsd.bad_lines_seen': 0,\n  'statsd.metrics_received': 15 }\nEND\n\n"
    assert running.counter_in(said) == 15
    assert running.counter_in(b'{"statsd.metrics_received":7}\nEND\n\n') == 7
    with pytest.raises(RuntimeError, match="metrics_received"):
        running.counter_in(b"ERROR\nEND\n\n")


def test_only_our_lines_are_counted_and_each_once(tmp_path: Path) -> None:
    file, line = tmp_path / "messages", "Jan  1 00:00:00 panel dc09: 0016\"NULL\"\n"
    counted = running.lines_written(file)
    assert counted(1) == 0
    file.write_text("2026-01-01 host rsyslogd: started\n" + 3 * line)
    assert counted(3) == 3
    with file.open("a") as more:
        more.write(2 * line)
    assert counted(2) == 2


def test_what_each_peer_is_sent_is_what_it_reads() -> None:
    line, counter = contenders.syslog_lines("smoke")[1], contenders.statsd_counters("smoke")[10]
    assert line == b"<134>Jan  1 00:00:00 panel dc09: " + signals(2, 200)[1].strip()
    assert counter == b"panel.00000A.heartbeat:1|c"
    assert contenders.new_signals("smoke")[200] != contenders.new_signals("smoke")[0]
    assert set(contenders.few_signals("smoke")) == set(signals(200, 200))


def test_mqtt_is_spoken_as_its_standard_says() -> None:
    """MQTT 3.1.1, 3.1: CONNECT with protocol name and level, clean session, keepalive in seconds, client id."""
    assert mqtt_connect("panel-000007") == b"\x10\x18\x00\x04MQTT\x04\x02\x00\x3c\x00\x0cpanel-000007"


# -- the search ------------------------------------------------------------------------------------------------------


def server_of(capacity: float, client: float = 1e9, stalls: frozenset[int] = frozenset(),
              queue: float = 1.0) -> Callable[[float], Trial]:
    """A server that handles so many a second, with a queue of so many times what it can in a second."""
    count = 0

    def offer(rate: float) -> Trial:
        nonlocal count
        count += 1
        sent = int(min(rate, client))
        handled = min(sent, int(capacity * queue)) - (sent // 50 if count in stalls else 0)
        return Trial(rate, sent, handled, max(1.0, handled / capacity), 1.0, sent > 0.95 * rate)

    return offer


@pytest.mark.parametrize("first", [3_000, 41_000, 300_000])
def test_the_highest_rate_without_loss_is_found(first: float) -> None:
    best, at_least = highest(server_of(50_000), first, 12)
    assert 50_000 / offered.NEAR <= best.per_s <= 50_000
    assert not at_least


def test_a_stall_of_the_machine_is_not_the_servers_limit() -> None:
    best, _ = highest(server_of(50_000, stalls=frozenset({1, 4, 6})), 20_000, 16)
    assert best.per_s >= 50_000 / offered.NEAR


def test_a_queue_worked_off_later_is_no_higher_rate() -> None:
    best, _ = highest(server_of(50_000, queue=3.0), 100_000, 12)
    assert best.per_s == pytest.approx(50_000)


def test_the_clients_limit_is_told() -> None:
    best, at_least = highest(server_of(1e7, client=400_000), 200_000, 12)
    assert (best.per_s, at_least) == (400_000, True)


def test_loss_at_every_rate_is_refused() -> None:
    with pytest.raises(Refused, match="lost at every rate"):
        highest(lambda rate: Trial(rate, 100, 50, 1.0, 1.0), 1000, 6)


# -- client and floor ------------------------------------------------------------------------------------------------


def test_the_client_waits_for_the_last_reply(tmp_path: Path) -> None:
    frames = heartbeats(64)
    with servers.floor("udp_floor") as server:
        target, scope = running.Target(server), offered.Scope(0.1, 0.1, 1, 4)
        trial = offered.answered(target, frames, tmp_path, scope, window=64)
    assert trial.sent == trial.handled > 0


def test_the_silent_floor_takes_and_answers_nothing(tmp_path: Path) -> None:
    with running.floor_silent(tmp_path, packages.floor(), "smoke") as target:
        trial = offered.unanswered(target, heartbeats(64), tmp_path, offered.SCOPES["smoke"])(1000)
        assert trial.clean
        with pytest.raises(Refused, match="were lost"):
            offered.answered(target, heartbeats(64), tmp_path, offered.Scope(0.1, 0.1, 1, 4, linger_ms=50), window=64)


class Broker(socketserver.BaseRequestHandler):
    """Welcomes a client of any name and answers its pings."""

    def handle(self) -> None:
        self.request.recv(len(mqtt_connect("panel-000000")), 0x100)      # MSG_WAITALL
        self.request.sendall(CONNACK)
        try:
            while pings := self.request.recv(4096):
                self.request.sendall(PINGRESP * (len(pings) // len(PINGREQ)))
        except ConnectionResetError:             # the client leaves without a word
            pass


def test_the_client_greets_before_it_measures(tmp_path: Path) -> None:
    hello = write_frames(tmp_path / "hello", [mqtt_connect(f"panel-{number:06d}") for number in range(2)])
    frames = write_frames(tmp_path / "frames", [PINGREQ] * 2)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Broker) as broker:
        threading.Thread(target=broker.serve_forever, daemon=True).start()
        done = subprocess.run(
            [program("tcp_client"), "--to", str(broker.server_address[1]), "--frames", frames, "--connections", "2",
             "--pipeline", "1", "--seconds", "0.1", "--warm-up", "0", "--reply-end", str(PINGRESP[0]),
             "--hello", hello, "--hello-reply-bytes", str(len(CONNACK))], capture_output=True, text=True, timeout=20)
        broker.shutdown()
    assert done.returncode == 0, done.stderr
    assert '"received": 0' not in done.stdout


# -- the table -------------------------------------------------------------------------------------------------------

ROWS = [Row("UDP", "floor", "this tree", 316_332.4, False, 3.1234, counted="replies"),
        Row("UDP", "tocsin", "0.1.0", 78_887, True, 7.17, 5.33, 0.57, "ACK", "all", "journal", "replies"),
        Row("TCP", "rsyslog", instead="not installed: apt-get install rsyslog")]


def test_the_table_is_aligned_and_headed() -> None:
    head, empty, work, floor, tocsin, _, other, missing = table.text(ROWS).splitlines()
    assert (empty, work, other) == ("", "UDP", "TCP")
    assert floor.index("316,332") + len("316,332") == tocsin.index("78,887") + len("78,887") == \
        head.index("messages/s") + len("messages/s")
    assert ">= 78,887" in tocsin
    assert "7.17 + 5.33   57%" in tocsin
    assert missing == "rsyslog  not installed: apt-get install rsyslog"


def test_rounds_become_their_medians() -> None:
    rounds = [Row("UDP", "a", rate=rate, cpu_us=cpu, busy=0.5) for rate, cpu in ((10, 3.0), (30, 5.0), (20, 4.5))]
    assert table.middle(rounds) == Row("UDP", "a", rate=20, cpu_us=4.5, busy=0.5)
    assert table.middle([*rounds, Row("UDP", "a", instead="failed: once")]).instead == "failed: once"


def test_the_table_in_markdown_has_as_many_cells_everywhere() -> None:
    lines = table.markdown(ROWS).splitlines()
    assert {line.count("|") for line in lines} == {len(table.HEADS) + 2}
    assert "| TCP | rsyslog | not installed: apt-get install rsyslog |" in lines[-1]
