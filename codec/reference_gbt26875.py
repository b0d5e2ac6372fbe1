"""GB/T 26875.3-2011 in plain Python, from the same specification as gbt26875*.pyx: the oracle of the tests.

Slow and short on purpose: slices, struct and datetime instead of cursors. Never imported by the engine.
"""
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any

from codec.codes.lookup import read_table
from codec.reference_shared import Bad, cut, shown
from codec.words import CLASS_TEXT, CONDITION_TEXT, STATE_TEXT

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CHINA = timezone(timedelta(hours=8))
COMMANDS = {1: "control", 2: "send", 3: "confirm", 4: "request", 5: "answer", 6: "deny"}
SEND, ANSWER = 2, 5
VENDOR_RESTORES = (134, 135, 136)
# type: bytes of an object, bytes that hold its value, whether a time tag follows, bytes that make its point
SHAPES = {1: (4, 4, True, 2), 2: (40, 9, True, 7), 3: (10, 10, True, 7), 4: (4, 4, True, 2), 5: (4, 4, False, 2),
          7: (38, 8, False, 7), 21: (1, 1, True, 0), 24: (2, 2, True, 0), 25: (2, 2, False, 0)}
ANALOG = {1: ("count", 0, ""), 2: ("height", 2, " m"), 3: ("temperature", 1, " C"), 4: ("pressure", 1, " MPa"),
          5: ("pressure", 1, " kPa"), 6: ("gas", 1, " %LEL"), 7: ("time", 0, " s"), 8: ("voltage", 1, " V"),
          9: ("current", 1, " A"), 10: ("flow", 1, " L/s"), 11: ("air", 1, " m3/min"), 12: ("wind", 0, " m/s")}
INFO = ("info", "info", "info")
UNKNOWN = ("info", "unknown", "info")

Fields = dict[str, Any]


@cache
def meanings() -> dict[tuple[int, int, int], tuple[str, str, str]]:
    """The table of bits as {(type, subject, bit): (class, condition, state)}."""
    found = {}
    for code, (signal_class, condition, state) in read_table("gbt26875.tsv").items():
        data_type, subjects, bit = code.split(":")
        first, _, last = ("0-255" if subjects == "*" else subjects).partition("-")
        for subject in range(int(first), int(last or first) + 1):
            found[int(data_type), subject, int(bit)] = (
                CLASS_TEXT[signal_class], CONDITION_TEXT[condition], STATE_TEXT[state])
    return found


# ---- framing ---------------------------------------------------------------------------------------------------

def sound(data: bytes) -> int:
    """The size of the sound frame at the beginning of `data`, whatever stands inside it; 0 when there is none."""
    if len(data) < 30 or data[:2] != b"@@":
        return 0
    size = int.from_bytes(data[24:26], "little") + 30
    good = (size <= 1054 and len(data) >= size and data[size - 2:size] == b"##"
            and sum(data[2:size - 3]) & 0xFF == data[size - 3])
    return size if good else 0


def split(data: bytes) -> bytes:
    """Return the frame at the beginning. Raises Bad."""
    if data[1:2] not in (b"", b"@"):
        raise Bad("start")
    if len(data) < 27:
        raise Bad("need_data")
    size = int.from_bytes(data[24:26], "little") + 30
    claimed = data[:size]
    if size > 1054:
        raise Bad("length")
    holds_frame = any(sound(claimed[at:]) for at in range(1, len(claimed)))
    if len(data) < size:
        raise Bad("length" if holds_frame else "need_data")
    if claimed[-2:] != b"##":
        raise Bad("length")
    if not sound(claimed):
        raise Bad("checksum")
    if holds_frame:
        raise Bad("length")
    return claimed


# ---- times and texts -------------------------------------------------------------------------------------------

def binary(tag: bytes) -> int | None:
    """Seconds since 1970 of a tag in plain binary, or None."""
    second, minute, hour, day, month, year = tag
    try:
        if year > 99:
            return None
        moment = datetime(2000 + year, month, day, hour, minute, second, tzinfo=CHINA)
    except ValueError:
        return None
    return (moment - EPOCH) // timedelta(seconds=1)


def bcd(tag: bytes) -> int | None:
    return binary(bytes(map(int, tag.hex(" ").split()))) if tag.hex().isdecimal() else None


