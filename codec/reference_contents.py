"""What stands in the data of ADM-CID and SIA-DCS, in plain Python, from the specifications in dc05.pyx and dc03.pyx."""
import re
from functools import cache
from typing import Any

from codec.codes.lookup import read_table
from codec.reference_details import MODIFIERS
from codec.words import CLASS_TEXT, CONDITION_TEXT, STATE_TEXT

HEX = b"[0-9A-Fa-f]"

Fields = dict[str, Any]


@cache
def table(name: str) -> dict[str, tuple[int, int, int]]:
    return read_table(name)


def meaning_of_sia(code: str) -> tuple[tuple[int, int, int], bool]:
    known = table("sia.tsv").get(code)
    return (known, True) if known else (family(code[0] in "FKS", code[0] == "G"), False)


def family(fire: bool, gas: bool = False) -> tuple[int, int, int]:
    words = ("fire", "raised") if fire else ("gas", "raised") if gas else ("info", "info")
    return number(CLASS_TEXT, words[0]), 0, number(STATE_TEXT, words[1])


def number(texts: dict[int, str], text: str) -> int:
    return next(key for key, value in texts.items() if value == text)


def meaning_of_contact_id(qualifier: str, code: str) -> tuple[tuple[int, int, int], bool]:
    entry = table("contact_id.tsv").get(code.upper())
    meaning, known = (entry, True) if entry else (family(code.startswith("11")), False)
    signal_class, condition, state = meaning
    if qualifier == "3" and state == number(STATE_TEXT, "raised"):
        state = number(STATE_TEXT, "cleared")
    elif qualifier == "3" and CONDITION_TEXT[condition] == "opening":
        condition = number(CONDITION_TEXT, "closing")
    return (signal_class, condition, state), known and qualifier in "136"


def event(native: bytes, area: bytes, address: bytes, meaning: tuple[int, int, int], known: bool,
          old: bool = False) -> Fields:
    return {"native": native, "area": area if area.strip(b"0") else b"", "address": address, "meaning": meaning,
            "modifiers": [], "flags": ["unknown_code"] * (not known) + ["old"] * old}


def without_message_type(block: bytes) -> bytes:
    """Return what stands behind account and message type where a block has the form of the telephone line."""
    behind = re.match(rb"[19]8 +(?=%b{4})" % HEX, block)
    if behind:
        return block[behind.end():] if len(block) >= 8 else block
    digits = block.replace(b" ", b"")
    glued = re.match(rb".{4} ?[19]8", block, re.DOTALL)
    if not glued or not re.fullmatch(rb"%b{4}[19]8%b{10}" % (HEX, HEX), digits):
        return block
    if sum(int(chr(digit), 16) or 10 for digit in digits) % 15:
        return block
    places = [at for at, byte in enumerate(block) if byte != 0x20]
    return block[places[6]:places[15]]


def contact_id(rest: bytes) -> tuple[list[Fields], bool]:
    """Find the events of an ADM-CID field; the second result says that something there was none."""
    events: list[Fields] = []
    unread = False
    at = 0
    for block in rest.split(b"|"):
        start = at + len(block) - len(block.lstrip(b" "))
        at += len(block) + 1
        block = block.lstrip(b" ")
        line = without_message_type(block)
        found = re.match(rb"(%b)(%b{3}) *(%b*)" % (HEX, HEX, HEX), line)
        if found:
            group, behind = found[3], line[found.end():]
            if len(group) > 4:
                group, behind = group[:2], group[2:] + behind
            zone = re.match(rb" *(%b*)" % HEX, behind)
            meaning, known = meaning_of_contact_id(found[1].decode(), found[2].decode())
            events.append(event(block.rstrip(b" "), group, zone[1] if zone else b"", meaning, known) | {"start": start})
        elif block and events:
            events[-1]["native"] = rest[events[-1]["start"]:start + len(block)]
        elif block:
            unread = True
    return events, unread


