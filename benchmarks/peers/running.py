"""Each contender as a process of its own on free loopback ports, and what it says it has done."""
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import servers
from benchmarks.encrypted import wait_stored
from benchmarks.frames import heartbeats, write_frames
from benchmarks.harness import ROOT, Size
from benchmarks.peers.packages import Installed
from benchmarks.servers import Server, line_of, started
from benchmarks.udp import SHAPES as UDP_SHAPES
from benchmarks.udp import enrol

START_S_MAX, POLL_S = 20.0, 0.02
READ_BYTES = 65536
BUFFER = "4m"                    # rsyslog's way to write what Tocsin and the floor ask the kernel for
SYSLOG_TAG = b" dc09: "
STATSD_CONFIGURATION = """\
{ address: "127.0.0.1", port: %d, mgmt_address: "127.0.0.1", mgmt_port: %d, backends: [], flushInterval: 3600000 }
"""
RSYSLOG_CONFIGURATION = """\
global(workDirectory="%(directory)s")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="%(port)d" rcvbufSize="%(buffer)s")
action(type="omfile" file="%(file)s" sync="%(sync)s")
"""
MOSQUITTO_CONFIGURATION = """\
listener %d 127.0.0.1
allow_anonymous true
user nobody
log_dest none
"""


@dataclass(frozen=True, slots=True)
class Target:
    """A running contender.

    counted   of so many messages sent, how many it handled, by its own account and since it was asked last; None: its
              replies are counted
    progress  a number that stands still when it has handled all that it received
    settle    waits until what was answered is also worked off
    family    whether programs that it started work for it
    """
    server: Server
    counted: Callable[[int], int] | None = None
    progress: Callable[[], int] | None = None
    settle: Callable[[], None] = lambda: None
    family: bool = False


def accounts(size: Size) -> int:
    return UDP_SHAPES[size].accounts


@contextmanager
def floor(directory: Path, installed: Installed, size: Size) -> Iterator[Target]:
    with servers.floor("udp_floor") as server:
        yield Target(server)


@contextmanager
def floor_silent(directory: Path, installed: Installed, size: Size) -> Iterator[Target]:
    with servers.floor("udp_floor", "--silent", "1") as server:
        yield Target(server, less_dropped(server.port), lambda: udp_socket(server.port)[0])


@contextmanager
def floor_tcp(directory: Path, installed: Installed, size: Size) -> Iterator[Target]:
    with servers.floor("tcp_floor", "--frame-bytes", str(len(heartbeats(1)[0]))) as server:
        yield Target(server)


@contextmanager
def tocsin(directory: Path, installed: Installed, size: Size) -> Iterator[Target]:
    """An engine that knows every transmitter."""
    with servers.engine(directory) as server:
        enrol(server, write_frames(directory / "enrolled", heartbeats(accounts(size))), UDP_SHAPES[size])
        yield Target(server, settle=lambda: wait_stored(server), family=True)


@contextmanager
def pysiaalarm(directory: Path, installed: Installed, size: Size, protocol: str = "udp") -> Iterator[Target]:
    # Without -O its UDP server fails at an assertion: before Python 3.12 asyncio's transport is no DatagramTransport.
    command = [sys.executable, "-O", "-m", "benchmarks.peers.pysiaalarm_server", protocol, str(accounts(size))]
    with started(command, ROOT) as child:
        yield Target(Server(child.pid, int(line_of(child, r"port (\d+)", START_S_MAX)[1])))


@contextmanager
def rsyslog(directory: Path, installed: Installed, size: Size, sync: str = "off") -> Iterator[Target]:
    port, file, configuration = free_port(socket.SOCK_DGRAM), directory / "messages", directory / "rsyslog.conf"
    configuration.write_text(RSYSLOG_CONFIGURATION % {
        "directory": directory, "port": port, "buffer": BUFFER, "file": file, "sync": sync})
    command = [*installed.command, "-n", "-f", str(configuration), "-i", str(directory / "rsyslog.pid")]
    with started(command, directory, installed.environment) as child:
        until(lambda: bound(port), child, "rsyslog did not open its port")
        yield Target(Server(child.pid, port), lines_written(file), lambda: size_of(file))


