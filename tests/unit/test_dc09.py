"""Reading DC-09 frames: the vectors three ways, the quirks of the field, and finding the next frame after a bad one."""
import json
from pathlib import Path

import pytest

from codec.reading import build_frame, checksum, encode_reply, read_frames, split_status

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "dc09.json").read_text())
ACCEPT, REFUSE, UNABLE = 1, 2, 3
NOON_NS = 1_767_268_800 * 10**9  # 2026-01-01 12:00:00 UTC
GOOD = build_frame("SIA-DCS", "1234", b"#1234|Nri1/FA017")
SOUND = [vector for vector in VECTORS if vector["expect"]["status"] in ("ok", "crypto")]


def name(vector: dict) -> str:
    return vector["raw_hex"][:24]


def only(data: bytes) -> dict:
    found = read_frames(data, NOON_NS)
    assert len(found) == 1
    return found[0]


def test_checksum_is_crc_16_arc() -> None:
    assert checksum(b"123456789") == 0xBB3D
    assert checksum(b"") == 0
    for size in range(40):  # every remainder of the steps of eight and four
        data = bytes(range(7, 7 + size))
        crc = 0
        for byte in data:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
        assert checksum(data) == crc


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_vector_whole(vector: dict) -> None:
    assert only(bytes.fromhex(vector["raw_hex"])) == vector["expect"]


@pytest.mark.parametrize("vector", SOUND, ids=name)
def test_vector_byte_by_byte(vector: dict) -> None:
    data = bytes.fromhex(vector["raw_hex"])
    for size in range(len(data)):
        assert split_status(data[:size]) == ("need_data", 0), size
    assert split_status(data) == ("ok", len(data))


@pytest.mark.parametrize("trailing", [b"\0", b"\n", b"\r\n", b"\r", GOOD, b"\n0"], ids=repr)
@pytest.mark.parametrize("vector", SOUND, ids=name)
def test_vector_with_trailing_bytes(vector: dict, trailing: bytes) -> None:
    data = bytes.fromhex(vector["raw_hex"])
    assert split_status(data + trailing) == ("ok", len(data))
    assert read_frames(data + trailing, NOON_NS)[0] == vector["expect"]


@pytest.mark.parametrize("vector", SOUND, ids=name)
@pytest.mark.parametrize("before", [b"", b"\n", b"garbage", b"\n\n\r\n", b"\0\xff", b"\nB0AC", b"\n00000FFF\"NULL\""],
                         ids=repr)
def test_next_good_frame_is_never_swallowed(vector: dict, before: bytes) -> None:
    found = read_frames(before + bytes.fromhex(vector["raw_hex"]) + GOOD, NOON_NS)
    assert found[-2] == vector["expect"]
    assert found[-1] == only(GOOD)


@pytest.mark.parametrize("length", [b"000", b"001", b"025", b"027", b"03B", b"0FF", b"7FF", b"FFF"])
def test_wrong_length_costs_one_frame_at_once(length: bytes) -> None:
    wrong = GOOD[:6] + length + GOOD[9:]
    found = read_frames(wrong + GOOD, NOON_NS)
    assert found[0]["status"] in ("length", "checksum")
    assert found[0]["length"] == len(wrong)
    assert found[1:] == [only(GOOD)]


def test_every_damaged_byte_costs_one_frame_only() -> None:
    for at in range(len(GOOD)):
        for value in (0, 0x0A, 0x0D, 0x22, 0x30, 0x5D, GOOD[at] ^ 1):
            wrong = GOOD[:at] + bytes([value]) + GOOD[at + 1:]
            assert read_frames(wrong + GOOD, NOON_NS)[-1] == only(GOOD), (at, value)


def test_lower_case_preamble_and_numbers() -> None:
    frame = build_frame("NULL", "12ab", receiver="abc", line="d")
    lower = frame[:9].lower() + frame[9:]
    assert only(lower)["receiver"] == "ABC"
    assert only(lower)["line"] == "D"
    assert only(lower)["account"] == "12AB"


@pytest.mark.parametrize(("account", "status"), [
    ("123", "ok"), ("1234567890123456", "ok"), ("12", "field"), ("12345678901234567", "field"), ("a-b.c", "ok"),
    ("a b c", "field"), ("a|bc", "field"), ("a#bc", "field"), ('a"bc', "field"), ("\x7fabc", "field")])
def test_account_characters_and_size(account: str, status: str) -> None:
    found = only(build_frame("NULL", account))
    assert found["status"] == status
    assert found.get("account", account.upper()) == account.upper()


@pytest.mark.parametrize(("data", "account"), [
    (b"#006969|NFA1", "006969"), (b"1234|NFA1", "1234"), (b"#12ab", "12AB")])
def test_account_from_the_data(data: bytes, account: str) -> None:
    found = only(build_frame("SIA-DCS", None, data))
    assert (found["status"], found["account"]) == ("ok", account)


@pytest.mark.parametrize("data", [b"", b"|NFA1", b"NFA129|A text", b"#1|NFA1"])
def test_frame_of_nobody_is_refused(data: bytes) -> None:
    assert only(build_frame("SIA-DCS", None, data))["status"] == "field"


