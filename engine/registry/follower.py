"""The follower: what people changed in the registry's tables, into the journal, within a second.

It waits for the database for ever, as the store does. It listens to `tocsin_registry` and looks every few seconds all
the same. When identity or revision is another one than the journal knows, it reads in one REPEATABLE READ transaction,
so that the revision fits the rows:

- a partial reading: rows with a greater revision, and what was deleted since; then CHANGE_READ
- a full reading, where the identity is another one, the revision a lower one, or the last full reading broke off:
  CHANGE_READING, every row, CHANGE_READ; what it did not name is gone with that last row

Facilities come before transmitters, and those before points. A reading that breaks off leaves no CHANGE_READ, so the
next one begins where it began; the rows that it left behind say again what is true, or are swept by the next full one.

Nothing here holds anybody up: a line of the COPY becomes a row without a Python object of its own, batches are read
while those before them are flushed, a few at most, and a batch goes into the journal between two appends of the intake.
While the journal has less room than it should, nothing is read.

A database that was brought back from a backup, and then changed until its revision is greater than before, is not told
from one that went on: give it a new identity, `UPDATE tocsin.registry SET identity = gen_random_uuid()`.
"""
from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from codec.batch import Batch
from engine.bulk import OUTSTANDING_MAX
from engine.clock import SECOND_NS
from engine.journal.errors import JournalError
from engine.registry.keyring import Keyring
from engine.registry.rows import ChangeRows
from engine.store.errors import DATABASE_ERRORS, raise_if_cancelled
from engine.words import Change

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

log = logging.getLogger("engine.registry")
CHANGE_READING, CHANGE_READ = int(Change.CHANGE_READING), int(Change.CHANGE_READ)
CHANNEL = "tocsin_registry"
BATCH_ROWS, BATCH_BYTES = 8192, 1 << 20   # some 600 KB in the journal, and 2 ms of the loop to judge
LOOK_S = 2.0                     # a notice may be lost with a connection
GATHER_S = 0.02                  # many changes one after the other are read together
PAUSE_S_MIN, PAUSE_S_MAX = 0.1, 5.0
CONNECT_S_MAX, READ_S_MAX = 10.0, 300.0
JUDGED_S = 0.005
TEND_S, TEND_MORE_S = 0.25, 0.05
FREE = "translate({}, E'\\b\\t\\n\\v\\f\\r\\\\', '       ')"      # a text in which anything may stand

NOW = "SELECT identity::text, revision FROM tocsin.registry"
READINGS = (
    ("facility", "SELECT id, province, commune, team, kind, verification, " + FREE.format("left(name, 200)")
     + " FROM tocsin.facility WHERE revision > {seen}"),
    ("facility_gone", "SELECT DISTINCT g.key FROM tocsin.registry_gone g WHERE g.revision > {seen} "
     "AND g.kind = 'facility' AND NOT EXISTS (SELECT FROM tocsin.facility f WHERE f.id = g.key)"),
    ("transmitter", "SELECT key, coalesce(facility, ''), supervision, network, window_past, window_future, "
     "check_clear_stamps, encrypted_only, stale FROM tocsin.transmitter "
     "WHERE revision > {seen}"),
    ("transmitter_gone", "SELECT DISTINCT g.key FROM tocsin.registry_gone g WHERE g.revision > {seen} "
     "AND g.kind = 'transmitter' AND NOT EXISTS (SELECT FROM tocsin.transmitter t WHERE t.key = g.key)"),
    ("point", "SELECT transmitter, " + FREE.format("left(point, 200)") + ", condition, "
     + FREE.format("left(zone, 200)") + " FROM tocsin.point WHERE revision > {seen}"),
    ("point_gone", "SELECT DISTINCT g.key, " + FREE.format("left(g.point, 200)") + " FROM tocsin.registry_gone g "
     "WHERE g.revision > {seen} AND g.kind = 'point' AND NOT EXISTS "
     "(SELECT FROM tocsin.point p WHERE p.transmitter = g.key AND p.point = g.point)"),
)


