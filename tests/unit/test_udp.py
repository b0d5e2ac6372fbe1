"""UDP on the loopback: what a wake-up takes, which replies leave, when, from where, and what is counted."""
import socket as sockets

import pytest

from codec.reading import build_frame
from engine.listen.binding import widen
from tests.unit.listen_world import World, accepted, alarm, bound, heartbeat, replies

ACCOUNTS = [f"{number:04X}" for number in range(16)]


@pytest.fixture
def open_socket():
    opened = []

    def make(address="127.0.0.1", family=sockets.AF_INET):
        opened.append(bound(address, family))
        return opened[-1]
    yield make
    for socket in opened:
        socket.close()


@pytest.fixture
def line(open_socket):
    """A world with a listener, and a transmitter's socket that is connected to it."""
    world = World(heartbeats=100)
    world.enrol(*ACCOUNTS)
    udp = world.udp(open_socket())
    panel = open_socket()
    panel.connect(udp.socket.getsockname())
    return world, udp, panel


def test_a_heartbeat_of_a_known_path_is_answered_at_once(line):
    world, udp, panel = line
    panel.send(heartbeat("0003"))
    assert udp.on_readable() == 1
    assert replies(panel) == [accepted(heartbeat("0003"))]
    assert (world.count("frames", "dc09", "heartbeat"), world.count("replies", "dc09", "accept")) == (1, 1)
    assert (len(world.admit), udp.held_in, len(world.heartbeats)) == (0, 0, 1)
    assert world.paths.show(3)["last_seen_ms"] == world.clock.wall_ns() // 1_000_000
    assert world.latency["heartbeat"].snapshot()[2] == 1
    assert world.latency["signal"].snapshot()[2] == 0


def test_nothing_to_read_is_nothing(line):
    world, udp, _ = line
    assert udp.on_readable() == 0
    assert udp.wakeups == 1


def test_an_empty_datagram_is_nothing(line):
    world, udp, panel = line
    panel.send(b"")
    assert udp.on_readable() == 1
    assert replies(panel) == []


def test_several_frames_in_one_datagram(line):
    world, udp, panel = line
    frames = [heartbeat(account, number) for number, account in enumerate(ACCOUNTS, 1)]
    panel.send(b"".join(frames))
    assert udp.on_readable() == 1
    assert replies(panel) == [accepted(frame) for frame in frames]


def test_a_full_datagram_of_frames_gives_more_replies_than_one_batch_holds(line):
    world, udp, panel = line
    frames = [heartbeat(ACCOUNTS[number % 16], number % 9999 + 1) for number in range(110)]
    data = b"".join(frames)
    assert len(data) <= 4608
    for _ in range(3):
        panel.send(data)
    widen(panel, 4 << 20)
    assert udp.on_readable() == 3
    assert replies(panel) == [accepted(frame) for frame in frames] * 3
    assert world.count("replies", "dc09", "accept") == 330


def test_a_cut_frame_is_counted_as_length_and_the_next_datagram_is_read(line):
    world, udp, panel = line
    frame = heartbeat("0001")
    panel.send(frame[:-1])
    panel.send(frame)
    assert udp.on_readable() == 2
    assert replies(panel) == [accepted(frame)]
    assert world.count("rejected", "dc09", "length") == 1
    assert world.count("garbage_bytes") == len(frame) - 1
    [kept] = world.refused.newest()
    assert (kept["reason"], kept["bytes"], kept["size"]) == ("length", frame[:-1], len(frame) - 1)
    assert (kept["peer"], kept["port"]) == panel.getsockname()


@pytest.mark.parametrize("before, after, unknown", [
    (b"garbage", b"", 1), (b"", b"\r\n", 1), (b"\x00", b"x" * 300, 2), (b"GET / HTTP/1.1\r\n", b"", 1)])
def test_garbage_beside_a_frame_does_not_take_it_along(line, before, after, unknown):
    world, udp, panel = line
    panel.send(before + heartbeat("0002") + after)
    udp.on_readable()
    assert replies(panel) == [accepted(heartbeat("0002"))]
    assert world.count("garbage_bytes") == len(before) + len(after)
    assert sum(world.receiver.counts()["rejected"].values()) >= unknown


def test_a_wrong_checksum_gets_no_reply(line):
    world, udp, panel = line
    frame = heartbeat("0002")
    panel.send(frame[:1] + (b"0000" if frame[1:5] != b"0000" else b"1111") + frame[5:])
    udp.on_readable()
    assert replies(panel) == []
    assert world.count("rejected", "dc09", "checksum") == 1


def test_a_datagram_longer_than_any_frame_does_not_break_anything(line):
    world, udp, panel = line
    panel.send(b"x" * 20_000)
    panel.send(heartbeat("0001"))
    assert udp.on_readable() == 2
    assert replies(panel) == [accepted(heartbeat("0001"))]


