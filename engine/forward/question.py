"""What a subscriber asks for: from where, and which events."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from engine.forward.select import CLASS_ALL, CLASS_BITS, VERIFICATION_BITS, VERIFICATION_DEFAULT, Selection

NUMBER_MAX = 2**63 - 1
AREA_CHARACTERS_MAX = 128


class BadQuestion(ValueError):
    """The request cannot be understood; the text says which part of it and what is allowed."""


@dataclass(frozen=True, slots=True)
class Question:
    """after: the number of the last event that the subscriber has, or None to begin with what comes next."""

    after: int | None
    selection: Selection
    narrowed: bool


def read_question(headers: Mapping[str, str], query: Mapping[str, str]) -> Question:
    """Read a stream request.

    The header `Last-Event-ID` goes before `?after=` and `?last_event_id=`: a browser that reconnects repeats the
    address with its first position, and says in the header how far it came.
    Raises  BadQuestion
    """
    after = None
    for name, value in (("Last-Event-ID", headers.get("Last-Event-ID")), ("after", query.get("after")),
                        ("last_event_id", query.get("last_event_id"))):
        if value:
            after = read_number(name, value)
            break
    classes, verifications, area = query.get("class"), query.get("verification"), query.get("area", "")
    if len(area) > AREA_CHARACTERS_MAX:
        raise BadQuestion(f"area: longer than {AREA_CHARACTERS_MAX} characters")
    selection = Selection(read_mask("class", classes, CLASS_BITS) if classes else CLASS_ALL,
                          read_mask("verification", verifications, VERIFICATION_BITS) if verifications
                          else VERIFICATION_DEFAULT,
                          orjson.dumps(area)[1:-1])
    return Question(after, selection, bool(classes or verifications or area))


def read_number(name: str, value: str) -> int:
    """Read an event number. Raises BadQuestion unless it is decimal ASCII digits within 63 bits."""
    if not (value.isascii() and value.isdigit() and len(value) <= 19 and int(value) <= NUMBER_MAX):
        raise BadQuestion(f"{name}: not the number of an event")
    return int(value)


def read_mask(name: str, value: str, bits: Mapping[str, int]) -> int:
    """Read words with commas between them as a mask. Raises BadQuestion on a word that is none."""
    mask = 0
    for word in value.split(","):
        if word not in bits:
            raise BadQuestion(f"{name}: {word[:32]!r} is none of {', '.join(bits)}")
        mask |= bits[word]
    return mask