def stamp(tag: bytes, now_ns: int, clock: str | None = None) -> tuple[int | None, bool]:
    """The header's time, and whether its tags are BCD; `clock` says "bcd" or "binary" where that is known."""
    plain, coded = binary(tag), bcd(tag)
    if plain is None or coded is None:
        return (coded if plain is None else plain), plain is None and coded is not None
    if clock is not None:
        return (coded, True) if clock == "bcd" else (plain, False)
    nearer = abs(coded * 10**9 - now_ns) < abs(plain * 10**9 - now_ns)
    return (coded, True) if nearer else (plain, False)


def text(field: bytes, room: int) -> tuple[str, list[str]]:
    """A GB 18030 field as at most `room` bytes of UTF-8, and the flags cleaned and cut."""
    field = field.rstrip(b"\0 ")
    whole, _, behind = field.partition(b"\0")
    if any(byte < 0x20 and byte not in b"\t\n\r" or byte == 0x7F for byte in whole):
        return "", ["cleaned"]
    flags = ["cleaned"] if behind else []
    characters = []
    while whole:
        for step in (1, 2, 4):
            try:
                characters.append(whole[:step].decode("gb18030"))
                break
            except UnicodeDecodeError:
                continue
        else:
            step = 1
            characters.append("\ufffd")
        whole = whole[step:]
    kept, was_cut = cut("".join(characters), room)
    if "\ufffd" in kept or was_cut and "\ufffd" in "".join(characters)[:len(kept) + 1]:
        flags = ["cleaned"]
    return kept, flags + ["cut"] * was_cut


# ---- objects ---------------------------------------------------------------------------------------------------

def point(head: bytes) -> str:
    parts = [str(byte) for byte in head[:2]] or ["transmitter"]
    if len(head) == 7:
        parts.append(f"{head[2]}-{head[3:].hex()}")
    return "/".join(parts)


def signal(where: str, native: str, meaning: tuple[str, str, str], flags: list[str]) -> Fields:
    signal_class, condition, state = meaning
    return {"class": signal_class, "condition": condition, "state": state, "point": where, "native": native,
            "flags": sorted(set(flags))}


def bits(data_type: int, subject: int, word: int, names: range) -> Iterator[tuple[tuple[str, str, str], list[str]]]:
    """What each bit of `names` that is set in `word` means, with its flags."""
    for bit in names:
        if word >> bit & 1:
            meaning = meanings().get((data_type, subject, bit))
            yield meaning or UNKNOWN, [] if meaning else ["unknown_code"]


def level(data_type: int, subject: int, word: int, where: str, native: str, flags: list[str]) -> Fields:
    """A status word, what it is about, and the signals of the bits that are set in it."""
    return {"level": {"point": where, "word": word}, "subject": subject, "native": native, "signals": [
        signal(where, native, (meaning[0], meaning[1], "raised"), flags + more)
        for meaning, more in bits(data_type, subject, word, range(1, 16))]}


def analog(kind: int, value: int) -> str:
    name, decimals, unit = ANALOG.get(kind, (f"analog {kind}", 0, ""))
    return f"{name} {value / 10**decimals:.{decimals}f}{unit}"


def read_object(data_type: int, body: bytes) -> Fields:
    """Read one object without its tag into {"signals": [...]}, with its "level" where it is a status word."""
    head = SHAPES[data_type][3]
    where, rest = point(body[:head]), body[head:]
    if data_type == 21:
        return level(21, 0, rest[0], where, f"status 0x{rest[0]:02x}", [])
    if data_type in (1, 2):
        word = int.from_bytes(rest[:2], "little")
        native = f"status 0x{word:04x}"
        flags: list[str] = []
        if len(rest) > 3:
            words, flags = text(rest[2:], 512)
            native += " " * bool(words) + words
        return level(data_type, body[0 if data_type == 1 else 2], word, where, native, flags)
    if data_type == 3:
        kind, value = struct.unpack("<Bh", rest)
        return {"signals": [signal(where, analog(kind, value), INFO, [])]}
    if data_type in (4, 24):
        native = f"operation 0x{rest[0]:02x} operator {rest[1]}"
        found = list(bits(data_type, 0, rest[0], range(8))) or [(UNKNOWN, [])]
        return {"signals": [signal(f"{where}/operation", native, meaning, flags) for meaning, flags in found]}
    if data_type == 7:
        return {"signals": [configuration(where, rest, [])]}
    return {"signals": [signal(where, f"version {rest[0]}.{rest[1]}", INFO, [])]}


def configuration(where: str, field: bytes, flags: list[str]) -> Fields:
    words, more = text(field, 512 - len("configuration "))
    return signal(where, "configuration" + " " * bool(words) + words, INFO, flags + more)


