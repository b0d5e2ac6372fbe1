"""The engine as OPERATE sees it, over real stages and a stand-in for the rest of the pipeline."""
import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import orjson
import pytest

from codec.batch import Batch
from codec.words import Condition
from engine.journal.space import Room
from engine.operate.view import Away, Check, RejectedQuestion, SignalQuestion, TransmitterQuestion
from engine.store.queries import DatabaseAway
from engine.store.writer import StoreCounters
from engine.view import View, at
from tests.unit.listen_world import SECOND, Wire, World, connect, heartbeat, receive


class Queries:
    """Rows as the database gives them, or none because it is away."""

    def __init__(self):
        self.away, self.asked = False, []

    async def signals(self, *question):
        self.asked.append(question)
        if self.away:
            raise DatabaseAway("refused")
        moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
        return [{"id": 2**52 + 1, "received_at": moment, "occurred_at": None, "class": "fire",
                 "details": '{"room":"12"}'}]


@pytest.fixture
def engine():
    world = World()
    world.enrol("0001", "0002", "0003")
    second = Batch(4, 512)
    second.add(kind=2, path=3, native="dc09:0001/default/R1/L0 supervision=5000",
               received_ns=world.clock.wall_ns())
    world.paths.apply(second)
    pipeline = SimpleNamespace(
        clock=world.clock, paths=world.paths, refused=world.refused, admit=world.admit, listening=world.listening,
        supervisor=SimpleNamespace(impaired=False),
        store=SimpleNamespace(counters=StoreCounters(position=77, up=True)), queries=Queries(),
        journal=SimpleNamespace(stat=lambda: {"durable": 2**52 + 9, "first_kept": 5, "next": 6, "bytes": 10},
                                room=lambda: Room.OK),
        outcomes=SimpleNamespace(mark=2**52 + 3), filter=SimpleNamespace(
            alarms_open=2, registry_seen=("", 12),
            place=lambda key: None, conditions=lambda key: [], open_alarms=lambda ended: [
                {"alarm_id": "7", "priority": 2, "accepted": False, "verification": "unconfirmed",
                 "open": [{"point": "1"}, {"point": "2"}]},
                {"alarm_id": "5", "priority": 2, "accepted": ended, "verification": "confirmed", "open": []},
                {"alarm_id": "9", "priority": 1, "accepted": False, "verification": "confirmed", "open": []}]),
        bound=[(SimpleNamespace(name="default", realm=""), ("127.0.0.1", 10914))], judged=lambda: 2**52 + 8,
        journal_trouble="", outcomes_trouble="", stopping=asyncio.Event(),
        canary=SimpleNamespace(last_ns=0, stored_ns=0, status=dict, checks=lambda: (Check("canary", True),)),
        house=SimpleNamespace(snapshot_ns=0), registry=SimpleNamespace(up=True),
        enrolment=world.enrolment, receiver=world.receiver,
        world=world)
    pipeline.view = View(pipeline)
    return pipeline


def fault(engine, path):
    batch = Batch(1, 64)
    batch.add(path=path, signal_class=5, condition=Condition.CONDITION_LINE_FAULT, state=1)
    engine.paths.apply(batch)


async def ask(engine, **question):
    return await engine.view.transmitters(
        TransmitterQuestion(**({"limit": 100, "after": None, "state": None, "area": None} | question)))


def test_numbers_are_strings_in_the_status(engine):
    status = engine.view.status()
    assert status["stages"]["journal"]["durable"] == str(2**52 + 9)
    assert status["stages"]["filter"] == {"position": str(2**52 + 8), "event": str(2**52 + 3)}
    assert status["stages"]["store"]["position"] == "77"
    assert status["stages"]["registry"] == {"revision": 12, "up": True}
    assert status["listen"] == [{"name": "default", "address": "127.0.0.1:10914", "realm": ""}]
    assert (status["now"], status["snapshot_at"]) == ("2026-01-01T00:00:00.000Z", None)
    assert status["paths"]["up"] == 4


def test_ready_says_what_is_not(engine):
    assert all(check.ok for check in engine.view.ready())
    engine.journal.room = lambda: Room.FULL
    assert [check.name for check in engine.view.ready() if not check.ok] == ["journal"]
    engine.journal_trouble = "disk full"
    engine.outcomes_trouble = "disk full"
    engine.bound = []
    engine.stopping.set()
    assert [(check.name, check.ok) for check in engine.view.ready()] == [
        ("journal", False), ("outcomes", False), ("listeners", False), ("canary", True), ("running", False)]


