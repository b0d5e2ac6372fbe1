"""What a service manager is told (sd_notify): a datagram to the unix socket that NOTIFY_SOCKET names."""
from __future__ import annotations

import asyncio
import logging
import socket as sockets
from collections.abc import MutableMapping

log = logging.getLogger("engine.takeover")
ALIVE_EVERY_S = 5.0              # well below half of the unit's WatchdogSec


class Manager:
    """The service manager; without an address everything that it is told goes nowhere."""

    def __init__(self, address: str = "") -> None:
        # A leading @ stands for the NUL of an abstract address.
        self._address = "\0" + address[1:] if address.startswith("@") else address

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> Manager:
        """Take the address out of the environment, so that no child talks in our name."""
        return cls(environment.pop("NOTIFY_SOCKET", ""))

    def tell(self, text: str) -> None:
        """Send one message such as `READY=1`. A manager that does not take it changes nothing for us."""
        if not self._address:
            return
        with sockets.socket(sockets.AF_UNIX, sockets.SOCK_DGRAM) as talking:
            talking.setblocking(False)
            try:
                talking.sendto(text.encode(), self._address)
            except OSError as error:
                log.debug("the service manager was not told %s: %s", text, error)

    async def run(self) -> None:
        """Say again and again that the loop turns (WatchdogSec), until cancelled."""
        while self._address:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(ALIVE_EVERY_S)
