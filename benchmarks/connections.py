"""A crowd of TCP connections: how fast a province that comes back is taken, and what each connection occupies.

connections.floor     a bare C server accepts and answers one frame on each connection
connections.engine    `tocsin serve`, every transmitter known
bytes                 private memory of the server for each connection that is there and silent; the kernel's own
                      memory for a socket is not in it
"""
import json
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.compile import program
from benchmarks.frames import heartbeats, write_frames
from benchmarks.harness import Refused, Result, Size, digest, exists, in_turn, memory_bytes, ratio
from benchmarks.servers import Server, engine, floor, pinned, processors
from benchmarks.udp import Shape, enrol

CONNECTIONS: dict[Size, int] = {"smoke": 100, "full": 15_000}
Report = dict[str, float]
WAIT_S_MAX = 60


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Let all come, measure, and let them go, in turn with the floor. Of the first storm only the memory counts.

    Raises  Refused when the storm does not end
    """
    count = CONNECTIONS[size]
    frames = heartbeats(count)
    with tempfile.TemporaryDirectory(prefix="tocsin-connections-") as name, ExitStack() as stack:
        file = write_frames(Path(name) / "frames", frames)
        servers = {"floor": stack.enter_context(floor("tcp_floor", "--frame-bytes", str(len(frames[0]))))}
        if exists("engine.pipeline"):
            servers["engine"] = stack.enter_context(engine(Path(name)))
            enrol(servers["engine"], file, Shape(0.0, 0.0, count, 16, 256))
        first = {side: storm(server, file, count)["bytes"] / count for side, server in servers.items()}
        reports: dict[str, list[Report]] = {side: [] for side in servers}

        def one(side: str) -> float:
            reports[side].append(storm(servers[side], file, count))
            return count / reports[side][-1]["elapsed_s"]

        found = in_turn(rounds, {side: lambda side=side: one(side) for side in servers})  # type: ignore[misc]
    return [Result(f"connections.{side}", size, count, "connection", found[side].median, found[side].spread,
                   digest(*frames), {
                       "server_cpu_us": min(one["server_cpu_s"] for one in reports[side]) * 1e6 / count,
                       "bytes": first[side],
                       "ratio": ratio(found[side], found["floor"])}) for side in servers]


def storm(server: Server, file: Path, count: int) -> Report:
    """Connect so often at once, wait until each has its reply, look at the server's memory, and let go."""
    before = memory_bytes(server.pid)
    with pinned(processors()[1]):
        client = subprocess.Popen([str(program("tcp_storm")), "--to", str(server.port), "--frames", str(file),
                                   "--connections", str(count), "--watch", str(server.pid)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert client.stdout
    try:
        line = client.stdout.readline()
        if not line:
            raise Refused(f"the storm ended: {client.communicate()[1]}")
        return {**json.loads(line), "bytes": memory_bytes(server.pid) - before}
    finally:
        client.communicate(timeout=WAIT_S_MAX)
