"""The wire formats as the fuzzers see them, one entry each, and the mutations that they share."""
from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codec import reference, reference_dc09
from codec.batch import Batch
from codec.reading import decode_stream, read_frames
from codec.tocsin_plain import REQUEST, tag_of
from tests.fuzz import dc09_encrypted_frames, dc09_frames, gbt26875_frames, test_tocsin_twin

VECTORS = Path(__file__).parents[1] / "vectors"
NOW_NS = gbt26875_frames.NOW_NS
BATCH = Batch(16384, 1 << 24)
MARKS = [b"\n", b"\r", b"@", b"@@", b"##", b"\xc1", b'"', b"[", b"]", b"|", b"#", b"^", b"_", b"\0", b"\xff", b"]_",
         b"\n\n", b"\x1a\x01", b"\x02\x01", b"[H13:59:58,12-31-2012]", b"_12:00:00,01-01-2026", b"[I@@x]", b"][", b"S",
         b"SR"]
BORDERS = b"/0189:@AFGZ[`afgz{\0\x01\x7f\x80\xfe\xff"    # what stands just inside and outside of digits and letters

Profile = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """What a fuzzer must know of a format."""

    frame: Callable[[random.Random], bytes]              # a frame that is valid, or nearly so
    mend: Callable[[bytes], bytes]                       # give changed bytes a right length and checksum
    wrap: Callable[[bytes], bytes]                       # likewise for a fuzzer that cannot find a checksum or cipher
    profile: Callable[[random.Random], Profile]          # what is known of the transmitter, for read_frames
    vectors: str                                         # the file with known frames
    percent: int                                         # of all inputs; where the plain twin is slow, few
    statuses: frozenset[str]                             # what the twins must have found in the end

    def seeds(self) -> list[bytes]:
        """Return the known frames."""
        return [bytes_of(vector) for vector in json.loads((VECTORS / self.vectors).read_text())]


def bytes_of(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector.get("raw_hex") or vector["message"])


def nothing_known(_: random.Random) -> Profile:
    return {}


def mend_gbt26875(data: bytes) -> bytes:
    return gbt26875_frames.sound_again(bytearray(data)) if len(data) >= 30 else data


def mend_dc09(data: bytes) -> bytes:
    return dc09_frames.sound_again(data) if len(data) >= 10 else data


def mend_tocsin(data: bytes) -> bytes:
    """Length, checksum of the head, and the tag under the key of the tests."""
    if not 21 <= len(data) <= 1400:
        return data
    head = data[:1] + (len(data) - 3).to_bytes(2, "big") + data[3:11]
    sealed = head + reference_dc09.checksum(head).to_bytes(2, "big") + data[13:-8]
    return sealed + tag_of(test_tocsin_twin.KEY, REQUEST, sealed)


def encrypted_frame(rng: random.Random) -> bytes:
    return dc09_encrypted_frames.frame(rng, rng.choice(dc09_encrypted_frames.KEYS))


