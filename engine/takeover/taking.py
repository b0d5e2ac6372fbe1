"""The side of the engine that replaces a running one: everything slow comes before the other one is told to stop."""
from __future__ import annotations

import asyncio
import dataclasses
import gc
import logging
from typing import TYPE_CHECKING, Any

from engine.journal.errors import JournalError, Locked
from engine.journal.real_disk import RealDisk
from engine.listen.inherited import Given, adopt
from engine.remembering import make_stages
from engine.takeover import state
from engine.takeover.link import FORM, Gone, Link, Place

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

log = logging.getLogger("engine.takeover")
LOCK_POLL_S = 0.002
LOCK_S_MAX = 60.0                # an engine that ends in order takes some seconds where the database is slow


class NotReplaced(JournalError):
    """The running engine cannot be replaced by this one, and serves on; the text is one line for the operator."""


class Taking:
    """What comes from the engine before us.

    state   what it remembered when it had stopped; None where no engine ran, or it ended without a word
    """

    def __init__(self, engine: Pipeline) -> None:
        self._engine = engine
        self.state: state.State | None = None
        self._link: Link | None = None
        self._disk: RealDisk | None = None
        self._tried_at = 0               # the stages hold what it remembered after this number

    async def stand_by(self) -> None:
        """Return when the journal's lock is ours; at once where no engine runs.

        Raises  NotReplaced, Locked, JournalError, OSError
        """
        engine = self._engine
        with Place(engine.data) as place:
            link = place.connect()
        if link is None:
            log.info("no engine runs in %s: there is nothing to take over", engine.data)
            engine.disk = RealDisk(engine.data / "journal")
            return
        self._link = link
        try:
            await self._prepare(link)
            self._disk = RealDisk(engine.data / "journal", locked=False)
            gc.collect()
            gc.freeze()                      # what is here stays: no collection goes through it during the change
            log.info("standing by")
            if engine.stopping.is_set():
                raise NotReplaced("told to stop before it took over; the running engine goes on")
            self.state = await self._final(link)
        except Gone as error:
            log.warning("the running engine ended before it could hand over: %s", error)
        await self._lock()

    def close(self) -> None:
        """Let the other engine know that this one serves, or has given up: the connection ends."""
        if self._link is not None:
            self._link.close()
            self._link = self.state = None

    async def _prepare(self, link: Link) -> None:
        """Take or bind every socket, and try what the other one remembers now."""
        engine = self._engine
        answer, descriptors = await asked(link, "sockets")
        engine.inherited.given += [Given(name, adopt(descriptor)) for name, descriptor
                                   in zip(answer["names"], descriptors, strict=True)]
        engine.doors.open(engine.inherited)
        for one in engine.inherited.given:
            log.info("not listened on any more: %s", one.shown)
        engine.inherited.close()
        if engine.postgres:
            engine.postgres.find_programs()
        _, descriptors = await asked(link, "state")
        try:
            tried = state.read(descriptors[0]).snapshot
            make_stages(engine, tried.sections, 1)
            self._tried_at = tried.at
        except (state.Unfit, JournalError) as error:
            raise NotReplaced(f"what the running engine remembers cannot be used ({error}): stop it, and start this "
                              "one without --takeover") from None

    async def _final(self, link: Link) -> state.State | None:
        """Let the other one stop; return what the journal after `_tried_at` does not say, and how its logs end."""
        _, descriptors = await asked(link, "stop")
        try:
            final = state.read(descriptors[0])
            return dataclasses.replace(final, snapshot=dataclasses.replace(final.snapshot, at=self._tried_at))
        except state.Unfit as error:
            log.error("what was handed over cannot be used, starting from the last snapshot: %s", error)
            return None

    async def _lock(self) -> None:
        """Make the journal's directory ours as soon as the other engine has let go of it. Raises Locked."""
        engine = self._engine
        engine.disk = disk = self._disk or RealDisk(engine.data / "journal", locked=False)
        for _ in range(int(LOCK_S_MAX / LOCK_POLL_S)):
            try:
                return disk.lock()
            except Locked:
                if engine.stopping.is_set():
                    raise
                await asyncio.sleep(LOCK_POLL_S)
        return disk.lock()


async def asked(link: Link, what: str) -> tuple[dict[str, Any], list[int]]:
    """Ask, and return a good answer. Raises Gone, NotReplaced."""
    answer, descriptors = await link.ask(what)
    if "error" in answer or answer.get("form") != FORM:
        raise NotReplaced(str(answer.get("error", f"the running engine hands over in form {answer.get('form')}, this "
                                                  f"one takes form {FORM}: stop it first")))
    return answer, descriptors
