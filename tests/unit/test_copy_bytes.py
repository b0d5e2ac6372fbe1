"""The bytes of a binary COPY, taken apart by the letter of PostgreSQL's documentation."""
from __future__ import annotations

import struct

import pytest

from codec.batch import Batch
from engine.store import copy, entries
from engine.store.copy import EventCopy, HeartbeatCopy, PathCopy, RollupCopy, SignalCopy
from tests.integration.store_rows import NO_ROW, NOW_NS, entry, event, outcome

US_2000 = 946_684_800_000_000


def fields(data: bytes) -> list[list[bytes | None]]:
    """Return the fields of each row; asserts header and trailer."""
    assert data[:19] == b"PGCOPY\n\xff\r\n\0" + bytes(8)
    at, rows = 19, []
    while (count := struct.unpack_from(">h", data, at)[0]) != -1:
        at += 2
        row: list[bytes | None] = []
        for _ in range(count):
            size = struct.unpack_from(">i", data, at)[0]
            at += 4
            row.append(None if size < 0 else data[at:at + size])
            at += max(size, 0)
        rows.append(row)
    assert at + 2 == len(data)
    return rows


def number(field: bytes | None) -> int:
    assert field is not None
    return int.from_bytes(field, "big", signed=True)


def test_canaries_are_no_rows() -> None:
    batch = Batch(2, 512)
    batch.add(kind=7, protocol=1, account="0000", received_ns=NOW_NS)
    batch.add(protocol=1, account="0001", signal_class=1, state=1, received_ns=NOW_NS)
    made = outcome([(1, 7, 10, 2), (1, 1, 1, 2)], [event(5, 77, 77, verification=6), event(6, 78, 78)])
    signals, events = SignalCopy(), EventCopy()
    assert signals.add(batch, made, 77, 0, 2, 0) == 1
    assert (events.add(batch, made, 0, 2), events.add(batch, made, 0, 1)) == (1, 0)
    assert [number(row[0]) for row in fields(bytes(memoryview(events)))] == [6]


def test_a_signal_field_by_field() -> None:
    batch = Batch(1, 512)
    batch.add(protocol=2, account="889", realm="nghe-an", point="1/2", native="é", details='{"room":"é"}',
              signal_class=10, condition=128,
              state=3, flags=36, sequence=0xFFFFFFFF, path=0xFFFFFFFE, received_ns=NOW_NS + 999,
              occurred_ns=NOW_NS - 1, raw=b"\x00\xff")
    rows = SignalCopy(5)
    assert rows.add(batch, outcome([(3, 5, 65535, 0xFFFFFFFF)]), 77, 0, 1, 0) == 1
    [row] = fields(bytes(memoryview(rows)))
    named = dict(zip(copy.SIGNAL_COLUMNS, row, strict=True))
    assert number(named["id"]) == 5 << 53 | 77
    assert number(named["received_at"]) == NOW_NS // 1000 - US_2000
    assert number(named["occurred_at"]) == NOW_NS // 1000 - US_2000 - 1
    assert number(named["path"]) == 0xFFFFFFFE
    assert number(named["sequence"]) == 0xFFFFFFFF
    assert number(named["flags"]) == 36
    assert (number(named["rule"]), number(named["rule_version"])) == (65535, 0xFFFFFFFF)
    texts = ("protocol", "account", "realm", "class", "condition", "state", "point", "verdict", "reason")
    assert [named[name] for name in texts] == [
        b"gbt26875", b"889", b"nghe-an", b"info", b"remote", b"info", b"1/2", b"suppress", b"class_off"]
    assert named["details"] == b"\x01" + '{"room":"é"}'.encode()
    assert (named["native"], named["raw"]) == ("é".encode(), b"\x00\xff")


@pytest.mark.parametrize("occurred_ns", [
    None, -1, -(1 << 63) + 1, (1 << 63) - 1, 7_258_118_400 * 10**9])
def test_an_insane_time_is_null(occurred_ns: int | None) -> None:
    batch = Batch(1, 16)
    batch.add(signal_class=1, received_ns=NOW_NS, occurred_ns=occurred_ns)
    rows = SignalCopy()
    rows.add(batch, outcome([(1, 1, 0, 0)]), 1, 0, 1, 0)
    assert fields(bytes(memoryview(rows)))[0][2] is None


def test_a_number_without_a_word_is_null() -> None:
    batch = Batch(1, 16)
    batch.add(signal_class=200, protocol=255, condition=65535, state=99, received_ns=NOW_NS)
    rows = SignalCopy()
    rows.add(batch, outcome([(250, 251, 0, 0)]), 1, 0, 1, 0)
    named = dict(zip(copy.SIGNAL_COLUMNS, fields(bytes(memoryview(rows)))[0], strict=True))
    absent = ("class", "protocol", "condition", "state", "verdict", "reason", "details")
    assert [named[name] for name in absent] == [None] * 7


