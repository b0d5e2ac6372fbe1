"""The alarms and later verdicts that the store makes of events, against a slow account of the same events."""
from __future__ import annotations

import asyncio
import datetime
import random
from typing import Any

import asyncpg
import pytest

from engine.clock import Clock
from engine.store.settings import StoreSettings
from engine.store.writer import Store
from engine.words import EventType, Reason, Verification
from tests.integration.store_rows import NO_ROW, NOW_NS, SECOND_NS, ListSource, entry, event

FIRST = 1_000_000
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
TEXT = {Verification.VERIFICATION_UNCONFIRMED: "unconfirmed", Verification.VERIFICATION_CONFIRMED: "confirmed",
        Verification.VERIFICATION_FALSE: "false"}
STATE = {EventType.EVENT_RAISED: "raised", EventType.EVENT_UPDATED: "updated", EventType.EVENT_CLEARED: "cleared"}
ANSWERS = {Reason.REASON_ANSWERED_TRUE: "true", Reason.REASON_ANSWERED_FALSE: "false"}
LATER = {Reason.REASON_ANSWERED_TRUE: "answered_true", Reason.REASON_ANSWERED_FALSE: "answered_false",
         Reason.REASON_CLOSED: "closed", Reason.REASON_TEST_ENDED: "test_ended"}
OF_PEOPLE = (*LATER, Reason.REASON_ACCEPTED)
Event = dict[str, Any]


