"""Receiver threads: what a thread does by itself, what it hands to the loop, and that neither spoils the other."""
import os
import select
import socket as sockets
import threading
from contextlib import ExitStack

import pytest

from codec.batch import Batch
from codec.reading import build_frame
from codec.words import Condition, RowKind, SignalClass, State
from engine.listen.binding import bind, open_beside, open_sockets
from engine.listen.receivers import ReceiverListener
from engine.listen.registered import FrameRules
from engine.listen.udp import UdpListener
from engine.store.path_rows import HeartbeatRows, Rollups
from engine.supervise.supervisor import Supervisor
from engine.supervise.touches import Touches
from engine.supervise.wheel import Wheel
from tests.unit.listen_world import MS, SECOND, World, accepted, alarm, bound, heartbeat, replies
from tests.unit.test_commands import command, rsp

ACCOUNTS = [f"{number:04X}" for number in range(16)]
KEY = bytes(range(16))
WAIT_S = 10.0


class Line:
    """A world, a socket that a thread reads once `start` was called, and a transmitter that is connected to it."""

    def __init__(self, stack, world=None, address="127.0.0.1", called=None, family=sockets.AF_INET):
        self.world = world or World(heartbeats=100)
        if world is None:
            self.world.enrol(*ACCOUNTS)
        self.socket = stack.enter_context(bound(address, family))
        self.udp = ReceiverListener(self.world.receiver, self.world.clock, self.world.listening, self.socket,
                                    self.world.listener, 1000, self.world.latency["heartbeat"],
                                    self.world.latency["signal"])
        self.world.parts.append(self.udp)
        self.panel = stack.enter_context(sockets.socket(family, sockets.SOCK_DGRAM))
        self.panel.connect((called or address, self.socket.getsockname()[1]))
        self.panel.settimeout(WAIT_S)
        stack.callback(self.udp.stop)

    def start(self):
        self.udp.start()
        return self

    def say(self, *frames):
        """Send frames, each in a datagram; return the first reply."""
        for frame in frames:
            self.panel.send(frame)
        return self.panel.recv(4096)

    def hand(self, *frames):
        """Send frames that the thread hands over; return how many the loop took."""
        for frame in frames:
            self.panel.send(frame)
        return self.take(len(frames))

    def take(self, wanted):
        taken = 0
        while taken < wanted and select.select([self.udp.wake_fd], [], [], WAIT_S)[0]:
            taken += self.udp.on_readable()
        return taken

    def quiet(self):
        """Whether nothing was handed over, once a heartbeat has gone the same way."""
        return not select.select([self.udp.wake_fd], [], [], 0)[0]


@pytest.fixture
def stack():
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def line(stack):
    return Line(stack).start()


def test_a_thread_answers_heartbeats_without_the_loop(line):
    world = line.world
    world.clock.advance(5 * SECOND)
    assert line.say(heartbeat("0003")) == accepted(heartbeat("0003"))
    assert line.quiet()
    assert (world.count("frames", "dc09", "heartbeat"), world.count("handed")) == (1, 0)
    assert (world.count("bytes"), len(world.heartbeats)) == (len(heartbeat("0003")), 1)
    assert world.paths.show(3)["last_seen_ms"] == world.clock.wall_ns() // MS
    line.udp.stop()                      # it counts what has left only behind the sending
    assert world.count("replies", "dc09", "accept") == 1
    assert world.latency["heartbeat"].snapshot()[2] == 1
    assert world.paths.habits(3)["seen"] == ["clear frames"]


def test_several_heartbeats_in_one_datagram(line):
    assert line.say(heartbeat("0001") + heartbeat("0002")) == accepted(heartbeat("0001"))
    assert line.panel.recv(4096) == accepted(heartbeat("0002"))
    assert line.quiet()