def unread(prefix: str, rest: bytes, meaning: tuple[str, str, str] = UNKNOWN) -> Fields:
    shown_bytes = (512 - len(prefix)) // 2
    flags = ["unknown_code"] + ["cut"] * (len(rest) > shown_bytes)
    return {"signals": [signal("", prefix + rest[:shown_bytes].hex(), meaning, flags)]}


def steps(data_type: int, size: int, count: int) -> tuple[int, int]:
    """How many bytes an object takes, with its tag, and how many of them are its body."""
    body, _, tagged, _ = SHAPES[data_type]
    candidates = [(body + 6, body), (body, body)]
    if data_type == 2:
        candidates += [(9, 9), (15, 9), (16, 10)]
    standard = candidates[0] if tagged else candidates[1]
    return next((found for found in candidates if count and size == count * found[0]), standard)


def objects(data_type: int, count: int, rest: bytes) -> Iterator[tuple[Fields, bytes]]:
    """Each object with its tag, or with nothing where it has none."""
    prefix = f"type {data_type} count {count} unread "
    if data_type in (6, 26):
        head = 3 if data_type == 6 else 1
        number = 0
        while len(rest) >= head and (not count or number < count):
            size, field = rest[head - 1], rest[head:head + rest[head - 1]]
            yield {"signals": [configuration(point(rest[:head - 1]), field, ["cut"] * (len(field) < size))]}, b""
            rest = rest[head + size:]
            number += 1
    elif data_type in SHAPES:
        whole, least, _, _ = SHAPES[data_type]
        step, body = steps(data_type, len(rest), count)
        number = len(rest) // step
        if len(rest) % step and count:
            number = min(count, number)
        for _ in range(number):
            yield read_object(data_type, rest[:body]), rest[body:step]
            rest = rest[step:]
        if (number < count or number == 0) and len(rest) >= least:
            yield read_object(data_type, rest[:whole]), b""
            return
    if rest:
        yield unread(prefix, rest, ("info", "reset", "info") if data_type in VENDOR_RESTORES else UNKNOWN), b""


# ---- all together ----------------------------------------------------------------------------------------------

def is_heartbeat(command: int, data: bytes) -> bool:
    if command in (SEND, ANSWER):
        return len(data) <= 2 or (data[0], len(data)) in ((28, 8), (8, 10), (190, 3))
    return command not in (1, 3, 4, 6) and (len(data) <= 1 or command == 0xFE)


def occurred(tag: bytes, header: int | None, coded: bool) -> int | None:
    readings = [bcd(tag), binary(tag)] if coded else [binary(tag), bcd(tag)] if tag else []
    return next((reading for reading in readings if reading is not None), header)


def read_frame(data: bytes, now_ns: int, clock: str | None = None) -> Fields:
    """Read the frame at the beginning of `data` into the object that codec.reading.read_frames makes. Raises Bad."""
    frame = split(data)
    command, content = frame[26], frame[27:-3]
    header, coded = stamp(frame[6:12], now_ns, clock)
    found: list[tuple[Fields, bytes]] = []
    if command in (3, 6):
        kind = "reply"
    elif is_heartbeat(command, content):
        kind = "heartbeat"
    elif command in (SEND, ANSWER):
        kind, found = "signal", list(objects(content[0], content[1], content[2:]))
    else:
        kind = "other"
        if command not in (1, 4):
            found = [(unread(f"command {command} unread ", content), b"")]
    rows = sum(1 if "level" in each else len(each["signals"]) for each, _ in found)
    times = [occurred(tag, header, coded) if tag else header for _, tag in found] if rows <= 128 else []
    found = found if rows <= 128 else []
    for (each, _), moment in zip(found, times, strict=True):
        if header is not None and moment is not None and header - moment >= 120:
            for row in each["signals"]:
                row["flags"] = sorted({*row["flags"], "old"})
    first = [each["signals"][:1] if "level" in each else each["signals"] for each, _ in found]
    other = [each["signals"][1:] for each, _ in found if "level" in each]
    return {"protocol": "gbt26875", "status": "ok" if rows <= 128 else "field", "kind": kind,
            "account": str(int.from_bytes(frame[12:18], "little")), "sequence": int.from_bytes(frame[2:4], "little"),
            "token": COMMANDS.get(command, str(command)), "encrypted": False, "receiver": None, "line": None,
            "network": None, "timestamp": shown(header),
            "occurred": shown(times[0]) if times and times[0] != header else None,
            "signals": [each for part in first + other for each in part],
            "length": len(frame), "levels": [each["level"] for each, _ in found if "level" in each]}
