"""An engine whose UDP sockets are read by threads: like the default, to its end, through a change, when one breaks."""
from __future__ import annotations

import contextlib
import os
import signal
import socket
from pathlib import Path

from engine.journal.memory_disk import MemoryDisk
from engine.listen.binding import open_beside, open_sockets
from tests.integration.engine import DEADLINE_S, Engine, data_directory, serve, until
from tests.integration.in_process import Running
from tests.integration.test_engine_takeover import activated, fleet_through_changes, successor
from tests.integration.transmitter import ack, null, sia, udp

TWO = "[listen]\nreceivers = 2\n"
PANELS = 32                      # enough for each of two sockets to have some


def panels(stack: contextlib.ExitStack, engine: Engine) -> list[tuple[str, socket.socket]]:
    """Return transmitters, each with a socket of its own."""
    found = []
    for number in range(PANELS):
        one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        one.settimeout(DEADLINE_S)
        one.connect(engine.place)
        found.append((f"A{number:02}", one))
    return found


def all_answered(spoken: list[tuple[str, socket.socket]], sequence: int) -> None:
    for account, one in spoken:
        one.send(null(account, sequence))
    for account, one in spoken:
        assert one.recv(4096) == ack(account, sequence)


def sockets_at(engine: Engine) -> int:
    """Return how many UDP sockets there are at the engine's port."""
    lines = Path("/proc/net/udp").read_text().splitlines()
    return sum(line.split()[1].endswith(f":{engine.place[1]:04X}") for line in lines)


def test_signals_are_kept_and_told_and_the_stop_is_in_order() -> None:
    with data_directory() as data, contextlib.ExitStack() as stack, serve(data, TWO) as engine:
        assert sockets_at(engine) == 2
        spoken = panels(stack, engine)
        all_answered(spoken, 1)                                  # enrolled by the loop
        for sequence in range(2, 6):
            all_answered(spoken, sequence)                       # by the threads alone
        for name in ('frames_received{protocol="dc09",kind="heartbeat"}', 'replies{protocol="dc09",result="accept"}'):
            until(lambda name=name: engine.metrics()[name] == 5 * PANELS, name)      # a reply leaves before it counts
        assert PANELS <= engine.metrics()["datagrams_handed"] < 2 * PANELS
        assert engine.metrics()['receive_to_reply_seconds_count{kind="heartbeat"}'] >= 4 * PANELS
        with engine.subscribed() as stream:
            for account, one in spoken:
                one.send(sia(account, f"NFA{account[1:]}", 7))
            for account, one in spoken:
                assert one.recv(4096) == ack(account, 7)
            assert len(stream.take(PANELS)) == PANELS
        engine.process.send_signal(signal.SIGTERM)
        engine.ended()


def test_a_fleet_notices_no_change_of_version() -> None:
    """Each socket of an address is handed over: not one heartbeat stays without its reply, and no alarm is lost."""
    def look(engine: Engine) -> None:
        assert sockets_at(engine) == 2

    fleet_through_changes(TWO, look)


def test_a_successor_has_as_many_receivers_as_it_inherits() -> None:
    """One that wants fewer still reads every socket; one that wants more cannot have them before a restart."""
    with data_directory() as data, contextlib.ExitStack() as stack:
        engine = stack.enter_context(serve(data, TWO))
        spoken = panels(stack, engine)
        all_answered(spoken, 1)
        one = stack.enter_context(successor(engine, ""))
        one.tolerate("as many as UDP sockets were inherited")
        all_answered(spoken, 2)
        assert one.metrics()["datagrams_handed"] == 0, "the loop reads both"
        assert sockets_at(one) == 2
    with data_directory() as data, contextlib.ExitStack() as stack:
        engine = stack.enter_context(serve(data))
        spoken = panels(stack, engine)
        all_answered(spoken, 1)
        two = stack.enter_context(successor(engine, TWO))
        two.tolerate("as many as UDP sockets were inherited")
        assert sockets_at(two) == 1
        all_answered(spoken, 2)
        assert "listener default has 1 receivers, not 2" in two.said()


def test_sockets_of_a_service_manager_that_share_an_address() -> None:
    datagrams, stream = open_sockets("127.0.0.1", 0, 65536, shared=True)
    assert datagrams
    stream.listen()
    place = datagrams.getsockname()
    with data_directory() as data, stream, datagrams, open_beside(datagrams, 65536) as beside, \
            contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(udp(place)) for _ in range(PANELS)]
        for number, one in enumerate(waiting):
            one.send(null(f"B{number:02}"))
        engine = activated(data, [beside, stream, datagrams], "--listen", f"127.0.0.1:{place[1]}", "--http",
                           "127.0.0.1:0", "--set", "listen.receivers=2")
        for number, one in enumerate(waiting):
            assert one.reply() == ack(f"B{number:02}")
        engine.send_signal(signal.SIGTERM)
        engine.communicate(timeout=30)
        assert engine.returncode == 0, (data / "log").read_text()


def test_a_thread_that_ends_by_an_error_ends_the_engine(tmp_path: Path) -> None:
    engine = Running(MemoryDisk(), tmp_path, {"listen.receivers": "2"})
    engine.thread.start()
    assert engine.ready.wait(DEADLINE_S)
    with socket.socket() as other:
        other.listen()                   # what the thread reads is no datagram socket any more
        os.dup2(other.fileno(), engine.pipeline.udp[0].socket.fileno())
        engine.thread.join(DEADLINE_S)
    assert not engine.thread.is_alive()
    assert isinstance(engine.failure, RuntimeError)
    assert "a receiver thread ended" in str(engine.failure)
