"""Unknown accounts: policy, rate and limit; the row that makes a path known, and what is answered before it is."""
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.batch import Batch
from codec.reading import build_frame
from engine.listen.enrolment import Enrolment
from engine.paths import PathTable
from tests.unit.listen_world import (
    HASH_KEY,
    MS,
    SECOND,
    World,
    accepted,
    alarm,
    bound,
    connect,
    heartbeat,
    receive,
    replies,
)

ACCOUNT_TEXT = string.ascii_uppercase + string.digits + "-._+*"


def line(**arguments):
    world = World(**arguments)
    connection, wire = connect(world.tcp(garbage_bytes_max=1 << 30))
    return world, connection, wire


def counts(world):
    return world.enrolment.enrolled, world.enrolment.quarantined, world.enrolment.refused


def test_an_unknown_account_is_enrolled_before_it_is_answered():
    world, connection, wire = line()
    receive(connection, heartbeat("0001"))
    assert (wire.written, len(world.admit), len(world.paths)) == (b"", 1, 1)
    assert world.paths.states_in() == {"new": 0, "pending": 1, "up": 0, "fault": 0}
    row = world.admit.batch.row(0)
    assert (row["kind"], row["path"], row["account"], row["native"]) == (
        2, 0, "0001", "dc09:0001/default/L0 supervision=90000")
    world.journal()
    assert wire.written == accepted(heartbeat("0001"))
    assert world.paths.states_in()["up"] == 1
    receive(connection, heartbeat("0001", 2))
    assert wire.written.endswith(accepted(heartbeat("0001", 2)))
    assert (counts(world), len(world.admit)) == ((1, 0, 0), 0)


def test_heartbeats_of_a_pending_path_are_held():
    world, connection, wire = line()
    receive(connection, heartbeat("0001"))
    sealed = world.seal()
    other, second = connect(world.parts[0])
    receive(other, heartbeat("0001", 2))
    assert (second.written, len(world.admit)) == (b"", 0)
    world.journal(sealed)
    assert second.written == accepted(heartbeat("0001", 2))


def test_a_heartbeat_between_the_append_and_the_path_table_is_answered_at_once():
    world, connection, wire = line()
    receive(connection, heartbeat("0001"))
    world.journal(judge=False)
    receive(connection, heartbeat("0001", 2))
    assert world.paths.states_in()["pending"] == 1
    assert wire.written == accepted(heartbeat("0001")) + accepted(heartbeat("0001", 2))


def test_a_signal_of_an_unknown_account_comes_after_its_enrolment():
    world, connection, wire = line()
    receive(connection, alarm("0001"))
    world.journal()
    assert [(row["kind"], row["path"]) for row in world.journalled] == [(2, 0), (1, 0)]
    assert wire.written == accepted(alarm("0001"))
    assert world.journalled[1]["flags"] == 0


def test_after_a_failed_append_the_next_frame_enrols_again_under_the_same_number():
    world, connection, wire = line()
    receive(connection, heartbeat("0001"))
    world.lose()
    assert (wire.closed, world.paths.states_in()["new"], len(world.paths)) == (True, 1, 1)
    connection, wire = connect(world.parts[0])
    receive(connection, heartbeat("0002") + heartbeat("0001", 2))
    world.journal()
    assert [(row["path"], row["account"]) for row in world.journalled] == [(1, "0002"), (0, "0001")]
    assert wire.written == accepted(heartbeat("0002")) + accepted(heartbeat("0001", 2))
    assert world.paths.states_in()["up"] == 2
    world.paths.check()


def test_quarantine_answers_and_labels_but_enrols_nobody():
    world, connection, wire = line(policy="quarantine")
    receive(connection, heartbeat("0001") + alarm("0001"))
    assert wire.written == accepted(heartbeat("0001"))
    world.journal()
    assert wire.written == accepted(heartbeat("0001")) + accepted(alarm("0001"))
    [row] = world.journalled
    assert (row["path"], row["flags"], row["account"], row["class"]) == (0xFFFFFFFF, 32, "0001", 1)
    assert (len(world.paths), counts(world)) == (0, (0, 2, 0))


def test_refuse_gives_no_reply_and_no_row():
    world, connection, wire = line(policy="refuse")
    receive(connection, heartbeat("0001") + alarm("0001"))
    assert (wire.written, len(world.admit), len(world.paths), counts(world)) == (b"", 0, 0, (0, 0, 2))
    assert world.count("rejected", "dc09", "unknown_account") == 2


