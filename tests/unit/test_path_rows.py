"""What the path table gives to the store, read back from its COPY bytes."""
from codec.batch import Batch
from codec.reading import build_frame
from codec.words import Condition
from engine.store import copy
from engine.store.path_rows import PathChanges, Rollups
from tests.unit.listen_world import SECOND, World, connect, heartbeat, receive
from tests.unit.test_copy_bytes import US_2000, fields, number

QUARTER_NS = 900 * SECOND


def shown(rows):
    """Return the gathered rows by key, and forget them."""
    named = [dict(zip(copy.PATH_COLUMNS, row, strict=True)) for row in fields(bytes(memoryview(rows)))]
    assert len(named) == rows.rows
    rows.clear()
    return {row["key"].decode(): row for row in named}


def line_fault(world, path, state):
    batch = Batch(1, 64)
    batch.add(path=path, signal_class=5, condition=Condition.CONDITION_LINE_FAULT, state=state)
    world.paths.apply(batch)


def filled(count=4):
    world = World()
    world.enrol(*(f"000{index}" for index in range(count)))
    connection, _ = connect(world.tcp())
    return world, connection, PathChanges(world.paths)


def gather(world, changes, slice_paths=1 << 20):
    changes.gather(slice_paths, world.clock.wall_ns() // 1_000_000)
    return shown(changes)


def test_a_path_field_by_field():
    world = World(realm="north")
    connection, _ = connect(world.tcp())
    receive(connection, build_frame("NULL", "AB12", receiver="1F", line="00A"))
    enrolled_us = world.clock.wall_ns() // 1000 - US_2000
    world.journal()
    world.clock.advance(5 * SECOND)
    receive(connection, build_frame("NULL", "AB12", receiver="1F", line="00A", sequence=2))
    row = gather(world, PathChanges(world.paths))["dc09:AB12@north/default/R1F/L00A"]
    assert [row[name] for name in ("transmitter", "protocol", "account", "realm", "listener", "receiver", "line",
                                   "network", "state")] == [
        b"dc09:AB12@north", b"dc09", b"AB12", b"north", b"default", b"1F", b"00A", None, b"up"]
    assert (number(row["number"]), number(row["supervision_ms"])) == (0, 90_000)
    assert (number(row["enrolled_at"]), number(row["last_seen_at"])) == (enrolled_us, enrolled_us + 5_000_000)


def test_changes_go_out_once():
    world, connection, changes = filled()
    assert len(gather(world, changes)) == 4
    gather(world, changes)
    world.clock.advance(SECOND)
    gather(world, changes)
    assert gather(world, changes) == {}
    line_fault(world, 2, 1)
    changed = gather(world, changes, 1)
    assert {key: row["state"] for key, row in changed.items()} == {"dc09:0002/default/L0": b"fault"}
    assert gather(world, changes) == {}
    line_fault(world, 2, 2)
    assert {row["state"] for row in gather(world, changes, 1).values()} == {b"up"}


def test_a_path_that_is_not_enrolled_has_no_row():
    world, connection, changes = filled(0)
    receive(connection, heartbeat("0001"))
    assert gather(world, changes) == {}
    world.journal()
    assert list(gather(world, changes)) == ["dc09:0001/default/L0"]


def test_what_spoke_is_written_within_two_passes_and_the_silent_are_not():
    world, connection, changes = filled(9)
    for _ in range(4):
        gather(world, changes)
        world.clock.advance(SECOND)
    receive(connection, heartbeat("0003"))
    found = []
    for _ in range(6):
        world.clock.advance(SECOND)
        found += gather(world, changes, 3)
    assert set(found) == {"dc09:0003/default/L0"}
    assert 1 <= len(found) <= 2
    for _ in range(6):
        world.clock.advance(SECOND)
        assert gather(world, changes, 3) == {}


def test_a_slow_pass_reaches_every_path_that_speaks():
    world, connection, changes = filled(9)
    gather(world, changes)
    seen = {}
    for step in range(40):
        world.clock.advance(SECOND)
        for index in range(9):
            receive(connection, heartbeat(f"000{index}", step + 2))
        for key, row in gather(world, changes, 2).items():
            seen.setdefault(key, []).append(number(row["last_seen_at"]))
    assert len(seen) == 9
    for times in seen.values():
        assert all(later - earlier <= 6_000_000 for earlier, later in zip(times, times[1:], strict=False))


def test_after_a_failed_write_all_is_written_again():
    world, connection, changes = filled()
    for _ in range(3):
        gather(world, changes)
        world.clock.advance(SECOND)
    line_fault(world, 1, 1)
    assert len(gather(world, changes)) == 1
    changes.failed()
    again = gather(world, changes, 1)
    assert len(again) == 4
    assert again["dc09:0001/default/L0"]["state"] == b"fault"


def test_more_changes_than_the_list_holds_are_found_by_looking_at_all():
    world, _, changes = filled(2)
    for _ in range(3):
        gather(world, changes)
        world.clock.advance(SECOND)
    for _ in range(33_000):
        line_fault(world, 0, 1)
        line_fault(world, 0, 2)
    line_fault(world, 1, 1)
    assert {key: row["state"] for key, row in gather(world, changes, 1).items()} == {"dc09:0001/default/L0": b"fault"}


def test_a_gap_in_the_numbers_has_no_row():
    world = World()
    batch = Batch(2, 256)
    batch.add(kind=2, path=3, native="dc09:0003/default/L0 supervision=1")
    world.paths.apply(batch)
    assert list(gather(world, PathChanges(world.paths))) == ["dc09:0003/default/L0"]


def test_quarter_hours_count_and_begin_anew():
    world, connection, _ = filled(3)
    rows, quarter_ns = Rollups(world.paths), world.clock.wall_ns()
    receive(connection, heartbeat("0000"))
    world.listening.advance_to(world.clock.monotonic_ns())
    for step in range(5):
        for _ in range(3 if step == 2 else 1):
            world.clock.advance(SECOND // 2)
            world.listening.advance_to(world.clock.monotonic_ns())
        receive(connection, heartbeat("0000", step + 2))
    receive(connection, heartbeat("0002"))
    assert rows.gather(quarter_ns, 2) is True
    assert rows.gather(quarter_ns, 2) is False
    named = [dict(zip(copy.ROLLUP_COLUMNS, row, strict=True)) for row in fields(bytes(memoryview(rows)))]
    assert [(row["path"], number(row["frames"])) for row in named] == [
        (b"dc09:0000/default/L0", 6), (b"dc09:0002/default/L0", 1)]
    assert number(named[0]["longest_silence_ms"]) == 1500
    assert number(named[0]["quarter"]) == quarter_ns // 1000 - US_2000
    rows.clear()
    assert rows.gather(quarter_ns, 100) is False
    assert rows.rows == 0
    receive(connection, heartbeat("0000", 99))
    rows.gather(quarter_ns + QUARTER_NS, 100)
    [row] = fields(bytes(memoryview(rows)))
    assert number(row[2]) == 1


def test_the_frames_of_a_quarter_hour_stop_at_their_limit():
    world, connection, _ = filled(1)
    data = heartbeat("0000") * 1000
    for _ in range(66):
        receive(connection, data)
    rows = Rollups(world.paths)
    rows.gather(0, 10)
    [row] = fields(bytes(memoryview(rows)))
    assert number(row[2]) == 65535
