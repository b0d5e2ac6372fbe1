"""Reading GB/T 26875.3 frames: the vectors three ways, heartbeats, replies, times, and the frame after a bad one."""
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from codec.batch import Batch
from codec.gbt26875_downlink import build_frame, build_request
from codec.reading import build_frame as build_dc09
from codec.reading import decode_stream, encode_reply, read_frames, split_status

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "gbt26875.json").read_text())
SOUND = [vector for vector in VECTORS if vector["expect"]["valid"]]
BROKEN = [vector for vector in VECTORS if not vector["expect"]["valid"]]
ACCEPT, REFUSE, UNABLE = 1, 2, 3
NOON_NS = 1_767_268_800 * 10**9  # 2026-01-01 12:00:00 UTC
FIRE = build_frame(2, bytes.fromhex("0201 010528 39000d00 0200") + bytes(31) + bytes.fromhex("010203040519"),
                   serial=7, source=889, destination=88888, stamp_ns=NOON_NS)
TIMES = {8, 28}


def name(vector: dict) -> str:
    return f"{vector['note']} {vector['raw_hex'][4:8]}"


def only(data: bytes) -> dict:
    found = read_frames(data, NOON_NS)
    assert len(found) == 1
    return found[0]


def china(text: str | None) -> str | None:
    """A time of the vectors, which is China's, as `read_frames` shows it."""
    if text is None:
        return None
    return (datetime.fromisoformat(text) - timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%SZ")


def kind_of(expect: dict) -> str:
    if expect["cmd"] in (3, 6):
        return "reply"
    if expect["cmd"] in (1, 4):
        return "other"
    return "heartbeat" if expect["app_len"] <= 1 or expect["type"] in TIMES | {190} else "signal"


@pytest.mark.parametrize("vector", SOUND, ids=name)
def test_gbt_vector_header(vector: dict) -> None:
    expect = vector["expect"]
    found = only(bytes.fromhex(vector["raw_hex"]))
    assert (found["protocol"], found["status"], found["length"]) == ("gbt26875", "ok", expect["len"])
    assert (found["account"], found["sequence"]) == (str(expect["src"]), expect["seq"])
    assert (found["token"], found["kind"]) == (expect["cmd_name"], kind_of(expect))
    assert found["timestamp"] == china(expect["time"])


@pytest.mark.parametrize("vector", [vector for vector in SOUND if vector["expect"].get("objects")], ids=name)
def test_gbt_vector_objects(vector: dict) -> None:
    """What another decoder found in each object stands in the signals."""
    expect = vector["expect"]
    found = only(bytes.fromhex(vector["raw_hex"]))
    said = [(signal["point"], signal["native"]) for signal in found["signals"]]
    for item in expect["objects"]:
        point = f"{item['sys_type']}/{item['sys_addr']}" if "sys_type" in item else "transmitter"
        if "comp_type" in item:
            point += f"/{item['comp_type']}-{item['comp_addr_hex']}"
        if "status" in item:
            assert {"point": point, "word": item["status"]} in found["levels"]
            text = item.get("text")
            assert any(where == point and native.endswith(f" {text}" if text else f"{item['status']:02x}")
                       for where, native in said)
        elif "op" in item:
            assert (f"{point}/operation", f"operation 0x{item['op']:02x} operator {item['operator']}") in said
        elif "analog_raw" in item:
            assert (point, f"temperature {item['analog_raw'] / 10} C") in said
        elif "version" in item:
            assert (point, f"version {item['version']}") in said
        elif "text" in item:
            assert (point, f"configuration {item['text']}") in said
        else:
            assert expect["type"] in TIMES
    if expect["type"] not in (5, 25, 26) and found["kind"] == "signal":
        assert (found["occurred"] or found["timestamp"]) == china(expect["objects"][0]["time"])


@pytest.mark.parametrize("vector", SOUND, ids=name)
def test_gbt_vector_byte_by_byte(vector: dict) -> None:
    data = bytes.fromhex(vector["raw_hex"])
    for size in range(len(data)):
        assert split_status(data[:size]) == ("need_data", 0), size
    assert split_status(data) == ("ok", len(data))


@pytest.mark.parametrize("trailing", [b"\0", b"@", b"@@", b"#", b"\n", FIRE, FIRE[:40]], ids=len)
@pytest.mark.parametrize("vector", SOUND, ids=name)
def test_gbt_vector_with_trailing_bytes(vector: dict, trailing: bytes) -> None:
    data = bytes.fromhex(vector["raw_hex"])
    assert split_status(data + trailing) == ("ok", len(data))
    assert read_frames(data + trailing, NOON_NS)[0] == only(data)


@pytest.mark.parametrize("before", [b"", b"@", b"@@", b"##", b"@@@", b"\n0000", FIRE[:20], FIRE[:50], FIRE[1:]],
                         ids=lambda data: data[:9].hex() or "nothing")
@pytest.mark.parametrize("vector", SOUND, ids=name)
def test_gbt_next_good_frame_is_never_swallowed(vector: dict, before: bytes) -> None:
    data = bytes.fromhex(vector["raw_hex"])
    found = [each for each in read_frames(before + data + FIRE, NOON_NS) if each["status"] == "ok"]
    assert found == [only(data), only(FIRE)]


@pytest.mark.parametrize("vector", BROKEN, ids=name)
def test_gbt_broken_vector_costs_only_itself(vector: dict) -> None:
    data = bytes.fromhex(vector["raw_hex"])
    found = read_frames(data + FIRE, NOON_NS)
    assert found[0]["status"] in ("checksum", "length")
    assert [each for each in found if each["status"] == "ok"] == [only(FIRE)]


def test_gbt_every_damaged_byte_costs_one_frame_only() -> None:
    for at in range(len(FIRE)):
        for value in (0, 0x03, 0x23, 0x40, FIRE[at] ^ 1):
            wrong = FIRE[:at] + bytes([value]) + FIRE[at + 1:]
            assert read_frames(wrong + FIRE, NOON_NS)[-1] == only(FIRE), (at, value)


@pytest.mark.parametrize("length", [0, 1, 47, 49, 200, 1000, 1024, 1025, 65535])
def test_gbt_wrong_length_does_not_hold_back_the_next_frame(length: int) -> None:
    wrong = FIRE[:24] + length.to_bytes(2, "little") + FIRE[26:]
    assert split_status(wrong + FIRE)[0] == "length"
    assert read_frames(wrong + FIRE, NOON_NS)[-1] == only(FIRE)


def test_gbt_marks_inside_data_and_addresses() -> None:
    data = build_frame(2, bytes.fromhex("0201 404023 40402323 4040") + b"@@##" * 7 + b"@@#" + b"\1" * 6,
                       serial=0x2323, source=0x404023234040, destination=0x232323232323)
    found = only(data)
    assert found["account"] == str(0x404023234040)
    assert found["levels"] == [{"point": "64/64/35-40402323", "word": 0x4040}]
    for size in range(len(data)):
        assert split_status(data[:size]) == ("need_data", 0)


def test_gbt_and_dc09_in_one_stream() -> None:
    other = build_dc09("NULL", "1234")
    found = read_frames(FIRE + other + b"@\n" + FIRE, NOON_NS)
    assert [each["protocol"] for each in found if each["status"] == "ok"] == ["gbt26875", "dc09", "gbt26875"]


@pytest.mark.parametrize(("command", "data", "kind", "answered"), [
    (2, "", "heartbeat", True), (2, "16", "heartbeat", True), (2, "1501", "heartbeat", True),
    (2, "1c01 010203040519", "heartbeat", True), (2, "0801 0101 010203040519", "heartbeat", True),
    (2, "be01 00", "heartbeat", True), (2, "be01 0001", "signal", True), (2, "1501 01 010203040519", "signal", True),
    (2, "1c01 01", "signal", True), (7, "", "heartbeat", True), (0xFE, "", "heartbeat", True),
    (0xFE, "010203", "heartbeat", True), (9, "", "heartbeat", True), (0, "0001" + "00" * 110, "other", True),
    (200, "0102", "other", True), (5, "1c01 010203040519", "heartbeat", False), (5, "1501 08", "signal", False),
    (3, "", "reply", False), (3, "00", "reply", False), (6, "", "reply", False), (4, "5101 00", "other", False),
    (1, "5901 00", "other", False)])
def test_gbt_kinds(command: int, data: str, kind: str, answered: bool) -> None:
    frame = build_frame(command, bytes.fromhex(data), source=5)
    found = only(frame)
    assert (found["status"], found["kind"]) == ("ok", kind)
    assert bool(found["signals"] or found["levels"]) == (kind in ("signal", "other") and command not in (1, 4))
    if not answered and command not in (1, 4):
        assert encode_reply(frame, ACCEPT, NOON_NS) == encode_reply(frame, REFUSE, NOON_NS) == b""


@pytest.mark.parametrize(("answer", "command"), [(ACCEPT, 3), (REFUSE, 6), (UNABLE, 6)])
def test_gbt_replies(answer: int, command: int) -> None:
    request = build_frame(2, b"\x16", serial=0xABCD, source=889, destination=88888, version=(16, 3))
    reply = encode_reply(request, answer, NOON_NS)
    assert reply == build_frame(command, serial=0xABCD, source=88888, destination=889, version=(16, 3),
                                stamp_ns=NOON_NS)
    assert reply[6:12] == bytes([0, 0, 20, 1, 1, 26])  # noon UTC is 20:00 in China
    assert len(reply) == 30
    assert encode_reply(request, 0, NOON_NS) == b""
    assert encode_reply(reply, ACCEPT, NOON_NS) == b""


@pytest.mark.parametrize("address", [0, 1, 9, 10, 2**32, 2**48 - 1])
def test_gbt_account_is_the_source_in_decimal(address: int) -> None:
    assert only(build_frame(2, source=address))["account"] == str(address)


def tagged(tag: str, data: str = "") -> bytes:
    frame = bytearray(build_frame(2, bytes.fromhex(data), source=5))
    frame[6:12] = bytes.fromhex(tag)
    frame[-3] = sum(frame[2:-3]) & 0xFF
    return bytes(frame)


@pytest.mark.parametrize(("tag", "expected"), [
    ("000014 01011a", "2026-01-01T12:00:00Z"), ("3b3b17 1f0c63", "2099-12-31T15:59:59Z"),
    ("595923 311226", "2026-12-31T15:59:59Z"),  # 89 seconds: BCD for certain
    ("000020 010126", "2026-01-01T12:00:00Z"),  # year 38, or 26 in BCD, which is nearer
    ("000012 01011a", "2026-01-01T10:00:00Z"),  # hour 18 in binary; 1a is no BCD
    ("000000 1d0219", None), ("000000 1d0218", "2024-02-28T16:00:00Z"), ("000000 000000", None),
    ("ffffff ffffff", None), ("3c0000 01011a", None), ("000000 010064", None)])
def test_gbt_time_tag(tag: str, expected: str | None) -> None:
    assert only(tagged(tag))["timestamp"] == expected


@pytest.mark.parametrize(("header", "tag", "expected"), [
    ("000020 010126", "301520 010126", "2026-01-01T12:15:30Z"),  # the header decides for all: BCD
    ("000014 01011a", "10100a 01011a", "2026-01-01T02:16:16Z"),
    ("000014 01011a", "301510 010126", "2038-01-01T08:21:48Z"),  # binary, as the header
    ("000014 01011a", "595910 010126", "2026-01-01T02:59:59Z"),  # impossible in binary all the same
    ("000020 010126", "10100a 01011a", "2026-01-01T02:16:16Z"),  # impossible in BCD
    ("000014 01011a", "ffffff ffffff", None)])  # no time: the header's stands for it
def test_gbt_time_tag_of_an_object(header: str, tag: str, expected: str | None) -> None:
    assert only(tagged(header, f"1801 0401 {tag}"))["occurred"] == expected


def rows(data: bytes) -> list[dict]:
    batch = Batch(200, 100_000)
    decode_stream(data, batch, NOON_NS)
    batch.check()
    view = Batch.view(batch.encode())
    assert [view.row(index) for index in range(len(view))] == [batch.row(index) for index in range(len(batch))]
    return [batch.row(index) for index in range(len(batch))]


def test_gbt_rows_carry_frame_identity_and_level() -> None:
    row, = rows(FIRE)
    assert (row["account"], row["sequence"], row["raw"]) == ("889", 7, FIRE)
    assert row["level"] == 0x02280002
    assert row["kind"] == 5
    assert row["occurred_ns"] == int(datetime(2025, 5, 3, 19, 2, 1, tzinfo=UTC).timestamp()) * 10**9


def test_gbt_identity_is_everything_but_the_header_time() -> None:
    data, tag = FIRE[27:-3], {"serial": 7, "source": 889, "destination": 88888}
    again = build_frame(2, data, **tag, stamp_ns=NOON_NS + 10**10)
    assert again != FIRE
    assert rows(again)[0]["identity"] == rows(FIRE)[0]["identity"]
    for other in (build_frame(5, data, **tag), build_frame(2, data, **tag | {"serial": 8}),
                  build_frame(2, data, **tag | {"source": 890}), build_frame(2, data[:-1] + b"\x1a", **tag)):
        assert rows(other)[0]["identity"] != rows(FIRE)[0]["identity"]


def test_gbt_full_batch_takes_no_part_of_a_frame() -> None:
    two = build_frame(2, bytes.fromhex("0102") + bytes.fromhex("0101 0200 010203040519") * 2)
    whole = Batch(8, 100_000)
    decode_stream(two, whole, NOON_NS)
    for batch in (Batch(1, 100_000), *(Batch(8, size) for size in range(0, whole.arena_used, 7))):
        decode_stream(two, batch, NOON_NS)
        assert (len(batch), batch.arena_used) == (0, 0)


REQUESTS = [
    (88, {}, "centre reads transmitter time"), (81, {}, "centre reads transmitter status"),
    (85, {}, "centre reads transmitter version"), (89, {}, "control: initialise"),
    (91, {"minutes": 10}, "duty_check_91"), (85, {}, "read_transmitter_version_85"),
    (66, {"systems": [(1, 7), (12, 3)]}, "read_system_config_66"), (68, {"systems": [(1, 7)]}, "read_system_time_68"),
    (65, {"systems": [(1, 7)]}, "read_system_version_65")]


@pytest.mark.parametrize(("data_type", "fields", "note"), REQUESTS)
def test_gbt_requests_are_those_of_another_encoder(data_type: int, fields: dict, note: str) -> None:
    vector = next(vector for vector in VECTORS if vector["note"] == note)
    expect = vector["expect"]
    sent_ns = int((datetime.fromisoformat(expect["time"] + "+08:00")).timestamp()) * 10**9
    assert build_request(data_type, **fields, serial=expect["seq"], source=expect["src"],
                         destination=expect["dst"], stamp_ns=sent_ns).hex() == vector["raw_hex"]


@pytest.mark.parametrize(("data_type", "fields", "data"), [
    (61, {"systems": [(1, 2)]}, "3d01 0102"), (62, {"components": [(1, 2, b"abcd")]}, "3e01 0102 61626364"),
    (63, {"components": [(1, 2, b"abcd")] * 2}, "3f02 0102 61626364 0102 61626364"),
    (64, {"systems": [(1, 7)], "number": 10, "start_ns": NOON_NS}, "4001 0107 0a 000014 01011a"),
    (67, {"components": [(1, 2, b"abcd")]}, "4301 0102 61626364"),
    (84, {"number": 102, "start_ns": NOON_NS}, "5401 66 000014 01011a"), (86, {}, "5601 00"),
    (90, {}, "5a01 000014 01011a"), (91, {"minutes": 5}, "5b01 05")])
def test_gbt_request_data(data_type: int, fields: dict, data: str) -> None:
    frame = build_request(data_type, **fields, stamp_ns=NOON_NS)
    assert frame[27:-3] == bytes.fromhex(data)
    assert frame[26] == (1 if data_type in (89, 90, 91) else 4)
    assert only(frame)["status"] == "ok"


@pytest.mark.parametrize(("data_type", "fields"), [
    (60, {}), (61, {}), (61, {"systems": [(1, 1)] * 103}), (66, {"systems": [(1, 1)] * 4}), (81, {"systems": [(1, 1)]}),
    (62, {"components": [(1, 1, b"abc")]}), (62, {"systems": [(1, 1)]}), (84, {"number": 103}), (84, {}),
    (91, {"minutes": 256}), (88, {"serial": 65536}), (88, {"source": 2**48})])
def test_gbt_request_that_does_not_fit(data_type: int, fields: dict) -> None:
    with pytest.raises(ValueError):
        build_request(data_type, **fields)


def test_gbt_frame_limits() -> None:
    assert split_status(build_frame(2, bytes(1024))) == ("ok", 1054)
    with pytest.raises(ValueError, match="1025"):
        build_frame(2, bytes(1025))
    with pytest.raises(ValueError, match="version"):
        build_frame(2, version=(1,))


def in_china(moment: datetime, *, coded: bool) -> str:
    """The hex of a time tag that shows `moment`, in BCD or plain binary."""
    local = moment + timedelta(hours=8)
    fields = (local.second, local.minute, local.hour, local.day, local.month, local.year - 2000)
    return "".join(f"{field:02d}" for field in fields) if coded else bytes(fields).hex()


@pytest.mark.parametrize("year", range(2024, 2050))
def test_gbt_the_form_of_a_clock_that_can_be_read_both_ways_is_the_true_one(year: int) -> None:
    """A clock that is a year out, either way, is still read as its sender wrote it; 26 in BCD is 38 in binary."""
    rng = random.Random(year)
    for _ in range(60):
        moment = datetime(year, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(365 * 86400))
        now = moment + timedelta(days=rng.choice([0, 0, -365, 365]))
        for coded in (False, True):
            found, = read_frames(tagged(in_china(moment, coded=coded), "1801 0401"), int(now.timestamp()) * 10**9)
            assert found["timestamp"] == f"{moment:%Y-%m-%dT%H:%M:%SZ}", (moment, now, coded)


def test_gbt_binary_times_of_2026_are_never_taken_for_bcd() -> None:
    """The year is 1a, which is no BCD, however wrong our own clock is."""
    for now_ns in (0, NOON_NS, 4 * NOON_NS):
        found, = read_frames(tagged("101112 10091a"), now_ns)
        assert found["timestamp"] == "2026-09-16T10:17:16Z"
