"""TLS: the replies are those of TCP whatever the cuts, and a handshake is bounded in time and number."""
import ssl
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tls_files import Authority
from tests.unit.listen_world import MS, SECOND, accepted, alarm, heartbeat
from tests.unit.tls_world import ACCOUNTS, Line, give, listener_of


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("tls"))
    made.issue("server")
    made.issue("panel", client=True)
    return made


def test_a_heartbeat_and_an_alarm(authority):
    line = Line(authority)
    panel = line.call()
    panel.send(heartbeat("0001") + alarm("0002"))
    assert panel.got == accepted(heartbeat("0001"))
    line.world.journal()
    panel.read()
    assert panel.got == accepted(heartbeat("0001")) + accepted(alarm("0002"))
    assert (line.handshakes, line.gate.shaking, panel.tls.version()) == ({"done": 1}, {}, "TLSv1.3")
    [row] = line.world.signals()
    assert row["account"] == "0002"


def test_frames_in_the_flight_that_ends_the_handshake(authority):
    line = Line(authority)
    panel = line.call(begin=False)
    with pytest.raises(ssl.SSLWantReadError):
        panel.tls.do_handshake()
    give(panel.link, panel.outgoing.read())
    panel.incoming.write(panel.wire.written)
    panel.wire.written.clear()
    panel.tls.do_handshake()
    panel.tls.write(heartbeat("0001"))
    panel.move()
    assert panel.got == accepted(heartbeat("0001"))


@settings(max_examples=60, deadline=None)
@given(kinds=st.lists(st.sampled_from("hhas"), min_size=1, max_size=40), seed=st.integers(0, 2**32),
       held_max=st.sampled_from([1, 2, 5, 256]), version=st.sampled_from(["TLSv1_2", "TLSv1_3"]))
def test_replies_are_those_of_the_frames_in_order_whatever_the_cuts(authority, kinds, seed, held_max, version):
    """Cuts of the plain text into records, and of the records into reads; appends begin and end in between."""
    chance, stream, expected = Random(seed), b"", b""
    line = Line(authority, held_per_connection_max=held_max)
    panel = line.call(version=ssl.TLSVersion[version])
    for sequence, kind in enumerate(kinds, 1):
        account = chance.choice(ACCOUNTS)
        frame = heartbeat(account, sequence) if kind == "h" else alarm(account, sequence)
        stream += frame * (2 if kind == "s" else 1)
        expected += accepted(frame) * (2 if kind == "s" else 1)
    while stream:
        size = chance.choice([1, 20, 100, 1000])
        panel.tls.write(stream[:size])
        stream = stream[size:]
    while cipher := panel.outgoing.read(chance.choice([1, 7, 300, 5000])):
        while not panel.wire.reading:
            line.world.journal()
        give(panel.link, cipher)
        panel.read()
        assert expected.startswith(panel.got)
    while line.tcp.held_in or len(line.world.admit):
        line.world.journal()
        panel.read()
    assert panel.got == expected
    assert panel.wire.reading
    assert len(line.world.signals()) == sum(kind in "as" for kind in kinds)


def test_what_was_decrypted_waits_while_replies_are_held(authority):
    """One read brings many records; the connection stops at its limit, and goes on without another read."""
    line = Line(authority, held_per_connection_max=2)
    panel = line.call()
    frames = [alarm("0001", number) for number in range(1, 8)]
    for frame in frames:
        panel.tls.write(frame)
    panel.move(65536)
    assert (line.tcp.held_in, panel.wire.reading) == (2, False)
    while len(panel.got) < len(b"".join(map(accepted, frames))):
        line.world.journal()
        panel.read()
    assert panel.got == b"".join(map(accepted, frames))
    assert panel.wire.reading


def test_an_end_is_answered_when_held_replies_are_out(authority):
    line = Line(authority)
    panel = line.call()
    panel.tls.write(alarm("0001"))
    with pytest.raises(ssl.SSLWantReadError):
        panel.tls.unwrap()
    panel.move()
    assert (panel.wire.closed, panel.link.eof_received()) == (False, True)
    line.world.journal()
    assert panel.wire.closed
    panel.incoming.write(panel.wire.written)
    assert panel.tls.read(4096) == accepted(alarm("0001"))
    with pytest.raises(ssl.SSLZeroReturnError):
        panel.tls.read(4096)
    assert line.tcp.closed == {"peer": 1}


