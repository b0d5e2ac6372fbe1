"""Encrypted DC-09: the vectors, every pad and tail, noise, the window, late fires, and what is replied."""
import json
from datetime import datetime
from pathlib import Path

import pytest

from codec.aes import decrypt_cbc, encrypt_cbc
from codec.batch import Batch
from codec.reading import build_frame, decode_stream, enclose, encode_reply, read_frames, reply_to, split_status

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "dc09.json").read_text())
KEYED = [vector for vector in VECTORS if "key_hex" in vector]
SECOND_NS = 10**9
NOON_NS = 1_767_268_800 * SECOND_NS  # 2026-01-01 12:00:00 UTC
STAMP = b"_12:00:00,01-01-2026"
KEYS = [bytes(range(size)) for size in (16, 24, 32)]
KEY = KEYS[0]
ACCEPT, REFUSE, UNABLE = 1, 2, 3
NAK = build_frame("NAK", None, sequence=0, receiver="0", line="0A0", stamp_ns=NOON_NS)


def name(vector: dict) -> str:
    return vector["raw_hex"][:24]


def only(data: bytes, now_ns: int = NOON_NS, **profile) -> dict:
    found, = read_frames(data, now_ns, **profile)
    return found


def sealed(plain: bytes, key: bytes = KEY, header: bytes = b'"*SIA-DCS"0001L0#1234[', upper: bool = True) -> bytes:
    """A frame around these bytes, which are whole blocks."""
    digits = encrypt_cbc(key, plain).hex()
    return enclose(header + (digits.upper() if upper else digits).encode())


def padded(text: bytes, pad: bytes = b"") -> bytes:
    """Put as many letters as are missing to whole blocks behind the pad."""
    return pad + b"x" * (-len(pad + text) % 16) + text


def sealed_part(frame: bytes, key: bytes = KEY) -> bytes:
    return decrypt_cbc(key, bytes.fromhex(frame[frame.index(b"[") + 1:-1].decode()))


def points(found: dict) -> list[str]:
    return [signal["point"] for signal in found["signals"]]


@pytest.mark.parametrize("vector", KEYED, ids=name)
def test_vector_with_its_key(vector: dict) -> None:
    data, key = bytes.fromhex(vector["raw_hex"]), bytes.fromhex(vector["key_hex"])
    expected = vector["expect_with_key"]
    now_ns = int(datetime.fromisoformat(expected["timestamp"]).timestamp()) * SECOND_NS
    assert only(data, now_ns, key=key) == expected
    assert only(data, now_ns) == vector["expect"]
    assert only(data, now_ns, key=bytes(len(key)))["status"] == "crypto"
    for size in range(len(data)):
        assert split_status(data[:size]) == ("need_data", 0)


def test_garbage_that_holds_a_bracket_is_still_noise() -> None:
    trap, = [vector for vector in VECTORS if "wrong_key_hex" in vector]
    data, key = bytes.fromhex(trap["raw_hex"]), bytes.fromhex(trap["wrong_key_hex"])
    assert b"]" in sealed_part(data, key)
    assert only(data, key=key) == trap["expect"]
    assert reply_to(data, NOON_NS, key=key) == b""


@pytest.mark.parametrize("key", KEYS, ids=len)
@pytest.mark.parametrize("token", ["SIA-DCS", "NULL", "ACK", "HENG-BO"])
def test_what_we_seal_we_read(token: str, key: bytes) -> None:
    for content in (b"", b"#1234|NFA1", b"#1234|NFA1^" + bytes(range(0x80, 0xFF)) + b"^", b"x" * 1900):
        extended = [b"G7", b"H11:00:00,01-01-2026"]
        frame = build_frame(token, "1234", content, stamp_ns=NOON_NS, extended=extended, key=key)
        clear = build_frame(token, "1234", content, stamp_ns=NOON_NS, extended=extended)
        found, expected = only(frame, key=key), only(clear)
        if token == "HENG-BO":      # the text of an unknown token is the whole frame, star and all
            native = found["signals"][0]["native"]
            assert native[:511] == '"*' + expected["signals"][0]["native"][1:510]
            found["signals"][0]["native"] = expected["signals"][0]["native"]
        assert found == expected | {"encrypted": True, "length": len(frame)}


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("size", range(64))
def test_every_size_of_pad(size: int, upper: bool) -> None:
    pad = (b"\r\n\0\xff_" * 13)[:size]
    fill = -(size + 1 + 10 + 1 + 20) % 16
    text = b"|#1234|NFA1" + b" " * fill + b"]" + STAMP
    assert points(only(sealed(pad + text, upper=upper), key=KEY)) == ["1"]


@pytest.mark.parametrize("size", range(48))
def test_bar_may_be_missing_where_the_data_is_empty(size: int) -> None:
    for bar in (b"", b"|"):
        fields = b"[Iroom |" + b" " * (-(size + len(bar) + 9 + 1 + 20) % 16) + b"]"
        found = only(sealed(b"\n" * size + bar + b"]" + fields + STAMP), key=KEY)
        assert (found["status"], found["kind"], found["timestamp"]) == ("ok", "heartbeat", "2026-01-01T12:00:00Z")


