"""Plain TCP on real sockets: what comes is taken whole, what a peer does not read waits, and whoever ends is let go."""
import asyncio
import os
import resource
import socket as sockets
import struct
from contextlib import asynccontextmanager, suppress

import uvloop

from engine.listen.tcp_server import TcpServer
from tests.unit.listen_world import SECOND, World, accepted, alarm, heartbeat

ACCOUNTS = [f"{number:04X}" for number in range(8)]
WAIT_S = 20
TURNS_MAX = 1_000_000
SMALL = 4096                     # of a socket's buffers, so that they are soon full


class Peer(sockets.socket):
    """A transmitter's socket, for a test that runs in a loop."""

    async def reach(self, address):
        self.setblocking(False)
        await asyncio.get_running_loop().sock_connect(self, address)
        return self

    async def say(self, data):
        await asyncio.get_running_loop().sock_sendall(self, data)

    async def hear(self, size):
        """Return so many bytes, or less when the other side ends."""
        got = bytearray()
        async with asyncio.timeout(WAIT_S):
            while len(got) < size and (more := await asyncio.get_running_loop().sock_recv(self, 65536)):
                got += more
        return bytes(got)


class Place:
    """A listener on a port, the world behind it and a server before it."""

    def __init__(self, **limits):
        self.world = World()
        self.world.enrol(*ACCOUNTS)
        self.tcp = self.world.tcp(**limits)
        self.socket = sockets.create_server(("127.0.0.1", 0), backlog=64)
        self.socket.setblocking(False)
        self.address = self.socket.getsockname()
        self.server = TcpServer(self.tcp, self.socket, asyncio.get_running_loop())
        self.peers = []

    async def call(self):
        self.peers.append(await Peer().reach(self.address))
        return self.peers[-1]

    async def until(self, condition):
        for _ in range(TURNS_MAX):
            if condition():
                return
            await asyncio.sleep(0)
        raise AssertionError(f"not within {TURNS_MAX} turns of the loop")


@asynccontextmanager
async def place(**limits):
    here = Place(**limits)
    try:
        yield here
    finally:
        here.server.close()
        for peer in here.peers:
            peer.close()
        await here.until(lambda: not here.tcp.connections)


def in_loop(test):
    """Run on the loop that the engine has."""
    def run():
        uvloop.run(test())
    run.__name__ = test.__name__
    return run


@in_loop
async def test_a_frame_is_answered_and_the_rows_go_on():
    rows = []
    async with place(on_rows=lambda: rows.append(True)) as here:
        peer = await here.call()
        await peer.say(heartbeat("0001"))
        assert await peer.hear(1) == accepted(heartbeat("0001"))
        assert here.world.paths.show(0)["state"] == "up"
        assert rows
        await peer.say(alarm("0002"))
        await here.until(lambda: here.tcp.held_in)
        here.world.journal()
        assert await peer.hear(1) == accepted(alarm("0002"))
        peer.close()
        await here.until(lambda: here.tcp.closed == {"peer": 1})


@in_loop
async def test_a_frame_that_waits_for_room_is_answered_also_when_its_peer_has_said_all():
    async with place() as here:
        one, two = await here.call(), await here.call()
        await here.until(lambda: len(here.tcp.connections) == 2)
        here.world.fill(896)
        await one.say(alarm("0001", code="FT") + heartbeat("0001"))
        one.shutdown(sockets.SHUT_WR)
        await two.say(alarm("0002"))
        await here.until(lambda: len(here.world.admit) == 897)       # the fire goes through meanwhile
        here.world.journal()
        assert await two.hear(1) == accepted(alarm("0002"))
        await here.until(lambda: len(here.world.admit) == 1)
        here.world.journal()
        expected = accepted(alarm("0001", code="FT")) + accepted(heartbeat("0001"))
        assert await one.hear(len(expected) + 1) == expected
        await here.until(lambda: here.tcp.closed == {"peer": 1})


def many(count):
    """Return frames and replies, one behind the other."""
    frames = [heartbeat(ACCOUNTS[number % 8], number % 9999 + 1) for number in range(count)]
    return b"".join(frames), b"".join(map(accepted, frames))


@in_loop
async def test_more_than_a_read_and_more_than_a_wakeup():
    """Some 300 kB at once, frames cut by every read."""
    async with place() as here:
        data, replies = many(10_000)
        peer = await here.call()
        sending = asyncio.ensure_future(peer.say(data))
        assert await peer.hear(len(replies)) == replies
        await sending
        assert here.world.count("garbage_bytes") == 0