def test_a_signal_goes_by_the_loop_and_its_reply_by_the_same_socket(line):
    assert line.hand(alarm("0002")) == 1
    assert (line.udp.held_in, line.world.count("handed")) == (1, 1)
    line.world.journal()
    assert line.panel.recv(4096) == accepted(alarm("0002"))
    assert [row["account"] for row in line.world.signals()] == ["0002"]
    assert line.world.latency["signal"].snapshot()[2] == 1


def test_what_stands_behind_a_heartbeat_is_handed_over_alone(line):
    assert line.hand(heartbeat("0001") + alarm("0002") + heartbeat("0003")) == 1
    line.world.journal()
    assert sorted(line.panel.recv(4096) for _ in range(3)) == sorted(
        map(accepted, (heartbeat("0001"), alarm("0002"), heartbeat("0003"))))
    assert line.world.count("frames", "dc09", "heartbeat") == 2
    assert line.world.count("bytes") == len(heartbeat("0001") + alarm("0002") + heartbeat("0003"))


@pytest.mark.parametrize("frame", [b"?", b"\n", b"\n0000garbage\r", heartbeat("0001")[:-3]])
def test_garbage_is_kept_for_the_installer(line, frame):
    assert line.hand(frame) == 1
    assert line.world.refused.newest()
    assert line.world.count("bytes") == len(frame)


def test_who_is_unknown_is_enrolled_by_the_loop_and_then_answered_by_the_thread(line):
    assert line.hand(heartbeat("BEEF")) == 1
    assert line.udp.held_in == 1
    line.world.journal()
    assert line.panel.recv(4096) == accepted(heartbeat("BEEF"))
    assert line.say(heartbeat("BEEF", 2)) == accepted(heartbeat("BEEF", 2))
    assert (line.quiet(), line.world.count("handed")) == (True, 1)


def test_encrypted_and_watched_transmitters_are_the_loops(stack):
    world = World(registered=[(1, "0001", "", 90_000, KEY, FrameRules()),
                              (1, "0002", "", 90_000, KEY, FrameRules(encrypted_only=True))])
    world.enrol("0001", "0002", "0003")
    world.enrolment.watch()
    line = Line(stack, world).start()
    assert line.hand(build_frame("NULL", "0001", key=KEY, stamp_ns=world.clock.wall_ns())) == 1
    assert line.panel.recv(4096)
    assert line.hand(heartbeat("0002")) == 1
    assert world.refused.newest()
    assert line.say(heartbeat("0003")) == accepted(heartbeat("0003"))
    assert world.count("handed") == 2


def test_a_command_leaves_with_the_next_frame(line):
    assert line.world.receiver.queue_command(4, command(line.world))
    assert line.hand(heartbeat("0004")) == 1
    assert line.panel.recv(4096) == rsp(heartbeat("0004"))


def break_line(world, number, *, raised=True):
    """Let a path be in fault, as the journal says it."""
    batch = Batch(16, 1 << 14)
    batch.add(kind=RowKind.ROW_SIGNAL, path=number, signal_class=SignalClass.CLASS_FAULT, native="line_fault",
              condition=Condition.CONDITION_LINE_FAULT, state=State.STATE_RAISED if raised else State.STATE_CLEARED)
    world.paths.apply(batch)


def cleared(world):
    """Return the paths whose fault SUPERVISE ends now."""
    Supervisor(world.paths, Wheel(100_000), world.listening, world.clock, world.admit).clear_returned()
    return [row["path"] for row in pending(world) if row["condition"] == Condition.CONDITION_LINE_FAULT]


def test_the_loop_ends_the_fault_of_a_path_that_is_heard_again(stack):
    world = World()
    world.enrol(*ACCOUNTS)
    break_line(world, 5)
    line = Line(stack, world).start()
    assert line.hand(heartbeat("0005")) == 1
    assert line.panel.recv(4096) == accepted(heartbeat("0005"))
    assert cleared(world) == [5]
    assert world.count("frames", "dc09", "heartbeat") == 1