@pytest.mark.parametrize("urgency_min", [0, 2])
def test_refuse_holds_also_while_the_intake_has_no_room(urgency_min):
    world, connection, wire = line(policy="refuse", registered=[(1, "0009", "", 0, b"")])
    world.admit.urgency_min = 2
    receive(connection, heartbeat("0001") + alarm("0001"))
    assert (wire.written, len(world.admit)) == (b"", 0)
    assert world.count("rejected", "dc09", "unknown_account") == 2
    receive(connection, alarm("0009"))
    assert world.admit.batch.row(0)["flags"] == 32


def test_without_room_an_unknown_account_is_quarantined_and_enrolled_later():
    world, connection, wire = line()
    world.admit.urgency_min = 2
    receive(connection, alarm("0001"))
    assert (len(world.paths), world.admit.batch.row(0)["flags"]) == (0, 32)
    world.journal()
    world.admit.urgency_min = 0
    receive(connection, heartbeat("0001"))
    world.journal()
    assert world.paths.states_in()["up"] == 1


def test_the_rate_is_a_bucket_of_one_second():
    world, connection, _ = line(rate=10)
    sequence = iter(range(10_000))
    enrolled = []
    for _step in range(31):
        for _ in range(20):
            receive(connection, heartbeat(f"{next(sequence):05d}"))
        enrolled.append(world.enrolment.enrolled)
        world.journal()
        world.clock.advance(100 * MS)
    assert enrolled[0] == 10
    assert [after - before for before, after in zip(enrolled, enrolled[1:], strict=False)] == [1] * 30
    world.clock.advance(100 * SECOND)
    for _ in range(30):
        receive(connection, heartbeat(f"{next(sequence):05d}"))
    assert world.enrolment.enrolled == enrolled[-1] + 10


def test_a_rate_of_nought_enrols_nobody_but_those_in_the_configuration():
    world, connection, _ = line(rate=0, registered=[(1, "0009", "", 5000, b"")])
    for _ in range(3):
        receive(connection, heartbeat("0001") + heartbeat("0009"))
        world.journal()
        world.clock.advance(3600 * SECOND)
    assert [row["account"] for row in world.journalled] == ["0009"]
    assert world.enrolment.quarantined == 3


def test_a_rate_below_one_a_second():
    world, connection, _ = line(rate=0.1)
    for number in range(100):
        receive(connection, heartbeat(f"{number:04d}"))
        world.clock.advance(SECOND)
    assert world.enrolment.enrolled == 10


def test_the_limit_is_kept_but_not_for_those_in_the_configuration():
    world, connection, wire = line(limit=2, registered=[(1, "0009", "", 5000, b"")])
    for account in ("0001", "0002", "0003", "0009"):
        receive(connection, heartbeat(account))
    world.journal()
    assert [row["account"] for row in world.journalled] == ["0001", "0002", "0009"]
    assert counts(world) == (3, 1, 0)
    assert wire.written.endswith(accepted(heartbeat("0003")) + accepted(heartbeat("0009")))


def test_a_full_table_quarantines():
    world, connection, _ = line(paths_max=2)
    for account in ("0001", "0002", "0003"):
        receive(connection, heartbeat(account))
    assert (len(world.paths), counts(world)) == (2, (2, 1, 0))
    world.paths.check()


def test_transmitters_of_the_configuration_have_their_time_and_their_realm():
    world, connection, _ = line(policy="refuse", realm="north", registered=[
        (1, "ab12", "north", 30_000, b""), (1, "CD34", "", 40_000, b""), (1, "EF56", "south", 50_000, b"")])
    for account in ("AB12", "CD34", "EF56"):
        receive(connection, heartbeat(account))
    world.journal()
    [row] = world.journalled
    assert row["native"] == "dc09:AB12@north/default/L0 supervision=30000"
    assert (row["account"], row["realm"]) == ("AB12", "north")
    assert world.paths.show(0)["supervision_ms"] == 30_000
    assert counts(world) == (1, 0, 2)


def test_two_listeners_of_one_realm_know_the_same_transmitters():
    world = World(policy="refuse", registered=[(1, "0001", "", 7000, b"")])
    second = world.enrolment.listen_on("second", "")
    assert second == 1
    world.listener = second
    connection, wire = connect(world.tcp())
    receive(connection, heartbeat("0001"))
    world.journal()
    assert wire.written == accepted(heartbeat("0001"))
    assert world.paths.key_text(0) == "dc09:0001/second/L0"


