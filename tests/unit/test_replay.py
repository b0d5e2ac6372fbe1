"""Kept history judged again: a small journal with expectations worked by hand, and journals as crashes leave them."""
import asyncio
import dataclasses
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.batch import Batch
from codec.words import Condition, RowKind, SignalClass, State
from engine.clock import Clock
from engine.command import main
from engine.command.replay import replay
from engine.filter.outcome import Outcome
from engine.filter.rulebook import Rulebook, default_rulebook, default_text
from engine.journal import Journal, JournalSettings, RealDisk
from engine.replay.compare import Comparison
from engine.replay.gather import rules_in
from engine.replay.history import History, HistoryError, Rooms, Start
from engine.replay.judging import InForce, judge, new_filter, newest_rules
from engine.replay.telling import Telling
from engine.words import Change

SECOND = 10**9
START = 1_767_225_600 * SECOND   # 2026-01-01T00:00:00Z
FIRE, SECURITY, FAULT, TEST = (SignalClass.CLASS_FIRE, SignalClass.CLASS_SECURITY, SignalClass.CLASS_FAULT,
                               SignalClass.CLASS_TEST)
RAISED, CLEARED = State.STATE_RAISED, State.STATE_CLEARED
FOREVER = 1 << 62
BEGIN = Start(0, None, 1, START, "")


def row(second: int, signal_class: int, state: int, account: str = "1234", point: str = "1/003",
        condition: int = 0, **more: Any) -> dict[str, Any]:
    return {"protocol": 1, "account": account, "point": point, "received_ns": START + second * SECOND,
            "signal_class": signal_class, "state": state, "condition": condition, **more}


def batch_of(rows: list[dict[str, Any]]) -> Batch:
    batch = Batch(len(rows), 65536)
    for one in rows:
        assert batch.add(**one)
    return batch


def in_journal(directory: Path, use: Callable[[Journal], Awaitable[None]], segment_bytes: int = 64 << 10) -> None:
    """Open the journal of a data directory, begin one where there is none, and let it be used."""
    async def run() -> None:
        disk = RealDisk(directory / "journal")
        journal = await Journal.open(disk, Clock(), JournalSettings(segment_bytes=segment_bytes))
        try:
            await use(journal)
        finally:
            await journal.close()
            await disk.close()
    asyncio.run(run())


def write(directory: Path, entries: list[list[dict[str, Any]]], segment_bytes: int = 64 << 10) -> None:
    async def append(journal: Journal) -> None:
        for rows in entries:
            await journal.append(0, batch_of(rows))
    in_journal(directory, append, segment_bytes)


# A burglary and a fire; 40 seconds later both restore; then a fault and a second burglary elsewhere.
DAY = [
    [row(0, SECURITY, RAISED, point="9"), row(10, FIRE, RAISED, condition=Condition.CONDITION_SMOKE)],
    [row(40, FIRE, CLEARED, condition=Condition.CONDITION_SMOKE)],
    [row(50, SECURITY, CLEARED, point="9")],
    [row(60, FAULT, RAISED, "5678"), row(70, SECURITY, RAISED, "5678", point="4"), row(80, FIRE, RAISED, "5678")],
]


def numbers(directory: Path) -> list[int]:
    return [first + at for first, batch in History(directory / "journal").batches(0, Rooms(1))
            for at in range(len(batch))]


def judged(directory: Path, since_ns: int = 0, until_ns: int = FOREVER) -> tuple[Comparison, Telling, int]:
    """Judge with security signals off, and with them on."""
    history = History(directory / "journal")
    start = history.start(since_ns)
    book = default_rulebook()
    other = dataclasses.replace(book, version=book.version + 1, security=True)
    comparison, in_force = Comparison(since_ns, until_ns), InForce(book)
    telling = Telling(in_force.by_version, other, 100)
    rows = judge(history, start, new_filter(start, book, fixed=False), new_filter(start, other, fixed=True), comparison,
                 until_ns, telling.take, in_force)
    telling.complete(history)
    return comparison, telling, rows