def test_a_full_ring_takes_fires_last_and_heartbeats_do_not_notice(stack):
    world = World()
    world.enrol(*ACCOUNTS)
    break_line(world, 5)
    line = Line(stack, world).start()
    drops = line.udp.drops()
    sent = 0
    for bytes_of_frame in (3000, 0):                                 # what no longer has room for a long one, and then
        fault = build_frame("SIA-DCS", "0001", b"#0001|Nri1/AT017" + b" " * bytes_of_frame)
        shed = world.count("shed", "signal")
        while world.count("shed", "signal") == shed:
            line.panel.send(fault)
            sent += 1
            frame = heartbeat("0002", sent)
            assert line.say(frame) == accepted(frame), "and so it has been looked at"
    assert 200 < sent < 400
    assert line.udp.drops() == drops + 2, "they are credited as if the kernel had dropped them"
    assert line.say(heartbeat("0005")) == accepted(heartbeat("0005")), "in fault, and the loop cannot be told"
    line.panel.send(heartbeat("BEEF") + alarm("0003"))               # it has a fire in it
    encrypted = build_frame("SIA-DCS", "0001", b"#0001|Nri1/AT017", key=KEY, stamp_ns=world.clock.wall_ns())
    line.panel.send(encrypted)                                       # nobody here can tell
    line.panel.send(alarm("0003", 2, "BA"))                          # a burglary
    assert line.say(heartbeat("0002"))
    assert (world.count("shed", "signal"), line.udp.drops() - drops) == (3, 3)
    assert line.take(sent) == sent                                   # without the two, with fire and secret
    assert world.count("frames", "dc09", "signal") >= 1
    assert [row["account"] for row in pending(world) if row["class"] == SignalClass.CLASS_FIRE] == ["0003"]
    line.panel.send(heartbeat("0005", 2))
    assert line.take(1) == 1
    assert cleared(world) == [5], "the next frame told"


def pending(world):
    return [world.admit.batch.row(index) for index in range(len(world.admit))]


