"""A change of version: one engine replaces another on the same data and the same sockets, while transmitters speak."""
from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import signal
import socket
import stat
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.integration.engine import (
    DEADLINE_S,
    PROGRAM,
    ROOT,
    Engine,
    data_directory,
    environment,
    serve,
    tocsin,
    until,
)
from tests.integration.senders import ACCOUNTS, Sender, load
from tests.integration.test_engine_tls import listener, tls
from tests.integration.transmitter import ack, null, sia, tcp, udp
from tests.tls_files import Authority

CHANGES = 3
LOAD = 100                       # acknowledged of each sender between two changes
WATCHED = tuple(f"F{number:02}" for number in range(6))
SILENT = "F99"
PROBE, PROBES = "F50", 24        # a heartbeat each 20 ms
BEAT_S = 3.0                     # with 5 s of supervision: without its last touch a path would be lost after the grace
CONFIG = "[supervision]\ngrace = \"1s\"\n" + "".join(
    f'[[transmitter]]\naccount = "dc09:{account}"\nsupervision = "5s"\n' for account in (*WATCHED, SILENT))


class Beats(threading.Thread):
    """Heartbeats of the watched transmitters, spread over BEAT_S, and between them those of another one.

    gap_s   the longest wait for a reply
    """

    def __init__(self, place: tuple[str, int]) -> None:
        super().__init__(daemon=True)
        self.place = place
        self.over = threading.Event()
        self.gap_s = 0.0
        self.unanswered: list[str] = []

    def __enter__(self) -> Beats:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join()

    def run(self) -> None:
        with udp(self.place) as transmitter:
            while not self.over.is_set():
                for account in itertools.chain.from_iterable((account, *[PROBE] * PROBES) for account in WATCHED):
                    began = time.monotonic()
                    transmitter.send(null(account))
                    if select.select([transmitter.socket], [], [], DEADLINE_S)[0]:
                        assert transmitter.reply() == ack(account)
                    else:
                        self.unanswered.append(account)
                    self.gap_s = max(self.gap_s, time.monotonic() - began)
                    self.over.wait(BEAT_S / len(WATCHED) / (1 + PROBES))


@contextlib.contextmanager
def successor(engine: Engine, config: str = CONFIG, *arguments: str) -> Iterator[Engine]:
    """Replace a running engine; the other one has ended in order when the block begins."""
    with serve(engine.data, config, "--takeover", *arguments) as following:
        engine.tolerate("database away")         # its PostgreSQL ends with the engine that it belongs to
        following.tolerate("database away|side data not written")
        engine.ended()
        assert following.place == engine.place and following.http == engine.http
        yield following


def test_changes_under_load(record_property: Callable[[str, object], None]) -> None:
    """Nothing acknowledged is lost or comes twice, nobody is missed who spoke, and who is silent is missed once."""
    senders = [Sender(name, kind, 10, 0.03) for name, kind in (
        ("AA", socket.SOCK_STREAM), ("BB", socket.SOCK_STREAM), ("CC", socket.SOCK_DGRAM))]
    with data_directory() as data, contextlib.ExitStack() as stack:
        engine = stack.enter_context(serve(data, CONFIG))
        engine.until_store_up()
        with engine.subscribed() as stream:
            began = stream.began
        with udp(engine.place) as transmitter:
            assert transmitter.say(null(SILENT)) == ack(SILENT)
        with Beats(engine.place) as beats:
            for _ in range(CHANGES):
                with load(engine, senders, LOAD):
                    engine = stack.enter_context(successor(engine))
            with load(engine, senders, LOAD):             # also what was not acknowledged in between
                pass
            until(lambda: faults(engine), "the line fault of who is silent")
        stored = Counter(row["native"] for row in engine.signals(*(
            f"{sender.mark}{number:02}" for sender in senders for number in range(ACCOUNTS))))
        acknowledged = {sender.text(number) for sender in senders for number in sender.acknowledged}
        assert len(acknowledged) >= (CHANGES + 1) * LOAD * len(senders)
        assert not [native for native in acknowledged if native not in stored], "acknowledged and lost"
        assert not [native for native, times in stored.items() if times > 1], "stored twice"
        assert faults(engine) == [SILENT] and not beats.unanswered
        with engine.subscribed(f"?after={began}") as stream:
            told = Counter(event.data["native"] for event in stream.take(len(stored)))
        assert told == stored
        record_property("gap_ms", round(beats.gap_s * 1000, 1))


