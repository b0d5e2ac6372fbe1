"""Frames taken apart for a person: every field, what is wrong with it, what it says and what would be answered.

`codec.reading` is the authority: what is a frame, its status, its signals and its length are read_frames' words, and
the answer is reply_to's. This module only adds fields and hints. It takes any input, and linear time: bytes that were
taken apart once as part of a broken frame are not taken apart again.
"""
import re
from collections.abc import Callable
from dataclasses import dataclass

from codec import explain_dc09, explain_gbt26875, explain_surgard, explain_tocsin
from codec.explained import Part, Setting, plural
from codec.reading import read_frames, reply_to

Reader = Callable[[bytes, Setting], list[Part]]

# One line a format, as in formats.pyx: its first byte, its name for people, its reader, the bytes of its longest frame.
FORMATS: dict[int, tuple[str, Reader, int]] = {
    0x0A: ("ANSI/SIA DC-09", explain_dc09.explain, explain_dc09.FRAME_BYTES_MAX),
    0x40: ("GB/T 26875.3", explain_gbt26875.explain, explain_gbt26875.FRAME_BYTES_MAX),
    0xC1: ("Tocsin profile", explain_tocsin.explain, explain_tocsin.FRAME_BYTES_MAX),
    0x53: ("Sur-Gard style heartbeat", explain_surgard.explain, explain_surgard.FRAME_BYTES_MAX),
}
BEGINNING = re.compile(rb"\n(?:[0-9A-Fa-f]{4}|[\x00-\xff]{2})0[0-9A-Fa-f]{3}\"|@@")
VERDICTS = {
    "ok": "sound", "need_data": "not complete", "length": "wrong length", "checksum": "wrong checksum",
    "field": "a field that cannot be read", "crypto": "cannot be decrypted", "time": "stamp outside the window",
    "garbage": "no frame", "start": "no frame",
}
SILENCE = {
    "need_data": "Nothing: the receiver waits for the rest, over UDP it drops what came.",
    "length": "Nothing: where a frame ends is unknown, so the transmitter's repeat has to do.",
    "checksum": "Nothing: no byte of it can be trusted, so the transmitter's repeat has to do.",
    "field": "Nothing: the header cannot be read, so there is nothing that a reply could name.",
    "crypto": "Nothing: whoever sent this did not prove to know the transmitter's key.",
    "garbage": "Nothing: it is passed over.",
}
REPLIES = {"ACK": "ACK: accepted", "NAK": "NAK: refused; it tells the transmitter our time",
           "DUH": "DUH: sound, but not understood", "accepted": "20: accepted",
           "stale": "21: refused; it tells the highest counter that is known",
           "unable": "22: authentic, but its body cannot be read",
           "confirm": "confirm: accepted", "deny": "deny: refused"}
GARBAGE_LOOK_BYTES = 512
ACCOUNT_LOOK_BYTES = 64


@dataclass(frozen=True, slots=True)
class Explanation:
    """One thing that read_frames found, taken apart.

    at       offset in the input
    data     its bytes, as many as read_frames says
    found    what read_frames says of it
    title    format and verdict in words
    parts    its fields, which may reach behind `data` where a broken frame goes on
    hints    what was found about the whole
    answer   bytes of the reply; empty for silence
    answered the same in words
    """

    at: int
    data: bytes
    found: dict[str, object]
    title: str
    parts: list[Part]
    hints: list[str]
    answer: bytes
    answered: str


def explain(data: bytes, setting: Setting) -> list[Explanation]:
    """Return one explanation for each object of read_frames, in its order. Never raises on any bytes.

    Raises  ValueError for a key of another size than 16, 24 or 32 bytes
    """
    known = {"key": setting.key, "encrypted_only": setting.encrypted_only, "check_clear_stamps":
             setting.check_clear_stamps, "reject_stale": setting.reject_stale}
    things = read_frames(data, setting.now_ns, window=setting.window, **known)  # type: ignore[arg-type]
    ends = next_starts(things, len(data))
    explained, at, taken = [], 0, 0
    for thing, limit in zip(things, ends, strict=True):
        length = thing["length"]
        assert isinstance(length, int)
        piece = data[at:at + length]
        if at < taken and "kind" not in thing:
            explained.append(Explanation(at, piece, thing, "part of the broken frame before", [], [], b"", ""))
        elif thing["status"] == "garbage":
            explained.append(Explanation(at, piece, thing, "no frame", [],
                                         garbage_hints(piece), b"", SILENCE["garbage"]))
        else:
            name, reader, longest = FORMATS[piece[0]]
            whole = piece if "kind" in thing else broken(data[at:min(limit, at + longest)])
            parts = reader(whole, setting)
            taken = at + max(part.at + len(part.data) for part in parts if not part.sealed)
            answer = reply_to(piece, setting.now_ns, **known) if "kind" in thing else b""  # type: ignore[arg-type]
            hints = [] if "kind" in thing else frame_hints(data[at:min(limit, at + longest)], len(whole))
            explained.append(Explanation(at, piece, thing, f"{name}, {VERDICTS[str(thing['status'])]}", parts, hints,
                                         answer, answer_text(thing, answer, setting)))
        at += length
    return explained


