"""What the registry names, live: rows of the journal against a plain model, snapshots, keys and removal."""
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.batch import Batch
from engine.listen.enrolment import Enrolment
from engine.listen.registered import FrameRules
from engine.paths import PathTable
from tests.unit.listen_world import HASH_KEY, SECOND, World, accepted, alarm, connect, heartbeat, receive

FIELDS = "F1\t{}\t0\t0\tnet\t60\t30\t{}\t{}\t1"


def changed(*rows):
    batch = Batch(4096, 1 << 20)
    for row in rows:
        assert batch.add(kind=4, **row)
    return batch


def named(account, supervision_ms=0, *, check=0, encrypted=0, realm=""):
    return {"condition": 4, "protocol": 1, "account": account, "realm": realm,
            "native": FIELDS.format(supervision_ms, check, encrypted)}


def gone(account, realm=""):
    return {"condition": 4, "protocol": 1, "account": account, "realm": realm, "native": ""}


def reading(*rows):
    return changed({"condition": 1, "native": "x\t1"}, *rows, {"condition": 2, "native": "x\t1"})


def answers(world, connection, wire, *frames):
    before = len(wire.written)
    receive(connection, b"".join(frames))
    world.journal()
    return bytes(wire.written[before:])


def line(**more):
    world = World(**more)
    connection, wire = connect(world.tcp())
    return world, connection, wire


def test_one_that_the_registry_names_is_admitted_whatever_the_policy():
    for policy in ("refuse", "quarantine"):
        world, connection, wire = line(policy=policy)
        world.enrolment.apply(changed(named("0001", 30_000)))
        assert answers(world, connection, wire, heartbeat("0001")) == accepted(heartbeat("0001"))
        assert world.paths.show(0)["supervision_ms"] == 30_000
        assert world.enrolment.rules_of(0) == (False, FrameRules(60, 30, False, False, True))
        assert (world.enrolment.named, world.enrolment.window_s) == (1, 90)


def test_a_change_reaches_the_paths_that_are_there():
    world, connection, wire = line(policy="refuse")
    world.enrolment.apply(changed(named("0001", 30_000)))
    answers(world, connection, wire, heartbeat("0001"))
    world.enrolment.apply(changed(named("0001", 45_000), named("0002")))
    assert world.paths.show(0)["supervision_ms"] == 45_000
    world.enrolment.apply(changed(named("0001")))
    assert world.paths.show(0)["supervision_ms"] == 90_000       # the default


def test_one_that_is_named_no_longer_meets_the_policy_again():
    for policy, flags in (("refuse", None), ("quarantine", 32)):
        world, connection, wire = line(policy=policy)
        world.enrolment.apply(changed(named("0001", 30_000)))
        answers(world, connection, wire, heartbeat("0001"))
        world.enrolment.apply(changed(gone("0001")))
        assert world.paths.show(0)["supervision_ms"] is None
        world.journalled.clear()
        reply = answers(world, connection, wire, alarm("0001", 2))
        assert reply == (b"" if flags is None else accepted(alarm("0001", 2)))
        assert [row["flags"] for row in world.signals()] == ([] if flags is None else [flags])
        world.enrolment.apply(changed(named("0001", 20_000)))
        assert answers(world, connection, wire, heartbeat("0001", 3)) == accepted(heartbeat("0001", 3))
        assert (len(world.paths), world.paths.show(0)["supervision_ms"]) == (1, 20_000)
        world.paths.check()


def test_with_the_policy_to_enrol_it_stays_a_known_one():
    world, connection, wire = line()
    world.enrolment.apply(changed(named("0001", 30_000)))
    answers(world, connection, wire, heartbeat("0001"))
    world.enrolment.apply(changed(gone("0001")))
    assert answers(world, connection, wire, heartbeat("0001", 2)) == accepted(heartbeat("0001", 2))
    assert world.paths.show(0)["supervision_ms"] == 90_000


def test_a_full_reading_takes_out_what_it_did_not_name_and_a_broken_one_nothing():
    world, connection, wire = line(policy="refuse")
    enrolment = world.enrolment
    enrolment.apply(reading(named("0001"), named("0002")))
    assert not enrolment.tend()
    enrolment.apply(changed({"condition": 1, "native": "y\t1"}, named("0003")))
    assert (enrolment.tend(), enrolment.named) == (False, 3)
    enrolment.apply(reading(named("0002")))
    assert enrolment.named == 3
    while enrolment.tend():
        pass
    assert enrolment.named == 1
    frames = [heartbeat(account) for account in ("0001", "0002", "0003")]
    assert answers(world, connection, wire, *frames) == accepted(frames[1])


def test_the_configuration_wins_and_the_registry_stands_behind_it():
    world, connection, wire = line(policy="refuse", registered=[(1, "0001", "", 5000, b"")])
    world.enrolment.apply(changed(named("0001", 30_000, encrypted=1)))
    assert answers(world, connection, wire, heartbeat("0001")) == accepted(heartbeat("0001"))
    world.enrolment.apply(changed(gone("0001")))
    assert answers(world, connection, wire, heartbeat("0001", 2)) == accepted(heartbeat("0001", 2))
    assert world.paths.show(0)["supervision_ms"] == 5000


def test_clear_frames_are_refused_from_the_change_on():
    world, connection, wire = line(policy="refuse")
    world.enrolment.apply(changed(named("0001")))
    assert answers(world, connection, wire, heartbeat("0001"))
    world.enrolment.apply(changed(named("0001", encrypted=1)))
    assert answers(world, connection, wire, heartbeat("0001", 2)) != accepted(heartbeat("0001", 2))
    world.enrolment.apply(changed(named("0001")))
    assert answers(world, connection, wire, heartbeat("0001", 3)).endswith(accepted(heartbeat("0001", 3)))


