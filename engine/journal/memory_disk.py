"""A disk in memory for tests and simulations: no thread, no time of its own, faults on demand, power cuts by seed."""
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from engine.journal.disk import Bytes
from engine.journal.errors import Full

SECTOR_BYTES = 512


@dataclass(slots=True)
class Content:
    """A file as the program sees it, and what a power cut may leave of it."""

    seen: bytearray
    durable: bytearray
    pending: list[tuple[int, bytes]] = field(default_factory=list)  # written, not flushed
    named: bool = True  # False: a power cut takes the whole file

    def flush(self) -> None:
        """Make what was written since the last flush durable."""
        self.durable.extend(bytes(max(0, len(self.seen) - len(self.durable))))
        for offset, data in self.pending:
            self.durable[offset:offset + len(data)] = data
        self.pending.clear()

    def spoil(self) -> None:
        """A flush has failed: what was written is still seen, and no later flush will ever write it."""
        self.pending.clear()


class MemoryFile:
    """A file of a MemoryDisk."""

    def __init__(self, disk: "MemoryDisk", name: str) -> None:
        self.name = name
        self._disk = disk
        self._content = disk.files[name]
        self._closed = False

    async def write(self, offset: int, data: bytes, sync: bool) -> None:
        await self._disk.enter("write", self.name)
        self._put(offset, data)
        if sync:
            await self._flush()

    def write_now(self, offset: int, data: bytes) -> None:
        self._disk.fault("write", self.name)
        self._put(offset, data)

    async def write_beside(self, chunks: Iterable[Bytes]) -> None:
        await self._disk.enter("write", self.name)
        offset = 0
        for chunk in chunks:
            self._put(offset, bytes(chunk))
            offset += len(chunk)

    async def sync(self) -> None:
        await self._flush()

    async def allocate(self, size: int) -> None:
        await self._disk.enter("allocate", self.name)
        self._disk.claim(size - len(self._content.seen))
        self._content.seen.extend(bytes(size - len(self._content.seen)))
        self._content.flush()

    async def cut(self, offset: int, size: int) -> None:
        await self._disk.enter("cut", self.name)
        self._content.flush()
        for state in (self._content.seen, self._content.durable):
            state[offset:] = bytes(size - offset)

    def close(self) -> None:
        self._closed = True

    async def _flush(self) -> None:
        try:
            await self._disk.enter("sync", self.name)
        except BaseException:
            self._content.spoil()
            raise
        self._content.flush()

    def _put(self, offset: int, data: bytes) -> None:
        assert not self._closed
        end = offset + len(data)
        self._disk.claim(end - len(self._content.seen))
        self._content.seen.extend(bytes(max(0, end - len(self._content.seen))))
        self._content.seen[offset:end] = data
        self._content.pending.append((offset, data))


class MemoryDisk:
    """Files in memory.

    bytes_max  the size of the disk
    on_call    called with (operation, file name) before anything is done; raises to make the call fail.
               Operations: read create remove rename replace write sync allocate cut
    pause      awaited with the same before an asynchronous call goes on; None: every call ends at once
    """

    def __init__(self, bytes_max: int = 1 << 40) -> None:
        self.bytes_max = bytes_max
        self.files: dict[str, Content] = {}
        self.on_call: Callable[[str, str], None] | None = None
        self.pause: Callable[[str, str], Awaitable[None]] | None = None

    def killed(self) -> "MemoryDisk":
        """Return the disk as a new process finds it after a kill: everything written is there."""
        disk = MemoryDisk(self.bytes_max)
        disk.files = {name: Content(bytearray(content.seen), bytearray(content.durable), list(content.pending),
                                    content.named) for name, content in self.files.items()}
        return disk

    def unplugged(self, random: Random) -> "MemoryDisk":
        """Return the disk as it is after a power cut: of what was not flushed, any sectors may be missing."""
        disk = MemoryDisk(self.bytes_max)
        for name, content in self.files.items():
            if not content.named and random.random() < 0.5:
                continue
            left = bytearray(content.durable)
            left.extend(bytes(len(content.seen) - len(left)))
            for offset, data in content.pending:
                tear(left, offset, data, random)
            disk.files[name] = Content(bytearray(left), left)
        return disk

    def list(self) -> list[str]:
        return sorted(self.files)

    def size(self, name: str) -> int:
        return len(self._find(name).seen)

    def free_bytes(self) -> int:
        return self.bytes_max - sum(len(content.seen) for content in self.files.values())

    async def read(self, name: str, offset: int, size: int) -> bytes:
        await self.enter("read", name)
        return bytes(memoryview(self._find(name).seen)[offset:offset + size])

    async def create(self, name: str, size: int) -> MemoryFile:
        await self.enter("create", name)
        if name in self.files:
            raise AssertionError(f"{name} exists")
        self.claim(size)
        self.files[name] = Content(bytearray(size), bytearray(size))
        return MemoryFile(self, name)

    def create_now(self, name: str, size: int) -> MemoryFile:
        self.fault("create", name)
        self.files.pop(name, None)
        self.claim(size)
        self.files[name] = Content(bytearray(size), bytearray(size), named=False)
        return MemoryFile(self, name)

    def open(self, name: str) -> MemoryFile:
        self._find(name)
        return MemoryFile(self, name)

    async def remove(self, name: str) -> None:
        await self.enter("remove", name)
        self.files.pop(name, None)

    async def rename(self, source: str, target: str) -> None:
        await self.enter("rename", source)
        self.files[target] = self._find(source)
        del self.files[source]

    async def replace(self, name: str, chunks: Iterable[Bytes]) -> None:
        await self.enter("replace", name)
        data = b"".join(chunks)
        self.claim(len(data))
        self.files[name] = Content(bytearray(data), bytearray(data))

    async def sync_names(self) -> None:
        await self.enter("sync", "")
        for content in self.files.values():
            content.named = True

    async def close(self) -> None:
        """Nothing to give free."""

    def claim(self, size: int) -> None:
        """Raise Full unless there is room for `size` bytes more."""
        if size > 0 and size > self.free_bytes():
            raise Full("no space left on the disk")

    def fault(self, operation: str, name: str) -> None:
        """Fail here if the test wants it."""
        if self.on_call is not None:
            self.on_call(operation, name)

    async def enter(self, operation: str, name: str) -> None:
        """Wait and fail here if the test wants it."""
        if self.pause is not None:
            await self.pause(operation, name)
        self.fault(operation, name)

    def _find(self, name: str) -> Content:
        if name not in self.files:
            raise FileNotFoundError(name)
        return self.files[name]


def tear(target: bytearray, offset: int, data: bytes, random: Random) -> None:
    """Write `data` as a dying disk would: whole sectors, any of them missing, most often the later ones."""
    share = random.choice((0.0, 0.3, 0.7, 1.0))
    at = offset
    while at < offset + len(data):
        upto = min((at // SECTOR_BYTES + 1) * SECTOR_BYTES, offset + len(data))
        if random.random() < share:
            target[at:upto] = data[at - offset:upto - offset]
        at = upto
