"""Each fault of `make break` once, on the real engine under load: it is felt, and the audit finds nothing wrong."""
from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.breaking.faults import BY_NAME, FAULTS, stall_engine, table_locked
from tests.breaking.verdict import judge
from tests.breaking.world import SUPERVISION_S, World
from tests.integration.engine import data_directory, until
from tests.integration.transmitter import sia, udp

FIRES = 20                       # at the least, for a test to say anything
STALLED_SUPERVISION_S = 5        # the least that the configuration takes
LAG_ROWS = 30
MANY = 100                       # frames or connections of a flood that are noticed


def restarted(world: World) -> bool:
    return len(world.restarts_s) == 1


def database_lost(world: World) -> bool:
    return "database away" in world.running.said()


def database_late(world: World) -> bool:
    """Fires are acknowledged that the database has not got."""
    stages = world.running.json("/v1/status")["stages"]
    return int(stages["journal"]["durable"]) - int(stages["store"]["position"]) > LAG_ROWS


def no_space_for_postgres(world: World) -> bool:
    return "No space left on device" in (world.postgres_directory / "postgresql.log").read_text()


def not_ready(world: World) -> bool:
    status, why = world.running.ask("/readyz")
    return status == 503 and b"[-]journal" in why


def shown_without_number(world: World) -> bool:
    return not_ready(world) and world.load.audit.not_durable > 0


def slow(world: World) -> bool:
    """A fire was acknowledged, and the flushes meanwhile took at least 20 ms."""
    with udp(("127.0.0.1", world.port)) as transmitter:
        before = world.running.metrics()["journal_flush_seconds_sum"]
        transmitter.say(sia("D001", "NFA1"))
        return world.running.metrics()["journal_flush_seconds_sum"] - before >= 0.02


def subscribed(world: World) -> bool:
    return world.running.metrics()["subscribers"] == 6


def flooded(world: World) -> bool:
    rejected = [value for name, value in world.running.metrics().items() if name.startswith("frames_rejected{")]
    return sum(rejected) > MANY and world.running.metrics()["connections"] > MANY


# What shows that a fault is there, and whether PostgreSQL is embedded.
FELT: dict[str, tuple[Callable[[World], bool], bool]] = {
    "engine killed": (restarted, False),
    "engine and PostgreSQL killed": (restarted, True),
    "engine stopped in order": (restarted, True),
    "engine stalled": (lambda world: True, True),
    "PostgreSQL killed": (database_lost, False),
    "PostgreSQL's backend killed": (database_lost, True),
    "cut in the middle of a COPY": (database_lost, False),
    "PostgreSQL hung": (database_late, True),
    "table locked": (database_late, False),
    "PostgreSQL out of space": (no_space_for_postgres, False),
    "journal's volume full": (shown_without_number, True),
    "journal's flush fails": (shown_without_number, False),
    "journal's flush slow": (slow, True),
    "dead subscribers": (subscribed, True),
    "garbage and connections": (flooded, True),
}
EXACTLY = {"engine stalled": partial(stall_engine, supervisions=1.3),
           "table locked": partial(table_locked, table="event")}


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS])
def test_nothing_is_lost(name: str) -> None:
    fault, (felt, embedded) = BY_NAME[name], FELT[name]
    supervision_s = STALLED_SUPERVISION_S if name == "engine stalled" else SUPERVISION_S
    with data_directory() as data, World(data, embedded=embedded, seed=1, seconds=60,
                                         supervision_s=supervision_s) as world:
        if fault.strike is not None:
            EXACTLY.get(name, fault.strike)(world)
            until(lambda: felt(world), f"{name} being felt")
        else:
            with EXACTLY.get(name, fault.hold)(world):
                until(lambda: felt(world), f"{name} being felt")
        verdict = judge(world)
        world.stop()
    assert verdict.clean, verdict
    assert verdict.acknowledged >= FIRES and verdict.stored >= verdict.acknowledged


def test_a_hung_database_does_not_keep_the_engine_from_starting() -> None:
    """Its own PostgreSQL did not go with the engine that was killed: it is waited for beside the flow, then killed."""
    with data_directory() as data, World(data, embedded=True, seed=1, seconds=60) as world:
        with BY_NAME["PostgreSQL hung"].hold(world):
            hung = world.postmaster()
            world.kill()
            acknowledged = world.load.answered
            world.restart()
            assert world.load.answered > acknowledged
            until(lambda: world.postmaster() not in (0, hung), "another PostgreSQL")
        verdict = judge(world)
        world.stop()
    assert verdict.clean, verdict


def test_what_is_planted_is_found() -> None:
    """One row that goes by another's name (one lost, one doubled), one row that is a line fault of who speaks."""
    with data_directory() as data, World(data, embedded=False, seed=1, seconds=60) as world:
        until(lambda: len(world.ask("SELECT id FROM tocsin.signal LIMIT 60")) == 60, "fires being stored")
        first, second, *_, last = (row["id"] for row in world.ask("SELECT id FROM tocsin.signal ORDER BY id LIMIT 60"))
        world.ask("UPDATE tocsin.signal_row SET native = (SELECT native FROM tocsin.signal WHERE id = $1) "
                  "WHERE id = $2", first, second)
        world.ask("UPDATE tocsin.signal_row SET condition = 'line_fault', state = 'raised' WHERE id = $1", last)
        verdict = judge(world, settle_s=1)
    assert (verdict.lost, verdict.doubled, verdict.false_faults) == (1, 1, 1), verdict
    assert len(verdict.wrong) == 5 and not verdict.clean
