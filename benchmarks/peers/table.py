"""The one table: as aligned text, and as Markdown."""
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median_low

HEADS = ("who", "version", "messages/s", "us CPU", "busy", "answers", "reads", "keeps", "counted by")
NUMBERS = {"messages/s", "us CPU", "busy"}


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one contender, or why nothing was.

    work      the heading that it stands under
    rate      messages a second that it handled without loss; 0 when it was not measured
    at_least  whether the client, and not the contender, set the limit
    cpu_us    microseconds of CPU for each message, all its threads
    beside_us the same of the programs that it started
    busy      how much of its core the server used meanwhile, 0..1
    instead   in place of the figures: what is missing, or what went wrong
    """
    work: str
    who: str
    version: str = ""
    rate: float = 0.0
    at_least: bool = False
    cpu_us: float = 0.0
    beside_us: float = 0.0
    busy: float = 0.0
    answers: str = ""
    reads: str = ""
    keeps: str = ""
    counted: str = ""
    instead: str = ""

    def cells(self) -> tuple[str, ...]:
        """One text for each of HEADS; a row without figures says why in one cell, and the others are empty."""
        if self.instead:
            return (self.who, self.instead, *[""] * (len(HEADS) - 2))
        beside = f" + {self.beside_us:.2f}" if self.beside_us >= 0.01 else ""
        return (self.who, self.version, f"{'>= ' if self.at_least else ''}{self.rate:,.0f}",
                f"{self.cpu_us:.2f}{beside}", f"{self.busy:.0%}", self.answers, self.reads, self.keeps, self.counted)


def middle(rows: Sequence[Row]) -> Row:
    """The medians of one contender's rounds; of the lower figure where they are two. One that failed speaks for all."""
    if failed := [row for row in rows if row.instead]:
        return failed[0]
    return replace(sorted(rows, key=lambda row: row.rate)[(len(rows) - 1) // 2],
                   cpu_us=median_low(row.cpu_us for row in rows), beside_us=median_low(row.beside_us for row in rows),
                   busy=median_low(row.busy for row in rows))


def text(rows: Sequence[Row]) -> str:
    """The table for a terminal: a heading for each kind of work, columns aligned."""
    cells = [row.cells() for row in rows if not row.instead] + [HEADS]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADS))]
    widths[0] = max(len(row.who) for row in rows)
    lines, work = [aligned(HEADS, widths)], ""
    for row in rows:
        if row.work != work:
            lines += ["", row.work]
            work = row.work
        lines.append(f"{row.who:<{widths[0]}}  {row.instead}" if row.instead else aligned(row.cells(), widths))
    return "\n".join(lines)


def aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:>{width}}" if head in NUMBERS else f"{cell:<{width}}"
                     for head, cell, width in zip(HEADS, cells, widths, strict=True)).rstrip()


def markdown(rows: Sequence[Row]) -> str:
    """The table for a page: one row each, the kind of work in the first column."""
    lines = ["| work | " + " | ".join(HEADS) + " |", "|---" * (len(HEADS) + 1) + "|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in (row.work, *row.cells())) + " |" for row in rows]
    return "\n".join(lines)
