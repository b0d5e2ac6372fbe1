"""The pipeline: the only place that knows all stages. Bytes go one way.

      transmitters
          │ bytes
       LISTEN      engine/listen        sockets, replies, order, limits; decodes by codec/
          │ rows
       ADMIT       engine/admit         what is new; it is the intake that LISTEN and SUPERVISE fill
          │ Batch
       JOURNAL     engine/journal       append, flush  ──► replies up to what is durable leave
          │ Batch + number
       FILTER      engine/filter        verdicts, alarms, numbered events  ──► outcome log
          ├──► STORE       engine/store      rows into PostgreSQL, by position
          └──► FORWARD     engine/forward    events to subscribers, by number
       SUPERVISE   engine/supervise     silent paths, into the intake like any signal
       OPERATE     engine/operate       HTTP: metrics, health, API, stream, console

Control is Python, once a batch; data is C, once a row. One append is awaited at a time and rows gather meanwhile:
that is the group commit. STORE and FORWARD read the logs at their own pace; nothing waits for them.
"""
import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from codec.batch import Batch
from codec.words import PROTOCOL_NUMBER
from engine.admit.admit import Admit
from engine.answering import Answering
from engine.arguments import announce, journal_settings, replays_for, store_settings
from engine.bulk import Bulk
from engine.canary import Canary
from engine.changes import Changes
from engine.clock import SECOND_NS, Clock
from engine.commanding import Commanding
from engine.config import Config, Listener
from engine.failure import is_ours
from engine.filter.filter import Filter
from engine.filter.outcome import Outcome
from engine.forward.hub import Forward
from engine.hearing import Hearing
from engine.heartbeats import HEARTBEAT_LOG_ROWS, HeartbeatLog
from engine.histogram import Histogram
from engine.housekeeping import SNAPSHOT, URGENCY_OF_ROOM, House
from engine.interfaces import Interfaces
from engine.journal.disk import Disk
from engine.journal.errors import JournalError
from engine.journal.journal import Journal, Lease, Span
from engine.journal.segments import LogStart, SegmentLog
from engine.journal.space import Room, SpaceSettings
from engine.listen.descriptors import connections_each
from engine.listen.doors import Doors
from engine.listen.enrolment import Enrolment
from engine.listen.inherited import Inherited
from engine.listen.receiver import Receiver
from engine.listen.refused import RefusedFrames
from engine.listen.tcp import TcpListener
from engine.listen.tcp_server import TcpServer
from engine.listen.tls import Tls
from engine.listen.udp import UdpListener
from engine.listen.windows import Windows
from engine.operate.access import holders_of
from engine.operate.lag import LagSampler
from engine.operate.server import Operate
from engine.paths import PathTable
from engine.readings import bind_readings
from engine.registry.follower import Follower
from engine.remembering import Unusable, make_stages, renew_stages
from engine.sources import LoggedEvents, StoredRows
from engine.store.embedded import EmbeddedPostgres
from engine.store.keeping import PathKeeper
from engine.store.queries import Queries
from engine.store.writer import Store
from engine.supervise.learning import Learner
from engine.supervise.listening import ListeningClock
from engine.supervise.supervisor import Supervisor
from engine.supervise.touch_file import TouchFile
from engine.supervise.wheel import Wheel
from engine.surroundings import Surroundings
from engine.takeover.giving import Giving
from engine.takeover.state import State
from engine.takeover.taking import Taking
from engine.tickets import Tickets
from engine.ticking import Ticking
from engine.view import View

log = logging.getLogger("engine.pipeline")
MS = 1_000_000


