"""The objects of GB/T 26875.3: each type, the forms of the field, and lengths that do not fit."""
import pytest

from codec import reference
from codec.gbt26875_downlink import build_frame
from codec.reading import read_frames

NOON_NS = 1_767_268_800 * 10**9
TAG = bytes.fromhex("000014 01011a")
COMPONENT = bytes.fromhex("0105 28 39000d00")
TEXT = "3号楼".encode("gb18030").ljust(31, b"\0")
FIRE = b"\2\0"


def frame(data: bytes) -> dict:
    found, = read_frames(build_frame(2, data, source=889, stamp_ns=NOON_NS), NOON_NS)
    return found


def said(data: bytes) -> list[tuple[str, str]]:
    """Condition and native text of each signal."""
    found = frame(data)
    assert found["status"] == "ok"
    return [(signal["condition"], signal["native"]) for signal in found["signals"]]


SMOKE = ("smoke", "status 0x0002 3号楼")
BARE_SMOKE = ("smoke", "status 0x0002")


@pytest.mark.parametrize(("count", "objects", "expected"), [
    (1, COMPONENT + FIRE + TEXT + TAG, [SMOKE]), (2, (COMPONENT + FIRE + TEXT + TAG) * 2, [SMOKE] * 2),
    (22, (COMPONENT + FIRE + TEXT + TAG) * 22, [SMOKE] * 22), (2, (COMPONENT + FIRE + TEXT) * 2, [SMOKE] * 2),
    (1, COMPONENT + FIRE + TAG, [BARE_SMOKE]), (3, (COMPONENT + FIRE + TAG) * 3, [BARE_SMOKE] * 3),
    (1, COMPONENT + FIRE + b"\0" + TAG, [BARE_SMOKE]), (2, (COMPONENT + FIRE) * 2, [BARE_SMOKE] * 2),
    # counts that do not fit
    (0, COMPONENT + FIRE + TEXT + TAG, [SMOKE]), (1, (COMPONENT + FIRE + TEXT + TAG) * 2, [SMOKE] * 2),
    (9, (COMPONENT + FIRE + TEXT + TAG) * 2, [SMOKE] * 2),
    (2, COMPONENT + FIRE + TEXT + TAG + COMPONENT + FIRE, [SMOKE, BARE_SMOKE]),
    (2, COMPONENT + FIRE + TEXT + TAG + COMPONENT + FIRE + TEXT[:20], [SMOKE] * 2),
    (1, COMPONENT + FIRE + TEXT[:4], [("smoke", "status 0x0002 3号�")]),
    (1, COMPONENT + FIRE + TEXT + TAG + b"\xaa\xbb\xcc", [SMOKE, ("unknown", "type 2 count 1 unread aabbcc")]),
    (0, COMPONENT + FIRE, [BARE_SMOKE]), (0, COMPONENT + FIRE + TAG, [BARE_SMOKE]),
    (0, COMPONENT, [("unknown", "type 2 count 0 unread 01052839000d00")]),
    (1, COMPONENT, [("unknown", "type 2 count 1 unread 01052839000d00")])])
def test_component_status_in_every_form(count: int, objects: bytes, expected: list) -> None:
    assert said(bytes([2, count]) + objects) == expected


@pytest.mark.parametrize("data_type", [1, 2, 3, 4, 5, 6, 7, 8, 21, 24, 25, 26, 28])
def test_count_without_objects_is_a_heartbeat(data_type: int) -> None:
    for count in (0, 1, 255):
        found = frame(bytes([data_type, count]))
        assert (found["status"], found["kind"], found["signals"]) == ("ok", "heartbeat", [])


@pytest.mark.parametrize("data_type", [1, 2, 3, 4, 5, 6, 7, 21, 24, 25, 26])
def test_no_count_and_no_length_is_too_strange(data_type: int) -> None:
    for count in (0, 1, 2, 127, 255):
        for size in range(1, 100):
            found = frame(bytes([data_type, count]) + bytes(size))
            assert found["status"] == "ok"
            assert found["signals"] or found["levels"]


