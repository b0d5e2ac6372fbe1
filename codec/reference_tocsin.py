"""The Tocsin profile in plain Python, from the same specification as tocsin.pyx: the oracle of the tests.

Slow and short on purpose: hashlib for the tag, a Python object for every value. Never imported by the engine.
"""
import re
from hmac import compare_digest
from typing import Any

from codec.reference_shared import Bad, checksum, clean
from codec.tocsin_plain import ACCEPTED, REPLY, REPORT, REQUEST, STALE, UNABLE, Body, NoValue, tag_of
from codec.words import CLASS_TEXT, CONDITION_TEXT, STATE_TEXT

Fields = dict[str, Any]
TOKENS = {REPORT: "report", ACCEPTED: "accepted", STALE: "stale", UNABLE: "unable"}
ALARMING = ("fire", "gas", "prealarm")


def split(data: bytes) -> bytes:
    """The frame at the beginning. Raises Bad."""
    if len(data) >= 3 and not 21 <= int.from_bytes(data[1:3], "big") + 3 <= 1400:
        raise Bad("length")
    if len(data) < 13:
        raise Bad("need_data")
    if checksum(data[:11]) != int.from_bytes(data[11:13], "big"):
        raise Bad("checksum")
    frame = data[:int.from_bytes(data[1:3], "big") + 3]
    if len(frame) < int.from_bytes(data[1:3], "big") + 3:
        raise Bad("need_data")
    if frame[3] not in TOKENS or (frame[3] != REPORT and len(frame) != 21) or not any(frame[4:7]):
        raise Bad("field")
    return frame


def account_of(value: Any, sender: str) -> str:
    """The account that an item names. Raises Bad."""
    if value is None:
        return sender
    text = str(value) if type(value) is int else value.decode("latin-1") if type(value) is bytes else ""
    if not re.fullmatch(r"[0-9A-Za-z._+*-]{1,16}", text):
        raise Bad("field")
    return text.upper()


def signal(item: list[Any], sender: str) -> Fields:
    account, *numbers = item[:4]
    named = account_of(account, sender)
    if not all(type(number) is int for number in numbers):
        raise Bad("field")
    point, age, text = [*item[4:7], None, None, None][:3]
    words = [CLASS_TEXT.get(numbers[0] or -1), CONDITION_TEXT.get(numbers[1]), STATE_TEXT.get(numbers[2] or -1)]
    flags = {"unknown_code"} if None in words else set()
    signal_class = words[0] or "info"
    state = words[2] or ("raised" if signal_class in ALARMING else "info")
    where, more = (str(point), []) if type(point) is int else clean(point, 64) if type(point) is bytes else ("", [])
    native = "/".join(map(str, numbers))
    flags |= set(more)
    if type(text) is bytes and text:
        words_behind, more = clean(text, 512 - len(native) - 1)
        native, flags = f"{native} {words_behind}", flags | set(more)
    if type(age) is int and 120 <= age <= 0xFFFFFFF:
        flags.add("old")
    return {"account": named, "class": signal_class, "condition": words[1] or "unknown", "state": state,
            "point": where, "native": native, "flags": sorted(flags)}


def read_items(data: bytes, sender: str) -> tuple[list[Fields], list[str]]:
    """The signals of a body, and the accounts that live. Raises Bad."""
    body, signals, lives, items = Body(data), [], [], 0
    while body.at < len(data):
        items += 1
        try:
            item = body.value()
        except NoValue:
            raise Bad("field") from None
        if items > 128:
            raise Bad("field")
        if type(item) is not list:
            continue
        if len(item) in (0, 2, 3) or len(item) > 64:
            raise Bad("field")
        if len(item) == 1:
            lives.append(account_of(item[0], sender))
        else:
            signals.append(signal(item, sender))
    return signals, lives


def read_frame(data: bytes, key: bytes | None) -> Fields:
    """Read the frame at the beginning of `data` into the object that codec.reading.read_frames makes. Raises Bad."""
    frame = split(data)
    sender = str(int.from_bytes(frame[4:7], "big"))
    signals: list[Fields] = []
    lives: list[str] = []
    status, kind = "ok", "signal"
    if frame[3] != REPORT:
        kind = "reply"
    elif key is None or len(key) != 32 or not compare_digest(tag_of(key, REQUEST, frame[:-8]), frame[-8:]):
        status = "crypto"
    else:
        try:
            signals, lives = read_items(frame[13:-8], sender)
            kind = "signal" if signals else "heartbeat"
        except Bad as bad:
            status = str(bad)
    return {"protocol": "tocsin", "status": status, "kind": kind, "account": sender,
            "sequence": int.from_bytes(frame[7:11], "big"), "token": TOKENS[frame[3]], "encrypted": True,
            "receiver": None, "line": None, "network": None, "timestamp": None, "occurred": None, "signals": signals,
            "length": len(frame), "lives": lives}


def reply_to(data: bytes, key: bytes, kind: int = ACCEPTED, counter: int | None = None) -> bytes:
    """The reply to the frame at the beginning of `data`."""
    frame = split(data)
    number = int.from_bytes(frame[7:11], "big") if counter is None else counter
    head = b"\xc1\x00\x12" + bytes([kind]) + frame[4:7] + number.to_bytes(4, "big")
    message = head + checksum(head).to_bytes(2, "big")
    return message + tag_of(key, REPLY, frame[-8:] + message)