def told(telling: Telling) -> dict[int, tuple[str, str]]:
    """Return what was and what would be, by the number of the alarm or signal."""
    return {number: tuple(side.kind + (f" {side.type}" if side.type else "") if side else "nothing"    # type: ignore
                          for side in (changed.was, changed.would)) for number, changed in telling.changed.items()}


def test_what_would_have_been_forwarded(tmp_path: Path) -> None:
    write(tmp_path, DAY)
    burglary, fire, _, _, _, second, later = numbers(tmp_path)
    comparison, telling, rows = judged(tmp_path)
    assert rows == comparison.signals == 7
    # The burglar opens the alarm at its place, and the fire is an update of that one; restores end it with the last.
    assert told(telling) == {
        burglary: ("stored only", "forwarded raised"), fire: ("forwarded raised", "forwarded updated"),
        second: ("stored only", "forwarded raised"), later: ("forwarded raised", "forwarded updated")}
    was, would = comparison.tallies()
    assert was["verdicts"] == {("forward", "alarm"): 2, ("forward", "restore"): 1, ("suppress", "class_off"): 3,
                               ("suppress", "state"): 1}
    assert would["verdicts"] == {("forward", "alarm"): 4, ("forward", "restore"): 2, ("suppress", "state"): 1}
    assert was["events"] == {("raised", "unconfirmed"): 2, ("cleared", "unconfirmed"): 1}
    assert would["events"] == {("raised", "unconfirmed"): 2, ("updated", "unconfirmed"): 3,
                               ("cleared", "unconfirmed"): 1}
    assert was["priorities"] == {2: 2}
    assert would["priorities"] == {6: 2}
    first = telling.changed[burglary].first
    assert first is not None
    assert (first["class"], first["point"]) == (SECURITY, "9")
    assert telling.changed[burglary].differences == 2


def change(second: int, kind: int, native: str, **more: Any) -> dict[str, Any]:
    return {"kind": RowKind.ROW_CHANGE, "condition": kind, "native": native, "received_ns": START + second * SECOND,
            **more}


def registered(second: int, facility: str, area: str, kind: str, name: str, account: str) -> list[dict[str, Any]]:
    """A building and its transmitter, as the registry's follower journals them."""
    return [change(second, Change.CHANGE_FACILITY, "\t".join([facility, *area.split("/"), kind, "rules", name])),
            change(second, Change.CHANGE_TRANSMITTER, f"{facility}\t0\t0\t0\tviettel", protocol=1, account=account)]


SMOKE = int(Condition.CONDITION_SMOKE)
PROVINCE = [
    registered(0, "bv-1", "40/17257/vinh-1", "hospital", "Bệnh viện A", "1111"),
    registered(0, "cho-2", "38/16000/tk-3", "market", "Chợ B", "2222"),
    [row(10, FIRE, RAISED, "1111", "1/003", SMOKE)],
    [row(20, FIRE, RAISED, "1111", "2/001", SMOKE)],                 # a second zone: confirmed by the shipped rules
    [row(30, FIRE, RAISED, "2222", "7", SMOKE), row(40, FIRE, RAISED, "9999", "1", SMOKE)],
    [row(50, FIRE, CLEARED, "1111", "1/003", SMOKE)],
]
OTHER = """
version = 7
[[rule]]
name = "hospitals"
class = ["fire"]
facility_kind = ["hospital"]
verified = "at_once"
[[rule]]
name = "markets"
area = ["38"]
verified = "none"
priority = 2
[[rule]]
name = "rest"
verified = "as_facility"
by = ["another_detector", "another_zone"]
within = "10m"
"""


