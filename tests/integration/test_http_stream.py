"""The event stream on real sockets: nothing missed, nothing twice, and nobody waited for."""
from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
import uvloop

from engine.clock import FakeClock
from tests.http_world import FALSE, FIRST, GAS, TEST, Block, World, make_world, read_blocks

SECOND_NS = 1_000_000_000


async def open_stream(session: aiohttp.ClientSession, world: World, headers: dict[str, str] | None = None,
                      **query: str) -> tuple[aiohttp.ClientResponse, AsyncIterator[Block]]:
    response = await session.get(f"{world.url}/v1/alarms/stream", params=query, headers=headers)
    assert response.status == 200, await response.text()
    assert response.headers["Content-Type"].startswith("text/event-stream")
    return response, read_blocks(response.content)


async def take(blocks: AsyncIterator[Block], count: int) -> list[Block]:
    async with asyncio.timeout(20):
        return [await anext(blocks) for _ in range(count)]


async def until_subscribed(world: World, count: int = 1) -> None:
    """Return when `count` streams have begun; what is added from then on is new to them."""
    async with asyncio.timeout(20):
        while len(world.forward) != count:
            await turn_of_the_loop()


async def turn_of_the_loop() -> None:
    turned = asyncio.Event()
    asyncio.get_running_loop().call_later(0.002, turned.set)
    await turned.wait()


@pytest.mark.parametrize("factory", [asyncio.SelectorEventLoop, uvloop.new_event_loop])
def test_live_events_and_their_latency(factory: type) -> None:
    async def scenario() -> None:
        clock = FakeClock()
        async with make_world(clock=clock) as world, aiohttp.ClientSession() as session:
            world.log.add(3)
            response, blocks = await open_stream(session, world)
            new = world.log.add(2, received_ns=clock.wall_ns() - 3_000_000)
            first, second = await take(blocks, 2)
            assert [first.id, second.id] == [str(event.number) for event in new]
            assert first.data == new[0].json().decode()
            await until_counted(world, 2)
            assert world.forward.latency.snapshot()[1] == 2 * 3_000_000
            assert world.forward.events_written == 2
            response.close()
            await until_subscribed(world, 0)
            assert world.forward.closed == {"left": 1}

    async def until_counted(world: World, count: int) -> None:
        async with asyncio.timeout(20):
            while world.forward.latency.snapshot()[2] != count:
                await turn_of_the_loop()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(scenario())


async def test_resume_by_header_and_by_query() -> None:
    async with make_world() as world, aiohttp.ClientSession() as session:
        world.log.add(5)
        for headers, query in (({"Last-Event-ID": str(FIRST + 3)}, {}), ({}, {"after": str(FIRST + 3)}),
                               ({}, {"last_event_id": str(FIRST + 3)}),
                               ({"Last-Event-ID": str(FIRST + 3)}, {"after": str(FIRST)})):
            response, blocks = await open_stream(session, world, headers, **query)
            assert [block.id for block in await take(blocks, 2)] == [str(FIRST + 4), str(FIRST + 5)]
            response.close()
        assert world.forward.latency.snapshot()[2] == 0     # a replay is not a slow delivery


async def test_a_stream_tells_its_position_before_the_first_event() -> None:
    async with make_world() as world, aiohttp.ClientSession() as session:
        world.log.add(2)
        response = await session.get(f"{world.url}/v1/alarms/stream")
        assert await response.content.readexactly(len(b"retry: 1000\nid: %d\n\n" % world.log.latest)) \
            == b"retry: 1000\nid: %d\n\n" % world.log.latest
        response.close()


async def test_a_trimmed_position_gets_one_gap() -> None:
    async with make_world() as world, aiohttp.ClientSession() as session:
        for _ in range(6):
            world.log.add(1)
        world.log.trim(FIRST + 4)
        response, blocks = await open_stream(session, world, after=str(FIRST + 1))
        gap, *rest = await take(blocks, 4)
        assert (gap.event, gap.data, gap.id) == ("gap", f'{{"reason":"trimmed","oldest":"{FIRST + 4}"}}',
                                                 str(FIRST + 3))
        assert [block.id for block in rest] == [str(FIRST + n) for n in (4, 5, 6)]
        response.close()
        response, blocks = await open_stream(session, world, {"Last-Event-ID": gap.id})
        assert (await take(blocks, 1))[0].id == str(FIRST + 4)       # no second gap
        response.close()
        assert world.forward.gaps == {"trimmed": 1}


