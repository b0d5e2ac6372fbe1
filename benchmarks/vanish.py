"""1,000,000 transmitters that fall silent in the same second: how fast their line faults come.

vanish.bare     a journal that is given their rows ready, one append at a time
vanish.raised   the supervisor alone: from the deadline on into the intake, which is emptied at once
vanish.durable  the supervisor and the journal: rows gather while an append is on its way, as in the engine, and the
                path table hears what has landed
                wheel, path table, intake and journal are the engine's own; `turns`, and the longest of them in CPU
Target          durable / bare at least 0.5, on the same disk in one run
Time is given: a turn that has no more to do moves the clock by one tick of the wheel.
"""
import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from time import perf_counter, thread_time

from benchmarks.harness import Result, Size, digest, in_turn, ratio
from codec.batch import Batch
from engine.clock import Clock, FakeClock
from engine.intake import Intake
from engine.journal import Journal, JournalSettings, RealDisk
from engine.supervise.listening import ListeningClock
from engine.supervise.supervisor import Supervisor
from engine.supervise.wheel import Wheel

SUPERVISION_S, TICK_NS = 90, 64_000_000
ROWS_MAX, ARENA_BYTES = 8192, 4 << 20
RATIO_MIN = 0.5
SHAPES: dict[Size, int] = {"smoke": 2000, "full": 1_000_000}


@dataclass
class World:
    """A fleet that has been silent for its whole time, less the last tick."""

    paths: int
    turns: int = 0
    longest_s: float = 0.0
    batches: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fleet = import_module("benchmarks.fleet").Fleet(self.paths)
        self.fleet.enrol(SUPERVISION_S * 1000)
        self.clock = FakeClock()
        self.intake = Intake(ROWS_MAX, ARENA_BYTES)
        self.listening = ListeningClock(0, self.clock.monotonic_ns())
        self.supervisor = Supervisor(self.fleet.table, Wheel(self.paths, 0), self.listening, self.clock, self.intake)
        while self.listening.listening_ms < SUPERVISION_S * 1000 - 64:
            self.clock.advance(TICK_NS)
            while self.supervisor.turn():
                pass
        assert not self.supervisor.line_faults

    def turn(self) -> None:
        begin = thread_time()
        more = self.supervisor.turn()
        self.longest_s = max(self.longest_s, thread_time() - begin)
        self.turns += 1
        if not more:
            self.clock.advance(TICK_NS)

    def take(self) -> bytes:
        """Empty the intake into the bytes of an append."""
        encoded = self.intake.batch.encode()
        self.intake.take()
        return encoded

    def land(self, encoded: bytes) -> None:
        self.intake.release(self.supervisor.line_faults)
        self.fleet.table.apply(Batch.view(encoded), self.listening.listening_ms)


def run(size: Size, rounds: int = 3) -> list[Result]:
    """Measure the three in turn."""
    paths, last = SHAPES[size], {}
    source = World(paths)
    raise_all(source, keep=True)

    def one(side: str, measure: Callable[[World], float]) -> float:
        last[side] = world = World(paths)
        return paths / measure(world)

    with tempfile.TemporaryDirectory(prefix="tocsin-vanish-") as name:
        place = Path(name)
        found = in_turn(rounds, {
            "bare": lambda: paths / asyncio.run(append_ready(fresh(place), source.batches)),
            "raised": lambda: one("raised", raise_all),
            "durable": lambda: one("durable", lambda world: asyncio.run(raise_durable(world, fresh(place))))})
    facts: dict[str, dict[str, float | int | str]] = {
        side: {"turns": world.turns, "longest_turn_ms": world.longest_s * 1e3} for side, world in last.items()}
    facts["bare"] = {"appends": len(source.batches)}
    facts["durable"] |= {"ratio": ratio(found["durable"], found["bare"]), "ratio_min": RATIO_MIN}
    return [Result(f"vanish.{side}", size, paths, "row", found[side].median, found[side].spread,
                   digest(paths.to_bytes(8, "little")), facts[side]) for side in found]


def fresh(place: Path) -> Path:
    """Return a directory that does not exist yet."""
    return place / str(len(list(place.iterdir())))


def raise_all(world: World, *, keep: bool = False) -> float:
    """Return the seconds until every line fault was in the intake."""
    begin = perf_counter()
    while world.supervisor.line_faults < world.paths:
        world.turn()
        if len(world.intake):
            encoded = world.take()
            if keep:
                world.batches.append(encoded)
            world.land(encoded)
    return perf_counter() - begin


async def raise_durable(world: World, place: Path) -> float:
    """Return the seconds until every line fault was durable and in the path table."""
    disk = RealDisk(place)
    journal = await Journal.open(disk, Clock(), JournalSettings())
    append, encoded, landed = None, b"", 0
    begin = perf_counter()
    while landed < world.paths:
        world.turn()
        if append is not None and append.done():
            await append
            world.land(encoded)
            landed += len(Batch.view(encoded))
            append = None
        if append is None and len(world.intake):
            encoded = world.take()
            append = asyncio.ensure_future(journal.append(0, Batch.view(encoded)))
        await asyncio.sleep(0)
    seconds = perf_counter() - begin
    assert world.supervisor.line_faults == world.fleet.table.states_in()["fault"] == world.paths
    await journal.close()
    await disk.close()
    return seconds


async def append_ready(place: Path, batches: list[bytes]) -> float:
    """Return the seconds that a journal takes for rows that are ready."""
    disk = RealDisk(place)
    journal = await Journal.open(disk, Clock(), JournalSettings())
    begin = perf_counter()
    for encoded in batches:
        await journal.append(0, Batch.view(encoded))
    seconds = perf_counter() - begin
    await journal.close()
    await disk.close()
    return seconds
