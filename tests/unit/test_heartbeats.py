"""Heartbeats on their way to rows: a ring that sheds, and never grows."""
from engine.heartbeats import HeartbeatLog
from engine.store.path_rows import HeartbeatRows
from tests.unit.listen_world import SECOND, World, connect, heartbeat, receive
from tests.unit.test_copy_bytes import US_2000, fields, number


def heard(capacity, count):
    world = World(heartbeats=capacity)
    world.enrol("0001", "0002")
    connection, _ = connect(world.tcp())
    for beat in range(count):
        world.clock.advance(SECOND)
        receive(connection, heartbeat(f"000{1 + beat % 2}", beat + 1))
    return world


def test_without_a_ring_none_is_kept_and_none_is_shed():
    world = heard(0, 5)
    assert (len(world.heartbeats), world.heartbeats.shed) == (0, 0)
    assert len(HeartbeatLog()) == 0


def test_a_full_ring_sheds_what_comes_and_counts_it():
    world = heard(4, 7)
    assert (len(world.heartbeats), world.heartbeats.shed) == (4, 3)
    assert world.count("replies", "dc09", "accept") == 7


def test_rows_come_out_in_order_and_make_room():
    world = heard(4, 4)
    rows = HeartbeatRows(world.paths)
    start_us = world.clock.wall_ns() // 1000 - US_2000 - 3_000_000
    rows.gather(world.heartbeats, 3)
    found = [(row[0], number(row[1])) for row in fields(bytes(memoryview(rows)))]
    keys = [b"dc09:0001/default/L0", b"dc09:0002/default/L0"]
    assert found == [(keys[beat % 2], start_us + beat * 1_000_000) for beat in range(3)]
    assert len(world.heartbeats) == 1
    connection, _ = connect(world.parts[0])
    for beat in range(3):
        receive(connection, heartbeat("0001", 100 + beat))
    assert (len(world.heartbeats), world.heartbeats.shed) == (4, 0)
    rows.clear()
    rows.gather(world.heartbeats, 100)
    assert [row[0] for row in fields(bytes(memoryview(rows)))] == [keys[1], keys[0], keys[0], keys[0]]
    assert len(world.heartbeats) == 0
