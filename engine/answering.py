"""What people do with alarms: accept them, say whether they are true, end them; and test modes.

Each becomes a row of the journal; FILTER does it when it judges the row, and tells subscribers by an event.
"""
from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.changes import author, lasting_ns, named
from engine.config import Config, ConfigError
from engine.filter.rulebook import Rulebook, clash, default_rulebook
from engine.operate.view import BadChange, Json
from engine.words import Change

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

log = logging.getLogger("engine.answering")
US = 1000
TEST_FOR, TEST_FOR_MAX = "1h", "31d"
ACTIONS = {"accept": Change.CHANGE_ACCEPT, "verify": Change.CHANGE_ANSWER, "close": Change.CHANGE_CLOSE}


def configured_rules(config: Config) -> Rulebook:
    """Return the rules of the file that the configuration names, with what it says itself. Raises ConfigError."""
    file = config.filter.rules
    try:
        book = Rulebook.read(Path(file).read_text(), file) if file else default_rulebook()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"filter.rules = {file!r}: {why}; allowed is a file that can be read") from None
    return replace(book, accept_within_ns=config.alarms.accept_within_ns, security=config.filter.security,
                   medical=config.filter.medical)


class Answering:
    """Takes what people say about alarms of one pipeline, and the rules. Raises ConfigError for a file of no rules."""

    def __init__(self, engine: Pipeline) -> None:
        self._engine = engine
        self._rules = configured_rules(engine.config)
        self._told = False

    async def alarm(self, alarm_id: str, action: str, asked: Mapping[str, Any]) -> Json | None:
        """Accept, verify or close an alarm; None when no such alarm is open.

        action  accept: by; verify: true, by, why; close: by, why
        asked   `token` beside it: the name of whose token it was
        Raises  BadChange, Away
        """
        number = int(alarm_id) if alarm_id.isascii() and alarm_id.isdigit() and len(alarm_id) <= 19 else 0
        found = self._engine.filter.alarm(number)
        by = author(asked)
        fields = [str(number)]
        if action == "verify":
            answer = asked.get("true")
            if not isinstance(answer, bool):
                raise BadChange("true: needed is true (there is a fire) or false (there is none)")
            fields.append("true" if answer else "false")
        fields.append(by)
        if action != "accept":
            fields.append(named(asked, "why"))
        if found is None:
            return None
        await self._engine.changes.tell(ACTIONS[action], fields)
        log.info("an alarm was answered", extra={"alarm": number, "action": action, "by": by})
        return {"alarm_id": str(number), "action": action, "by": by}

    async def test(self, asked: Mapping[str, Any]) -> Json:
        """Begin, prolong or end a test mode.

        asked   facility, or transmitter and perhaps point; for (a duration) or end: true; by; why
        Raises  BadChange, Away
        """
        by, why = author(asked), named(asked, "why")
        facility, transmitter, point = (asked.get(name) or "" for name in ("facility", "transmitter", "point"))
        if not all(isinstance(text, str) for text in (facility, transmitter, point)):
            raise BadChange("facility, transmitter and point: needed are texts")
        if bool(facility) == bool(transmitter) or (point and not transmitter):
            raise BadChange("needed is a facility, or a transmitter and, where one alone is meant, a point")
        known = self._engine.filter.facility(facility) if facility else self._engine.filter.place(transmitter)
        if known is None and not (transmitter and self._engine.paths.paths_of(transmitter)):
            raise BadChange("nobody of that name is known here")
        until_us = 0
        if not asked.get("end"):
            until_us = (self._engine.clock.wall_ns() + lasting_ns(asked, "for", TEST_FOR, TEST_FOR_MAX)) // US
        await self._engine.changes.tell(Change.CHANGE_TEST, [str(until_us), facility, by, why], transmitter, point)
        log.info("a test mode was changed", extra={"facility": facility, "transmitter": transmitter, "by": by})
        return {"facility": facility or None, "transmitter": transmitter or None, "point": point or None,
                "until_us": until_us, "by": by, "why": why}

    def tests(self) -> list[dict[str, Any]]:
        """Return the test modes that are on, the one that ends first first."""
        return [asdict(mode) for mode in self._engine.filter.tests()]

    def offer_rules(self) -> None:
        """Journal the configured rules, unless they are those by which is judged already; called until they are."""
        engine, book = self._engine, self._rules
        if book == engine.filter.rules:
            return
        if (why := clash(engine.filter.rules, book)) and not self._told:
            log.warning("rules: %s", why)
        self._told = True
        if engine.changes.offer(int(Change.CHANGE_RULES), book.to_json()) is not None:
            engine.on_rows()
