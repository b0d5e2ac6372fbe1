"""What a DC-09 frame says beside its events, in plain Python, from dc09_extended, details and dc09_details."""
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STAMP = re.compile(rb"(\d\d):(\d\d):(\d\d),(\d\d)-(\d\d)-(\d{4})")

KEYS = {"A": "authentication", "C": "supervision_category", "G": "network_path", "I": "alarm_text", "J": "network_path",
        "H": "time_of_occurrence", "K": "key_given", "L": "location", "M": "mac", "N": "network_address",
        "O": "building", "P": "programming", "R": "room", "S": "site", "T": "trigger", "V": "url", "X": "longitude",
        "Y": "latitude", "Z": "altitude"}
TRIGGERS = {"F": "fire", "G": "gas", "W": "water", "S": "sensor", "C": "contact", "M": "manual"}
MODIFIERS = {"da": "event_date", "ti": "event_time", "id": "user", "pi": "peripheral", "ai": "automation",
             "ph": "phone", "lv": "level", "va": "value", "pt": "path", "rg": "route_group", "ss": "sub_subscriber"}
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,2})?")
FIELDS_MAX, MODIFIERS_MAX, DEPTH_MAX, BYTES_MAX = 32, 32, 16, 4096


def stamp(text: bytes) -> int | None:
    """Seconds since 1970 of HH:MM:SS,MM-DD-YYYY, or None."""
    found = STAMP.fullmatch(text)
    if not found:
        return None
    hour, minute, second, month, day, year = map(int, found.groups())
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return (moment - EPOCH) // timedelta(seconds=1) if 1970 <= year <= 2261 else None


def windows_1252(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return "\ufffd"


def text_of(raw: bytes) -> tuple[str, bool]:
    """Return text without NUL, and whether the bytes were no such text."""
    try:
        text, cleaned = raw.decode("utf-8"), b"\0" in raw
    except UnicodeDecodeError:
        text, cleaned = "".join(map(windows_1252, raw)), True
    return text.replace("\0", "\ufffd"), cleaned


class Refused(ValueError):
    """JSON, or nearly, that is kept as text."""


def number(text: str) -> float:
    if len(text) > 32 or not NUMBER.fullmatch(text):
        raise Refused
    return 0.0


def constant(_: str) -> None:
    raise Refused


def depth(value: object) -> int:
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


def texts_in(value: object) -> list[str]:
    if isinstance(value, list):
        return [text for part in value for text in texts_in(part)]
    return [value] if isinstance(value, str) else []


def json_of(raw: bytes) -> str | None:
    """Return the text, its line breaks as blanks, when it is an array or object that is kept as JSON."""
    try:
        text = raw.decode("utf-8")
        value = json.loads(text, parse_float=number, parse_int=number, parse_constant=constant,
                           object_pairs_hook=lambda found: [part for pair in found for part in pair])
        if depth(value) > DEPTH_MAX or any("\0" in each for each in texts_in(value)):
            return None
        for each in texts_in(value):
            each.encode()
    except (ValueError, RecursionError):
        return None
    return re.sub(r"[\t\n\r]", " ", text)


def degrees(text: str, marks: str, most: int) -> str | None:
    """DDDWMM.mmm as decimal degrees with six places."""
    found = re.fullmatch(rf"([0-9]{{1,4}})([{marks}])([0-9]{{1,3}})(?:\.([0-9]*))?", text)
    if not found or int(found[3]) >= 60:
        return None
    minutes = int(found[3]) * 1000000 + int((found[4] or "").ljust(6, "0")[:6])
    millionths = int(found[1]) * 1000000 + (minutes + 30) // 60
    if millionths > most * 1000000:
        return None
    sign = "-" if found[2] == marks[1] and millionths else ""
    if found[2] == marks[1]:
        sign = "-" if millionths else ""
    return f"{sign}{millionths // 1000000}.{millionths % 1000000:06}"


def altitude(text: str) -> str | None:
    found = re.fullmatch(r"(-?(?:0|[1-9][0-9]{0,5})(?:\.[0-9]{1,6})?)[Mm]?", text)
    return found[1] if found else None


class Details:
    """The fields of one object, each taken whole or not at all."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.size, self.cut, self.cleaned = 0, False, False

    def add(self, name: str, value: str) -> None:
        part = f'"{name}":{value}'
        size = 1 + len(part.encode())
        if self.size + size > BYTES_MAX - 1:
            self.cut = True
        else:
            self.parts.append(part)
            self.size += size

    def string(self, raw: bytes) -> str:
        text, cleaned = text_of(raw)
        self.cleaned = self.cleaned or cleaned
        return '"' + "".join(f"\\{each}" if each in '"\\' else f"\\u{ord(each):04x}" if each < " " else each
                             for each in text) + '"'

    def value(self, identity: str, key: str, raw: bytes) -> str:
        if key == "altitude_m":
            return altitude(raw.decode("latin-1")) or ""
        if key == "key_given":
            return "true"
        if key == "trigger" and raw.decode("latin-1") in TRIGGERS:
            return f'"{TRIGGERS[raw.decode()]}"'
        return (json_of(raw) if key == "json" else None) or self.string(raw)

    def values(self, identity: str, key: str, raws: list[bytes]) -> str:
        if len(raws) == 1 or key == "key_given":
            return self.value(identity, key, raws[0])
        return "[" + ",".join(self.value(identity, key, raw) for raw in raws) + "]"


def key_of(identity: str, raw: bytes) -> str | None:
    if identity == "H" and stamp(raw) is not None:
        return None
    if identity == "J" and raw[:1] in (b"{", b"["):
        return "json"
    if identity == "Z" and altitude(raw.decode("latin-1")):
        return "altitude_m"
    return KEYS.get(identity, "other " + identity)


def grouped(fields: list[bytes]) -> dict[tuple[str, str], list[bytes]]:
    """The texts of all fields with one key, by id of the first and key, in the order sent."""
    groups: dict[str, tuple[str, list[bytes]]] = {}
    for field in fields:
        named = b" " < field[:1] < b"\x7f"
        identity, raw = (chr(field[0]), field[1:]) if named else ("?", field)
        key = key_of(identity, raw)
        if key is not None:
            groups.setdefault(key, (identity, []))[1].append(raw)
    return {(identity, key): raws for key, (identity, raws) in groups.items()}


def write(fields: list[bytes], modifiers: list[tuple[str, bytes]]) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the details of a row, or None, and the flags cut and cleaned.

    fields     the extended data of its frame, without brackets
    modifiers  those that stood before its event, in their order
    """
    details = Details()
    sent = [field for field in fields if field]
    details.cut = len(sent) > FIELDS_MAX or len(modifiers) > MODIFIERS_MAX
    others = []
    for (identity, key), raws in grouped(sent[:FIELDS_MAX]).items():
        if key.startswith("other"):
            others.append(f"{details.string(identity.encode())}:{details.values(identity, key, raws)}")
            continue
        details.add(key, details.values(identity, key, raws))
        text = raws[0].decode("latin-1")
        position = (degrees(text, "EW", 180) if identity == "X" else degrees(text, "NS", 90) if identity == "Y"
                    else None)
        if position is not None:
            details.add(f"{key}_degrees", position)
    if others:
        details.add("other", "{" + ",".join(others) + "}")
    last = dict(modifiers[:MODIFIERS_MAX])
    for name, key in MODIFIERS.items():
        if name in last:
            details.add(key, details.string(last[name]))
    found = json.loads("{" + ",".join(details.parts) + "}") if details.parts else None
    return found, ["cut"] * details.cut + ["cleaned"] * details.cleaned
