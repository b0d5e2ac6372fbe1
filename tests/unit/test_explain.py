"""Frames taken apart for a person: every hint is provoked by bytes that deserve it, and nothing else is said."""
import re

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from codec.aes import encrypt_cbc
from codec.explain import explain
from codec.explain_dc09 import CCITT, crc_forward
from codec.explained import Setting, span_text
from codec.gbt26875_downlink import build_frame as build_gbt
from codec.gbt26875_downlink import tag_bytes
from codec.reading import build_frame, checksum, enclose, read_frames

NOON_NS = 1_767_268_800 * 10**9  # 2026-01-01 12:00:00 UTC
SECOND = 10**9
KEY = bytes(range(16))
FIRE = build_frame("SIA-DCS", "1234", b"#1234|Nri1/FA017", receiver="1", stamp_ns=NOON_NS)
BODY = FIRE[9:-1]
NOW = Setting(NOON_NS)


def only(data: bytes, setting: Setting = NOW):
    found = explain(data, setting)
    assert len(found) == 1, [each.title for each in found]
    return found[0]


def faults(data: bytes, setting: Setting = NOW) -> str:
    """Everything that is said to be wrong with the first thing in `data`."""
    first = explain(data, setting)[0]
    return "\n".join([*(fault for part in first.parts for fault in part.faults), *first.hints])


def with_checksum(crc: int, body: bytes = BODY) -> bytes:
    return b"\n%04X0%03X%b\r" % (crc, len(body), body)


def with_length(length: int, body: bytes = BODY) -> bytes:
    return b"\n%04X0%03X%b\r" % (checksum(body), length, body)


def reflected(body: bytes, crc: int, polynomial: int) -> int:
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (polynomial if crc & 1 else 0)
    return crc


TEXT = '"SIA-DCS"0001L0#1234[#1234|Nri1/FA017^K\u00fcche^]'
PLAIN_LENGTH = len(BODY)


