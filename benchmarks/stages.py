"""Where a fire costs what behind its socket: each stage alone, in batches as a storm makes them.

stages.decode     frames into rows
stages.journal    the append, as far as the loop has to do with it; the flush is another thread's
stages.filter     verdict, alarm, and the event's text, written once for all subscribers
stages.outcomes   verdicts and events into their log
stages.select     one subscriber's choice out of that, in pieces of 64 KiB
stages.copy       rows and events as the bytes of COPY

All of it is processor time of this thread, the medians over the batches. What the kernel does for sockets is not in it.
"""
import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import thread_time, time_ns

from benchmarks.frames import fires
from benchmarks.harness import Result, Size, digest
from codec.batch import Batch
from codec.reading import decode_stream
from engine.clock import Clock
from engine.filter.filter import Filter
from engine.filter.outcome import Outcome
from engine.forward.select import Selection
from engine.journal import Journal, JournalSettings, RealDisk
from engine.journal.segments import LogStart, SegmentLog
from engine.journal.space import SpaceSettings
from engine.store.copy import EventCopy, SignalCopy

ROW_BYTES = 256                  # of arena
PIECE_BYTES = 65536
SEGMENT_BYTES = 64 << 20
FIRES_EACH = 3                   # of a transmitter
STAGES = ("decode", "journal", "filter", "outcomes", "select", "copy")


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows of a batch, batches of a round."""
    rows: int
    batches: int


SHAPES: dict[Size, Shape] = {"smoke": Shape(100, 3), "full": Shape(4096, 25)}


@dataclass(slots=True)
class Spent:
    """Processor seconds of each batch, by stage."""
    taken_s: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})

    @contextmanager
    def on(self, stage: str) -> Iterator[None]:
        begin = thread_time()
        yield
        self.taken_s[stage].append(thread_time() - begin)


def run(size: Size, rounds: int = 3) -> list[Result]:
    """Let every stage have the same fires, batch by batch."""
    shape, spent = SHAPES[size], Spent()
    count = shape.rows * shape.batches
    frames = fires(count, count // FIRES_EACH)
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="tocsin-stages-") as name:
            asyncio.run(pass_through(Path(name), frames, shape, spent))
    results = []
    for stage in STAGES:
        typical_s, taken = median(spent.taken_s[stage]), spent.taken_s[stage]
        results.append(Result(f"stages.{stage}", size, count, "fire", shape.rows / max(typical_s, 1e-9),
                              (max(taken) - min(taken)) / max(typical_s, 1e-9), digest(*frames)))
    return results


async def pass_through(place: Path, frames: list[bytes], shape: Shape, spent: Spent) -> None:
    """Take the frames down the line, the way the pipeline does it."""
    disk, clock = RealDisk(place), Clock()
    journal = await Journal.open(disk, clock, JournalSettings())
    outcomes = await SegmentLog.open(disk, clock, "outcomes", SpaceSettings(SEGMENT_BYTES),
                                     lambda: LogStart(journal.name, journal.first), name=journal.name, cut_after=0)
    judging, selection, signals, events = Filter(1, hash_key=bytes(16)), Selection(), SignalCopy(), EventCopy()
    for start in range(0, len(frames), shape.rows):
        data, batch = b"".join(frames[start:start + shape.rows]), Batch(shape.rows, shape.rows * ROW_BYTES)
        with spent.on("decode"):
            decode_stream(data, batch, time_ns())
        with spent.on("journal"):
            span = await journal.append(0, Batch.view(batch.encode()))
        after = judging.next_event - 1
        with spent.on("filter"):
            made = judging.apply(span.first, batch)
        with spent.on("outcomes"):
            outcomes.append_now(made, span.rows, judging.next_event - 1, first=span.first)
        outcome = Outcome.view(made)
        assert outcome.events_in == shape.rows
        with spent.on("select"):
            while after < judging.next_event - 1:
                _, after, _ = selection.select(outcome, after, PIECE_BYTES)
        signals.clear()
        events.clear()
        with spent.on("copy"):
            signals.add(batch, outcome, span.first, 0, span.rows, 0)
            events.add(batch, outcome, 0, outcome.events_in)
    for part in (outcomes, journal, disk):
        await part.close()
