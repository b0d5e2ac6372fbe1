"""What a group of like transmitters says: the templates of its frames, its keys and its clocks, made once for a run."""

import hashlib
import random
from dataclasses import dataclass

from codec.tocsin_plain import REPORT
from loadgen import tocsin
from loadgen.client import Close, FieldKind, Speaker

STAMP_BYTES = 20
NUMBER_DIGITS = 9
GBT_TEXT_BYTES = 31
KEY_BYTES = 16
COMPONENT_SMOKE = 40
FIRE_BIT = 0x0002
PROTOCOLS = ("dc09", "gbt26875", "tocsin")
DC09_HEARTBEATS = ("null", "xnm", "ajax", "pyronix")
GBT_HEARTBEATS = ("empty", "byte", "status", "time", "vendor")
HEARTBEATS = {"dc09": DC09_HEARTBEATS, "gbt26875": GBT_HEARTBEATS, "tocsin": ("empty",)}

Part = bytes | tuple[int, int]  # bytes as they are, or a field: (FieldKind, bytes)
Shape = tuple[bytes, list[tuple[int, int, int]], int]


@dataclass(frozen=True, slots=True)
class Style:
    """How a group speaks; the habits are those that receivers meet in the field.

    protocol      one of PROTOCOLS
    encrypted     DC-09 only
    heartbeat     one of HEARTBEATS of the protocol
    checksum      DC-09: "hex" or "binary"
    over_end      DC-09: the checksum takes the CR in
    line          DC-09: the L field is there
    receiver      DC-09: an R field is there
    header_account  DC-09: the account stands in the header, not only in the data; without it: one transmitter
    stamp         DC-09: frames carry their time
    extended      DC-09: signals carry a field behind the data
    tail          DC-09: a NUL follows the frame
    tags          GB/T: "binary", "bcd" or "none" for the objects; the header's is bcd or binary
    serial        GB/T: "little" or "big"
    """

    protocol: str = "dc09"
    encrypted: bool = False
    heartbeat: str = ""
    checksum: str = "hex"
    over_end: bool = False
    line: bool = True
    receiver: bool = False
    header_account: bool = True
    stamp: bool = True
    extended: bool = False
    tail: bool = False
    tags: str = "binary"
    serial: str = "little"

    @property
    def plain(self) -> bool:
        """Whether the plain DC-09 writer says it all."""
        return self in (Style(), Style(heartbeat="null"))

    @property
    def keyed(self) -> bool:
        """Whether each transmitter has a key."""
        return self.encrypted or self.protocol == "tocsin"


def check_style(style: Style) -> None:
    """Raises  ValueError with a line that names the habit that does not go with the others"""
    allowed = HEARTBEATS.get(style.protocol, ())
    choices = (("protocol", style.protocol, PROTOCOLS), ("heartbeat", style.heartbeat, ("", *allowed)),
               ("checksum", style.checksum, ("hex", "binary")), ("tags", style.tags, ("binary", "bcd", "none")),
               ("serial", style.serial, ("little", "big")))
    for name, value, of in choices:
        if value not in of:
            raise ValueError(f"{name} {value!r}: one of {', '.join(filter(None, of))} is allowed")
    if style.encrypted and (style.protocol != "dc09" or not style.stamp or not style.header_account):
        raise ValueError("encrypted: DC-09 with its stamp and the account in the header is needed")
    if not style.header_account and style.heartbeat != "ajax":
        raise ValueError('header_account = false: heartbeat = "ajax" is needed, whose data holds the account')


def join(parts: list[Part], plain_at: int = 0) -> Shape:
    """Return the parts as a template; `plain_at` counts parts."""
    text, fields, at = b"", [], 0
    for number, part in enumerate(parts):
        at = len(text) if number == plain_at else at
        if isinstance(part, bytes):
            text += part
        else:
            kind, size = part
            fields.append((len(text), int(kind), size))
            text += bytes(size)
    return text, fields, at