class Follower:
    """Follows the registry for one pipeline.

    up             whether it has read all there was to read, on a connection that holds
    readings       full and partial ones that came to their end
    rows           that were journalled
    refused        rows that could not be, for what stands in them
    """

    def __init__(self, engine: Pipeline) -> None:
        self._engine = engine
        self._rows = ChangeRows(BATCH_ROWS, BATCH_BYTES)
        self._flushing: deque[asyncio.Future[None]] = deque()    # oldest first
        self._noticed = asyncio.Event()
        self.keyring = Keyring(engine)
        self._fresh = asyncio.Event()    # something was read just now
        self._told = ""
        self.up = False
        self.readings = {"full": 0, "partial": 0}
        self.rows = 0
        self.refused = 0

    @property
    def stages(self) -> tuple[Callable[[], Coroutine[Any, Any, None]], ...]:
        """What runs beside the others."""
        return self.run, self.tend

    async def run(self) -> None:
        """Follow for ever; errors of the database and of the journal are survived."""
        pause_s = PAUSE_S_MIN
        while True:
            try:
                if self._engine.store.counters.up:   # before that the tables may not be there
                    await self._session()
            except (*DATABASE_ERRORS, JournalError, ValueError) as error:
                raise_if_cancelled()
                self._note(error)
            pause_s = PAUSE_S_MIN if self.up else min(pause_s * 2, PAUSE_S_MAX)
            if not self._engine.store.counters.up:
                pause_s = PAUSE_S_MIN
            self.up = False
            await asyncio.sleep(pause_s)

    async def tend(self) -> None:
        """Let those who never speak have a path, those who are gone go, a slice at a time; and see to the keys."""
        engine = self._engine
        await asyncio.sleep(TEND_S)          # who calls at once after a start needs no path that stands for it
        while True:
            more = engine.enrolment.expect(engine.admit, engine.listening.listening_ms, engine.clock.wall_ns())
            engine.on_rows()
            more = engine.enrolment.tend() or more
            await self.keyring.follow()
            if more:
                await asyncio.sleep(TEND_MORE_S)
                continue
            try:
                async with asyncio.timeout(TEND_S):
                    await self._fresh.wait()
            except TimeoutError:
                pass
            self._fresh.clear()

    def _note(self, error: BaseException) -> None:
        text = f"{type(error).__name__}: {error}"
        if text != self._told or self.up:
            log.warning("the registry is not followed; what is known of it holds, and changes are read when it can be "
                        "again: %s", text)
        self._told = text

    async def _session(self) -> None:
        """Follow on one connection for as long as it holds."""
        engine = self._engine
        connection = await engine.surroundings.connect(
            engine.database_url(), timeout=CONNECT_S_MAX, command_timeout=READ_S_MAX,
            server_settings={"application_name": "tocsin registry", "timezone": "UTC"})
        try:
            await connection.add_listener(CHANNEL, self._notice)
            while True:
                self._noticed.clear()
                await self.look(connection)
                if not self.up:
                    log.info("following the registry")
                self.up, self._told = True, ""
                try:
                    async with asyncio.timeout(LOOK_S):
                        await self._noticed.wait()
                    await asyncio.sleep(GATHER_S)
                except TimeoutError:
                    pass
        finally:
            connection.terminate()

    def _notice(self, *told: object) -> None:
        self._noticed.set()

    async def look(self, connection: Any) -> None:
        """Read what the journal does not know yet, if anything. Raises errors of the database, JournalError."""
        row = await connection.fetchrow(NOW)
        if self._wanted(row["identity"], row["revision"]) is None:
            return
        try:
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")   # an error ends the connection
            row = await connection.fetchrow(NOW)         # of the moment that all that follows is of
            after = self._wanted(row["identity"], row["revision"])
            if after is not None:
                await self._read(connection, row["identity"], row["revision"], after)
            await connection.execute("COMMIT")
        finally:
            await self._let_go()

    def _wanted(self, identity: str, revision: int) -> int | None:
        """Return up to which revision the rows are known, -1 for a full reading; None: there is nothing to read."""
        known, upto = self._engine.filter.registry_seen
        if (known, upto) == (identity, revision) or not known and not revision:
            return None
        return upto if known == identity and upto < revision else -1

    async def _read(self, connection: Any, identity: str, revision: int, after: int) -> None:
        rows, began_ns = self._rows, self._engine.clock.monotonic_ns()
        rows.begin_reading(self._engine.clock.wall_ns())
        journalled = self.rows
        if after < 0:
            rows.mark(CHANGE_READING, identity, revision)
        for line, statement in READINGS:
            if after < 0 and line.endswith("_gone"):
                continue
            rows.begin(line)
            await connection.copy_from_query(statement.format(seen=after), output=self._take, timeout=READ_S_MAX)
        if len(rows.batch) > BATCH_ROWS // 2 or rows.batch.arena_used > BATCH_BYTES // 2:
            await self._flush()
        rows.mark(CHANGE_READ, identity, revision)
        await self._flush()
        await self._flushed()
        self.refused += rows.refused
        self.readings["full" if after < 0 else "partial"] += 1
        self._tell(rows)
        log.info("read the registry", extra={
            "revision": revision, "whole": after < 0, "rows": self.rows - journalled, "refused": rows.refused,
            "ms": (self._engine.clock.monotonic_ns() - began_ns) * 1000 // SECOND_NS})
        await self._judged()
        self._fresh.set()

    def _tell(self, rows: ChangeRows) -> None:
        if rows.refused:
            log.error("rows of the registry cannot be used, and count as not there", extra={
                "count": rows.refused, "first": "; ".join(f"{kind} {key}: {why}" for kind, key, why in rows.named)})

    async def _take(self, data: bytearray) -> None:
        """Read what has come of a COPY; returns when the next may come."""
        at = self._rows.feed(data)
        while at < len(data):
            await self._flush()
            at = self._rows.feed(data, at)

    async def _flush(self) -> None:
        """Hand the batch to the journal once few enough are on their way. Raises JournalError of any before it."""
        await self._flushed(OUTSTANDING_MAX - 1)
        batch = Batch.view(self._rows.batch.encode())
        self._rows.batch.clear()
        self.rows += len(batch)
        self._flushing.append(self._engine.bulk.hand(batch))

    async def _flushed(self, left: int = 0) -> None:
        """Return when at most `left` batches are not durable, and none is known to have failed. Raises JournalError."""
        while self._flushing and (len(self._flushing) > left or self._flushing[0].done()):
            await self._flushing.popleft()

    async def _let_go(self) -> None:
        """After a reading that broke off: wait for its last batches, which are of no further interest."""
        while self._flushing:
            try:
                await self._flushed()
            except JournalError as error:
                log.debug("a batch of a reading that broke off: %s", error)

    async def _judged(self) -> None:
        """Return when what was read is known: until then the next look would read it again."""
        durable = self._engine.journal.durable().number
        while self._engine.judged() < durable:     # noqa: ASYNC110, FILTER tells nobody how far it is
            await asyncio.sleep(JUDGED_S)
