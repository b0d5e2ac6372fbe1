"""Where the time of a frame goes: `python -m benchmarks.ledger [--rounds N]`; needs `perf` and `valgrind`.

samples        of the server's CPU while the client of the benchmarks loads it, told apart by the system call that they
               are in or the file of ours, and multiplied out to ns a frame; the floor beside it
instructions   of the receiver for a heartbeat and for a signal, counted by callgrind, by function of ours
"""
from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks import tcp, udp
from benchmarks.frames import heartbeats, signals, write_frames
from benchmarks.harness import ROOT, tell
from benchmarks.servers import Server, engine, floor
from benchmarks.taking import Listening

HERTZ = 1999
SECONDS = 2.5
ACCOUNTS = 10_000
FRAMES, TURNS = 1000, 3
DRIVEN: dict[str, Callable[[int], list[bytes]]] = {
    "heartbeat": lambda count: heartbeats(FRAMES) * (count // FRAMES),
    "signal": lambda count: signals(count, accounts=FRAMES)}
INSTRUCTIONS_MIN = 5
SHARE_MIN = 0.004                # of the whole; less is not shown
# What a sample's stack holds -> where it belongs; the first that fits.
KERNEL = (("sock_def_readable", "kernel: wake the peer"), ("process_backlog", "kernel: deliver to the peer"),
          ("sys_sendmmsg", "kernel: send"), ("sys_sendto", "kernel: send"), ("sys_recvmmsg", "kernel: receive"),
          ("sys_recvfrom", "kernel: receive"), ("epoll", "kernel: wait"))
OURS = {"dc09": "split and checksum", "formats": "split and checksum", "dc09_reply": "build the reply",
        "receiver": "key, hash, look-up, touch", "udp": "datagrams", "tcp": "connections", "tcp_server": "connections",
        "tcp_transport": "connections"}
Run = Callable[[Server, Path], dict[str, float]]
UDP = udp.Shape(SECONDS, 0.3, ACCOUNTS, 16, 1024)
WORK: dict[str, tuple[str, Run]] = {
    "UDP, 16 sockets": ("udp_floor", lambda server, file: udp.client(server, file, UDP)),
    "TCP, one frame a read": ("tcp_floor", lambda server, file: tcp.client(
        server, file, tcp.Shape(SECONDS, 0.3, ACCOUNTS, 1000, 1))),
    "TCP, 64 on their way": ("tcp_floor", lambda server, file: tcp.client(
        server, file, tcp.Shape(SECONDS, 0.3, ACCOUNTS, 64, 64)))}


def main(words: list[str]) -> int:
    """Return 0, or 2 when a tool is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--drive", choices=sorted(DRIVEN), help="used by itself: what callgrind counts")
    parser.add_argument("--times", type=int, default=1, help="how often it is driven")
    chosen = parser.parse_args(words)
    if chosen.drive:
        drive(chosen.drive, chosen.times)
        return 0
    if missing := [name for name in ("perf", "valgrind") if shutil.which(name) is None]:
        tell(f"not installed: {' '.join(missing)} (Debian: linux-perf valgrind)")
        return 2
    for what, (bare, run) in WORK.items():
        show(what, sampled(bare, run, chosen.rounds))
    for kind in DRIVEN:
        show_instructions(kind, counted(kind))
    return 0


def sampled(bare: str, run: Run, rounds: int) -> dict[str, dict[str, float]]:
    """Return ns a frame by place, of the floor and of the engine, loaded in turn."""
    frames = heartbeats(ACCOUNTS)
    size = () if bare == "udp_floor" else ("--frame-bytes", str(len(frames[0])))
    with tempfile.TemporaryDirectory(prefix="tocsin-ledger-") as name, ExitStack() as stack:
        file = write_frames(Path(name) / "frames", frames)
        servers = {"floor": stack.enter_context(floor(bare, *size)), "engine": stack.enter_context(engine(Path(name)))}
        udp.enrol(servers["engine"], file, UDP)
        found = {side: Counter[str]() for side in servers}
        cost: dict[str, list[float]] = {side: [] for side in servers}
        for _ in range(rounds):
            for side, server in servers.items():
                with perf(server.pid, Path(name) / "samples") as samples:
                    report = run(server, file)
                    cost[side].append(report["server_cpu_s"] * 1e9 / report["received"])
                found[side].update(place_of(stack_lines) for stack_lines in stacks(samples()))
    return {side: {place: count / found[side].total() * median(cost[side]) for place, count in found[side].items()}
            for side in servers}


class perf:  # noqa: N801 - reads as the command that it is
    """Sample a process while the block runs; the value returns what was sampled, as text."""

    def __init__(self, pid: int, file: Path) -> None:
        self._file = file
        self._command = ["perf", "record", "-q", "-g", "-F", str(HERTZ), "-o", str(file), "-p", str(pid)]

    def __enter__(self) -> Callable[[], str]:
        self._child = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self._said

    def __exit__(self, *_: object) -> None:
        self._child.terminate()
        self._child.wait()

    def _said(self) -> str:
        self.__exit__()
        return subprocess.run(["perf", "script", "-i", str(self._file), "-F", "comm,ip,sym,dso"], text=True,
                              capture_output=True, check=True).stdout


def stacks(text: str) -> Iterator[list[str]]:
    """Yield the lines of each sample, innermost first."""
    for block in text.split("\n\n"):
        lines = [line.strip() for line in block.split("\n")[1:] if line.strip()]
        if lines:
            yield lines


def place_of(lines: list[str]) -> str:
    """Return where a sample belongs."""
    whole = "\n".join(lines)
    if "kernel" in lines[0] or "[k" in lines[0]:
        return next((place for sign, place in KERNEL if sign in whole), "kernel: other")
    module = re.search(r"/(\w+)\.cpython-[^/]*\)$", lines[0])
    return OURS.get(module[1], "loop and Python") if module else "loop and Python"


def show(what: str, sides: dict[str, dict[str, float]]) -> None:
    """Print one table, markdown."""
    whole = {side: sum(places.values()) for side, places in sides.items()}
    tell(f"\n| {what}: ns of CPU a frame | floor | engine |\n|---|---|---|")
    for place in sorted({*sides["floor"], *sides["engine"]}, key=lambda place: -sides["engine"].get(place, 0)):
        if any(sides[side].get(place, 0) > SHARE_MIN * whole[side] for side in sides):
            tell(f"| {place} | {sides['floor'].get(place, 0):.0f} | {sides['engine'].get(place, 0):.0f} |")
    tell(f"| together | {whole['floor']:.0f} | {whole['engine']:.0f} |")


def drive(kind: str, times: int) -> None:
    """Take frames of 1,000 transmitters so often, after a first time that makes their paths known."""
    listening = Listening(1000)
    frames = DRIVEN[kind](FRAMES * (times + 1))
    for turn in range(times + 1):
        listening.meet(b"".join(frames[turn * FRAMES:(turn + 1) * FRAMES]), 1 + turn)


def counted(kind: str) -> dict[str, float]:
    """Return instructions of a frame by function: what three turns more make more."""
    once, often = instructions(kind, 1), instructions(kind, 1 + TURNS)
    return {name: (count - once[name]) / (TURNS * FRAMES) for name, count in often.items()}


def instructions(kind: str, times: int) -> Counter[str]:
    """Drive under callgrind; return instructions by function, of the receiver's work alone."""
    with tempfile.TemporaryDirectory(prefix="tocsin-ledger-") as name:
        file = Path(name) / "callgrind"
        subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={file}",
                        "--toggle-collect=*Listening_*take*", sys.executable, "-m", "benchmarks.ledger",
                        "--drive", kind, "--times", str(times)], cwd=ROOT, check=True, capture_output=True)
        said = subprocess.run(["callgrind_annotate", "--threshold=100", str(file)], text=True, capture_output=True,
                              check=True).stdout
    found: Counter[str] = Counter()
    for line in said.splitlines():
        if one := re.match(r"\s*([\d,]+) .*?[:\s](?:__pyx_\w*?_)?(\w+?)(?:\.\w+)* \[", line):
            found[one[2]] += int(one[1].replace(",", ""))
    return found


def show_instructions(kind: str, functions: dict[str, float]) -> None:
    """Print one table, markdown."""
    tell(f"\n| {kind}: instructions a frame | |\n|---|---|")
    for function, count in sorted(functions.items(), key=lambda one: -one[1]):
        if count >= INSTRUCTIONS_MIN:
            tell(f"| `{function}` | {count:.0f} |")
    tell(f"| together | {sum(functions.values()):.0f} |")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