@pytest.mark.parametrize(("data", "said"), [
    (with_checksum(0xA1B2), f"sent A1B2, computed {checksum(BODY):04X}"),
    (with_checksum(0xA1B2), "no other checksum that is known fits"),
    (with_checksum(0), "it is zero"),
    (with_checksum(checksum(BODY) >> 8 | (checksum(BODY) & 0xFF) << 8), "byte order swapped"),
    (with_checksum(checksum(BODY[1:])), "without the first quote"),
    (with_checksum(checksum(b"0%03X" % len(BODY) + BODY)), "if the length field were counted"),
    (with_checksum(checksum(b"0%03X" % len(BODY) + BODY + b"\r")), "if the length field and the CR were counted"),
    (with_checksum(crc_forward(CCITT, 0xFFFF, BODY)), "CRC-16/CCITT (start FFFF): wrong polynomial"),
    (with_checksum(crc_forward(CCITT, 0, BODY)), "CRC-16/XMODEM"),
    (with_checksum(reflected(BODY, 0, 0x8408)), "CRC-16/KERMIT"),
    (with_checksum(reflected(BODY, 0xFFFF, 0x8408) ^ 0xFFFF), "CRC-16/X-25"),
    (with_checksum(reflected(BODY, 0xFFFF, 0xA001)), "CRC-16/MODBUS"),
    (with_checksum(sum(BODY) & 0xFFFF), "plain sum"),
    (with_checksum(checksum(BODY.upper()), BODY.replace(b"ri", b"RI").lower()), "in upper case"),
    (with_checksum(checksum(BODY), BODY + b" "), "without the blanks at the end"),
    (with_checksum(checksum(TEXT.encode("latin-1")), TEXT.encode()), "decoded as latin-1 and re-encoded as UTF-8"),
    (with_checksum(checksum(TEXT.replace("ü", "€").encode("cp1252")), TEXT.replace("ü", "€").encode()),
     "decoded as cp1252 and re-encoded as UTF-8"),
    (b"\n%04X0%03X%b\r" % (checksum(BODY + b"\r"), len(BODY) + 2, BODY) + b"x", "it would fit if the CR were counted"),
    (with_length(0x27), f"it says 0x27 (39), the frame has 0x{PLAIN_LENGTH:X} ({PLAIN_LENGTH}) bytes up to CR"),
    (with_length(0x27), "the checksum fits what is up to CR: only the length is wrong"),
    (b"\n%04X0%03d%b\r" % (checksum(BODY), len(BODY), BODY) + b"x" * 80, "it would fit in decimal"),
    (with_length(len(BODY) + 9) + b"x" * 40, "everything before the body were counted"),
    (with_length(len(BODY) + 10) + b"x" * 40, "the whole frame were counted"),
    (with_length(len(BODY) + 4) + b"x" * 40, "the length field were counted"),
    (with_length(len(BODY) - 2), "the quotes of the token were not counted"),
    (with_length(len(TEXT), TEXT.replace("K", "\u00e4").encode()), "it counts characters, not bytes"),
    (FIRE[:40], f"{len(FIRE) - 40} bytes missing, CR included"),
    (FIRE[:-1] + b"x" * 80, "no CR where it says the frame ends"),
    (FIRE[:-1] + b"x" * 80, "there is none"),
    (enclose(b'"SIA-DCS"0001L0#12[NFA1]'), "account has 2 digits; 3 to 16 are read"),
    (enclose(b'"SIA-DCS"0001L0#12 4[NFA1]'), "account holds ' '"),
    (enclose(b'"SIA-DCS"0001L0[NFA1]'), "neither header nor data names one"),
    (enclose(b'"SIA-DCS"0001L0[#12|NFA1]'), "account has 2 digits"),
    (enclose(b'"SIA-DCS"0001L0#1234[#9999|NFA1]'), "it is not the account of the header"),
    (enclose(b'"SIA-DCS"00A1L0#1234[NFA1]'), "4 decimal digits should stand here, not '00A1'"),
    (enclose(b'"SIA-DCS"0001L1234567#1234[NFA1]'), "7 hex digits; at most 6 are read"),
    (enclose(b'"SIA-DCS"0001X0#1234[NFA1]'), "this is none of them"),
    (enclose(b'"SIA-DCS"0001L0#1234 NFA1'), "nothing behind the account can be read"),
    (enclose(b'"SIA-DCS"0001L0#1234[NFA1'), "no closing bracket"),
    (enclose(b'"SIA-DCS 0001L0#1234[NFA1]'), "no second quote follows"),
    (enclose(b'""0001L0#1234[NFA1]'), "it has 0 characters"),
    (enclose(b'"sia-dcs"0001L0#1234[NFA1]'), "it must be in upper case"),
    (enclose(b'"*SIA-DCS"0001L0[%b]' % (b"00" * 32)), "byte 5d at"),
    (enclose(b'"*SIA-DCS"0001L0[%b]' % (b"00" * 32)), "a ']' in clear"),
    (enclose(b'"*SIA-DCS"0001L0[%b' % (b"00" * 32)), "an encrypted frame must name it in clear"),
    (enclose(b'"*SIA-DCS"0001L0#1234[%b' % (b"00" * 15)), "30 hex digits: whole blocks are multiples of 32"),
    (enclose(b'"NULL"0001L0#1234[]_12:00:00,31-12-2025'), "day and month are exchanged"),
    (enclose(b'"NULL"0001L0#1234[]_12:00:00 31-12-2025'), "it is no time, and counts as absent"),
    (b"GET / HTTP/1.1\r", "an HTTP request"), (b"\x16\x03\x01\x02\x00\x01", "the beginning of TLS"),
    (b"SR0001L0001    006969FA    [ID00000000]", "a Sur-Gard line"), (b"SSH-2.0-OpenSSH", "the greeting of SSH"),
    (b"\r\0 \r", "harmless"), (FIRE[1:], "without its LF, which must stand before byte 0"),
    (FIRE.hex().encode(), "give --hex"), (b"x\xef\xbf\xbdx", "the replacement character of UTF-8"),
])
def test_what_is_wrong_is_said(data, said):
    assert said in faults(data)


