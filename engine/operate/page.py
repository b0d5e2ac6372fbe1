"""What many questions have: times, and lists in pieces by `?limit=` and an opaque `?cursor=`."""
from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from engine.forward.question import NUMBER_MAX, BadQuestion

LIMIT_DEFAULT = 100
CURSOR_CHARACTERS_MAX = 512


def read_limit(query: Mapping[str, str], limit_max: int) -> int:
    """Return how many entries are asked for, 1..limit_max. Raises BadQuestion."""
    value = query.get("limit")
    if not value:
        return min(LIMIT_DEFAULT, limit_max)
    if not (value.isascii() and value.isdigit() and len(value) < 10 and 1 <= int(value) <= limit_max):
        raise BadQuestion(f"limit: allowed are 1 to {limit_max}")
    return int(value)


def read_time(text: str, name: str) -> datetime:
    """Read an ISO 8601 time; one without an offset is UTC. Raises BadQuestion."""
    if "T" in text:
        text = text.replace(" ", "+")    # what a query makes of the sign of an offset
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadQuestion(f"{name}: needed is a date or time of ISO 8601, such as 2026-01-31 or "
                          "2026-01-31T06:00:00Z") from None


def read_cursor(query: Mapping[str, str]) -> str | None:
    """Return the place where the last piece ended, as `make_cursor` wrote it, or None. Raises BadQuestion."""
    value = query.get("cursor")
    if not value:
        return None
    try:
        if len(value) > CURSOR_CHARACTERS_MAX:
            raise ValueError(value)
        return urlsafe_b64decode(value.encode("ascii") + b"=" * (-len(value) % 4)).decode()
    except ValueError:
        raise BadQuestion("cursor: not one that this list gave") from None


def read_number_cursor(query: Mapping[str, str]) -> int | None:
    """Return the place where the last piece of a numbered list ended, or None. Raises BadQuestion."""
    place = read_cursor(query)
    if place is None:
        return None
    if not (place.isascii() and place.isdigit() and len(place) <= 19 and int(place) <= NUMBER_MAX):
        raise BadQuestion("cursor: not one that this list gave")
    return int(place)


def make_cursor(place: str) -> str:
    """Return the opaque form of a place in a list."""
    return urlsafe_b64encode(place.encode()).rstrip(b"=").decode()


def next_cursor(entries: Sequence[Mapping[str, object]], limit: int, key: str) -> str | None:
    """Return the cursor behind the last entry, or None when the piece was not full."""
    return make_cursor(str(entries[-1][key])) if len(entries) == limit else None
