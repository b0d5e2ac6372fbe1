"""What may stand in the registry: four kinds of rows, and for each column one reader and one text of what is allowed.

Files, the API and `tocsin import` all come through here. A cell is a text; JSON's other values are made one by
`text_of`. A reader returns what the database gets, and raises ValueError. Empty stands for the default.
"""
from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from codec.words import CONDITION_TEXT
from engine.config import (
    KEY_ALLOWED,
    Transmitter,
    fits,
    read_account,
    read_key,
)
from engine.registry.presets import supervision_ms
from engine.supervise.presets import ALLOWED as SUPERVISION_ALLOWED
from engine.units import read_duration_ns
from engine.words import KIND_TEXT

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LIKE_A_KEY = re.compile(r"\s*[0-9A-Fa-f]{32,}\s*")
SHOWN_CHARACTERS = 60
HIDDEN = "(not shown)"
ACCOUNT_ALLOWED = "PROTOCOL:ACCOUNT or PROTOCOL:ACCOUNT@REALM, such as dc09:1234 or gbt26875:889@nghe-an"
CONTACT_FIELDS = ("name", "role", "phone", "app")
CONTACTS_MAX = 20
CONTACT_ALLOWED = ('a JSON array of at most 20 objects with name, role, phone and app, texts of at most 128 bytes, '
                   'such as [{"name": "Lê An", "role": "owner", "phone": "+84912345678"}]')
