"""Commands to sites: read what an operator asks for, journal it, and let it wait for the transmitter's next frame."""
from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from codec.gbt26875_downlink import build_request
from engine.changes import lasting_ns, named
from engine.listen.commands import Command
from engine.operate.view import BadChange, Json
from engine.view import shown_command
from engine.words import Change

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

log = logging.getLogger("engine.commanding")
DC09_BYTES_MAX, GBT_BYTES_MAX = 40, 200   # as in codec/limits.pxd
EXPIRES, EXPIRES_MAX = "10m", "31d"
FORBIDDEN = frozenset('[]"\r\n\0')
GBT_NUMBERS = ("type", "number", "minutes", "destination")


class Commanding:
    """Takes the commands of one pipeline."""

    def __init__(self, engine: Pipeline) -> None:
        self._engine = engine
        self._numbers = itertools.count(1)

    async def command(self, key: str, asked: Mapping[str, Any]) -> Json | None:
        """Queue a command for a transmitter; None when nobody knows it.

        asked    command (a text for DC-09, an object for GB/T), by, why, expires (a duration, "10m"), token (the name
                 of whose token it was; empty without tokens)
        Raises   BadChange, Away when the change could not be journalled
        """
        paths = self._engine.paths.paths_of(key)
        if not paths:
            return None
        path = max(paths, key=lambda number: int(str(self._engine.paths.show(number)["last_seen_ms"] or 0)))
        now_ns = self._engine.clock.wall_ns()
        by, why = (named(asked, name) for name in ("by", "why"))
        expires_ns = lasting_ns(asked, "expires", EXPIRES, EXPIRES_MAX)
        text, data = encode(key.partition(":")[0], asked.get("command"), now_ns)
        command = Command(next(self._numbers), data, text, by, now_ns, now_ns + expires_ns)
        told = {"change": "command", "transmitter": key, "command": text, "by": by, "why": why}
        if asked.get("token"):
            told["token"] = str(asked["token"])  # `by` is what the asker says
        change = orjson.dumps(told)
        await self._engine.changes.journal(int(Change.CHANGE_COMMAND), change.decode(), transmitter=key, path=path)
        if not self._engine.receiver.queue_command(path, command):
            raise BadChange("too many commands wait for this transmitter already")
        log.info("command queued", extra={"transmitter": key, "by": by})
        return shown_command(command)


def encode(protocol: str, command: object, now_ns: int) -> tuple[str, bytes]:
    """Return a command as text for people, and as the bytes that go out. Raises BadChange."""
    if protocol == "dc09":
        if not isinstance(command, str) or not command or not command.isascii() or FORBIDDEN & set(command) \
                or len(command) > DC09_BYTES_MAX:
            raise BadChange(f"command: needed is the data of an RSP, 1 to {DC09_BYTES_MAX} characters of ASCII "
                             "without brackets, quotes and line ends")
        return command, command.encode()
    if protocol != "gbt26875":
        raise BadChange(f"command: {protocol} has no commands to a site")
    if not isinstance(command, dict) or not all(isinstance(command.get(name, 0), int) for name in GBT_NUMBERS):
        raise BadChange("command: needed is an object with `type` (61 to 91) and what that type takes")
    try:
        systems = [(int(kind), int(place)) for kind, place in command.get("systems", [])]
        components = [(int(kind), int(place), bytes.fromhex(component))
                      for kind, place, component in command.get("components", [])]
        data = build_request(command.get("type", 0), systems=systems, components=components,
                             number=command.get("number", 0), minutes=command.get("minutes", 0),
                             start_ns=now_ns, destination=command.get("destination", 0), stamp_ns=now_ns)
    except (ValueError, TypeError, OverflowError) as error:
        raise BadChange(f"command: {error}") from None
    if len(data) > GBT_BYTES_MAX:
        raise BadChange(f"command: a frame of {len(data)} bytes; at most {GBT_BYTES_MAX} go out with a reply")
    return orjson.dumps(command).decode(), data
