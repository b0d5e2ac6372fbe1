"""The keeper of path rows on a clock that stands still, with a store that records."""
import dataclasses

import pytest

from engine.config import Config
from engine.histogram import BOUNDS_NS, Histogram
from engine.store import copy
from engine.store.keeping import QUARTER_NS, PathKeeper
from engine.store.writer import StoreCounters
from tests.unit.listen_world import SECOND, World, connect, heartbeat, receive
from tests.unit.test_copy_bytes import US_2000, fields, number


class RecordingStore:
    """Takes rows, or fails, and keeps what it took."""

    def __init__(self):
        self.counters = StoreCounters(up=True)
        self.working = True
        self.paths, self.heartbeats, self.rollups, self.forwarded = [], [], [], []

    def take(self, rows, columns, into):
        if not self.working:
            return False
        into.append([dict(zip(columns, row, strict=True)) for row in fields(bytes(memoryview(rows)))])
        return True

    async def write_paths(self, rows):
        return self.take(rows, copy.PATH_COLUMNS, self.paths)

    async def write_heartbeats(self, rows):
        return self.take(rows, copy.HEARTBEAT_COLUMNS, self.heartbeats)

    async def write_rollups(self, rows):
        return self.take(rows, copy.ROLLUP_COLUMNS, self.rollups)

    async def write_forwarded(self, *row):
        self.forwarded.append(row)


def world_of(heartbeats="rollup", **more):
    world, store = World(heartbeats=1000), RecordingStore()
    world.enrol("0000", "0001", "0002")
    connection, _ = connect(world.tcp())
    settings = dataclasses.replace(Config().store, heartbeats=heartbeats, **more)
    return world, store, connection, PathKeeper(store, world.paths, world.heartbeats, world.clock, settings)


async def test_states_are_written_once():
    world, store, _, keeper = world_of(last_seen_every_ns=SECOND)
    for _ in range(6):
        await keeper.write_changes()
        world.clock.advance(SECOND)
    assert len(store.paths[0]) == 3
    assert len(store.paths) <= 2


async def test_what_failed_is_written_newer_the_next_time():
    world, store, connection, keeper = world_of()
    store.working = False
    await keeper.write_changes()
    store.working = True
    world.clock.advance(SECOND)
    receive(connection, heartbeat("0001"))
    await keeper.write_changes()
    assert [len(rows) for rows in store.paths] == [3]
    seen = {row["account"]: row["last_seen_at"] for row in store.paths[0]}
    assert number(seen[b"0001"]) == world.clock.wall_ns() // 1_000_000 * 1000 - US_2000


async def test_while_the_database_is_away_nothing_is_gathered():
    world, store, connection, keeper = world_of(heartbeats="all")
    store.counters.up = False
    receive(connection, heartbeat("0001"))
    await keeper.write_changes()
    await keeper.write_heartbeats()
    assert (store.paths, store.heartbeats, len(world.heartbeats)) == ([], [], 1)
    store.counters.up = True
    await keeper.write_changes()
    await keeper.write_heartbeats()
    assert len(store.paths[0]) == 3
    assert (len(store.heartbeats[0]), keeper.rows_lost, len(world.heartbeats)) == (1, 0, 0)


async def test_heartbeats_that_fail_are_gone_and_counted():
    world, store, connection, keeper = world_of(heartbeats="all")
    receive(connection, heartbeat("0001"))
    store.working = False
    await keeper.write_heartbeats()
    store.working = True
    await keeper.write_heartbeats()
    assert (store.heartbeats, keeper.rows_lost, len(world.heartbeats)) == ([], 1, 0)


async def test_last_seen_is_written_within_its_time():
    world, store, connection, keeper = world_of(last_seen_every_ns=3 * SECOND)
    for _ in range(12):
        await keeper.write_changes()
        world.clock.advance(SECOND)
    store.paths.clear()
    receive(connection, heartbeat("0002"))
    for _ in range(6):
        await keeper.write_changes()
        world.clock.advance(SECOND)
    written = [row["account"] for rows in store.paths for row in rows]
    assert set(written) == {b"0002"}


@pytest.mark.parametrize("setting, written", [("rollup", 1), ("all", 0), ("none", 0)])
async def test_a_quarter_hour_is_closed_under_its_own_begin(setting, written):
    world, store, connection, keeper = world_of(heartbeats=setting)
    begin_ns = world.clock.wall_ns() // QUARTER_NS * QUARTER_NS
    receive(connection, heartbeat("0001") + heartbeat("0001", 2))
    world.clock.advance(QUARTER_NS + SECOND)
    await keeper.end_quarter()
    assert len(store.rollups) == written
    for [row] in store.rollups:
        assert (row["path"], number(row["frames"])) == (b"dc09:0001/default/L0", 2)
        assert number(row["quarter"]) == begin_ns // 1000 - US_2000
    receive(connection, heartbeat("0001", 3))
    world.clock.advance(QUARTER_NS)
    await keeper.end_quarter()
    if written:
        assert [number(row["frames"]) for row in store.rollups[-1]] == [1]
        assert number(store.rollups[-1][0]["quarter"]) == (begin_ns + QUARTER_NS) // 1000 - US_2000


async def test_what_was_forwarded_is_kept_by_quarters():
    world, store, _, keeper = world_of()
    begin_ns = world.clock.wall_ns() // QUARTER_NS * QUARTER_NS
    keeper.forwarded = Histogram()
    keeper.forwarded.add(BOUNDS_NS[0], 2)
    keeper.forwarded.add(BOUNDS_NS[-1] + 1)
    for _ in range(2):                   # nothing left in the second one
        world.clock.advance(QUARTER_NS)
        await keeper.end_quarter()
    keeper.forwarded.add(BOUNDS_NS[1], 3)
    world.clock.advance(QUARTER_NS)
    await keeper.end_quarter()
    none = [0] * (len(BOUNDS_NS) - 1)
    assert store.forwarded == [
        (begin_ns, 3, (2 * BOUNDS_NS[0] + BOUNDS_NS[-1] + 1) / 1e6, [2, *none, 1]),
        (begin_ns + 2 * QUARTER_NS, 3, 3 * BOUNDS_NS[1] / 1e6, [0, 3, *none])]
