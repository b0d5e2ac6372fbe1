"""The canary: a row of the engine's own goes through the whole line every few seconds.

It is noticed when it does not come out. A quiet night and a dead pipe would otherwise look the same.

    frame on a wire in memory ─► LISTEN ─► ADMIT ─► JOURNAL ─► FILTER ─► outcome log ─► FORWARD ─► the canary's ear
                                   ▲                   │                                  └► STORE passes its number
                                   └──── reply ◄───────┘

LISTEN here is a line of its own (decoder, receiver, held reply; no socket), so that no policy, limit or counter of real
transmitters has to do with it. From ADMIT on it is the engine's one line and the same code as for any signal: the same
batch, append and flush, verdict, outcome log, and selection of events. What keeps it from everybody:

    its row has a kind of its own     no signal: not counted, in no table, in no memory of ADMIT, never shown volatile
    its event's verification          `canary`, which no subscriber can ask for, and which is not stored
    no alarm is kept of it            nothing in /v1/alarms, nothing unaccepted

It costs an append, and a transaction that moves the store's position, every `canary.every`: some 11 MB of journal a
day, which are trimmed like everything else. An event number is used each time; subscribers see a hole.
"""
from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import orjson

from codec.reading import build_frame, encode_reply
from codec.words import RowKind
from engine.clock import SECOND_NS, Clock
from engine.forward.hub import Forward
from engine.forward.question import Question
from engine.forward.select import CLASS_ALL, VERIFICATION_OWN, Selection
from engine.heartbeats import HeartbeatLog
from engine.histogram import Histogram
from engine.intake import Intake
from engine.journal.errors import JournalError
from engine.listen.enrolment import Enrolment
from engine.listen.receiver import Receiver
from engine.listen.refused import RefusedFrames
from engine.listen.tcp import TcpListener
from engine.operate.view import Check, Json
from engine.paths import PathTable
from engine.sources import LoggedEvents
from engine.supervise.listening import ListeningClock

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

log = logging.getLogger("engine.canary")
ROW_CANARY = int(RowKind.ROW_CANARY)
ACCOUNT = "0000"
ACCEPT = 1                       # Answer of codec/frame.pxd
AGAIN_NS = SECOND_NS             # after one that was lost, the next comes so soon
Row = dict[str, Any]


class Wire(asyncio.Transport):
    """A connection in memory, which keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 0)})
        self.written = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing ever waits here."""

    def pause_reading(self) -> None:
        """Nobody reads."""

    def resume_reading(self) -> None:
        """Nobody reads."""

    def close(self) -> None:
        """Nothing to give free."""

    def abort(self) -> None:
        """Nothing to give free."""


class Line:
    """One transmitter and LISTEN's parts for it alone. A frame at a time: `say`, then `settle`."""

    def __init__(self, clock: Clock, hash_key: bytes) -> None:
        paths = PathTable(1, hash_key)
        enrolment = Enrolment(paths, "quarantine", 0, 0, 0, [])
        self._intake = Intake(1024, 512 << 10)
        receiver = Receiver(paths, enrolment, self._intake, RefusedFrames(), HeartbeatLog(0))
        self._tcp = TcpListener(
            receiver, clock, ListeningClock(0, clock.monotonic_ns()), enrolment.listen_on("canary", ""), Histogram(),
            Histogram(), connections_max=1, held_per_connection_max=16, held_max=16, garbage_bytes_max=4096,
            idle_ns=3600 * SECOND_NS, frame_ns=3600 * SECOND_NS, on_rows=lambda: None)

    def say(self, frame: bytes) -> Row | None:
        """Send a frame with one signal; return the row that LISTEN made of it, None when it was anything else."""
        self._frame, self._wire, self._connection = frame, Wire(), self._tcp.connection()
        connection = self._connection
        connection.connection_made(self._wire)
        connection.get_buffer(-1)[:len(frame)] = frame
        connection.buffer_updated(len(frame))
        rows = [self._intake.batch.row(number) for number in range(len(self._intake))]
        self._ticket = self._intake.take()
        return rows[0] if len(rows) == 1 and connection.held_in == 1 else None

    def settle(self, *, durable: bool) -> bool:
        """Let the held reply go, or not; return whether it went and was the right one. The connection ends."""
        if durable:
            self._intake.release(self._ticket)
            self._tcp.release(self._ticket)
        else:
            self._intake.fail(self._ticket)
            self._tcp.withhold(self._ticket)
        self._connection.close("shutdown")
        self._connection.connection_lost(None)
        return durable and bytes(self._wire.written) == encode_reply(self._frame, ACCEPT, 0)


class Ear:
    """A subscriber without a connection: it calls `heard` with the `data` of each event."""

    def __init__(self, heard: Callable[[Row], None]) -> None:
        self.position = self.position_told = 0
        self._heard = heard

    def write(self, blocks: bytes, _: int) -> None:
        for line in blocks.split(b"\n"):
            if line.startswith(b"data: ") and "data" in (told := orjson.loads(line[6:])):
                self._heard(told["data"])

    async def drained(self) -> None:
        """Nothing waits."""