def test_an_end_while_a_frame_waits_for_room_does_not_take_it_along(authority):
    line = Line(authority)
    panel = line.call()
    line.world.fill(1024)
    panel.tls.write(alarm("0001"))
    with pytest.raises(ssl.SSLWantReadError):
        panel.tls.unwrap()
    panel.move()
    assert (len(line.world.admit), panel.wire.closed) == (1024, False)
    line.world.journal()
    line.world.journal()
    assert (panel.wire.closed, line.tcp.closed) == (True, {"peer": 1})
    assert [row["account"] for row in line.world.signals()][-1] == "0001"
    panel.incoming.write(panel.wire.written)
    assert panel.tls.read(4096) == accepted(alarm("0001"))


def test_an_end_without_held_replies_closes(authority):
    line = Line(authority)
    panel = line.call()
    with pytest.raises(ssl.SSLWantReadError):
        panel.tls.unwrap()
    panel.move()
    assert panel.wire.closed
    panel.link.connection_lost(None)
    assert (line.tcp.closed, line.tcp.connections, line.tcp.shares.taken) == ({"peer": 1}, set(), 0)


def test_draining_answers_what_is_durable_and_says_goodbye(authority):
    line = Line(authority)
    waiting, idle, shaking = line.call(), line.call(), line.call(begin=False)
    waiting.send(alarm("0001"))
    line.tcp.drain()
    assert (waiting.wire.closed, idle.wire.closed, shaking.wire.closed) == (False, True, True)
    line.world.journal()
    for panel in (waiting, idle):
        panel.read()
    assert (waiting.got, waiting.over, idle.over) == (accepted(alarm("0001")), True, True)
    assert line.tcp.closed == {"shutdown": 3}


def test_a_failed_append_closes_without_a_reply(authority):
    line = Line(authority)
    panel = line.call()
    panel.send(alarm("0001"))
    line.world.lose()
    panel.read()
    assert (panel.got, panel.over, line.tcp.closed) == (b"", True, {"not_durable": 1})


def test_sweep_and_garbage_are_those_of_tcp(authority):
    line = Line(authority, garbage_bytes_max=100, idle_ns=60 * SECOND, frame_ns=20 * SECOND)
    garbage, slow, idle = line.call(), line.call(), line.call()
    garbage.send(b"x" * 200)
    slow.send(heartbeat("0001")[:9])
    line.world.clock.advance(21 * SECOND)
    line.tcp.sweep()
    line.world.clock.advance(40 * SECOND)
    line.tcp.sweep()
    assert line.tcp.closed == {"garbage": 1, "frame_timeout": 1, "idle": 1}
    assert [panel.wire.closed for panel in (garbage, slow, idle)] == [True] * 3


def test_a_peer_that_does_not_read_is_not_read_either(authority):
    panel = Line(authority).call()
    panel.link.pause_writing()
    assert not panel.wire.reading
    panel.link.resume_writing()
    assert panel.wire.reading


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_record_that_was_tampered_with_ends_the_connection(authority, version):
    line = Line(authority)
    panel = line.call(version=ssl.TLSVersion[version])
    panel.tls.write(heartbeat("0001"))
    cipher = bytearray(panel.outgoing.read())
    cipher[-1] ^= 1
    give(panel.link, cipher)
    assert (panel.wire.closed, line.tcp.closed) == (True, {"tls": 1})
    assert not line.world.count("frames", "dc09", "heartbeat")


@pytest.mark.parametrize(("data", "result"), [
    (heartbeat("0001"), "not_tls"), (b"GET / HTTP/1.1\r\n\r\n", "not_tls"), (b"\x16\x03\x01\x00\x05hello", "other")])
def test_what_is_no_handshake_is_counted_and_closed(authority, data, result):
    line = Line(authority)
    panel = line.call(begin=False)
    give(panel.link, data)
    assert (panel.wire.closed, line.handshakes, line.tcp.closed) == (True, {result: 1}, {"handshake": 1})
    panel.link.connection_lost(None)
    assert (line.handshakes, line.tcp.shares.taken) == ({result: 1}, 0)