def test_a_sound_frame_has_no_fault_and_all_of_its_bytes():
    found = only(FIRE)
    assert faults(FIRE) == ""
    assert b"".join(part.data for part in found.parts) == FIRE
    assert [part.name for part in found.parts] == [
        "LF", "checksum", "length", "token", "sequence", "receiver", "line", "account", "[", "account", "data",
        "stamp", "CR"]
    assert found.answered == "ACK: accepted; it leaves when the signals are on the disk."


@pytest.mark.parametrize(("frame", "meaning"), [
    (build_frame("NULL", "1234", binary_crc=True), "2 raw bytes (accepted)"),
    (with_checksum(checksum(BODY + b"\r")), "right if the CR is counted (accepted)"),
    (build_frame("NULL", "1234", line=None), "missing (accepted)"),
    (enclose(b'"HENG-BO"0001L0#1234[x]'), "not in the standard: acknowledged and kept")])
def test_what_is_accepted_is_no_fault(frame, meaning):
    assert faults(frame) == ""
    assert any(meaning in part.meaning for part in only(frame).parts)


# ---- keys and stamps ---------------------------------------------------------------------------------------------

def sealed(key: bytes, stamp_s: int = 0, plain: bytes | None = None) -> bytes:
    if plain is None:
        return build_frame("ADM-CID", "1234", b"1110 01 012", stamp_ns=NOON_NS + stamp_s * SECOND, key=key)
    return enclose(b'"*ADM-CID"0001L0#1234[%b' % encrypt_cbc(key, plain).hex().encode())


ASCII_HEX = KEY.hex().encode()


@pytest.mark.parametrize(("frame", "key", "said"), [
    (sealed(KEY), None, "no key is known"),
    (sealed(KEY), bytes(16), "decrypts to noise under this key of 128 bits: wrong key"),
    (sealed(ASCII_HEX), KEY, "took the hex digits as ASCII characters (lower case)"),
    (sealed(KEY.hex().upper().encode()), KEY, "took the hex digits as ASCII characters (upper case)"),
    (sealed(KEY), ASCII_HEX, "the key here is ASCII, the transmitter's the same characters as hex"),
    (sealed(KEY[::-1]), KEY, "in reverse order"),
    (sealed(b"abcdefghijklmnop"), b"ABCDEFGHIJKLMNOP", "in the other case"),
    (sealed(KEY), KEY + b"12345678", "only its first 16 bytes"),
    (sealed(KEY.ljust(32, b"\0")), KEY, "filled up with zero bytes to 32"),
    (sealed(KEY.ljust(24, b"0")), KEY, "filled up with the character 0 to 24"),
    (sealed(KEY, plain=b"0123456789abcdef|1110 01 012]" + b" " * 19), KEY, "without a stamp"),
    (sealed(KEY, -7380), KEY, "it is 2 h 3 min behind: outside the window of 40 s; the receiver answers NAK"),
    (sealed(KEY, 21), KEY, "it is 21 s ahead: outside the window of 20 s"),
    (sealed(KEY, 7 * 3600 + 5), KEY, "a clock of UTC+07:00?")])
def test_keys_and_stamps(frame, key, said):
    assert said in faults(frame, Setting(NOON_NS, key))


def test_electronic_code_book_is_recognised():
    plain = b"0123456789ab|1110 01 012]_12:00:00,01-01-2026xxx"
    encryptor = Cipher(algorithms.AES(KEY), modes.ECB()).encryptor()
    frame = enclose(b'"*ADM-CID"0001L0#1234[%b' % encryptor.update(plain).hex().encode())
    assert "the transmitter uses ECB" in faults(frame, Setting(NOON_NS, KEY))


def test_an_opened_frame_shows_what_was_in_it():
    found = only(sealed(KEY), Setting(NOON_NS, KEY))
    inside = [part for part in found.parts if part.sealed]
    assert [part.name for part in inside] == ["pad", "data", "stamp"]
    assert inside[1].data == b"1110 01 012]"
    assert found.answered.startswith("ACK: accepted, encrypted;")


