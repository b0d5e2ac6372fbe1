"""ANSI/SIA DC-09 taken apart for a person, sound or not; the layout is drawn in dc09.pyx.

Each hint is a check on the bytes: another checksum that fits, another length that fits, another key that opens. Nothing
here decides whether a frame is read: that is the codec's.
"""
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from codec.aes import decrypt_cbc
from codec.explained import Part, Parts, Setting, plural, span_text, zone_hint
from codec.reading import checksum

HEX = rb"[0-9A-Fa-f]"
PREAMBLE = re.compile(rb"\n(?:(?P<hex>%b{4})|(?P<raw>[\x00-\xff]{2}))0(?P<length>%b{3})\"" % (HEX, HEX))
STAMP = re.compile(rb"(\d\d):(\d\d):(\d\d),(\d\d)-(\d\d)-(\d{4})")
CLOSING = re.compile(rb"\](?=[\[_]|\Z)")
FRAME_BYTES_MAX = 4106
KEY_BYTES = (16, 24, 32)

TOKENS = {
    b"NULL": "link test (heartbeat)", b"XNM": "extended link test (heartbeat)", b"SIA-DCS": "events in SIA DC-03 codes",
    b"ADM-CID": "events in Contact ID codes (DC-05)", b"ACK": "reply: accepted",
    b"NAK": "reply: refused, with our time",
    b"DUH": "reply: sound, but not understood", b"RSP": "reply: accepted, with a command for the site",
}
OTHER_TOKENS = (b"SIA-PUL", b"ACR-SF", b"ADM-41E", b"ADM-42E", b"ADM-HS", b"DSC-43", b"FBI-SF", b"ITI-I", b"SCN-S8",
                b"SCN-S16", b"SCN-S24", b"SCT", b"SES-SS", b"SIA-S2K", b"SK-FSK1", b"SK-FSK2")
EXTENDED = {
    "A": "authentication hash", "C": "supervision category", "G": "network path", "H": "time of occurrence",
    "I": "alarm text", "J": "network path, or JSON", "K": "encryption key", "L": "location", "M": "MAC address",
    "N": "network address", "O": "building", "P": "programming data", "R": "room", "S": "site", "T": "alarm trigger",
    "V": "verification", "X": "longitude", "Y": "latitude", "Z": "altitude",
}


# ---- checksums that others compute -----------------------------------------------------------------------------

def make_table(polynomial: int, reflected: bool) -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte if reflected else byte << 8
        for _ in range(8):
            if reflected:
                crc = crc >> 1 ^ (polynomial if crc & 1 else 0)
            else:
                crc = crc << 1 ^ (polynomial if crc & 0x8000 else 0)
        table.append(crc & 0xFFFF)
    return tuple(table)


ARC, CCITT, KERMIT = make_table(0xA001, True), make_table(0x1021, False), make_table(0x8408, True)


def crc_reflected(table: tuple[int, ...], crc: int, data: bytes) -> int:
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc


def crc_forward(table: tuple[int, ...], crc: int, data: bytes) -> int:
    for byte in data:
        crc = (crc << 8 & 0xFFFF) ^ table[crc >> 8 ^ byte]
    return crc


OTHER_CHECKSUMS: tuple[tuple[str, Callable[[bytes], int]], ...] = (
    ("CRC-16/CCITT (start FFFF): wrong polynomial", lambda data: crc_forward(CCITT, 0xFFFF, data)),
    ("CRC-16/XMODEM (CCITT, start 0): wrong polynomial", lambda data: crc_forward(CCITT, 0, data)),
    ("CRC-16/KERMIT (CCITT, reflected): wrong polynomial", lambda data: crc_reflected(KERMIT, 0, data)),
    ("CRC-16/X-25: wrong polynomial", lambda data: crc_reflected(KERMIT, 0xFFFF, data) ^ 0xFFFF),
    ("CRC-16/MODBUS: right polynomial, wrong start value FFFF", lambda data: crc_reflected(ARC, 0xFFFF, data)),
    ("a plain sum of the bytes", lambda data: sum(data) & 0xFFFF),
)


def swapped(crc: int) -> int:
    return crc >> 8 | (crc & 0xFF) << 8


def recoded(body: bytes, sent: int) -> str | None:
    """The charset from which `body` was re-encoded as UTF-8 on its way, if the checksum proves it."""
    if body.isascii():
        return None
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    for charset in ("latin-1", "cp1252"):
        try:
            before = text.encode(charset)
        except UnicodeEncodeError:
            continue
        if checksum(before) == sent:
            return charset
    return None