class Canary:
    """Sends, hears, and says how it went; of one pipeline.

    last_ns     wall clock when the last one came out; 0 before the first
    stored_ns   wall clock when the database was last seen to have passed one
    round_trip  from a frame's last byte to its event at the ear
    """

    def __init__(self, engine: Pipeline) -> None:
        settings = engine.config.canary
        self.on = settings.every_ns > 0
        self.last_ns = self.stored_ns = 0
        self._engine, self._clock = engine, engine.clock
        self._every_ns, self._within_ns = settings.every_ns, settings.within_ns
        self._line = Line(engine.clock, engine.hash_key)
        self._hub = Forward(LoggedEvents(engine.outcomes, lambda: engine.filter.next_event - 1), engine.clock,
                            engine.config.forward)
        self._text = ""              # of the one that is on its way
        self._number = 0             # of the last one that came out
        self._came = asyncio.Event()
        self._out = asyncio.Event()  # one came out, and the store is to be watched for it
        self._since_ns = 0           # monotonic, the last success, or when we began
        self._where = ""             # how far the one on its way has come
        self._silent = False

    @property
    def round_trip(self) -> Histogram:
        return self._hub.latency

    def stages(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """Return what the pipeline runs: nothing when it is turned off."""
        return [self.listen, self.send, self.watch_store] if self.on else []

    def checks(self) -> tuple[Check, ...]:
        """Return readiness: whether the last one came out in time. The database is no part of it."""
        return (Check("canary", not self.overdue(), self.told()),) if self.on else ()

    def overdue(self) -> bool:
        """Tell whether none has come out for longer than `canary.every` and `canary.within` together."""
        late_ns = self._clock.monotonic_ns() - self._since_ns
        return self._since_ns > 0 and late_ns > self._every_ns + self._within_ns

    def told(self) -> str:
        """Return for people since when nothing came out, and where the one on its way is."""
        seconds = (self._clock.monotonic_ns() - self._since_ns) / SECOND_NS
        return f"no canary came out for {seconds:.0f} s: {self._where}"

    def status(self) -> Json:
        """Return what /v1/status shows."""
        return {"on": self.on, "overdue": self.on and self.overdue(), "where": self._where}

    async def listen(self) -> None:
        """FORWARD's last step: follow the outcome log as a subscriber does. A log that cannot be read is read again."""
        question = Question(None, Selection(CLASS_ALL, VERIFICATION_OWN), narrowed=True)
        while True:
            try:
                await self._hub.follow(Ear(self._heard), question)
            except JournalError as error:
                log.warning("the outcome log cannot be read; subscribers that lag behind miss events",
                            extra={"why": str(error)})
            await asyncio.sleep(AGAIN_NS / SECOND_NS)

    async def send(self) -> None:
        """Send one, wait until it is out or lost, and again at the next time."""
        self._since_ns = self._clock.monotonic_ns()
        while True:
            began_ns = self._clock.monotonic_ns()
            came = await self._go_through()
            self._note(came)
            pause_ns = self._every_ns if came else min(self._every_ns, AGAIN_NS)
            await asyncio.sleep(max(0, began_ns + pause_ns - self._clock.monotonic_ns()) / SECOND_NS)

    async def watch_store(self) -> None:
        """Note when the database has passed one. It may be away as long as it likes."""
        while True:
            await self._out.wait()
            self._out.clear()
            await self._engine.store.wait_stored(self._number)
            self.stored_ns = self._clock.wall_ns()

    async def _go_through(self) -> bool:
        """Send one and follow it; return whether it came out. `_where` names the stage that has it."""
        engine = self._engine
        text = f"canary {self._clock.wall_ns()}"
        row = self._line.say(build_frame("SIA-DCS", ACCOUNT, f"#{ACCOUNT}|NRP^{text}^".encode()))
        if row is None:
            self._line.settle(durable=False)
            return self._lost("LISTEN did not make one signal of its frame")
        self._text = row["native"]
        self._came.clear()
        offered = engine.admit.offer_frame({
            "kind": ROW_CANARY, "protocol": row["protocol"], "account": row["account"], "native": row["native"],
            "received_ns": row["received_ns"], "raw": row["raw"]})
        if offered is None:
            self._line.settle(durable=False)
            return self._lost(f"ADMIT has no room for it; {engine.journal_trouble or 'the journal takes rows slowly'}")
        durable = engine.tickets.wait(offered[0])
        engine.on_rows()
        if not await self._settled(durable):
            self._line.settle(durable=False)
            return self._lost(f"JOURNAL refused it: {engine.journal_trouble}")
        if not self._line.settle(durable=True):
            return self._lost("LISTEN did not let its reply go")
        number = engine.journal.durable().number
        try:
            async with asyncio.timeout(self._within_ns / SECOND_NS):
                await self._came.wait()
        except TimeoutError:
            if engine.outcomes_trouble:
                return self._lost(f"its event is not kept: {engine.outcomes_trouble}")
            return self._lost("FORWARD did not give its event to a subscriber" if engine.judged() >= number
                              else "FILTER did not judge it")
        return True

    async def _settled(self, durable: asyncio.Future[bool]) -> bool:
        """Return whether the row became durable. There is no deadline: nothing else is offered meanwhile."""
        while not durable.done():
            await asyncio.wait((durable,), timeout=self._within_ns / SECOND_NS)
            if not durable.done():
                self._note(self._lost("JOURNAL does not end its append"))
        return durable.result()

    def _heard(self, event: Row) -> None:
        if event["native"] == self._text and not self._came.is_set():
            self._number = int(event["signal_id"])
            self._came.set()

    def _lost(self, where: str) -> bool:
        self._where = where
        return False

    def _note(self, came: bool) -> None:
        """Keep the time of a success; log what changes."""
        if came:
            self.last_ns, self._since_ns = self._clock.wall_ns(), self._clock.monotonic_ns()
            self._where = ""
            self._out.set()
            if self._silent:
                log.info("canaries come out again")
        elif not self._silent:
            log.warning("a canary did not come out: alarms may not leave; /readyz says so when it lasts",
                        extra={"why": self._where})
        self._silent = not came
