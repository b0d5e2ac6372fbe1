"""TCP: whatever the cuts and whenever the journal answers, the replies are those of the frames, in their order."""
import asyncio
from random import Random

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.listen_world import (
    SECOND,
    Wire,
    World,
    accepted,
    alarm,
    connect,
    heartbeat,
    receive,
)

ACCOUNTS = [f"{number:04X}" for number in range(8)]


def world_of(**limits):
    world = World()
    world.enrol(*ACCOUNTS)
    return world, world.tcp(**limits)


def test_heartbeats_are_answered_in_one_write():
    world, tcp = world_of()
    connection, wire = connect(tcp)
    frames = [heartbeat(account) for account in ACCOUNTS]
    receive(connection, b"".join(frames))
    assert wire.written == b"".join(map(accepted, frames))
    assert world.count("frames", "dc09", "heartbeat") == world.count("replies", "dc09", "accept") == 8
    assert world.count("connections_accepted") == 1
    assert (connection.held_in, tcp.held_in) == (0, 0)


def test_byte_by_byte():
    world, tcp = world_of()
    connection, wire = connect(tcp)
    frames = [heartbeat("0001"), alarm("0002"), heartbeat("0003", 77)]
    for byte in b"".join(frames):
        receive(connection, bytes([byte]))
    assert wire.written == accepted(frames[0])
    world.journal()
    assert wire.written == b"".join(map(accepted, frames))
    assert world.count("garbage_bytes") == 0


def test_two_connections_share_the_buffer_but_not_their_bytes():
    world, tcp = world_of()
    (one, first), (two, second) = connect(tcp), connect(tcp)
    frame, other = heartbeat("0001", 11), heartbeat("0002", 22)
    for at in range(0, max(len(frame), len(other)), 5):
        receive(one, frame[at:at + 5])
        receive(two, other[at:at + 5])
    assert (first.written, second.written) == (accepted(frame), accepted(other))


def test_a_heartbeat_waits_behind_a_signal_and_another_connection_does_not():
    world, tcp = world_of()
    (one, first), (two, second) = connect(tcp), connect(tcp)
    receive(one, alarm("0001") + heartbeat("0001"))
    receive(two, heartbeat("0002"))
    assert (first.written, second.written) == (b"", accepted(heartbeat("0002")))
    assert (one.held_in, tcp.held_in) == (2, 2)
    world.journal()
    assert first.written == accepted(alarm("0001")) + accepted(heartbeat("0001"))
    assert (one.held_in, tcp.held_in) == (0, 0)
    receive(one, heartbeat("0001", 2))
    assert first.written.endswith(accepted(heartbeat("0001", 2)))


@settings(max_examples=150, deadline=None)
@given(kinds=st.lists(st.sampled_from("hhas?"), min_size=1, max_size=40), seed=st.integers(0, 2**32),
       held_max=st.sampled_from([1, 2, 5, 256]))
def test_replies_are_those_of_the_frames_in_order_whatever_the_cuts(kinds, seed, held_max):
    """h heartbeat, a alarm, s alarm sent twice, ? garbage; appends begin and end in between as a journal's would."""
    chance = Random(seed)
    world, tcp = world_of(held_per_connection_max=held_max)
    connection, wire = connect(tcp)
    stream, expected = b"", []
    for sequence, kind in enumerate(kinds, 1):
        account = chance.choice(ACCOUNTS)
        if kind == "?":
            stream += b"\r\n#" * chance.randint(1, 4)
            continue
        frame = heartbeat(account, sequence) if kind == "h" else alarm(account, sequence)
        for _ in range(2 if kind == "s" else 1):
            stream += frame
            expected.append(accepted(frame))
    at, sealed = 0, None
    while at < len(stream):
        if chance.random() < 0.3:
            if sealed is None and len(world.admit):
                sealed = world.seal()
            elif sealed is not None:
                sealed = world.journal(sealed) and None
        if wire.reading:
            size = chance.choice([1, 3, 17, 60, 200, 1000])
            receive(connection, stream[at:at + size])
            at += size
            assert connection.held_in <= held_max
        elif sealed is None:
            sealed = world.seal()
        else:
            sealed = world.journal(sealed) and None
        assert b"".join(expected).startswith(wire.written)
    while tcp.held_in or sealed or len(world.admit):
        world.journal(sealed)
        sealed = None
    assert wire.written == b"".join(expected)
    assert wire.reading
    assert len(world.signals()) == sum(kind in "as" for kind in kinds)