def checksum_hints(frame: bytes, body_at: int, body: bytes, sent: int) -> Iterator[str]:
    """Say how the checksum that was sent may have come about; `body` without its CR."""
    fits = list(fitting_checksums(frame, body_at, body, sent))
    if sent == 0 and not fits:
        fits.append("it is zero: the transmitter computes none")
    yield from fits or ["no other checksum that is known fits: bytes were changed after it was computed"]


def fitting_checksums(frame: bytes, body_at: int, body: bytes, sent: int) -> Iterator[str]:
    if checksum(body + b"\r") == sent:
        yield "it would fit if the CR were counted"
    if swapped(checksum(body)) == sent:
        yield "byte order swapped: it would fit with its two bytes exchanged"
    if checksum(body[1:]) == sent:
        yield "it would fit without the first quote"
    if checksum(frame[body_at - 4:body_at] + body) == sent:
        yield "it would fit if the length field were counted"
    if checksum(frame[body_at - 4:body_at] + body + b"\r") == sent:
        yield "it would fit if the length field and the CR were counted"
    for name, compute in OTHER_CHECKSUMS:
        value = compute(body)
        if sent in (value, swapped(value)):
            yield f"it would fit as {name}"
    if charset := recoded(body, sent):
        yield f"text was decoded as {charset} and re-encoded as UTF-8 on its way: with its bytes restored it fits"
    for name, other in (("upper", body.upper()), ("lower", body.lower())):
        if other != body and checksum(other) == sent:
            yield f"it would fit in {name} case: letters were changed after it was computed"
    if body.endswith(b" ") and checksum(body.rstrip(b" ")) == sent:
        yield "it would fit without the blanks at the end"


# ---- the frame -------------------------------------------------------------------------------------------------

def explain(data: bytes, setting: Setting) -> list[Part]:
    """Take the frame that begins at data[0] apart, as far as it goes.

    data    from its LF on; where another frame or nothing follows it, up to there
    Cost    some twenty passes over at most 4106 bytes
    """
    data = data[:FRAME_BYTES_MAX]
    parts = Parts(data)
    head = PREAMBLE.match(data)
    parts.add(0, 1, "LF", "a frame begins")
    if head is None:
        parts.add(1, len(data), "preamble", "checksum, length and a quote should stand here",
                  "no frame begins like this, or it ends here")
        return parts.found
    at, length = head.end() - 1, int(head["length"], 16)
    sent = int(head["hex"], 16) if head["hex"] else int.from_bytes(head["raw"], "big")
    end, length_faults = end_of_body(data, at, length)
    body = data[at:end]
    computed = [checksum(body), checksum(body + b"\r")]
    form = "" if head["hex"] else ", as 2 raw bytes (accepted)"
    if len(data) < at + length:
        parts.add(1, at - 4, "checksum", f"sent {sent:04X}{form}; not checked: the frame is not all there")
    elif sent == computed[0]:
        parts.add(1, at - 4, "checksum", f"{sent:04X}, right{form}")
    elif sent == computed[1] and not length_faults:
        parts.add(1, at - 4, "checksum", f"{sent:04X}, right if the CR is counted (accepted){form}")
    else:
        parts.add(1, at - 4, "checksum", f"over the first quote to the last byte before CR{form}",
                  f"sent {sent:04X}, computed {computed[0]:04X}", *checksum_hints(data, at, body, sent))
    if length_faults and sent in computed:
        length_faults.append("the checksum fits what is up to CR: only the length is wrong")
    parts.add(at - 4, at, "length", f"0x{length:X}: {plural(length, 'byte')} of body", *length_faults)
    explain_body(parts, at, end, setting)
    if data[end:end + 1] == b"\r":
        parts.add(end, end + 1, "CR", "the frame ends")
    else:
        parts.add(end, end, "CR", "the frame ends", "there is none")
    return parts.found