def dc09_shape(style: Style, digits: int, token: str, data: list[Part], extended: bytes = b"") -> Shape:
    """Return the body of a DC-09 frame, from its first quote on."""
    account: Part = (FieldKind.FIELD_ACCOUNT, digits)
    header: list[Part] = [f'"{"*" if style.encrypted else ""}{token}"'.encode(), (FieldKind.FIELD_SEQUENCE, 4)]
    header.append((b"R1" if style.receiver else b"") + (b"L0" if style.line else b"")
                  + (b"#" if style.header_account else b""))
    header += [account] if style.header_account else []
    rest: list[Part] = [b"|" if style.encrypted else b"", *data, b"]" + extended]
    rest += [(FieldKind.FIELD_STAMP, STAMP_BYTES)] if style.stamp else []
    parts: list[Part] = [*header, b"[", *rest]
    return join(parts, len(header) + 1 if style.encrypted else 0)


def dc09_shapes(style: Style, digits: int, run: str) -> tuple[Shape, Shape]:
    """Return heartbeat and signal of a DC-09 group."""
    account: Part = (FieldKind.FIELD_ACCOUNT, digits)
    bar: list[Part] = [b"#", account, b"|"]
    heartbeats: dict[str, tuple[str, list[Part]]] = {
        "": ("NULL", []), "null": ("NULL", []), "xnm": ("XNM", []),
        "ajax": ("SIA-DCS", [*bar, b"Nri0/RP0000"]), "pyronix": ("ADM-CID", [*bar, b"1602 00 000"]),
    }
    fire: list[Part] = [*bar, b"NFA", (FieldKind.FIELD_ZONE, 4), f"^{run}-".encode(),
                        (FieldKind.FIELD_NUMBER, NUMBER_DIGITS), b"^"]
    extended = b"[X012E22.3456][Y48N51.1234]" if style.extended else b""
    token, data = heartbeats[style.heartbeat]
    return dc09_shape(style, digits, token, data), dc09_shape(style, digits, "SIA-DCS", fire, extended)


def gbt_shape(style: Style, data: list[Part]) -> Shape:
    """Return a GB/T 26875.3 frame up to its checksum."""
    size = sum(len(part) if isinstance(part, bytes) else part[1] for part in data)
    serial = FieldKind.FIELD_SERIAL_HIGH if style.serial == "big" else FieldKind.FIELD_SERIAL_LOW
    tag = FieldKind.FIELD_TAG_BCD if style.tags == "bcd" else FieldKind.FIELD_TAG
    head: list[Part] = [b"@@", (serial, 2), b"\x01\x01", (tag, 6), (FieldKind.FIELD_ACCOUNT_LOW, 6), bytes(6),
                        size.to_bytes(2, "little"), b"\x02"]
    return join([*head, *data], -1)


def gbt_shapes(style: Style, run: str) -> tuple[Shape, Shape]:
    """Return heartbeat and signal of a GB/T 26875.3 group.

    A status word is a level, so that a second fire of one component would be nothing new: each signal has a component
    of its own, whose address is its number.
    """
    kind = FieldKind.FIELD_TAG_BCD if style.tags == "bcd" else FieldKind.FIELD_TAG
    tag: list[Part] = [] if style.tags == "none" else [(kind, 6)]
    heartbeats: dict[str, list[Part]] = {
        "": [], "empty": [], "byte": [b"\x16"], "status": [b"\x15\x01\x01", *tag], "time": [b"\x1c\x01", (kind, 6)],
        "vendor": [b"\xbe\x01\x00"],
    }
    text = f"{run}-".encode()
    filler = GBT_TEXT_BYTES - len(text) - NUMBER_DIGITS
    if filler < 0:
        raise ValueError(f"run {run!r}: too long for the text of a component")
    fire = [b"\x02\x01\x01\x01", bytes([COMPONENT_SMOKE]), (FieldKind.FIELD_NUMBER_LOW, 4),
            FIRE_BIT.to_bytes(2, "little"), text, (FieldKind.FIELD_NUMBER, NUMBER_DIGITS), bytes(filler), *tag]
    return gbt_shape(style, heartbeats[style.heartbeat]), gbt_shape(style, fire)


