"""What the store's tests are made of: batches and outcomes from plain values, and a source over a list."""
from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator

from codec.batch import Batch
from codec.words import Condition, SignalClass, State
from engine.filter.outcome import Outcome
from engine.store.source import Ahead, Entry, Trimmed

NOW_NS = 1_767_225_600_000_000_000       # 2026-01-01 00:00 UTC
SECOND_NS = 1_000_000_000
NO_ROW = 0xFFFFFFFF                      # an event that no row of its batch made keeps its JSON
EVENT_FIELDS = (("number", "Q"), ("alarm", "Q"), ("signal", "Q"), ("opened_ns", "q"), ("received_ns", "q"),
                ("row", "I"), ("count", "I"), ("revision", "I"))
EVENT_TEXTS = ("facility", "facility_name", "area", "rule", "account", "realm", "point")
EVENT_SMALL = (("rule_version", "I"), ("detectors", "I"), ("condition", "H"), ("type", "B"), ("signal_class", "B"),
               ("state", "B"), ("verification", "B"), ("priority", "B"), ("reason", "B"), ("accepted", "B"),
               ("protocol", "B"), ("confirms", "B"))


def column(code: str, values: list[int]) -> bytes:
    data = struct.pack(f"<{len(values)}{code}", *values)
    return data + bytes(-len(data) % 8)


def outcome(verdicts: list[tuple[int, int, int, int]], events: list[dict[str, object]] = ()) -> Outcome:
    """Return an outcome: (verdict, reason, rule, rule_version) for each row, and events as dicts with `json` bytes."""
    arena, spans = b"", []
    texts: dict[str, list[int]] = {name: [] for name in EVENT_TEXTS}
    for event in events:
        spans += [len(arena), len(event["json"])]  # type: ignore[arg-type]
        arena += event["json"]  # type: ignore[operator]
        for name, places in texts.items():
            text = str(event.get(name, "")).encode()
            places += [len(arena), len(text)]
            arena += text
    columns = [column("I", [v[3] for v in verdicts]), column("H", [v[2] for v in verdicts]),
               column("B", [v[0] for v in verdicts]), column("B", [v[1] for v in verdicts])]
    columns += [column(code, [event.get(name, 0) for event in events]) for name, code in EVENT_FIELDS]
    columns += [column("I", spans), column("I", spans), *(column("I", places) for places in texts.values())]
    columns += [column(code, [event.get(name, 0) for event in events]) for name, code in EVENT_SMALL]
    header = struct.pack("<4I", 3, len(verdicts), len(events), len(arena))
    return Outcome.view(header + b"".join(columns) + arena)


def event(number: int, signal: int, alarm: int, revision: int = 1, kind: int = 1, **more: object) -> dict[str, object]:
    """Return one event of a fire alarm, with a CloudEvent like the filter's."""
    data = {"id": str(number), "data": {"protocol": "dc09", "account": "1234", "point": "1/2", "facility": None}}
    return {"number": number, "alarm": alarm, "signal": signal, "revision": revision, "count": revision,
            "opened_ns": NOW_NS, "received_ns": NOW_NS + revision * SECOND_NS, "condition": 2, "type": kind,
            "signal_class": 1, "state": 1, "verification": 1, "priority": 9, "json": json.dumps(data).encode(), **more}


def entry(first: int, rows: int, native: str = "FA", received_ns: int = NOW_NS, events: list[dict[str, object]] = (),
          **more: object) -> Entry:
    """Return an entry of `rows` fire signals whose native text is `native` and their number."""
    batch = Batch(max(rows, 1), 256 * max(rows, 1))
    for index in range(rows):
        assert batch.add(protocol=1, account="1234", point="1/2", native=f"{native} {first + index}", signal_class=1,
                         condition=2, state=1, received_ns=received_ns + index, path=7, sequence=index,
                         raw=b"raw %d" % (first + index), **more)  # type: ignore[arg-type]
    return first, Batch.view(batch.encode()), outcome([(1, 1, 3, 4)] * rows, events)


def line_faults(first: int, steps: list[tuple[str, str, int]]) -> Entry:
    """Return an entry of our own line faults: (path behind "dc09:", R(aised) or C(leared), second) each."""
    batch = Batch(len(steps), 256 * len(steps))
    for path, state, second in steps:
        account, _, rest = path.partition("/")
        name, _, realm = account.partition("@")
        assert batch.add(protocol=1, account=name, realm=realm, point=rest, native="line_fault",
                         signal_class=int(SignalClass.CLASS_FAULT), condition=int(Condition.CONDITION_LINE_FAULT),
                         state=int(State.STATE_RAISED if state == "R" else State.STATE_CLEARED),
                         received_ns=NOW_NS + second * SECOND_NS)
    return first, Batch.view(batch.encode()), outcome([(1, 1, 3, 4)] * len(steps))


class ListSource:
    """A journal in a list; `append` wakes its readers."""

    def __init__(self, entries: list[Entry] = (), journal: str = "journal-a", partition: int = 0,
                 live: bool = False) -> None:
        self.entries = list(entries)
        self.journal = journal
        self.partition = partition
        self.live = live
        self.oldest = 0
        self._grown = asyncio.Event()

    def append(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._grown.set()

    async def __call__(self, after: int) -> AsyncIterator[Entry]:
        newest = self.entries[-1][0] + len(self.entries[-1][1]) - 1 if self.entries else 0
        if after > newest:
            raise Ahead(newest)
        if 0 < after < self.oldest - 1:
            raise Trimmed(self.oldest)
        index = 0
        while True:
            while index < len(self.entries):
                if self.entries[index][0] > after:
                    yield self.entries[index]
                index += 1
            if not self.live:
                return
            self._grown.clear()
            await self._grown.wait()