@pytest.mark.parametrize("size", [1, 100, 1000, 4000])
def test_the_ring_gives_back_what_was_put_in_over_its_end_and_again(line, size):
    """Garbage of any size, all of it counted, and some of it kept as it was."""
    told = 0
    for turn in range(3 * (1 << 20) // (size + 80) + 10):
        line.panel.send(bytes([65 + turn % 26]) * size)
        told += 1
        if turn % 8 == 7:                # as many of the long ones as the kernel's buffer holds
            assert line.take(8) == 8
    assert line.take(told % 8) == told % 8
    assert line.world.count("garbage_bytes") == told * size
    assert (line.world.count("shed", "signal"), line.world.count("handed")) == (0, told)


@pytest.mark.parametrize("called", ["127.0.0.1", "127.0.0.2"])
def test_every_reply_leaves_from_the_address_that_was_called(stack, called):
    line = Line(stack, address="0.0.0.0", called=called).start()
    assert line.say(heartbeat("0001")) == accepted(heartbeat("0001"))
    assert line.hand(alarm("0002")) == 1
    line.world.journal()
    assert line.panel.recv(4096) == accepted(alarm("0002"))


@pytest.mark.parametrize("address", ["::1", "::"])
def test_ipv6(stack, address):
    line = Line(stack, address=address, called="::1", family=sockets.AF_INET6).start()
    assert line.say(heartbeat("0001")) == accepted(heartbeat("0001"))
    assert line.hand(alarm("0002"), b"?") == 2
    line.world.journal()
    assert line.panel.recv(4096) == accepted(alarm("0002"))
    assert line.world.refused.newest()[0]["peer"] == "::1"


def test_peers_that_change_are_counted(line, stack):
    line.say(heartbeat("0001"))
    other = stack.enter_context(sockets.socket(sockets.AF_INET, sockets.SOCK_DGRAM))
    other.bind(("127.0.0.9", 0))
    other.settimeout(WAIT_S)
    for frame in (heartbeat("0001", 2), heartbeat("0001", 3)):
        other.sendto(frame, line.socket.getsockname())
        assert other.recv(4096) == accepted(frame)
    assert line.world.count("peer_changes") == 1


def test_a_stopped_thread_leaves_what_comes_in_the_socket(line):
    line.say(heartbeat("0001"))
    line.panel.send(alarm("0002"))
    assert line.take(1) == 1
    assert line.udp.stop()
    line.panel.send(heartbeat("0003"))
    assert line.socket.recv(4096) == heartbeat("0003")


def test_an_error_of_the_socket_ends_the_thread_and_is_told(stack):
    line = Line(stack)
    taken = stack.enter_context(sockets.socket())
    os.dup2(taken.fileno(), line.socket.fileno())        # what the thread reads is no datagram socket any more
    taken.listen()
    line.start()
    assert select.select([line.udp.wake_fd], [], [], WAIT_S)[0]
    with pytest.raises(RuntimeError, match="a receiver thread ended"):
        while True:
            line.udp.on_readable()


def test_listening_time_stands_while_a_thread_is_not_at_its_socket(stack):
    line = Line(stack)                   # not started: it hears nothing
    world, listening = line.world, line.world.listening
    world.clock.advance(SECOND // 2)
    assert (listening.advance_to(world.clock.monotonic_ns()), line.udp.deaf_ms()) == (500, 0)
    for _ in range(100):
        world.clock.advance(SECOND // 10)
        listening.advance_to(world.clock.monotonic_ns())
    assert (listening.listening_ms, line.udp.deaf_ms()) == (1000, 10_500)
    assert listening.credited_ms == 9500
    assert not listening.overdrawn
    line.start()
    line.say(heartbeat("0001"))
    assert line.udp.deaf_ms() == 0
    world.clock.advance(SECOND // 10)
    assert listening.advance_to(world.clock.monotonic_ns()) == 1100


def test_a_thread_that_never_hears_again_does_not_end_supervision(stack):
    line = Line(stack)
    world, listening = line.world, line.world.listening
    for _ in range(7000):
        world.clock.advance(SECOND // 10)
        listening.advance_to(world.clock.monotonic_ns())
    assert listening.overdrawn
    assert 95_000 <= listening.listening_ms <= 105_000, "ten minutes of an hour are credited, and no more"


def test_threads_do_not_run_ahead_of_a_loop_that_stands_still(stack):
    line = Line(stack).start()
    world, listening = line.world, line.world.listening
    world.clock.advance(20 * SECOND)
    line.say(heartbeat("0001"))          # the thread hears; the loop has stood still for 20 s
    assert ages(world, 0)[1] == 0        # as if heard in time to come, within one stall
    assert listening.advance_to(world.clock.monotonic_ns()) == 1000
    assert ages(world, 1000)[:2] == [1000, 0]


def ages(world, now_ms):
    raw = b"".join(Touches(world.paths).ages(len(world.paths), now_ms))
    return [int.from_bytes(raw[at:at + 4], "little") & 0x7FFFFFFF for at in range(0, len(raw), 4)]


def test_a_retired_thread_is_not_waited_for(line):
    line.udp.stop()
    line.world.clock.advance(SECOND // 2)
    for _ in range(40):
        line.world.clock.advance(SECOND // 2)
        line.world.listening.advance_to(line.world.clock.monotonic_ns())
    assert line.world.listening.credited_ms == 0


def test_quarter_hours_and_single_heartbeats_count_each_frame_once(line):
    for sequence in range(1, 200):
        line.say(heartbeat("0006", sequence))
    line.udp.on_readable()
    rollups, rows = Rollups(line.world.paths), HeartbeatRows(line.world.paths)
    rollups.gather(0, 1000)
    rows.gather(line.world.heartbeats, 1000)
    assert rollups.rows == 1
    assert rows.rows + line.world.heartbeats.shed == 199
    rollups.clear()
    rollups.gather(0, 1000)
    assert rollups.rows == 0


# -- several at once ---------------------------------------------------------------------------------------------------


def test_sockets_share_an_address_and_each_sender_has_one(stack):
    udp, tcp = open_sockets("127.0.0.1", 0, 65536, shared=True)
    stack.callback(tcp.close)
    shared = [stack.enter_context(udp), stack.enter_context(open_beside(udp, 65536))]
    assert shared[0].getsockname() == shared[1].getsockname()
    for _ in range(64):
        with sockets.socket(sockets.AF_INET, sockets.SOCK_DGRAM) as panel:
            panel.connect(udp.getsockname())
            panel.send(b"1")
            panel.send(b"2")
    assert all(len(replies(one)) >= 2 for one in shared)
    with pytest.raises(OSError, match="cannot listen on"):
        bind(sockets.AF_INET, sockets.SOCK_DGRAM, udp.getsockname())


def test_two_threads_hear_everything_while_the_loop_enrols_a_hundred_thousand_paths(stack):
    """Each of 1,000 paths is heard and answered again and again while the table grows beside it."""
    world = World(paths_max=200_000, heartbeats=1 << 17)
    known = [f"{number:06X}" for number in range(1000)]
    for start in range(0, 1000, 500):
        world.enrol(*known[start:start + 500])
    lines = [Line(stack, world).start() for _ in range(2)]
    done = threading.Event()
    said = [0, 0]

    def talk(which):
        while not done.is_set() or said[which] < 1000:
            account = known[said[which] * 7 % 1000]
            frame = heartbeat(account, said[which] % 9999 + 1)
            if lines[which].say(frame) != accepted(frame):
                return
            said[which] += 1

    talking = [threading.Thread(target=talk, args=(which,), daemon=True) for which in range(2)]
    for one in talking:
        one.start()
    supervisor = Supervisor(world.paths, Wheel(200_000), world.listening, world.clock, world.admit)
    for start in range(1000, 101_000, 500):
        world.enrol(*(f"{number:06X}" for number in range(start, start + 500)))
        rollup(world)
        supervisor.turn()
        ages(world, 0)
    done.set()
    for one in talking:
        one.join(60)
    for one in lines:
        one.udp.stop()
    assert min(said) >= 1000
    assert len(world.paths) == 101_000
    world.paths.check()
    assert world.count("frames", "dc09", "heartbeat") == sum(said)
    assert world.count("replies", "dc09", "accept") == sum(said)
    assert (world.count("handed"), world.count("shed", "signal")) == (0, 0)
    assert len(world.heartbeats) + world.heartbeats.shed == sum(said)


def rollup(world):
    rollups = Rollups(world.paths)
    while rollups.gather(0, 65536):
        rollups.clear()


def test_the_loop_and_a_thread_count_the_same_path_together(stack):
    """By TCP or another socket a path is heard by the loop too: no frame is counted twice or not at all."""
    line = Line(stack).start()
    beside = line.world.udp(stack.enter_context(bound()))
    panel = stack.enter_context(sockets.socket(sockets.AF_INET, sockets.SOCK_DGRAM))
    panel.connect(beside.socket.getsockname())
    total = 0
    done = threading.Event()

    def talk():
        nonlocal total
        while not done.is_set():
            line.say(heartbeat("0001", total % 9999 + 1))
            total += 1

    talking = threading.Thread(target=talk, daemon=True)
    talking.start()
    for sequence in range(1, 2001):
        panel.send(heartbeat("0001", sequence))
        assert beside.on_readable() == 1
    done.set()
    talking.join(WAIT_S)
    line.udp.stop()
    assert frames_of(line.world, 1) == total + 2000


def frames_of(world, number):
    saved = b"".join(world.paths.save())
    listeners = int.from_bytes(saved[4:8], "little")
    record = 8 + listeners + 64 * number
    return int.from_bytes(saved[record + 60:record + 62], "little")


def test_the_default_is_a_listener_without_a_thread(stack):
    world = World()
    udp = world.udp(stack.enter_context(bound()))
    assert type(udp) is UdpListener
    assert not world.paths.shared
