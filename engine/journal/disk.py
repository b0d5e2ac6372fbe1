"""What the journal needs of a disk, as a protocol: the real one is real_disk.py, the simulated one memory_disk.py.

All methods are called on the loop's thread. The asynchronous ones may take as long as the disk takes; the others touch
at most the page cache. Errors of every method: Full when there is no space, Unavailable for any other failure;
a file that is not there is FileNotFoundError.
"""
from collections.abc import Iterable
from typing import Protocol

Bytes = bytes | bytearray | memoryview


class File(Protocol):
    """One file, open for writing."""

    @property
    def name(self) -> str: ...

    async def write(self, offset: int, data: bytes, sync: bool) -> None:
        """Write all of `data`; with `sync`, return when it is durable. After an error nothing about it is known."""

    def write_now(self, offset: int, data: bytes) -> None:
        """Write all of `data` at once, not durably."""

    async def write_beside(self, chunks: Iterable[Bytes]) -> None:
        """Write `chunks`, drawn as by `replace`, from the file's beginning; beside the journal, not durably."""

    async def sync(self) -> None:
        """Make everything that was written durable; goes beside the journal's writes, not between them."""

    async def allocate(self, size: int) -> None:
        """Grow to `size` bytes, zeros at the end, durably."""

    async def cut(self, offset: int, size: int) -> None:
        """Make everything from `offset` to `size` zero, and `size` the file's size, durably."""

    def close(self) -> None:
        """Close after what is under way; may be called twice."""


class Disk(Protocol):
    """One directory with files."""

    def list(self) -> list[str]:
        """Return the names of all files."""

    def size(self, name: str) -> int:
        """Return the file's size in bytes."""

    def free_bytes(self) -> int:
        """Return how many bytes can still be allocated."""

    async def read(self, name: str, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`; fewer only at the end of the file."""

    async def create(self, name: str, size: int) -> File:
        """Make a new file of `size` zeros whose space is allocated and whose name is durable."""

    def create_now(self, name: str, size: int) -> File:
        """The same at once, not durably; a file of that name is replaced."""

    def open(self, name: str) -> File:
        """Open an existing file for writing."""

    async def remove(self, name: str) -> None:
        """Delete a file, durably."""

    async def rename(self, source: str, target: str) -> None:
        """Rename a file, durably; an existing target is replaced."""

    async def replace(self, name: str, chunks: Iterable[Bytes]) -> None:
        """Write `chunks` as the file's new content: wholly and durably, or not at all.

        chunks  drawn off the loop's thread, so they must not look at anything that the loop changes meanwhile
        """

    async def sync_names(self) -> None:
        """Make the names that `create_now` made durable."""

    async def close(self) -> None:
        """Finish what is under way and give the directory free."""