def faults(engine: Engine) -> list[str]:
    """Return the accounts of all line faults that were raised."""
    found = engine.rows("SELECT account FROM tocsin.signal WHERE condition = 'line_fault' AND state = 'raised'")
    return [row["account"] for row in found]


def test_a_listener_with_tls_goes_on() -> None:
    """Its connections end with their replies; who calls again finds the successor, under the same certificate."""
    with data_directory() as files, data_directory() as data:
        authority = Authority(files)
        authority.issue("server")
        config = listener(authority)
        with serve(data, config) as engine:
            engine.until_store_up()
            with tls(engine.place, authority) as transmitter:
                assert transmitter.say(sia("A101", "NFA1")) == ack("A101")
                shown = transmitter.shown("serialNumber")
                with successor(engine, config) as following:
                    assert transmitter.socket.recv(1) == b""
                    with tls(following.place, authority) as again:
                        assert again.say(sia("A101", "NFA2", 2)) == ack("A101", 2)
                        assert again.shown("serialNumber") == shown
                    assert [row["native"] for row in following.signals("A101")] == ["FA1", "FA2"]


def test_a_fleet_notices_nothing() -> None:
    """Over UDP not one heartbeat stays without its reply, and the audit of the load generator is clean."""
    fleet_through_changes("")


def fleet_through_changes(config: str, look: Callable[[Engine], None] = lambda engine: None) -> None:
    """Let a fleet speak while the engine is replaced twice; `look` at each one that follows."""
    with data_directory() as data, contextlib.ExitStack() as stack:
        engine = stack.enter_context(serve(data, config))
        engine.until_store_up()
        place = f"{engine.place[0]}:{engine.place[1]}"
        command = [*PROGRAM, "loadgen", "--to", place, "--http", f"http://{engine.http}", "--transmitters", "300",
                   "--rate", "1000", "--duration", "8", "--alarms", "0.02", "--seed", "7", "--no-ceiling", "--json"]
        with (data / "loadgen.log").open("wb") as log:
            fleet = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, text=True,
                                     env=environment())
        for _ in range(2):
            until(lambda engine=engine: frames(engine) > 500, "frames of the fleet")
            engine = stack.enter_context(successor(engine, config))
            look(engine)
        said = fleet.communicate(timeout=60)[0]
        report = json.loads(said)
        assert fleet.returncode == 0, said
        assert (report["lost"], report["doubled"], report["heartbeats"]["unanswered"]) == (0, 0, 0)
        assert report["acknowledged"] == report["stored"] == report["forwarded"] == report["sent"] > 50


def frames(engine: Engine) -> float:
    """Return how many frames this engine has taken."""
    return sum(value for name, value in engine.metrics().items() if name.startswith("frames_received"))


def test_a_held_reply_leaves_before_the_change() -> None:
    with data_directory() as data, serve(data) as engine, tcp(engine.place) as connection:
        engine.until_store_up()
        connection.send(b"".join(sia("F001", f"NFA{number}", number) for number in range(1, 201)))
        with successor(engine, "") as following:
            replies = connection.until_closed().split(b"\r")[:-1]
            assert [reply + b"\r" for reply in replies] == [ack("F001", n) for n in range(1, len(replies) + 1)]
            stored = [row["native"] for row in following.signals("F001")]
        assert stored == [f"FA{number}" for number in range(1, len(replies) + 1)]


