"""Which rows of a batch become begins and ends of line faults, and their bytes."""
from __future__ import annotations

import struct

from codec.batch import Batch
from codec.words import Condition, SignalClass, State
from engine.store.line_fault_rows import LINE_FAULT_COLUMNS, LineFaultCopy

US_2000 = 946_684_800_000_000
LINE_FAULT = int(Condition.CONDITION_LINE_FAULT)


def values(data: bytes) -> list[list[bytes]]:
    """Take a COPY apart; no field of these is NULL."""
    rows, at = [], 19
    while (count := struct.unpack_from(">h", data, at)[0]) != -1:
        at, row = at + 2, []
        for _ in range(count):
            size = struct.unpack_from(">i", data, at)[0]
            row.append(data[at + 4:at + 4 + size])
            at += 4 + size
        rows.append(row)
    assert at == len(data) - 2
    return rows


def batch_of(*rows: dict[str, object]) -> Batch:
    batch = Batch(8, 4096)
    for row in rows:
        assert batch.add(**{"protocol": 1, "account": "0D01", "point": "default/R1/L0",  # type: ignore[arg-type]
                            "signal_class": int(SignalClass.CLASS_FAULT), "condition": LINE_FAULT,
                            "state": int(State.STATE_RAISED), "received_ns": 1_999, **row})
    return Batch.view(batch.encode())


def test_our_own_line_faults_alone() -> None:
    batch = batch_of({}, {"condition": LINE_FAULT - 1}, {"identity": b"frame"}, {"kind": 2},
                     {"state": int(State.STATE_CLEARED), "realm": "nghe-an", "received_ns": 5_000})
    copy = LineFaultCopy(partition=1)
    assert copy.add(batch, 100, 0, 5, 0) == 2
    raised, cleared = values(bytes(memoryview(copy)))
    assert raised == [struct.pack(">q", 1 << 53 | 100), struct.pack(">q", 1 - US_2000), b"\1", b"dc09", b"0D01", b"",
                      b"default/R1/L0"]
    assert cleared == [struct.pack(">q", 1 << 53 | 104), struct.pack(">q", 5 - US_2000), b"\0", b"dc09", b"0D01",
                       b"nghe-an", b"default/R1/L0"]
    assert len(raised) == len(LINE_FAULT_COLUMNS)
    copy.clear()
    assert (copy.rows, values(bytes(memoryview(copy)))) == (0, [])


def test_parts_and_dropped_days() -> None:
    batch, copy = batch_of({}, {"received_ns": 10}, {}), LineFaultCopy()
    assert copy.add(batch, 7, 1, 3, 100) == 1
    assert [row[0] for row in values(bytes(memoryview(copy)))] == [struct.pack(">q", 9)]