@pytest.mark.parametrize("tail", [b"\x10" * 16, bytes(16), b"\x03\x03\x03", b"   ", bytes(range(40)), b"_", b"]_",
                                  b"]_99:00:00,01-01-2026"], ids=repr)
def test_tail_behind_the_stamp(tail: bytes) -> None:
    found = only(sealed(padded(b"|#1234|NFA1]" + STAMP + tail)), key=KEY)
    assert (found["status"], points(found), found["timestamp"]) == ("ok", ["1"], "2026-01-01T12:00:00Z")


def test_the_last_stamp_counts() -> None:
    text = b"|#1234|NFA1^at ]_11:00:00,01-01-2020 it was^]" + STAMP
    found = only(sealed(padded(text)), key=KEY)
    assert (found["status"], found["timestamp"], points(found)) == ("ok", "2026-01-01T12:00:00Z", ["1"])


@pytest.mark.parametrize("text", [
    b"|#1234|NFA1" + STAMP, b"|#1234|NFA1]", b"|#1234|NFA1] " + STAMP, b"|#1234|NFA1]_12:00:00,13-01-2026",
    b"|#1234|NFA1]_12:00:00,01-01-202", b"", b"]", b"|" * 64], ids=repr)
def test_no_stamp_is_noise(text: bytes) -> None:
    found = only(sealed(padded(text)), key=KEY)
    assert (found["status"], found["signals"], found["timestamp"]) == ("crypto", [], None)


def test_digits_that_are_none_or_no_blocks() -> None:
    frame = sealed(padded(b"|#1234|NFA1]" + STAMP))
    body = frame[9:-1]
    assert only(frame, key=KEY)["status"] == "ok"
    for wrong in (body[:-1], body[:-2], body[:-32], body[:-64], body + b"00", body + b"]", body[:body.index(b"[") + 1],
                  *(body[:-1] + bytes([character]) for character in b"G@`g/:\xb1 \0")):
        assert only(enclose(wrong), key=KEY)["status"] == "crypto", wrong
        assert reply_to(enclose(wrong), NOON_NS, key=KEY) == b""


def test_wrong_key_and_no_key_are_silence() -> None:
    frame = build_frame("SIA-DCS", "1234", b"#1234|NFA1", stamp_ns=NOON_NS, key=KEY)
    for key in (None, bytes(16), *KEYS[1:]):
        assert only(frame, key=key)["status"] == "crypto"
        assert reply_to(frame, NOON_NS, key=key) == b""
    for size in (0, 8, 17, 31, 64):
        with pytest.raises(ValueError, match="key of"):
            read_frames(frame, NOON_NS, key=bytes(size))


@pytest.mark.parametrize(("shift_s", "status"), [(0, "ok"), (-40, "ok"), (-41, "time"), (20, "ok"), (21, "time"),
                                                (-86400, "time"), (10**9, "time")])
@pytest.mark.parametrize("token", ["SIA-DCS", "NULL"])
def test_window(token: str, shift_s: int, status: str) -> None:
    stamp_ns = NOON_NS + shift_s * SECOND_NS
    frame = build_frame(token, "1234", b"NOP1" if token == "SIA-DCS" else b"", stamp_ns=stamp_ns, key=KEY)
    assert only(frame, NOON_NS + 999_999_999, key=KEY)["status"] == status
    assert (reply_to(frame, NOON_NS, key=KEY) == NAK) == (status == "time")
    assert only(frame, key=KEY, window=(2 * 10**9, 2 * 10**9))["status"] == "ok"
    assert only(build_frame(token, "1234", stamp_ns=stamp_ns))["status"] == "ok"
    assert only(build_frame(token, "1234", stamp_ns=stamp_ns), check_clear_stamps=True)["status"] == status
    assert only(build_frame(token, "1234"), check_clear_stamps=True)["status"] == "ok"


@pytest.mark.parametrize(("content", "late"), [
    (b"NFA1", True), (b"NGA1", True), (b"NFG1", True), (b"NFE1", True), (b"NOP1/FA1", True), (b"NFR1", False),
    (b"NFH1", False), (b"NGR1", False), (b"NFT1", False), (b"NFX1", False), (b"NBA1", False), (b"RP0000", False),
    (b"", False), (b"nothing", False)])
@pytest.mark.parametrize("key", [KEY, None])
def test_stale_fire_is_late_and_all_else_is_refused(content: bytes, late: bool, key: bytes | None) -> None:
    frame = build_frame("SIA-DCS", "1234", b"#1234|" + content, stamp_ns=NOON_NS - 41 * SECOND_NS, key=key)
    fresh = build_frame("SIA-DCS", "1234", b"#1234|" + content, stamp_ns=NOON_NS, key=key)
    found = only(frame, key=key, check_clear_stamps=True)
    assert found["status"] == ("ok" if late else "time")
    assert bool(found["signals"]) == late
    assert all("late" in signal["flags"] for signal in found["signals"])
    assert reply_to(frame, NOON_NS, key=key, check_clear_stamps=True) == NAK
    rejected = only(frame, key=key, check_clear_stamps=True, reject_stale=True)
    assert (rejected["status"], rejected["signals"]) == ("time", [])
    assert all("late" not in signal["flags"] for signal in only(fresh, key=key)["signals"])


