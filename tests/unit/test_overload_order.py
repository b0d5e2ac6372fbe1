"""What is shed first when there is too much: each queue filled on purpose, and who still comes in."""
import socket as sockets

import pytest

from codec.words import SignalClass
from engine.listen.binding import widen
from engine.supervise.supervisor import Supervisor
from engine.supervise.wheel import Wheel
from tests.unit.listen_world import SECOND, World, accepted, alarm, bound, connect, heartbeat, receive, replies

ACCOUNTS = [f"{number:04X}" for number in range(1000)]
INFO, FAULT, FIRE = (int(SignalClass[f"CLASS_{name}"]) for name in ("INFO", "FAULT", "FIRE"))


class Pair(sockets.socket):
    """One end of a pair that passes for a UDP socket: where its peer does not read, the kernel refuses to send."""

    def getsockname(self):
        return "127.0.0.1", 1


def offer(world: World, signal_class: int) -> int:
    """Offer signals of a class until one finds no room; return how many rows there are."""
    number = 0
    while world.admit.offer_frame({"signal_class": signal_class, "identity": b"%d %d" % (signal_class, number)}):
        number += 1
    return len(world.admit)


def test_info_waits_before_line_faults_these_before_other_signals_and_a_fire_never():
    world = World(rows=1024)
    world.enrol(*ACCOUNTS)
    supervisor = Supervisor(world.paths, Wheel(100_000), world.listening, world.clock, world.admit)
    for _ in range(95 * 10):             # so that every path is due
        world.clock.advance(SECOND // 10)
        supervisor.turn()
        if supervisor.line_faults:
            break
    world.admit.take()
    assert offer(world, INFO) == 512
    for _ in range(20):
        world.clock.advance(SECOND // 10)
        supervisor.turn()
    assert len(world.admit) == 641       # and line faults are left that found no room
    assert offer(world, INFO) == 641
    assert offer(world, FAULT) == 896
    supervisor.turn()
    assert len(world.admit) == 896
    assert offer(world, FIRE) == 1024


@pytest.fixture
def crowded():
    """A world whose listener's kernel buffer is nearly full of heartbeats; the sockets of both sides."""
    world = World()
    world.enrol(*ACCOUNTS)
    with bound() as here, bound() as panel:
        widen(here, 65536)
        panel.connect(here.getsockname())
        yield world, world.udp(here), panel


def test_heartbeats_get_no_reply_when_datagrams_are_about_to_be_dropped_and_count_all_the_same(crowded):
    world, udp, panel = crowded
    world.clock.advance(SECOND)
    sent = 0
    while not udp.kernel_drops():
        panel.send(heartbeat(ACCOUNTS[sent % 1000]))
        sent += 1
    sent -= 1
    taken = 0
    while more := udp.on_readable():
        taken += more
        world.journal()
    answered = len(replies(panel))
    assert taken == sent
    assert 0 < answered < sent
    assert world.count("shed", "heartbeat_reply") == sent - answered
    seen = [world.paths.show(number)["last_seen_ms"] for number in range(min(sent, 1000))]
    assert set(seen) == {world.clock.wall_ns() // 1_000_000}
    panel.send(heartbeat(ACCOUNTS[0]))
    udp.on_readable()
    assert replies(panel) == [accepted(heartbeat(ACCOUNTS[0]))]    # as soon as there is room again


def test_signals_are_taken_and_answered_among_heartbeats_that_are_not(crowded):
    world, udp, panel = crowded
    for number in range(10):
        panel.send(alarm(ACCOUNTS[number]))
    while not udp.kernel_drops():
        panel.send(heartbeat(ACCOUNTS[500]))
    udp.on_readable()
    world.journal()
    assert set(replies(panel)) >= {accepted(alarm(ACCOUNTS[number])) for number in range(10)}
    assert world.count("shed", "signal") == world.count("shed", "held_reply") == 0
    assert world.count("shed", "heartbeat_reply") > 0


@pytest.fixture
def stuffed():
    """A world with sixty signals that are durable, and a peer whose queue is full before it has all their replies."""
    world = World()
    world.enrol(*ACCOUNTS)
    ours, theirs = sockets.socketpair(sockets.AF_UNIX, sockets.SOCK_DGRAM)
    for end in (ours, theirs):
        end.setblocking(False)
    with Pair(fileno=theirs.detach()) as here, ours as panel:
        here.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 4096)
        udp = world.udp(here)
        for number in range(60):
            panel.send(alarm(ACCOUNTS[number]))
            udp.on_readable()
        world.journal()
        yield world, udp, panel


def test_a_signals_reply_that_the_socket_does_not_take_waits_for_it(stuffed):
    world, udp, panel = stuffed
    waiting = udp.held_in
    assert 0 < waiting < 60          # the peer's queue is full
    heard = replies(panel)
    while udp.held_in:
        udp.on_readable()
        heard += replies(panel)
    assert heard == [accepted(alarm(ACCOUNTS[number])) for number in range(60)]
    assert world.count("shed", "reply") == 0
    assert world.count("replies", "dc09", "accept") == 60


def test_a_reply_that_is_owed_outlives_a_failure_of_the_journal(stuffed):
    world, udp, panel = stuffed
    owed = udp.held_in
    assert owed > 0                  # durable, and the peer's queue is full
    panel.send(alarm(ACCOUNTS[60]))
    udp.on_readable()
    world.lose()
    assert udp.held_in == owed
    assert world.count("replies_withheld") == 1
    heard = replies(panel)
    while udp.held_in:               # nobody sends anything any more
        udp.sweep()
        heard += replies(panel)
    assert heard == [accepted(alarm(ACCOUNTS[number])) for number in range(60)]


def test_of_immediate_replies_that_the_socket_does_not_take_heartbeats_are_shed_and_signals_wait(stuffed):
    world, udp, panel = stuffed
    while udp.held_in:
        udp.sweep()
        replies(panel)
    while not world.count("shed", "reply"):      # until the peer's queue is full again
        panel.send(heartbeat(ACCOUNTS[100]))
        udp.on_readable()
    answered, measured = world.count("replies", "dc09", "accept"), world.latency["signal"].snapshot()[2]
    for _ in range(3):
        panel.send(alarm(ACCOUNTS[0]))           # durable long ago: its reply got lost on the way
        panel.send(heartbeat(ACCOUNTS[101]))
        udp.on_readable()
    assert (udp.held_in, world.count("shed", "reply"), world.count("shed", "held_reply")) == (3, 4, 0)
    panel.send(alarm(ACCOUNTS[61]))
    udp.on_readable()
    world.lose()
    assert (udp.held_in, world.count("replies_withheld")) == (3, 1)
    replies(panel)
    udp.sweep()
    assert replies(panel) == [accepted(alarm(ACCOUNTS[0]))] * 3
    assert world.count("replies", "dc09", "accept") - answered == 3
    assert world.latency["signal"].snapshot()[2] - measured == 3


@pytest.mark.parametrize("again", [False, True], ids=["waiting for the journal", "waiting for the socket"])
def test_places_for_replies_that_wait_are_given_up_from_heartbeats_to_fires(stuffed, again):
    world, _, panel = stuffed
    replies(panel)
    udp = world.udp(world.parts[0].socket, held_max=16)
    kinds = [("LB", 12), ("FT", 14), ("FA", 16)]
    sequence = 0
    frames = {code: [alarm(ACCOUNTS[100], sequence := sequence + 1, code) for _ in range(20)] for code, _ in kinds}
    if again:
        for code, _ in kinds:
            for frame in frames[code]:
                panel.send(frame)
                udp.on_readable()
        world.journal()
        while udp.held_in or world.parts[0].held_in:
            replies(panel)
            for part in world.parts:
                part.sweep()
        replies(panel)
        shed = world.count("shed", "reply")
        while world.count("shed", "reply") == shed:
            panel.send(heartbeat(ACCOUNTS[100]))
            udp.on_readable()
    else:
        for number in range(20):                 # heartbeats whose enrolment is on its way
            panel.send(heartbeat(f"E{number:03X}"))
            udp.on_readable()
        assert udp.held_in == 8
    for code, places in kinds:
        for frame in frames[code]:
            panel.send(frame)
            udp.on_readable()
        assert (code, udp.held_in) == (code, places)


def test_no_new_connection_while_those_that_are_there_must_wait():
    world = World(rows=1024)
    world.enrol(*ACCOUNTS)
    tcp = world.tcp()
    connection, wire = connect(tcp)
    offer(world, FAULT)
    offer(world, FIRE)
    _, refused = connect(tcp)
    assert refused.aborted
    assert (tcp.closed, world.count("shed", "connection")) == ({"crowded": 1}, 1)
    world.admit.take()
    connect(tcp)
    receive(connection, alarm(ACCOUNTS[0]))
    world.journal()
    assert wire.written == accepted(alarm(ACCOUNTS[0]))