def tocsin_shape(body: list[Part]) -> Shape:
    """Return a message of the Tocsin profile up to its tag; length and checksum are filled in with it."""
    return join([b"\xc1\0\0", bytes([REPORT]), (FieldKind.FIELD_KEY_ID, 3), (FieldKind.FIELD_COUNTER, 4),
                 bytes(2), *body], -1)


def tocsin_shapes(run: str) -> tuple[Shape, Shape]:
    """Return heartbeat and signal of a group of the Tocsin profile: nothing, and one item with zone and text."""
    text = f"{run}-".encode()
    fire: list[Part] = [b"\x97\xc0\x01\x01\x01\xa4", (FieldKind.FIELD_ZONE, 4), b"\xc0\xd9",
                        bytes([len(text) + NUMBER_DIGITS]), text, (FieldKind.FIELD_NUMBER, NUMBER_DIGITS)]
    return tocsin_shape([]), tocsin_shape(fire)


def key_of(secret: bytes, account: str, size: int = KEY_BYTES) -> bytes:
    """Return a transmitter's key: BLAKE2s of its account under the fleet's secret, so many bytes."""
    return hashlib.blake2s(account.encode(), key=secret[:32], digest_size=size, person=b"tocsinlg").digest()


def account_of(style: Style, number: int, digits: int) -> str:
    """Return an account as the engine has it: decimal but in DC-09."""
    return f"{number:0{digits}X}" if style.protocol == "dc09" else str(number)


def keys_of(style: Style, secret: bytes, first: int, digits: int, count: int) -> list[bytes]:
    """Return the keys of `count` transmitters from the number `first` on."""
    size = tocsin.KEY_BYTES if style.protocol == "tocsin" else KEY_BYTES
    return [key_of(secret, account_of(style, number, digits), size) for number in range(first, first + count)]


def clocks_of(seed: int, spread_s: float, count: int) -> list[int] | None:
    """Return by how many s each transmitter's clock is ahead: normal with that deviation, cut at three of them."""
    if not spread_s:
        return None
    draw = random.Random(seed)
    return [round(max(-3 * spread_s, min(3 * spread_s, draw.gauss(0, spread_s)))) for _ in range(count)]


def speaker(style: Style, *, account_first: int, digits: int, count: int, run: str, secret: bytes = b"",
            clock_spread_s: float = 0.0, seed: int = 0, counter_first: int = 0) -> Speaker:
    """Return what the group says.

    Raises  ValueError where the style does not hold together
    """
    check_style(style)
    if style.protocol == "tocsin" and clock_spread_s:
        raise ValueError("clock_spread: none is allowed, since messages of the Tocsin profile carry no time")
    if not style.header_account and count != 1:
        raise ValueError("header_account = false: one transmitter is allowed, since its replies name none")
    if style.protocol == "gbt26875":
        (heartbeat, signal), close = gbt_shapes(style, run), Close.CLOSE_SUM
    elif style.protocol == "tocsin":
        (heartbeat, signal), close = tocsin_shapes(run), Close.CLOSE_TAG
    else:
        (heartbeat, signal) = dc09_shapes(style, digits, run)
        close = Close.CLOSE_BINARY if style.checksum == "binary" else Close.CLOSE_HEX
    return Speaker(
        heartbeat, signal, close=int(close), tail=style.tail, over_end=style.over_end,
        serial_high=style.serial == "big", account_first=account_first, count=count,
        keys=keys_of(style, secret, account_first, digits, count) if style.keyed else None,
        clocks=clocks_of(seed, clock_spread_s, count), counter_first=counter_first,
    )