WAYS = ("rules", "none", "coincidence", "human")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file, which is one field of a JSON object.

    read      from a text to what the database gets; ValueError
    allowed   ends the sentence "allowed is ..."
    type      in PostgreSQL
    needed    whether it may not be left out; then it may not be empty either
    default   what an empty cell, and a new row without it, gets, as the database has it
    field     its name in the database; empty: the same. secret: kept by the key store, never by the database
    """

    name: str
    read: Callable[[str], Any]
    allowed: str
    type: str = "text"
    needed: bool = False
    default: Any = ""
    field: str = ""
    secret: bool = False

    @property
    def stored(self) -> str:
        """Its name in the database."""
        return self.field or self.name


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of rows. name: as in `?kind=`; table: in the schema tocsin; keys: what tells two rows apart."""

    name: str
    table: str
    columns: tuple[Column, ...]
    keys: tuple[str, ...]

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns that the database keeps, in their order: bit n of a row's mask is column n of these."""
        return tuple(column for column in self.columns if not column.secret)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong. line: from 1; 0: of no line. column: empty: of the whole line. value: as it may be shown."""

    file: str
    line: int
    column: str
    value: str
    allowed: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        what = f"{self.column} = {self.value}" if self.column and self.value else self.column or self.value
        return f"{place}: {what}{': ' if what else ''}{self.allowed}"


class BadField(ValueError):
    """A cell that cannot be; it knows column, value and what is allowed, and shows no key."""

    def __init__(self, column: str, value: object, allowed: str) -> None:
        self.column, self.value, self.allowed = column, shown(value), allowed
        super().__init__(f"{column} = {self.value}: {allowed}" if self.value else f"{column}: {allowed}")


# -- one reader for each rule --------------------------------------------------------------------------------------


def text(low: int, high: int) -> Callable[[str], str]:
    """A text of low..high bytes of UTF-8, without control characters."""
    def read(value: str) -> str:
        if CONTROL.search(value) or not low <= len(value.encode()) <= high:
            raise ValueError(value)
        return value
    return read


def matching(pattern: str) -> Callable[[str], str]:
    fits_pattern = re.compile(pattern, re.ASCII).fullmatch

    def read(value: str) -> str:
        if fits_pattern(value) is None:
            raise ValueError(value)
        return value
    return read


def one_of(words: Iterable[str]) -> Callable[[str], str]:
    known = frozenset(words)

    def read(value: str) -> str:
        if value not in known:
            raise ValueError(value)
        return value
    return read


def degrees(limit: float) -> Callable[[str], float]:
    def read(value: str) -> float:
        number = float(value) if len(value) <= 32 and value.isascii() else math.nan
        if not -limit <= number <= limit:
            raise ValueError(value)
        return number
    return read


def read_switch(value: str) -> bool:
    words = {"true": True, "false": False}
    if value.lower() not in words:
        raise ValueError(value)
    return words[value.lower()]


def supervision(value: str) -> str:
    supervision_ms(value)
    return value


def window(value: str) -> str:
    if not read_duration_ns("1s") <= read_duration_ns(value) <= read_duration_ns("36500d"):
        raise ValueError(value)
    return value


def contacts(value: str) -> str:
    """JSON of contacts, in the one form in which they are kept."""
    found = orjson.loads(value) if len(value) <= 16_384 else None
    if not isinstance(found, list) or len(found) > CONTACTS_MAX:
        raise ValueError(value)
    part = text(0, 128)
    for contact in found:
        if not isinstance(contact, dict) or not contact or not set(contact) <= set(CONTACT_FIELDS):
            raise ValueError(value)
        if not all(isinstance(entry, str) and part(entry) == entry for entry in contact.values()):
            raise ValueError(value)
    return orjson.dumps(found).decode()


AREA_CODE = matching(r"[0-9A-Za-z_.-]{1,15}")
AREA_ALLOWED = "1 to 15 of 0-9 A-Z a-z _ . -"
FACILITY_ID = matching(r"[0-9A-Za-z_.:-]{1,36}")
FACILITY_ALLOWED = "1 to 36 of 0-9 A-Z a-z _ . : -"
LABEL = matching(r"[0-9A-Za-z_.-]{0,31}")
LABEL_ALLOWED = "at most 31 of 0-9 A-Z a-z _ . -"


def text_allowed(low: int, high: int) -> str:
    return f"{f'{low} to' if low else 'at most'} {high} bytes of text without control characters"


AREAS = Kind("areas", "area", (
    Column("code", AREA_CODE, AREA_ALLOWED, needed=True),
    Column("parent", AREA_CODE, "empty or the code of another area", default=None),
    Column("kind", matching(r"[a-z][a-z_]{0,31}"), "1 to 32 of a-z _, such as province or commune", needed=True),
    Column("name", text(1, 96), text_allowed(1, 96), needed=True)), ("code",))

FACILITIES = Kind("facilities", "facility", (
    Column("id", FACILITY_ID, FACILITY_ALLOWED, needed=True),
    Column("name", text(1, 96), text_allowed(1, 96), needed=True),
    Column("address", text(0, 400), text_allowed(0, 400)),
    Column("latitude", degrees(90), "degrees from -90 to 90, such as 18.6734", "double precision", default=None),
    Column("longitude", degrees(180), "degrees from -180 to 180, such as 105.6813", "double precision", default=None),
    Column("kind", one_of(KIND_TEXT.values()), f"one of {', '.join(KIND_TEXT.values())}", default="other"),
    Column("province", AREA_CODE, "empty or the code of a province"),
    Column("commune", AREA_CODE, "empty or the code of a commune"),
    Column("team", LABEL, LABEL_ALLOWED),
    Column("verification", one_of(WAYS), f"one of {', '.join(WAYS)}", default="rules"),
    Column("contacts", contacts, CONTACT_ALLOWED, "jsonb", default="[]")), ("id",))

TRANSMITTERS = Kind("transmitters", "transmitter", (
    Column("transmitter", read_account, ACCOUNT_ALLOWED, needed=True, field="key"),
    Column("facility", FACILITY_ID, "empty or the id of a facility", default=None),
    Column("supervision", supervision, f"empty, {SUPERVISION_ALLOWED}"),
    Column("network", LABEL, LABEL_ALLOWED),
    Column("window_past", window, 'empty or a duration from "1s" to "36500d"'),
    Column("window_future", window, 'empty or a duration from "1s" to "36500d"'),
    Column("check_clear_stamps", read_switch, "true or false", "boolean", default=False),
    Column("encrypted_only", read_switch, "true or false", "boolean", default=False),
    Column("stale", one_of(("late", "reject")), "late or reject", default="late"),
    Column("note", text(0, 400), text_allowed(0, 400)),
    Column("key", read_key, KEY_ALLOWED, secret=True, default=b"")), ("key",))

POINTS = Kind("points", "point", (
    Column("transmitter", read_account, ACCOUNT_ALLOWED, needed=True),
    Column("point", text(1, 64), text_allowed(1, 64), needed=True),
    Column("condition", one_of(CONDITION_TEXT.values()), f"one of {', '.join(CONDITION_TEXT.values())}"),
    Column("zone", text(0, 31), text_allowed(0, 31)),
    Column("place", text(0, 200), text_allowed(0, 200))), ("transmitter", "point"))

KINDS = {kind.name: kind for kind in (AREAS, FACILITIES, TRANSMITTERS, POINTS)}     # in the order of what hangs on what


@dataclass(frozen=True, slots=True)
class Record:
    """A row that may stand in the registry. given: bit n = stored column n was given. key: of a transmitter, or b""."""

    values: tuple[Any, ...]
    given: int
    key: bytes = b""


class Reader:
    """Reads rows of one kind; made once for many."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.known = {column.name: column for column in kind.columns}
        self._stored = [(1 << bit, column) for bit, column in enumerate(kind.stored)]
        self._secret = next((column for column in kind.columns if column.secret), None)

    def read(self, row: Mapping[str, str]) -> Record:
        """Return a row as the database takes it; what is not in it gets its default. Raises BadField."""
        if not row.keys() <= self.known.keys():
            unknown = min(row.keys() - self.known.keys())
            raise BadField(unknown[:SHOWN_CHARACTERS], None, f"no such field; allowed are {', '.join(self.known)}")
        values, given = [], 0
        for bit, column in self._stored:
            cell = row.get(column.name)
            if cell is not None:
                given |= bit
            values.append(self._value(column, cell))
        key = self._value(self._secret, row.get("key")) if self._secret else b""
        record = Record(tuple(values), given, key)
        if key:
            check_key(record.values[0], key)
        return record

    def _value(self, column: Column, cell: str | None) -> Any:
        if not cell:
            if column.needed:
                raise BadField(column.name, None, f"needed is {column.allowed}")
            return column.default
        try:
            return column.read(cell)
        except ValueError:
            raise BadField(column.name, None if column.secret else cell,
                           f"{'not shown; ' if column.secret else ''}allowed is {column.allowed}") from None