def test_a_snapshot_brings_it_back_and_realms_keep_their_names():
    world, *_ = line(policy="refuse")
    world.enrolment.set_key("dc09:0001@north", bytes(16))
    world.enrolment.apply(reading(named("0001", 30_000, realm="north"), named("0002", realm="south"), named("0003")))
    world.enrolment.apply(changed(gone("0003")))
    saved = b"".join(world.enrolment.save())
    after = Enrolment(PathTable(100, HASH_KEY), "refuse", 1, 10, 90_000, [(1, "0009", "south", 0, b"")])
    after.load(saved)
    assert (after.named, after.keyed) == (2, 0)
    assert b"".join(after.save())[20:] != b""
    again = World(policy="refuse", realm="north")
    again.enrolment.load(saved)
    connection, wire = connect(again.tcp())
    frames = [heartbeat(account) for account in ("0001", "0002", "0003")]
    assert answers(again, connection, wire, *frames) == accepted(frames[0])


def test_never_heard_ones_get_a_path_in_bounded_slices():
    world, *_ = line(policy="refuse", rows=16384, arena_bytes=1 << 23)
    enrolment = world.enrolment
    for first in range(0, 6000, 3000):
        enrolment.apply(changed(*(named(f"{number:05X}") for number in range(first, first + 3000))))
    turns = 0
    while enrolment.expect(world.admit, 0, world.clock.wall_ns()):
        turns += 1
        assert len(world.admit) <= 512
        world.journal()
    assert turns >= 6000 // 512
    assert (len(world.paths), world.paths.states_in()["up"]) == (6000, 6000)
    enrolment.apply(changed(named("FFFFF", 20_000), gone("00000")))
    assert enrolment.expect(world.admit, 0, world.clock.wall_ns())
    world.journal()
    assert (len(world.paths), world.paths.show(6000)["supervision_ms"]) == (6001, 20_000)
    assert world.paths.show(0)["supervision_ms"] is None


def test_more_than_there_is_room_for_is_counted():
    enrolment = Enrolment(PathTable(2, HASH_KEY), "refuse", 1, 2, 90_000, [])
    enrolment.apply(changed(*(named(f"000{number}") for number in range(5))))
    assert (enrolment.named, enrolment.no_room) == (2, 3)


ACCOUNTS = [f"000{number}" for number in range(6)]
STEPS = st.lists(st.tuples(st.sampled_from(["name", "remove", "read", "break", "restart", "speak"]),
                           st.sets(st.sampled_from(ACCOUNTS), max_size=4), st.integers(1, 9)), max_size=25)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_any_order_of_changes_ends_as_a_plain_dictionary_says(steps):
    world, connection, wire = line(policy="refuse")
    model, sequence = {}, 0
    for step, accounts, seconds in steps:
        rows = [named(account, seconds * 1000) for account in sorted(accounts)]
        if step == "name" or step == "break":
            head = [{"condition": 1, "native": "y\t1"}] if step == "break" else []
            world.enrolment.apply(changed(*head, *rows))
            model |= dict.fromkeys(accounts, seconds * 1000)
            if step == "break":          # the next reading is a full one: it is so in the follower
                world.enrolment.apply(reading(*rows))
                model = dict.fromkeys(accounts, seconds * 1000)
        elif step == "remove":
            world.enrolment.apply(changed(*(gone(account) for account in accounts)))
            model = {account: time for account, time in model.items() if account not in accounts}
        elif step == "read":
            world.enrolment.apply(reading(*rows))
            model = dict.fromkeys(accounts, seconds * 1000)
        elif step == "restart":
            saved = b"".join(world.enrolment.save())
            again = World(policy="refuse")
            again.paths.load(b"".join(world.paths.save()))
            again.enrolment.load(saved)
            again.enrolment.watch()
            world, (connection, wire) = again, connect(again.tcp())
        while world.enrolment.tend():
            pass
        world.clock.advance(SECOND)
        for account in ACCOUNTS:
            sequence += 1
            frame = heartbeat(account, sequence % 9999 + 1)
            assert answers(world, connection, wire, frame) == (accepted(frame) if account in model else b"")
    for number in range(len(world.paths)):
        account = world.paths.transmitter_text(number).partition(":")[2]
        assert world.paths.show(number)["supervision_ms"] == model.get(account)
    assert world.enrolment.named == len(model)
    world.paths.check()


@given(choose=st.randoms(use_true_random=False))
def test_rows_in_one_batch_are_taken_in_as_one_by_one(choose):
    whole, single = World(policy="refuse"), World(policy="refuse")
    for _ in range(3):
        rows = [choose.choice([named(f"{choose.randint(0, 40):04X}", choose.choice([0, 5000, 9000]),
                                     check=choose.randint(0, 1), realm=choose.choice(["", "", "hue"])),
                               gone(f"{choose.randint(0, 40):04X}")]) for _ in range(choose.randint(1, 90))]
        whole.enrolment.apply(reading(*rows))
        for row in [{"condition": 1, "native": "x\t1"}, *rows, {"condition": 2, "native": "x\t1"}]:
            single.enrolment.apply(changed(row))
    assert b"".join(whole.enrolment.save()) == b"".join(single.enrolment.save())
    assert whole.enrolment.named == single.enrolment.named
