"""`tocsin replay`: what other rules would have made of the history that is kept, alarm by alarm."""
import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from codec.words import CLASS_TEXT, CONDITION_TEXT
from engine.clock import Clock
from engine.command.decode import nanoseconds
from engine.command.journal import text_of
from engine.config import ConfigError
from engine.filter.rule_file import AREA, Rulebook, clash, read_file
from engine.replay.compare import Comparison
from engine.replay.history import History, HistoryError, Start
from engine.replay.judging import PATHS_MAX, InForce, as_configured, configured_at, judge, new_filter, rules_at
from engine.replay.telling import Changed, Telling, named
from engine.units import read_duration_ns

DONE, NOT_DONE, USAGE = 0, 1, 2
ALWAYS_NS = (1 << 63) - 1
DAY_NS = 86_400_000_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--rules", required=True, metavar="FILE", help="the other rules, as `tocsin rules` checks")
    parser.add_argument("--since", metavar="TIME", help="tell what was received from then on: ISO 8601, UTC where it "
                                                        "names no zone, or how long ago, such as 7d; all without it")
    parser.add_argument("--until", metavar="TIME", help="and before then; up to the newest row without it")
    parser.add_argument("--area", metavar="CODE", default="",
                        help="only alarms of this province, commune or team, and those of no known area")
    parser.add_argument("--data", default="./tocsin-data", metavar="DIR",
                        help="the engine's data, of a running one too, or a copy (%(default)s)")
    parser.add_argument("--limit", type=int, default=1000, metavar="N",
                        help="show at most so many alarms; all are counted (%(default)s)")
    parser.add_argument("--paths", type=int, default=PATHS_MAX, metavar="N",
                        help="paths.max of the engine's configuration (%(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")


def run(args: argparse.Namespace) -> int:
    """Judge and tell. Returns 0, 1 when there is no history to judge, 2 for an option that cannot be used."""
    try:
        now_ns = Clock().wall_ns()
        since_ns = 0 if args.since is None else moment(args.since, "--since", now_ns)
        until_ns = ALWAYS_NS if args.until is None else moment(args.until, "--until", now_ns)
        if until_ns <= since_ns:
            return fail(f"--until {args.until}: allowed is a time after --since")
        if args.area and not all(AREA.fullmatch(part) for part in args.area.split("/")):
            return fail(f"--area {args.area!r}: allowed are codes of areas, such as 40 or 40/17257")
        if args.limit < 0:
            return fail(f"--limit {args.limit}: allowed is 0 or more")
        if not 1000 <= args.paths <= 100_000_000:
            return fail(f"--paths {args.paths}: allowed is 1000 to 100000000")
        other = read_file(args.rules)
    except ValueError as error:
        return fail(str(error))
    except ConfigError as error:
        return fail(f"--rules: {error}")
    try:
        report = replay(Path(args.data) / "journal", other, since_ns, until_ns, args.area, args.limit,
                        args.paths)
    except HistoryError as error:
        return fail(str(error), NOT_DONE)
    except OSError as error:
        return fail(f"{error.filename or args.data}: {error.strerror}", NOT_DONE)
    if args.json:
        sys.stdout.buffer.write(orjson.dumps(report.json(), option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_INDENT_2))
    else:
        sys.stdout.buffer.write("".join(line + "\n" for line in report.lines()).encode("utf-8", "replace"))
    sys.stdout.buffer.flush()
    return DONE


def moment(text: str, name: str, now_ns: int) -> int:
    """Return ns since 1970 of a time, or of so long ago. Raises ValueError."""
    try:
        return now_ns - read_duration_ns(text)
    except ValueError:
        pass
    try:
        return nanoseconds(text)
    except ValueError:
        raise ValueError(f"{name} {text!r}: allowed is a time such as 2026-11-26T07:00:00+07:00, or how long ago, such "
                         "as 7d") from None


def fail(message: str, code: int = USAGE) -> int:
    sys.stderr.write(f"tocsin replay: {message}\n")
    return code


def replay(directory: Path, other: Rulebook, since_ns: int = 0, until_ns: int = ALWAYS_NS, area: str = "",
           limit: int = 1000, paths_max: int = PATHS_MAX) -> "Report":
    """Judge the history in a journal's directory by the rules that were in force and by others.

    since_ns, until_ns  what was received between is told; what was before is judged all the same
    Raises  HistoryError, OSError
    """
    history = History(directory)
    start = history.start(since_ns)
    was = new_filter(start, rules_at(history, start), fixed=False, paths_max=paths_max)
    in_force = InForce(was.rules)
    other = as_configured(other, configured_at(history, start, was.rules))
    comparison = Comparison(since_ns, until_ns, area)
    telling = Telling(in_force.by_version, other, limit)
    would = new_filter(start, other, fixed=True, paths_max=paths_max)
    rows = judge(history, start, was, would, comparison, until_ns, telling.take, in_force)
    telling.complete(history)
    return Report(history, start, since_ns, until_ns, area, rows, in_force, other, comparison, telling)


