"""`python -m benchmarks.peers [NAME ...] [--smoke] [--markdown] [--fetch]`: one table of Tocsin and its peers."""
import argparse
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.harness import Refused, Size, machine, refuse_slow_builds, tell
from benchmarks.peers import connected, packages, table
from benchmarks.peers.contenders import CONTENDERS, DIFFERS, Contender
from benchmarks.peers.offered import SCOPES, answered, highest, unanswered
from benchmarks.peers.packages import Installed, Missing
from benchmarks.peers.running import Target, until_counted
from benchmarks.peers.table import Row

ANSWER_S_MAX = 5.0
SMOKE_PER_S = 1000               # what no machine loses any of


def main(words: list[str]) -> int:
    """Return 0 when all that is there was measured, 1 when something failed or was refused."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(DIFFERS)}; without any: all")
    parser.add_argument("--smoke", action="store_true", help="the smallest size: proves that it runs, measures nothing")
    parser.add_argument("--rounds", type=int, default=1, help="how often all are measured; the table has the medians")
    parser.add_argument("--markdown", action="store_true", help="the table as Markdown")
    parser.add_argument("--fetch", action="store_true", help="first unpack rsyslog, mosquitto and statsd, where they "
                        "are missing, in build/peers; nothing is installed on the machine")
    chosen = parser.parse_args(words)
    if unknown := set(chosen.names) - set(DIFFERS):
        parser.error(f"no peer {', '.join(sorted(unknown))}; there are {', '.join(DIFFERS)}")
    if chosen.rounds < 1:
        parser.error("--rounds begins at 1")
    try:
        refuse_slow_builds()
    except Refused as refusal:
        tell(f"refused: {refusal}")
        return 1
    fetched = packages.fetch() if chosen.fetch else True
    wanted = [one for one in CONTENDERS if not chosen.names or one.peer in chosen.names]
    rows = all_rows(wanted, "smoke" if chosen.smoke else "full", chosen.rounds)
    show(rows, list(dict.fromkeys(one.peer for one in wanted)), chosen.markdown)
    return 0 if fetched and not any(row.instead.startswith("failed") for row in rows) else 1


def show(rows: Sequence[Row], peers: Sequence[str], as_markdown: bool) -> None:
    tell("  ".join(f"{name}={value}" for name, value in machine().items()) + "\n")
    tell(table.markdown(rows) if as_markdown else table.text(rows))
    tell("\nwhat differs")
    for peer in peers:
        tell(f"- {peer}: {DIFFERS[peer]}")


def all_rows(wanted: Sequence[Contender], size: Size, rounds: int) -> list[Row]:
    """Measure all of them in turn, so that a slow minute of the machine hits each of them; the row of their medians."""
    found: list[list[Row]] = [[] for _ in wanted]
    for turn in range(rounds):
        for index in range(len(wanted)) if turn % 2 == 0 else reversed(range(len(wanted))):
            found[index].append(row_of(wanted[index], size))
    return [table.middle(rows) for rows in found]


def row_of(one: Contender, size: Size) -> Row:
    """Measure one contender; one that is missing or fails has a row that says so."""
    try:
        installed = one.installed()
    except Missing as missing:
        return Row(one.work, one.who, instead=str(missing))
    sys.stderr.write(f"measuring {one.who}: {one.work}\n")
    try:
        with tempfile.TemporaryDirectory(prefix="tocsin-peers-") as name:
            return measured(one, installed, Path(name), size)
    except (Refused, RuntimeError, OSError) as failure:
        return Row(one.work, one.who, instead=f"failed: {failure}")


def measured(one: Contender, installed: Installed, directory: Path, size: Size) -> Row:
    frames, scope, row = one.frames(size), SCOPES[size], partial(Row, one.work, one.who, installed.version)
    with one.start(directory, installed, size) as target:
        refuse_other_answers(one, target, frames[0], size)
        if one.talk is not None:
            rate, cpu_us, busy, at_least = connected.run(target.server, frames, one.talk(size), directory, size)
            return row(rate, at_least, cpu_us, 0.0, busy, one.answers, one.reads, one.keeps, one.counted)
        if one.answer:
            best, at_least = answered(target, frames[1:], directory, scope, one.window), False
        else:
            best, at_least = highest(unanswered(target, frames, directory, scope),
                                     one.first if size == "full" else SMOKE_PER_S, scope.tries)
    if one.fresh and best.sent > len(frames) - 1:
        raise Refused(f"{best.sent} signals were sent, and only {len(frames)} made: the others came twice")
    return row(best.per_s, at_least, best.cpu_us, best.beside_us, best.busy, one.answers, one.reads,
               one.keeps, one.counted)


def refuse_other_answers(one: Contender, target: Target, frame: bytes, size: Size) -> None:
    """Send one message: a server that answers something else, or counts nothing, does other work than the table says.

    Raises  Refused
    """
    if target.counted is not None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(frame, ("127.0.0.1", target.server.port))
        if not until_counted(target):
            raise Refused(f"{one.who} has not counted {frame!r}")
        return
    said = ask(target.server.port, frame, one.talk(size) if one.talk else None)
    if one.answer not in said:
        raise Refused(f"{one.who} answers {said!r} to {frame!r}")


def ask(port: int, frame: bytes, talk: connected.Talk | None) -> bytes:
    """Return what is answered to one message; by UDP without `talk`."""
    kind = socket.SOCK_DGRAM if talk is None else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as asking:
        asking.settimeout(ANSWER_S_MAX)
        asking.connect(("127.0.0.1", port))
        if talk is not None and talk.hello:
            asking.sendall(talk.hello[0])
            if (welcome := asking.recv(len(talk.welcome), socket.MSG_WAITALL)) != talk.welcome:
                return welcome
        asking.sendall(frame)
        return asking.recv(4096)


def leave(number: int, frame: object) -> None:
    """Let every block end that has started a process."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, leave)
    sys.exit(main(sys.argv[1:]))
