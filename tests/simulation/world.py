"""A whole world from one number: engine lives on a disk, a database and a network that fail, and what must hold.

Everything that chance decides comes from one `random.Random(seed)`, and everything happens on one loop whose time is
a FakeClock, so the same number gives the same run. `World(seed).run()` returns what went wrong: an empty list.
"""
from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from engine.clock import FakeClock
from engine.config import Config
from engine.config import Transmitter as Registered
from engine.configure import load
from engine.journal.errors import Full, JournalError, Unavailable
from engine.journal.memory_disk import MemoryDisk
from engine.pipeline import Pipeline
from engine.supervise.presets import read_times
from engine.surroundings import Surroundings
from tests.simulation.database import Database
from tests.simulation.loop import Loop
from tests.simulation.network import Network
from tests.simulation.subscribers import Subscriber
from tests.simulation.transmitters import CODES, Transmitter
from tests.simulation.troubles import TROUBLED_S, plan
from tests.simulation.truth import HELD_MAX, ROWS_MAX, Truth

SECOND_NS = 1_000_000_000
GRACE_S = 20
FORGOTTEN_S = 6                  # who was heard so shortly before a power cut may be unknown at the next start
SETTLE_S = 120                   # after the last fault everything must be well within this
END_S = 60                       # for an end in order, or of a task that is cancelled; slow disks included
MIB = 1 << 20


@dataclass
class Life:
    """One engine process, from its start to its kill or its orderly end."""

    pipeline: Pipeline
    task: asyncio.Task[None] | None = None
    listens: bool = False
    listens_since_ns: int = 0
    killed: bool = False
    serving: list[asyncio.Future[Any]] = field(default_factory=list)   # the streams of its subscribers


def configuration(transmitters: list[tuple[str, float]]) -> Config:
    """Return a small engine's configuration: everything that is bounded is bounded soon."""
    whole = load()
    return replace(
        whole, database="postgresql://simulated/tocsin", data="simulated", http=replace(whole.http, port=0),
        listen=replace(whole.listen, address=replace(whole.listen.address, port=0), held_max=HELD_MAX,
                       held_per_connection_max=16, batch_rows=ROWS_MAX, batch_arena_bytes=MIB // 2,
                       receive_buffer_bytes=256 << 10),
        listeners=tuple(replace(one, listen=replace(one.listen, port=0)) for one in whole.listeners),
        supervision=replace(whole.supervision, grace_ns=GRACE_S * SECOND_NS, tick_ns=250_000_000),
        journal=replace(whole.journal, segment_bytes=64 << 10, bytes_max=4 * MIB, snapshot_every_ns=10 * SECOND_NS),
        admit=replace(whole.admit, window_ns=3600 * SECOND_NS, frames_max=1000, levels_max=1000),
        unknown_accounts=replace(whole.unknown_accounts, limit=1000),
        paths=replace(whole.paths, max=1000),
        transmitters=tuple(transmitter_of(account, supervision_s) for account, supervision_s in transmitters))


def transmitter_of(account: str, supervision_s: float) -> Registered:
    return Registered(account=f"dc09:{account}", supervision=read_times(f"{int(supervision_s * 1000)}ms"))


