"""The data fields of SIA-DCS and ADM-CID: which events are found, where they point, what is kept of their text."""
import pytest

from codec.batch import Batch
from codec.reading import build_frame, decode_stream, read_frames

NOON_NS = 1_767_268_800 * 10**9


def read(token: str, data: bytes) -> dict:
    found = read_frames(build_frame(token, "1234", data), NOON_NS)
    assert len(found) == 1
    return found[0]


def events(token: str, data: bytes) -> list[tuple]:
    return [(signal["condition"], signal["state"], signal["point"], signal["native"])
            for signal in read(token, data)["signals"]]


@pytest.mark.parametrize(("data", "expected"), [
    (b"NFA017", [("fire", "raised", "017", "FA017")]),
    (b"Nri1/FA017^Smoke hall^", [("fire", "raised", "1/017", "FA017^Smoke hall^")]),
    (b"Nri0/FA017", [("fire", "raised", "017", "FA017")]),
    (b"Nri2FA3", [("fire", "raised", "2/3", "FA3")]),
    (b"Nid5ri2/FA3/AT", [("fire", "raised", "2/3", "FA3"), ("mains_fault", "raised", "2/", "AT")]),
    (b"Nri1/FA1|Nri2/KA2", [("fire", "raised", "1/1", "FA1"), ("heat", "raised", "2/2", "KA2")]),
    (b"NFA1|A Boiler / room|FH2", [("fire", "raised", "1", "FA1|A Boiler / room"), ("fire", "cleared", "2", "FH2")]),
    (b"NFA1|AT2", [("fire", "raised", "1", "FA1"), ("mains_fault", "raised", "2", "AT2")]),
    (b"NFA1^a/b|c^/SA2", [("fire", "raised", "1", "FA1^a/b|c^"), ("waterflow", "raised", "2", "SA2")]),
    (b"Nri04/OP001NM", [("opening", "info", "04/001", "OP001"), ("closing", "info", "04/", "NM")]),
    (b"Nri1OP0001*Familie*", [("opening", "info", "1/0001", "OP0001*Familie*")]),
    (b"Nti20:50:26RP99", [("periodic_test", "info", "99", "RP99")]),
    (b"FA12", [("fire", "raised", "12", "FA12")]),
    (b"FA1AB", [("fire", "raised", "1AB", "FA1AB")]),
    (b"NFA1^never closed", [("fire", "raised", "1", "FA1^never closed")]),
    (b"NRP0000/FA1", [("periodic_test", "info", "0000", "RP0000"), ("fire", "raised", "1", "FA1")]),
    (b"NFM1/FG2/FL3/FC4", [("fire_confirmed", "raised", "1", "FM1"), ("fire_unverified", "raised", "2", "FG2"),
                           ("silenced", "info", "3", "FL3"), ("cancelled", "info", "4", "FC4")]),
    (b"NFD9", [("unknown", "raised", "9", "FD9")]),
    (b"NBA1/NFA2/OP3", [("burglary", "raised", "1", "BA1"), ("fire", "raised", "2", "FA2"),
                        ("opening", "info", "3", "OP3")]),
])
def test_sia_events(data: bytes, expected: list) -> None:
    assert events("SIA-DCS", b"#1234|" + data) == expected
    assert events("SIA-DCS", b"|" + data) == expected


def test_code_without_mark_is_no_account() -> None:
    signal, = read("SIA-DCS", b"FA017|A Smoke hall")["signals"]
    assert (signal["class"], signal["native"], signal["flags"]) == ("fire", "FA017|A Smoke hall", [])
    assert events("SIA-DCS", b"5678|NFA017") == [("fire", "raised", "017", "FA017")]


@pytest.mark.parametrize("data", [b"", b"#1234|", b"#1234|Nri0/RP0000", b"#1234|NRP0", b"#1234|N", b"#1234|Nri1/"])
def test_sia_heartbeats(data: bytes) -> None:
    found = read("SIA-DCS", data)
    assert (found["kind"], found["signals"]) == ("heartbeat", [])


def test_null_with_dummy_data_is_a_heartbeat() -> None:
    assert read("NULL", b"#0000|0000 00 000")["kind"] == "heartbeat"


def test_old_events_are_flagged() -> None:
    flags = [signal["flags"] for signal in read("SIA-DCS", b"#1234|OFA1/FA2|NFA3")["signals"]]
    assert flags == [["old"], ["old"], []]


@pytest.mark.parametrize(("data", "expected"), [
    (b"1110 01 012", [("fire", "raised", "01/012", "1110 01 012")]),
    (b"3110 00 012", [("fire", "cleared", "012", "3110 00 012")]),
    (b"6111 01 003", [("smoke", "raised", "01/003", "6111 01 003")]),
    (b"1401 01 005", [("opening", "info", "01/005", "1401 01 005")]),
    (b"3401 01 005", [("closing", "info", "01/005", "3401 01 005")]),
    (b"1570 01 005|3571 01 006", [("disabled", "raised", "01/005", "1570 01 005"),
                                  ("disabled", "cleared", "01/006", "3571 01 006")]),
    (b"1110 01 012|text", [("fire", "raised", "01/012", "1110 01 012|text")]),
    (b"1110", [("fire", "raised", "", "1110")]),
    (b"111001012", [("fire", "raised", "01/012", "111001012")]),
    (b"nonsense", [("unknown", "info", "", "nonsense")]),
])
def test_contact_id_events(data: bytes, expected: list) -> None:
    assert events("ADM-CID", b"#1234|" + data) == expected


