"""One frame by hand: made in each protocol, and the reply to it put in words."""

import calendar
import re
import time
from dataclasses import dataclass

from codec.gbt26875_downlink import build_frame as build_gbt
from codec.gbt26875_downlink import tag_bytes
from codec.reading import build_frame as build_dc09
from codec.reading import read_frames
from loadgen import tocsin
from loadgen.client import Speaker
from loadgen.dc09_client import ReplyKind, frame
from loadgen.shapes import Style, speaker

EVENTS = {  # DC-03 code, status word of GB/T 26875.3; None is a frame that carries no signal
    "fire": ("FA", 0x0002),
    "restore": ("FH", 0x0000),
    "trouble": ("FT", 0x0004),
    "trouble-restore": ("FJ", 0x0000),
    "supervisory": ("FS", 0x0010),
    "gas": ("GA", 0x0002),
    "disable": ("FB", 0x0008),
    "enable": ("FU", 0x0000),
    "mains": ("AT", 0x0100),
    "mains-restore": ("AR", 0x0000),
    "battery": ("YT", 0x0200),
    "battery-restore": ("YR", 0x0000),
    "test": ("RX", 0x0001),
    "heartbeat": (None, None),
}
SYSTEM_EVENTS = ("mains", "mains-restore", "battery", "battery-restore")  # of GB/T: words of a system, not a component
COMPONENTS = {"gas": 10}  # component type; all others are smoke detectors
COMPONENT_SMOKE = 40
TEXT_BYTES = 31
COMMAND_SEND, COMMAND_CONFIRM, COMMAND_DENY = 2, 3, 6
SECOND_NS = 1_000_000_000
REPLY = re.compile(
    rb'"\*?(?P<token>[^"]+)"(?P<sequence>\d{4})(?:R(?P<receiver>[0-9A-Fa-f]+))?(?:L(?P<line>[0-9A-Fa-f]+))?'
    rb"(?:#(?P<account>[0-9A-Fa-f]+))?\[(?P<data>[^\]]*)(?:\](?:.*?_(?P<timestamp>\d\d:\d\d:\d\d,\d\d-\d\d-\d{4}))?)?"
)
MEANINGS = {
    "ACK": "acknowledged: what it carried is safe",
    "RSP": "acknowledged, with data for the transmitter",
    "DUH": "received, but not understood",
    "NAK": "refused: the stamp is outside the receiver's window; its own time follows",
}


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be said.

    protocol  one of shapes.PROTOCOLS
    account   hex digits for DC-09, decimal for GB/T 26875.3; of the Tocsin profile the key id
    event     of EVENTS
    zone      0..9999; of GB/T the component's address
    code      raw DC-09 data in place of event and zone, or None
    text      goes with the event, or empty
    sequence  1..9999; of the Tocsin profile the counter
    now_ns    of the stamp
    key       of an encrypted frame, None: in clear; the Tocsin profile needs one
    system    type of the GB/T system, 0..255
    """

    protocol: str
    account: str
    event: str
    zone: int
    code: str | None
    text: str
    sequence: int
    now_ns: int
    key: bytes | None = None
    system: int = 1


def build(message: Message) -> bytes:
    """Return the frame.

    Raises  ValueError where it does not fit the protocol
    """
    if message.protocol == "tocsin":
        return tocsin.build(int(message.account), message.sequence, message.key or b"", message.event, message.zone,
                            message.text)
    return build_status(message) if message.protocol == "gbt26875" else build_sia(message)


def build_sia(of: Message) -> bytes:
    """Return a DC-09 frame."""
    letters = EVENTS[of.event][0]
    code = of.code or (f"N{letters}{of.zone:03d}" if letters else None)
    token = "SIA-DCS" if code is not None else "NULL"
    text = f"^{of.text}^" if of.text else ""
    data = "" if code is None else f"#{of.account}|{code}{text}"
    if of.key:
        return build_dc09(token, of.account, data.encode(), sequence=of.sequence, stamp_ns=of.now_ns, key=of.key)
    stamp = time.strftime("_%H:%M:%S,%m-%d-%Y", time.gmtime(of.now_ns // SECOND_NS))
    return frame(f'"{token}"{of.sequence:04d}L0#{of.account}[{data}]{stamp}'.encode())


def build_status(of: Message) -> bytes:
    """Return a GB/T 26875.3 frame: a status word, or nothing as a heartbeat."""
    word = EVENTS[of.event][1]
    text = of.text.encode("gb18030")
    if len(text) > TEXT_BYTES:
        raise ValueError(f"--text {of.text!r}: at most {TEXT_BYTES} bytes of GB 18030 are allowed")
    if word is None:
        data = b""
    elif of.event in SYSTEM_EVENTS:
        data = bytes([1, 1, of.system, 1]) + word.to_bytes(2, "little") + tag_bytes(of.now_ns)
    else:
        data = (bytes([2, 1, of.system, 1, COMPONENTS.get(of.event, COMPONENT_SMOKE)]) + of.zone.to_bytes(4, "little")
                + word.to_bytes(2, "little") + text.ljust(TEXT_BYTES, b"\0") + tag_bytes(of.now_ns))
    return build_gbt(COMMAND_SEND, data, serial=of.sequence, source=int(of.account), stamp_ns=of.now_ns)


def listener(protocol: str) -> Speaker:
    """Return what finds and reads clear replies of a protocol."""
    return speaker(Style(protocol=protocol), account_first=0, digits=4, count=1, run="r")


def frame_bytes(protocol: str, data: bytes) -> int:
    """Return the size of the reply that begins at data[0], 0 when more is needed, 1 when none begins there."""
    return tocsin.frame_bytes(data) if protocol == "tocsin" else listener(protocol).frame_bytes(data)


def shown(data: bytes) -> str:
    """Return bytes for people: DC-09 as text, else hex."""
    return data.hex(" ") if data.startswith((b"@@", b"\xc1")) else data.decode("latin-1").strip()


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply: its token, whether it acknowledges, and all of it in words."""

    token: str
    good: bool
    words: str


