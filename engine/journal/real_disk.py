"""A directory of the machine as a Disk.

Two threads: `flush` does nothing but write the journal and flush it, so that its latency is one fdatasync; `files`
does everything else that blocks (snapshots, reading back, new segments). The loop's thread never waits for the disk.
"""
import errno
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from engine.journal.disk import Bytes
from engine.journal.errors import Full, Locked, Unavailable
from engine.journal.worker import Worker

Result = TypeVar("Result")
LOCK_NAME = "lock"
NEW_SUFFIX = ".new"  # of a file that is being written; left over after a crash, never read
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn the operating system's errors into ours; the one place where that is done."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        kind = Full if error.errno in NO_SPACE else Unavailable
        raise kind(f"{what}: {error.strerror or error}") from error


def write_all(descriptor: int, offset: int, data: Bytes) -> None:
    """Write every byte; the system call may take fewer."""
    rest = memoryview(data)
    while rest:
        count = os.pwrite(descriptor, rest, offset)
        offset += count
        rest = rest[count:]


def allocate(descriptor: int, size: int) -> None:
    """Give the file its blocks, so that a later write within it cannot fail for want of space."""
    if size:
        os.posix_fallocate(descriptor, 0, size)


class RealFile:
    """A file of a RealDisk."""

    def __init__(self, name: str, descriptor: int, flush: Worker, files: Worker) -> None:
        self.name = name
        self._descriptor = descriptor
        self._flush = flush
        self._files = files
        self._closed = False

    async def write(self, offset: int, data: bytes, sync: bool) -> None:
        def call() -> None:
            with told(f"writing {self.name}"):
                write_all(self._descriptor, offset, data)
                if sync:
                    os.fdatasync(self._descriptor)

        assert not self._closed
        await self._flush.run(call)

    def write_now(self, offset: int, data: bytes) -> None:
        assert not self._closed
        with told(f"writing {self.name}"):
            write_all(self._descriptor, offset, data)

    async def write_beside(self, chunks: Iterable[Bytes]) -> None:
        def call() -> None:
            offset = 0
            for chunk in chunks:
                write_all(self._descriptor, offset, chunk)
                offset += len(chunk)

        await self._do("writing", call)

    async def sync(self) -> None:
        await self._do("flushing", lambda: os.fdatasync(self._descriptor))

    async def allocate(self, size: int) -> None:
        def call() -> None:
            allocate(self._descriptor, size)
            os.fsync(self._descriptor)

        await self._do("allocating", call)

    async def cut(self, offset: int, size: int) -> None:
        def call() -> None:
            os.ftruncate(self._descriptor, offset)
            os.fsync(self._descriptor)
            allocate(self._descriptor, size)
            os.fsync(self._descriptor)

        await self._do("cutting", call)

    def close(self) -> None:
        """Close behind the last call of both threads, so that no call meets a descriptor of someone else."""
        if not self._closed:
            self._closed = True
            self._flush.post(lambda: self._files.post(lambda: os.close(self._descriptor)))

    async def _do(self, what: str, call: Callable[[], None]) -> None:
        def run() -> None:
            with told(f"{what} {self.name}"):
                call()

        assert not self._closed
        await self._files.run(run)


class RealDisk:
    """The directory `directory`, made with mode 0700 where it is missing, locked as long as this object lives.

    locked  False: not yet; before anything else call `lock`
    Raises  Locked when another process (or object) has it, Unavailable when it cannot be made or opened
    """

    def __init__(self, directory: str | Path, *, locked: bool = True) -> None:
        self._directory = Path(directory)
        with told(f"opening {directory}"):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self._directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if locked:
            try:
                self.lock()
            except Locked:
                self._unlock()
                raise
        self._flush = Worker("journal-flush")
        self._files = Worker("journal-files")

    def lock(self) -> None:
        """Make the directory ours, and remove what a crash left half written. Raises Locked, and may be tried again."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Locked(f"{self._directory} is in use by another engine: stop that one, replace it (--takeover), or "
                         "give this one other --data") from error
        for leftover in self._directory.glob("*" + NEW_SUFFIX):
            leftover.unlink()

    def list(self) -> list[str]:
        with told(f"listing {self._directory}"):
            return sorted(entry.name for entry in os.scandir(self._directory)
                          if entry.is_file() and entry.name != LOCK_NAME)

    def size(self, name: str) -> int:
        with told(f"looking at {name}"):
            return os.stat(self._directory / name).st_size

    def free_bytes(self) -> int:
        with told(f"looking at {self._directory}"):
            found = os.statvfs(self._directory)
        return found.f_bavail * found.f_frsize

    async def read(self, name: str, offset: int, size: int) -> bytes:
        def call() -> bytes:
            descriptor = os.open(self._directory / name, os.O_RDONLY | os.O_CLOEXEC)
            try:
                parts = []
                at, rest = offset, size
                while rest and (part := os.pread(descriptor, rest, at)):
                    parts.append(part)
                    at, rest = at + len(part), rest - len(part)
                return parts[0] if len(parts) == 1 else b"".join(parts)
            finally:
                os.close(descriptor)

        return await self._do(f"reading {name}", call)

    async def create(self, name: str, size: int) -> RealFile:
        def call() -> int:
            descriptor = self._make(name, size, os.O_EXCL)
            try:
                os.fsync(descriptor)
                self._sync_names()
            except BaseException:
                os.close(descriptor)
                os.unlink(self._directory / name)   # or the name could never be taken again
                raise
            return descriptor

        return self._file(name, await self._do(f"creating {name}", call))

    def create_now(self, name: str, size: int) -> RealFile:
        with told(f"creating {name}"):
            return self._file(name, self._make(name, size, os.O_TRUNC))

    def open(self, name: str) -> RealFile:
        with told(f"opening {name}"):
            return self._file(name, os.open(self._directory / name, os.O_RDWR | os.O_CLOEXEC))

    async def remove(self, name: str) -> None:
        def call() -> None:
            with suppress(FileNotFoundError):
                os.unlink(self._directory / name)
            self._sync_names()

        await self._do(f"removing {name}", call)

    async def rename(self, source: str, target: str) -> None:
        def call() -> None:
            os.rename(self._directory / source, self._directory / target)
            self._sync_names()

        await self._do(f"renaming {source}", call)

    async def replace(self, name: str, chunks: Iterable[Bytes]) -> None:
        def call() -> None:
            temporary = self._directory / (name + NEW_SUFFIX)
            try:
                with open(temporary, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                    for chunk in chunks:
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename(temporary, self._directory / name)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            self._sync_names()

        await self._do(f"replacing {name}", call)

    async def sync_names(self) -> None:
        await self._do(f"flushing {self._directory}", self._sync_names)

    async def close(self) -> None:
        await self._flush.run(lambda: None)
        await self._files.run(lambda: None)
        self._flush.close()
        self._files.close()
        self._unlock()

    async def let_go(self) -> None:
        """Give the lock back when every call so far is done. From then on there is only reading, and the closing."""
        await self._flush.run(lambda: None)
        await self._files.run(lambda: None)
        self._unlock()

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _file(self, name: str, descriptor: int) -> RealFile:
        return RealFile(name, descriptor, self._flush, self._files)

    def _make(self, name: str, size: int, flags: int) -> int:
        path = self._directory / name
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)
        try:
            allocate(descriptor, size)
        except BaseException:
            os.close(descriptor)
            path.unlink()
            raise
        return descriptor

    def _sync_names(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    async def _do(self, what: str, call: Callable[[], Result]) -> Result:
        def run() -> Result:
            with told(what):
                return call()

        return await self._files.run(run)