def at(ns: int) -> datetime.datetime:
    return EPOCH + datetime.timedelta(microseconds=ns // 1000)


def lives(seed: int, steps: int) -> list[list[Event]]:
    """Return the events of `steps` signals of some places, by signal: alarms are raised, confirmed, answered, ended."""
    chance = random.Random(seed)
    alarms: dict[int, Event] = {}            # by place: its alarm's last event
    told: list[list[Event]] = []
    number = 5
    for signal in range(FIRST, FIRST + steps):
        told.append([])
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
            place = chance.randrange(4)
            last = alarms.get(place)
            if last is not None and last["type"] == EventType.EVENT_CLEARED and chance.random() < 0.7:
                last = None
            made = step(chance, number, signal, last, any(one["row"] != NO_ROW for one in told[-1]))
            if made is None:
                continue
            alarms[place] = made
            told[-1].append(made)
            number += 1
    return told


def step(chance: random.Random, number: int, signal: int, last: Event | None, spent: bool) -> Event | None:
    """The next event of an alarm; `spent`: the signal has made one already, so a person makes this one."""
    if last is None:
        return None if spent else event(number, signal, signal, 1, EventType.EVENT_RAISED, row=0, detectors=1,
                                        confirms=0, rule_version=7, reason=Reason.REASON_ALARM, facility="F1",
                                        area="40/17257")
    kind, verification = EventType.EVENT_UPDATED, last["verification"]
    confirms = 0
    more: Event = {"row": 0, "reason": Reason.REASON_ALARM}
    if spent or chance.random() < 0.4:
        reason = chance.choice(OF_PEOPLE)
        more = {"row": NO_ROW, "reason": reason, "account": chance.choice(("", "1234")), "point": "9", "protocol": 1}
        verification = {Reason.REASON_ANSWERED_TRUE: Verification.VERIFICATION_CONFIRMED,
                        Reason.REASON_ANSWERED_FALSE: Verification.VERIFICATION_FALSE}.get(reason, verification)
        kind = EventType.EVENT_CLEARED if reason == Reason.REASON_CLOSED else kind
    elif chance.random() < 0.5:
        more["reason"] = Reason.REASON_COINCIDENCE
        confirms = int(verification != Verification.VERIFICATION_CONFIRMED)
        verification = Verification.VERIFICATION_CONFIRMED
    elif chance.random() < 0.3:
        more["reason"], kind = Reason.REASON_RESTORE, EventType.EVENT_CLEARED
    return event(number, signal, last["alarm"], last["revision"] + 1, kind, verification=verification,
                 confirms=confirms, detectors=chance.randrange(1, 4), rule_version=7, facility="F1", area="40/17257",
                 priority=chance.randrange(1, 9), **more)


def rows_of(events: list[Event]) -> tuple[list[Event], list[tuple[Any, ...]]]:
    """Return what the tables should hold: alarms by their columns, and later verdicts."""
    alarms: dict[int, Event] = {}
    verdicts = []
    for one in events:
        row = alarms.setdefault(one["alarm"], {"id": one["alarm"], "state": "", "cleared_at": None,
                                               "confirmed_at": None, "accepted_at": None, "answered": None})
        moment, reason = at(one["received_ns"]), one["reason"]
        known = one["row"] != NO_ROW
        nobody = not known and not one["account"]
        row |= {"state": row["state"] if row["state"] == "cleared" else STATE[one["type"]],
                "protocol": None if nobody else "dc09", "account": None if nobody else "1234",
                "point": "1/2" if known else "9", "verification": TEXT[one["verification"]], "facility": "F1",
                "area": "40/17257", "priority": one["priority"], "revision": one["revision"], "count": one["count"],
                "detectors": one["detectors"], "updated_at": moment, "event_number": one["number"],
                "signal_id": one["signal"], "answered": ANSWERS.get(reason, row["answered"])}
        for column, happened in (("cleared_at", one["type"] == EventType.EVENT_CLEARED),
                                 ("confirmed_at", one["verification"] == Verification.VERIFICATION_CONFIRMED),
                                 ("accepted_at", reason == Reason.REASON_ACCEPTED)):
            if happened and row[column] is None:
                row[column] = moment
        if reason in LATER or one["confirms"]:
            reason = LATER.get(reason, "coincidence")
            verdicts.append((one["alarm"], one["revision"] + 1, "forward", reason, 0, 7, moment))
    return list(alarms.values()), verdicts


@pytest.mark.parametrize("batch_rows", [1, 3, 1000])
@pytest.mark.parametrize("seed", range(6))
async def test_events_make_the_same_alarms_however_they_are_grouped(database: str, seed: int, batch_rows: int) -> None:
    told = lives(seed, 60)
    entries = [entry(FIRST + index, 1, events=events) for index, events in enumerate(told)]
    store = Store(ListSource(entries), database, Clock(), StoreSettings(batch_rows=batch_rows))
    await asyncio.wait_for(store.run(), 60)
    alarms, verdicts = rows_of([one for events in told for one in events])
    assert any(row["confirmed_at"] for row in alarms) and any(row["answered"] for row in alarms) and verdicts
    connection = await asyncpg.connect(database)
    stored = {row["id"]: dict(row) for row in await connection.fetch("SELECT * FROM tocsin.alarm")}
    later = [tuple(row) for row in await connection.fetch("SELECT * FROM tocsin.verdict_later")]
    await connection.close()
    assert [{name: stored[row["id"]][name] for name in row} for row in alarms] == alarms
    assert len(stored) == len(alarms)
    assert sorted(later) == sorted(verdicts)


async def test_an_event_that_is_refused_leaves_its_alarm_as_the_others_make_it(database: str) -> None:
    """The rest of the transaction is written in parts, each of which changes the same alarm."""
    broken = event(7, FIRST + 2, FIRST, 3, 2, row=NO_ROW, json=b'{"text": "\\u0000"}', reason=Reason.REASON_ACCEPTED)
    told = [event(5, FIRST, FIRST), event(6, FIRST + 1, FIRST, 2, 2, row=1, verification=2, confirms=1, rule_version=7,
                                          reason=Reason.REASON_COINCIDENCE),
            broken, event(8, FIRST + 3, FIRST, 4, 3, row=3, verification=2, reason=Reason.REASON_RESTORE)]
    await asyncio.wait_for(Store(ListSource([entry(FIRST, 4, events=told)]), database, Clock()).run(), 60)
    connection = await asyncpg.connect(database)
    [alarm] = await connection.fetch("SELECT * FROM tocsin.alarm")
    later = await connection.fetch("SELECT signal_id, number, reason FROM tocsin.verdict_later")
    refused = await connection.fetchval("SELECT count(*) FROM tocsin.refused WHERE what = 'event'")
    await connection.close()
    assert (alarm["state"], alarm["revision"], alarm["accepted_at"]) == ("cleared", 4, None)
    assert alarm["confirmed_at"] == at(NOW_NS + 2 * SECOND_NS) and alarm["cleared_at"] == at(NOW_NS + 4 * SECOND_NS)
    assert [tuple(row) for row in later] == [(FIRST, 3, "coincidence")]
    assert refused == 1
