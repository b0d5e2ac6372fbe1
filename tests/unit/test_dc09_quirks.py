"""What transmitters in the field do with DC-09, quirk by quirk: each is read, and answered so that the sender goes on.

Beside the quirk stands where it was seen. What is whole families of forms has files of its own: test_dc09_extended.py,
test_dc09_encrypted.py, test_surgard.py, test_dc09_content.py.
"""
import pytest

from codec import reference
from codec.reading import build_frame, checksum, enclose, read_frames, reply_to

NOON_NS = 1_767_268_800 * 10**9
KEY = bytes(range(16))
FIRE = build_frame("ADM-CID", "1234", b"#1234|1110 01 012", sequence=7)


def only(data: bytes, **profile) -> dict:
    found, = read_frames(data, NOON_NS, **profile)
    twin, = reference.read_frames(data, NOON_NS, reference.Profile(**profile))
    for signal in found.get("signals", []):
        signal["flags"].sort()
    assert found == twin
    return found


def conditions(found: dict) -> list[str]:
    assert found["status"] == "ok"
    return [signal["condition"] for signal in found["signals"]]


def raw(body: bytes, *, binary: bool = False, covers: str = "", lower: bool = False) -> bytes:
    """A frame made by hand. covers: what of CR is counted, '' | 'checksum' | 'both'."""
    crc = checksum(body + (b"\r" if covers else b""))
    length = len(body) + (covers == "both")
    head = crc.to_bytes(2, "big") if binary else b"%04X" % crc
    head += b"0%03X" % length
    return b"\n" + (head.lower() if lower and not binary else head) + body + b"\r"


BODY = b'"ADM-CID"0007L0#1234[#1234|1110 01 012]'


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("covers", ["", "checksum", "both"])
def test_both_checksum_forms_and_cr_inside_them(binary: bool, covers: str) -> None:
    """Binary: Lupusec, Jablotron (pysiaalarm 9), Trikdis (52). CR covered: ELDES (17, 28)."""
    frame = raw(BODY, binary=binary, covers=covers)
    assert conditions(only(frame)) == ["fire"]
    assert only(frame)["length"] == len(frame)
    reply = reply_to(frame, NOON_NS)
    assert reply == enclose(b'"ACK"0007L0#1234[]', binary_crc=binary)


def test_a_binary_checksum_may_hold_any_byte_that_frames_hold() -> None:
    """LF, CR and the character 0 among the two raw bytes."""
    seen = set()
    for sequence in range(1, 3000):
        frame = raw(b'"ADM-CID"%04dL0#1234[#1234|1110 01 012]' % sequence, binary=True)
        if set(frame[1:3]) & set(b"\n\r0"):
            assert conditions(only(frame)) == ["fire"]
            seen |= set(frame[1:3]) & set(b"\n\r0")
    assert seen == set(b"\n\r0")


@pytest.mark.parametrize(("header", "account", "line"), [
    (b"L#1234", "1234", None), (b"#1234", "1234", None), (b"L0", "1234", "0"), (b"", "1234", None),
    (b"R1L2#ab12", "AB12", "2"), (b"RL0#1234", "1234", "0"), (b"R1L0#1234", "1234", "0")])
def test_fields_of_the_header_that_are_empty_or_missing(header: bytes, account: str, line: str | None) -> None:
    """`L#`: ELDES (ioBroker.sia 11). No L: dc09_spt. No account: fioletoven/dc09, dc09_spt."""
    found = only(raw(b'"ADM-CID"0007%b[#1234|1110 01 012]' % header))
    assert (found["account"], found["line"]) == (account, line)
    assert conditions(found) == ["fire"]


def test_account_in_the_data_without_its_mark() -> None:
    assert only(raw(b'"ADM-CID"0007L0[1234|1110 01 012]'))["account"] == "1234"


def test_the_account_of_the_header_wins_and_the_other_is_flagged() -> None:
    found = only(raw(b'"ADM-CID"0007L0#1234[#9999|1110 01 012]'))
    assert found["account"] == "1234"
    assert found["signals"][0]["flags"] == ["account_differs"]