async def test_what_is_trimmed_without_a_loss_is_no_gap() -> None:
    async with make_world() as world, aiohttp.ClientSession() as session:
        world.log.add(2)
        world.log.stumbles = 3
        response, blocks = await open_stream(session, world, after=str(FIRST))
        assert [(block.event, block.id) for block in await take(blocks, 2)] == [
            ("message", str(FIRST + 1)), ("message", str(FIRST + 2))]
        assert (world.forward.gaps, world.log.stumbles) == ({}, 0)
        response.close()


async def test_a_position_ahead_gets_a_gap_and_goes_on_live() -> None:
    async with make_world() as world, aiohttp.ClientSession() as session:
        world.log.add(1)
        response, blocks = await open_stream(session, world, after=str(FIRST + 1000))
        [gap] = await take(blocks, 1)
        assert (gap.event, gap.data, gap.id) == ("gap", f'{{"reason":"ahead","latest":"{FIRST + 1}"}}',
                                                 str(FIRST + 1))
        world.log.add(1)
        assert (await take(blocks, 1))[0].id == str(FIRST + 2)
        response.close()


async def test_narrowing() -> None:
    async with make_world() as world, aiohttp.ClientSession() as session:
        world.log.add(1)                                             # 1 fire
        world.log.add(1, signal_class=GAS, area="79/26734")          # 2
        world.log.add(1, signal_class=5, area="46")                  # 3
        world.log.add(1, verification=TEST)                          # 4
        world.log.add(1, verification=FALSE, area="79")              # 5
        world.log.add(1, signal_class=GAS, area="790")               # 6
        for query, expected in (({}, [1, 2, 3, 5, 6]), ({"class": "gas"}, [2, 6]),
                                ({"class": "fire,gas"}, [1, 2, 5, 6]), ({"verification": "test"}, [4]),
                                ({"verification": "test,false"}, [4, 5]),
                                ({"area": "79"}, [1, 2, 5]), ({"area": "79", "class": "gas"}, [2])):
            response, blocks = await open_stream(session, world, after=str(FIRST), **query)
            assert [int(block.id) - FIRST for block in await take(blocks, len(expected))] == expected, query
            response.close()


