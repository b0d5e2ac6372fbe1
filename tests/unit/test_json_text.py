"""JSON written in C: whatever bytes come in, what goes out is JSON with the same meaning."""
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.json_text import number, string, time


@given(st.text())
def test_text_comes_back(text: str) -> None:
    assert json.loads(string(text.encode("utf-8", "replace"))) == text.encode("utf-8", "replace").decode()


@given(st.binary())
def test_any_bytes_become_valid_json_on_one_line(raw: bytes) -> None:
    out = string(raw)
    assert b"\n" not in out
    assert b"\r" not in out
    assert len(out) <= 6 * len(raw) + 2
    decoded = json.loads(out.decode("utf-8", "strict"))
    assert [c for c in decoded if c != "\ufffd"] == [c for c in raw.decode("utf-8", "ignore") if c != "\ufffd"]


@pytest.mark.parametrize("byte", range(128))
def test_each_ascii_byte(byte: int) -> None:
    assert json.loads(string(bytes([byte]))) == chr(byte)


@pytest.mark.parametrize("raw", [
    b"\xc0\x80", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80", b"\xff", b"\x80", b"\xe2\x82", b"\xf0\x9f\x94", b"\xe2\x28\xa1"])
def test_what_is_no_utf8_is_replaced(raw: bytes) -> None:
    decoded = json.loads(string(b"a" + raw + b"z"))
    assert decoded[0] == "a"
    assert decoded[-1] == "z"
    assert "\ufffd" in decoded


@pytest.mark.parametrize("point", [0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF])
def test_the_ends_of_each_length_pass(point: int) -> None:
    assert string(chr(point).encode()) == b'"' + chr(point).encode() + b'"'


@given(st.integers(0, 2**64 - 1))
def test_numbers(value: int) -> None:
    assert number(value) == str(value).encode()


@pytest.mark.parametrize("value", [10**n + d for n in range(1, 20) for d in (-1, 0)])
def test_numbers_at_each_width(value: int) -> None:
    assert number(value) == str(value).encode()


@given(st.integers(-2**63, 2**63 - 1))
def test_times_are_those_of_the_calendar(ns: int) -> None:
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)
    assert time(ns) == b'"' + when.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode() + b'"'
