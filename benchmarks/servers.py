"""Servers under measurement: the floors and the engine, each a process of its own on free loopback ports."""
import os
import re
import select
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compile import program
from benchmarks.harness import ROOT, NotBuilt

FLOOR_START_S_MAX = 5.0
ENGINE_START_S_MAX = 60.0        # the first start makes a database
STOP_S_MAX = 20.0
# A silent path would be a signal of its own, so supervision is far longer than any measurement.
ENGINE_CONFIGURATION = """\
[unknown_accounts]
policy = "enrol"
rate = 1000000
limit = 1000000
[supervision]
default = "3600s"
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `http` is HOST:PORT, empty for a floor."""
    pid: int
    port: int
    http: str = ""
    database: str = ""


def processors() -> tuple[set[int], set[int]]:
    """Return the processors of (server, client): apart where there are two, else the same."""
    usable = sorted(os.sched_getaffinity(0))
    return ({usable[0]}, set(usable[1:])) if len(usable) > 1 else (set(usable), set(usable))


@contextmanager
def pinned(to: set[int]) -> Iterator[None]:
    """Let processes started inside inherit these processors."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, to)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def floor(name: str, *arguments: str) -> Iterator[Server]:
    """Run a floor program until the block ends."""
    with started([str(program(name)), *arguments], Path.cwd()) as child:
        found = line_of(child, r"port (\d+)", FLOOR_START_S_MAX)
        yield Server(pid=child.pid, port=int(found[1]))


@contextmanager
def engine(directory: Path, configuration: str = ENGINE_CONFIGURATION, to: set[int] | None = None) -> Iterator[Server]:
    """Run `tocsin serve` with its data under `directory`; the address is found in the line that says ready.

    configuration  TOML
    to             processors of it and its database; None: those of a server
    Raises  NotBuilt without the program, RuntimeError when it does not get ready in time
    """
    command = ROOT / ".venv" / "bin" / "tocsin"
    if not command.exists():
        raise NotBuilt("the program tocsin: run `make build`")
    directory.chmod(0o755)           # the database never runs as root and must reach its files all the same
    file = directory / "tocsin.toml"
    file.write_text(configuration)
    with started([str(command), "serve", "--config", str(file), "--listen", "127.0.0.1:0",
                  "--http", "127.0.0.1:0", "--data", str(directory / "data")], ROOT, to=to) as child:
        found = line_of(child, r"ready listen=\S+:(\d+) http=(\S+) database=(\S+)", ENGINE_START_S_MAX)
        yield Server(pid=child.pid, port=int(found[1]), http=found[2], database=found[3])


def reading(server: Server, name: str) -> float:
    """Return what the engine's /metrics say under a name, all its labels together.

    Raises  RuntimeError when it is not there
    """
    with urllib.request.urlopen(f"http://{server.http}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    values = [float(line.rpartition(" ")[2]) for line in lines if line.startswith((name + "{", name + " "))]
    if not values:
        raise RuntimeError(f"the engine tells no {name}")
    return sum(values)


@contextmanager
def started(command: Sequence[str], directory: Path, environment: Mapping[str, str] | None = None,
            to: set[int] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends, on the server's processor or `to`; `environment` None is our own."""
    with pinned(to or processors()[0]):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=directory, env=environment)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout:
            child.stdout.close()


def line_of(child: subprocess.Popen[bytes], pattern: str, within_s: float) -> re.Match[str]:
    """Read the child's output until a line matches.

    Raises  RuntimeError when the child ends or the time is over
    """
    assert child.stdout
    until, said = time.monotonic() + within_s, b""
    while (left := until - time.monotonic()) > 0:
        if not select.select([child.stdout], [], [], left)[0]:
            break
        more = os.read(child.stdout.fileno(), 65536)
        said += more
        if found := re.search(pattern + r"\s*\n", said.decode(errors="replace")):
            return found
        if not more:
            break
    heard = said.decode(errors="replace")[-2000:]
    raise RuntimeError(f"no line like {pattern!r} within {within_s} s; it said: {heard}")