def account_in(data: bytes) -> str | None:
    """Return the account that stands in a frame which could not be read, as far as it can be told; else None."""
    if data[:2] == b"@@" and len(data) >= 18:
        return str(int.from_bytes(data[12:18], "little"))
    named = re.search(rb"\"\d{4}[^#\[]{0,16}#([0-9A-Za-z._+*-]{3,16})\[", data[:ACCOUNT_LOOK_BYTES])
    return named[1].decode("ascii").upper() if named else None


def next_starts(things: list[dict[str, object]], size: int) -> list[int]:
    """For each thing, where the next whole frame behind it begins; else the input's end."""
    at, limit, ends = size, size, []
    for thing in reversed(things):
        length = thing["length"]
        assert isinstance(length, int)
        at -= length
        ends.append(limit)
        if "kind" in thing:
            limit = at
    return ends[::-1]


def broken(data: bytes) -> bytes:
    """The bytes that may belong to the broken frame at data[0]: up to where the next one seems to begin."""
    following = BEGINNING.search(data, 2)
    while following is not None and following[0] == b"@@" and data[:1] != b"@":      # text of DC-09 may hold it
        following = BEGINNING.search(data, following.end())
    return data[:following.start()] if following else data


def frame_hints(data: bytes, size: int) -> list[str]:
    if size < len(data):
        return [f"another frame seems to begin {plural(size, 'byte')} behind its first byte"]
    return []


def answer_text(thing: dict[str, object], answer: bytes, setting: Setting) -> str:
    """Say in words what the receiver does."""
    status = str(thing["status"])
    if answer == b"\x06":
        return "06: accepted, as receivers of Sur-Gard's own protocol answer."
    if answer:
        [reply, *_] = read_frames(answer, setting.now_ns, key=setting.key)
        word = REPLIES.get(str(reply["token"]), str(reply["token"]))
        later = "" if status != "ok" or thing["kind"] == "heartbeat" else "; it leaves when the signals are on the disk"
        if later and reply["token"] == "NAK":
            later = "; what it reports is taken all the same, marked late, because there is an alarm in it"
        return f"{word}{', encrypted' if reply['encrypted'] and reply['protocol'] == 'dc09' else ''}{later}."
    if status == "ok":
        kind = thing["kind"]
        return ("Nothing: it is a reply itself." if kind == "reply" else
                "Nothing: an answer ends its exchange." if thing["token"] == "answer" else
                "Nothing: this is what a centre sends, not a transmitter.")
    return SILENCE[status]


# ---- what is no frame --------------------------------------------------------------------------------------------

def garbage_hints(data: bytes) -> list[str]:
    """Say what bytes look like that begin no frame; only the first 512 are looked at."""
    look, hints = data[:GARBAGE_LOOK_BYTES], []
    if not look.strip(b"\r\n\0 "):
        hints.append("line ends, blanks or zeros between frames: harmless")
    if found := re.search(rb"[0-9A-Fa-f]{4}0[0-9A-Fa-f]{3}\"\*?[A-Z]", look):
        hints.append(f"a frame of DC-09 without its LF, which must stand before byte {found.start()}")
    if re.match(rb"\s*(?:0[xX])?(?:0[aA]|40\s*40)(?:[\s:,-]*[0-9A-Fa-f]{2}){8}", look):
        hints.append("hex digits as text: give --hex to read them")
    if b"\xef\xbf\xbd" in look:
        hints.append("it holds the replacement character of UTF-8 (ef bf bd): bytes were read as text on their way, "
                     "and what they were is lost. A binary checksum does not survive that")
    if re.match(rb"\x16\x03[\x00-\x04]", look):
        hints.append("the beginning of TLS: the transmitter encrypts the connection, this port does not")
    if re.match(rb"(?:GET|POST|HEAD|PUT|OPTIONS) \S* ?(?:HTTP/)?", look):
        hints.append("an HTTP request: a browser or a scanner, or the transmitter's address is that of a web service")
    if re.match(rb"SR[0-9A-Fa-f]{4}L[0-9A-Fa-f]{4} ", look):
        hints.append("a Sur-Gard line: set the transmitter to DC-09")
    if look.startswith(b"SSH-"):
        hints.append("the greeting of SSH: a scanner")
    return hints