class SiaField:
    """The items of one SIA-DCS field."""

    def __init__(self, rest: bytes) -> None:
        self.rest, self.at, self.area, self.old, self.barred = rest, 0, b"", False, False
        self.marked = False
        self.modifiers: list[tuple[str, bytes]] = []
        self.events: list[Fields] = []
        self.unread = False

    def here(self, pattern: bytes, at: int | None = None) -> re.Match[bytes] | None:
        return re.compile(pattern, re.DOTALL).match(self.rest, self.at if at is None else at)

    def past(self, pattern: bytes, at: int) -> int:
        """Where a pattern ends that also matches nothing."""
        found = self.here(pattern, at)
        assert found is not None
        return found.end()

    def is_code(self, at: int) -> bool:
        found = self.here(rb"[A-Z]{2}", at)
        return found is not None and found[0].decode() in table("sia.tsv")

    def is_clear_code(self, at: int) -> bool:
        return self.is_code(at) and bool(self.here(rb"[0-9/|]|\Z", at + 2))

    def is_mark(self) -> bool:
        if not self.here(rb"[NO]"):
            return False
        if self.here(rb".(?:[a-z/| ]|\Z)"):
            return True
        glued = bool(self.here(rb".[A-Z]{2}"))
        return glued and (not self.marked or self.is_code(self.at + 1) or not self.is_code(self.at))

    def belongs_before(self, end: int) -> None:
        if self.events:
            self.events[-1]["native"] = self.rest[self.events[-1]["start"]:end]
        else:
            self.unread = True
        self.at = end

    def item_end(self, at: int) -> int:
        return self.past(rb"(?:\^[^^]*\^|[^/|])*", at)

    def modifier(self) -> None:
        name, at = self.rest[self.at:self.at + 2], self.at + 2
        end = self.past(rb"[0-9:.,\-]*", at)
        run = self.here(rb"[0-9A-F]+(?=[/|]|\Z)", end)
        if run and run.end() - at <= 4 and (end == at or not self.is_code(end)):
            end = run.end()
        if name == b"ri":
            self.area = self.rest[at:end]
        elif name.decode() in MODIFIERS and end > at:
            self.modifiers.append((name.decode(), self.rest[at:end]))
        self.at = end

    def event(self) -> None:
        start = self.at
        code = self.rest[start:start + 2].decode()
        hexadecimal = self.here(rb"[0-9A-F]{0,4}(?![0-9A-Za-z])", start + 2)
        behind = hexadecimal.end() if hexadecimal else self.past(rb"[0-9]*", start + 2)
        text = self.here(rb"\^[^^]*\^", behind)
        end = text.end() if text else behind
        if not self.is_clear_code(end):
            end = self.item_end(end)
        meaning, known = meaning_of_sia(code)
        native = self.rest[start:end].rstrip(b" ")
        self.events.append(event(native, self.area, self.rest[start + 2:behind], meaning, known, self.old)
                           | {"start": start, "code": code, "modifiers": self.modifiers[:]})
        self.at = end

    def read(self) -> None:
        while self.at < len(self.rest):
            barred, self.barred = self.barred, False
            if separator := self.here(rb"[/|]"):
                self.barred = separator[0] == b"|"
                self.at += 1
            elif self.here(b" "):
                self.barred = barred
                self.at += 1
            elif barred and self.events and self.here(b"A") and not self.is_clear_code(self.at):
                self.belongs_before(self.past(rb"[^|]*", self.at))
            elif self.here(rb"[a-z]{2}"):
                self.modifier()
            elif self.is_mark():
                self.old, self.marked = self.here(b"O") is not None, True
                self.at += 1
            elif self.here(rb"[A-Z]{2}"):
                self.event()
            else:
                self.belongs_before(self.item_end(self.at))


def sia(rest: bytes) -> tuple[list[Fields], bool]:
    """Find the events of a SIA-DCS field; as `contact_id`, but nothing where they are only a heartbeat."""
    field = SiaField(rest)
    field.read()
    if all(found["code"] == "RP" and not found["area"] and re.fullmatch(rb"0+", found["address"])
           for found in field.events) and field.events:
        return [], False
    return field.events, field.unread
