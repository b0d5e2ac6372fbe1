"""The parts of a takeover: state in a memory file, messages with descriptors, and what a service manager hears."""
import asyncio
import contextlib
import os
import socket as sockets
import stat

import pytest

from engine.journal.layout import Header, Segment
from engine.takeover import state
from engine.takeover.link import Gone, Link, Place, new_socket
from engine.takeover.manager import Manager
from engine.takeover.state import Unfit

NAME = b"0123456789abcdef"


def segment(ordinal, index=()):
    return Segment(Header(NAME, ordinal, 5, 10 * ordinal, 10 * ordinal - 1, 88, 3), f"journal-{ordinal}", 1 << 20, 4096,
                   10 * ordinal + 5, 4, False, list(index))


def told(sections, logs=None, over=None):
    """Write and read a state; `over` is one that the same file held before."""
    descriptor = state.new_file()
    try:
        if over:
            state.write(descriptor, NAME, 1, over, {})
        state.write(descriptor, NAME, 77, sections, logs or {})
        return state.read(os.dup(descriptor))
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("over", [None, {"paths": b"p" * 100_000, "admit": b"longer than the one that follows"}])
def test_a_state_comes_back(over):
    found = told({"paths": iter([b"ab", b"", b"cd" * 5000]), "admit": b"", "filter": b"x"}, over=over)
    assert (found.snapshot.journal, found.snapshot.at) == (NAME, 77)
    assert {name: bytes(content) for name, content in found.snapshot.sections.items()} == {
        "paths": b"ab" + b"cd" * 5000, "admit": b"", "filter": b"x"}
    assert found.logs == {}


def test_segments_come_back_the_newest_with_its_index():
    before, newest = segment(1, [(1, 2, 3)]), segment(2, [(20, 3, 300_000), (21, 3, 600_000)])
    found = told({}, {"journal": [before, newest], "outcomes": None})
    assert found.logs == {"journal": [segment(1), newest]}


@pytest.mark.parametrize("content", [b"", b"1234567", bytes(8), b"\xff" * 64, b"{}" + b"\x02" + bytes(7),
                                     b'{"form": 99}' + b"\x0c" + bytes(7), b'{"form": 1}' + b"\x0b" + bytes(7)])
def test_what_is_no_state_is_unfit(content):
    descriptor = state.new_file()
    os.write(descriptor, content)
    with pytest.raises(Unfit):
        state.read(descriptor)
    with pytest.raises(OSError):         # closed all the same
        os.fstat(descriptor)


@pytest.fixture
def link():
    ours, theirs = sockets.socketpair(sockets.AF_UNIX, sockets.SOCK_SEQPACKET)
    found = Link(ours)
    with contextlib.closing(found), theirs:
        theirs.settimeout(5)
        yield found, theirs


async def test_an_answer_in_parts_is_put_together(link):
    ours, theirs = link
    for more in (b"true", b"false"):
        sockets.send_fds(theirs, [b'{"names": ["a", "b"], "more": %s}' % more], [theirs.fileno()] * 2)
    answer, descriptors = await ours.ask("sockets")
    assert theirs.recv(100) == b'{"ask": "sockets"}'
    assert answer == {"names": ["a", "b", "a", "b"]}
    assert len(set(descriptors)) == 4 and not any(os.get_inheritable(one) for one in descriptors)
    for one in descriptors:
        os.close(one)


async def test_the_other_ones_end_is_told(link):
    ours, theirs = link
    waiting = asyncio.ensure_future(ours.ask("state"))
    await asyncio.sleep(0)
    theirs.recv(100)
    theirs.close()
    with pytest.raises(Gone):
        await waiting
    with pytest.raises(Gone):
        ours.send({})


def test_a_place_is_for_its_owner_alone_and_may_be_deep(tmp_path):
    deep = tmp_path / ("d" * 150)
    deep.mkdir()
    with Place(deep) as place:
        assert place.connect() is None
        with place.listen() as listening:
            assert stat.S_IMODE((deep / "takeover").stat().st_mode) == 0o600
            found = place.connect()
            assert found is not None
            found.close()
            listening.accept()[0].close()
        assert place.connect() is None, "left behind by one that was killed"
        place.listen().close()
        place.clear()
        assert not list(deep.iterdir())


def test_a_place_that_cannot_be_connected_to(tmp_path):
    with Place(tmp_path) as place, new_socket() as other, sockets.socket(sockets.AF_UNIX) as stream:
        stream.bind(str(tmp_path / "takeover"))
        stream.listen()
        with pytest.raises(OSError):
            place.connect()
        assert other.fileno() >= 0


@pytest.mark.parametrize("abstract", [False, True])
async def test_a_service_manager_hears_that_we_live(tmp_path, abstract):
    name = f"@tocsin-{os.getpid()}" if abstract else str(tmp_path / "notify")
    environment = {"NOTIFY_SOCKET": name, "PATH": "/bin"}
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_DGRAM) as heard:
        heard.bind("\0" + name[1:] if abstract else name)
        heard.settimeout(5)
        manager = Manager.from_environment(environment)
        assert environment == {"PATH": "/bin"}
        manager.tell("READY=1")
        assert heard.recv(100) == b"READY=1"
        living = asyncio.ensure_future(manager.run())
        await asyncio.sleep(0)
        assert heard.recv(100) == b"WATCHDOG=1"
        living.cancel()
    manager.tell("READY=1")              # nobody listens any more; that changes nothing


async def test_without_a_service_manager_nothing_is_said():
    manager = Manager.from_environment({})
    manager.tell("READY=1")
    await manager.run()