class Report:
    """What came of it, for people and for machines."""

    def __init__(self, history: History, start: Start, since_ns: int, until_ns: int, area: str, rows: int,
                 in_force: InForce, other: Rulebook, comparison: Comparison, telling: Telling) -> None:
        self.start = start
        self.since_ns = max(since_ns, start.kept_ns)
        self.until_ns = until_ns
        self.area = area
        self.rows = rows
        self.in_force = in_force
        self.other = other
        self.comparison = comparison
        self.telling = telling
        self.notes = [*self.what_is_missing(since_ns), *history.damage]
        if said := clash(in_force.book, other):
            self.notes.append(said)

    def what_is_missing(self, since_ns: int) -> Iterator[str]:
        if since_ns and since_ns < self.start.kept_ns:
            yield f"nothing is kept from before {text_of(self.start.kept_ns)}; the time asked for is earlier"
        if self.start.missing:
            yield self.start.missing

    def json(self) -> dict[str, Any]:
        """Return all as one object."""
        return {
            "since": text_of(self.since_ns), "until": None if self.until_ns == ALWAYS_NS else text_of(self.until_ns),
            "area": self.area or None, "rows_judged": self.rows, "notes": self.notes,
            "rules": {"was": [{"version": book.version, "digest": book.digest}
                              for _, book in sorted(self.in_force.by_version.items())],
                      "would_be": {"version": self.other.version, "digest": self.other.digest}},
            "summary": [{"what": what, "was": was, "would_be": would} for what, was, would in self.table()],
            "alarms_differing": self.telling.alarms, "alarms_differing_or_more": self.telling.cut,
            "signals_without_alarm_differing": self.telling.signals,
            "alarms": [changed.json() | {"first_received_at": text_of(changed.opened_ns)}
                       for changed in self.sorted()]}

    def sorted(self) -> list[Changed]:
        return sorted(self.telling.changed.values(), key=lambda changed: changed.number)

    def lines(self) -> Iterator[str]:
        """Yield the text."""
        until = "the newest row" if self.until_ns == ALWAYS_NS else text_of(self.until_ns)
        versions = ", ".join(str(version) for version in sorted(self.in_force.by_version))
        yield f"From {text_of(self.since_ns)} to {until}" + (f", in area {self.area}" if self.area else "") + "."
        yield (f"Was: the rules in force then, version {versions}. Would be: version {self.other.version}, "
               f"{self.other.digest}.")
        for note in self.notes:
            yield f"Note: {note}."
        for changed in self.sorted():
            yield ""
            yield from lines_of(changed)
        hidden = self.telling.alarms + self.telling.signals - len(self.telling.changed)
        if hidden > 0:
            yield ""
            yield f"... and {hidden:,} more; --limit shows more of them."
        yield ""
        yield f"{'':44}{'was':>14}{'would be':>14}{'difference':>14}"
        for what, was, would in self.table():
            yield f"{what:44}{was:>14,}{would:>14,}{would - was:>+14,}"
        yield ""
        more = "more than " if self.telling.cut else ""
        yield (f"{more}{self.telling.alarms:,} alarms would have been told differently, and {self.telling.signals:,} "
               "signals without an alarm.")

    def table(self) -> Iterator[tuple[str, int, int]]:
        """Yield what is counted, and how often on either side; what neither side has is left out."""
        was, would = self.comparison.tallies()
        if not self.area:
            yield "signals", self.comparison.signals, self.comparison.signals
            yield from self.verdicts(was["verdicts"], would["verdicts"])
        yield "events", sum(was["events"].values()), sum(would["events"].values())
        for at, texts in ((0, ("raised", "updated", "cleared", "lost", "restored")),
                          (1, ("unconfirmed", "confirmed", "false", "test", "late"))):
            for text in texts:
                one, other = count(was["events"], at, text), count(would["events"], at, text)
                if one or other:
                    yield f"  {text}", one, other
        for priority in sorted(was["priorities"].keys() | would["priorities"].keys()):
            yield (f"alarms raised with priority {priority}", was["priorities"].get(priority, 0),
                   would["priorities"].get(priority, 0))

    def verdicts(self, was: dict[tuple[str, str], int], would: dict[tuple[str, str], int]) -> \
            Iterator[tuple[str, int, int]]:
        for verdict, said in (("forward", "forwarded"), ("hold", "held"), ("suppress", "stored only")):
            yield f"  {said}", count(was, 0, verdict), count(would, 0, verdict)
            for reason in sorted(key[1] for key in was.keys() | would.keys() if key[0] == verdict):
                key = verdict, reason
                yield f"    {reason.replace('_', ' ')}", was.get(key, 0), would.get(key, 0)


def count(counts: dict[tuple[str, str], int], at: int, text: str) -> int:
    return sum(number for key, number in counts.items() if key[at] == text)


def lines_of(changed: Changed) -> Iterator[str]:
    place = changed.facility_name or changed.facility or "no registered building"
    where = " ".join(part for part in (f"({changed.facility})" if changed.facility_name else "", changed.area) if part)
    first = changed.first
    said = "first signal not kept" if first is None else " ".join(str(part) for part in (
        named(CLASS_TEXT, first["class"]), named(CONDITION_TEXT, first["condition"]), first["point"]) if part)
    yield f"{text_of(changed.opened_ns)}  {place} {where}".rstrip()
    yield (f"    {'alarm' if changed.is_alarm else 'signal'} {changed.number}: {said}; {changed.transmitter}"
           + (f"; {changed.differences} differences, the first:" if changed.differences > 1 else ""))
    yield f"    was       {changed.was.words() if changed.was else 'nothing'}"
    yield f"    would be  {changed.would.words() if changed.would else 'nothing'}"