def test_a_transmitter_is_as_bad_as_its_worst_path(engine):
    fault(engine, 3)
    found = engine.view.transmitter("dc09:0001")
    assert (found["key"], found["state"], len(found["paths"])) == ("dc09:0001", "fault", 2)
    assert found["paths"][1]["path"] == "dc09:0001/default/R1/L0"
    assert "last_seen_ms" not in found["paths"][0]
    assert [path["role"] for path in found["paths"]] == [None, None]
    assert (found["system_fault"], found["never_heard"]) == (False, False)
    assert engine.view.transmitter("dc09:9999") is None
    assert engine.view.transmitter("") is None


def test_last_seen_is_that_of_the_path_heard_last(engine):
    engine.clock.advance(5 * SECOND)
    connection, _ = connect(engine.world.tcp())
    receive(connection, heartbeat("0001"))
    assert engine.view.transmitter("dc09:0001")["last_seen_at"] == "2026-01-01T00:00:05.000Z"


async def test_the_list_in_pages(engine):
    keys, after = [], None
    while page := await ask(engine, limit=2, after=after):
        keys += [entry["key"] for entry in page]
        after = keys[-1]
    assert keys == ["dc09:0001", "dc09:0002", "dc09:0003"]
    assert await ask(engine, after="dc09:9999") == []
    fault(engine, 1)
    assert [entry["key"] for entry in await ask(engine, state="fault")] == ["dc09:0002"]


def test_roles_times_and_deadlines_of_the_paths_of_a_transmitter(engine):
    engine.paths.supervise_transmitter("dc09:0001", 90_000, 18_000_000, 60_000)
    first, second = engine.view.transmitter("dc09:0001")["paths"]
    assert (first["role"], second["role"]) == ("primary", "alternate")
    assert (first["supervision_ms"], second["supervision_ms"]) == (90_000, 18_000_000)
    assert first["times_ms"] == (90_000, 18_000_000, 60_000)
    assert (first["deadline_at"], second["deadline_at"]) == ("2026-01-01T00:01:30.000Z", "2026-01-01T05:00:00.000Z")
    fault(engine, 0)
    assert engine.view.transmitter("dc09:0001")["paths"][1]["deadline_at"] == "2026-01-01T00:02:30.000Z"


async def test_signals_come_from_the_database_with_numbers_as_strings(engine):
    question = SignalQuestion(None, None, None, None, before=None, limit=5)
    [row] = orjson.loads(orjson.dumps(await engine.view.signals(question)))
    assert row == {"id": str(2**52 + 1), "received_at": "2026-01-01T12:00:00Z", "occurred_at": None, "class": "fire",
                   "details": {"room": "12"}}
    engine.queries.away = True
    with pytest.raises(Away, match="refused"):
        await engine.view.signals(question)


def test_open_alarms_come_with_the_number_to_go_on_from(engine):
    number, alarms = engine.view.open_alarms()
    assert number == 2**52 + 3
    assert [(alarm["point"], alarm["waiting"]) for alarm in alarms] == [("2", 2), ("", None), ("", 1)]


def rejected(engine, **question):
    return engine.view.rejected(RejectedQuestion(**({"limit": 100, "before": None, "source": None, "account": None}
                                                    | question)))


def test_refused_frames_in_pages_miss_none_of_one_moment(engine):
    tcp = engine.world.tcp()
    for peer in ("192.0.2.1", "192.0.2.2"):
        for number in range(4):
            connection, _ = connect(tcp, Wire((peer, 99)))
            receive(connection, b"?%d" % number)
    found, before = [], None
    while page := rejected(engine, limit=3, before=before):
        found += [(entry["peer"], bytes.fromhex(entry["bytes"])) for entry in page]
        before = int(page[-1]["number"])
    assert found == [(f"192.0.2.{peer}:99", b"?%d" % number) for peer in (2, 1) for number in (3, 2, 1, 0)]
    assert len(rejected(engine, source="192.0.2.1")) == 4


def test_refused_frames_by_account(engine):
    connection, _ = connect(engine.world.tcp())
    receive(connection, heartbeat("AB12")[:-1] + b"?")
    for account in ("ab12", "dc09:AB12", "dc09:ab12@north"):
        [entry] = rejected(engine, account=account)
        assert (entry["protocol"], entry["account"], entry["count"], entry["answered"]) == ("dc09", "AB12", 1, None)
    assert rejected(engine, account="ab13") == rejected(engine, account="ab1") == []
    receive(connection, b"?xyAB13")
    assert [entry["account"] for entry in rejected(engine, account="AB13")] == [None]


@pytest.mark.parametrize("ns, text", [
    (None, None), (0, None), (1_767_225_600_123_999_999, "2026-01-01T00:00:00.123Z"),
    (1_767_225_600_999_999_999, "2026-01-01T00:00:00.999Z")])
def test_times_as_text(ns, text):
    assert at(ns) == text
