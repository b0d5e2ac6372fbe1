"""DC-09 in plain Python, from the same specification (dc09.pyx, dc03.pyx, dc05.pyx): the oracle of the tests.

Slow and short on purpose: regular expressions over whole bodies instead of cursors. Never imported by the engine.
"""
import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from codec.codes.lookup import read_table
from codec.reference_details import EPOCH, MODIFIERS, stamp, text_of, write
from codec.words import CLASS_TEXT, CONDITION_TEXT, STATE_TEXT

HEARTBEATS = {b"NULL", b"XNM"}
REPLIES = {b"ACK", b"NAK", b"DUH", b"RSP"}
EVENTS = {b"SIA-DCS", b"ADM-CID"}
OTHER_DATA = {b"SIA-PUL", b"ACR-SF", b"ADM-41E", b"ADM-42E", b"ADM-HS", b"DSC-43", b"FBI-SF", b"ITI-I", b"SCN-S8",
              b"SCN-S16", b"SCN-S24", b"SCT", b"SES-SS", b"SIA-S2K", b"SK-FSK1", b"SK-FSK2"}
HEX = b"[0-9A-Fa-f]"
PREAMBLES = (re.compile(rb"\n(?P<crc>%b{4})0(?P<length>%b{3})(?=\")" % (HEX, HEX)),
             re.compile(rb"\n(?P<crc>[\x00-\xff]{2})0(?P<length>%b{3})(?=\")" % HEX))
ACCOUNT = rb'[0-9A-Za-z._+*-]{3,16}'
HEADER = re.compile(rb'"(?P<star>\*?+)(?P<token>[^"]{1,16})"(?P<sequence>[0-9]{4})(?P<rest>[^[]*)\[', re.DOTALL)
NUMBERS = re.compile(rb"(?:R(?P<R>%b{0,6}))?(?:L(?P<L>%b{0,6}))?(?:#(?P<account>%b)?)?" % (HEX, HEX, ACCOUNT))
TRIGGERS = {b"F": ("fire", "fire"), b"M": ("fire", "manual_call_point"), b"G": ("gas", "gas"),
            b"W": ("supervisory", "water_leak")}
EXTENDED = re.compile(rb"[^]]*(?:\](?![\[_]|\Z)[^]]*)*\](?=[\[_]|\Z)", re.DOTALL)

Fields = dict[str, Any]


class Bad(Exception):
    """The bytes are at fault; the argument is the status."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of the transmitter; the fields of Profile in frame.pxd."""
    key: bytes | None = None
    window: tuple[int, int] = (40, 20)
    encrypted_only: bool = False
    check_clear_stamps: bool = False
    reject_stale: bool = False
    clock: str | None = None


@cache
def table(name: str) -> dict[str, tuple[int, int, int]]:
    return read_table(name)


