"""Kept history through the filter twice, as `tocsin replay` does, against merely reading the same files.

replay.read.ROWS           the files, ROWS rows an entry, read from end to end and checksummed, and nothing else
replay.judge.ROWS          the same through `tocsin replay`, by other rules that touch one building in a thousand
replay.read_cached.ROWS    both once more with the files in the page cache, where reading is a copy in memory
replay.judge_cached.ROWS
replay.worst.ROWS          cached, a tenth as many, every signal a fire or its restore and all of them told differently

Before the first two the files are dropped from the page cache. The history is of 10,000 transmitters in as many
buildings: of 100 signals 10 are fires, 10 their restores, the others faults, their restores, tests, and supervisory.
`TOCSIN_REPLAY_SIGNALS` in the environment asks for another number of signals.
"""
import os
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, cycle, islice
from pathlib import Path
from time import perf_counter

from benchmarks.frames import frame
from benchmarks.harness import Refused, Result, Rounds, Size, digest, in_turn, ratio
from codec.batch import Batch
from codec.words import RowKind
from engine.command.replay import Report, replay
from engine.filter.rulebook import Rulebook, default_text
from engine.journal.layout import SEGMENT_HEADER_BYTES, Entry, Header, encode_entry, entry_bytes
from engine.journal.recovery import segment_name
from engine.words import Change

RECEIVED_NS = 1_767_225_600_000_000_000
BASE = 1_767_225_600_000_000
NAME = bytes(range(16))
SEGMENT_BYTES = 64 << 20
SIGNALS: dict[Size, int] = {"smoke": 20_000, "full": 10_000_000}
ROWS_OF_AN_ENTRY = (1, 256)
READ_BYTES = 1 << 20
BLOCK_ROWS = 16_384              # signals that are made once and written again and again
TRANSMITTERS = 10_000
# class, condition and state of the signals, by their last digits
FIRE, GAS, SUPERVISORY, FAULT, TEST = 1, 2, 4, 5, 7
RAISED, CLEARED = 1, 2


@dataclass(frozen=True, slots=True)
class History:
    """What was written."""
    rows: int
    bytes: int


def run(size: Size, rounds: int = 3) -> list[Result]:
    """Measure reading and judging in turn, for each number of rows an entry."""
    signals = int(os.environ.get("TOCSIN_REPLAY_SIGNALS") or SIGNALS[size])
    results = []
    for rows in ROWS_OF_AN_ENTRY:
        results += run_sides(size, rounds, signals, rows, worst=False)
    return results + run_sides(size, rounds, max(signals // 10, 1), ROWS_OF_AN_ENTRY[-1], worst=True)


def run_sides(size: Size, rounds: int, signals: int, rows: int, *, worst: bool) -> list[Result]:
    reports: list[Report] = []
    with tempfile.TemporaryDirectory(prefix="tocsin-replay-") as name:
        directory = Path(name)
        history = write(directory, signals, rows, worst)

        def judge() -> float:
            begin = perf_counter()
            reports.append(replay(directory, other_rules(worst), limit=100))
            return history.rows / (perf_counter() - begin)

        def cold(side: Callable[[], float]) -> float:
            drop(directory)
            return side()

        def readonly() -> float:
            return history.rows / read(directory)

        sides: dict[str, Callable[[], float]] = {"read": lambda: cold(readonly), "judge": lambda: cold(judge),
                                                 "read_cached": readonly, "judge_cached": judge}
        if worst:
            sides = {"worst_read": readonly, "worst": judge}
        found = in_turn(rounds, sides)
    report = reports[0]
    if report.rows != history.rows or report.notes:
        raise Refused(f"{report.rows} rows of {history.rows} were judged: {report.notes}")
    against = {"judge": "read", "judge_cached": "read_cached", "worst": "worst_read"}
    return [result(size, f"{side}.{rows}", history, found[side], found[against.get(side, side)], report)
            for side in sides]


def result(size: Size, name: str, history: History, one: Rounds, reading: Rounds, report: Report) -> Result:
    facts: dict[str, float | int | str] = {
        "bytes": history.bytes, "gb_per_s": history.bytes / history.rows * one.median / 1e9,
        "alarms_differing": report.telling.alarms, "differences": report.comparison.differences,
        "ratio_to_read": ratio(one, reading)}
    return Result(f"replay.{name}", size, history.rows, "signal", one.median, one.spread,
                  digest(repr(report.comparison.tallies()).encode()), facts)


def drop(directory: Path) -> None:
    """Drop the files from the page cache."""
    for path in directory.iterdir():
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)               # what is not yet written would stay
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)


def other_rules(worst: bool) -> Rulebook:
    """Return the shipped rules with one more: for the buildings of one area, in the worst case for all."""
    change = "" if worst else 'area = ["t21"]\n'
    rule = f'[[rule]]\nname = "other"\ncondition = ["smoke"]\n{change}verified = "at_once"\npriority = 1\n\n'
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
    """Write a journal: the registry, then so many signals at least, as an engine would but not durably."""
    places = [row for who in range(TRANSMITTERS) for row in place_of(who)]
    registry = [batch.encode() for batch in entries_of(places, 256)]
    blocks = [batch.encode() for batch in entries_of([row_of(index, worst) for index in range(BLOCK_ROWS)], rows)]
    payloads = chain(registry, islice(cycle(blocks), -(-signals // rows)))
    ordinal, previous, number, at, total = 1, 0, BASE, SEGMENT_HEADER_BYTES, 0
    header = Header(NAME, ordinal, RECEIVED_NS, BASE, 0, 0, 0)
    out = [header.encode()]
    for payload in payloads:
        count = int.from_bytes(payload[4:8], "little")
        entry = Entry(number, count, 0, previous, payload)
        if at + entry_bytes(len(payload)) > SEGMENT_BYTES:
            total += flush(directory, ordinal, out)
            ordinal += 1
            header = Header(NAME, ordinal, RECEIVED_NS, number, previous, at, 0)
            at, out = SEGMENT_HEADER_BYTES, [header.encode()]
        out.append(encode_entry(entry, header.seed))
        at += len(out[-1])
        previous = entry.last
        number += count
    return History(number - BASE, total + flush(directory, ordinal, out))


def flush(directory: Path, ordinal: int, parts: list[bytes]) -> int:
    return (directory / segment_name("journal", ordinal)).write_bytes(b"".join(parts))


def entries_of(rows: list[dict[str, object]], each: int) -> list[Batch]:
    """Return rows in batches of `each`."""
    batches = []
    for start in range(0, len(rows), each):
        some = rows[start:start + each]
        batch = Batch(len(some), len(some) * 512)
        for row in some:
            assert batch.add(**row)      # type: ignore[arg-type]
        batches.append(batch)
    return batches


def place_of(who: int) -> list[dict[str, object]]:
    """Return the rows that register a building and its transmitter."""
    building = f"B{who}\t40\t{17000 + who % 130}\tt{who % 1000}\tmarket\trules\tChợ số {who}"
    change = {"kind": int(RowKind.ROW_CHANGE), "received_ns": RECEIVED_NS}
    return [{**change, "condition": int(Change.CHANGE_FACILITY), "native": building},
            {**change, "condition": int(Change.CHANGE_TRANSMITTER), "native": f"B{who}\t0\t0\t0\tviettel",
             "protocol": 1, "account": f"{who:06X}"}]


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
