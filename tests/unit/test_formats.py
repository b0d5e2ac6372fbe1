"""Telling the formats of one stream apart by their first byte, and `tocsin decode` over it."""
import json
import subprocess
import sys

import pytest

from codec.batch import Batch
from codec.reading import build_frame, decode_stream, read_frames, split_status

HEARTBEAT = build_frame("NULL", "1234")
FIRE = build_frame("ADM-CID", "1234", b"#1234|1110 01 012")
COMMAND = [sys.executable, "-c", "from engine.command.decode import main; raise SystemExit(main())"]


@pytest.mark.parametrize(("data", "status"), [
    (b"", "need_data"), (b"x", "start"), (b"\n", "need_data"), (b"\n\n", "need_data"), (b"\nx", "need_data"),
    (b"\nxx0", "need_data"), (b"\nxx1", "start"), (b"\n00000000", "need_data"), (b"\n00000000\"", "length"),
    (b"\n00000008\"", "length"), (b"\n00000009\"", "need_data"), (b"\n00000009\"X\"0000[]\r", "checksum"),
    (b"\n00000009\"X\"0000[]x", "length")])
def test_status_of_beginnings(data: bytes, status: str) -> None:
    assert split_status(data) == (status, 0)


def test_garbage_between_frames_is_one_object() -> None:
    found = read_frames(b"abc\n\n\n" + HEARTBEAT + b"SR0001L0001    006969FA    [ID00000000]" + FIRE + b"\r\n", 0)
    assert [each["status"] for each in found] == ["garbage", "ok", "garbage", "ok", "garbage", "need_data"]
    assert [each["length"] for each in found] == [6, len(HEARTBEAT), 39, len(FIRE), 1, 1]


def test_stream_into_rows() -> None:
    batch = Batch(100, 100_000)
    assert decode_stream((HEARTBEAT + b"x" + FIRE) * 30, batch, 7) == 60
    assert len(batch) == 30
    batch.check()


def test_decode_command_reads_a_file(tmp_path) -> None:
    path = tmp_path / "frames"
    path.write_bytes(b"?" + FIRE)
    result = subprocess.run([*COMMAND, "--now", "2026-01-01T00:00:00Z", str(path)], capture_output=True, check=True)
    garbage, frame = map(json.loads, result.stdout.splitlines())
    assert garbage == {"status": "garbage", "length": 1}
    assert {key: frame[key] for key in ("protocol", "status", "kind", "account", "sequence", "token")} == {
        "protocol": "dc09", "status": "ok", "kind": "signal", "account": "1234", "sequence": 1, "token": "ADM-CID"}
    assert frame["signals"] == [{"class": "fire", "condition": "fire", "state": "raised", "point": "01/012",
                                 "native": "1110 01 012", "flags": []}]


def test_decode_command_reads_standard_input() -> None:
    result = subprocess.run(COMMAND, input=HEARTBEAT, capture_output=True, check=True)
    assert json.loads(result.stdout)["kind"] == "heartbeat"


@pytest.mark.parametrize(("arguments", "named"), [
    (["--key", "00" * 15], b"--key"), (["--key", "no hex"], b"--key"), (["--now", "soon"], b"--now soon"),
    (["/nowhere/frames"], b"/nowhere/frames")])
def test_decode_command_names_what_it_cannot_use(arguments: list, named: bytes) -> None:
    result = subprocess.run([*COMMAND, *arguments], capture_output=True, check=False)
    assert result.returncode == 2
    assert named in result.stderr
    assert result.stdout == b""


def test_decode_command_decrypts_and_takes_the_time_that_it_is_given() -> None:
    key, noon_ns = bytes(range(24)), 1_767_268_800 * 10**9  # 2026-01-01 12:00:00 UTC
    data = b"".join(build_frame("SIA-DCS", "1234", content, stamp_ns=noon_ns, key=key)
                    for content in (b"NFA1", b"NOP1"))
    for arguments, expected in (
            (["--key", key.hex().upper(), "--now", "2026-01-01T12:00:20Z"], [("ok", []), ("ok", [])]),
            (["--key", key.hex(), "--now", "2026-01-01T12:00:41"], [("ok", ["late"]), ("time", None)]),
            (["--key", bytes(24).hex(), "--now", "2026-01-01T12:00:00"], [("crypto", None), ("crypto", None)]),
            ([], [("crypto", None), ("crypto", None)])):
        result = subprocess.run([*COMMAND, *arguments], input=data, capture_output=True, check=True)
        frames = [json.loads(line) for line in result.stdout.splitlines()]
        assert [(frame["status"], frame["signals"][0]["flags"] if frame["signals"] else None)
                for frame in frames] == expected


def test_decode_command_reads_hex_digits_as_a_log_shows_them() -> None:
    pasted = b" ".join(b"0x%02X" % byte for byte in FIRE[:20]) + b"\r\n" + FIRE[20:].hex(":").encode() + b"\n"
    result = subprocess.run([*COMMAND, "--hex"], input=pasted, capture_output=True, check=True)
    assert json.loads(result.stdout)["length"] == len(FIRE)


@pytest.mark.parametrize(("text", "named"), [
    (b"0a 3x", b"'x' is no hex digit"), (b"0a 3", b"3 hex digits: one is missing or too many")])
def test_decode_command_says_what_is_wrong_with_hex_digits(text: bytes, named: bytes) -> None:
    result = subprocess.run([*COMMAND, "--hex"], input=text, capture_output=True, check=False)
    assert result.returncode == 2
    assert named in result.stderr


def test_decode_command_takes_a_key_of_characters() -> None:
    key, noon_ns = b"sixteen letters!", 1_767_268_800 * 10**9
    data = build_frame("SIA-DCS", "1234", b"NFA1", stamp_ns=noon_ns, key=key)
    result = subprocess.run([*COMMAND, "--key", key.decode(), "--now", "2026-01-01T12:00:00"], input=data,
                            capture_output=True, check=True)
    assert json.loads(result.stdout)["status"] == "ok"


def test_decode_command_explains() -> None:
    broken = FIRE[:1] + b"A1B2" + FIRE[5:]
    result = subprocess.run([*COMMAND, "--explain"], input=b"?" + broken + HEARTBEAT, capture_output=True, check=True)
    lines = result.stdout.decode().splitlines()
    assert lines[0] == "0: no frame (1 byte)"
    assert f"1: ANSI/SIA DC-09, wrong checksum ({len(broken)} bytes)" in lines
    assert any("!! sent A1B2, computed" in line for line in lines)
    assert "  kind     heartbeat of account 1234" in lines
    assert "  answer   ACK: accepted." in lines
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(("arguments", "code", "named"), [
    (["--rejected"], 2, b"give --explain"),
    (["--explain", "--rejected", "http://127.0.0.1:1", "x"], 2, b"takes no FILE"),
    (["--explain", "--rejected", "--limit", "0"], 2, b"--limit 0"),
    (["--explain", "--rejected", "file:///etc"], 1, b"allowed is http://HOST:PORT"),
    (["--explain", "--rejected", "http://127.0.0.1:1"], 1, b"is the engine running"),
    (["--explain", "--rejected", "http://127.0.0.1:1", "--token-file", "/nowhere"], 1, b"/nowhere")])
def test_decode_command_says_why_no_engine_was_asked(arguments: list, code: int, named: bytes) -> None:
    result = subprocess.run([*COMMAND, *arguments], capture_output=True, check=False)
    assert (result.returncode, result.stdout) == (code, b"")
    assert named in result.stderr