def wrap_encrypted(data: bytes) -> bytes:
    """Encrypt what stands behind the first bracket, so that what a fuzzer changes there is read as text."""
    head, bracket, plain = mend_dc09(data)[9:-1].partition(b"[")
    size = len(plain) // 16 * 16
    sealed = dc09_encrypted_frames.flip(dc09_encrypted_frames.KEYS[size // 16 % 3], plain[:size]).hex().encode()
    return mend_dc09(b"\n00000000" + head + bracket + sealed[:4000] + b"\r")


def encrypted_profile(rng: random.Random) -> Profile:
    return dc09_encrypted_frames.profiles(rng, rng.choice(dc09_encrypted_frames.KEYS))


FRAMED = frozenset({"ok", "garbage", "need_data", "length", "checksum", "field"})
FORMATS = {
    "dc09": Format(dc09_frames.frame, mend_dc09, mend_dc09, nothing_known, "dc09.json", 35,
                   FRAMED | {"crypto"}),
    "dc09-encrypted": Format(encrypted_frame, mend_dc09, wrap_encrypted, encrypted_profile, "dc09.json", 30,
                             FRAMED | {"crypto", "time"}),
    "gbt26875": Format(gbt26875_frames.frame, mend_gbt26875, mend_gbt26875,
                       lambda rng: {"clock": rng.choice([None, None, "bcd", "binary"])}, "gbt26875.json", 25,
                       FRAMED),
    "tocsin": Format(test_tocsin_twin.data_of, mend_tocsin, mend_tocsin,
                     lambda _: {"key": test_tocsin_twin.KEY}, "tocsin.json", 10, FRAMED | {"crypto"}),
}


# ---- mutations ---------------------------------------------------------------------------------------------------

def mutate(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Change a few places: a bit, a border, a mark put in, bytes gone or doubled, the end of another frame."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 3, 6])):
        at = rng.randrange(len(changed) + 1)
        draw = rng.randrange(9)
        if draw == 0 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif draw == 1:
            changed[at:at + 1] = bytes([rng.choice(BORDERS)])
        elif draw == 2:
            changed[at:at] = rng.choice(MARKS)
        elif draw == 3:
            del changed[at:at + rng.choice([1, 1, 2, 3, 8, 40])]
        elif draw == 4:
            changed[at:at] = changed[at:at + rng.randrange(1, 60)]
        elif draw == 5:
            changed[at:] = other[rng.randrange(len(other) + 1):]
        elif draw == 6:
            del changed[at:]
        elif draw == 7 and len(changed) > 30:            # where formats keep their lengths
            changed[rng.choice([1, 2, 6, 7, 8, 24, 25, 28])] = rng.choice(BORDERS)
        elif at < len(changed):
            changed[at] = rng.randrange(256)
    return bytes(changed[:4200])


def one(rng: random.Random, wire: Format, known: list[bytes]) -> bytes:
    """A frame as it is, changed, changed with length and checksum right again, or noise."""
    data = rng.choice(known) if known and rng.random() < 0.15 else wire.frame(rng)
    draw = rng.random()
    if draw < 0.25:
        return data
    if draw < 0.65:
        return wire.mend(mutate(rng, data, wire.frame(rng)))
    if draw < 0.95:
        return mutate(rng, data, wire.frame(rng))
    return b"".join(rng.choices([*MARKS, b"0", b"1", b"00001A", bytes([rng.randrange(256)])], k=rng.randrange(60)))


def inputs(rng: random.Random, name: str, count: int) -> list[tuple[bytes, Profile]]:
    """Return inputs for the twins; one in five is a stream of several, now and then with one of another format."""
    wire, known = FORMATS[name], FORMATS[name].seeds()
    found = []
    for _ in range(count):
        data = one(rng, wire, known)
        while rng.random() < 0.2:
            data += one(rng, wire if rng.random() < 0.8 else FORMATS[rng.choice(sorted(FORMATS))], known)
        found.append((data, wire.profile(rng)))
    return found


# ---- twins -------------------------------------------------------------------------------------------------------

def in_order(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort the flags of signals: they are a set."""
    for each in found:
        for signal in each.get("signals", []):
            signal["flags"] = sorted(signal["flags"])
    return found


def differing(data: bytes, profile: Profile) -> str:
    """Read an input by both codecs; say in what they differ, or in what the rows are unsound. Empty: in nothing."""
    ours = in_order(read_frames(data, NOW_NS, **profile))
    theirs = in_order(reference.read_frames(data, NOW_NS, reference.Profile(**profile)))
    if ours != theirs:
        at = next((at for at, (one, two) in enumerate(zip(ours, theirs, strict=False)) if one != two), len(ours))
        return f"thing {at}: {ours[at:at + 1]} is not {theirs[at:at + 1]}"
    if sum(each["length"] for each in ours) != len(data):
        return "the lengths do not add up"
    BATCH.clear()
    decode_stream(data, BATCH, NOW_NS, key=profile.get("key"))
    BATCH.check()
    encoded = BATCH.encode()
    return "" if Batch.view(encoded).encode() == encoded else "the batch is another after encoding"


def statuses(data: bytes, profile: Profile) -> set[str]:
    """Return what stands in an input."""
    return {str(each["status"]) for each in read_frames(data, NOW_NS, **profile)}