def check_key(transmitter: str, key: bytes) -> None:
    """Raise BadField unless a key is one that the transmitter's protocol has."""
    if transmitter.startswith("tocsin:") and not fits(Transmitter(account=transmitter, key=key)):
        raise BadField("key", None, "not shown; allowed with tocsin: is a key of 32 bytes (64 hex digits) and an "
                                    "account that is a key id, 1 to 16777215")


def text_of(value: object) -> str:
    """Return a value of JSON as the text that a file would have. Raises ValueError on what no column takes."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return orjson.dumps(value).decode()


def texts_of(given: Mapping[str, object], kind: Kind) -> dict[str, str]:
    """Return a JSON object as a row of texts. Raises BadField."""
    row = {}
    nested = {column.name for column in kind.columns if column.type == "jsonb"}
    for name, value in given.items():
        try:
            if isinstance(value, list | dict) and name not in nested:
                raise ValueError(name)
            row[name] = text_of(value)
        except (ValueError, TypeError, RecursionError):
            raise BadField(name[:SHOWN_CHARACTERS], None, "no value that a field may have") from None
    return row


def shown(value: object) -> str:
    """Return a value as an error may show it: on one line, short, and never what could be a key."""
    if not isinstance(value, str):
        return ""
    if LIKE_A_KEY.fullmatch(value):
        return HIDDEN
    cut = value if len(value) <= SHOWN_CHARACTERS else value[:SHOWN_CHARACTERS - 3] + "..."
    return orjson.dumps(cut.encode("utf-8", "replace").decode()).decode()


def kind_of(columns: Iterable[str]) -> Kind | None:
    """Tell the kind of rows by the names of its columns; None where they are of none, or of several."""
    names = set(columns)
    if "point" in names:
        return POINTS if "transmitter" in names else None
    if "transmitter" in names:
        return TRANSMITTERS
    found = [kind for kind in (AREAS, FACILITIES) if {one.name for one in kind.columns if one.needed} <= names]
    return found[0] if len(found) == 1 else None
