"""Transmitters that the configuration names and that never spoke: each has a path, until it has one of its own."""
from codec.batch import Batch
from engine.listen.enrolment import Enrolment
from engine.paths import PathTable
from engine.supervise.supervisor import Supervisor
from engine.supervise.wheel import Wheel
from tests.unit.listen_world import HASH_KEY, MS, World, accepted, connect, heartbeat, receive

REGISTERED = [(1, "0A01", "", 30_000, b""), (1, "0A02", "", 60_000, b"")]


class Line:
    """LISTEN with a supervisor behind it."""

    def __init__(self, registered=REGISTERED):
        self.world = World(registered=registered)
        self.connection, self.wire = connect(self.world.tcp())
        self.supervisor = Supervisor(self.world.paths, Wheel(100_000), self.world.listening, self.world.clock,
                                     self.world.admit)
        self.rows = []

    def expect(self):
        return self.world.enrolment.expect(self.world.admit, self.world.listening.listening_ms,
                                           self.world.clock.wall_ns())

    def journal(self):
        sealed, ticket = self.world.seal()
        self.rows += [(row["native"], row["state"], row["path"]) for row in (sealed.row(i) for i in range(len(sealed)))]
        self.world.admit.release(ticket)
        for part in self.world.parts:
            part.release(ticket)
        self.world.paths.apply(sealed, self.world.listening.listening_ms)
        return sealed

    def run(self, seconds):
        for _ in range(int(seconds * 10)):
            self.world.clock.advance(100 * MS)
            self.supervisor.turn()
            self.supervisor.clear_returned()
            if len(self.world.admit):
                self.journal()


def test_one_that_never_speaks_is_reported_after_its_time():
    line = Line()
    assert line.expect()                 # until they are durable
    line.journal()
    assert not line.expect()
    assert [native for native, *_ in line.rows] == ["dc09:0A01/default supervision=30000 expected",
                                                    "dc09:0A02/default supervision=60000 expected"]
    line.run(31)
    assert line.rows[2:] == [("line_fault", 1, 0)]
    line.run(30)
    assert line.rows[3:] == [("line_fault", 1, 1)]
    assert line.world.paths.show(0)["last_seen_ms"] is None


def test_its_own_path_takes_over_and_ends_the_fault():
    line = Line()
    line.expect()
    line.journal()
    line.run(31)
    receive(line.connection, heartbeat("0A01"))
    line.run(0.2)
    assert line.wire.written == accepted(heartbeat("0A01"))
    assert [row for row in line.rows if row[0] == "line_fault"] == [("line_fault", 1, 0), ("line_fault", 2, 0)]
    line.run(25)
    receive(line.connection, heartbeat("0A01", 2))
    line.run(29)
    assert [path for native, _, path in line.rows if native == "line_fault"] == [0, 0, 1]   # nobody waits twice
    line.run(2)
    assert line.rows[-1] == ("line_fault", 1, 2)
    line.world.paths.check()


def test_a_refused_row_is_offered_again():
    line = Line()
    assert line.expect()
    line.world.lose()
    assert line.world.paths.states_in()["new"] == 2
    assert line.expect()
    line.journal()
    assert not line.expect()
    assert line.world.paths.states_in()["up"] == 2
    assert len(line.world.paths) == 2


def test_rows_that_find_no_room_come_later():
    registered = [(1, f"{number:04X}", "", 30_000, b"") for number in range(2000)]
    line = Line(registered)
    passes = 0
    while line.expect():
        passes += 1
        line.journal()
    assert passes >= 4
    assert line.world.paths.states_in()["up"] == 2000


def test_a_replay_gives_the_same_table():
    line = Line()
    line.expect()
    sealed = [line.journal()]
    receive(line.connection, heartbeat("0A01"))
    sealed.append(line.journal())
    again = PathTable(1000, HASH_KEY)
    for batch in sealed:
        again.apply(Batch.view(batch.encode()))
    assert [again.show(number)["supervision_ms"] for number in range(3)] == [None, 60_000, 30_000]
    assert [again.is_expected(number) for number in range(3)] == [True, True, False]
    again.check()


def test_who_is_named_no_longer_is_not_waited_for():
    line = Line()
    line.expect()
    line.journal()
    later = Enrolment(line.world.paths, "enrol", 1e6, 1000, 90_000, REGISTERED[:1])
    later.listen_on("default", "")
    later.watch()
    assert [line.world.paths.show(number)["supervision_ms"] for number in range(2)] == [30_000, None]


def test_a_realm_that_nobody_listens_on_is_passed_over():
    line = Line([(1, "0A01", "elsewhere", 30_000, b""), *REGISTERED])
    line.expect()
    assert len(line.world.paths) == 2