@pytest.mark.parametrize(("data", "point", "expected"), [
    (b"\1\1" + b"\1\x0b" + FIRE + TAG, "1/11", [("fire", "status 0x0002")]),
    (b"\1\1" + b"\1\x0b\0\7" + TAG, "1/11",
     [("mains_fault", "status 0x0700"), ("battery_fault", "status 0x0700"), ("loop_fault", "status 0x0700")]),
    (b"\3\1" + COMPONENT + b"\2\xfb\xff" + TAG, "1/5/40-39000d00", [("info", "height -0.05 m")]),
    (b"\3\1" + COMPONENT + b"\3\x97\xff" + TAG, "1/5/40-39000d00", [("info", "temperature -10.5 C")]),
    (b"\3\1" + COMPONENT + b"\1\0\x80" + TAG, "1/5/40-39000d00", [("info", "count -32768")]),
    (b"\3\1" + COMPONENT + b"\x82\x05\0", "1/5/40-39000d00", [("info", "analog 130 5")]),
    (b"\4\1" + b"\1\2\x03\7" + TAG, "1/2/operation",
     [("reset", "operation 0x03 operator 7"), ("silenced", "operation 0x03 operator 7")]),
    (b"\4\1" + b"\1\2\0\7" + TAG, "1/2/operation", [("unknown", "operation 0x00 operator 7")]),
    (b"\5\1" + b"\1\2\3\x0b", "1/2", [("info", "version 3.11")]),
    (b"\7\1" + COMPONENT + TEXT, "1/5/40-39000d00", [("info", "configuration 3号楼")]),
    (b"\x15\1" + b"\x08" + TAG, "transmitter", [("mains_fault", "status 0x08")]),
    (b"\x18\1" + b"\4\2" + TAG, "transmitter/operation", [("manual_call_point", "operation 0x04 operator 2")]),
    (b"\x18\1" + b"\x20\1" + TAG, "transmitter/operation", [("log", "operation 0x20 operator 1")]),  # duty check
    (b"\x19\1" + b"\3\x09", "transmitter", [("info", "version 3.9")]),
    (b"\x1a\1" + b"\7" + TEXT[:7], "transmitter", [("info", "configuration 3号楼")]),
    (b"\x16\1\1\2\3", "", [("unknown", "type 22 count 1 unread 010203")]),
    (b"\x85\1\1\2", "", [("unknown", "type 133 count 1 unread 0102")]),
    (b"\x88\1\1\2", "", [("reset", "type 136 count 1 unread 0102")]),
    (b"\x86\1\1\2", "", [("reset", "type 134 count 1 unread 0102")])])
def test_each_type(data: bytes, point: str, expected: list) -> None:
    assert said(data) == expected
    assert {signal["point"] for signal in frame(data)["signals"]} == {point}


def test_configurations_of_unequal_lengths() -> None:
    first, second = "海湾GST5000".encode("gb18030"), b"7"
    data = b"\6\2" + b"\1\2" + bytes([len(first)]) + first + b"\1\3" + bytes([len(second)]) + second
    found = frame(data)
    assert [(signal["point"], signal["native"]) for signal in found["signals"]] == [
        ("1/2", "configuration 海湾GST5000"), ("1/3", "configuration 7")]
    cut = frame(data[:-1])["signals"]
    assert [(signal["native"], signal["flags"]) for signal in cut] == [
        ("configuration 海湾GST5000", []), ("configuration", ["cut"])]
    assert [signal["native"] for signal in frame(data + b"\1\4")["signals"]][2:] == ["type 6 count 2 unread 0104"]
    assert [signal["native"] for signal in frame(b"\6\0" + data[2:])["signals"]] == [
        "configuration 海湾GST5000", "configuration 7"]


def test_manual_alarm_is_fire_and_can_be_cleared() -> None:
    for data_type, system in ((4, b"\1\2"), (24, b"")):
        for flags, state in ((4, "raised"), (8, "cleared")):
            signal, = frame(bytes([data_type, 1]) + system + bytes([flags, 1]) + TAG)["signals"]
            assert (signal["class"], signal["condition"], signal["state"]) == ("fire", "manual_call_point", state)


def test_more_rows_than_a_frame_may_have() -> None:
    assert len(frame(b"\x18\x7f" + (b"\1\0" + TAG) * 127)["signals"]) == 127
    found = frame(b"\x18\x7f" + (b"\3\0" + TAG) * 127)
    assert (found["status"], found["signals"]) == ("field", [])


def test_bytes_that_are_no_text_are_kept_out_of_it() -> None:
    data = COMPONENT + b"\3\0" + bytes.fromhex("fe056f82000400050c12").ljust(31, b"\0") + TAG
    signal, = frame(b"\2\1" + data)["signals"]
    assert (signal["native"], signal["flags"]) == ("status 0x0003", ["cleaned"])


def test_no_row_of_a_status_or_an_operation_is_without_a_point() -> None:
    """A restore without a point ends all that is open at a place; none of these may, and no two of them meet."""
    points = []
    for data in (b"\1\1" + b"\1\x0b" + FIRE + TAG, b"\2\1" + COMPONENT + FIRE + TEXT + TAG, b"\x15\1" + b"\2" + TAG,
                 b"\4\1" + b"\1\x0b\4\1" + TAG, b"\x18\1" + b"\4\1" + TAG):
        points += [signal["point"] for signal in frame(data)["signals"]]
    assert points == ["1/11", "1/5/40-39000d00", "transmitter", "1/11/operation", "transmitter/operation"]


@pytest.mark.parametrize(("tag", "old"), [
    ("000014 01011a", False), ("013a13 01011a", False), ("003a13 01011a", True), ("000013 01011a", True),
    ("000015 01011a", False), ("ffffff ffffff", False)])
def test_an_object_with_a_tag_before_its_frame_is_old(tag: str, old: bool) -> None:
    """Both tags are of the device's own clock, so a wrong clock makes nothing old."""
    found = frame(b"\2\1" + COMPONENT + FIRE + TEXT + bytes.fromhex(tag))
    assert found == reference.read_frames(build_frame(2, b"\2\1" + COMPONENT + FIRE + TEXT + bytes.fromhex(tag),
                                                      source=889, stamp_ns=NOON_NS), NOON_NS)[0]
    signal, = found["signals"]
    assert signal["condition"] == "smoke"
    assert ("old" in signal["flags"]) == old
