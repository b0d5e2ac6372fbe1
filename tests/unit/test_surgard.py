"""The Sur-Gard style heartbeat: strict in its form, answered with one byte, and harmless between good frames."""
import pytest

from codec import reference
from codec.explain import explain
from codec.explained import Setting
from codec.reading import build_frame, count_steps, encode_reply, read_frames, reply_to, split_status

SAMPLE = b"SR0001L0001    006969XX    [ID00000000]"      # pysiaalarm, utils/regexes.py
FIRE = build_frame("ADM-CID", "1234", b"#1234|1110 01 012")


def both(data: bytes) -> list[dict]:
    found = read_frames(data, 0)
    assert found == reference.read_frames(data)
    return found


def test_the_sample() -> None:
    assert both(SAMPLE) == [{
        "protocol": "dc09", "status": "ok", "kind": "heartbeat", "account": "006969", "sequence": 0, "token": "SR",
        "encrypted": False, "receiver": "0001", "line": "0001", "network": None, "timestamp": None, "occurred": None,
        "signals": [], "length": len(SAMPLE)}]
    assert both(SAMPLE.replace(b"006969", b"00abcd"))[0]["account"] == "00ABCD"


def test_the_reply_is_one_byte_and_only_for_acceptance() -> None:
    assert reply_to(SAMPLE, 0) == b"\x06"
    assert [encode_reply(SAMPLE, answer, 0) for answer in range(4)] == [b"", b"\x06", b"", b""]
    assert reply_to(SAMPLE, 0, encrypted_only=True) == b""


def test_byte_by_byte() -> None:
    for size in range(1, len(SAMPLE)):
        assert split_status(SAMPLE[:size]) == ("need_data", 0)
    assert split_status(SAMPLE) == ("ok", len(SAMPLE))


@pytest.mark.parametrize("tail", [b"\x14", b"\r", b"\n", b"\r\n", b"\0", b""])
def test_terminators_are_passed_over(tail: bytes) -> None:
    found = both(SAMPLE + tail + FIRE + SAMPLE + tail + SAMPLE)
    assert [each["kind"] for each in found if each["status"] == "ok"] == [
        "heartbeat", "signal", "heartbeat", "heartbeat"]


@pytest.mark.parametrize("at", range(len(SAMPLE)))
def test_any_other_byte_is_no_frame_and_takes_no_good_one_along(at: int) -> None:
    damaged = SAMPLE[:at] + b"\x01" + SAMPLE[at + 1:]
    assert split_status(damaged)[0] == "start"
    assert [each for each in both(damaged + FIRE) if each["status"] == "ok"] == both(FIRE)
    assert [each for each in both(SAMPLE[:at] + FIRE) if each["status"] == "ok"] == both(FIRE)


@pytest.mark.parametrize("data", [
    SAMPLE.replace(b"XX", b"FA"), SAMPLE.replace(b"    ", b""), SAMPLE.replace(b"    ", b" " * 9, 1),
    SAMPLE.replace(b"00000000]", b"]"), SAMPLE.replace(b"00000000]", b"0" * 17 + b"]"), SAMPLE.lower()])
def test_what_is_not_quite_one_is_never_answered(data: bytes) -> None:
    assert all(each["status"] == "garbage" for each in both(data))


@pytest.mark.parametrize("garbage", [b"S", b"SR", b"SSSSR", b"SR0001L", b"SIA-DCS", b"SR0001L0001" + b" " * 8,
                                     b"S" * 99])
def test_an_s_in_garbage_neither_waits_nor_swallows(garbage: bytes) -> None:
    for frame in (FIRE, SAMPLE):
        found = both(garbage + frame)
        assert [each["status"] for each in found] == ["garbage", "ok"]
        assert found[1] == both(frame)[0]


@pytest.mark.parametrize("pattern", [b"S", b"SR", b"SR0001L0001", SAMPLE[:-1], b"SR0001L0001    006969XX" + b" " * 8])
def test_time_is_linear(pattern: bytes) -> None:
    data = (pattern * (65536 // len(pattern) + 1))[:65536]
    assert count_steps(data) < 12 * len(data)


def test_it_is_explained() -> None:
    [whole] = explain(SAMPLE, Setting(0))
    assert [part.name for part in whole.parts] == ["mark", "receiver", "line", "account", "event", "identity"]
    assert (whole.answer, whole.answered[:12]) == (b"\x06", "06: accepted")
    [part] = explain(SAMPLE[:20], Setting(0))
    assert part.parts[0].faults == ("not all of it came",)
