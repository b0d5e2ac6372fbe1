"""Invariant: the Cython codec and the plain Python one find the same in any input, status and texts included."""
import json
import random
from pathlib import Path

import pytest

from codec import reference
from codec.codes.lookup import read_table
from codec.reading import build_frame, count_steps, read_frames

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "dc09.json").read_text())
INPUTS = 20_000
SEED = 9
SIA_CODES = sorted(read_table("sia.tsv"))
CONTACT_ID_CODES = sorted(read_table("contact_id.tsv"))
ACCOUNTS = ["1234", "0", "", "12ab", "alarm1", "1A2B3C", "a b", None, None, "1234567890ABCDEF"]
TOKENS = [
    "NULL", "XNM", "SIA-DCS", "SIA-DCS", "SIA-DCS", "ADM-CID", "ADM-CID", "SIA-PUL", "SK-FSK2", "ACK", "NAK", "DUH",
    "RSP", "HENG-BO", "*NULL", "*ADM-CID",
]
PIECES = [
    b"/", b"|", b"^", b"N", b"O", b"A", b"Nri1/", b"ri02", b"ti12:30:00", b"idAB", b"da01-02-26", b"va",
    b"id1/id2/" * 20, b"FA017", b"^Smoke hall^", b"|A Boiler room", b"OP001NM", b"RP0000", b"ri0", b"QQ9", b"FQQ",
    b" ", b"]", b"[", b"_", b"x",
    b"*text*", b"\xe9", b"\xc3\xa9", b"\0", b"\x81", b"\xf0\x9f\x94\xa5", b"a" * 70, b"1" * 70,
    b"\xe2\x82\xac" * 180, b"1110 01 012", b"1234 18 1131 01 015 8", b"1234181131010158", b"18 1110 01 012",
    b"311", b" 00 000", b"AT1", b"AR", b"GA^", b"#", b"1A", b"BADF", b"\n",
    b"\r",
]
EXTENDED = [
    b"H13:59:58,12-31-2012", b"H11:59:58,12-31-2012", b"H1", b"G2", b"J03", b"J{}", b"G1234567", b"Iroom]3", b"",
    b"SMain",
    b'J{"a":[1,-0.5e9,"\\u00e9"]}', b"J[1,]", b"J[", b'J["\\ud800"]', b"J[[[]]]", b"Kkey", b"TF", b"TM", b"TG", b"TW",
    b"TX",
    b"X093W23.456", b"Y45N60", b"Y45S59.9999999", b"X1E1.", b"Z1.5M", b"Z01", b"Z-1.M", b"Qwhat", b"qwhat", b"\"\\",
    b"I\xe9\x81", b"I\xc3\xa9", b"\xc3\xa9", b"\x00\x01", b"P" + b"\x01" * 300, b"P" + b"\xe9" * 900, b"M0011AABBCCDD"]


def field(rng: random.Random) -> bytes:
    """One data field: an account or none, then codes and pieces of codes."""
    account = rng.choice([b"#1234|", b"#12ab|", b"1234|", b"|", b"", b"#12|", b"#1234", b"#9999999999999999X|"])
    parts = []
    for _ in range(rng.randrange(6)):
        draw = rng.random()
        if draw < 0.4:
            parts.append(rng.choice(PIECES))
        elif draw < 0.7:
            parts.append(rng.choice(SIA_CODES).encode() + str(rng.randrange(2000)).encode())
        else:
            parts.append(f"{rng.choice('136')}{rng.choice(CONTACT_ID_CODES)} 0{rng.randrange(10)} 012".encode())
        if rng.random() < 0.6:
            parts.append(rng.choice([b"/", b"|"]))
    return account + b"".join(parts)


def frame(rng: random.Random) -> bytes:
    """One valid frame, or one that is nearly valid."""
    extended = rng.choices(EXTENDED, k=rng.choice([0, 0, 0, 1, 2, 3]))
    if rng.random() < 0.05:
        extended = rng.choices([b"Ia", b"Ib", b"Qc", b"G1", b"TF"], k=40)
    if rng.random() < 0.05:
        extended = [bytes([rng.randrange(256)]) + rng.randbytes(rng.randrange(900))]
    return build_frame(
        rng.choice(TOKENS), rng.choice(ACCOUNTS), field(rng), sequence=rng.randrange(10_000),
        receiver=rng.choice([None, "1", "579bdf", "", "1234567", "None"]),
        line=rng.choice(["0", "0", None, "", "FFFFFF", "g"]), extended=extended,
        stamp_ns=rng.choice([None, rng.randrange(0, 7_000_000_000) * 10**9]), binary_crc=rng.random() < 0.3)


def mutate(rng: random.Random, data: bytes) -> bytes:
    """Change, drop, insert or double a few bytes."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(out) + 1)
        draw = rng.random()
        if draw < 0.3 and at < len(out):
            out[at] = rng.choice(b"\n\r0\"[]FA|" + bytes([rng.randrange(256)]))
        elif draw < 0.5:
            del out[at:at + rng.randrange(1, 4)]
        elif draw < 0.7:
            out[at:at] = bytes(rng.choices(b"\n\r0\"F", k=rng.randrange(1, 4)))
        elif draw < 0.8:
            out[at:at] = out[:at]
        elif draw < 0.9:
            out = out[:at]
    return bytes(out)


def sound_again(data: bytes) -> bytes:
    """Give a mutated frame a right length and checksum, so that the change gets past them."""
    body = data[9:-1]
    return b"\n%04X0%03X" % (reference.checksum(body), len(body) & 0xFFF) + body + b"\r"


def inputs(seed: int, count: int):
    rng = random.Random(seed)
    known = [bytes.fromhex(vector["raw_hex"]) for vector in VECTORS]
    for _ in range(count):
        draw = rng.random()
        data = rng.choice(known) if draw < 0.2 else frame(rng)
        if draw > 0.7:
            data = sound_again(mutate(rng, data))
        elif draw > 0.5:
            data = mutate(rng, data) + frame(rng)
        elif draw > 0.47:
            data = bytes(rng.choices(b"\n\r00001A\"[]|#_^S", k=rng.randrange(80)))
            if rng.random() < 0.5:
                data += mutate(rng, b"SR0001L0001    006969XX    [ID00000000]") + rng.choice([b"", b"\x14", frame(rng)])
        yield data


def without_order(found: list[dict]) -> list[dict]:
    for each in found:
        for signal in each.get("signals", []):
            signal["flags"] = sorted(signal["flags"])
    return found


@pytest.mark.slow
def test_twins_agree() -> None:
    seen = set()
    for data in inputs(SEED, INPUTS):
        ours, theirs = without_order(read_frames(data, 0)), reference.read_frames(data)
        assert ours == theirs, f"seed {SEED}: {data!r}"
        assert sum(each["length"] for each in ours) == len(data)
        seen.update(each["status"] for each in ours)
    assert seen == {"ok", "garbage", "need_data", "length", "checksum", "field", "crypto"}


@pytest.mark.parametrize("pattern", [
    b"\n", b"\n0000", b"\n00000FFF\"", b"\n00000FFF\"\r", b"\n000FFF\"", b"\n\n00FFF\"", b"\n00000FFE\"" + b"x" * 30],
    ids=repr)
def test_time_is_linear(pattern: bytes) -> None:
    """Bytes looked at, not seconds: a few for each byte of input, however plausible the false starts are."""
    data = (pattern * (65536 // len(pattern) + 1))[:65536]
    assert count_steps(data) < 12 * len(data)