def test_a_thousand_datagrams_are_taken_in_wakeups_of_a_bounded_size(line):
    world, udp, panel = line
    widen(udp.socket, 4 << 20)
    widen(panel, 4 << 20)
    frames = [heartbeat(ACCOUNTS[number % 16], number + 1) for number in range(1000)]
    for frame in frames:
        panel.send(frame)
    taken, answered = [], []
    while not taken or taken[-1]:
        taken.append(udp.on_readable())
        answered += replies(panel)
    kept = 1000 - udp.kernel_drops()  # a machine may allow no buffer that takes all of them
    assert sum(taken) == kept >= 200
    assert max(taken) == min(kept, 256)
    assert answered == [accepted(frame) for frame in frames[:kept]]
    assert world.count("replies", "dc09", "accept") == kept


def test_the_kernel_says_what_it_dropped(line):
    world, udp, panel = line
    udp.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    for number in range(200):
        panel.send(heartbeat("0001", number + 1))
    taken = udp.on_readable()
    assert 0 < taken < 200
    assert udp.kernel_drops() == 200 - taken


def test_replies_to_signals_wait_for_their_ticket_in_order(line):
    world, udp, panel = line
    frames = [alarm(account) for account in ACCOUNTS[:6]]
    for frame in frames[:3]:
        panel.send(frame)
    udp.on_readable()
    first = world.seal()
    for frame in frames[3:]:
        panel.send(frame)
    panel.send(heartbeat("000F"))
    udp.on_readable()
    assert replies(panel) == [accepted(heartbeat("000F"))]
    assert udp.held_in == 6
    world.journal(first)
    assert replies(panel) == [accepted(frame) for frame in frames[:3]]
    world.journal()
    assert replies(panel) == [accepted(frame) for frame in frames[3:]]
    assert udp.held_in == 0
    assert [row["account"] for row in world.signals()] == ACCOUNTS[:6]
    assert world.latency["signal"].snapshot()[2] == 6


def test_release_of_more_than_one_batch_of_replies(line):
    world, udp, panel = line
    panel.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4 << 20)
    frames = [alarm(ACCOUNTS[number % 16], number + 1) for number in range(200)]
    for frame in frames:
        panel.send(frame)
    udp.on_readable()
    assert udp.held_in == 200
    assert udp.release(0) == 0
    world.journal()
    assert replies(panel) == [accepted(frame) for frame in frames]


def test_a_repetition_waits_with_its_first_copy_and_is_answered_at_once_later(line):
    world, udp, panel = line
    for _ in range(2):
        panel.send(alarm("0001"))
    udp.on_readable()
    assert (len(world.admit), udp.held_in) == (1, 2)
    world.journal()
    assert replies(panel) == [accepted(alarm("0001"))] * 2
    panel.send(alarm("0001"))
    udp.on_readable()
    assert replies(panel) == [accepted(alarm("0001"))]


def test_what_could_not_be_journalled_gets_no_reply_and_is_new_when_it_comes_again(line):
    world, udp, panel = line
    panel.send(alarm("0001"))
    udp.on_readable()
    first = world.seal()
    panel.send(alarm("0002"))
    udp.on_readable()
    world.lose(first)
    assert (udp.held_in, world.count("replies_withheld")) == (1, 1)
    panel.send(alarm("0001"))
    udp.on_readable()
    world.journal()
    assert replies(panel) == [accepted(alarm("0002")), accepted(alarm("0001"))]
    assert [row["account"] for row in world.signals()] == ["0002", "0001"]


def test_a_repetition_behind_later_replies_is_withheld_with_its_first_copy(line):
    world, udp, panel = line
    panel.send(alarm("0001"))
    udp.on_readable()
    first = world.seal()
    for account in ("0002", "0001", "0003"):
        panel.send(alarm(account))
    udp.on_readable()
    world.lose(first)
    assert world.count("replies_withheld") == 2
    world.journal()
    assert replies(panel) == [accepted(alarm("0002")), accepted(alarm("0003"))]
    assert [row["account"] for row in world.signals()] == ["0002", "0003"]


def test_beyond_held_max_signals_get_no_reply_and_heartbeats_go_on(open_socket):
    world = World()
    world.enrol(*ACCOUNTS)
    udp, panel = world.udp(open_socket(), held_max=4), open_socket()
    panel.connect(udp.socket.getsockname())
    frames = [alarm(account) for account in ACCOUNTS[:10]]
    for frame in frames:
        panel.send(frame)
    panel.send(heartbeat("000F"))
    udp.on_readable()
    assert (udp.held_in, world.count("shed", "held_reply")) == (4, 6)
    assert replies(panel) == [accepted(heartbeat("000F"))]
    world.journal()
    assert replies(panel) == [accepted(frame) for frame in frames[:4]]
    for frame in frames[4:8]:
        panel.send(frame)
    udp.on_readable()
    world.journal()
    assert replies(panel) == [accepted(frame) for frame in frames[4:8]]
    assert len(world.signals()) == 10