def test_clear_frames_where_only_encrypted_ones_are_allowed() -> None:
    for token in ("SIA-DCS", "NULL", "HENG-BO"):
        clear = build_frame(token, "1234", b"NFA1", stamp_ns=NOON_NS)
        assert only(clear, key=KEY, encrypted_only=True)["status"] == "crypto"
        assert reply_to(clear, NOON_NS, key=KEY, encrypted_only=True) == b""
        assert only(clear, key=KEY)["status"] == "ok"
        sealed_frame = build_frame(token, "1234", b"NFA1", stamp_ns=NOON_NS, key=KEY)
        assert only(sealed_frame, key=KEY, encrypted_only=True)["status"] == "ok"
    for token in ("NAK", "DUH"):         # never encrypted
        assert only(build_frame(token, "1234"), key=KEY, encrypted_only=True)["status"] == "ok"


def rows_of(frame: bytes, arena: int = 4096) -> Batch:
    batch = Batch(8, arena)
    decode_stream(frame, batch, NOON_NS, key=KEY)
    batch.check()
    return batch


def test_identity_leaves_out_the_pad_and_rows_keep_what_was_received() -> None:
    frames = [sealed(padded(b"|#1234|Nri1/FA17^Halle^/FA18]" + STAMP, pad)) for pad in (b"", b"abc", b"z" * 31)]
    rows = [rows_of(frame).row(0) for frame in frames]
    assert {row["identity"] for row in rows} == {b'"*SIA-DCS"0001L0#1234[#1234|Nri1/FA17^Halle^/FA18]'}
    assert [row["raw"] for row in rows] == frames
    assert [(row["account"], row["point"], row["native"], row["sequence"]) for row in rows] == [
        ("1234", "1/17", "FA17^Halle^", 1)] * 3
    assert [row["occurred_ns"] for row in rows] == [NOON_NS] * 3


def test_full_batch_is_left_as_it_was() -> None:
    frame = sealed(padded(b"|#1234|Nri1/FA1^" + b"\xfc" + b"^/FA2]" + STAMP))
    whole = rows_of(frame)
    assert len(whole) == 2
    for arena in range(whole.arena_used):
        batch = rows_of(frame, arena)
        assert (len(batch), batch.arena_used) == (0, 0)
    assert rows_of(frame, whole.arena_used).encode() == whole.encode()


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("key", KEYS, ids=len)
def test_reply_is_sealed_under_the_same_key(key: bytes, binary: bool) -> None:
    request = build_frame("NULL", "12ab", sequence=42, receiver="00a", line="0b0", stamp_ns=NOON_NS, key=key,
                          binary_crc=binary)
    reply = reply_to(request, NOON_NS, key=key, entropy=7)
    assert reply.partition(b"[")[0][7 if binary else 9:] == b'"*ACK"0042R00AL0B0#12ab'
    found = only(reply, key=key)
    assert (found["status"], found["kind"], found["token"], found["sequence"], found["timestamp"]) == (
        "ok", "reply", "ACK", 42, "2026-01-01T12:00:00Z")
    plain = sealed_part(reply, key)
    pad, bar, rest = plain.partition(b"|")
    assert (bar, rest) == (b"|", b"]" + STAMP)
    assert 16 <= len(pad) <= 31
    assert encode_reply(request, UNABLE, NOON_NS, key=key) == build_frame(
        "DUH", "12ab", sequence=42, receiver="00A", line="0B0", binary_crc=binary)
    assert b'"NAK"0000R0L0A0[]_12:00:00' in encode_reply(request, REFUSE, NOON_NS, key=key)
    assert encode_reply(request, ACCEPT, NOON_NS) == b""


def test_pads_of_replies_never_repeat_and_hold_no_mark() -> None:
    request = build_frame("NULL", "1234", stamp_ns=NOON_NS, key=KEY)
    pads = [sealed_part(reply_to(request, NOON_NS, key=KEY, entropy=entropy))[:26] for entropy in range(2000)]
    assert len({pad[:16] for pad in pads}) == 2000
    assert set().union(*pads) == set(range(256)) - set(b"|[]")


def test_longest_reply_fits() -> None:
    request = build_frame("NULL", "1234567890ABCDEF", receiver="FFFFFF", line="FFFFFF", stamp_ns=NOON_NS, key=KEY)
    assert len(reply_to(request, NOON_NS, key=KEY)) == 148


def test_built_pad_must_fit() -> None:
    with pytest.raises(ValueError, match="stamp"):
        build_frame("NULL", "1234", key=KEY)
    with pytest.raises(ValueError, match="blocks"):
        build_frame("NULL", "1234", stamp_ns=NOON_NS, key=KEY, pad=b"x")
    frame = build_frame("NULL", "1234", stamp_ns=NOON_NS, key=KEY, pad=b"x" * 10)
    assert sealed_part(frame) == b"x" * 10 + b"|]" + STAMP
