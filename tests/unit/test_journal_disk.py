"""The journal on a real directory, and what only the real disk does: lock, threads, errors of the system."""
import asyncio
import errno
import os
import sys
import threading
from asyncio.subprocess import PIPE

import pytest

from codec.batch import Batch
from engine.clock import Clock
from engine.journal import Full, Journal, JournalSettings, Locked, RealDisk, Unavailable
from engine.journal.memory_disk import MemoryDisk
from engine.journal.real_disk import told

SMALL = JournalSettings(segment_bytes=16384, bytes_max=1 << 20, memory_bytes=2000)


@pytest.fixture(params=["real", "memory"])
async def disk(request, tmp_path):
    """Both disks keep the same promises."""
    opened = RealDisk(tmp_path / "data") if request.param == "real" else MemoryDisk()
    yield opened
    await opened.close()


async def test_files(disk):
    file = await disk.create("a", 4096)
    assert disk.list() == ["a"] and disk.size("a") == 4096
    assert await disk.read("a", 0, 5000) == bytes(4096)
    await file.write(10, b"hello", sync=True)
    file.write_now(15, b" world")
    await file.sync()
    assert await disk.read("a", 8, 16) == b"\0\0hello world\0\0\0"
    await file.cut(14, 2048)
    assert disk.size("a") == 2048 and (await disk.read("a", 0, 2048)).strip(b"\0") == b"hell"
    await file.allocate(8192)
    assert disk.size("a") == 8192
    file.close()
    file.close()
    again = disk.open("a")
    await again.write(0, b"H", sync=False)
    again.close()
    await disk.rename("a", "b")
    assert disk.list() == ["b"]
    now = disk.create_now("c", 64)
    now.write_now(0, b"c")
    await disk.sync_names()
    now.close()
    await disk.replace("d", iter([b"one", bytearray(b"two")]))
    await disk.replace("d", [memoryview(b"three")])
    assert await disk.read("d", 0, 100) == b"three"
    await disk.remove("b")
    await disk.remove("b")
    assert disk.list() == ["c", "d"]
    with pytest.raises(FileNotFoundError):
        await disk.read("b", 0, 1)
    with pytest.raises(FileNotFoundError):
        disk.size("b")
    assert disk.free_bytes() > 0


async def test_replace_that_fails_changes_nothing(tmp_path):
    disk = RealDisk(tmp_path)
    await disk.replace("d", [b"old"])

    def chunks():
        yield b"new"
        raise OSError(errno.ENOSPC, "no space")
    with pytest.raises(Full):
        await disk.replace("d", chunks())
    assert await disk.read("d", 0, 10) == b"old" and disk.list() == ["d"]
    await disk.close()


async def test_a_file_that_could_not_be_made_leaves_its_name_free(tmp_path, monkeypatch):
    """A journal whose disk failed for a moment goes on: the next attempt makes the segment of the same name."""
    disk = RealDisk(tmp_path)

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(Unavailable, match="creating a: Input/output error"):
            await disk.create("a", 64)
    (await disk.create("a", 64)).close()
    assert disk.list() == ["a"]
    await disk.close()


async def test_one_engine_a_directory(tmp_path):
    disk = RealDisk(tmp_path)
    with pytest.raises(Locked):
        RealDisk(tmp_path)
    program = "import sys; from engine.journal import RealDisk; RealDisk(sys.argv[1])"
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(tmp_path), stderr=PIPE)
    _, told_by_it = await other.communicate()
    assert other.returncode == 1 and b"in use by another engine" in told_by_it
    await disk.close()
    await RealDisk(tmp_path).close()


async def test_the_directory_is_private_and_leftovers_go(tmp_path):
    disk = RealDisk(tmp_path / "deep" / "data")
    assert (tmp_path / "deep" / "data").stat().st_mode & 0o777 == 0o700
    await disk.create("a", 10)
    assert (tmp_path / "deep" / "data" / "a").stat().st_mode & 0o777 == 0o600
    await disk.close()
    (tmp_path / "deep" / "data" / "d.new").write_bytes(b"half")
    disk = RealDisk(tmp_path / "deep" / "data")
    assert disk.list() == ["a"]
    await disk.close()


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, Full), (errno.EDQUOT, Full), (errno.EIO, Unavailable),
                                              (errno.EROFS, Unavailable)])