def test_a_full_intake_drops_signals_without_a_reply_while_heartbeats_are_touched(line):
    world, udp, panel = line
    world.admit.urgency_min = 2
    panel.send(alarm("0001", code="RP"))
    panel.send(alarm("0002"))
    panel.send(heartbeat("0003"))
    udp.on_readable()
    assert world.count("shed", "signal") == 1
    assert replies(panel) == [accepted(heartbeat("0003"))]
    assert world.paths.show(1)["last_seen_ms"] == world.clock.wall_ns() // 1_000_000
    world.journal()
    assert replies(panel) == [accepted(alarm("0002"))]


@pytest.mark.parametrize("called", ["127.0.0.1", "127.0.0.2", "127.77.0.9"])
def test_the_reply_leaves_from_the_address_that_was_called(open_socket, called):
    world = World()
    world.enrol(*ACCOUNTS)
    udp, panel = world.udp(open_socket("0.0.0.0")), open_socket()
    panel.connect((called, udp.socket.getsockname()[1]))  # a connected socket takes nothing from elsewhere
    panel.send(heartbeat("0001"))
    panel.send(alarm("0002"))
    udp.on_readable()
    assert replies(panel) == [accepted(heartbeat("0001"))]
    world.journal()
    assert replies(panel) == [accepted(alarm("0002"))]


@pytest.mark.parametrize("address", ["::1", "::"])
def test_ipv6(open_socket, address):
    world = World()
    world.enrol(*ACCOUNTS)
    udp, panel = world.udp(open_socket(address, sockets.AF_INET6)), open_socket("::1", sockets.AF_INET6)
    panel.connect(("::1", udp.socket.getsockname()[1]))
    panel.send(heartbeat("0001"))
    panel.send(alarm("0002"))
    panel.send(b"?")
    udp.on_readable()
    assert replies(panel) == [accepted(heartbeat("0001"))]
    world.journal()
    assert replies(panel) == [accepted(alarm("0002"))]
    [kept] = world.refused.newest()
    assert kept["peer"] == "::1"


def test_ipv4_on_a_socket_of_both_families(open_socket):
    world = World()
    world.enrol(*ACCOUNTS)
    both = sockets.socket(sockets.AF_INET6, sockets.SOCK_DGRAM)
    try:
        both.setsockopt(sockets.IPPROTO_IPV6, sockets.IPV6_V6ONLY, 0)
        both.bind(("::", 0))
        both.setblocking(False)
        udp, panel = world.udp(both), open_socket()
        panel.connect(("127.0.0.2", both.getsockname()[1]))
        panel.send(heartbeat("0001"))
        panel.send(alarm("0002"))
        panel.send(b"?")
        udp.on_readable()
        assert replies(panel) == [accepted(heartbeat("0001"))]
        world.journal()
        assert replies(panel) == [accepted(alarm("0002"))]
        assert world.refused.newest()[0]["peer"] == "127.0.0.1"
    finally:
        both.close()


def test_a_transmitter_that_is_gone_does_not_cost_the_others_their_reply(line, open_socket):
    world, udp, panel = line
    gone = open_socket()
    gone.connect(udp.socket.getsockname())
    panel.send(heartbeat("0001"))
    gone.send(heartbeat("0002"))
    panel.send(heartbeat("0003"))
    gone.close()
    udp.on_readable()
    assert replies(panel) == [accepted(heartbeat("0001")), accepted(heartbeat("0003"))]
    panel.send(heartbeat("0004"))
    assert udp.on_readable() == 1
    assert replies(panel) == [accepted(heartbeat("0004"))]


def test_a_closed_socket_is_told(line):
    world, udp, panel = line
    udp.socket.close()
    with pytest.raises(OSError, match="recvmmsg"):
        udp.on_readable()


def test_a_reply_frame_gets_no_reply(line):
    world, udp, panel = line
    panel.send(accepted(heartbeat("0001")))
    udp.on_readable()
    assert replies(panel) == []
    assert world.count("frames", "dc09", "reply") == 1


def test_a_change_of_address_is_counted_once(line, open_socket):
    world, udp, panel = line
    other = open_socket("127.0.0.3")
    other.connect(udp.socket.getsockname())
    for socket in (panel, panel, other, other):
        socket.send(heartbeat("0001"))
        udp.on_readable()
    assert world.paths.peer_changes == 1


def test_an_unknown_token_is_answered_and_counted(line):
    world, udp, panel = line
    frame = build_frame("XYZ", "0001", b"#0001|Nri1/FA017")
    panel.send(frame)
    udp.on_readable()
    world.journal()
    assert len(replies(panel)) == 1