def test_256_held_replies_stop_the_reading_and_their_release_goes_on():
    world, tcp = world_of()
    connection, wire = connect(tcp)
    frames = [alarm(ACCOUNTS[number % 8], number + 1) for number in range(600)]
    receive(connection, b"".join(frames))
    assert (connection.held_in, wire.reading, len(world.admit)) == (256, False, 256)
    world.journal()
    assert wire.written == b"".join(map(accepted, frames[:256]))
    assert (connection.held_in, wire.reading) == (256, False)
    world.journal()
    assert (connection.held_in, wire.reading) == (88, True)
    world.journal()
    assert wire.written == b"".join(map(accepted, frames))


def test_a_connection_that_was_stopped_by_the_replies_of_others_reads_on():
    world, tcp = world_of(held_max=4)
    (one, first), (two, second) = connect(tcp), connect(tcp)
    frames = [alarm("0001", number) for number in range(1, 5)]
    receive(one, b"".join(frames))
    receive(two, heartbeat("0002"))
    assert (one.held_in, two.held_in, second.reading, second.written) == (4, 0, False, b"")
    world.journal()
    assert first.written == b"".join(map(accepted, frames))
    assert (second.written, second.reading) == (accepted(heartbeat("0002")), True)


@pytest.mark.parametrize("stopped_by", ["intake", "held"])
def test_a_connection_that_was_stopped_reads_on_also_after_a_failed_append(stopped_by):
    world, tcp = world_of(held_max=1)
    (one, _), (two, second) = connect(tcp), connect(tcp)
    if stopped_by == "held":
        receive(one, alarm("0001"))
    else:
        world.fill(1024)
    receive(two, alarm("0002"))
    assert (len(world.admit), second.reading) == (1 if stopped_by == "held" else 1024, False)
    world.lose()
    assert second.reading
    world.journal()
    assert second.written == accepted(alarm("0002"))


def test_a_failed_append_closes_who_waited_for_it_and_nobody_else():
    world, tcp = world_of()
    (one, first), (two, second), (three, third) = connect(tcp), connect(tcp), connect(tcp)
    receive(one, heartbeat("0001") + alarm("0001") + heartbeat("0001", 2))
    sealed = world.seal()
    receive(two, alarm("0002"))
    receive(three, heartbeat("0003"))
    world.lose(sealed)
    assert (first.closed, second.closed, third.closed) == (True, False, False)
    assert (tcp.closed, world.count("replies_withheld"), tcp.held_in) == ({"not_durable": 1}, 2, 1)
    assert first.written == accepted(heartbeat("0001"))
    world.journal()
    assert second.written == accepted(alarm("0002"))


def test_a_repetition_behind_a_later_reply_is_not_acknowledged_after_a_failed_append():
    world, tcp = world_of()
    (one, _first), (two, second) = connect(tcp), connect(tcp)
    receive(one, alarm("0001"))
    sealed = world.seal()
    receive(two, alarm("0002") + alarm("0001"))
    world.lose(sealed)
    world.journal()
    assert second.written == b""
    assert second.closed
    assert [row["account"] for row in world.signals()] == ["0002"]
    assert tcp.held_in == 0


def test_a_peer_that_does_not_read_is_not_read_either():
    world, tcp = world_of()
    connection, wire = connect(tcp)
    connection.pause_writing()
    assert not wire.reading
    receive(connection, alarm("0001"))
    world.journal()
    assert not wire.reading
    connection.resume_writing()
    assert wire.reading


def test_writing_and_replies_must_both_be_free_before_reading_goes_on():
    world, tcp = world_of(held_per_connection_max=1)
    connection, wire = connect(tcp)
    receive(connection, alarm("0001") + heartbeat("0001"))
    connection.pause_writing()
    connection.resume_writing()
    assert not wire.reading
    connection.pause_writing()
    world.journal()
    assert not wire.reading
    connection.resume_writing()
    assert wire.reading


def test_the_loop_may_call_after_we_have_closed():
    world, tcp = world_of()
    connection, wire = connect(tcp)
    connection.close("idle")
    connection.pause_writing()
    connection.resume_writing()
    receive(connection, heartbeat("0001"))
    connection.connection_lost(None)
    assert (wire.written, tcp.closed, tcp.connections) == (b"", {"idle": 1}, set())


def test_garbage_is_passed_over_up_to_its_limit():
    world, tcp = world_of(garbage_bytes_max=100)
    connection, wire = connect(tcp)
    for _ in range(10):
        receive(connection, b"x" * 20 + heartbeat("0001"))  # good frames pay garbage off
    assert wire.written == accepted(heartbeat("0001")) * 10
    assert not wire.closed
    receive(connection, b"y" * 200 + heartbeat("0001"))
    assert wire.closed
    assert tcp.closed == {"garbage": 1}
    assert world.count("rejected", "unknown", "garbage_limit") == 1