@pytest.mark.parametrize(("receiver", "line", "status"), [
    (None, None, "ok"), ("", "", "ok"), ("0", "0", "ok"), ("FFFFFF", "FFFFFF", "ok"), ("1234567", "0", "field"),
    ("0", "1234567", "field"), ("G", "0", "field")])
def test_receiver_and_line(receiver: str | None, line: str | None, status: str) -> None:
    found = only(build_frame("NULL", "1234", receiver=receiver, line=line))
    assert found["status"] == status
    if status == "ok":
        assert (found["receiver"], found["line"]) == (receiver or None, line or None)


@pytest.mark.parametrize(("stamp", "expected"), [
    (b"_12:00:00,02-29-2024", "2024-02-29T12:00:00Z"), (b"_12:00:00,02-29-2023", None), (b"_24:00:00,01-01-2024", None),
    (b"_00:00:00,01-01-1969", None), (b"_23:59:59,12-31-2261", "2261-12-31T23:59:59Z"), (b"_00:00:00,01-01-9999", None),
    (b"_00:00:00,00-00-0000", None), (b"_1:00:00,01-01-2024 ", None), (b" ", None), (b"_", None)])
def test_stamp(stamp: bytes, expected: str | None) -> None:
    plain = build_frame("NULL", "1234")[9:-1] + stamp
    frame = b"\n%04X0%03X" % (checksum(plain), len(plain)) + plain + b"\r"
    found = only(frame)
    assert (found["status"], found["timestamp"]) == ("ok", expected)


def test_extended_data() -> None:
    found = only(build_frame("ADM-CID", "1234", b"#1234|1110 01 012", stamp_ns=NOON_NS, extended=[
        b"H13:59:58,12-31-2012", b"G12", b"SRoom [3]", b"J{\"a\": 1}"]))
    assert found["occurred"] == "2012-12-31T13:59:58Z"
    assert found["timestamp"] == "2026-01-01T12:00:00Z"
    assert found["network"] == "0C"


def test_unknown_token_is_other_and_unreadable_data_is_one_row() -> None:
    assert only(build_frame("HENG-BO", "1234", b"#1234|x"))["kind"] == "other"
    found = only(build_frame("SIA-PUL", "1234", b"#1234|5555"))
    assert [(signal["class"], signal["native"]) for signal in found["signals"]] == [("info", "#1234|5555")]


@pytest.mark.parametrize("binary", [False, True])
def test_replies_repeat_what_was_sent(binary: bool) -> None:
    request = build_frame("NULL", "12ab", sequence=42, receiver="00a", line="0b0", binary_crc=binary)
    for answer, token in ((ACCEPT, "ACK"), (UNABLE, "DUH")):
        expected = build_frame(token, "12ab", sequence=42, receiver="00A", line="0B0", binary_crc=binary)
        assert encode_reply(request, answer, 0) == expected
    refusal = build_frame("NAK", None, sequence=0, receiver="0", line="0A0", stamp_ns=NOON_NS, binary_crc=binary)
    assert encode_reply(request, REFUSE, NOON_NS) == refusal
    assert encode_reply(request, 0, NOON_NS) == b""


def test_refusal_is_that_of_another_receiver() -> None:
    refusal = next(vector for vector in VECTORS if vector["expect"].get("token") == "NAK")
    stamp_ns = 1_758_730_801 * 10**9  # 2025-09-24 16:20:01 UTC
    assert encode_reply(GOOD, REFUSE, stamp_ns) == bytes.fromhex(refusal["raw_hex"])


def test_reply_has_nothing_for_an_absent_field_but_the_line() -> None:
    assert encode_reply(build_frame("NULL", "1234", line=None), ACCEPT, 0) == build_frame("ACK", "1234")
    assert encode_reply(build_frame("NULL", None, b"#1234"), ACCEPT, 0) == build_frame("ACK", None)


def test_no_reply_is_longer_than_the_request_needs() -> None:
    for vector in SOUND:
        request = bytes.fromhex(vector["raw_hex"])
        for answer in (ACCEPT, UNABLE):
            assert len(encode_reply(request, answer, 0)) <= len(request) + 2  # "L0", where the request has none


def test_encrypted_frames_are_never_acknowledged_in_clear() -> None:
    request = build_frame("*NULL", "1234", b"00" * 32)
    assert only(request)["kind"] == "signal"
    assert only(request)["status"] == "crypto"
    assert encode_reply(request, ACCEPT, 0) == b""


def test_largest_frame() -> None:
    head = len(build_frame("SIA-DCS", "1234", b"#1234|NFA1^^")) - 10
    frame = build_frame("SIA-DCS", "1234", b"#1234|NFA1^" + b"x" * (4095 - head) + b"^")
    assert len(frame) == 4105
    assert split_status(frame) == ("ok", 4105)
    assert only(frame)["signals"][0]["flags"] == ["cut"]
    with pytest.raises(ValueError, match="4096"):
        build_frame("SIA-DCS", "1234", b"#1234|NFA1^" + b"x" * (4096 - head) + b"^")