def end_of_body(data: bytes, at: int, length: int) -> tuple[int, list[str]]:
    """Return where the body ends (its CR, where there is one), and what is wrong with the length."""
    end = at + length
    if data[end - 1:end] == b"\r" and length:
        return end - 1, []
    if data[end:end + 1] == b"\r":
        return end, []
    carriage = data.find(b"\r", at)
    if carriage < 0:
        there = len(data) - at
        if there >= length + 1:
            return end, [f"no CR where it says the frame ends, and none behind it; byte {data[end]:02x} stands there"]
        missing = length + 1 - there
        return len(data), [f"it says 0x{length:X} ({length}), and {plural(there, 'byte')} of body came: "
                           f"{plural(missing, 'byte')} missing, CR included"]
    actual = carriage - at
    faults = [f"it says 0x{length:X} ({length}), the frame has 0x{actual:X} ({actual}) bytes up to CR"]
    digits = data[at - 3:at]
    if digits.isdigit() and int(digits) == actual:
        faults.append("it would fit in decimal: it must be hexadecimal")
    for extra, what in ((at, "everything before the body were counted"), (at + 1, "the whole frame were counted"),
                        (4, "the length field were counted"), (-2, "the quotes of the token were not counted")):
        if length == actual + extra:
            faults.append(f"it would fit if {what}")
    body = data[at:carriage]
    try:
        characters = len(body.decode("utf-8"))
    except UnicodeDecodeError:
        characters = actual
    if characters != actual and characters == length:
        faults.append("it counts characters, not bytes: text was re-encoded as UTF-8 on its way, or is counted wrongly")
    return carriage, faults


def explain_body(parts: Parts, at: int, end: int, setting: Setting) -> None:
    """Read token, sequence, numbers and account, then what is behind the bracket; goes on over what is wrong."""
    data = parts.data
    closing = data.find(b'"', at + 1, min(end, at + 64))
    if closing < 0:
        parts.add(at, end, "token", "between quotes", "no second quote follows: nothing can be read")
        return
    token = data[at + 1:closing]
    star, name = token.startswith(b"*"), token.removeprefix(b"*")
    faults = []
    if not 1 <= len(name) <= 16:
        faults.append(f"it has {plural(len(name), 'character')}; 1 to 16 are read")
    meaning = TOKENS.get(name, "data of another kind: kept as it came" if name in OTHER_TOKENS
                         else "not in the standard: acknowledged and kept as it came")
    if name.upper() != name and name.upper() in (*TOKENS, *OTHER_TOKENS):
        faults.append("it must be in upper case")
    parts.add(at, closing + 1, "token", meaning + (", encrypted" if star else ""), *faults)
    at = closing + 1
    sequence = data[at:min(at + 4, end)]
    parts.add(at, min(at + 4, end), "sequence", "echoed in the reply",
              *([] if len(sequence) == 4 and sequence.isdigit() and sequence.isascii()
                else [f"4 decimal digits should stand here{', not ' + ascii(sequence.decode('latin-1'))}"]))
    at = min(at + 4, end)
    opening = data.find(b"[", at, end)
    explain_numbers(parts, at, opening if opening >= 0 else end, name)
    if opening < 0:
        parts.add(end, end, "[", "the data begins", "there is none: nothing behind the account can be read")
        return
    account = next((part.data[1:] for part in parts.found if part.name == "account"), b"")
    parts.add(opening, opening + 1, "[", "the data begins")
    if star:
        explain_sealed(parts, opening + 1, end, setting)
        if not account and name not in (b"ACK", b"NAK", b"DUH", b"RSP"):
            parts.add(opening, opening, "account", "#, 3 to 16 characters", "an encrypted frame must name it in clear")
        return
    text = Parts(data[:end])
    explain_text(text, opening, account, setting, False, name)
    parts.found += text.found


def explain_numbers(parts: Parts, at: int, end: int, token: bytes) -> None:
    """Read R, L and the account in data[at:end]."""
    data = parts.data
    if token == b"NAK":
        parts.add(at, end, "header", "of a NAK; not read")
        return
    for letter, name in ((b"R", "receiver"), (b"L", "line")):
        if data[at:min(at + 1, end)] == letter:
            found = re.compile(rb"%b*" % HEX).match(data, at + 1, end)
            stop = found.end() if found else at + 1
            digits = stop - at - 1
            parts.add(at, stop, name, "number, mirrored in the reply" if digits else "empty: counts as missing",
                      *([f"{digits} hex digits; at most 6 are read"] if digits > 6 else []))
            at = stop
        elif name == "line":
            parts.add(at, at, name, "missing (accepted); the reply says L0")
    if data[at:min(at + 1, end)] == b"#":
        parts.add(at, end, "account", data[at + 1:end].upper().decode("ascii", "backslashreplace")
                  if end > at + 1 else "empty", *account_faults(data[at + 1:end]))
    elif at < end:
        parts.add(at, end, "unread", "R, L, # or [ should stand here",
                  "this is none of them: the header cannot be read")