def test_frames_that_end_wrong_are_garbage_too():
    world, tcp = world_of(garbage_bytes_max=1000)
    connection, wire = connect(tcp)
    broken = heartbeat("0001")[:-1] + b"!"
    for _ in range(100):
        if wire.closed:
            break
        receive(connection, broken)
    assert wire.closed
    assert tcp.closed == {"garbage": 1}


def test_a_frame_that_does_not_end_is_timed_out():
    world, tcp = world_of(frame_ns=20 * SECOND)
    connection, wire = connect(tcp)
    frame = heartbeat("0001")
    receive(connection, frame[:5])
    for at in range(5, 10):
        world.clock.advance(4 * SECOND)
        receive(connection, frame[at:at + 1])
        tcp.sweep()
    assert not wire.closed
    world.clock.advance(SECOND)
    tcp.sweep()
    assert wire.closed
    assert tcp.closed == {"frame_timeout": 1}
    assert world.count("rejected", "unknown", "frame_timeout") == 1


def test_a_whole_frame_begins_the_time_anew():
    world, tcp = world_of(frame_ns=20 * SECOND)
    connection, wire = connect(tcp)
    frame = heartbeat("0001")
    receive(connection, frame[:5])
    world.clock.advance(15 * SECOND)
    receive(connection, frame[5:] + frame[:5])
    world.clock.advance(15 * SECOND)
    tcp.sweep()
    assert not wire.closed
    receive(connection, frame[5:])
    world.clock.advance(100 * SECOND)
    tcp.sweep()
    assert not wire.closed


def test_a_cut_frame_that_was_kept_behind_held_replies_is_timed_out():
    world, tcp = world_of(held_per_connection_max=1, frame_ns=20 * SECOND)
    connection, wire = connect(tcp)
    receive(connection, alarm("0001") + heartbeat("0001")[:7])
    assert not wire.reading
    world.journal()
    assert wire.reading
    for byte in heartbeat("0001")[7:16]:
        world.clock.advance(3 * SECOND)
        if not wire.closed:
            receive(connection, bytes([byte]))
        tcp.sweep()
    assert tcp.closed == {"frame_timeout": 1}


def test_an_idle_connection_is_closed():
    world, tcp = world_of(idle_ns=60 * SECOND)
    (_one, first), (two, second) = connect(tcp), connect(tcp)
    world.clock.advance(50 * SECOND)
    receive(two, heartbeat("0001"))
    world.clock.advance(11 * SECOND)
    tcp.sweep()
    assert (first.closed, second.closed, tcp.closed) == (True, False, {"idle": 1})


def test_too_many_connections():
    world, tcp = world_of(connections_max=2)
    (one, _), (_two, _), (three, third) = connect(tcp), connect(tcp), connect(tcp)
    assert third.aborted
    assert (len(tcp.connections), world.count("shed", "connection"), tcp.closed) == (2, 1, {"too_many": 1})
    three.connection_lost(None)
    one.connection_lost(None)
    assert tcp.closed == {"too_many": 1, "peer": 1}
    _, fourth = connect(tcp)
    assert not fourth.closed
    assert world.count("connections_accepted") == 3


def test_a_source_with_more_connections_than_are_free_gets_no_further_one():
    """Whoever has less still gets in, and a place is free again when its socket is gone."""
    world, tcp = world_of(connections_max=100)
    crowd = [connect(tcp, Wire(("203.0.113.5", port))) for port in range(60)]
    assert [wire.aborted for _, wire in crowd] == [False] * 50 + [True] * 10
    assert (tcp.closed, world.count("shed", "connection"), len(tcp.connections)) == ({"source_share": 10}, 10, 50)
    for connection, _ in crowd[50:]:
        connection.connection_lost(None)
    neighbours = [connect(tcp, Wire((f"2001:db8:0:{number:x}::1", 1))) for number in range(40)]
    assert not any(wire.closed for _, wire in neighbours)
    for connection, _ in crowd[:50]:
        connection.connection_lost(None)
    assert not connect(tcp, Wire(("203.0.113.5", 1)))[1].aborted
    tcp.shares.check()


def test_a_closed_connection_holds_its_place_until_its_socket_is_gone_and_is_then_cut_off():
    """Its peer does not take the last bytes; otherwise such ones would be held in any number."""
    world, tcp = world_of(connections_max=1, idle_ns=60 * SECOND, frame_ns=20 * SECOND)
    connection, wire = connect(tcp)
    world.clock.advance(61 * SECOND)
    tcp.sweep()
    assert (wire.closed, wire.aborted, connect(tcp)[1].aborted) == (True, False, True)
    world.clock.advance(21 * SECOND)
    tcp.sweep()
    assert (wire.aborted, tcp.closing) == (True, {})
    connection.connection_lost(None)
    assert not connect(tcp)[1].aborted
    assert tcp.closed == {"idle": 1, "too_many": 1}


