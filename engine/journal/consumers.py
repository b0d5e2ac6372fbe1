"""How far each consumer has come, in a small file each; exact enough to know what may be deleted."""
import logging
import re
import zlib

from engine.clock import Clock
from engine.journal.disk import Disk

log = logging.getLogger("engine.journal")
COMMIT_EVERY_NS = 1_000_000_000


class Consumers:
    """Positions by consumer's name. A file is one line: journal's name in hex, position, crc32 of both."""

    def __init__(self, disk: Disk, clock: Clock, journal: bytes) -> None:
        self._disk = disk
        self._clock = clock
        self._journal = journal.hex()
        self._told: dict[str, int] = {}
        self._written: dict[str, int] = {}
        self._written_ns: dict[str, int] = {}
        self._writing: set[str] = set()

    async def find(self) -> None:
        """Read what is on the disk; a file that is broken or of another journal counts as not there."""
        for file in self._disk.list():
            match = re.fullmatch(r"consumer-([a-z_]+)\.position", file)
            if match is None:
                continue
            line = (await self._disk.read(file, 0, 256)).decode("ascii", "replace")
            parts = line.split()
            if len(parts) != 3 or line != self._line(parts[0], parts[1]):
                log.warning("%s is broken and not used: its reader is asked how far it has come, nothing is lost", file)
            elif parts[0] != self._journal:
                log.warning("%s belongs to another journal and is not used; nothing is lost", file)
            else:
                self._told[match[1]] = self._written[match[1]] = int(parts[1])

    def told(self, consumer: str) -> int | None:
        """Return the last position that it told, or None."""
        return self._told.get(consumer)

    @property
    def written(self) -> dict[str, int]:
        """The positions that a restart would find."""
        return dict(self._written)

    async def commit(self, consumer: str, at: int) -> None:
        """Note a position; it is written at once, but at most once a second. Raises Full, Unavailable."""
        self._told[consumer] = at
        due = self._clock.monotonic_ns() - self._written_ns.get(consumer, -COMMIT_EVERY_NS) >= COMMIT_EVERY_NS
        if due and consumer not in self._writing:
            await self._write(consumer)

    async def flush(self) -> None:
        """Write the positions that are not written yet."""
        for consumer, at in list(self._told.items()):
            if self._written.get(consumer) != at:
                await self._write(consumer)

    async def forget(self, consumer: str) -> None:
        """Keep nothing for it any longer."""
        self._told.pop(consumer, None)
        self._written.pop(consumer, None)
        await self._disk.remove(self._file(consumer))

    async def _write(self, consumer: str) -> None:
        at = self._told[consumer]
        self._writing.add(consumer)
        self._written_ns[consumer] = self._clock.monotonic_ns()
        try:
            await self._disk.replace(self._file(consumer), [self._line(self._journal, str(at)).encode()])
            self._written[consumer] = at
        finally:
            self._writing.discard(consumer)

    def _file(self, consumer: str) -> str:
        return f"consumer-{consumer}.position"

    def _line(self, journal: str, at: str) -> str:
        return f"{journal} {at} {zlib.crc32(f'{journal} {at}'.encode()):08x}\n"