class World:
    """`seed` decides everything."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.clock = FakeClock(monotonic_ns=1000 * SECOND_NS)
        self.loop = Loop(self.clock)
        self.disk = MemoryDisk()
        self.database = Database()
        self.truth = Truth(self)
        self.network = Network(self)
        self.transmitters: list[Transmitter] = []
        self.subscribers: list[Subscriber] = []
        self.life: Life | None = None
        self.lives = 0
        self.counts: Counter[str] = Counter()
        self.trace: list[str] = []
        self._kill_in_steps = 0
        self._last_life_ns = (0, 0)      # listening began and ended, monotonic
        self._disk_fails: tuple[str, Exception] | None = None
        self._database_fails = ""
        self._slow_disk = False
        self._healed = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self.refused_accounts: set[str] = set()    # whose rows the database did not take for a while

    # -- the run

    def run(self) -> list[str]:
        """Live it; return what was found wrong."""
        logging.disable(logging.CRITICAL)
        gc.collect()
        gc.disable()                     # when it ends a forgotten generator is not ours to decide
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.selector.between = self.network.collect
            self.loop.run_until_complete(self._live())
        finally:
            self._bury()
            gc.enable()
            logging.disable(logging.NOTSET)
        return self.truth.wrong

    def _bury(self) -> None:
        """End what is left of this world, so that nothing of it outlives the run."""
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left and self.loop.run_until_complete(asyncio.wait(left, timeout=END_S))[1]:
            self.truth.found(f"still running {END_S} s after it was cancelled: {asyncio.all_tasks(self.loop)}")
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        self.network.close()
        self.loop.close()

    async def _live(self) -> None:
        self._populate()
        self.later(0, self.start_engine)
        self.spawn(self._watch())
        for at_s, trouble in plan(self):
            self.later(at_s, trouble)
        await self._until_settled()
        if not self.truth.wrong:
            self.truth.look_at_the_end()
        if not self.truth.wrong and self.life is not None:
            await self.truth.judge_again(self.life.pipeline)

    def _populate(self) -> None:
        random = self.random
        for number in range(random.randrange(3, 8)):
            supervision_s = random.choice((12.0, 20.0, 30.0, 60.0))
            interval_s = supervision_s / random.choice((1.2, 2.0, 3.0, 4.0)) - 1.0
            account = f"{0x1000 + number:04X}"
            self.transmitters.append(Transmitter(self, account, interval_s, supervision_s, random.random() < 0.4))
        self.config = configuration([(one.account, one.supervision_s) for one in self.transmitters])
        if random.random() < 0.2:        # one that never speaks
            self.transmitters[-1].die()
            self.transmitters[-1].mute = True
        for one in self.transmitters:
            one.start()
        self.subscribers = [Subscriber(self, "steady"), Subscriber(self, "slow"), Subscriber(self, "dead")]
        self.subscribers[1].bytes_a_second = random.choice((400, 4000, 40_000))
        self.subscribers[2].bytes_a_second = 0
        for subscriber in self.subscribers:
            subscriber.start()

    async def _watch(self) -> None:
        """Look once a second at what must hold at any time."""
        while True:
            await asyncio.sleep(1)
            if self.life is not None and self.life.listens:
                self.truth.look_at(self.life.pipeline)

    async def _until_settled(self) -> None:
        """Wait for the last fault, heal everything, and give the engine time to come right."""
        await asyncio.sleep(TROUBLED_S)
        self.heal()
        end_ns = self.clock.monotonic_ns() + SETTLE_S * SECOND_NS
        while not self.truth.wrong and not self.truth.settled():
            if self.clock.monotonic_ns() > end_ns:
                self.truth.found(f"not settled within {SETTLE_S} s: {self.truth.unsettled()}")
            await asyncio.sleep(0.5)

    # -- what the world's own parts use

    def later(self, delay_s: float, what: Callable[[], Any]) -> None:
        """Let `what` happen after `delay_s`; an error in it ends the run."""
        def happen() -> None:
            try:
                what()
            except Exception as error:
                self.truth.found(f"{type(error).__name__}: {error}", error)
        self.loop.call_later(delay_s, happen)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        async def live() -> None:
            try:
                await work
            except Exception as error:
                self.truth.found(f"{type(error).__name__}: {error}", error)
        task = self.loop.create_task(live())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def note(self, what: str) -> None:
        """Write down that something happened."""
        self.counts[what.partition(":")[0]] += 1
        self.trace.append(f"{self.clock.monotonic_ns() / SECOND_NS - 1000:9.3f}  {what}")

    # -- the engine's lives

    def start_engine(self) -> None:
        if self.life is not None:
            return
        self.lives += 1
        life_disk = self.disk
        life_disk.pause = self._pause_of(life_disk)
        life_disk.on_call = self._fault_of(life_disk)
        pipeline = Pipeline(self.config, self.clock, Surroundings(
            lambda _: life_disk, self.network.open_sockets, self.database.connect, self.random.randbytes))
        self.life = life = Life(pipeline)
        life.task = self.loop.create_task(self._be(life))

    async def _be(self, life: Life) -> None:
        pipeline = life.pipeline
        try:
            await pipeline.open()
            if not life.killed:
                self.note("ready")
                self.truth.watch_appends(pipeline)
                life.listens, life.listens_since_ns = True, self.clock.monotonic_ns()
            await pipeline.run()
        except asyncio.CancelledError:
            if not life.killed and not self._ended:
                self.truth.found("the engine was cancelled")
        except (JournalError, OSError) as error:
            if not life.killed:
                self.note(f"stopped: {type(error).__name__}: {error}")
                if life.listens or not self._disk_troubled:
                    self.truth.found(f"the engine stopped: {error}", error)
        except BaseException as error:
            if not life.killed:
                self.truth.found(f"the engine ended by {type(error).__name__}: {error}", error)
        finally:
            life.listens = False
            with contextlib.suppress(JournalError, asyncio.CancelledError):
                await pipeline.close()
            if self.life is life:
                self._gone(life)

    @property
    def _ended(self) -> bool:
        return self._healed and (bool(self.truth.wrong) or self.truth.done)

    @property
    def _disk_troubled(self) -> bool:
        return self._disk_fails is not None or self.disk.free_bytes() < MIB      # it cannot start on a full disk

    def _gone(self, life: Life) -> None:
        """The process is no more; what it kept on the disk stays. It is started again after a while."""
        self.truth.heard_until_now(life)
        if life.listens_since_ns:
            self._last_life_ns = (life.listens_since_ns, self.clock.monotonic_ns())
            for one in self.transmitters if life.killed else ():
                if not self.gives_time(one):
                    one.forget(self._last_life_ns[1] - FORGOTTEN_S * SECOND_NS)
        self.network.engine_died(life)
        self.database.cut()
        for serving in list(life.serving):
            serving.cancel()
        self.life = None
        life.listens = False
        self.later(self.random.choice((0.1, 1.0, 5.0, 40.0)) if not self._healed else 0.1, self.start_engine)

    def gives_time(self, one: Transmitter) -> bool:
        """Whether the next start gives a transmitter time: once in a silence, and again after a short life.

        A life that ends by force takes with it who was heard in its last seconds.
        """
        began_ns, ended_ns = self._last_life_ns
        if ended_ns - began_ns < min(GRACE_S, one.supervision_s) * SECOND_NS / 2:
            return True
        return one.known_ns(ended_ns - FORGOTTEN_S * SECOND_NS) >= began_ns

    def kill(self, *, power: bool = False) -> None:
        """End the engine at this very step."""
        life = self.life
        if life is None or life.killed or self._healed:
            return
        self.note("power cut" if power else "kill")
        life.killed = True
        self.disk = self.disk.unplugged(self.random) if power else self.disk.killed()
        self._kill_in_steps = 0
        if life.task is not None:
            self.loop.call_soon(life.task.cancel)
        self._gone(life)

    def stop(self) -> None:
        """Ask the engine to end in order."""
        if self.life is not None and self.life.listens:
            self.note("stop")
            self.life.pipeline.stop()
            self.later(END_S + 100, lambda life=self.life: self.check_stopped(life))

    def check_stopped(self, life: Life) -> None:
        if self.life is life:
            self.truth.found("still there long after it was asked to stop")

    # -- steps, where kills and faults come in

    def step(self) -> None:
        """Something is about to happen on disk or database; the kill that is planned in steps may come now."""
        if self._kill_in_steps > 0:
            self._kill_in_steps -= 1
            if self._kill_in_steps == 0:
                self.kill(power=self.random.random() < 0.5)

    def kill_in(self, steps: int) -> None:
        self._kill_in_steps = steps

    def _pause_of(self, disk: MemoryDisk) -> Callable[[str, str], Awaitable[None]]:
        async def pause(operation: str, name: str) -> None:
            self.step()
            if disk is self.disk:
                slow = self._slow_disk and self.random.random() < 0.3
                await asyncio.sleep(self.random.uniform(0.1, 2.0) if slow else self.random.uniform(0.0001, 0.004))
            if disk is not self.disk:        # of a process that was killed before or meanwhile: it never goes on
                await asyncio.Event().wait()
        return pause

    def _fault_of(self, disk: MemoryDisk) -> Callable[[str, str], None]:
        def fault(operation: str, name: str) -> None:
            if disk is self.disk and self._disk_fails is not None and operation != "read":
                which, error = self._disk_fails
                if which in (operation, "all"):
                    raise error
        return fault

    def disk_full(self) -> None:
        self.disk.bytes_max = self.disk.bytes_max - self.disk.free_bytes()
        self.note("disk full")

    def disk_fails(self, operation: str) -> None:
        self._disk_fails = operation, (Full if operation == "write" else Unavailable)(f"simulated, at {operation}")
        self.note(f"disk fails: {operation}")

    def disk_slow(self, slow: bool) -> None:
        self._slow_disk = slow

    def disk_well(self) -> None:
        self._disk_fails = None
        self._slow_disk = False
        self.disk.bytes_max = 1 << 40

    def database_fails(self, how: str) -> None:
        self._database_fails = how
        self.note(f"database: {how}")
        if how == "down":
            self.database.cut()

    async def on_the_way_to_the_database(self, word: str) -> None:
        self.step()
        how = self._database_fails
        if how == "down":
            await asyncio.sleep(0.01)
            raise ConnectionRefusedError("simulated")
        if how == "flaky" and self.random.random() < 0.15:
            raise ConnectionResetError("simulated")
        slow = how == "slow"
        await asyncio.sleep(self.random.uniform(0.2, 3.0) if slow else self.random.uniform(0.0002, 0.003))
        if how == "dead":
            await asyncio.sleep(self.random.uniform(5, 20))
            raise TimeoutError

    def heal(self) -> None:
        """No more trouble from here on."""
        self._healed = True
        self._kill_in_steps = 0
        self.disk_well()
        self.database_fails("")
        self.network.loss = self.network.double = 0.0
        self.network.late_s = 0.05
        for one in self.transmitters:
            if not one.alive and not one.mute and self.random.random() < 0.5:
                one.live()
        self.note("healed")

    def something_happens(self) -> None:
        """A signal somewhere."""
        one = self.random.choice([one for one in self.transmitters if not one.mute])
        one.report(self.random.choice(CODES))
