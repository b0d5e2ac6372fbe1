"""What people change: a row of the journal for each change, durable before anybody is told that it counts.

The fields of each kind stand beside `Change` in words.pxd; what a change does, the stages decide when they read it.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from codec.words import PROTOCOL_NUMBER, RowKind
from engine.operate.view import Away, BadChange
from engine.units import read_duration_ns
from engine.words import Change

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

ROW_CHANGE = int(RowKind.ROW_CHANGE)
NO_PATH = 0xFFFFFFFF             # as in codec/batch.pxd
TEXT_BYTES_MAX = 200             # of who and why
BREAKS = str.maketrans(dict.fromkeys([*range(32), 127], " "))


class Changes:
    """Journals changes of one pipeline."""

    def __init__(self, engine: Pipeline) -> None:
        self._engine = engine

    def offer(self, kind: int, native: str, *, transmitter: str = "", point: str = "",
              path: int = NO_PATH) -> int | None:
        """Hand a change over to the intake; return the ticket to wait for, None when there is no room."""
        protocol, _, rest = transmitter.partition(":")
        account, _, realm = rest.partition("@")
        offered = self._engine.admit.offer_frame({
            "kind": ROW_CHANGE, "condition": kind, "protocol": PROTOCOL_NUMBER[protocol] if protocol else 0,
            "path": path, "account": account.upper(), "realm": realm, "point": point, "native": native,
            "received_ns": self._engine.clock.wall_ns()})
        return None if offered is None else offered[0]

    async def journal(self, kind: int, native: str, *, transmitter: str = "", point: str = "",
                      path: int = NO_PATH) -> None:
        """Journal a change and wait until it is durable. Raises Away when the journal does not take it."""
        ticket = self.offer(kind, native, transmitter=transmitter, point=point, path=path)
        if ticket is None:
            raise Away("the journal takes no changes at present")
        durable = self._engine.tickets.wait(ticket)
        self._engine.on_rows()
        if not await durable:
            raise Away("the journal takes no changes at present")

    async def tell(self, kind: Change, fields: Sequence[str], transmitter: str = "", point: str = "") -> None:
        """Journal a change by its fields. Raises Away."""
        await self.journal(int(kind), "\t".join(field.translate(BREAKS) for field in fields),
                           transmitter=transmitter, point=point)


def named(asked: Mapping[str, Any], name: str) -> str:
    """Return who or why. Raises BadChange."""
    value = asked.get(name)
    if not isinstance(value, str) or not value.strip() or len(value.encode()) > TEXT_BYTES_MAX:
        raise BadChange(f"{name}: needed is a text of 1 to {TEXT_BYTES_MAX} bytes")
    return value


def author(asked: Mapping[str, Any]) -> str:
    """Return who changes, with the name of the token that the change came with. Raises BadChange."""
    by, token = named(asked, "by"), asked.get("token")
    return f"{by} (token {token})" if token else by


def lasting_ns(asked: Mapping[str, Any], name: str, usual: str, most: str) -> int:
    """Return a duration of ns. Raises BadChange."""
    try:
        ns = read_duration_ns(str(asked.get(name, usual)))
    except ValueError:
        ns = 0
    if not 0 < ns <= read_duration_ns(most):
        raise BadChange(f'{name}: allowed is a duration up to "{most}", such as "{usual}"')
    return ns
