"""Who changes something and why, and the row that keeps it."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from engine.registry.fields import CONTROL, KINDS, Kind
from engine.registry.importing import Report

WHO_BYTES_MAX = 200
INSERT = """
INSERT INTO tocsin.registry_audit (action, kind, key, point, by, why, token, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""


class BadEdit(ValueError):
    """A change that cannot be; the text names the field and what is allowed."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who changes something and why. token: whose token it came with; empty where none was needed."""

    by: str
    why: str
    token: str = ""


def read_who(given: Mapping[str, object], token: str = "") -> Who:
    """Read `by` and `why`. Raises BadEdit."""
    found = []
    for name in ("by", "why"):
        value = given.get(name)
        if not isinstance(value, str) or not value.strip() or CONTROL.search(value) \
                or len(value.encode(errors="replace")) > WHO_BYTES_MAX:
            raise BadEdit(f"{name}: needed is a text of 1 to {WHO_BYTES_MAX} bytes")
        found.append(value)
    return Who(found[0], found[1], token)


async def keep(connection: Any, action: str, kind: Kind, keys: Sequence[str], who: Who,
               detail: Mapping[str, object]) -> None:
    """Keep who did it, in the transaction of the change.

    keys  of the row that is changed, one or two; none: of many rows
    """
    key, point = keys[0] if keys else "", keys[1] if len(keys) > 1 else ""
    await connection.execute(INSERT, action, kind.table, key, point, who.by, who.why, who.token,
                             orjson.dumps(detail).decode())


def imported(report: Report) -> list[tuple[Kind, dict[str, object]]]:
    """Return what is kept of an import: (kind, detail) for each kind of rows that it changed."""
    return [(KINDS[name], {"added": counts.added, "changed": counts.changed, "removed": counts.removed,
                           "keys": counts.keys})
            for name, counts in report.kinds.items() if counts.added or counts.changed or counts.removed or counts.keys]