def account_faults(account: bytes) -> list[str]:
    faults = []
    if account and not 3 <= len(account) <= 16:
        faults.append(f"account has {plural(len(account), 'digit')}; 3 to 16 are read")
    if wrong := re.sub(rb"[0-9A-Za-z._+*-]", b"", account):
        faults.append(f"account holds {wrong[:8].decode('ascii', 'backslashreplace')!r}; letters, digits and - . _ + *"
                      " are read")
    return faults


# ---- data, extended data, stamp ---------------------------------------------------------------------------------

def explain_text(parts: Parts, opening: int, account: bytes, setting: Setting, sealed: bool, token: bytes) -> None:
    """Read what stands behind the bracket at `opening`, to the end of parts.data."""
    data, at = parts.data, opening + 1
    closing = closing_bracket(data, at)
    if closing < 0:
        parts.add(at, len(data), "data", "between brackets", "no closing bracket: nothing of it can be read")
        return
    inner = data[at:closing]
    found = re.match(rb"#([^|]*)(\||\Z)", inner)
    if found:
        inside, faults = found[1], []
        if account and inside.upper() != account.upper():
            faults.append("it is not the account of the header, which counts")
        elif not account:
            faults += account_faults(inside)
        parts.add(at, at + found.end(), "account", f"in the data: {inside.decode('ascii', 'backslashreplace')}",
                  *faults)
        at += found.end()
    elif not account and token not in (b"ACK", b"NAK", b"DUH", b"RSP") and not re.match(rb"[0-9A-Za-z]{3,16}\|", inner):
        parts.add(at, at, "account", "#, 3 to 16 characters", "neither header nor data names one")
    parts.add(at, closing + 1, "data", "events; see the signals below" if closing > at else "empty")
    at = closing + 1
    while data[at:at + 1] == b"[":
        closing = closing_bracket(data, at + 1)
        if closing < 0:
            parts.add(at, len(data), "extended", "extended data", "no closing bracket")
            return
        letter = data[at + 1:at + 2].decode("latin-1")
        parts.add(at, closing + 1, "extended", EXTENDED.get(letter, "unknown id: kept as it came")
                  if letter else "empty")
        at = closing + 1
    if at == len(data):
        if not sealed:
            parts.add(at, at, "stamp", "absent, as a clear frame may")
    elif data[at:at + 1] == b"_":
        explain_stamp(parts, at, setting, sealed)
    else:
        parts.add(at, len(data), "tail", "passed over")


def closing_bracket(data: bytes, at: int) -> int:
    found = CLOSING.search(data, at)
    return found.start() if found else data.rfind(b"]", at)


def seconds_of(text: bytes) -> int | None:
    """Seconds since 1970 of HH:MM:SS,MM-DD-YYYY, or None."""
    found = STAMP.fullmatch(text)
    if not found:
        return None
    hour, minute, second, month, day, year = map(int, found.groups())
    try:
        return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
    except ValueError:
        return None


def explain_stamp(parts: Parts, at: int, setting: Setting, sealed: bool) -> None:
    text = parts.data[at + 1:at + 20]
    seconds = seconds_of(text)
    if seconds is None:
        faults = ["it is no time, and counts as absent"]
        found = STAMP.fullmatch(text)
        if found and seconds_of(b"%b:%b:%b,%b-%b-%b" % (found[1], found[2], found[3], found[5], found[4], found[6])):
            faults.append("day and month are exchanged: it must be MM-DD-YYYY")
        parts.add(at, len(parts.data), "stamp", "UTC, HH:MM:SS,MM-DD-YYYY", *faults)
        return
    ahead = seconds - setting.now_ns // 1_000_000_000
    past, future = setting.window
    where = f"{span_text(ahead)} {'ahead' if ahead > 0 else 'behind'}" if ahead else "to the second"
    if -past <= ahead <= future:
        parts.add(at, at + 20, "stamp", f"UTC; {where}, inside the window")
    elif not sealed and not setting.check_clear_stamps:
        parts.add(at, at + 20, "stamp", f"UTC; {where}; of a clear frame it is not checked")
    else:
        faults = [f"it is {where}: outside the window of {past if ahead < 0 else future} s; the receiver answers NAK "
                  "with its time"]
        if hint := zone_hint(ahead, "UTC"):
            faults.append(f"{hint} The stamp must be UTC")
        parts.add(at, at + 20, "stamp", "UTC, the transmitter's clock", *faults)
    if len(parts.data) > at + 20:
        parts.add(at + 20, len(parts.data), "tail", "behind the stamp; passed over")


# ---- encrypted frames --------------------------------------------------------------------------------------------