@pytest.mark.parametrize(("token", "data", "signal_class", "state"), [
    ("SIA-DCS", b"FQ1", "fault", "cleared"), ("SIA-DCS", b"FD1", "fire", "raised"),
    ("SIA-DCS", b"KQ1", "fire", "raised"), ("SIA-DCS", b"SQ1", "fire", "raised"), ("SIA-DCS", b"GQ1", "gas", "raised"),
    ("SIA-DCS", b"QQ1", "info", "info"),
    ("ADM-CID", b"1119 01 001", "fire", "raised"), ("ADM-CID", b"3119 01 001", "fire", "cleared"),
    ("ADM-CID", b"1999 01 001", "info", "info"), ("ADM-CID", b"2110 01 001", "fire", "raised")])
def test_unknown_codes_take_the_class_of_their_family(token: str, data: bytes, signal_class: str, state: str) -> None:
    signal, = read(token, b"#1234|" + data)["signals"]
    assert (signal["class"], signal["state"]) == (signal_class, state)
    assert (signal["flags"] == ["unknown_code"]) == (data != b"FQ1")


def test_account_in_the_data_is_compared() -> None:
    assert read("SIA-DCS", b"#9999|NFA1")["signals"][0]["flags"] == ["account_differs"]
    assert read("SIA-DCS", b"#9999|NFA1")["account"] == "1234"
    assert read("SIA-DCS", b"#1234|NFA1")["signals"][0]["flags"] == []


@pytest.mark.parametrize(("text", "expected", "flags"), [
    ("Brandmelder Küche".encode(), "Brandmelder Küche", []),
    ("Brandmelder Küche €".encode("cp1252"), "Brandmelder Küche €", ["cleaned"]),
    (b"a\0b", "a\ufffdb", ["cleaned"]), (b"\x81", "\ufffd", ["cleaned"]), ("Cháy 🔥".encode(), "Cháy 🔥", []),
    (b"\xed\xa0\x80", "í\xa0€", ["cleaned"])])
def test_text_cleaning(text: bytes, expected: str, flags: list) -> None:
    signal, = read("SIA-DCS", b"#1234|NFA1^" + text + b"^")["signals"]
    assert (signal["native"], signal["flags"]) == (f"FA1^{expected}^", flags)


@pytest.mark.parametrize("character", ["x", "ü", "€", "🔥"])
@pytest.mark.parametrize("lead", range(4))
def test_long_text_is_cut_between_characters(character: str, lead: int) -> None:
    signal, = read("SIA-DCS", b"#1234|NFA1^" + b"-" * lead + (character * 600).encode() + b"^")["signals"]
    size = len(signal["native"].encode())
    assert 512 - 4 < size <= 512
    assert signal["flags"] == ["cut"]


def test_rows_of_one_frame_share_its_bytes() -> None:
    frame = build_frame("SIA-DCS", "1234", b"#1234|Nri1/FA1/FA2", sequence=77, stamp_ns=NOON_NS - 10**9,
                        extended=[b"H11:00:00,01-01-2026"])
    batch = Batch(8, 4096)
    assert decode_stream(frame, batch, NOON_NS) == 1
    batch.check()
    first, second = batch.row(0), batch.row(1)
    assert first["raw"] == second["raw"] == frame
    assert first["identity"] == second["identity"] == frame[9:frame.rindex(b"]") + 1]
    assert batch.arena_used == len(frame) + len("1/1") + len("1/2")
    assert (first["sequence"], first["account"], first["received_ns"]) == (77, "1234", NOON_NS)
    assert first["occurred_ns"] == NOON_NS - 3600 * 10**9


def test_identity_leaves_out_checksum_length_and_stamp() -> None:
    identities = []
    for stamp_ns, sequence in ((NOON_NS, 1), (NOON_NS + 10**9, 1), (NOON_NS, 2)):
        batch = Batch(1, 4096)
        decode_stream(build_frame("SIA-DCS", "1234", b"NFA1", sequence=sequence, stamp_ns=stamp_ns), batch, 0)
        identities.append(batch.row(0)["identity"])
    assert identities[0] == identities[1] != identities[2]


def test_full_batch_is_left_as_it_was() -> None:
    frame = build_frame("SIA-DCS", "1234", b"#1234|Nri1/FA1^" + "ü".encode("cp1252") + b"^/FA2/FA3")
    whole = Batch(8, 4096)
    assert decode_stream(frame, whole, 0) == 1
    for rows_max, arena_max in [(rows, 4096) for rows in range(1, 3)] + [(8, size) for size in range(whole.arena_used)]:
        batch = Batch(rows_max, arena_max)
        assert decode_stream(frame, batch, 0) == 0
        assert (len(batch), batch.arena_used) == (0, 0)
    batch = Batch(3, whole.arena_used)
    assert decode_stream(frame, batch, 0) == 1
    assert batch.encode() == whole.encode()


def test_too_many_signals_are_refused_whole() -> None:
    assert len(read("SIA-DCS", b"|N" + b"/FA1" * 128)["signals"]) == 128
    found = read("SIA-DCS", b"|N" + b"/FA1" * 129)
    assert (found["status"], found["signals"]) == ("field", [])
