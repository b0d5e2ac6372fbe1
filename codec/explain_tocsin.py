"""A message of the Tocsin profile taken apart for a person; the layout is drawn in tocsin.pyx."""
from typing import Any

from codec.explained import Part, Parts, Setting, plural
from codec.reading import checksum
from codec.tocsin_plain import REPLY, REPORT, REQUEST, Body, NoValue, tag_of
from codec.words import CLASS_TEXT, CONDITION_TEXT, STATE_TEXT

HEADER_BYTES, TAG_BYTES = 13, 8
FRAME_BYTES_MAX = 1400
KEY_BYTES = 32
KINDS = {0x10: "report, version 1", 0x20: "reply: accepted", 0x21: "reply: stale; the counter is the highest known",
         0x22: "reply: authentic, but its body cannot be read"}
NAMES = ("account", "class", "condition", "state", "point", "age", "text")
WORDS: dict[str, dict[int, str]] = {"class": CLASS_TEXT, "condition": CONDITION_TEXT, "state": STATE_TEXT}


def explain(data: bytes, setting: Setting) -> list[Part]:
    """Take the frame that begins at data[0] apart, as far as it goes."""
    data = data[:FRAME_BYTES_MAX]
    parts = Parts(data)
    parts.add(0, 1, "start", "C1: a message begins")
    if len(data) < HEADER_BYTES:
        parts.add(1, len(data), "header", "12 bytes", f"{plural(len(data) - 1, 'byte')} of it came")
        return parts.found
    length = int.from_bytes(data[1:3], "big")
    parts.add(1, 3, "length", f"{plural(length, 'byte')} behind it", *length_faults(length, len(data)))
    kind = data[3]
    parts.add(3, 4, "kind", f"{kind:02X}: {KINDS.get(kind, 'none of this version')}",
              *([] if kind in KINDS else [f"allowed are {', '.join(f'{one:02X}' for one in KINDS)}"]))
    key_id = int.from_bytes(data[4:7], "big")
    parts.add(4, 7, "key id", f"{key_id}, the sender: tocsin:{key_id}", *([] if key_id else ["0 is no key id"]))
    parts.add(7, 11, "counter", f"{int.from_bytes(data[7:11], 'big')}; repeated in the reply")
    sent, computed = int.from_bytes(data[11:13], "big"), checksum(data[:11])
    swapped = sent == (computed >> 8 | (computed & 0xFF) << 8)
    parts.add(11, 13, "checksum", f"{sent:04X}" + (", right" if sent == computed else ""), *(
        [] if sent == computed else [f"sent {sent:04X}, computed {computed:04X} over bytes 0 to 10"]
        + (["the bytes are swapped: it is big endian"] if swapped else [])))
    end = min(max(length + 3 - TAG_BYTES, HEADER_BYTES), len(data))
    explain_body(parts, end)
    tag = data[end:length + 3]
    parts.add(end, min(length + 3, len(data)), "tag", "BLAKE2s of all before it", *tag_faults(data, end, tag, setting))
    return [part for part in parts.found if part.data or part.faults]


def length_faults(length: int, size: int) -> list[str]:
    if not 18 <= length <= FRAME_BYTES_MAX - 3:
        return [f"18 to {FRAME_BYTES_MAX - 3} is allowed"]
    return [f"the message has {length + 3} bytes by it, and {size} came"] if length + 3 > size else []


def tag_faults(data: bytes, end: int, tag: bytes, setting: Setting) -> list[str]:
    """Say why a tag does not prove its sender, by trying what goes wrong most."""
    if len(tag) < TAG_BYTES:
        return [f"{plural(len(tag), 'byte')} of 8 came"]
    if data[3] != REPORT:
        return []                    # of a reply it depends on the request
    if setting.key is None:
        return ["no key is known: give it with --key, or as key of its [[transmitter]]"]
    if len(setting.key) != KEY_BYTES:
        return [f"the key has {len(setting.key)} bytes; the Tocsin profile takes 32"]
    message = data[:end]
    if tag_of(setting.key, REQUEST, message) == tag:
        return []
    for what, person, part in (("it is a reply's tag", REPLY, message),
                               ("personalisation is missing", b"", message),
                               ("the header is left out of it", REQUEST, data[HEADER_BYTES:end])):
        if tag_of(setting.key, person, part) == tag:
            return [f"wrong: {what}"]
    return ["not authentic: another key, or bytes were changed"]


def explain_body(parts: Parts, end: int) -> None:
    """One part an item; the last one says where the body stops making sense."""
    body = Body(parts.data[:end])
    body.at = HEADER_BYTES
    while body.at < end:
        begin = body.at
        try:
            item = body.value()
        except NoValue:
            parts.add(begin, end, "body", "MessagePack", "no whole value stands here")
            return
        parts.add(begin, body.at, "item", *item_words(item))


def item_words(item: Any) -> list[str]:
    """What an item says, then what is wrong with it."""
    if type(item) is not list:
        return ["no array: for a later version, passed over"]
    if len(item) == 1:
        return [f"{who(item[0])} lives"]
    if len(item) < 4 or len(item) > 64:
        return [f"an array of {plural(len(item), 'element')}", "1, or 4 to 64 are allowed"]
    said, faults = [], []
    for name, element in zip(NAMES, item, strict=False):
        if name == "account":
            said.append(who(element))
        elif name in WORDS and type(element) is not int:
            faults.append(f"{name} is no number")
        elif element is not None:
            known = WORDS.get(name, {}).get(element, "unknown") if name in WORDS else show(element)
            said.append(f"{name} {element} {known}" if name in WORDS else f"{name} {known}")
    if len(item) > len(NAMES):
        said.append(f"{plural(len(item) - len(NAMES), 'element')} of a later version")
    return [", ".join(said), *faults]


def who(account: Any) -> str:
    return "the sender" if account is None else f"account {show(account)}"


def show(value: Any) -> str:
    return value.decode("utf-8", "replace") if type(value) is bytes else str(value) if type(value) is int else "?"
