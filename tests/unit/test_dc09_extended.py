"""Extended data of DC-09 by the table in dc09_extended.pyx: every id, every form, and what is never kept."""
import json

import pytest

from codec import reference, reference_dc09
from codec.batch import Batch
from codec.reading import build_frame, decode_stream, read_frames

NOON_NS = 1_767_268_800 * 10**9
KEY = bytes(range(16))


def only(*extended: bytes, token: str = "SIA-DCS", data: bytes = b"#1234|NFA1", **more) -> dict:
    frame = build_frame(token, "1234", data, extended=extended, **more)
    found, = read_frames(frame, NOON_NS, key=more.get("key"))
    twin, = reference.read_frames(frame, NOON_NS, reference.Profile(key=more.get("key")))
    for signal in found["signals"]:
        signal["flags"].sort()
    assert found == twin
    batch = Batch(128, 65536)
    decode_stream(frame, batch, NOON_NS, key=more.get("key"))
    batch.check()
    return found


def details(*extended: bytes, **more) -> dict | None:
    signals = only(*extended, **more)["signals"]
    assert all(signal.get("details") == signals[0].get("details") for signal in signals)
    return signals[0].get("details")


def flags(*extended: bytes) -> list[str]:
    return only(*extended)["signals"][0]["flags"]


@pytest.mark.parametrize(("field", "expected"), [
    (b"A0123ABCD", {"authentication": "0123ABCD"}), (b"CCDP", {"supervision_category": "CDP"}),
    (b"G2", {"network_path": "2"}), (b"IKitchen smoke", {"alarm_text": "Kitchen smoke"}),
    (b"J03", {"network_path": "03"}), (b'J{"zone":[1,2]}', {"json": {"zone": [1, 2]}}), (b"J[1]", {"json": [1]}),
    (b"J{zone}", {"json": "{zone}"}), (b"Kdeadbeef", {"key_given": True}), (b"LHall 3", {"location": "Hall 3"}),
    (b"M0011AABBCCDD", {"mac": "0011AABBCCDD"}), (b"N10.0.0.9", {"network_address": "10.0.0.9"}),
    (b"OTower B", {"building": "Tower B"}), (b"P0102", {"programming": "0102"}), (b"R12", {"room": "12"}),
    (b"SMain St. 5", {"site": "Main St. 5"}), (b"TF", {"trigger": "fire"}), (b"TG", {"trigger": "gas"}),
    (b"TW", {"trigger": "water"}), (b"TS", {"trigger": "sensor"}), (b"TC", {"trigger": "contact"}),
    (b"TM", {"trigger": "manual"}), (b"TQ", {"trigger": "Q"}), (b"TFF", {"trigger": "FF"}),
    (b"Vhttp://x/y?z=1", {"url": "http://x/y?z=1"}),
    (b"X093W23.456", {"longitude": "093W23.456", "longitude_degrees": -93.390933}),
    (b"X093E00", {"longitude": "093E00", "longitude_degrees": 93.0}), (b"X193W00", {"longitude": "193W00"}),
    (b"X000W00.0000001", {"longitude": "000W00.0000001", "longitude_degrees": 0.0}),
    (b"Xabout here", {"longitude": "about here"}), (b"Y45S23.456", {"latitude": "45S23.456",
                                                                    "latitude_degrees": -45.390933}),
    (b"Y45N23.456", {"latitude": "45N23.456", "latitude_degrees": 45.390933}), (b"Y91N00", {"latitude": "91N00"}),
    (b"Y45N60", {"latitude": "45N60"}), (b"Z123.2M", {"altitude_m": 123.2}), (b"Z-4", {"altitude_m": -4}),
    (b"Z012M", {"altitude": "012M"}), (b"Zhigh", {"altitude": "high"}), (b"Z", {"altitude": ""}),
    (b"Hyesterday", {"time_of_occurrence": "yesterday"}), (b"Q", {"other": {"Q": ""}}),
    (b"Qbody", {"other": {"Q": "body"}}), (b"xlow", {"other": {"x": "low"}}), (b"\"q\\", {"other": {"\"": "q\\"}}),
    (b"\xc3\xa9t", {"other": {"?": "ét"}}), (b"", None)], ids=repr)
def test_every_id(field: bytes, expected: dict | None) -> None:
    assert details(field) == expected


def test_time_of_occurrence_is_the_time_of_the_row() -> None:
    assert details(b"H11:59:58,01-01-2026") is None
    assert only(b"H11:59:58,01-01-2026")["occurred"] == "2026-01-01T11:59:58Z"


def test_several_of_one_id_are_all_kept_in_their_order() -> None:
    assert details(b"Ione", b"R7", b"Itwo", b"Qa", b"Qb", b"wz") == {
        "alarm_text": ["one", "two"], "room": "7", "other": {"Q": ["a", "b"], "w": "z"}}
    assert details(b"G1", b"J02") == {"network_path": ["1", "02"]}
    assert details(b"Kone", b"Ktwo") == {"key_given": True}