@pytest.mark.parametrize("between", [b"\0", b"\r\n", b"\n", b"\0\0\r\n\r\n", b" ", b"\n\r"])
def test_bytes_between_frames_are_passed_over(between: bytes) -> None:
    """Trailing NUL: ELDES. Leading CR LF: several."""
    found = read_frames(between + FIRE + between + FIRE + between, NOON_NS)
    assert [each["status"] for each in found if each["status"] not in ("garbage", "need_data")] == ["ok", "ok"]


def test_lower_case_hex_digits() -> None:
    assert conditions(only(raw(b'"ADM-CID"0007Ra1L0#abcd[#abcd|1110 01 012]', lower=True))) == ["fire"]
    assert only(raw(b'"ADM-CID"0007Ra1L0#abcd[#abcd|1110 01 012]', lower=True))["account"] == "ABCD"


@pytest.mark.parametrize(("token", "data", "native"), [
    ("SIA-DCS", b"  Nri1/FA017  ", "FA017"), ("SIA-DCS", b"N ri1 / FA017 ", "FA017"),
    ("SIA-DCS", b"Nri1/ FA017", "FA017"),
    ("SIA-DCS", b"N FA017^Hall^  ", "FA017^Hall^"), ("ADM-CID", b"  1110 01 017   ", "1110 01 017"),
    ("ADM-CID", b"1110  01   017", "1110  01   017")])
def test_text_padded_with_blanks(token: str, data: bytes, native: str) -> None:
    found = only(build_frame(token, "1234", b"#1234|" + data))
    assert (conditions(found), found["signals"][0]["native"]) == (["fire"], native)


@pytest.mark.parametrize("data", [b"   ", b" N ", b" Nri0/RP0000 "])
def test_a_field_of_blanks_is_a_heartbeat(data: bytes) -> None:
    assert only(build_frame("SIA-DCS", "1234", b"#1234|" + data))["kind"] == "heartbeat"


@pytest.mark.parametrize("key", [None, KEY])
def test_heartbeat_of_ajax_hubs(key: bytes | None) -> None:
    """Nri0/RP0000 in SIA-DCS: a heartbeat, answered at once, in clear and encrypted."""
    frame = build_frame("SIA-DCS", "1234", b"#1234|Nri0/RP0000", key=key, stamp_ns=NOON_NS)
    assert only(frame, key=key)["kind"] == "heartbeat"
    assert (b'"*ACK"' if key else b'"ACK"') in reply_to(frame, NOON_NS, key=key)


@pytest.mark.parametrize("token", ["NULL", "XNM"])
@pytest.mark.parametrize("data", [b"", b"#0000|0000 00 000", b"#1234|", b"anything|1110 01 001"])
@pytest.mark.parametrize("key", [None, KEY])
def test_null_with_dummy_data_is_a_heartbeat_of_the_header_account(token: str, data: bytes, key: bytes | None) -> None:
    """NULL [#0000|0000 00 000]: several. XNM: the 2026 edition."""
    found = only(build_frame(token, "1234", data, key=key, stamp_ns=NOON_NS), key=key)
    assert (found["kind"], found["account"], found["signals"]) == ("heartbeat", "1234", [])


@pytest.mark.parametrize("header", [b"L0#1234", b"#1234", b"L#1234"])
def test_the_reply_to_a_null_without_receiver_has_none(header: bytes) -> None:
    """Pyronix Enforcer: an ACK with a receiver it did not send is a poll failure (home-assistant 180511)."""
    assert reply_to(raw(b'"NULL"0000%b[]' % header), NOON_NS) == enclose(b'"ACK"0000L0#1234[]')


@pytest.mark.parametrize("token", [b"HENG-BO", b"X", b"SIXTEEN-LETTERS-", b"null"])
def test_unknown_tokens_are_kept_and_acknowledged(token: bytes) -> None:
    """HENG-BO: seen in China. A DUH would make it come again for ever, or the panel hang up."""
    frame = raw(b'"%b"0007L0#1234[#1234|whatever]' % token)
    found = only(frame)
    assert (found["kind"], len(found["signals"])) == ("other", 1)
    assert reply_to(frame, NOON_NS) == enclose(b'"ACK"0007L0#1234[]')


def test_a_nak_is_told_by_its_token() -> None:
    """R0L0A0: a greedy look takes the A for a digit of the line."""
    found = only(raw(b'"NAK"0000R0L0A0[]_16:20:01,09-24-2025'))
    assert (found["kind"], found["receiver"], found["line"], found["timestamp"]) == (
        "reply", None, None, "2025-09-24T16:20:01Z")


