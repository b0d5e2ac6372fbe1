"""The side of the running engine: it answers who wants to replace it, and hands over when it is told to stop."""
from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket as sockets
from typing import TYPE_CHECKING, Any

from engine.clock import SECOND_NS
from engine.journal.errors import JournalError, Unavailable
from engine.journal.real_disk import RealDisk
from engine.takeover import state
from engine.takeover.link import DESCRIPTORS_MAX, FORM, Gone, Link, Place

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

log = logging.getLogger("engine.takeover")
REFUSE_S_MAX = 1.0
NOT_IN_JOURNAL = ("paths", "windows", "listening")   # of the sections, what changes without a row
SERVES_S_MAX = 5.0               # a successor serves after some 0.02 s


class SuccessorGone(OSError):
    """The engine that was to go on is gone after this one had stopped for it."""


class Giving:
    """Answers one successor at a time; `wanted` once that has told us to stop."""

    def __init__(self, engine: Pipeline) -> None:
        self._engine = engine
        self._listening: sockets.socket | None = None
        self._link: Link | None = None
        self._serving: asyncio.Task[None] | None = None
        self._refusing: asyncio.Task[None] | None = None
        self._place: Place | None = None
        self._file = -1                  # the state of the trial; the last one is written over it
        self.wanted = False

    def open(self) -> None:
        """Listen in the data directory. An engine that cannot do that serves all the same."""
        try:
            self._place = Place(self._engine.data)
            self._listening = self._place.listen()
        except OSError as error:
            log.warning("this engine cannot be replaced while it runs: %s", error.strerror)
            return
        asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        assert self._listening is not None
        try:
            connected = self._listening.accept()[0]
        except OSError:                      # it has gone again
            return
        link, loop = Link(connected), asyncio.get_running_loop()
        if self._link is None:
            self._link = link
            self._serving = loop.create_task(self._serve(link), name="takeover")
        elif self._refusing is None or self._refusing.done():
            self._refusing = loop.create_task(self._refuse(link), name="takeover-refused")
        else:
            link.close()

    async def _refuse(self, link: Link) -> None:
        """Answer the question of one more: an answer before it would be lost with the closing."""
        try:
            async with asyncio.timeout(REFUSE_S_MAX):
                await link.receive()
                link.send({"error": "the running engine is being replaced by another one already"})
        except (Gone, TimeoutError) as error:
            log.debug("who asked is gone: %s", error)
        finally:
            link.close()

    async def _serve(self, link: Link) -> None:
        """Answer until it leaves, or tells us to stop: then the connection is kept for `give`."""
        try:
            while True:
                message, _ = await link.receive()
                if message.get("ask") == "sockets":
                    self._send_sockets(link)
                elif message.get("ask") == "state":
                    await self._prepare()
                    self._send_state(link, {})
                elif message.get("ask") == "stop":
                    self.wanted = True
                    self._engine.stop()
                    return
                else:
                    link.send({"error": f"what the running engine knows is form {FORM}"})
        except Gone as error:
            log.info("who was to replace this engine is gone: %s", error)
        self._link = None
        link.close()

    def _send_sockets(self, link: Link) -> None:
        given = self._engine.doors.given()
        while True:
            part, given = given[:DESCRIPTORS_MAX], given[DESCRIPTORS_MAX:]
            link.send({"form": FORM, "pid": os.getpid(), "names": [one.name for one in part], "more": bool(given)},
                      [one.socket.fileno() for one in part])
            if not given:
                return

    async def _prepare(self) -> None:
        """Do what is slow while we still serve, so that little is left for the change itself."""
        engine = self._engine
        log.info("another engine stands by to replace this one")
        try:
            async with asyncio.timeout(engine.config.listen.drain_timeout_ns / SECOND_NS):
                await engine.house.prepare_end()
                await engine.keeper.write_changes()
        except (JournalError, TimeoutError) as error:
            log.warning("not everything was written before the change: %s", error)

    def _send_state(self, link: Link, logs: dict[str, Any], names: tuple[str, ...] | None = None) -> None:
        """Send what the stages remember, all or these sections."""
        engine = self._engine
        sections = {name: content for name, content in engine.house.sections().items() if not names or name in names}
        if self._file < 0:
            self._file = state.new_file()
        state.write(self._file, engine.journal.name, engine.filter.position, sections, logs)
        link.send({"form": FORM}, [self._file])

    async def give(self, tasks: list[asyncio.Task[object]]) -> None:
        """End the stages, let go of the journal, and hand over what they remember. Nothing is heard any more.

        Raises  JournalError, SuccessorGone
        """
        engine, link = self._engine, self._link
        assert link is not None
        try:
            async with asyncio.timeout(engine.config.listen.drain_timeout_ns / SECOND_NS):
                await self._rest()
        except TimeoutError:
            raise Unavailable("the journal does not come to rest; the next engine begins with a snapshot") from None
        async with engine.house.writing:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if engine.outcomes_trouble:
            raise Unavailable("the outcome log has a hole; the next engine begins with a snapshot")
        await engine.touch_file.write(engine.listening, flush=False)
        logs = {"journal": await engine.journal.finish(), "outcomes": await engine.outcomes.finish()}
        assert isinstance(engine.disk, RealDisk)
        await engine.disk.let_go()
        self._leave()
        try:
            self._send_state(link, logs if not engine.journal_trouble else {}, NOT_IN_JOURNAL)
        except Gone as error:
            raise SuccessorGone(0, f"the engine that was to go on is gone: {error}") from None
        log.info("handed over")
        with contextlib.suppress(Gone, TimeoutError):
            async with asyncio.timeout(SERVES_S_MAX):    # what is left to do here must not hold it up
                await link.receive()

    async def _rest(self) -> None:
        """Return when no row waits for the journal, and everything in it is judged."""
        engine = self._engine
        while engine.judged() < engine.journal.durable().number or not engine.journal_idle.is_set():
            await engine.journal_idle.wait()
            async for _ in engine.outcomes.read(engine.judged(), engine.journal.durable().number):
                pass

    def _leave(self) -> None:
        """Stop listening for successors; the name now belongs to the next engine."""
        if self._listening is not None and self._place is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._place.clear()
            self._listening = None

    def close(self) -> None:
        """End what is still open."""
        self._leave()
        for task in (self._serving, self._refusing):
            if task is not None:
                task.cancel()
        if self._link is not None:
            self._link.close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._place is not None:
            self._place.__exit__()
            self._place = None