def test_errors_of_the_system_are_ours(number, kind):
    with pytest.raises(kind, match="writing x"), told("writing x"):
        raise OSError(number, "as the system says")


async def test_a_device_that_is_full(tmp_path):
    disk = RealDisk(tmp_path)
    os.symlink("/dev/full", tmp_path / "full")
    file = disk.open("full")
    with pytest.raises(Full):
        await file.write(0, b"x", sync=True)
    with pytest.raises(Full):
        file.write_now(0, b"x")
    file.close()
    await disk.close()


async def test_the_loop_never_waits_for_the_journal(tmp_path):
    before = set(threading.enumerate())
    disk = RealDisk(tmp_path)
    file = await disk.create("a", 4096)
    own = set(threading.enumerate()) - before
    assert {"journal-flush", "journal-files"} <= {thread.name for thread in own}
    inside, leave = threading.Event(), threading.Event()

    def chunks():
        inside.set()
        leave.wait()
        yield b"slow"
    slow = asyncio.ensure_future(disk.replace("d", chunks()))
    await asyncio.get_running_loop().run_in_executor(None, inside.wait)
    await file.write(0, b"durable beside a slow snapshot", sync=True)
    assert not slow.done()
    leave.set()
    await slow
    file.close()
    await disk.close()
    assert not any(thread.is_alive() for thread in own if thread.name.startswith("journal-"))


async def test_a_journal_on_a_real_directory(tmp_path):
    batch = Batch(4, 4096)
    batch.add(account="1234", native="x" * 1000)
    clock = Clock()
    disk = RealDisk(tmp_path)
    journal = await Journal.open(disk, clock, SMALL)
    live = asyncio.ensure_future(collect(journal, journal.first - 1, 60))
    spans = [await journal.append(0, batch) for _ in range(60)]
    assert await live == spans
    lease = await anext(journal.acquire())
    await journal.commit(lease, "store", spans[30].last)
    await journal.snapshot(lease, "engine", spans[30].last, {"paths": [b"p"] * 100})
    assert int(journal.stat()["segments"]) > 3
    await journal.close()
    await disk.close()

    disk = RealDisk(tmp_path)
    journal = await Journal.open(disk, clock, SMALL)
    lease = await anext(journal.acquire())
    snapshot = await journal.load(lease, "engine")
    assert snapshot is not None and snapshot.sections == {"paths": b"p" * 100}
    assert journal.committed(lease, "store") == spans[30].last
    assert await collect(journal, snapshot.at, 29) == spans[31:]
    assert (await journal.append(0, batch)).first == spans[-1].last + 1
    await journal.close()
    await disk.close()


async def collect(journal: Journal, after: int, count: int):
    seen = []
    async for span, batch in journal.read(after):
        assert batch.row(0)["account"] == "1234"
        seen.append(span)
        if len(seen) == count:
            break
    return seen


KILLED = """
import asyncio, sys
from codec.batch import Batch
from engine.clock import Clock
from engine.journal import Journal, JournalSettings, RealDisk

async def main():
    disk = RealDisk(sys.argv[1])
    journal = await Journal.open(disk, Clock(), JournalSettings(segment_bytes=16384, bytes_max=1 << 26))
    batch = Batch(1, 1024)
    batch.add(account="1234", native="x" * 500)
    while True:
        print((await journal.append(0, batch)).last, flush=True)

asyncio.run(main())
"""


async def test_killed_at_any_moment(tmp_path):
    for count in (1, 40, 90):
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, str(tmp_path), stdout=PIPE)
        assert child.stdout is not None
        for _ in range(count):
            acknowledged = int(await child.stdout.readline())
        child.kill()
        rest = (await child.communicate())[0].split(b"\n")[:-1]
        acknowledged = max([acknowledged, *map(int, rest)])
        disk = RealDisk(tmp_path)
        journal = await Journal.open(disk, Clock(), JournalSettings(segment_bytes=16384, bytes_max=1 << 26))
        assert acknowledged <= journal.durable().number <= acknowledged + 1
        numbers = [span.first async for span, _ in journal.read(journal.first - 1, journal.durable().number)]
        assert numbers == list(range(journal.first, journal.durable().number + 1))
        await journal.close()
        await disk.close()