def test_every_row_of_the_frame_has_them_and_shares_their_bytes() -> None:
    batch = Batch(8, 8192)
    decode_stream(build_frame("SIA-DCS", "1234", b"#1234|NFA1/FA2/FA3", extended=[b"I" + b"x" * 500]), batch, 0)
    assert [json.loads(batch.row(i)["details"])["alarm_text"] for i in range(3)] == ["x" * 500] * 3
    assert batch.arena_used < 2 * 600
    batch.check()


def test_encrypted_frames_have_them_too() -> None:
    assert details(b"IHalle", b"R\xc3\xa4", key=KEY, stamp_ns=NOON_NS) == {"alarm_text": "Halle", "room": "ä"}


@pytest.mark.parametrize(("text", "expected", "cleaned"), [
    ("Küche".encode(), "Küche", []), ("Küche".encode("cp1252"), "Küche", ["cleaned"]), (b"\x80 9", "€ 9", ["cleaned"]),
    (b"a\0b", "a\ufffdb", ["cleaned"]), (b"\xed\xa0\x80", "í\xa0€", ["cleaned"]), (b"\x81", "\ufffd", ["cleaned"]),
    (b"tab\tquote\"back\\slash\n", "tab\tquote\"back\\slash\n", []), ("🔥".encode(), "🔥", [])])
def test_texts_are_utf_8_or_windows_1252(text: bytes, expected: str, cleaned: list[str]) -> None:
    assert details(b"I" + text) == {"alarm_text": expected}
    assert flags(b"I" + text) == cleaned


@pytest.mark.parametrize("text", [
    b'{"a":1', b'{"a":1}x', b'{"a":01}', b'{"a":1e100}', b'{"a":' + b"1" * 33 + b"}", b'{"a":"\\u0000"}',
    b'{"a":"\\ud800"}', b'{"a":"\\udc00\\ud800"}', b'{"a":"\n"}', b'{"a":"\xff"}', b"[" * 17 + b"]" * 17, b"[1,]",
    b"[,1]", b"{1:2}", b'{"a" 1}', b"[tru]", b"[1 2]", b"[NaN]", b"[-]", b"[1.]", b'["\\x"]', b"{]",
    b'{"a":1,}', b'["\\u12"]'])
def test_json_that_a_database_would_refuse_is_kept_as_text(text: bytes) -> None:
    found = details(b"J" + text)
    assert found is not None
    assert isinstance(found["json"], str)


@pytest.mark.parametrize("text", [
    b'{"a":{"b":[1,-2.5,1e9,0.1E-3,true,false,null,"\\u00e9\\ud83d\\ude00\\n"]},"c":{},"d":[]}', b"[ ]", b"{\t}\r\n",
    b"[" * 16 + b"]" * 16, '["é"]'.encode(), b'[\n1\n,\n{"a"\n:\n2}\n]', b'{"a":1,"a":2}'])
def test_json_is_kept_as_json(text: bytes) -> None:
    assert details(b"J" + text) == {"json": json.loads(text)}


def test_fields_that_do_not_fit_are_left_out_whole() -> None:
    assert details(b"Ismall", b"P" + b"\x01" * 900, b"R9") == {"alarm_text": "small", "room": "9"}
    assert flags(b"Ismall", b"P" + b"\x01" * 900) == ["cut"]
    assert details(b"P" + b"\x01" * 900) is None
    many = [b"I%d" % number for number in range(33)]
    assert details(*many) == {"alarm_text": [str(number) for number in range(32)]}
    assert flags(*many) == ["cut"]
    assert flags(*many[:32]) == []


