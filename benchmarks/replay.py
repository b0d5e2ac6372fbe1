"""Kept history through the filter twice, as `tocsin replay` does, against merely reading the same files.

replay.read            the files, read from end to end and checksummed, and nothing else
replay.judge.ROWS      the same through `tocsin replay`, ROWS rows an entry, by other rules of which few alarms differ
replay.worst.ROWS      the same, every signal a fire or its restore and every one of them told differently

The history is of 10,000 transmitters: of 100 signals 10 are fires, 10 their restores, the others faults, restores of
faults, tests and supervisory signals. `TOCSIN_REPLAY_SIGNALS` in the environment asks for another number of signals.
The files lie in the page cache after the first round where there is memory for them; that serves both sides.
"""
import os
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.frames import frame
from benchmarks.harness import Refused, Result, Rounds, Size, digest, in_turn, ratio
from codec.batch import Batch
from engine.command.replay import Report, replay
from engine.filter.rulebook import Rulebook, default_text
from engine.journal.layout import SEGMENT_HEADER_BYTES, Entry, Header, encode_entry
from engine.journal.recovery import segment_name

RECEIVED_NS = 1_767_225_600_000_000_000
BASE = 1_767_225_600_000_000
NAME = bytes(range(16))
SEGMENT_BYTES = 64 << 20
SIGNALS: dict[Size, int] = {"smoke": 20_000, "full": 10_000_000}
ROWS_OF_AN_ENTRY = (1, 256)
READ_BYTES = 1 << 20
BLOCK_ROWS = 4096                # rows that are made once and written again and again
TRANSMITTERS = 10_000
# class, condition and state of the signals, by their last digits
FIRE, GAS, SUPERVISORY, FAULT, TEST = 1, 2, 4, 5, 7
RAISED, CLEARED = 1, 2


@dataclass(frozen=True, slots=True)
class History:
    """What was written."""
    signals: int
    bytes: int
    alarms: int


