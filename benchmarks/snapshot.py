"""Writing down 10,000,000 paths: how long it takes, and how long the loop waits for it at once.

snapshot.idle      nothing is written: what the machine itself makes the loop wait
snapshot.paths     the path table's snapshot, every `journal.snapshot_every`
snapshot.touches   who was heard, every second
A rate is that of paths. `gap_p99_ms` and `gap_max_ms` are of the times between two turns of a loop that sleeps 2 ms.
"""
import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from time import perf_counter

import uvloop

from benchmarks.harness import Result, Rounds, Size, digest, in_turn, need
from engine.journal import RealDisk
from engine.journal.snapshots import Snapshots
from engine.supervise.listening import ListeningClock
from engine.supervise.touch_file import TouchFile

PATHS: dict[Size, int] = {"smoke": 2_000, "full": 10_000_000}
FLEET = "benchmarks.fleet"
SUPERVISION_MS = 90_000
TICK_S = 0.002
JOURNAL = bytes(16)
Write = Callable[[], Awaitable[object]]


def run(size: Size, rounds: int = 5) -> list[Result]:
    """Measure all in turn, in one loop."""
    need(FLEET)
    paths = PATHS[size]
    fleet = import_module(FLEET).Fleet(paths)
    fleet.enrol(SUPERVISION_MS)
    fleet.show_habits()
    gaps: dict[str, list[float]] = {"idle": [], "paths": [], "touches": []}
    with tempfile.TemporaryDirectory(prefix="tocsin-snapshot-") as name, asyncio.Runner(
            loop_factory=uvloop.new_event_loop) as runner:
        disk = RealDisk(Path(name) / "journal")
        snapshots, touches = Snapshots(disk, JOURNAL, 0), TouchFile(disk, JOURNAL, fleet.table)
        runner.run(touches.resume(0, SUPERVISION_MS, paths))
        writes: dict[str, Write] = {
            "idle": lambda: asyncio.sleep(1),
            "paths": lambda: snapshots.write("engine", 1, 0, {"paths": fleet.table.save()}),
            "touches": lambda: touches.write(ListeningClock(0, 0), flush=False)}

        def one(side: str) -> float:
            return paths / runner.run(beside(writes[side], gaps[side]))

        found = in_turn(rounds, {side: lambda side=side: one(side) for side in writes})  # type: ignore[misc]
        runner.run(touches.close())
        runner.run(disk.close())
    return [result(size, side, paths, found[side], sorted(gaps[side])) for side in writes]


def result(size: Size, side: str, paths: int, found: Rounds, gaps: list[float]) -> Result:
    facts = {"paths": paths, "took_ms": paths / found.median * 1e3, "gap_p99_ms": gaps[len(gaps) * 99 // 100] * 1e3,
             "gap_max_ms": gaps[-1] * 1e3}
    return Result(f"snapshot.{side}", size, paths, "path", found.median, found.spread,
                  digest(repr((side, paths)).encode()), facts)


async def beside(write: Write, gaps: list[float]) -> float:
    """Write while the loop ticks; add its gaps, and return the seconds that the writing took."""
    ticking = asyncio.create_task(tick(gaps))
    await asyncio.sleep(TICK_S * 2)
    begin = perf_counter()
    await write()
    took = perf_counter() - begin
    await asyncio.sleep(TICK_S * 2)
    ticking.cancel()
    with suppress(asyncio.CancelledError):
        await ticking
    return took


async def tick(gaps: list[float]) -> None:
    last = perf_counter()
    while True:
        await asyncio.sleep(TICK_S)
        gaps.append((now := perf_counter()) - last)
        last = now