def test_ranges_kinds_and_dropped_days() -> None:
    batch = Batch(8, 64)
    for index in range(6):
        kind = 3 if index == 2 else 1
        batch.add(kind=kind, signal_class=1 if kind == 1 else 0, received_ns=NOW_NS + index)
    verdicts = outcome([(1, 1, 0, 0)] * 6)
    rows = SignalCopy()
    assert rows.add(batch, verdicts, 100, 1, 5, NOW_NS + 2) == 2
    assert (rows.rows, rows.skipped) == (2, 1)
    assert [number(row[0]) for row in fields(bytes(memoryview(rows)))] == [103, 104]
    rows.clear()
    assert (rows.rows, rows.skipped, fields(bytes(memoryview(rows)))) == (0, 0, [])
    assert [entries.is_signal(batch, index) for index in range(4)] == [True, True, False, True]
    with pytest.raises(IndexError):
        entries.is_signal(batch, 6)


def test_nothing_is_added_while_the_bytes_are_lent() -> None:
    first, batch, verdicts = entry(1, 2)
    rows = SignalCopy()
    with memoryview(rows):
        with pytest.raises(AssertionError):
            rows.add(batch, verdicts, first, 0, 2, 0)
        with pytest.raises(AssertionError):
            rows.clear()
    assert rows.add(batch, verdicts, first, 0, 2, 0) == 2


@pytest.mark.parametrize("begin, end", [(0, 3), (2, 1)])
def test_a_range_beyond_the_batch_is_ours(begin: int, end: int) -> None:
    first, batch, verdicts = entry(1, 2)
    with pytest.raises(AssertionError):
        SignalCopy().add(batch, verdicts, first, begin, end, 0)


def test_an_event_field_by_field() -> None:
    _, batch, _ = entry(8, 1, realm="r", details='{"a":1}')
    rows = EventCopy(1)
    events = [event(9, 8, 7), event(10, 8, 7, 2, 2), event(11, 8, 7, 2, 2, row=NO_ROW, json=b"{}")]
    made = outcome([], events)
    assert rows.add(batch, made, 1, 3) == 2
    first, second = (dict(zip(copy.EVENT_COLUMNS, row, strict=True)) for row in fields(bytes(memoryview(rows))))
    assert [number(first[name]) & (1 << 53) - 1 for name in ("number", "signal_id", "alarm_id")] == [10, 8, 7]
    assert number(first["number"]) >> 53 == 1
    assert (first["type"], first["verification"], first["data"]) == (b"updated", b"unconfirmed", None)
    assert (number(first["priority"]), number(first["count"]), number(first["revision"])) == (9, 2, 2)
    told = ("occurred_at", "protocol", "account", "realm", "signal_class", "point", "native", "details")
    assert [first[name] for name in told] == [None, b"dc09", b"1234", b"r", b"fire", b"1/2", b"FA 8", b'\x01{"a":1}']
    assert (second["data"], second["point"], second["signal_class"]) == (b"\x01{}", b"", b"fire")
    assert {second[name] for name in told if name not in ("point", "signal_class")} == {None}
    assert (entries.numbers_of(made, 2), entries.json_of(made, 2)) == ((11, 8), b"{}")


def test_an_event_of_a_row_beyond_the_batch_is_ours() -> None:
    with pytest.raises(AssertionError):
        EventCopy().add(Batch(1, 16), outcome([], [event(9, 8, 7)]), 0, 1)


def test_side_rows() -> None:
    paths, beats, rollups = PathCopy(), HeartbeatCopy(), RollupCopy()
    paths.add("k", 3, receiver="", supervision_ms=5, last_seen_ns=NOW_NS)
    named = dict(zip(copy.PATH_COLUMNS, fields(bytes(memoryview(paths)))[0], strict=True))
    assert (named["key"], number(named["number"]), named["receiver"], named["line"]) == (b"k", 3, b"", None)
    assert (number(named["supervision_ms"]), named["enrolled_at"]) == (5, None)
    beats.add("k", NOW_NS)
    assert fields(bytes(memoryview(beats)))[0][0] == b"k"
    rollups.add("k", NOW_NS, 2, 3)
    assert [number(field) for field in fields(bytes(memoryview(rollups)))[0][2:]] == [2, 3]


def test_it_grows() -> None:
    rows = SignalCopy()
    for first in range(0, 5000, 500):
        _, batch, verdicts = entry(first, 500)
        rows.add(batch, verdicts, first, 0, 500, 0)
    data = bytes(memoryview(rows))
    assert len(data) == len(rows)
    assert [number(row[0]) for row in fields(data)] == list(range(5000))
    assert len(data) < sum(copy.entry_bytes(*entry(first, 500)[1:]) for first in range(0, 5000, 500))


def test_days_and_raw() -> None:
    batch = Batch(4, 64)
    for received_ns in (NOW_NS, NOW_NS - 1, NOW_NS, -1):
        batch.add(signal_class=1, received_ns=received_ns, raw=b"x%d" % (received_ns % 7))
    day = NOW_NS // (86_400 * 10**9)
    assert entries.days(batch) == {day, day - 1}
    assert entries.raw_of(batch, 0) == b"x%d" % (NOW_NS % 7)
    with pytest.raises(IndexError):
        entries.raw_of(batch, 4)
