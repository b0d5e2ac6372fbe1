"""What `tocsin decode --explain` prints: frames taken apart, laid out for a terminal of 100 columns."""
from __future__ import annotations

import textwrap
from collections.abc import Iterator

from codec.explain import Explanation
from codec.explained import Part, plural

COLUMNS = 100
ROW_BYTES = 8
ROWS_MAX = 8                     # of one field; what is behind them is counted
NAME_COLUMNS = 11
HEAD_COLUMNS = 2 + 5 + 2 + 3 * ROW_BYTES + 1 + ROW_BYTES + 2 + NAME_COLUMNS + 1


def printable(data: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)


def wrapped(text: str, first: str, rest: str) -> Iterator[str]:
    """Lines of at most COLUMNS; what comes from the wire was made printable before."""
    safe = "".join(character if character.isprintable() else "?" for character in text)
    yield from textwrap.wrap(safe, COLUMNS, initial_indent=first, subsequent_indent=rest) or [first.rstrip()]


def part_lines(part: Part) -> Iterator[str]:
    """Lay one field out: offset, eight bytes a row, the same as text, name, meaning; faults behind '!!'."""
    said = list(textwrap.wrap("".join(c if c.isprintable() else "?" for c in part.meaning), COLUMNS - HEAD_COLUMNS))
    for fault in part.faults:
        said += textwrap.wrap("".join(c if c.isprintable() else "?" for c in fault), COLUMNS - HEAD_COLUMNS,
                              initial_indent="!! ", subsequent_indent="   ")
    rows = [part.data[at:at + ROW_BYTES] for at in range(0, len(part.data), ROW_BYTES)][:ROWS_MAX]
    for number in range(max(len(rows), len(said), 1)):
        row = rows[number] if number < len(rows) else b""
        place = part.at + number * ROW_BYTES
        offset = f"{place}{'*' if part.sealed else ''}" if number == 0 or row else ""
        text = said[number] if number < len(said) else ""
        yield (f"  {offset:>5}  {row.hex(' '):<{3 * ROW_BYTES}} {printable(row):<{ROW_BYTES}}  "
               f"{part.name if number == 0 else '':<{NAME_COLUMNS}} {text}").rstrip()
    shown = ROW_BYTES * ROWS_MAX
    if len(part.data) > shown:
        yield f"  {'':>5}  and {plural(len(part.data) - shown, 'byte')} more"


def header_line() -> str:
    return f"  {'at':>5}  {'bytes':<{3 * ROW_BYTES}} {'text':<{ROW_BYTES}}  {'field':<{NAME_COLUMNS}} meaning"


def lines_of(explanation: Explanation) -> Iterator[str]:
    """Return what is printed for one thing, without line ends."""
    found = explanation.found
    yield f"{explanation.at}: {explanation.title} ({plural(len(explanation.data), 'byte')})"
    if not explanation.answered:
        return
    if explanation.parts:
        yield header_line()
        for part in explanation.parts:
            yield from part_lines(part)
        if any(part.sealed for part in explanation.parts):
            yield "  (* offset in the decrypted text)"
    else:
        yield from part_lines(Part(0, explanation.data, "garbage", "no frame begins here"))
    for hint in explanation.hints:
        yield from wrapped(hint, "  !! ", "     ")
    if "kind" in found:
        yield from wrapped(f"{found['kind']} of account {found['account'] or '(none)'}", "  kind     ", "           ")
        yield from signal_lines(found.get("signals"))
    yield from wrapped(explanation.answered, "  answer   ", "           ")
    answer = explanation.answer
    for at in range(0, len(answer), 16):
        yield f"           {answer[at:at + 16].hex(' '):<48} {printable(answer[at:at + 16])}"


def signal_lines(signals: object) -> Iterator[str]:
    """One line a signal: class, condition, state, point, native, flags."""
    assert isinstance(signals, list)
    for number, signal in enumerate(signals):
        words = f"{signal['class']}, {signal['condition']}, {signal['state']}"
        point = f", point {signal['point']}" if signal["point"] else ""
        flags = f" [{', '.join(signal['flags'])}]" if signal["flags"] else ""
        yield from wrapped(f"{words}{point}: {signal['native']}{flags}",
                           "  signals  " if number == 0 else "           ", "             ")
    if not signals:
        yield "  signals  none"
