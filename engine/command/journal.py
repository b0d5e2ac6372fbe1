"""`tocsin journal`: look at a journal from outside, beside a running engine or where one refuses to start."""
import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson

from codec.batch import Batch
from codec.words import CLASS_TEXT, CONDITION_TEXT, FLAG_TEXT, PROTOCOL_TEXT, ROW_KIND_TEXT, STATE_TEXT
from engine.journal import examine
from engine.journal.examine import SegmentReport

CLEAN, DAMAGED, USAGE = 0, 1, 2
REMEDY = """
What to do: copy the data directory away before anything else. If a backup of a damaged file exists, put it back.
Without one the engine will not start on this journal: move the directory `journal` aside and start with an empty one;
what is in PostgreSQL stays there, and `tocsin journal dump` still prints every row that can be read.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the three verbs and their options."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, does in (("verify", "read every byte and say what is damaged; exit 1 if anything is"),
                       ("stat", "say what the journal holds, and how far its readers have come"),
                       ("dump", "print the rows as JSON, one a line, also of a damaged journal")):
        one = verbs.add_parser(verb, help=does, description=does)
        one.add_argument("--data", default="./tocsin-data", metavar="DIR", help="the engine's data (%(default)s)")
        if verb == "dump":
            one.add_argument("--after", type=int, default=0, metavar="N", help="only rows with a higher number")
            one.add_argument("--limit", type=int, default=0, metavar="N", help="at most so many rows; 0: all")
            one.add_argument("--account", metavar="KEY", help="only rows of this transmitter: ACCOUNT, "
                                                              "PROTOCOL:ACCOUNT or PROTOCOL:ACCOUNT@REALM")


def run(args: argparse.Namespace) -> int:
    """Do what the verb says. Returns 0, 1 when verify found damage, 2 when there is no journal to look at."""
    directory = Path(args.data) / "journal"
    try:
        if not examine.segments(directory, "journal"):
            return fail(f"{directory}: holds no journal; --data names the engine's data directory")
        return {"verify": verify, "stat": stat, "dump": dump}[args.verb](directory, args)
    except OSError as error:
        return fail(f"{error.filename or directory}: {error.strerror}")


def fail(message: str) -> int:
    sys.stderr.write(f"tocsin journal: {message}\n")
    return USAGE


def verify(directory: Path, _: argparse.Namespace) -> int:
    """Print a line a file, and what is wrong under it."""
    damaged = False
    for log in examine.LOGS:
        for report in examine.examine(directory, log):
            print(line_of(report))
            for damage in report.damage:
                damaged |= log == "journal"
                print(f"    offset {damage.offset}: {damage.what}" + (
                    f"; an entry can be read again at offset {damage.resumes}" if damage.resumes is not None else ""))
            if report.damage and log == "outcomes":
                print("    no loss: the engine makes this log again from the journal when it starts")
    for file, snapshot in examine.snapshots(directory):
        print(f"{file}  {'cannot be read: ' + snapshot if isinstance(snapshot, str) else 'whole'}")
        if isinstance(snapshot, str):
            print("    no loss as long as the snapshot before it, or the whole journal, is there")
    for name, _journal, position in examine.consumers(directory):
        print(f"consumer {name}  " + ("cannot be read; the engine asks the reader itself" if position is None
                                      else f"position {position}"))
    if damaged:
        print(REMEDY, end="")
    return DAMAGED if damaged else CLEAN


def line_of(report: SegmentReport) -> str:
    state = f"{len(report.damage)} damaged place{'s' * (len(report.damage) > 1)}" if report.damage else "whole"
    numbers = f", numbers {report.first} to {report.last}" if report.rows else ""
    torn = f"; {report.torn} bytes of an append that did not end" if report.torn else ""
    return f"{report.file}  {state}, {report.entries} appends, {report.rows} rows{numbers}{torn}"


def stat(directory: Path, _: argparse.Namespace) -> int:
    """Print totals, kinds of rows, and who has read how far."""
    reports = list(examine.examine(directory, "journal"))
    kinds: Counter[str] = Counter()
    oldest = newest = None
    for row in rows(directory, 0):
        kinds[f"{row['kind']} {row['class']}".strip()] += 1
        oldest = oldest or row["received_at"]
        newest = row["received_at"]
    head = next((report.header for report in reports if report.header), None)
    last = max(report.last for report in reports)
    print(f"journal    {head.name.hex() if head else 'unknown'}")
    print(f"size       {sum(report.size for report in reports):,} bytes in {len(reports)} files")
    first = min((report.first for report in reports if report.first), default=0)
    print(f"rows       {sum(kinds.values()):,}, numbers {first} to {last}")
    print(f"received   {oldest or '-'} to {newest or '-'}")
    for kind, count in kinds.most_common():
        print(f"    {kind:24} {count:>12,}")
    for name, _journal, position in examine.consumers(directory):
        behind = "cannot be read" if position is None else f"{position}, {rows_after(reports, position):,} rows behind"
        print(f"reader     {name}: {behind}")
    for file, snapshot in examine.snapshots(directory):
        told = snapshot if isinstance(snapshot, str) else f"at {snapshot.at}, written {text_of(snapshot.created_ns)}"
        print(f"snapshot   {file}: {told}")
    damage = sum(len(report.damage) for report in reports)
    if damage:
        print(f"damage     in {damage} place{'s' * (damage > 1)}; `tocsin journal verify` names them")
    return CLEAN


def rows_after(reports: list[SegmentReport], position: int) -> int:
    """Return how many rows follow a position; numbers have few holes, so that within a segment it is an upper bound."""
    return sum(min(report.rows, report.last - position) for report in reports if report.last > position)


def dump(directory: Path, args: argparse.Namespace) -> int:
    """Print the rows that can be read."""
    left = args.limit or -1
    for row in rows(directory, args.after):
        if args.account and not is_of(row, args.account):
            continue
        sys.stdout.buffer.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        left -= 1
        if left == 0:
            break
    sys.stdout.buffer.flush()
    return CLEAN


def is_of(row: dict[str, object], account: str) -> bool:
    protocol, _, rest = account.rpartition(":")
    name, at, realm = rest.partition("@")
    return (str(row["account"]).upper() == name.upper() and (not protocol or row["protocol"] == protocol)
            and (not at or row["realm"] == realm))


def rows(directory: Path, after: int) -> Iterator[dict[str, object]]:
    """Yield every readable row behind a number, as JSON has it."""
    for entry in examine.entries(directory, "journal", after):
        batch = Batch.view(entry.payload)
        for index in range(len(batch)):
            if entry.first + index > after:
                yield json_of(entry.first + index, batch.row(index))


def json_of(number: int, row: dict[str, object]) -> dict[str, object]:
    flags = row["flags"]
    assert isinstance(flags, int)
    return {
        "number": str(number), "kind": named(ROW_KIND_TEXT, row["kind"]), "received_at": text_of(row["received_ns"]),
        "occurred_at": None if row["occurred_ns"] is None else text_of(row["occurred_ns"]),
        "protocol": named(PROTOCOL_TEXT, row["protocol"]), "account": row["account"], "realm": row["realm"],
        "class": "" if not row["class"] else named(CLASS_TEXT, row["class"]),
        "condition": "" if not row["class"] else named(CONDITION_TEXT, row["condition"]),
        "state": "" if not row["state"] else named(STATE_TEXT, row["state"]), "point": row["point"],
        "native": row["native"], "path": row["path"], "sequence": row["sequence"],
        "flags": [text for flag, text in FLAG_TEXT.items() if flags & flag],
        "raw": bytes(row["raw"]).hex() if isinstance(row["raw"], bytes) else "",
    }


def named(texts: dict[int, str], number: object) -> str:
    """Return the word of a number; one of a later version stays a number."""
    assert isinstance(number, int)
    return texts.get(number, str(number))


def text_of(ns: object) -> str:
    assert isinstance(ns, int)
    moment = datetime.fromtimestamp(ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ns // 1000 % 1_000_000:06d}Z"