@in_loop
async def test_who_does_not_read_is_not_read_and_loses_nothing():
    async with place() as here:
        here.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, SMALL)
        data, replies = many(40_000)
        peer = Peer()
        peer.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, SMALL)
        await peer.reach(here.address)
        sending = asyncio.ensure_future(peer.say(data))
        last = -1
        while last != here.world.count("bytes"):         # until the engine takes no more
            last = here.world.count("bytes")
            for _ in range(200):
                await asyncio.sleep(0)
        assert last < len(data)
        assert await peer.hear(len(replies)) == replies
        await sending
        peer.close()


@in_loop
async def test_a_peer_that_has_said_all_still_gets_what_is_held():
    """Its last bytes and its end come together."""
    async with place() as here:
        peer = await here.call()
        await peer.say(heartbeat("0001") + alarm("0002"))
        peer.shutdown(sockets.SHUT_WR)
        await here.until(lambda: here.tcp.held_in)
        assert await peer.hear(1) == accepted(heartbeat("0001"))
        assert len(here.tcp.connections) == 1
        here.world.journal()
        assert await peer.hear(1000) == accepted(alarm("0002"))
        await here.until(lambda: here.tcp.closed == {"peer": 1})


@in_loop
async def test_a_connection_that_is_cut_is_let_go():
    """Also while it is not read, because replies wait."""
    async with place(held_per_connection_max=1) as here:
        for number, data in enumerate([heartbeat("0001"), alarm("0002") + heartbeat("0001", 2)], 1):
            peer = await here.call()
            taken = here.world.count("bytes")
            await peer.say(data)
            await here.until(lambda taken=taken: here.world.count("bytes") > taken)
            assert here.tcp.held_in == number - 1
            peer.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
            await here.until(lambda number=number: here.tcp.closed == {"peer": number})
            assert (here.tcp.held_in, here.tcp.shares.taken, len(here.tcp.connections)) == (0, 0, 0)


@in_loop
async def test_a_closed_door_leaves_who_is_in():
    async with place() as here:
        peer = await here.call()
        await here.until(lambda: here.tcp.connections)
        assert here.server.sockets == (here.socket,)
        with here.socket.dup():          # as a successor has it
            here.server.close()
            assert here.server.sockets == ()
            await here.call()
            await peer.say(heartbeat("0003"))
            assert await peer.hear(1) == accepted(heartbeat("0003"))
            assert len(here.tcp.connections) == 1
        here.tcp.drain()
        assert await peer.hear(1) == b""
        assert here.tcp.closed == {"shutdown": 1}


@in_loop
async def test_without_descriptors_nobody_is_taken_and_later_everybody():
    async with place() as here:
        peer, gaps = Peer(), []
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))), before[1]))
        try:
            with suppress(OSError):
                while True:
                    gaps.append(os.dup(0))
            await peer.reach(here.address)
            await here.until(lambda: here.server.resting)
            assert not here.tcp.connections
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            for gap in gaps:
                os.close(gap)
        await here.until(lambda: here.tcp.connections)
        peer.close()


@in_loop
async def test_a_storm_of_connections_is_taken_and_let_go():
    """As a province that comes back: more than one wake-up takes, and each is answered."""
    async with place() as here:
        for number in range(300):
            peer = await here.call()
            await peer.say(heartbeat(ACCOUNTS[number % 8], number + 1))
        for number, peer in enumerate(here.peers):
            assert await peer.hear(1) == accepted(heartbeat(ACCOUNTS[number % 8], number + 1))
        assert len(here.tcp.connections) == 300
        for peer in here.peers:
            peer.close()
        await here.until(lambda: here.tcp.closed == {"peer": 300})


@in_loop
async def test_limits_and_time_are_those_of_every_connection():
    async with place(garbage_bytes_max=100, connections_max=2) as here:
        first, second, third = [await here.call() for _ in range(3)]
        assert await third.hear(1) == b""
        await first.say(b"x" * 200)
        assert await first.hear(1) == b""
        here.world.clock.advance(601 * SECOND)
        here.tcp.sweep()
        assert await second.hear(1) == b""
        assert here.tcp.closed == {"too_many": 1, "garbage": 1, "idle": 1}