def test_answers_in_words():
    late = only(sealed(KEY, -7380), Setting(NOON_NS, KEY))
    assert late.found["status"] == "ok"
    assert late.answered.startswith("NAK: refused; it tells the transmitter our time; what it reports is taken")
    old = build_frame("SIA-DCS", "1234", b"NOP1", stamp_ns=NOON_NS - 7380 * SECOND, key=KEY)
    assert only(old, Setting(NOON_NS, KEY)).answered == "NAK: refused; it tells the transmitter our time."
    assert only(sealed(KEY)).answered.startswith("Nothing: whoever sent this")
    assert only(with_checksum(0xA1B2)).answered.startswith("Nothing: no byte of it")
    assert only(build_frame("ACK", "1234")).answered == "Nothing: it is a reply itself."
    assert only(build_gbt(5, b"\x15\1\2" + bytes(6))).answered == "Nothing: an answer ends its exchange."
    assert only(build_gbt(4, b"\x51\1\0")).answered.startswith("Nothing: this is what a centre sends")


# ---- GB/T 26875.3 ------------------------------------------------------------------------------------------------

COMPONENT = bytes([1, 3, 40, 1, 0, 2, 0, 2, 0]) + "烟感".encode("gb18030").ljust(31, b"\0")
ALARM = build_gbt(2, b"\2\1" + COMPONENT + tag_bytes(NOON_NS), serial=7, source=889, stamp_ns=NOON_NS)


def patched(frame: bytes, at: int, new: bytes, close: bool = True) -> bytes:
    data = bytearray(frame)
    data[at:at + len(new)] = new
    if close:
        data[-3] = sum(data[2:-3]) & 0xFF
    return bytes(data)


def summed(value: int) -> bytes:
    return patched(ALARM, len(ALARM) - 3, bytes([value & 0xFF]), False)


ODD_SUM = sum(ALARM[2:-3])


@pytest.mark.parametrize(("data", "said"), [
    (summed(ODD_SUM + 1), f"sent {ODD_SUM + 1 & 0xFF:02X}, computed {ODD_SUM & 0xFF:02X}"),
    (summed(ODD_SUM + 0x80), "if the start mark were counted"),
    (summed(ODD_SUM + 0x46), "if the end mark were counted"),
    (summed(-ODD_SUM), "two's complement"), (summed(~ODD_SUM), "inverted sum"),
    (summed(sum(ALARM[27:-3])), "if the data alone were counted"),
    (summed(sum(ALARM[26:-3])), "if command and data alone were counted"),
    (patched(ALARM, 24, b"\x01\x04"), "1025 is more than the 1024 that are allowed"),
    (patched(ALARM, 24, b"\x00\x30"), "byte order swapped: it would fit as 48"),
    (patched(ALARM, 24, b"\x2e\x00"), "it says 0x2E (46), the data has 0x30 (48) bytes up to its end mark"),
    (patched(ALARM, 24, b"\x4e\x00"), "the whole frame were counted"),
    (patched(ALARM, 24, b"\x31\x00"), "the checksum were counted"),
    (patched(ALARM, 24, b"\x33\x00"), "checksum and end mark were counted"),
    (patched(ALARM, 24, b"\x4b\x00"), "the header were counted"),
    (ALARM[:-2] + b"!!", "it is 21 21, not 23 23"),
    (ALARM[:50], "the frame has 78 bytes by it, and 50 came"), (ALARM[:20], "18 bytes of it came"),
    (ALARM[:50], "the frame ends before it"), (b"@", "the second @ is missing"),
    (patched(ALARM, 28, b"\2"), "count says 2, which does not fit 46 bytes of objects of 46: 1 whole object"),
    (patched(ALARM, 6, b"\x3f\x3f\x3f\x3f\x3f\x3f"), "neither in binary nor in BCD"),
    (build_gbt(2, b"\2\1" + COMPONENT, source=889), "without a time, where the standard has 46 bytes (accepted)"),
    (build_gbt(2, b"\1\1" + bytes(13), source=889), "3 bytes left over"),
    (build_gbt(2, b"\x1a\1\x09abc", source=889), "3 bytes came"),
    (build_gbt(2, b"\7\1" + COMPONENT[:7] + b"\xff" * 31, source=889), "it is no GB 18030 text")])