@pytest.mark.parametrize("account", ["0" * 17, "ü"])
def test_accounts_that_cannot_be_are_refused_when_they_are_configured(account):
    with pytest.raises(ValueError):
        Enrolment(PathTable(10, HASH_KEY), "enrol", 1, 10, 0, [(1, account, "", 0)])


def test_an_unknown_policy_is_our_error():
    with pytest.raises(KeyError):
        Enrolment(PathTable(10, HASH_KEY), "allow", 1, 10, 0, [])


@settings(max_examples=150, deadline=None)
@given(accounts=st.lists(st.text(ACCOUNT_TEXT, min_size=3, max_size=16), min_size=1, max_size=8, unique=True),
       numbers=st.lists(st.tuples(st.sampled_from([None, "0", "1F", "ABCDEF", "000001"]),
                                  st.sampled_from(["0", "0A", "123456"])), min_size=8, max_size=8))
def test_a_path_comes_back_from_its_journal_row(accounts, numbers):
    world, connection, _ = line(realm="r.e-a_l")
    for account, (receiver, number) in zip(accounts, numbers, strict=False):
        receive(connection, build_frame("NULL", account, receiver=receiver, line=number))
    sealed = Batch.view(world.admit.batch.encode())
    after = PathTable(100, bytes(16))
    after.apply(sealed)
    assert len(after) == len(world.paths) == len(accounts)
    for index, account in enumerate(accounts):
        assert after.key_text(index) == world.paths.key_text(index)
        assert after.transmitter_text(index) == f"dc09:{account}@r.e-a_l"
        shown, known = after.show(index), world.paths.show(index)
        for name in ("receiver", "line", "network", "listener", "supervision_ms", "transmitter"):
            assert shown[name] == known[name]
    after.check()
    world.paths.check()


def test_a_short_account_is_found_again_whatever_the_long_ones_before_left():
    world, connection, wire = line()
    long = ["F" * 16, "ABCDEF0123456789", "9" * 15, "0123456789ABCDE"]
    short = ["123", "1234", "F00", "ABCDE", "0" * 7]
    for account in (*short, *long):
        receive(connection, heartbeat(account))
        world.journal()
    assert len(world.paths) == len(short) + len(long)
    for sequence in range(2, 30):
        for between in long:
            for account in short:
                receive(connection, heartbeat(between, sequence))
                receive(connection, alarm(between, sequence))
                receive(connection, heartbeat(account, sequence) + alarm(account, sequence))
        world.journal()
    assert len(world.paths) == world.enrolment.enrolled == len(short) + len(long)
    assert {row["path"] for row in world.signals()} == set(range(len(world.paths)))
    world.paths.check()


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.parametrize("policy", ["enrol", "quarantine", "refuse"])
def test_a_flood_of_forged_accounts_stops_no_known_transmitter_and_is_bounded(policy):
    """Over UDP, each account from nowhere once: the table stops at its limit, memory at its size, and fires go on."""
    world = World(policy=policy, rate=50, limit=200, paths_max=1000)
    world.enrol("AAAA")
    with bound() as socket, bound() as panel, bound() as forger:
        udp = world.udp(socket)
        panel.connect(socket.getsockname())
        forger.connect(socket.getsockname())
        settled = 0
        for second in range(1, 121):
            for number in range(60):
                forged = f"{second:05X}{number:03X}"
                forger.send(alarm(forged) if number % 8 == 0 else heartbeat(forged))
            panel.send(alarm("AAAA", second))
            udp.on_readable()
            world.journal()
            assert replies(panel) == [accepted(alarm("AAAA", second))]
            replies(forger)
            world.journalled.clear()
            world.clock.advance(SECOND)
            settled = resident_bytes() if second == 60 else settled
        grown = resident_bytes() - settled
    enrolled, quarantined, refused = counts(world)
    assert enrolled + quarantined + refused == 120 * 60
    assert (enrolled, len(world.paths)) == ((199, 200) if policy == "enrol" else (0, 1))
    assert udp.held_in == len(world.admit) == 0
    assert grown < 1 << 20, f"{grown} bytes more after another 3600 accounts"
    world.paths.check()
