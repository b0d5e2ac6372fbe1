"""Makes tocsin.json after docs/tocsin-profile.md with hashlib and msgpack; no code of the program has a hand in it.

    python tests/vectors/make_tocsin.py > tests/vectors/tocsin.json

A vector: name; key and message in hex; status (what a receiver finds); of a sound one also key_id, counter, signals,
lives; answer (accepted, stale, unable or none) with highest, the counter that was the highest one before, or null; the
reply in hex, empty for silence.
"""
import hashlib
import json
import sys
from typing import Any

import msgpack

KEY = bytes(range(32))
OTHER_KEY = bytes(32)
SENDER, COUNTER = 1207, 42
KINDS = {"accepted": 0x20, "stale": 0x21, "unable": 0x22}
FIRE = {"account": "1207", "class": "fire", "condition": "smoke", "state": "raised", "point": "2/7", "native": "1/2/1",
        "flags": []}
Vector = dict[str, Any]


def checksum(data: bytes) -> int:
    """CRC-16/ARC."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def tag(key: bytes, person: bytes, data: bytes) -> bytes:
    return hashlib.blake2s(data, key=key, digest_size=8, person=person).digest()


def head_of(kind: int, key_id: int, counter: int, size: int) -> bytes:
    head = (b"\xc1" + (18 + size).to_bytes(2, "big") + bytes([kind]) + key_id.to_bytes(3, "big")
            + counter.to_bytes(4, "big"))
    return head + checksum(head).to_bytes(2, "big")


def message(body: bytes = b"", *, key: bytes = KEY, key_id: int = SENDER, counter: int = COUNTER,
            kind: int = 0x10) -> bytes:
    data = head_of(kind, key_id, counter, len(body)) + body
    return data + tag(key, b"tocsin q", data)


def reply(to: bytes, kind: int, counter: int) -> bytes:
    data = head_of(kind, int.from_bytes(to[4:7], "big"), counter, 0)
    return data + tag(KEY, b"tocsin r", to[-8:] + data)


def items(*of: Any) -> bytes:
    return b"".join(map(msgpack.packb, of))


def signal(**other: Any) -> Vector:
    return {**FIRE, **other}


def sound(name: str, body: bytes = b"", signals: list[Vector] | None = None, lives: list[str] | None = None, *,
          key_id: int = SENDER, counter: int = COUNTER, highest: int | None = None) -> Vector:
    """An authentic message whose body can be read; stale where its counter is far below the highest."""
    data = message(body, key_id=key_id, counter=counter)
    answer = "stale" if highest is not None and counter < highest - 63 else "accepted"
    return {"name": name, "key": KEY.hex(), "message": data.hex(), "status": "ok", "key_id": key_id,
            "counter": counter, "signals": signals or [], "lives": lives or [], "answer": answer, "highest": highest,
            "reply": reply(data, KINDS[answer], counter if answer == "accepted" else highest or 0).hex()}


def unable(name: str, body: bytes) -> Vector:
    """An authentic message whose body is no list of items."""
    data = message(body)
    return {"name": name, "key": KEY.hex(), "message": data.hex(), "status": "field", "key_id": SENDER,
            "counter": COUNTER, "signals": [], "lives": [], "answer": "unable", "highest": None,
            "reply": reply(data, KINDS["unable"], COUNTER).hex()}


def silent(name: str, status: str, data: bytes) -> Vector:
    return {"name": name, "key": KEY.hex(), "message": data.hex(), "status": status, "answer": "none",
            "highest": None, "reply": ""}


def shown_vectors() -> list[Vector]:
    """Those that the document shows."""
    return [
        sound("heartbeat"),
        sound("fire", items([None, 1, 2, 1, "2/7"]), [signal()]),
        sound("restore", items([None, 1, 2, 2, "2/7"]), [signal(state="cleared", native="1/2/2")]),
        sound("mains fault, without a point", items([None, 5, 52, 1]),
              [signal(**{"class": "fault", "condition": "mains_fault", "point": "", "native": "5/52/1"})]),
        sound("fire of five minutes ago, with text", items([None, 1, 5, 1, 7, 300, "Stairs"]),
              [signal(condition="manual_call_point", point="7", native="1/5/1 Stairs", flags=["old"])]),
        sound("gateway", items(["A1"], ["A2", 1, 3, 1, 4], [4711]),
              [signal(account="A2", condition="heat", point="4", native="1/3/1")], ["A1", "4711"]),
        sound("stale heartbeat", counter=7, highest=1000),
    ]


def number_forms() -> list[Vector]:
    """Every form in which MessagePack writes a number that is not negative."""
    forms = {"fixint": b"\x34", "uint 8": b"\xcc\x34", "uint 16": b"\xcd\x00\x34", "uint 32": b"\xce" + b"\0\0\0\x34",
             "uint 64": b"\xcf" + bytes(7) + b"\x34", "int 8": b"\xd0\x34", "int 16": b"\xd1\x00\x34",
             "int 32": b"\xd2" + b"\0\0\0\x34", "int 64": b"\xd3" + bytes(7) + b"\x34"}
    fault = signal(**{"class": "fault", "condition": "mains_fault", "point": "", "native": "5/52/1"})
    return [sound(f"condition as {name}", b"\x94\xc0\x05" + form + b"\x01", [fault]) for name, form in forms.items()]


def text_forms() -> list[Vector]:
    forms = {"fixstr": b"\xa32/7", "str 8": b"\xd9\x032/7", "str 16": b"\xda\x00\x032/7",
             "str 32": b"\xdb\x00\x00\x00\x032/7"}
    found = [sound(f"point as {name}", b"\x95\xc0\x01\x02\x01" + form, [signal()]) for name, form in forms.items()]
    arrays = {"fixarray": b"\x94", "array 16": b"\xdc\x00\x04", "array 32": b"\xdd\x00\x00\x00\x04"}
    return found + [sound(f"item as {name}", form + b"\xc0\x01\x02\x01", [signal(point="")])
                    for name, form in arrays.items()]


def later_vectors() -> list[Vector]:
    """What an older receiver does with what it does not know."""
    unknown = ["unknown_code"]
    return [
        sound("unknown class", items([None, 99, 2, 1]),
              [signal(**{"class": "info"}, point="", native="99/2/1", flags=unknown)]),
        sound("unknown condition", items([None, 1, 999, 1]),
              [signal(condition="unknown", point="", native="1/999/1", flags=unknown)]),
        sound("unknown state of a fire is raised", items([None, 1, 2, 9]),
              [signal(point="", native="1/2/9", flags=unknown)]),
        sound("unknown state of a fault is info", items([None, 5, 52, 0]),
              [signal(**{"class": "fault", "condition": "mains_fault", "state": "info"}, point="", native="5/52/0",
                      flags=unknown)]),
        sound("number of 64 bits", items([None, 1, 2**64 - 1, 1]),
              [signal(condition="unknown", point="", native=f"1/{2**64 - 1}/1", flags=unknown)]),
        sound("elements behind the text", items([None, 1, 2, 1, "2/7", None, None, {"k": [1, b"x"]}, 1.5, -7]),
              [signal()]),
        sound("items that are no arrays", items({"version": 2}, "text", [None, 1, 2, 1, "2/7"], -1, None, True, 2.5,
                                                b"bytes", msgpack.ExtType(5, b"later")), [signal()]),
        sound("array of 64 elements", items([None, 1, 2, 1, "2/7", *[None] * 59]), [signal()]),
        sound("point, age and text of another kind", items([None, 1, 2, 1, [1], -5, 7]), [signal(point="")]),
        sound("1000 arrays, one in the other", b"\x91\xc0\x95\xc0\x01\x02\x01" + b"\x91" * 1000 + b"\xc0",
              [signal(point="")], ["1207"]),
    ]


def account_vectors() -> list[Vector]:
    return [
        sound("sender by its own number", items([SENDER, 1, 2, 1, "2/7"]), [signal()]),
        sound("account in lower case", items(["gw.2-a_b+*", 1, 2, 1, "2/7"]), [signal(account="GW.2-A_B+*")]),
        sound("account of 16 characters", items(["0123456789ABCDEF"]), lives=["0123456789ABCDEF"]),
        sound("account of 16 digits", items([9999999999999999]), lives=["9999999999999999"]),
        sound("largest key id and counter", key_id=0xFFFFFF, counter=0xFFFFFFFF),
        sound("key id 1, counter 0", key_id=1, counter=0),
        sound("128 items", items([None]) * 128, lives=["1207"] * 128),
        sound("1400 bytes", items({"fill": b"\0" * 1370})),
        unable("account of 17 characters", items(["0123456789ABCDEFG"])),
        unable("account of 17 digits", items([10**16])),
        unable("empty account", items([""])),
        unable("account with a blank", items(["A 1"])),
        unable("account that is a boolean", items([True])),
        unable("129 items", items([None]) * 129),
    ]


def unable_vectors() -> list[Vector]:
    return [
        unable("array of nothing", items([])),
        unable("array of 2", items([None, 1])),
        unable("array of 3", items([None, 1, 2])),
        unable("array of 65 elements", items([None, 1, 2, 1, *[None] * 61])),
        unable("class that is a text", items([None, "1", 2, 1])),
        unable("negative condition", items([None, 1, -2, 1])),
        unable("state that is nil", items([None, 1, 2, None])),
        unable("condition that is a fraction", items([None, 1, 2.0, 1])),
        unable("byte C1", b"\xc1"),
        unable("array without its end", b"\x94\xc0\x01\x02"),
        unable("text without its end", b"\x95\xc0\x01\x02\x01\xa52/7"),
        unable("a good item before a bad one", items([None, 1, 2, 1, "2/7"]) + b"\x92\x01\x02"),
    ]


def silent_vectors() -> list[Vector]:
    fire = message(items([None, 1, 2, 1, "2/7"]))
    long_body = items([None]) + b"\xc0" * 1378
    return [
        silent("wrong tag", "crypto", fire[:-1] + bytes([fire[-1] ^ 1])),
        silent("changed body", "crypto", fire[:14] + bytes([fire[14] ^ 1]) + fire[15:]),
        silent("another key", "crypto", message(items([None, 1, 2, 1, "2/7"]), key=OTHER_KEY)),
        silent("tag of a reply", "crypto", fire[:-8] + tag(KEY, b"tocsin r", fire[:-8])),
        silent("tag without personalisation", "crypto", fire[:-8] + tag(KEY, b"", fire[:-8])),
        silent("wrong checksum", "checksum", fire[:11] + bytes([fire[11] ^ 1]) + fire[12:]),
        silent("swapped checksum", "checksum", fire[:11] + fire[12:13] + fire[11:12] + fire[13:]),
        silent("length 17", "length", fire[:1] + b"\x00\x11" + fire[3:]),
        silent("oversize: 1401 bytes", "length", message(long_body)),
        silent("key id 0", "field", message(key_id=0)),
        silent("unknown kind", "field", message(kind=0x11)),
        silent("without its end", "need_data", fire[:-1]),
    ]


def vectors() -> list[Vector]:
    return [*shown_vectors(), *number_forms(), *text_forms(), *later_vectors(), *account_vectors(),
            *unable_vectors(), *silent_vectors()]


if __name__ == "__main__":
    sys.stdout.write("[\n" + ",\n".join(json.dumps(one) for one in vectors()) + "\n]\n")
