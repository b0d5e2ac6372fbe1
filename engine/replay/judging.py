"""The same rows through the filter twice: by the rules that were in force, and by other ones."""
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from codec.batch import Batch
from engine.config import ConfigError
from engine.filter.filter import Filter
from engine.filter.outcome import Outcome
from engine.filter.rulebook import Rulebook, default_rulebook
from engine.replay.compare import Comparison
from engine.replay.gather import rules_in, span_ns
from engine.replay.history import History, Rooms, Start

HASH_KEY = bytes(16)             # nothing that shows depends on it
AHEAD = 2                        # batches that are judged while one is compared
LATE_NS = 3_600_000_000_000      # rows so much after the end of what is asked for end the reading: clocks jump a little
SWITCH_S = 0.0005


@dataclass(slots=True)
class InForce:
    """The rules that the journal says were in force, as they follow one another."""

    book: Rulebook = field(default_factory=default_rulebook)
    by_version: dict[int, Rulebook] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_version.setdefault(self.book.version, self.book)

    def note(self, batch: Batch) -> None:
        """Take over what a batch says about rules."""
        for _, text in rules_in(batch):
            with suppress(ConfigError):      # of a later version of this program
                self.book = Rulebook.from_json(text)
                self.by_version[self.book.version] = self.book


@dataclass(frozen=True, slots=True)
class Judged:
    """One batch, judged twice, with what differs: see Comparison.compare."""

    first: int
    batch: Batch
    was: Outcome
    would: Outcome
    differing: list[tuple[int | None, int | None, int | None]]


def new_filter(start: Start, book: Rulebook, *, fixed: bool) -> Filter:
    """Make a filter at the start of what is judged. `fixed`: rows that set rules do not count."""
    judging = Filter(start.next_event, security=book.security, medical=book.medical, hash_key=HASH_KEY)
    if start.saved is not None:
        judging.load(start.saved)
    return judging


def book_at(history: History, start: Start) -> Rulebook:
    """Return the rules in force where judging begins: those that the first row which sets any names, or the shipped."""
    for _, batch in history.batches(start.at, Rooms(1)):
        for _, text in rules_in(batch):
            with suppress(ConfigError):
                return Rulebook.from_json(text)
        break
    return default_rulebook()


def newest_rules(history: History) -> Rulebook | None:
    """Return the rules that were set last, or None where no row that is kept sets any."""
    for at in reversed(range(len(history.segments))):
        book = None
        for _, batch in history.batches_of(at, Rooms(1)):
            for _, text in rules_in(batch):
                with suppress(ConfigError):
                    book = Rulebook.from_json(text)
        if book:
            return book
    return None


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