class Pipeline:
    """One engine: `open` recovers and binds, `run` serves until `stop`, `close` leaves everything in order.

    inherited  listening sockets that are open already
    takeover   replace the engine that runs on the same data
    """

    def __init__(self, config: Config, clock: Clock, surroundings: Surroundings | None = None,
                 inherited: Inherited | None = None, *, takeover: bool = False) -> None:
        self.config = config
        self.clock = clock
        self.surroundings = surroundings or Surroundings()
        self.data = Path(config.data)
        self.stopping = asyncio.Event()
        self.rows_waiting = asyncio.Event()
        self.journal_idle = asyncio.Event()  # set: no row waits, and no append is on its way
        self.journal_idle.set()
        self.journal_trouble = ""           # why the last append failed; empty while all is well
        self.outcomes_trouble = ""          # why the outcome log ends before the journal; empty while it does not
        self.hash_key = self.surroundings.entropy(16)
        self.disk: Disk
        self.paths: PathTable
        self.admit: Admit
        self.windows: Windows
        self.filter: Filter
        self.house = House(self)
        self.enrolment: Enrolment
        self.tickets, self.bulk = Tickets(), Bulk(self)
        self.changes, self.commanding = Changes(self), Commanding(self)
        self.answering, self.ticking = Answering(self), Ticking(self)
        self.tls = Tls(config, clock)
        self.failure: Exception | None = None  # of a callback that no stage awaits
        self.inherited = inherited or Inherited()
        self.doors = Doors(config, self.surroundings.open_sockets)
        self.taking = Taking(self) if takeover else None
        self.giving = Giving(self)
        self.bound: list[tuple[Listener, tuple[str, int]]] = []
        self.hearing = Hearing(self)
        self.tcp: list[TcpListener] = []
        self.servers: list[asyncio.Server | TcpServer] = []
        self.to_reply = {kind: Histogram() for kind in ("heartbeat", "signal")}
        self.to_durable = Histogram()
        self.flushes = Histogram()
        self.flushed_bytes = 0
        self.postgres = None if config.database else EmbeddedPostgres(self.data / "postgresql", clock)

    # -- from nothing to serving

    async def open(self) -> None:
        """Start what must be there, in the order of the flow. Raises JournalError, OSError, EmbeddedPostgresError.

        The database is waited for only where it is made: a first start fails loudly, later nothing waits for it.
        """
        self.data.mkdir(mode=0o711, parents=True, exist_ok=True)
        if self.taking:
            await self.taking.stand_by()
        else:
            self.disk = self.surroundings.open_disk(self.data / "journal")
        handed = self.taking.state if self.taking else None
        self.doors.open(self.inherited)
        made = not self.postgres or self.postgres.made
        if handed is None:
            self.database: asyncio.Future[None] = asyncio.ensure_future(self.start_database())
        self.journal = await Journal.open(self.disk, self.clock, journal_settings(self.config),
                                          name=self.surroundings.entropy(16),
                                          handed=handed.logs.get("journal") if handed else None)
        self.journal.on_flush.append(self.note_flush)
        await self.recover(handed)
        self.build_readers()
        await self.listen()
        self.answering.offer_rules()         # the first row of a new journal
        if self.taking:
            self.taking.close()
        if handed:
            self.database = asyncio.ensure_future(self.start_database(replacing=True))
        elif not made:
            await self.database

    async def start_database(self, *, replacing: bool = False) -> None:
        if self.postgres:
            await self.postgres.start_again(replacing=replacing)

    async def recover(self, handed: State | None = None) -> None:
        """Build the stages from the last snapshot and the journal after it; the database is not asked.

        handed  what the engine before us remembered when it stopped; the stages hold what it remembered before
        """
        config, journal = self.config, self.journal
        self.lease: Lease = await anext(journal.acquire())
        snapshot = handed.snapshot if handed else await journal.load(self.lease, SNAPSHOT)
        sections = snapshot.sections if snapshot else {}
        at = snapshot.at if snapshot else 0
        if handed:
            renew_stages(self, sections)
        else:
            make_stages(self, sections, journal.first + 1)
        known_paths = len(self.paths)
        if not snapshot and journal.trimmed:
            raise Unusable("the journal was trimmed and no snapshot of what went before can be read; bring one back, "
                           "or put the journal directory aside to begin anew")
        first_mark = self.filter.next_event - 1
        self.outcomes = await SegmentLog.open(
            self.disk, self.clock, "outcomes", SpaceSettings(config.journal.segment_bytes),
            lambda: LogStart(journal.name, max(at + 1, journal.first), first_mark), name=journal.name, cut_after=at,
            handed=handed.logs.get("outcomes") if handed else None)
        async for span, batch in journal.read(at or journal.first - 1, journal.durable().number):
            self.admit.apply(batch)
            if not handed:
                self.windows.apply(batch)
            self.judge_batch(span, batch, replayed=True)
        self.touch_file = TouchFile(self.disk, journal.name, self.paths)
        listening_ms = await self.touch_file.resume(int.from_bytes(sections.get("listening", b""), "little"),
                                                    config.supervision.grace_ns // MS, known_paths)
        self.listening = ListeningClock(listening_ms, self.clock.monotonic_ns())
        self.supervisor = Supervisor(self.paths, Wheel(config.paths.max, self.listening.listening_ms), self.listening,
                                     self.clock, self.admit)
        self.learner = Learner(self.paths, self.admit, self.clock, config.supervision.learn,
                               config.supervision.learn_min_ns // MS, config.supervision.learn_max_ns // MS)
        log.info("recovered", extra={"paths": len(self.paths), "alarms": self.filter.alarms_open,
                                     "number": journal.durable().number, "snapshot": at})

    def build_readers(self) -> None:
        """Make what follows the logs: STORE, FORWARD, OPERATE."""
        config = self.config
        url = self.database_url
        self.store = Store(StoredRows(self.journal, self.outcomes), url, self.clock, store_settings(config),
                           on_ahead=self.journal.skip_past, connect=self.surroundings.connect)
        self.heartbeats = HeartbeatLog(HEARTBEAT_LOG_ROWS if config.store.heartbeats == "all" else 0)
        self.keeper = PathKeeper(self.store, self.paths, self.heartbeats, self.clock, config.store)
        self.queries = Queries(url)
        events = LoggedEvents(self.outcomes, lambda: self.filter.next_event - 1)
        self.forward = Forward(events, self.clock, config.forward)
        self.keeper.forwarded = self.forward.latency
        self.canary, self.registry = Canary(self), Follower(self)
        self.interfaces = Interfaces(self)

    def database_url(self) -> str:
        """Return the URL to connect to, with its password if it has one."""
        return self.postgres.url if self.postgres else self.config.database

    async def listen(self) -> None:
        """Bind the sockets; from here on frames are taken. LISTEN hands them to ADMIT."""
        config, limits, loop, enrolment = self.config, self.config.listen, asyncio.get_running_loop(), self.enrolment
        announce(config, self.paths)
        self.refused = RefusedFrames()
        self.receiver = Receiver(self.paths, enrolment, self.admit, self.refused, self.heartbeats,
                                 replays_for(config, self.surroundings.entropy(16)), self.windows)
        self.registry.keyring.load()
        lag = LagSampler(self.clock)
        self.view = View(self)
        self.operate = Operate(self.view, self.forward, lag, holders_of(config.http_tokens),
                               rows_max=config.operate.list_rows_max, more=self.interfaces.routes())
        bind_readings(self.view.metrics, self)
        numbers = [enrolment.listen_on(listener.name, listener.realm) for listener in config.listeners]
        enrolment.watch()
        places = connections_each(limits.connections_max, len(numbers), config.forward.subscribers_max)
        for number, (listener, udp_sockets, tcp_socket) in zip(numbers, self.doors.pairs, strict=True):
            protocol = PROTOCOL_NUMBER.get(listener.protocol, 0)
            self.hearing.open(number, protocol, udp_sockets)
            tcp = TcpListener(
                self.receiver, self.clock, self.listening, number, self.to_reply["heartbeat"], self.to_reply["signal"],
                connections_max=places, held_per_connection_max=limits.held_per_connection_max,
                held_max=limits.held_max, garbage_bytes_max=limits.garbage_bytes_max, idle_ns=limits.idle_timeout_ns,
                frame_ns=limits.frame_timeout_ns, on_rows=self.on_rows, protocol=protocol)
            self.tcp.append(tcp)
            self.servers.append(await self.tls.serve(listener, tcp, tcp_socket) if listener.certificate
                                else TcpServer(tcp, tcp_socket, loop))
            self.bound.append((listener, tcp_socket.getsockname()[:2]))
        self.http = await self.operate.start(config.http.host, config.http.port, self.doors.http)

    def listeners(self) -> Iterator[UdpListener | TcpListener]:
        """Yield everything that holds replies."""
        yield from self.udp
        yield from self.tcp

    @property
    def udp(self) -> list[UdpListener]:
        """Those of all UDP sockets."""
        return self.hearing.udp

    # -- serving

    async def run(self) -> None:
        """Serve until `stop`. An error of ours in any stage ends all of them."""
        stages: list[Callable[[], Coroutine[Any, Any, object]]] = [
            self.journal_rows, self.judge, self.store_rows, self.supervise, self.keep_touches, self.keeper.run,
            self.house.run, self.ticking.run, self.wait_for_database, self.stopping.wait, *self.registry.stages,
            *self.canary.stages()]
        asyncio.get_running_loop().set_exception_handler(self.on_callback_error)
        tasks = [asyncio.create_task(stage(), name=stage.__qualname__) for stage in stages]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if self.failure:
                raise self.failure
            for stage in (self.supervise, self.keep_touches, *self.registry.stages):  # nobody is heard from here on
                tasks[stages.index(stage)].cancel()
            self.stop_hearing()
            if self.giving.wanted:
                await self.hand_over(tasks)
            else:
                await self.drain()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self) -> None:
        """Ask `run` to end in order."""
        self.stopping.set()

    def on_callback_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error in a callback of the loop. One of ours ends the engine; those of the network, and what a library
        leaves behind when its connection breaks (the database's driver does), are survived."""
        error = context.get("exception")
        if isinstance(error, Exception) and not isinstance(error, OSError) and is_ours(error):
            self.failure = error
            self.stop()
        else:
            log.debug("event loop: %s", context.get("message"), exc_info=error)

    async def wait_for_database(self) -> None:
        await self.database
        await self.stopping.wait()

    def on_datagrams(self, udp: UdpListener) -> None:
        """LISTEN: take what has arrived on a UDP socket, or what the thread that reads it has handed over."""
        try:
            udp.on_readable()
        except OSError as error:  # such as an ICMP error of a peer that is gone; the socket itself lives on
            log.debug("udp: %s", error)
        self.on_rows()

    def on_rows(self) -> None:
        """See to it that what LISTEN or SUPERVISE left in the intake is journalled."""
        self.supervisor.clear_returned()
        if len(self.admit):
            self.rows_waiting.set()
            self.journal_idle.clear()

    async def journal_rows(self) -> None:
        """JOURNAL: append what has gathered, one append at a time; then let the replies go."""
        while True:
            await self.rows_waiting.wait()
            self.rows_waiting.clear()
            while len(self.admit) or self.bulk.waiting:
                if len(self.admit):
                    await self.append()
                await self.bulk.append()
            self.journal_idle.set()

    async def append(self) -> None:
        sealed = Batch.view(self.admit.batch.encode())
        ticket = self.admit.take()
        try:
            await self.journal.append(0, sealed, urgent=self.admit.urgency_min == URGENCY_OF_ROOM[Room.FULL])
        except JournalError as error:
            self.lose(sealed, ticket, error)
            return
        if self.journal_trouble:
            log.info("the journal takes rows again")
            self.journal_trouble = ""
        self.admit.release(ticket)
        self.tickets.settle(ticket, durable=True)
        for listener in self.listeners():
            listener.release(ticket)
        self.admit.record_durable(sealed, self.to_durable, self.clock.wall_ns())

    def note_flush(self, seconds: float, size: int, rows: int) -> None:
        self.flushes.add(int(seconds * SECOND_NS))
        self.flushed_bytes += size

    def lose(self, sealed: Batch, ticket: int, error: JournalError) -> None:
        """Rows could not be made durable: no reply leaves, and what makes an alarm is shown all the same."""
        if str(error) != self.journal_trouble:
            log.error("the journal refuses rows; they get no reply: look at its disk", extra={"why": str(error)})
        self.journal_trouble = str(error)
        self.view.journal_failures[type(error).__name__.lower()] += 1
        lost = [sealed]
        if len(self.admit):  # what gathered meanwhile goes too: its replies and paths may hang on the lost rows
            lost.append(Batch.view(self.admit.batch.encode()))
            ticket = self.admit.take()
        self.admit.urgency_min = URGENCY_OF_ROOM[self.journal.room()]
        self.admit.fail(ticket)
        self.tickets.settle(ticket, durable=False)
        for batch in lost:
            self.paths.retract(batch)
        for listener in self.listeners():
            listener.withhold(ticket)
        for batch in lost:
            outcome = Outcome.view(self.filter.show(batch))
            if outcome.events_in:
                self.forward.show(outcome.blocks())

    async def judge(self) -> None:
        """FILTER: judge what is durable, in its order."""
        async for span, batch in self.journal.read(self.judged()):
            self.judge_batch(span, batch, replayed=False)

    def judged(self) -> int:
        """Return the number of the last row that was judged."""
        return self.filter.position or self.journal.first - 1

    def judge_batch(self, span: Span, batch: Batch, *, replayed: bool) -> None:
        self.paths.apply(batch, None if replayed else self.listening.listening_ms)
        self.enrolment.apply(batch)
        outcome = self.filter.apply(span.first, batch)
        self.ticking.look(replayed=replayed)
        if replayed and span.last <= self.outcomes.last:     # it is there: the engine before us has kept it
            return
        if not self.outcomes_trouble:
            try:
                self.keep_outcome(span, outcome, self.filter)
                return
            except JournalError as error:
                log.error("the outcome log refuses entries; events are shown; it is made again when its disk allows",
                          extra={"why": str(error)})
                self.outcomes_trouble = str(error)
        if not replayed:
            self.forward.show(Outcome.view(outcome).blocks(numbered=False))  # they come again when they are kept

    def keep_outcome(self, span: Span, outcome: bytes, judging: Filter) -> None:
        self.outcomes.append_now(outcome, span.rows, judging.next_event - 1, first=span.first)

    async def store_rows(self) -> None:
        """STORE: write into the database, which may still be on its way."""
        await asyncio.shield(self.database)
        await self.store.run()

    async def supervise(self) -> None:
        """SUPERVISE: turn the wheel; what it finds goes into the intake."""
        tick_s = self.config.supervision.tick_ns / SECOND_NS
        while True:
            self.supervisor.note_drops(sum(one.drops() for one in self.listeners()))
            more = self.supervisor.turn()
            self.learner.turn()
            self.on_rows()
            await asyncio.sleep(0 if more else tick_s)

    async def keep_touches(self) -> None:
        await self.touch_file.run(self.listening)

    # -- from serving to nothing

    def stop_hearing(self) -> None:
        """Take no more frames; what comes from now on stays in the sockets. TCP connections end with their replies."""
        log.info("stopping")
        self.hearing.stop()
        for server in self.servers:
            server.close()
        for tcp in self.tcp:
            tcp.drain()

    async def hand_over(self, tasks: list[asyncio.Task[object]]) -> None:
        """Answer what is durable, give everything to the engine that replaces this one, then end what is left."""
        await self.operate.stop_accepting()
        await self.giving.give(tasks)
        await asyncio.gather(self.let_subscribers_go(), self.stop_database())

    async def drain(self) -> None:
        """Answer what is durable, let the readers catch up, and write a last snapshot."""
        try:
            async with asyncio.timeout(self.config.listen.drain_timeout_ns / SECOND_NS):
                await self.journal_idle.wait()
                await self.catch_up()
        except TimeoutError:
            log.warning("stopped before everything was stored; it is in the journal")
        with contextlib.suppress(JournalError):
            await self.house.commit_stored()
            await self.house.take_snapshot()
            await self.touch_file.write(self.listening)

    async def catch_up(self) -> None:
        """Let FILTER, FORWARD and STORE come to the journal's end."""
        async for _ in self.outcomes.read(self.judged(), self.journal.durable().number):
            pass
        await self.forward.catch_up()
        if self.store.counters.up and self.filter.position:
            await self.store.wait_stored(self.filter.position)
            await self.keeper.write_changes()

    async def let_subscribers_go(self) -> None:
        await self.forward.catch_up()
        await self.operate.close()

    async def close(self) -> None:
        """Close what `open` opened, as far as it came."""
        self.giving.close()
        if self.taking:
            self.taking.close()
        for connection in [connection for tcp in self.tcp for connection in tcp.connections]:
            connection.close("shutdown")
        self.hearing.stop()
        for server in self.servers:
            server.close()
        self.doors.close()
        self.inherited.close()
        for part in ("operate", "interfaces", "queries", "outcomes", "journal", "touch_file", "disk"):
            if hasattr(self, part):
                await getattr(self, part).close()
        await self.stop_database()

    async def stop_database(self) -> None:
        if hasattr(self, "database"):
            self.database.cancel()
            await asyncio.gather(self.database, return_exceptions=True)
        if self.postgres:
            await self.postgres.stop()