def test_what_is_wrong_with_a_chinese_frame(data, said):
    assert said in faults(data)


def test_exclusive_or_is_recognised():
    value = 0
    for byte in ALARM[2:-3]:
        value ^= byte
    assert "as exclusive or of the bytes" in faults(summed(value))


def test_names_in_a_chinese_frame():
    told = {part.name: part.meaning for part in only(ALARM).parts}
    assert told["command"] == "2: send data"
    assert (told["type"], told["system"]) == ("2: component status", "type 1: fire alarm; address 3")
    assert told["component"] == "type 40: smoke detector"
    assert told["address"] == "1 and 2 = 0x01000200, as sent"
    assert (told["status"], told["text"]) == ("0x0002: fire", '"烟感"')
    assert told["source"] == "889 = 0x000000000379, the account"
    assert faults(ALARM) == ""
    assert b"".join(part.data for part in only(ALARM).parts) == ALARM


@pytest.mark.parametrize(("frame", "name", "meaning"), [
    (patched(ALARM, 6, bytes.fromhex("590020010126")), "time", "in BCD: proven, it is impossible in binary"),
    (patched(ALARM, 6, bytes.fromhex("000012010126")), "time", "binary, or 2026-01-01 12:00:00 BCD"),
    (build_gbt(2, b"\x16"), "data", "one byte"),
    (build_gbt(2, b"\3\1\1\3\x64\1\0\2\0\3\x0b\1" + bytes(6)), "value", "temperature 26.7 C"),
    (build_gbt(2, b"\x18\1\x24\5" + bytes(6)), "operation", "0x24: manual alarm, duty check answered"),
    (build_gbt(2, b"\x15\1\x0a" + bytes(6)), "status", "0x0a: fire, mains fault"),
    (build_gbt(2, b"\1\1\1\3\2\1" + bytes(6)), "status", "0x0102: fire, mains fault"),
    (build_gbt(2, b"\6\1\1\3\2ab"), "text", '"ab"'), (build_gbt(2, b"\x19\1\4\2"), "software", "4.2"),
    (build_gbt(2, b"\x09\1\1\3" + tag_bytes(NOON_NS)), "objects", "not read")])
def test_what_else_a_chinese_frame_says(frame, name, meaning):
    assert meaning in next(part.meaning for part in only(frame).parts if part.name == name)


# ---- the whole ---------------------------------------------------------------------------------------------------

def test_a_broken_frame_is_taken_apart_once_and_does_not_hide_the_next():
    found = explain(b"??" + with_length(0xFF0) + FIRE + summed(ODD_SUM + 1) + FIRE, NOW)
    assert [each.title for each in found if each.answered] == [
        "no frame", "ANSI/SIA DC-09, wrong length", "ANSI/SIA DC-09, sound", "GB/T 26875.3, wrong checksum",
        "ANSI/SIA DC-09, sound"]
    assert "another frame seems to begin" not in faults(FIRE)


def test_lengths_of_time():
    assert [span_text(seconds) for seconds in (5, 65, 120, 7380, -90000)] == [
        "5 s", "1 min 5 s", "2 min", "2 h 3 min", "1 d 1 h"]


def test_offsets_are_true():
    for data in (FIRE, ALARM, with_length(0x27), ALARM[:-2] + b"!!"):
        first = explain(data, NOW)[0]
        for part in first.parts:
            assert part.sealed or data[part.at:part.at + len(part.data)] == part.data


def test_a_key_of_another_size_is_refused():
    with pytest.raises(ValueError, match=re.escape("AES takes 16, 24 or 32")):
        explain(FIRE, Setting(NOON_NS, b"short"))
    assert read_frames(FIRE, NOON_NS)[0]["status"] == "ok"
