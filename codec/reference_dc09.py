"""DC-09 in plain Python, from the same specification (dc09.pyx, dc03.pyx, dc05.pyx): the oracle of the tests.

Slow and short on purpose: regular expressions over whole bodies instead of cursors. Never imported by the engine.
"""
import re

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from codec.reference_contents import HEX, Fields, contact_id, event, family, number, sia
from codec.reference_details import stamp, write
from codec.reference_shared import Bad, Profile, checksum, clean, cut, shown
from codec.words import CLASS_TEXT, CONDITION_TEXT, STATE_TEXT

HEARTBEATS = {b"NULL", b"XNM"}
REPLIES = {b"ACK", b"NAK", b"DUH", b"RSP"}
EVENTS = {b"SIA-DCS", b"ADM-CID"}
OTHER_DATA = {b"SIA-PUL", b"ACR-SF", b"ADM-41E", b"ADM-42E", b"ADM-HS", b"DSC-43", b"FBI-SF", b"ITI-I", b"SCN-S8",
              b"SCN-S16", b"SCN-S24", b"SCT", b"SES-SS", b"SIA-S2K", b"SK-FSK1", b"SK-FSK2"}
PREAMBLES = (re.compile(rb"\n(?P<crc>%b{4})0(?P<length>%b{3})(?=\")" % (HEX, HEX)),
             re.compile(rb"\n(?P<crc>[\x00-\xff]{2})0(?P<length>%b{3})(?=\")" % HEX))
ACCOUNT = rb'[0-9A-Za-z._+*-]{3,16}'
HEADER = re.compile(rb'"(?P<star>\*?+)(?P<token>[^"]{1,16})"(?P<sequence>[0-9]{4})(?P<rest>[^[]*)\[', re.DOTALL)
NUMBERS = re.compile(rb"(?:R(?P<R>%b{0,6}))?(?:L(?P<L>%b{0,6}))?(?:#(?P<account>%b)?)?" % (HEX, HEX, ACCOUNT))
TRIGGERS = {b"F": ("fire", "fire"), b"M": ("fire", "manual_call_point"), b"G": ("gas", "gas"),
            b"W": ("supervisory", "water_leak")}
EXTENDED = re.compile(rb"[^]]*(?:\](?![\[_]|\Z)[^]]*)*\](?=[\[_]|\Z)", re.DOTALL)


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


# ---- texts -----------------------------------------------------------------------------------------------------

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
