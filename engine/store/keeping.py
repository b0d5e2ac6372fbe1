"""What the store keeps of paths beside the journal: states at once, last_seen_at now and then, heartbeats as asked."""
import asyncio

from engine.clock import SECOND_NS, Clock
from engine.config import Store as StoreConfig
from engine.heartbeats import HeartbeatLog
from engine.histogram import BOUNDS_NS, Histogram
from engine.paths import PathTable
from engine.store.path_rows import HeartbeatRows, PathChanges, Rollups
from engine.store.writer import Store

QUARTER_NS = 15 * 60 * SECOND_NS
ROUND_S = 1.0
SLICE_PATHS = 16384              # looked at in one turn of the loop: well under 1 ms
HEARTBEAT_ROWS_MAX = 100_000     # of one COPY


class PathKeeper:
    """Writes path states, quarter hours and heartbeats; best effort: what fails is written newer the next time."""

    def __init__(self, store: Store, paths: PathTable, heartbeats: HeartbeatLog, clock: Clock,
                 settings: StoreConfig) -> None:
        self.forwarded: Histogram | None = None    # from the frame to a subscriber's socket; its quarters are kept
        self.rows_lost = 0               # heartbeats and quarter hours that a failed write took along
        self._store = store
        self._paths = paths
        self._heartbeats = heartbeats
        self._clock = clock
        self._settings = settings
        self._changes = PathChanges(paths)
        self._turn = asyncio.Lock()
        self._rollups = Rollups(paths)
        self._rows = HeartbeatRows(paths)
        self._quarter_ns = clock.wall_ns() // QUARTER_NS * QUARTER_NS
        self._forwarded_before: tuple[tuple[int, ...], int, int] = ((0,) * (len(BOUNDS_NS) + 1), 0, 0)

    async def run(self) -> None:
        """Write once a second, until cancelled."""
        while True:
            await asyncio.sleep(ROUND_S)
            await self.write_changes()
            if self._settings.heartbeats == "all":
                await self.write_heartbeats()
            if self._clock.wall_ns() >= self._quarter_ns + QUARTER_NS:
                await self.end_quarter()

    async def write_changes(self) -> None:
        """Write the paths whose state changed, and the part of all paths whose turn it is; later, while it is away."""
        async with self._turn:
            if self._store.counters.up:
                await self._write_changes()

    async def _write_changes(self) -> None:
        rounds = max(1, self._settings.last_seen_every_ns // SECOND_NS)
        more = True
        while more:
            more = self._changes.gather(len(self._paths) // rounds + 1, self._clock.wall_ns() // 1_000_000)
            if self._changes.rows and not await self._store.write_paths(self._changes):
                self._changes.failed()
                more = False
            self._changes.clear()
            await asyncio.sleep(0)

    async def write_heartbeats(self) -> None:
        """Write the heartbeats that wait; while the database is away they wait, and beyond the ring they are shed."""
        while len(self._heartbeats) and self._store.counters.up:
            self._rows.gather(self._heartbeats, HEARTBEAT_ROWS_MAX)
            if not await self._store.write_heartbeats(self._rows):
                self.rows_lost += self._rows.rows
            self._rows.clear()

    async def end_quarter(self) -> None:
        """Close the quarter of an hour that is over: a row for each path that spoke, or just new counts."""
        ended_ns, self._quarter_ns = self._quarter_ns, self._clock.wall_ns() // QUARTER_NS * QUARTER_NS
        more = True
        while more:
            more = self._rollups.gather(ended_ns, SLICE_PATHS)
            if (self._rollups.rows and self._settings.heartbeats == "rollup"
                    and not await self._store.write_rollups(self._rollups)):
                self.rows_lost += self._rollups.rows
            self._rollups.clear()
            await asyncio.sleep(0)
        await self._write_forwarded(ended_ns)

    async def _write_forwarded(self, quarter_ns: int) -> None:
        """Write how long the events of a quarter of an hour took to subscribers; nothing where none left."""
        if self.forwarded is None:
            return
        (buckets, sum_ns, events), before = self.forwarded.snapshot(), self._forwarded_before
        self._forwarded_before = (buckets, sum_ns, events)
        if events > before[2]:
            counts = [now - then for now, then in zip(buckets, before[0], strict=True)]
            await self._store.write_forwarded(quarter_ns, events - before[2], (sum_ns - before[1]) / 1e6, counts)