@contextmanager
def statsd(directory: Path, installed: Installed, size: Size) -> Iterator[Target]:
    port, admin, configuration = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM), directory / "statsd.js"
    configuration.write_text(STATSD_CONFIGURATION % (port, admin))
    command = [*installed.command, str(configuration)]
    with started(command, directory, installed.environment) as child:
        until(lambda: bound(port) and listening(admin), child, "statsd did not open its ports")
        yield Target(Server(child.pid, port), metrics_received(admin), lambda: udp_socket(port)[0])


@contextmanager
def mosquitto(directory: Path, installed: Installed, size: Size) -> Iterator[Target]:
    port, configuration = free_port(socket.SOCK_STREAM), directory / "mosquitto.conf"
    configuration.write_text(MOSQUITTO_CONFIGURATION % port)
    configuration.chmod(0o644)                   # started by root it becomes another user
    with started([*installed.command, "-c", str(configuration)], directory, installed.environment) as child:
        until(lambda: listening(port), child, "mosquitto did not open its port")
        yield Target(Server(child.pid, port))


# -- what a peer says that it has handled --------------------------------------------------------------------------


def less_dropped(port: int) -> Callable[[int], int]:
    """What was sent, less what the kernel dropped at the socket."""
    before = udp_socket(port)[1]

    def counted(sent: int) -> int:
        nonlocal before
        dropped, before = udp_socket(port)[1] - before, udp_socket(port)[1]
        return sent - dropped

    return counted


def lines_written(file: Path) -> Callable[[int], int]:
    """The new lines of the file that are ours; the peer may write lines of its own into it."""
    read = size_of(file)

    def counted(sent: int) -> int:
        nonlocal read
        if not file.exists():
            return 0
        with file.open("rb") as lines:
            lines.seek(read)
            text = lines.read()
        read += len(text)
        return text.count(SYSLOG_TAG)

    return counted


def metrics_received(admin: int) -> Callable[[int], int]:
    """The growth of statsd's own counter of metrics."""
    before = counter_in(admin_says(admin, b"counters\n"))

    def counted(sent: int) -> int:
        nonlocal before
        now = counter_in(admin_says(admin, b"counters\n"))
        grown, before = now - before, now
        return grown

    return counted


def counter_in(said: bytes, name: str = "statsd.metrics_received") -> int:
    """A counter of what statsd's administration port answers to `counters`: JSON as node shows it, then END.

    Raises  RuntimeError when it is not there
    """
    found = re.search(rb"\b" + re.escape(name.encode()) + rb"['\"]?:\s*(\d+)", said)
    if not found:
        raise RuntimeError(f"statsd tells no {name}: {said[:200]!r}")
    return int(found[1])


def admin_says(port: int, question: bytes) -> bytes:
    """What statsd answers on its administration port."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), timeout=START_S_MAX) as connection:
        connection.sendall(question)
        while not said.endswith(b"END\n\n"):
            more = connection.recv(READ_BYTES)
            if not more:
                break
            said += more
    return said


def size_of(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def until_counted(target: Target) -> bool:
    """Whether a message that was just sent is counted within START_S_MAX."""
    assert target.counted is not None
    end = time.monotonic() + START_S_MAX
    while time.monotonic() < end:
        if target.counted(1) == 1:
            return True
        time.sleep(POLL_S)
    return False


# -- ports -----------------------------------------------------------------------------------------------------------


def free_port(kind: int) -> int:
    """A port that was free a moment ago: these peers cannot be asked to choose one."""
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def udp_socket(port: int, table: str = "") -> tuple[int, int]:
    """Bytes that wait in the socket bound to a port of the loopback, and datagrams that the kernel dropped there.

    table    what /proc/net/udp says; empty: read now
    Raises   RuntimeError without such a socket
    """
    for line in (table or Path("/proc/net/udp").read_text()).splitlines()[1:]:
        words = line.split()
        if words[1].endswith(f":{port:04X}") and words[2].endswith(":0000"):
            return int(words[4].partition(":")[2], 16), int(words[-1])
    raise RuntimeError(f"nobody is bound to UDP port {port}")


def bound(port: int) -> bool:
    try:
        udp_socket(port)
    except RuntimeError:
        return False
    return True


def listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def until(ready: Callable[[], bool], child: subprocess.Popen[bytes], otherwise: str) -> None:
    """Wait until a peer is ready.

    Raises  RuntimeError when it ended, or is not within START_S_MAX
    """
    end = time.monotonic() + START_S_MAX
    while not ready():
        if child.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{otherwise}; exit status {child.poll()}")
        time.sleep(POLL_S)