def test_an_alarm_goes_on() -> None:
    """What the stages remember goes over: a repeated frame is no news, the restore ends the alarm from before."""
    with data_directory() as data, serve(data) as engine, udp(engine.place) as transmitter:
        engine.until_store_up()
        assert transmitter.say(sia("F004", "NFA1", 1)) == ack("F004", 1)
        with engine.subscribed() as stream:
            began = stream.began
        with successor(engine, "") as following:
            assert transmitter.say(sia("F004", "NFA1", 1)) == ack("F004", 1)
            assert transmitter.say(sia("F004", "NFR1", 2)) == ack("F004", 2)
            with following.subscribed(f"?after={began}") as stream:
                told = [event.told for event in stream.take(1)]
            assert told == [("cleared", "F004", "FR1")]
            assert [row["native"] for row in following.signals("F004")] == ["FA1", "FR1"]


def test_without_a_running_engine_it_starts_as_usual() -> None:
    """Also where a killed one left its socket behind, and in a directory whose name is too long for a socket."""
    with data_directory() as short:
        data = short / ("long-" * 20)
        data.mkdir(mode=0o755)
        with serve(data, "", "--takeover") as engine, udp(engine.place) as transmitter:
            place = data / "data" / "takeover"
            assert stat.S_ISSOCK(place.stat().st_mode) and stat.S_IMODE(place.stat().st_mode) == 0o600
            assert transmitter.say(sia("F005", "NFA1")) == ack("F005")
            engine.kill()
            assert place.exists()
        with serve(data, "", "--takeover") as engine:
            assert [row["native"] for row in engine.signals("F005")] == ["FA1"]
        assert not place.exists()


def test_who_cannot_start_leaves_the_running_engine_alone() -> None:
    with data_directory() as data, serve(data) as engine, udp(engine.place) as transmitter, \
            socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        done = tocsin("serve", "--takeover", "--data", str(data / "data"), "--listen", taken, "--http", "127.0.0.1:0")
        assert (done.returncode, done.stdout) == (1, "")
        assert taken in done.stderr.splitlines()[-1]
        assert transmitter.say(sia("F006", "NFA1")) == ack("F006")
        with successor(engine, ""):
            pass


def test_a_successor_that_dies_at_the_change() -> None:
    """Then the old one ends with 1, so that a service manager starts another; nothing acknowledged is lost."""
    with data_directory() as data:
        with serve(data) as engine, udp(engine.place) as transmitter:
            assert transmitter.say(sia("F007", "NFA1")) == ack("F007")
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
                link.connect(str(data / "data" / "takeover"))
                link.send(b'{"ask": "stop"}')
            assert engine.process.wait(30) == 1, engine.said()
            engine.expect("the engine that was to go on is gone")
            engine.check_log()
            assert engine.process.stdout is not None
            engine.process.stdout.close()
        with serve(data) as engine:
            assert [row["native"] for row in engine.signals("F007")] == ["FA1"]


def test_one_successor_at_a_time_and_only_words_that_are_known() -> None:
    with data_directory() as data, serve(data) as engine:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
            link.connect(str(data / "data" / "takeover"))
            link.settimeout(DEADLINE_S)
            link.send(b'{"ask": "everything"}')
            assert "error" in json.loads(link.recv(4096))
            done = tocsin("serve", "--takeover", "--data", str(data / "data"), "--listen", "127.0.0.1:0",
                          "--http", "127.0.0.1:0")
            assert done.returncode == 1 and "already" in done.stderr.splitlines()[-1]
        until(lambda: "is gone" in engine.said(), "the engine to notice")
        with successor(engine, ""):
            pass