def run(size: Size, rounds: int = 3) -> list[Result]:
    """Measure reading and judging in turn, for each number of rows an entry."""
    signals = int(os.environ.get("TOCSIN_REPLAY_SIGNALS") or SIGNALS[size])
    results = []
    for worst in (False, True):
        for rows in ROWS_OF_AN_ENTRY:
            results += run_rows(size, rounds, signals if not worst else max(signals // 10, 1), rows, worst)
    return results


def run_rows(size: Size, rounds: int, signals: int, rows: int, worst: bool) -> list[Result]:
    reports: list[Report] = []
    with tempfile.TemporaryDirectory(prefix="tocsin-replay-") as name:
        directory = Path(name)
        history = write(directory, signals, rows, worst)

        def judge() -> float:
            begin = perf_counter()
            reports.append(replay(directory, other_rules(worst), limit=100))
            return signals / (perf_counter() - begin)

        sides: dict[str, Callable[[], float]] = {"read": lambda: signals / read(directory), "judge": judge}
        found = in_turn(rounds, sides)
    report = reports[0]
    if report.rows != signals or report.notes:
        raise Refused(f"{report.rows} rows of {signals} were judged: {report.notes}")
    name = "worst" if worst else "judge"
    return [result(size, f"{side if side == 'read' else name}.{rows}" + ("w" if worst and side == "read" else ""),
                   history, found[side], found, report) for side in sides]


def result(size: Size, name: str, history: History, one: Rounds, found: dict[str, Rounds], report: Report) -> Result:
    facts: dict[str, float | int | str] = {
        "bytes": history.bytes, "gb_per_s": history.bytes / history.signals * one.median / 1e9,
        "differences": report.comparison.differences,
        "ratio_to_read": ratio(one, found["read"])}
    return Result(f"replay.{name}", size, history.signals, "signal", one.median, one.spread,
                  digest(repr(report.comparison.tallies()).encode()), facts)


def other_rules(worst: bool) -> Rulebook:
    """Return the shipped rules with a change: in the worst case one that touches every alarm."""
    change = "" if worst else 'area = ["nowhere"]\n'
    rule = f'[[rule]]\nname = "other"\nclass = ["fire"]\n{change}verified = "at_once"\npriority = 1\n\n'
    return Rulebook.read(default_text().replace("version = 3", "version = 4").replace("[[rule]]", rule + "[[rule]]", 1))


def read(directory: Path) -> float:
    """Read and checksum the files; return the seconds."""
    begin = perf_counter()
    for path in sorted(directory.iterdir()):
        checksum, room = 0, memoryview(bytearray(READ_BYTES))
        with path.open("rb", buffering=0) as file:
            while size := file.readinto(room):
                checksum = zlib.crc32(room[:size], checksum)
    return perf_counter() - begin


def write(directory: Path, signals: int, rows: int, worst: bool) -> History:
    """Write a journal of so many signals, as an engine would, without waiting for the disk."""
    blocks = [entry.encode() for entry in entries_of(rows, worst)]
    ordinal, previous, number, mark, alarms = 1, 0, BASE, 0, 0
    header = Header(NAME, ordinal, RECEIVED_NS, BASE, 0, 0, 0)
    at, out, total = SEGMENT_HEADER_BYTES, [header.encode()], 0
    while number < BASE + signals:
        for payload in blocks:
            if number + rows > BASE + signals:
                rest = BASE + signals - number
                if rest <= 0:
                    break
                payload, count = cut_to(payload, rest).encode(), rest
            else:
                count = rows
            data = encode_entry(Entry(number, count, mark, previous, payload), header.seed)
            if at + len(data) > SEGMENT_BYTES:
                total += flush(directory, ordinal, out)
                ordinal += 1
                header = Header(NAME, ordinal, RECEIVED_NS, number, previous, at, mark)
                at, out = SEGMENT_HEADER_BYTES, [header.encode()]
                data = encode_entry(Entry(number, count, mark, previous, payload), header.seed)
            out.append(data)
            at += len(data)
            previous = number + count - 1
            number += count
    total += flush(directory, ordinal, out)
    return History(signals, total, alarms)


def flush(directory: Path, ordinal: int, parts: list[bytes]) -> int:
    return (directory / segment_name("journal", ordinal)).write_bytes(b"".join(parts))


def cut_to(payload: bytes, rows: int) -> Batch:
    """Return the first rows of an encoded batch."""
    whole, batch = Batch.view(payload), Batch(rows, len(payload))
    for index in range(rows):
        row = whole.row(index)
        row["signal_class"] = row.pop("class")
        assert batch.add(**row)      # type: ignore[arg-type]
    return batch


def entries_of(rows: int, worst: bool) -> list[Batch]:
    """Return the entries that are written again and again: some 4,096 rows, or a multiple of rows above."""
    batches = []
    for start in range(0, max(BLOCK_ROWS, rows), rows):
        batch = Batch(rows, rows * 512)
        for index in range(start, start + rows):
            assert batch.add(**row_of(index, worst))     # type: ignore[arg-type]
        batches.append(batch)
    return batches


def row_of(index: int, worst: bool) -> dict[str, object]:
    """Return one signal. A fire's restore follows ten signals later, from the same transmitter."""
    digit = index % 20
    if worst:
        signal_class, condition, code = FIRE, 2, "FA"
        state, who = (RAISED, index) if digit < 10 else (CLEARED, index - 10)
    elif digit in (3, 7):
        signal_class, condition, code, state, who = FIRE, 2, "FA", RAISED, index
    elif digit in (13, 17):
        signal_class, condition, code, state, who = FIRE, 2, "FH", CLEARED, index - 10
    else:
        signal_class, condition, code = ((FAULT, 52, "AT"), (SUPERVISORY, 33, "SS"), (TEST, 91, "RP"))[digit % 3]
        state, who = (RAISED, index) if digit % 2 else (CLEARED, index - 1)
    account, sequence = f"{who * 7 % TRANSMITTERS:06X}", index % 9999 + 1
    data = f"#{account}|Nri1/{code}{who % 512:03d}"
    return {"protocol": 1, "path": who * 7 % TRANSMITTERS, "sequence": sequence, "received_ns": RECEIVED_NS + index,
            "account": account, "point": f"1/{who % 512:03d}", "native": code, "signal_class": signal_class,
            "condition": condition, "state": state, "identity": data.encode(),
            "raw": frame(f'"SIA-DCS"{sequence:04d}L0#{account}[{data}]')}