def checksum(data: bytes) -> int:
    """CRC-16/ARC, bit by bit."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


# ---- framing ---------------------------------------------------------------------------------------------------

def preamble(data: bytes) -> re.Match[bytes] | None:
    return PREAMBLES[0].match(data) or PREAMBLES[1].match(data)


def may_become_preamble(data: bytes) -> bool:
    """Whether bytes could be added to `data` so that a preamble stands there."""
    samples = (b"\n00000000\"", b"\n000000\"")
    return any(len(data) < len(sample) and pattern.match(data + sample[len(data):])
               for pattern, sample in zip(PREAMBLES, samples, strict=True))


def split(data: bytes) -> tuple[bytes, int, bool]:
    """Return body, size and whether the checksum is binary, of the frame at the beginning. Raises Bad."""
    head = preamble(data)
    if head is None:
        raise Bad("need_data" if may_become_preamble(data) else "start")
    length, at = int(head["length"], 16), head.end()
    if length < 9:
        raise Bad("length")
    inside = data[at:at + length]
    if any(preamble(inside[found.start():]) for found in re.finditer(b"\n", inside)):
        raise Bad("length")
    if len(inside) < length:
        raise Bad("need_data")
    after = data[at + length:at + length + 1]
    binary = len(head["crc"]) == 2
    sent = int.from_bytes(head["crc"], "big") if binary else int(head["crc"], 16)
    if inside.endswith(b"\r"):
        candidates, size, inside = [inside], at + length, inside[:-1]
    elif not after:
        raise Bad("need_data")
    elif after == b"\r":
        candidates, size = [inside, inside + b"\r"], at + length + 1
    else:
        raise Bad("length")
    if sent not in map(checksum, candidates):
        raise Bad("checksum")
    return inside, size, binary


# ---- header ----------------------------------------------------------------------------------------------------

def shown(seconds: int | None) -> str | None:
    return None if seconds is None else (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def take_bracket(text: bytes) -> tuple[bytes, bytes] | None:
    """Part `text` at its closing bracket into what stands before and behind it."""
    found = EXTENDED.match(text)
    end = found.end() - 1 if found else text.rfind(b"]")
    return None if end < 0 else (text[:end], text[end + 1:])


def content(data: bytes) -> tuple[bytes | None, bytes]:
    """Part a data field into the account inside it, or None, and the rest."""
    if data.startswith(b"#"):
        found = re.match(rb"#(%b)(?:\||\Z)" % ACCOUNT, data)
    elif data[:1] in (b"N", b"O"):
        found = None
    elif data.startswith(b"|"):
        return None, data[1:]
    else:
        found = re.match(rb"([0-9A-Za-z]{3,16})\|(?=[0-9NO]|\Z)", data)
    return (found[1], data[found.end():]) if found else (None, data)


def read_header(body: bytes) -> Fields:
    """Read a body into its parts. Raises Bad."""
    head = HEADER.match(body)
    if not head:
        raise Bad("field")
    token, encrypted = head["token"], bool(head["star"])
    numbers = NUMBERS.fullmatch(b"" if token == b"NAK" else head["rest"])
    if numbers is None:
        raise Bad("field")
    named = numbers.groupdict()
    part: Fields = {"head": body[:head.end()], "rest": body[head.end():], "token": token,
                    "encrypted": encrypted, "sequence": int(head["sequence"]),
                    "R": named.get("R") or None, "L": named.get("L") or None, "header_account": named.get("account"),
                    "network": None, "stamp": None, "occurred": None, "data": b""}
    if not encrypted:
        read_rest(part, part["rest"])
    account_bytes = part["header_account"]
    if account_bytes is None and not encrypted and token not in REPLIES:
        account_bytes = content(part["data"])[0]
    if account_bytes is None and token not in REPLIES:
        raise Bad("field")
    part["account"] = (account_bytes or b"").upper()
    return part


def read_rest(part: Fields, text: bytes) -> None:
    """Read data, extended data and stamp. Raises Bad."""
    taken = take_bracket(text)
    if taken is None:
        raise Bad("field")
    part["data"], rest = taken
    part["extended"] = []
    while rest.startswith(b"["):
        taken = take_bracket(rest[1:])
        if taken is None:
            break
        field, rest = taken
        part["extended"].append(field)
        if field[:1] == b"H" and len(field) == 20:
            part["occurred"] = stamp(field[1:])
        elif re.fullmatch(rb"[GJ][0-9]{1,6}", field):
            part["network"] = f"{int(field[1:]):0{len(field) - 1}X}".encode()
    whole: bytes = part["head"] + text
    part["identity"] = whole[:len(whole) - len(rest)]
    if rest.startswith(b"_") and len(rest) >= 20:
        part["stamp"] = stamp(rest[1:20])


def unseal(key: bytes, digits: bytes) -> tuple[bytes, int] | None:
    """Decrypt what stands behind the bracket; return the text without pad and tail, and its stamp; None for noise."""
    if not re.fullmatch(rb"(?:%b{32})+" % HEX, digits):
        return None
    decryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).decryptor()
    plain = decryptor.update(bytes.fromhex(digits.decode())) + decryptor.finalize()
    stamps = [(found.end(), stamp(found[1])) for found in re.finditer(rb"\]_(?=(.{19}))", plain, re.DOTALL)]
    sound = [(end, seconds) for end, seconds in stamps if seconds is not None]
    if not sound:
        return None
    end, seconds = sound[-1]
    behind_pad = re.search(rb"\||(?=\][\[_])", plain)
    assert behind_pad is not None
    return plain[behind_pad.end():end + 19], seconds


# ---- contents --------------------------------------------------------------------------------------------------

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


def contact_id(rest: bytes) -> tuple[list[Fields], bool]:
    """Find the events of an ADM-CID field; the second result says that something there was none."""
    events: list[Fields] = []
    unread = False
    at = 0
    for block in rest.split(b"|"):
        start = at + len(block) - len(block.lstrip(b" "))
        at += len(block) + 1
        block = block.lstrip(b" ")
        found = re.match(rb"(%b)(%b{3}) *(%b*)" % (HEX, HEX, HEX), block)
        if found:
            group, behind = found[3], block[found.end():]
            if len(group) > 4:
                group, behind = group[:2], group[2:] + behind
            zone = re.match(rb" *(%b*)" % HEX, behind)
            meaning, known = meaning_of_contact_id(found[1].decode(), found[2].decode())
            events.append(event(block, group, zone[1] if zone else b"", meaning, known) | {"start": start})
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
        if self.here(rb".(?:[a-z/|]|\Z)"):
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
        self.events.append(event(self.rest[start:end], self.area, self.rest[start + 2:behind], meaning, known, self.old)
                           | {"start": start, "code": code, "modifiers": self.modifiers[:]})
        self.at = end

    def read(self) -> None:
        while self.at < len(self.rest):
            barred, self.barred = self.barred, False
            if separator := self.here(rb"[/|]"):
                self.barred = separator[0] == b"|"
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


# ---- texts -----------------------------------------------------------------------------------------------------

def cut(text: str, bytes_max: int) -> tuple[str, bool]:
    kept = text.encode()[:bytes_max].decode("utf-8", "ignore")
    return kept, kept != text


def clean(native: bytes) -> tuple[str, list[str]]:
    """Return text without NUL, at most 512 bytes of UTF-8, and the flags cut and cleaned."""
    text, cleaned = text_of(native)
    kept, was_cut = cut(text, 512)
    return kept, ["cut"] * was_cut + ["cleaned"] * cleaned


def signal(found: Fields, flags: list[str], extended: list[bytes]) -> Fields:
    signal_class, condition, state = found["meaning"]
    area = found["area"][:63] + b"/" if found["area"] else b""
    point, was_cut = cut((area + found["address"]).decode("ascii"), 64)
    native, text_flags = clean(found["native"])
    was_cut = was_cut or len(found["area"]) > 63
    details, details_flags = write(extended, found["modifiers"])
    all_flags = {*flags, *details_flags, *text_flags, *found["flags"], *(["cut"] if was_cut else [])}
    return {"class": CLASS_TEXT[signal_class], "condition": CONDITION_TEXT[condition], "state": STATE_TEXT[state],
            "point": point, "native": native, "flags": sorted(all_flags)} | ({"details": details} if details else {})


# ---- all together ----------------------------------------------------------------------------------------------

def signals(part: Fields, flags: list[str]) -> list[Fields]:
    """The signals of a frame in clear with a data token. Raises Bad."""
    inner, rest = content(part["data"])
    events: list[Fields] = []
    if part["token"] not in EVENTS | OTHER_DATA:
        hidden = [field[:1] + b"*" * len(field[1:]) if field[:1] == b"K" else field for field in part["extended"]]
        rest = b"%b%b]%b" % (part["head"], part["data"], b"".join(b"[%b]" % field for field in hidden))
        unread = True
    elif part["token"] in EVENTS:
        events, unread = sia(rest) if part["token"] == b"SIA-DCS" else contact_id(rest)
    else:
        rest, unread = part["data"], bool(rest)
    if len(events) > 128:
        raise Bad("field")
    if not events and unread:
        events = [event(rest, b"", b"", family(False), False)]
    triggers = [field[1:] for field in [field for field in part["extended"] if field][:32] if field[:1] == b"T"]
    trigger = next((letter for letter in triggers if len(letter) == 1), b"")
    for found in events:
        if "unknown_code" in found["flags"] and trigger in TRIGGERS:
            apply_trigger(found, TRIGGERS[trigger], part["token"] == b"ADM-CID" and found["native"][:1] == b"3")
    differs = part["header_account"] is not None and inner is not None and inner.upper() != part["account"]
    old = None not in (part["stamp"], part["occurred"]) and part["stamp"] - part["occurred"] >= 120
    flags = flags + ["account_differs"] * differs + ["old"] * old
    return [signal(found, flags, part["extended"]) for found in events]


def apply_trigger(found: Fields, trigger: tuple[str, str], restore: bool) -> None:
    """Name an unknown event by the alarm trigger of its frame."""
    signal_class, condition, _ = found["meaning"]
    named = number(CLASS_TEXT, trigger[0])
    if condition == 0 and signal_class in (named, number(CLASS_TEXT, "info")):
        state = number(STATE_TEXT, "cleared" if restore else "raised")
        found["meaning"] = (named, number(CONDITION_TEXT, trigger[1]), state)


def is_stale(part: Fields, now_ns: int, profile: Profile) -> bool:
    if part["stamp"] is None or not (part["encrypted"] or profile.check_clear_stamps):
        return False
    past, future = profile.window
    return not -past <= part["stamp"] - now_ns // 10**9 <= future


def read_text(part: Fields, kind: str, now_ns: int, profile: Profile) -> tuple[str, str, list[Fields]]:
    """Return status, kind and signals of a frame in clear."""
    stale = kind != "reply" and is_stale(part, now_ns, profile)
    if kind not in ("signal", "other") or (stale and profile.reject_stale):
        return "time" if stale else "ok", kind, []
    try:
        found = signals(part, ["late"] * stale)
    except Bad as bad:
        return str(bad), kind, []
    if stale and not any(each["class"] in ("fire", "gas", "prealarm") and each["state"] != "cleared" for each in found):
        return "time", kind if found else "heartbeat", []
    return "ok", kind if found else "heartbeat", found


def read_frame(data: bytes, now_ns: int, profile: Profile) -> Fields:
    """Read the frame at the beginning of `data` into the object that codec.reading.read_frames makes. Raises Bad."""
    body, size, _ = split(data)
    part = read_header(body)
    token = part["token"]
    kind = ("heartbeat" if token in HEARTBEATS else "reply" if token in REPLIES
            else "signal" if token in EVENTS | OTHER_DATA else "other")
    status = "crypto"
    found: list[Fields] = []
    if part["encrypted"]:
        opened = None if profile.key is None else unseal(profile.key, part["rest"])
        if opened is None:
            kind = "signal" if kind == "heartbeat" else kind
        else:
            read_rest(part, opened[0])
            part["stamp"] = opened[1]
            status, kind, found = read_text(part, kind, now_ns, profile)
    elif not profile.encrypted_only or kind == "reply":
        status, kind, found = read_text(part, kind, now_ns, profile)
    return {"protocol": "dc09", "status": status, "kind": kind, "account": part["account"].decode(),
            "sequence": part["sequence"], "token": token.decode("ascii", "backslashreplace"),
            "encrypted": part["encrypted"], "receiver": digits(part["R"]), "line": digits(part["L"]),
            "network": digits(part["network"]), "timestamp": shown(part["stamp"]),
            "occurred": shown(part["occurred"]), "signals": found, "length": size}


def digits(text: bytes | None) -> str | None:
    return None if text is None else text.decode().upper()


def read_frames(data: bytes, now_ns: int = 0, profile: Profile | None = None) -> list[Fields]:
    """Read everything in `data`, whatever its formats, as codec.reading.read_frames does."""
    from codec import reference_gbt26875 as gbt26875  # they import from here
    from codec import reference_surgard as surgard
    profile = profile or Profile()
    found: list[Fields] = []
    garbage = at = 0
    while at < len(data):
        try:
            result = (gbt26875.read_frame(data[at:], now_ns, profile.clock) if data[at] == 0x40
                      else surgard.read_frame(data[at:], profile) if data[at] == 0x53
                      else read_frame(data[at:], now_ns, profile))
        except Bad as bad:
            if str(bad) == "start":
                garbage += 1
                at += 1
                continue
            following = re.compile(rb"[\n@]|S(?=R|\Z)").search(data, at + 1)
            result = {"protocol": "gbt26875" if data[at] == 0x40 else "dc09", "status": str(bad),
                      "length": (following.start() if following else len(data)) - at}
        if garbage:
            found.append({"status": "garbage", "length": garbage})
            garbage = 0
        found.append(result)
        at += result["length"]
    if garbage:
        found.append({"status": "garbage", "length": garbage})
    return found