def test_a_service_manager_follows_the_change() -> None:
    """READY=1 from the first; from its successor, started in the background, also which process counts now."""
    with data_directory() as data, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(data / "notify"))
        manager.settimeout(DEADLINE_S)
        command = [*PROGRAM, "serve", "--data", str(data / "data"), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        told_to = environment() | {"NOTIFY_SOCKET": str(data / "notify")}
        with (data / "log").open("wb") as log:
            first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, cwd=ROOT, env=told_to)
            assert next(heard(manager)) == "READY=1"
            done = subprocess.run([*command, "--takeover", "--background"], stdout=subprocess.PIPE, stderr=log,
                                  cwd=ROOT, env=told_to, timeout=60, check=False)
            assert first.wait(30) == 0, (data / "log").read_text()
            assert done.returncode == 0 and done.stdout.startswith(b"ready listen=")
            name, _, pid = next(heard(manager)).partition("=")
            assert (name, next(heard(manager))) == ("MAINPID", "READY=1")
            end = os.pidfd_open(int(pid))
            os.kill(int(pid), signal.SIGTERM)
            assert select.select([end], [], [], 30)[0], (data / "log").read_text()
            os.close(end)


def heard(manager: socket.socket) -> Iterator[str]:
    """Yield what a service manager is told, but not that the engine lives."""
    while True:
        text = manager.recv(4096).decode()
        if text != "WATCHDOG=1":
            yield text


ACTIVATE = """
import os, sys
for place in range(3, 3 + int(sys.argv[1])):
    os.set_inheritable(place, True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": sys.argv[1]}
os.execv(sys.executable, [sys.executable, "-m", "engine", *sys.argv[2:]])
"""


def activated(data: Path, given: list[socket.socket], *arguments: str) -> subprocess.Popen[str]:
    """Start an engine as a service manager does that has opened its sockets."""
    def place() -> None:                 # above the places first, so that none is written over before it is copied
        high = [os.dup(one.fileno()) for one in given]
        kept = [os.dup2(one, 100 + number) for number, one in enumerate(high)]
        for number, one in enumerate(kept):
            os.dup2(one, 3 + number)
            os.close(one)

    with (data / "log").open("ab") as log:
        return subprocess.Popen([PROGRAM[0], "-c", ACTIVATE, str(len(given)), "serve", "--data", str(data / "data"),
                                 *arguments], stdout=subprocess.PIPE, stderr=log, cwd=ROOT, env=environment(),
                                preexec_fn=place, close_fds=False, text=True)


def test_sockets_of_a_service_manager() -> None:
    """What comes while no engine runs waits in them, and is answered by the next one."""
    with data_directory() as data, socket.create_server(("127.0.0.1", 0)) as stream, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, \
            socket.create_server(("127.0.0.1", 0)) as http:
        datagrams.bind(stream.getsockname())
        place = stream.getsockname()
        listen, http_place = (f"127.0.0.1:{one.getsockname()[1]}" for one in (stream, http))
        with udp(place) as transmitter:
            for number in (1, 2):
                transmitter.send(sia("F008", f"NFA{number}", number))
                with tcp(place) as connection:
                    connection.send(null("F009", number))
                    engine = activated(data, [http, datagrams, stream], "--listen", listen, "--http", http_place)
                    assert transmitter.reply() == ack("F008", number)
                    assert connection.reply() == ack("F009", number)
                engine.send_signal(signal.SIGTERM)
                said, _ = engine.communicate(timeout=30)
                assert engine.returncode == 0, (data / "log").read_text()
                assert f"listen={listen} http={http_place} " in said


def test_a_socket_of_a_service_manager_that_nobody_wants() -> None:
    with data_directory() as data, socket.create_server(("127.0.0.1", 0)) as stream:
        place = f"127.0.0.1:{stream.getsockname()[1]}"
        engine = activated(data, [stream], "--listen", "127.0.0.1:1", "--http", "127.0.0.1:0")
        assert engine.communicate(timeout=30)[0] == "" and engine.returncode == 2
        [line] = (data / "log").read_text().splitlines()
        assert line.startswith("tocsin: ") and place in line and "127.0.0.1:1" in line
        assert not (data / "data").exists()