def explain_sealed(parts: Parts, at: int, end: int, setting: Setting) -> None:
    """Say why a frame does not open, or add what was in it; the offsets of those parts are in the decrypted text."""
    digits = parts.data[at:end]
    faults = []
    if wrong := re.search(rb"[^0-9A-Fa-f]", digits):
        faults.append(f"byte {wrong[0].hex()} at {at + wrong.start()} is no hex digit")
        if b"]" in digits:
            faults.append("a ']' in clear: the closing bracket belongs into the encrypted part")
    elif not digits or len(digits) % 32:
        faults.append(f"{plural(len(digits), 'hex digit')}: whole blocks are multiples of 32")
    if not faults and setting.key is None:
        faults.append("no key is known: it cannot be opened")
    if faults or setting.key is None:
        parts.add(at, end, "ciphertext", "AES-CBC in hex digits", *faults)
        return
    sealed = bytes.fromhex(digits.decode())
    plain = decrypt_cbc(setting.key, sealed)
    if stamp_at(plain) is None:
        parts.add(at, end, "ciphertext", "AES-CBC in hex digits", *key_hints(setting.key, sealed, plain))
        return
    parts.add(at, end, "ciphertext", f"AES-{8 * len(setting.key)}-CBC, {plural(len(sealed), 'byte')}; it opens")
    add_plain(parts, plain, setting)


def decrypt_each_block(key: bytes, sealed: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()
    return decryptor.update(sealed) + decryptor.finalize()


def stamp_at(plain: bytes) -> int | None:
    """Where the last "]_" with a time behind it stands: the proof that a key is the right one."""
    at = len(plain)
    while (at := plain.rfind(b"]_", 0, at)) >= 0:
        if seconds_of(plain[at + 2:at + 21]) is not None:
            return at
    return None


def key_hints(key: bytes, sealed: bytes, plain: bytes) -> Iterator[str]:
    """Say what is wrong with a key that does not open `sealed`, by trying the mistakes that people make."""
    tail = plain[16:]
    if tail and sum(32 <= byte < 127 for byte in tail) >= len(tail) - 16 and b"]" in plain:
        yield "it decrypts to text, but without a stamp, which an encrypted frame must have (_HH:MM:SS,MM-DD-YYYY)"
        return
    for other, what in other_keys(key):
        if len(other) in KEY_BYTES and other != key and stamp_at(decrypt_cbc(other, sealed)) is not None:
            yield f"it opens with another key: {what}"
            return
    if stamp_at(decrypt_each_block(key, sealed)) is not None:
        yield "it opens block by block: the transmitter uses ECB where CBC is asked for"
        return
    yield f"decrypts to noise under this key of {8 * len(key)} bits: wrong key"


def other_keys(key: bytes) -> Iterator[tuple[bytes, str]]:
    yield key.hex().upper().encode(), "the transmitter took the hex digits as ASCII characters (upper case)"
    yield key.hex().encode(), "the transmitter took the hex digits as ASCII characters (lower case)"
    if re.fullmatch(rb"(?:%b%b)+" % (HEX, HEX), key):
        yield bytes.fromhex(key.decode()), "the key here is ASCII, the transmitter's the same characters as hex"
    yield key[::-1], "its bytes are in reverse order"
    yield key.swapcase(), "its letters are in the other case"
    for size in KEY_BYTES:
        yield key[:size], f"only its first {size} bytes"
        yield key.ljust(size, b"\0"), f"filled up with zero bytes to {size}"
        yield key.ljust(size, b"0"), f"filled up with the character 0 to {size}"


def add_plain(parts: Parts, plain: bytes, setting: Setting) -> None:
    """Add the parts of a decrypted text that holds a stamp."""
    stamp = stamp_at(plain)
    assert stamp is not None
    found = re.search(rb"\||(?=\][\[_])", plain)
    begin = found.start() if found else 0
    bar = plain[begin:begin + 1] == b"|"
    inside = Parts(plain[:stamp + 21])
    inside.add(0, begin + bar, "pad", plural(begin, "byte") + ("" if bar else "; no bar behind it (accepted)"))
    account = next((part.data[1:] for part in parts.found if part.name == "account"), b"")
    explain_text(inside, begin if bar else begin - 1, account, setting, True, b"")
    if len(plain) > stamp + 21:
        inside.found.append(Part(stamp + 21, plain[stamp + 21:], "tail", "behind the stamp; passed over"))
    parts.found += [Part(part.at, part.data, part.name, part.meaning, part.faults, True) for part in inside.found]
