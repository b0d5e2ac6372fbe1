"""The keyring: keys of transmitters from their file to who decrypts, at the start and whenever the file changes."""
from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from engine.arguments import REPLAYS_EACH
from engine.clock import SECOND_NS
from engine.registry.keys import KeyStore, KeyStoreError

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

log = logging.getLogger("engine.registry")
SLICE = 2000                     # keys that one turn compares or sets: some 3 ms


class Keyring:
    """The keys that are in force in one pipeline: as the file says, for transmitters that the registry names.

    A file that cannot be read changes nothing and is told once; a key that its protocol cannot have counts as none.
    """

    def __init__(self, engine: Pipeline) -> None:
        self._engine = engine
        self.store = KeyStore(engine.data, watch=True)
        self._in_force: dict[str, bytes] = {}
        self._told = ""

    def load(self) -> None:
        """Put the keys in force before the first frame is taken."""
        try:
            self.store.load()
        except KeyStoreError as error:
            self._tell(error)
        for transmitter, key in self.store.all().items():
            self._set(transmitter, key)
        self._plan()

    async def follow(self) -> None:
        """Put in force what changed since, if anything did."""
        if not await self._read():
            return
        changed = self.store.take_changed()
        for turn, transmitter in enumerate(sorted(changed), 1):
            if turn % SLICE == 0:
                await asyncio.sleep(0)
            if (key := self.store.get(transmitter) or None) != self._in_force.get(transmitter):
                self._set(transmitter, key)
        if changed:
            self._plan()

    async def _read(self) -> bool:
        """Read what was added to the file, off the loop; return whether there is something to take."""
        try:
            if not self.store.changed():
                return False
            await asyncio.to_thread(self.store.reload)
        except KeyStoreError as error:
            self._tell(error)
            return False
        self._told = ""
        return True

    def _tell(self, error: KeyStoreError) -> None:
        if str(error) != self._told:
            log.error("the keys of transmitters cannot be read; those that are known hold: %s", error)
        self._told = str(error)

    def _set(self, transmitter: str, key: bytes | None) -> None:
        enrolment = self._engine.enrolment
        try:
            if key is None:
                self._in_force.pop(transmitter, None)
                enrolment.remove_key(transmitter)
            else:
                self._in_force[transmitter] = key
                enrolment.set_key(transmitter, key)
        except ValueError as error:
            log.error("a key cannot be used", extra={"transmitter": transmitter, "why": str(error)})
            if key is not None:
                enrolment.remove_key(transmitter)

    def _plan(self) -> None:
        """Remember as many encrypted frames as these transmitters send within their windows."""
        enrolment = self._engine.enrolment
        self._engine.receiver.replays.plan(REPLAYS_EACH * enrolment.keyed, enrolment.window_s * SECOND_NS)