async def test_a_narrowed_stream_moves_on_by_comments() -> None:
    async with make_world(keepalive_ns=SECOND_NS // 20) as world, aiohttp.ClientSession() as session:
        response, blocks = await open_stream(session, world, {"Last-Event-ID": str(FIRST)}, **{"class": "gas"})
        world.log.add(4)
        async with asyncio.timeout(20):
            while (block := await anext(blocks)).id != str(FIRST + 4):
                assert block.comment
        assert block.data == ""
        response.close()


async def test_blocks_that_are_not_durable_reach_everyone_at_once() -> None:
    async with make_world() as world, aiohttp.ClientSession() as session:
        streams = [await open_stream(session, world, **query) for query in ({}, {"class": "gas"})]
        await until_subscribed(world, 2)
        world.forward.show(b'data: {"durable":false}\n\n')
        for response, blocks in streams:
            [block] = await take(blocks, 1)
            assert block.data == '{"durable":false}'
            response.close()
        assert world.forward.shown == 1


async def test_too_many_streams() -> None:
    async with make_world(subscribers_max=1) as world, aiohttp.ClientSession() as session:
        response, _ = await open_stream(session, world)
        async with session.get(f"{world.url}/v1/alarms/stream") as second:
            assert second.status == 503
            assert second.content_type == "application/problem+json"
            assert second.headers["Retry-After"]
        assert world.forward.refused == 1
        response.close()


@pytest.mark.parametrize("query", ["after=x", "class=nonsense", "verification=maybe"])
async def test_a_bad_question_is_a_problem(query: str) -> None:
    async with (make_world() as world, aiohttp.ClientSession() as session,
                session.get(f"{world.url}/v1/alarms/stream?{query}") as response):
        assert (response.status, response.content_type) == (400, "application/problem+json")
        assert (await response.json())["status"] == 400


def slow_socket(world: World, query: str = "") -> socket.socket:
    """Ask for the stream and read nothing of it."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect((world.host, world.port))
    slow.sendall(f"GET /v1/alarms/stream{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return slow


async def test_who_takes_nothing_is_cut_off_and_nobody_waits() -> None:
    clock = FakeClock()
    async with make_world(clock=clock, stall_timeout_ns=SECOND_NS // 5) as world, aiohttp.ClientSession() as session:
        with slow_socket(world) as slow:
            await until_subscribed(world)
            response, blocks = await open_stream(session, world)
            await until_subscribed(world, 2)
            for _ in range(200):
                world.log.add(1, padding=100_000)
                await take(blocks, 1)                                # the quick one has each at once
            assert len(world.forward) == 2                           # its time stands still
            async with asyncio.timeout(20):
                while len(world.forward) != 1:                       # what it took last is seen at some look first
                    clock.advance(SECOND_NS // 10)
                    await turn_of_the_loop()
            assert world.forward.closed == {"stalled": 1}
            assert slow.recv(1) == b"H"                              # what the kernel had is still there
            world.log.add(1)
            assert (await take(blocks, 1))[0].id == str(world.log.latest)
            response.close()


async def test_a_full_buffer_is_cut_off() -> None:
    async with make_world(buffer_bytes_max=1_000_000, stall_timeout_ns=3600 * SECOND_NS,
                          keepalive_ns=SECOND_NS // 10) as world:
        with slow_socket(world):
            await until_subscribed(world)
            for _ in range(100):
                world.forward.show(b"data: " + b"x" * 100_000 + b"\n\n")
            await until_subscribed(world, 0)
            assert world.forward.closed == {"buffer": 1}


async def test_http_1_0_is_served_without_chunks() -> None:
    async with make_world() as world:
        world.log.add(2)
        reader, writer = await asyncio.open_connection(world.host, world.port)
        writer.write(b"GET /v1/alarms/stream?after=%d HTTP/1.0\r\n\r\n" % FIRST)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"chunked" not in head.lower()
        blocks = [block async for block in first_blocks(reader, 2)]
        assert [block.id for block in blocks] == [str(FIRST + 1), str(FIRST + 2)]
        writer.close()


async def first_blocks(reader: asyncio.StreamReader, count: int) -> AsyncIterator[Block]:
    async for block in read_blocks(reader):
        yield block
        count -= 1
        if not count:
            return


async def test_shutdown_ends_streams_in_order() -> None:
    async with make_world() as world, aiohttp.ClientSession() as session:
        _, blocks = await open_stream(session, world)
        await until_subscribed(world)
        await world.forward.close()
        assert [block async for block in blocks] == []               # a chunked body that ended, not a broken one
        assert world.forward.closed == {"shutdown": 1}
        async with session.get(f"{world.url}/v1/alarms/stream") as late:
            assert late.status == 503


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_alarms_then_stream_misses_nothing_and_gets_nothing_twice(seed: int) -> None:
    """Snapshot, stream, and reconnections at random points while events go on all the time."""
    chance = random.Random(seed)
    async with make_world() as world, aiohttp.ClientSession() as session:
        world.log.add(chance.randrange(1, 30))

        async def produce() -> None:
            for _ in range(150):
                await turn_of_the_loop()
                world.log.add(chance.choice((1, 1, 2, 7, 300)), padding=chance.choice((0, 10, 2000)))

        async def follow(seed: int) -> tuple[int, list[int]]:
            own = random.Random(seed)
            async with session.get(f"{world.url}/v1/alarms") as response:
                body = await response.json()
            start = position = int(body["position"])
            assert max(int(alarm["alarm_id"]) for alarm in body["alarms"]) == start
            got: list[int] = []
            headers: dict[str, str] = {}
            while not (producer.done() and position == world.log.latest):
                stream, blocks = await open_stream(session, world, headers, after=str(start))
                for _ in range(own.randrange(1, 400)):
                    if producer.done() and position == world.log.latest:
                        break
                    [block] = await take(blocks, 1)
                    position = int(block.id)
                    got.append(position)
                headers = {"Last-Event-ID": str(position)}
                stream.close()
            return start, got

        producer = asyncio.create_task(produce())
        for start, got in await asyncio.gather(*(follow(seed * 10 + n) for n in range(4))):
            assert got == list(range(start + 1, world.log.latest + 1))
        await producer