def test_a_peer_that_goes_takes_its_held_replies_along():
    world, tcp = world_of()
    connection, wire = connect(tcp)
    receive(connection, alarm("0001"))
    connection.connection_lost(None)
    wire.closed = True
    assert tcp.held_in == 0
    world.journal()
    assert wire.written == b""
    assert len(world.signals()) == 1


@pytest.mark.parametrize("rest", [b"", alarm("0001")[:30], b"\n"])
def test_a_peer_that_has_said_all_is_closed_when_its_replies_are_out(rest):
    """Also with a cut frame behind: no more of it will come."""
    world, tcp = world_of()
    connection, wire = connect(tcp)
    receive(connection, alarm("0001") + rest)
    assert connection.eof_received()
    world.journal()
    assert (wire.written, wire.closed) == (accepted(alarm("0001")), True)
    assert tcp.closed == {"peer": 1}


def test_draining_answers_what_is_durable_and_takes_nothing_more():
    world, tcp = world_of()
    (one, first), (_two, second) = connect(tcp), connect(tcp)
    receive(one, alarm("0001"))
    tcp.drain()
    assert (first.closed, second.closed) == (False, True)
    receive(one, heartbeat("0001"))
    _, late = connect(tcp)
    assert late.aborted
    world.journal()
    assert (first.written, first.closed) == (accepted(alarm("0001")), True)
    assert tcp.closed == {"shutdown": 2, "too_many": 1}


def test_more_replies_than_one_write_takes():
    world, tcp = world_of()
    connection, wire = connect(tcp)
    frames = [heartbeat(ACCOUNTS[number % 8], number % 9999 + 1) for number in range(1500)]
    data = b"".join(frames)
    assert len(data) < 65536
    receive(connection, data)
    receive(connection, data[:100])
    assert wire.written.startswith(b"".join(map(accepted, frames)))


def test_a_failing_write_leaves_no_reply_to_the_next_connection():
    class Broken(Wire):
        def write(self, data):
            raise OSError("gone")
    world, tcp = world_of()
    (one, _), (two, second) = connect(tcp, Broken()), connect(tcp)
    with pytest.raises(OSError, match="gone"):
        receive(one, heartbeat("0001"))
    receive(two, heartbeat("0002"))
    assert second.written == accepted(heartbeat("0002"))


@pytest.mark.parametrize("peer, shown", [
    (("198.51.100.4", 5), "198.51.100.4"), (("2001:db8::1", 6, 0, 0), "2001:db8::1"),
    (("fe80::1%lo", 7, 0, 1), "fe80::1")])
def test_the_peer_is_kept_with_refused_frames(peer, shown):
    world, tcp = world_of()
    connection, _ = connect(tcp, Wire(peer))
    receive(connection, b"?")
    [kept] = world.refused.newest()
    assert (kept["peer"], kept["port"]) == (shown, peer[1])


def test_on_rows_is_called_after_each_read():
    called = []
    world, tcp = world_of(on_rows=lambda: called.append(1))
    connection, _ = connect(tcp)
    receive(connection, alarm("0001"))
    assert called == [1]


def test_on_a_real_socket_under_uvloop():
    async def talk():
        loop = asyncio.get_running_loop()
        rows = asyncio.Event()
        world, tcp = world_of(on_rows=rows.set)
        server = await loop.create_server(tcp.connection, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        frames = [alarm(ACCOUNTS[number % 8], number + 1) for number in range(300)]
        writer.write(b"".join(frames))
        expected = b"".join(map(accepted, frames))
        found = b""
        while len(found) < len(expected):
            if not tcp.held_in:
                await rows.wait()
            rows.clear()
            world.journal()
            found += await reader.read(65536)
        assert found == expected
        tcp.drain()
        assert await reader.read() == b""
        writer.close()
        server.close()
        await server.wait_closed()
    uvloop.run(talk())


def test_a_connection_that_we_close_for_our_own_failure_counts_as_a_drop():
    world = World()
    world.enrol("0001")
    tcp = world.tcp()
    connection, wire = connect(tcp)
    receive(connection, alarm("0001") + heartbeat("0001", 2))
    assert tcp.drops() == 0
    world.lose()
    assert wire.closed
    assert tcp.drops() == 1
