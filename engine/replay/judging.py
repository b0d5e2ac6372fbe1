"""The same rows through the filter twice: by the rules that were in force, and by other ones."""
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from codec.batch import Batch
from engine.config import ConfigError, Paths
from engine.filter.filter import Filter
from engine.filter.outcome import Outcome
from engine.filter.rulebook import Rulebook, default_rulebook
from engine.replay.compare import Comparison
from engine.replay.gather import rules_in, span_ns
from engine.replay.history import History, HistoryError, Rooms, Start

PATHS_MAX: int = Paths().max
HASH_KEY = bytes(16)             # nothing that shows depends on it
AHEAD = 6                        # batches that are judged while one is compared
LATE_NS = 3_600_000_000_000      # rows so much after the end of what is asked for end the reading: clocks jump a little
SWITCH_S = 0.0005


@dataclass(slots=True)
class InForce:
    """The rules that the journal says were in force, as they follow one another."""

    book: Rulebook = field(default_factory=default_rulebook)
    by_version: dict[int, Rulebook] = field(default_factory=dict)
    fresh: bool = True                       # nothing was judged by it yet

    def __post_init__(self) -> None:
        self.by_version.setdefault(self.book.version, self.book)

    def note(self, batch: Batch) -> None:
        """Take over what a batch says about rules."""
        for row, text in rules_in(batch):
            with suppress(ConfigError):      # of a later version of this program
                self.book = Rulebook.from_json(text)
                if row == 0 and self.fresh:
                    self.by_version.clear()
                self.by_version[self.book.version] = self.book
        self.fresh = False


@dataclass(frozen=True, slots=True)
class Judged:
    """One batch, judged twice, with what differs: see Comparison.compare."""

    first: int
    batch: Batch
    was: Outcome
    would: Outcome
    differing: list[tuple[int | None, int | None, int | None, int | None]]


def new_filter(start: Start, book: Rulebook, *, fixed: bool, paths_max: int = PATHS_MAX) -> Filter:
    """Make a filter at the start of what is judged. Raises HistoryError.

    paths_max  as the engine's: tables made larger than they need be are slower
    fixed      neither what it remembers there nor rows that set rules change its rules
    """
    judging = Filter(start.next_event, rules=book, paths_max=paths_max, fixed_rules=fixed, silent=True,
                     hash_key=HASH_KEY)
    if start.saved is not None:
        try:
            judging.load(start.saved)
        except ValueError as error:
            raise HistoryError(f"the snapshot at {start.at} cannot be used: {error}") from None
    if fixed and judging.rules != book:
        raise HistoryError(f"the snapshot at {start.at} cannot be judged on by other rules than its own")
    return judging


def rules_at(history: History, start: Start) -> Rulebook:
    """Return the rules in force where judging begins.

    A journal begins with the shipped ones, and its first row sets others. With the beginning gone and nothing
    remembered, those of the oldest snapshot are the nearest that can be known.
    """
    if start.saved is None and history.trimmed:
        return rules_of(history, start, newest=False) or default_rulebook()
    return default_rulebook()


def newest_rules(history: History) -> Rulebook | None:
    """Return the rules that were set last, or None where nothing that is kept tells."""
    for at in reversed(range(len(history.segments))):
        book = None
        for _, batch in history.batches_of(at, Rooms(1)):
            book = first_of(reversed(rules_in(batch))) or book
        if book:
            return book
    return rules_of(history, Start(0, None, 1, 0, ""), newest=True)


def rules_of(history: History, start: Start, *, newest: bool) -> Rulebook | None:
    """Return the rules in the newest or oldest snapshot, or None without one."""
    snapshots = list(history.snapshots())
    for snapshot in reversed(snapshots) if newest else snapshots:
        with suppress(ValueError, KeyError):
            saved = replace(start, saved=bytes(snapshot.sections["filter"]))
            return new_filter(saved, default_rulebook(), fixed=False).rules
    return None


def first_of(found: Iterable[tuple[int, str]]) -> Rulebook | None:
    """Return the first rules that can be read: others are of a later version of this program."""
    for _, text in found:
        with suppress(ConfigError):
            return Rulebook.from_json(text)
    return None


def configured_at(history: History, start: Start, was: Rulebook) -> Rulebook:
    """Return the rules that tell what the configuration says where judging begins: those that its first rows set."""
    for _, batch in history.batches(start.at, Rooms(1)):
        return first_of(rules_in(batch)) or was
    return was


def as_configured(other: Rulebook, in_force: Rulebook) -> Rulebook:
    """Return rules out of a file with what the configuration adds to them."""
    return replace(other, accept_within_ns=in_force.accept_within_ns, security=in_force.security,
                   medical=in_force.medical)


def judge(history: History, start: Start, was: Filter, would: Filter, comparison: Comparison, until_ns: int,
          tell: Callable[[Judged], None], in_force: InForce | None = None) -> int:
    """Judge everything from the start on by both filters, and tell each batch that differs, in order.

    until_ns  reading ends soon after rows of that time
    Returns   the number of rows
    Raises    HistoryError, OSError
    """
    rooms = Rooms(AHEAD + 2)
    waiting: deque[tuple[int, Batch, Future[bytes], Future[bytes]]] = deque()
    rows = 0

    def compare() -> None:
        first, batch, one, other = waiting.popleft()
        outcomes = Outcome.view(one.result()), Outcome.view(other.result())
        differing = comparison.compare(batch, *outcomes)
        if differing:
            tell(Judged(first, batch, *outcomes, differing))

    with quick_turns(), ThreadPoolExecutor(1) as first_judge, ThreadPoolExecutor(1) as second_judge:
        for first, batch in history.batches(start.at, rooms):
            span = span_ns(batch)
            if span and span[0] >= until_ns + LATE_NS:
                break
            if in_force:
                in_force.note(batch)
            rows += len(batch)
            waiting.append((first, batch, first_judge.submit(was.apply, first, batch),
                            second_judge.submit(would.apply, first, batch)))
            if len(waiting) > AHEAD:
                compare()
        while waiting:
            compare()
    return rows


@contextmanager
def quick_turns() -> Iterator[Any]:
    """Let a thread that comes back from C wait only a moment for the others."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
