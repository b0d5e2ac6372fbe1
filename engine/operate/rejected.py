"""The last refused frames, for `/v1/rejected`. A bounded list: the oldest goes when a new one comes."""
from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from engine.operate.view import Json, RejectedQuestion


@dataclass(frozen=True, slots=True)
class Rejected:
    """One refused frame.

    at_ns     wall clock, ns since 1970
    peer      address and port, as the socket told them: 192.0.2.7:4000 or [2001:db8::7]:4000
    account   as far as it could be read, else empty
    frame     its bytes, already cut to a bound by the caller
    answered  what was sent back, or None where the engine kept silent
    """

    at_ns: int
    protocol: str
    reason: str
    peer: str
    account: str
    frame: bytes
    answered: bytes | None


class RejectedList:
    """The last `rows_max` refused frames, numbered from 1 on in the order in which they came."""

    def __init__(self, rows_max: int) -> None:
        self._rows: deque[Rejected] = deque(maxlen=rows_max)
        self._number = 0         # of the newest

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, rejected: Rejected) -> None:
        """Remember one more."""
        self._number += 1
        self._rows.append(rejected)

    def answer(self, question: RejectedQuestion) -> list[Json]:
        """Return what is asked for, newest first. Cost: one pass at most over the list."""
        numbered = ((self._number - i, row) for i, row in enumerate(reversed(self._rows)))
        found = (as_json(number, row) for number, row in numbered
                 if (question.before is None or number < question.before)
                 and (question.source is None or address_of(row.peer) == question.source)
                 and (question.account is None or row.account == question.account))
        return list(islice(found, question.limit))


def address_of(peer: str) -> str:
    """Return a peer's address without port and brackets."""
    return peer.rpartition(":")[0].strip("[]")


def as_json(number: int, row: Rejected) -> Json:
    at = datetime.fromtimestamp(row.at_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {"number": str(number), "at": f"{at}.{row.at_ns // 1_000_000 % 1000:03}Z", "protocol": row.protocol,
            "reason": row.reason, "peer": row.peer, "account": row.account, "bytes": row.frame.hex(),
            "answered": None if row.answered is None else row.answered.hex()}