def describe(reply: bytes, protocol: str, now_ns: int, key: bytes | None = None, off_s: int = 0,
             sent: bytes = b"") -> Answer | None:
    """Return a reply in words, None when it is none.

    key    opens an encrypted one; one that it does not open is no good reply
    off_s  by how much the stamp of what was sent was off on purpose
    sent   what it may answer: in the Tocsin profile a reply proves which message that is
    """
    if protocol == "tocsin":
        told = tocsin.describe(reply, key or b"", sent)
        return Answer(*told) if told else None
    kind = listener(protocol).reply(reply, now_ns // SECOND_NS)[0]
    if kind == ReplyKind.REPLY_NONE:
        return None
    return describe_gbt(reply, now_ns) if protocol == "gbt26875" else describe_sia(reply, now_ns, key, off_s)


def describe_gbt(reply: bytes, now_ns: int) -> Answer:
    """Return a confirm or a deny in words."""
    found = read_frames(reply, now_ns)[0]
    good = reply[26] == COMMAND_CONFIRM
    meaning = "confirmed: what it carried is safe" if good else "denied: the receiver asks to send it again"
    account = int.from_bytes(reply[18:24], "little")
    second, minute, hour, day, month, year = reply[6:12]
    return Answer(
        "confirm" if good else "deny", good,
        f"{'confirm' if good else 'deny'}  {meaning}\n          serial {found['sequence']}  account {account}  "
        f"time {2000 + year}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}:{second:02d} (UTC+8)",
    )


def describe_sia(reply: bytes, now_ns: int, key: bytes | None, off_s: int) -> Answer | None:
    """Return a DC-09 reply in words, decrypted where it was encrypted."""
    found = REPLY.search(reply)
    if found is None:
        return None
    fields = {name: value.decode("latin-1") for name, value in found.groupdict().items() if value}
    token = fields.pop("token")
    starred = found[0].startswith(b'"*')
    good = token in ("ACK", "RSP")
    notes = ""
    if starred:
        fields.pop("data", None)
        opened = read_frames(reply, now_ns, key=key)[0] if key else {"status": "crypto"}
        good = good and opened["status"] == "ok"
        notes = ("\n          encrypted, opened with the key" if opened["status"] == "ok" else
                 "\n          encrypted, and the key does not open it: this proves nothing")
        if opened.get("timestamp"):
            fields["timestamp"] = str(opened["timestamp"])
    elif good and key:
        good, notes = False, "\n          in clear, though the frame was encrypted: this proves nothing"
    if token == "NAK" and "timestamp" in fields:
        ahead = clock_ahead_s(fields["timestamp"], now_ns + off_s * SECOND_NS)
        if ahead is not None:
            notes = f"\n          the stamp was {abs(ahead)} s {'ahead of' if ahead >= 0 else 'behind'} the receiver's"
    rest = "  ".join(f"{name} {value}" for name, value in fields.items())
    return Answer(token, good, f"{token}  {MEANINGS.get(token, '')}\n          {rest}{notes}")


def clock_ahead_s(timestamp: str, now_ns: int) -> int | None:
    """Return by how many s `now_ns` is ahead of a DC-09 time; None when that is no time."""
    try:
        theirs = time.strptime(timestamp + " UTC", "%H:%M:%S,%m-%d-%Y %Z")
    except ValueError:
        return None
    return now_ns // SECOND_NS - calendar.timegm(theirs)