@pytest.mark.parametrize("size", range(4090, 4102))
def test_the_longest_details_fill_their_limit(size: int) -> None:
    around = len('{"alarm_text":""}')
    found = only(b"I" + b"\xe4" * ((size - around) // 2) + b"x" * ((size - around) % 2))["signals"][0]
    assert ("details" in found) == (size <= 4096)
    assert ("cut" in found["flags"]) == (size > 4096)


@pytest.mark.parametrize("token", ["SIA-DCS", "HENG-BO", "SIA-PUL"])
@pytest.mark.parametrize("text", [b"", b"\xff"])
def test_an_encryption_key_is_kept_nowhere(token: str, text: bytes) -> None:
    fields = [b"Kc0ffee", *[b"I" + text] * 40, b"Kc0ffee"]
    for key in (None, KEY):
        batch = Batch(4, 16384)
        frame = build_frame(token, "1234", b"#1234|NFA1", extended=fields, stamp_ns=NOON_NS)
        if key is not None:
            frame = build_frame(token, "1234", b"#1234|NFA1", extended=fields, stamp_ns=NOON_NS, key=KEY)
        found = only(*fields, token=token, stamp_ns=NOON_NS, **({"key": key} if key else {}))
        assert "c0ffee" not in json.dumps(found)
        decode_stream(frame, batch, NOON_NS, **({"key": key} if key else {}))
        assert len(batch) == 1
        assert b"c0ffee" not in batch.encode()


@pytest.mark.parametrize(("trigger", "expected"), [
    (b"TF", ("fire", "fire", "raised")), (b"TM", ("fire", "manual_call_point", "raised")),
    (b"TG", ("gas", "gas", "raised")), (b"TW", ("supervisory", "water_leak", "raised")),
    (b"TS", ("info", "unknown", "info")), (b"TC", ("info", "unknown", "info")), (b"T", ("info", "unknown", "info"))])
def test_the_trigger_names_what_the_code_does_not(trigger: bytes, expected: tuple) -> None:
    for token, data in [("SIA-DCS", b"#1234|NQQ1"), ("SIA-DCS", b"#1234|5555"), ("SIA-PUL", b"12"), ("HENG-BO", b""),
                        ("ADM-CID", b"#1234|1FFF 01 001")]:
        signal, = only(trigger, token=token, data=data)["signals"]
        assert (signal["class"], signal["condition"], signal["state"]) == expected
        assert "unknown_code" in signal["flags"]


def test_a_restore_of_an_unknown_code_clears() -> None:
    signal, = only(b"TF", token="ADM-CID", data=b"#1234|3FFF 01 001")["signals"]
    assert (signal["class"], signal["state"]) == ("fire", "cleared")


@pytest.mark.parametrize(("data", "expected"), [
    (b"#1234|NFC1", ("info", "cancelled")), (b"#1234|NRP1", ("test", "periodic_test")),
    (b"#1234|NFT1", ("fault", "detector_fault")), (b"#1234|NGA1", ("gas", "gas")), (b"#1234|NKQ1", ("fire", "fire"))])
def test_a_known_code_or_family_keeps_its_class_whatever_the_trigger(data: bytes, expected: tuple) -> None:
    signal, = only(b"TF", data=data)["signals"]
    assert (signal["class"], signal["condition"]) == expected


def test_a_stale_frame_with_a_fire_trigger_is_late_and_not_lost() -> None:
    frame = build_frame("SIA-DCS", "1234", b"#1234|NQQ1", extended=[b"TF"], stamp_ns=NOON_NS, key=KEY)
    found, = read_frames(frame, NOON_NS + 3600 * 10**9, key=KEY)
    assert (found["status"], found["signals"][0]["class"]) == ("ok", "fire")
    assert "late" in found["signals"][0]["flags"]


@pytest.mark.parametrize(("age_s", "old"), [(0, False), (119, False), (120, True), (86400, True), (-120, False),
                                            (-86400, False)])
@pytest.mark.parametrize("clock_s", [0, 40 * 365 * 86400])
def test_an_event_is_old_by_the_clock_of_its_transmitter(age_s: int, old: bool, clock_s: int) -> None:
    stamp_s = NOON_NS // 10**9 + clock_s
    occurred = reference_dc09.shown(stamp_s - age_s)
    assert occurred is not None
    year, month, day = occurred[:10].split("-")
    field = f"H{occurred[11:19]},{month}-{day}-{year}".encode()
    found = only(field, stamp_ns=stamp_s * 10**9)
    assert found["occurred"] == occurred
    assert ("old" in found["signals"][0]["flags"]) == old
    assert "old" not in only(field)["signals"][0]["flags"]  # without a stamp nobody can say


def test_modifiers_are_kept_for_the_events_behind_them() -> None:
    found = only(data=b"#1234|Nda01-02-26/ti12:30:00/id7/pi2/FA1/id8/ai1/ph3/lv4/va21.5/pt5/rg6/ss9/FA2^x^")["signals"]
    first = {"event_date": "01-02-26", "event_time": "12:30:00", "user": "7", "peripheral": "2"}
    assert found[0]["details"] == first
    assert found[1]["details"] == first | {
        "user": "8", "automation": "1", "phone": "3", "level": "4", "value": "21.5", "path": "5", "route_group": "6",
        "sub_subscriber": "9"}
    assert only(b"R1", data=b"#1234|Nri3/id7/FA1/ri4/FA2")["signals"][1]["details"] == {"room": "1", "user": "7"}


def test_too_many_modifiers_are_cut_and_flagged() -> None:
    data = b"#1234|N" + b"".join(b"id%d/" % number for number in range(33)) + b"FA1"
    signal, = only(data=data)["signals"]
    assert (signal["details"], signal["flags"]) == ({"user": "31"}, ["cut"])


def test_a_frame_without_more_has_no_details() -> None:
    assert only(data=b"#1234|Nri1/FA1", stamp_ns=NOON_NS)["signals"] == [
        {"class": "fire", "condition": "fire", "state": "raised", "point": "1/1", "native": "FA1", "flags": []}]


def test_a_full_batch_is_left_as_it_was() -> None:
    frame = build_frame("SIA-DCS", "1234", b"#1234|NFA1/id2/FA2", extended=[b"Ihall", b"Kkey"])
    whole = Batch(4, 8192)
    assert decode_stream(frame, whole, 0) == 1
    for arena in range(whole.arena_used):
        batch = Batch(4, arena)
        assert decode_stream(frame, batch, 0) == 0
        assert (len(batch), batch.arena_used) == (0, 0)