@pytest.mark.parametrize("body", [b'"RSP"0007L0#1234[#1234|NOR0003]', b'"ACK"0007L0#1234[]', b'"ACK"0007NoneL0#1234[]',
                                  b'"DUH"0007L0#1234[]', b'"NAK"0000R0L0A0[]', b'"*ACK"0007L0#1234[00]'])
def test_replies_that_come_to_a_receiver_are_never_answered(body: bytes) -> None:
    found, = read_frames(raw(body), NOON_NS)
    assert found.get("kind", "reply") == "reply"
    assert not found.get("signals")
    assert reply_to(raw(body), NOON_NS) == b""


@pytest.mark.parametrize(("block", "point", "known"), [
    (b"1234 18 1131 01 015 8", "01/015", True), (b"1234181131010158", "01/015", True),
    (b"1234 98 1131 01 015", None, False), (b"18 1131 01 015 8", "01/015", True), (b"98 1131 01 015", "01/015", True),
    (b"1131 18 015", "18/015", True), (b"1131 98 015", "98/015", True)])
def test_contact_id_as_the_telephone_line_has_it(block: bytes, point: str | None, known: bool) -> None:
    """ACCT MT QXYZ GG CCC S, passed on by a gateway; the sample and its checksum: DC-05."""
    signal, = only(build_frame("ADM-CID", "1234", b"#1234|" + block))["signals"]
    if known:
        assert (signal["condition"], signal["state"], signal["point"]) == ("burglary", "raised", point)
    assert signal["native"] == block.decode()


def test_a_wrong_checksum_of_the_telephone_form_is_no_such_form() -> None:
    signal, = only(build_frame("ADM-CID", "1234", b"#1234|1234 18 1131 01 015 7"))["signals"]
    assert signal["point"] == "18/1131"


@pytest.mark.parametrize("data", [b"Nri1/FA1/SA2", b"Nri1/FA1|SA2", b"NFA1|Nri2/SA2", b"NFA1SA2", b"Oti12:00/FA1/SA2"])
def test_several_codes_in_one_block(data: bytes) -> None:
    assert conditions(only(build_frame("SIA-DCS", "1234", b"#1234|" + data))) == ["fire", "waterflow"]


def test_the_bytes_behind_a_stamp_are_passed_over() -> None:
    assert only(raw(BODY + b"_12:00:00,01-01-2026    "))["timestamp"] == "2026-01-01T12:00:00Z"


@pytest.mark.parametrize(("token", "data"), [("SIA-DCS", b"NZQ1"), ("SIA-DCS", b"NFQ1"), ("ADM-CID", b"19FF 01 001"),
                                             ("ADM-CID", b"1119 01 001"), ("SIA-PUL", b"1 2 3")])
def test_an_unknown_code_is_acknowledged(token: str, data: bytes) -> None:
    """A DUH for a code drops the link (home-assistant 88474, 160310)."""
    frame = build_frame(token, "1234", b"#1234|" + data)
    assert len(only(frame)["signals"]) == 1
    assert b'"ACK"' in reply_to(frame, NOON_NS)


def test_every_unknown_code_has_the_class_of_its_family_and_is_acknowledged() -> None:
    """All 676 SIA codes and all 4096 of Contact ID: one meaning each, and no DUH."""
    letters = [chr(letter) for letter in range(0x41, 0x5B)]
    for code in [first + second for first in letters for second in letters]:
        frame = build_frame("SIA-DCS", "1234", f"#1234|Nri1/{code}1^x^".encode())
        found, = read_frames(frame, NOON_NS)
        assert found["status"] == "ok"
        for signal in found["signals"]:
            if "unknown_code" in signal["flags"]:
                family = "fire" if code[0] in "FKS" else "gas" if code[0] == "G" else "info"
                assert signal["class"] == family, code
        assert b'"ACK"' in reply_to(frame, NOON_NS)
    for code in range(4096):
        frame = build_frame("ADM-CID", "1234", b"#1234|1%03X 01 001" % code)
        signal, = read_frames(frame, NOON_NS)[0]["signals"]
        if "unknown_code" in signal["flags"]:
            assert signal["class"] == ("fire" if code >> 4 == 0x11 else "info"), code