def test_alarm_by_alarm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, PROVINCE)
    file = tmp_path / "other.toml"
    file.write_text(OTHER)
    _, _, _, _, hospital, _, market, unknown, _ = numbers(tmp_path)
    assert main(["replay", "--rules", str(file), "--data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"""
2026-01-01T00:00:10.000000Z  Bệnh viện A (bv-1) 40/17257/vinh-1
    alarm {hospital}: fire smoke 1/003; dc09:1111; 3 differences, the first:
    was       forwarded as raised, unconfirmed, priority 2; rule as-facility, version 3
    would be  forwarded as raised, confirmed, priority 1, at once; rule hospitals, version 7

2026-01-01T00:00:30.000000Z  Chợ B (cho-2) 38/16000/tk-3
    alarm {market}: fire smoke 7; dc09:2222
    was       forwarded as raised, unconfirmed, priority 2; rule as-facility, version 3
    would be  forwarded as raised, unconfirmed, priority 4; rule markets, version 7
""".replace("; 3 differences", "; 2 differences") in said
    assert str(unknown) not in said
    assert "\n2 alarms would have been told differently, and 0 signals without an alarm.\n" in said
    lines = [" ".join(line.split()) for line in said.splitlines()]
    for line in ("signals 5 5 +0", "forwarded 5 5 +0", "alarm 3 2 -1", "at once 0 2 +2", "coincidence 1 0 -1",
                 "restore 1 1 +0", "held 0 0 +0", "events 5 5 +0", "raised 3 3 +0", "unconfirmed 3 2 -1",
                 "confirmed 2 3 +1", "alarms raised with priority 1 0 1 +1", "alarms raised with priority 2 3 1 -2",
                 "alarms raised with priority 4 0 1 +1"):
        assert line in lines, line


@pytest.mark.parametrize(("area", "alarms"), [
    ("40", 1), ("40/17257", 1), ("40/17257/vinh-1", 1), ("17257", 1), ("vinh-1", 1), ("38", 1), ("4", 0), ("vinh", 0),
    ("40/1", 0), ("17257/vinh-1", 0), ("tk-3", 1), ("40/17257/vinh-1/x", 0),
])
def test_one_area(tmp_path: Path, capsys: pytest.CaptureFixture[str], area: str, alarms: int) -> None:
    write(tmp_path, PROVINCE)
    file = tmp_path / "other.toml"
    file.write_text(OTHER)
    assert main(["replay", "--rules", str(file), "--data", str(tmp_path), "--json", "--area", area]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["alarms"]) == found["alarms_differing"] == alarms
    # The one that nobody registered is told in every area.
    assert {"what": "events", "was": 1, "would_be": 1} in found["summary"] or alarms
    assert not any(line["what"] == "signals" for line in found["summary"])


def test_rules_that_changed_meanwhile(tmp_path: Path) -> None:
    """Was: by the rules in force at each signal. Would be: by the other ones throughout."""
    middle = Rulebook.read(OTHER)
    write(tmp_path, [*PROVINCE[:4], [rules_row(25, middle.to_json())], *PROVINCE[4:]])
    report = replay(tmp_path / "journal", dataclasses.replace(middle, version=8))
    assert [(changed.facility, changed.was and changed.was.rule_version, changed.would and changed.would.rule_version)
            for changed in report.sorted()] == [("bv-1", 3, 8)]
    assert sorted(report.in_force.by_version) == [3, 7]


def test_same_rules_differ_in_nothing(tmp_path: Path) -> None:
    write(tmp_path, DAY)
    history = History(tmp_path / "journal")
    start = history.start(0)
    comparison = Comparison(0, FOREVER)
    book = default_rulebook()
    rows = judge(history, start, new_filter(start, book, fixed=False), new_filter(start, book, fixed=True), comparison,
                 FOREVER, lambda judged: pytest.fail(str(judged.differing)))
    assert (rows, comparison.differences) == (7, 0)
    assert comparison.tallies()[0] == comparison.tallies()[1]


def test_only_what_was_received_between(tmp_path: Path) -> None:
    """What was before is judged all the same: the restore of second 50 still finds the burglary of second 0."""
    write(tmp_path, DAY)
    comparison, telling, rows = judged(tmp_path, START + 45 * SECOND, START + 60 * SECOND)
    assert rows == 7
    assert comparison.signals == 1
    assert [changed.would.type for changed in telling.changed.values() if changed.would] == ["cleared"]
    changed = next(iter(telling.changed.values()))
    assert changed.number == numbers(tmp_path)[0]
    assert changed.first is not None             # looked up in the file: its own difference was not asked for
    assert changed.first["point"] == "9"


def test_beside_an_engine_that_writes(tmp_path: Path) -> None:
    async def use(journal: Journal) -> None:
        for rows in DAY:
            await journal.append(0, batch_of(rows))
        assert len(numbers(tmp_path)) == 7       # the file is prepared beyond what is written
        report = replay(tmp_path / "journal", default_rulebook())
        assert (report.rows, report.notes) == (7, [])
        path, _ = History(tmp_path / "journal").segments[-1]
        with path.open("r+b") as file:           # as a reader sees it in the middle of a write
            end = len(file.read().rstrip(b"\0")) + 7 & ~7
            file.seek(end)
            file.write(b"\xa7TOE" + b"\x01" * 100)
            assert len(numbers(tmp_path)) == 7
            assert replay(tmp_path / "journal", default_rulebook()).notes == []
            file.seek(end)
            file.write(bytes(104))
    in_journal(tmp_path, use)


def test_a_torn_end(tmp_path: Path) -> None:
    write(tmp_path, DAY)
    path = History(tmp_path / "journal").segments[-1][0]
    data = path.read_bytes().rstrip(b"\0")
    path.write_bytes(data[:-40])
    report = replay(tmp_path / "journal", default_rulebook())
    assert (report.rows, report.notes) == (4, [])


def many(count: int) -> list[list[dict[str, Any]]]:
    """Entries of one row: fires of as many transmitters, and a burglary at the last of each ten."""
    return [[row(at, SECURITY if at % 10 == 9 else FIRE, RAISED, f"{at:04X}", raw=bytes(300))] for at in range(count)]


def test_damage_is_told_and_passed_over(tmp_path: Path) -> None:
    write(tmp_path, many(400), segment_bytes=64 << 10)
    history = History(tmp_path / "journal")
    assert len(history.segments) > 2
    path = history.segments[1][0]
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)
    _, telling, rows = judged(tmp_path)
    assert rows == 399
    report = replay(tmp_path / "journal", default_rulebook())
    assert len(report.notes) == 1
    assert "cannot be read and are passed over" in report.notes[0]
    assert path.name in report.notes[0]
    assert telling.alarms >= 39


def test_a_copied_directory_whose_end_is_cut(tmp_path: Path) -> None:
    """A closed file that is shorter than its successor says."""
    write(tmp_path / "a", many(400))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    path, _ = History(tmp_path / "b" / "journal").segments[1]
    with path.open("r+b") as file:
        file.truncate(20_000)
    report = replay(tmp_path / "b" / "journal", default_rulebook())
    assert report.notes
    assert report.rows < 400


def test_before_the_first_that_is_kept(tmp_path: Path) -> None:
    write(tmp_path, many(400))
    report = replay(tmp_path / "journal", default_rulebook(), START - 3600 * SECOND)
    assert report.notes == ["nothing is kept from before 2026-01-01T00:00:00.000000Z; the time asked for is earlier"]
    history = History(tmp_path / "journal")
    history.segments[0][0].unlink()              # as retention does
    report = replay(tmp_path / "journal", default_rulebook(), START)
    assert len(report.notes) == 2
    assert report.notes[0].startswith("nothing is kept from before 2026-01-01T00:0")
    assert report.notes[1].startswith("older history is deleted and no snapshot is older than the time asked for: ")
    assert report.rows == 400 - (history.segments[1][1].previous_last - history.segments[0][1].base + 1)
    assert "Note: nothing is kept from before " in "\n".join(report.lines())


def test_from_a_snapshot_when_the_beginning_is_gone(tmp_path: Path) -> None:
    """A fire is open at the snapshot, the entries that raised it are deleted: its restore is still told as one."""
    write(tmp_path, many(400))
    history = History(tmp_path / "journal")
    start = history.start(0)
    judging = new_filter(start, default_rulebook(), fixed=False)
    for first, batch in history.batches(0, Rooms(1)):
        judging.apply(first, batch)

    async def use(journal: Journal) -> None:
        lease = await anext(journal.acquire())
        await journal.snapshot(lease, "engine", judging.position, {"filter": judging.save()})
        later = Clock().wall_ns() + 60 * SECOND
        await journal.append(0, batch_of([dict(row(0, FIRE, CLEARED, "0000"), received_ns=later)]))
    in_journal(tmp_path, use)
    history.segments[0][0].unlink()
    report = replay(tmp_path / "journal", default_rulebook(), Clock().wall_ns() + 30 * SECOND)
    assert (report.rows, report.notes) == (1, [])
    assert report.comparison.tallies()[0]["verdicts"] == {("forward", "restore"): 1}


def test_rows_joined_across_entries_are_judged_as_one_by_one(tmp_path: Path) -> None:
    entries = [*many(50), *DAY, [row(99, FIRE, CLEARED, f"{at:04X}") for at in range(50)]]
    write(tmp_path, entries)
    history = History(tmp_path / "journal")
    start = history.start(0)
    one, joined = [new_filter(start, default_rulebook(), fixed=False) for _ in range(2)]
    number, verdicts, events = history.segments[0][1].base, [], []
    for rows in entries:
        outcome = Outcome.view(one.apply(number, batch_of(rows)))
        verdicts += [outcome.verdict(at) for at in range(len(outcome))]
        events += [outcome.event(at)["block"] for at in range(outcome.events_in)]
        number += len(rows)
    found = list(history.batches(0, Rooms(8)))
    assert len(found) < 4                        # 55 entries in all
    for first, batch in found:
        outcome = Outcome.view(joined.apply(first, batch))
        assert verdicts[:len(outcome)] == [outcome.verdict(at) for at in range(len(outcome))]
        assert events[:outcome.events_in] == [outcome.event(at)["block"] for at in range(outcome.events_in)]
        del verdicts[:len(outcome)]
        del events[:outcome.events_in]
        batch.check()
    assert not verdicts
    assert one.save() == joined.save()


def test_large_entries(tmp_path: Path) -> None:
    """Such as a storm makes: more rows than a batch takes of small ones."""
    rows = [row(at, FIRE, RAISED, f"{at % 5000:04X}", raw=bytes(60)) for at in range(12_000)]
    big = Batch(12_000, 4 << 20)
    for one in rows:
        assert big.add(**one)

    async def use(journal: Journal) -> None:
        await journal.append(0, batch_of(DAY[0]))
        await journal.append(0, big)
        await journal.append(0, batch_of(DAY[1]))
    in_journal(tmp_path, use, segment_bytes=8 << 20)
    assert [len(batch) for _, batch in History(tmp_path / "journal").batches(0, Rooms(8))] == [12_002, 1]
    assert replay(tmp_path / "journal", default_rulebook()).rows == 12_003


def test_the_rules_that_a_journal_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    older = dataclasses.replace(default_rulebook(), version=11)
    newer = dataclasses.replace(older, version=12)
    write(tmp_path, [[rules_row(0, older.to_json())], *DAY, [rules_row(90, newer.to_json())], *DAY])
    history = History(tmp_path / "journal")
    assert newest_rules(history) == newer
    assert [text for _, batch in history.batches(0, Rooms(1)) for _, text in rules_in(batch)] \
        == [older.to_json(), newer.to_json()]
    assert main(["rules", "--data", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith(f"Rules, version 12, {newer.digest} (in force, says the journal")
    file = tmp_path / "new.toml"
    file.write_text(default_text().replace("version = 3", "version = 12").replace("5m", "6m"))
    assert main(["rules", str(file), "--data", str(tmp_path)]) == 2
    assert "version = 12: allowed is another number" in capsys.readouterr().err
    report = replay(tmp_path / "journal", default_rulebook())
    assert sorted(report.in_force.by_version) == [11, 12]


def rules_row(second: int, text: str) -> dict[str, Any]:
    return {"kind": RowKind.ROW_CHANGE, "condition": Change.CHANGE_RULES, "native": text,
            "received_ns": START + second * SECOND}


# -- the comparison against a slow one ---------------------------------------------------------------------------


def slow_differences(one: Outcome, other: Outcome, rows: int) -> set[int]:
    """Return the rows of which the two say different things."""
    def said(outcome: Outcome) -> list[list[Any]]:
        out: list[list[Any]] = [[(outcome.verdict(at)["verdict"], outcome.verdict(at)["reason"])] for at in range(rows)]
        for at in range(outcome.events_in):
            event = outcome.event(at)
            out[event["row"]].append(tuple(event[key] for key in (
                "alarm", "type", "class", "verification", "priority", "reason", "accepted")))
        return out
    return {at for at, (was, would) in enumerate(zip(said(one), said(other), strict=True)) if was != would}


SIGNALS = st.lists(st.tuples(
    st.sampled_from([FIRE, SignalClass.CLASS_PREALARM, SECURITY, SignalClass.CLASS_MEDICAL, FAULT, TEST]),
    st.sampled_from([RAISED, CLEARED]), st.sampled_from(["0001", "0002"]), st.sampled_from(["", "1", "2"]),
    st.sampled_from([0, Condition.CONDITION_MANUAL_CALL_POINT])), min_size=1, max_size=30)


@settings(max_examples=100)
@given(SIGNALS, st.booleans(), st.integers(0, 30), st.integers(0, 30))
def test_comparison_against_a_slow_one(signals: list[Any], medical: bool, since: int, length: int) -> None:
    rows = [row(at, signal_class, state, account, point, condition)
            for at, (signal_class, state, account, point, condition) in enumerate(signals)]
    batch = batch_of(rows)
    outcomes = [Outcome.view(new_filter(BEGIN, book, fixed=True).apply(1000, batch)) for book in (
        default_rulebook(), dataclasses.replace(default_rulebook(), security=True, medical=medical))]
    comparison = Comparison(START + since * SECOND, START + (since + length) * SECOND)
    found = comparison.compare(batch, *outcomes)
    wanted = {at for at in slow_differences(*outcomes, len(rows)) if since <= at < since + length}
    assert [at for at, _, _, _ in found] == sorted(wanted)
    for at, one, other, alarm in found:
        for outcome, event in zip(outcomes, (one, other), strict=True):
            made = [index for index in range(outcome.events_in) if outcome.event(index)["row"] == at]
            assert ([] if event is None else [event]) == made
        of = [outcome.event(event)["alarm"] for outcome, event in zip(outcomes, (one, other), strict=True)
              if event is not None]
        assert alarm == (of[0] if of else None)
    was, would = comparison.tallies()
    assert sum(was["verdicts"].values()) == sum(would["verdicts"].values()) == comparison.signals \
        == max(min(len(rows), since + length) - since, 0)


# -- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    file = tmp_path / "new.toml"
    file.write_text(default_text().replace("version = 3", "version = 4"))
    return file


def test_the_command_tells(tmp_path: Path, rules_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, DAY)
    assert main(["replay", "--rules", str(rules_file), "--data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("From 2026-01-01T00:00:00.000000Z to the newest row.\n")
    assert "\nWas: the rules in force then, version 3. Would be: version 4, " in said
    assert "0 alarms would have been told differently, and 0 signals without an alarm.\n" in said
    assert main(["replay", "--rules", str(rules_file), "--data", str(tmp_path), "--json", "--since",
                 "2026-01-01T00:00:45Z"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows_judged"] == 7
    assert found["alarms"] == []
    assert {"what": "signals", "was": 4, "would_be": 4} in found["summary"]


@pytest.mark.parametrize(("options", "said"), [
    (["--since", "yesterday"], "--since 'yesterday': allowed is a time such as "),
    (["--since", "2026-01-02", "--until", "2026-01-01"], "--until 2026-01-01: allowed is a time after --since"),
    (["--area", "a b"], "--area 'a b': allowed are codes of areas"),
    (["--limit", "-1"], "--limit -1: allowed is 0 or more"),
    (["--paths", "1"], "--paths 1: allowed is 1000 to 100000000"),
    (["--rules", "/none"], "--rules: /none: No such file or directory; allowed is a readable TOML file"),
])
def test_options_that_cannot_be_used(tmp_path: Path, rules_file: Path, capsys: pytest.CaptureFixture[str],
                                     options: list[str], said: str) -> None:
    assert main(["replay", "--rules", str(rules_file), "--data", str(tmp_path), *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"tocsin replay: {said}")
    assert error.count("\n") == 1


def test_without_history(tmp_path: Path, rules_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "--rules", str(rules_file), "--data", str(tmp_path)]) == 1
    assert "holds no journal" in capsys.readouterr().err
    write(tmp_path, [])
    with pytest.raises(HistoryError, match="holds no row yet"):
        replay(tmp_path / "journal", default_rulebook())
