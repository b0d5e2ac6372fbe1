"""What the HTTP layer needs from the engine. The pipeline implements it; nothing here knows a stage."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from engine.operate.metrics import Metrics

Json = Mapping[str, object]
"""One object as orjson takes it; every number of a signal, event or position is a string in it."""


class Away(Exception):
    """PostgreSQL cannot be asked now."""


@dataclass(frozen=True, slots=True)
class Check:
    """One reason why the engine is ready or not. name: one word; detail: a short text for people."""

    name: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TransmitterQuestion:
    """A piece of the list of transmitters, ordered by key."""

    state: str | None
    area: str | None
    after: str | None        # key: only greater ones
    limit: int               # 1..10000


@dataclass(frozen=True, slots=True)
class SignalQuestion:
    """A piece of the list of signals, newest first."""

    protocol: str | None
    account: str | None
    realm: str | None
    signal_class: str | None
    before: int | None       # signal number: only smaller ones
    limit: int               # 1..10000


@dataclass(frozen=True, slots=True)
class RejectedQuestion:
    """A piece of the list of refused frames, newest first."""

    source: str | None       # the peer's address, without its port
    account: str | None
    before: int | None       # number of a refusal: only smaller ones
    limit: int               # 1..10000


@dataclass(frozen=True, slots=True)
class ConditionQuestion:
    """A piece of the list of transmitters with something open, by their numbers in FILTER."""

    condition: str | None    # one word; None: any
    before_ns: int | None    # open since before; None: since any time
    after: int | None        # number: only greater ones
    limit: int               # 1..10000


class BadChange(ValueError):
    """A change that cannot be made, or a command that cannot be sent; the text says what is allowed."""


class EngineView(Protocol):
    """The engine as operators and subscribers see it. Everything but `signals` answers from memory, at once."""

    @property
    def metrics(self) -> Metrics:
        """The registry that `/metrics` shows."""
        ...

    def status(self) -> Json:
        """Return version, node, times, and the position of each stage."""
        ...

    def ready(self) -> Sequence[Check]:
        """Return what readiness hangs on: journal, listeners, draining. PostgreSQL is none of it."""
        ...

    def open_alarms(self) -> tuple[int, Sequence[object]]:
        """Return (position, alarms), taken in one step.

        position   number of the last event that the alarms contain; a stream after it misses nothing
        alarms     the `data` object of each open alarm's newest event, as dict or `orjson.Fragment`
        """
        ...

    def alarm(self, alarm_id: str) -> Json | None:
        """Return one alarm that is open, or still to be accepted; None when there is none of this id."""
        ...

    async def answer(self, alarm_id: str, action: str, asked: Mapping[str, Any]) -> Json | None:
        """Accept, verify or close an alarm, and return what was journalled; None when there is none of this id.

        action  accept, verify, close
        asked   by; why; true (verify); token
        Raises  BadChange, Away
        """
        ...

    def tests(self) -> Sequence[Json]:
        """Return the test modes that are on."""
        ...

    async def test(self, asked: Mapping[str, Any]) -> Json:
        """Begin, prolong or end a test mode. Raises BadChange, Away."""
        ...

    def conditions(self, question: ConditionQuestion) -> Sequence[Json]:
        """Return transmitters with open conditions; each has `number`, `transmitter` and `conditions`."""
        ...

    async def conditions_of(self, key: str, at_ns: int | None) -> Json | None:
        """Return what is open at a transmitter, now or as of a time; None when nobody knows it.

        Keys    transmitter, conditions, whole (false: more may have been open that was raised before all that is kept)
        Raises  BadChange when the time lies before all that is kept; Away
        """
        ...

    def networks(self) -> Sequence[Json]:
        """Return the mass losses that stand."""
        ...

    def rules(self) -> Json:
        """Return the rules by which is judged."""
        ...

    def transmitter(self, key: str) -> Json | None:
        """Return one transmitter with its paths, or None. It has `key`, `state`, `last_seen_at`, `paths`."""
        ...

    async def command(self, key: str, asked: Mapping[str, Any]) -> Json | None:
        """Queue a command for a transmitter and return it; None when nobody knows it.

        asked   command, by, why, expires, token
        Raises  BadChange, Away
        """
        ...

    async def transmitters(self, question: TransmitterQuestion) -> Sequence[Json]:
        """Return up to `limit` transmitters with keys above `after`, in the order of their keys; each has `key`."""
        ...

    async def signals(self, question: SignalQuestion) -> Sequence[Json]:
        """Return up to `limit` stored signals, newest first; each has `id`, a string of digits. Raises Away."""
        ...

    def rejected(self, question: RejectedQuestion) -> Sequence[Json]:
        """Return up to `limit` refused frames, newest first; each has `number`, a string of digits.

        Beside it: at, protocol, reason, peer, account, bytes (hex), answered (hex or null)
        """
        ...