def test_an_old_version_is_refused(authority):
    with pytest.warns(DeprecationWarning):
        line = Line(authority)
        panel = line.call(version=ssl.TLSVersion.TLSv1_1, begin=False)
        panel.tls.context.set_ciphers("ALL:@SECLEVEL=0")
    hello = bytes.fromhex("160301002f0100002b0302") + bytes(32) + bytes.fromhex("000004c013c0140100")
    give(panel.link, hello[:3] + (len(hello) - 5).to_bytes(2, "big") + b"\x01" + (len(hello) - 9).to_bytes(3, "big")
         + hello[9:])
    assert line.handshakes == {"parameters": 1}


def test_weak_suites_are_refused(authority):
    line = Line(authority)
    panel = line.call(begin=False, version=ssl.TLSVersion.TLSv1_2)
    panel.tls.context.set_ciphers("AES128-SHA:AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA")
    panel.tls = panel.tls.context.wrap_bio(panel.incoming, panel.outgoing, server_hostname="127.0.0.1")
    panel.shake()
    assert (line.handshakes, panel.wire.closed) == ({"parameters": 1}, True)


def test_a_handshake_that_does_not_end_is_closed_in_time(authority):
    line = Line(authority)
    silent, slow = line.call(begin=False), line.call(begin=False)
    with pytest.raises(ssl.SSLWantReadError):
        slow.tls.do_handshake()
    hello = slow.outgoing.read()
    for at in range(9):
        line.world.clock.advance(SECOND)
        give(slow.link, hello[at:at + 1])
        line.gate.sweep()
    assert (silent.wire.closed, slow.wire.closed, len(line.tcp.connections)) == (False, False, 2)
    line.world.clock.advance(SECOND)
    line.gate.sweep()
    assert (silent.wire.closed, slow.wire.closed, line.handshakes) == (True, True, {"timeout": 2})
    assert (line.tcp.closed, line.tcp.connections) == ({"handshake": 2}, set())


def test_a_peer_that_goes_in_the_handshake(authority):
    line = Line(authority)
    panel = line.call(begin=False)
    assert not panel.link.eof_received()
    panel.link.connection_lost(None)
    assert (line.handshakes, line.tcp.closed, line.tcp.shares.taken) == ({"gone": 1}, {"peer": 1}, 0)


def test_handshakes_count_in_the_limit_of_connections(authority):
    line = Line(authority, connections_max=2)
    panels = [line.call(begin=False) for _ in range(3)]
    assert [panel.wire.aborted for panel in panels] == [False, False, True]
    assert (line.tcp.closed, line.world.count("shed", "connection"), len(line.gate.shaking)) == ({"too_many": 1}, 1, 2)


def test_handshakes_of_a_second_are_bounded(authority):
    line = Line(authority, rate=5)
    panels = [line.call(begin=False) for _ in range(8)]
    assert [panel.wire.aborted for panel in panels] == [False] * 5 + [True] * 3
    assert (line.tcp.closed, line.world.count("shed", "connection")) == ({"handshake_rate": 3}, 3)
    line.world.clock.advance(200 * MS)
    panels = [line.call(begin=False) for _ in range(3)]
    assert [panel.wire.aborted for panel in panels] == [False, True, True]
    for panel in panels[1:]:
        panel.link.connection_lost(None)
    assert len(line.tcp.connections) == 6


def test_a_closed_connection_that_takes_nothing_is_cut_off(authority):
    line = Line(authority, idle_ns=60 * SECOND, frame_ns=20 * SECOND)
    panel = line.call()
    line.world.clock.advance(61 * SECOND)
    line.tcp.sweep()
    assert (panel.wire.closed, panel.wire.aborted) == (True, False)
    line.world.clock.advance(21 * SECOND)
    line.tcp.sweep()
    assert panel.wire.aborted


# -- certificates of transmitters


@pytest.mark.parametrize(("wish", "show", "good"), [
    ("required", "panel", True), ("required", "", False), ("required", "stranger", False),
    ("required", "server", False), ("optional", "", True), ("optional", "panel", True),
    ("optional", "stranger", False)])
def test_certificates_of_transmitters(authority, wish, show, good):
    other = Authority(authority.directory, "other-ca")
    other.issue("stranger", client=True)
    line = Line(authority, listener=listener_of(authority, client_ca=str(authority.ca), client_certificate=wish))
    panel = line.call(show=show)
    assert line.handshakes == {"done" if good else "client_certificate": 1}
    if good:
        panel.send(heartbeat("0001"))
        assert panel.got == accepted(heartbeat("0001"))
    else:
        assert (panel.wire.closed, line.tcp.closed) == (True, {"handshake": 1})
