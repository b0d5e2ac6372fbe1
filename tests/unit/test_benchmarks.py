"""Every benchmark runs in its smoke size, so that none rots; what waits for a module says which, and nothing else."""
import json
import os
import socket
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import decode, generator, harness, servers
from benchmarks.__main__ import NAMES, main
from benchmarks.compile import program
from benchmarks.frames import crc, frame, heartbeats, signals, write_frames
from benchmarks.harness import NotBuilt, Refused, Result, Rounds


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_smoke_size_runs(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results"
    status = main([name, "--smoke", "--rounds", "1", "--json", str(file)])
    said = capsys.readouterr().out
    if status == 2:
        waiting = said.partition(" waits for ")[2].strip().split(", ")
        assert waiting != [""], said
        assert not [module for module in waiting if harness.exists(module)], said
        return
    assert status == 0, said
    for line in file.read_text().splitlines():
        record = json.loads(line)
        assert record["name"].startswith(f"{name}.")
        assert record["size"] == "smoke"
        assert record["rows_per_s"] > 0
        assert record["digest"]
        assert record["commit"]


@pytest.mark.slow
def test_equal_work_gives_equal_digests() -> None:
    for name in ("crc", "wheel"):
        run = import_module(f"benchmarks.{name}").run
        assert [one.digest for one in run("smoke", 1)] == [one.digest for one in run("smoke", 2)]


def test_a_codec_that_skips_the_content_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames that say fire are given where the codes ask for gas: the figure must not be shown."""
    monkeypatch.setattr(decode, "READ_AS", {"FA": ("gas", "raised")})
    with pytest.raises(Refused, match="content"):
        decode.refuse_half_a_decode(signals(4, accounts=4))


def test_crc_is_the_catalogue_value() -> None:
    assert crc(b"123456789") == 0xBB3D


def test_frames_carry_their_length_and_checksum() -> None:
    for one in [*heartbeats(20), *signals(20, accounts=3), frame('"NULL"0000L0[]')]:
        assert one[:1] == b"\n"
        assert one[-1:] == b"\r"
        assert int(one[5:9], 16) == len(one) - 10
        assert int(one[1:5], 16) == crc(one[9:-1])
    assert len({len(one) for one in signals(5000, accounts=100)}) == 1
    assert len(set(signals(5000, accounts=100))) == 5000


def test_the_floor_answers_with_a_sound_frame() -> None:
    with servers.floor("udp_floor") as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(5)
        peer.sendto(b"anything", ("127.0.0.1", server.port))
        reply = peer.recv(100)
    assert len(reply) == 40
    assert int(reply[5:9], 16) == len(reply) - 10
    assert int(reply[1:5], 16) == crc(reply[9:-1])


def test_the_client_keeps_the_rate_it_is_given(tmp_path: Path) -> None:
    file = write_frames(tmp_path / "frames", heartbeats(8))
    with servers.floor("udp_floor") as server:
        report = json.loads(run_client(server.port, file, "--rate", "1000", "--watch", str(server.pid)))
    assert 0 < report["sent"] <= 1000 * report["elapsed_s"] + 64
    assert 0 < report["received"] <= 1000 * report["elapsed_s"] + 64


def test_the_client_draws_heartbeats_as_we_make_them() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.settimeout(5)
        port = str(silent.getsockname()[1])
        command = [str(program("udp_client")), "--to", port, "--draw", "300", "--drawn", "1000", "--sockets", "2",
                   "--window", "400", "--seconds", "0.1", "--warm-up", "0.1"]
        subprocess.run(command, capture_output=True, check=True, timeout=20)
        came = {silent.recv(100) for _ in range(100)}
    assert came < set(heartbeats(300))
    assert len(came) > 30


def test_the_client_writes_off_what_is_never_answered(tmp_path: Path) -> None:
    """A server that is silent: the window is filled again after each time-out, and the loss is counted."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        file = write_frames(tmp_path / "frames", heartbeats(8))
        report = json.loads(run_client(silent.getsockname()[1], file, "--window", "8", "--timeout-ms", "10"))
    assert report["received"] == 0
    assert report["sent"] >= 16
    assert 0 < report["lost"] <= report["sent"] + 8


@pytest.mark.parametrize("whole", ["0", "1"])
def test_the_counter_counts_frames_however_they_were_sent(whole: str, tmp_path: Path) -> None:
    file = write_frames(tmp_path / "frames", heartbeats(128))
    with servers.started([str(program("udp_counter")), "--whole", whole], tmp_path) as process:
        counter = generator.Counter(process)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            for size in (1, 20, 20, 30):
                peer.sendto(bytes(size), ("127.0.0.1", counter.port))
        assert counter.count()["frames"] == 4
        said = json.loads(subprocess.run(
            [program("udp_sender"), "--to", str(counter.port), "--frames", file, "--seconds", "0.02"],
            capture_output=True, text=True, check=True, timeout=20).stdout)
        counted = counter.count()
        assert 0 < counted["frames"] <= said["frames"]
        assert counted["messages"] == counted["frames"] if whole == "0" else counted["messages"] < counted["frames"]
        assert counter.count()["frames"] == 0


def run_client(port: int, frames: Path, *more: str) -> str:
    command = [str(program("udp_client")), "--to", str(port), "--frames", str(frames), "--sockets", "2",
               "--seconds", "0.2", "--warm-up", "0.1", *more]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout


@pytest.mark.parametrize("wrong", [["--to", "0"], ["--to", "x"], ["--to", "9", "--frames", "/nowhere"]])
def test_the_client_names_what_is_wrong(wrong: list[str]) -> None:
    done = subprocess.run([program("udp_client"), *wrong], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert wrong[-2] in done.stderr or wrong[-1] in done.stderr


def test_sides_run_in_turn_and_ratios_are_of_pairs() -> None:
    order: list[str] = []
    rates = iter([100.0, 50.0, 40.0, 10.0, 200.0, 120.0])      # the second round runs backwards
    found = harness.in_turn(3, {side: lambda side=side: order.append(side) or next(rates) for side in ("a", "b")})
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert found == {"a": Rounds((100.0, 10.0, 200.0)), "b": Rounds((50.0, 40.0, 120.0))}
    assert found["a"].median == 100.0
    assert found["a"].spread == pytest.approx(1.9)
    assert harness.ratio(found["b"], found["a"]) == pytest.approx(0.6)


@pytest.mark.parametrize("switch", ["debug", "trace", "sanitize"])
def test_slow_builds_are_refused(switch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "switches").write_text(f"BUILD={switch} ANNOTATE=0")
    monkeypatch.setattr(harness, "ROOT", tmp_path)
    with pytest.raises(Refused, match=switch):
        harness.refuse_slow_builds()
    assert main(["crc", "--smoke"]) == 1


def test_release_builds_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "switches").write_text("BUILD=release ANNOTATE=1")
    monkeypatch.setattr(harness, "ROOT", tmp_path)
    harness.refuse_slow_builds()


def test_missing_modules_are_named() -> None:
    with pytest.raises(NotBuilt, match=r"^engine\.nowhere, nowhere\.at_all$"):
        harness.need("json", "engine.nowhere", "nowhere.at_all")


def test_a_result_says_rate_and_cost() -> None:
    result = Result("a.b", "full", 10, "row", 2_000_000.0, 0.25, "0123456789abcdef", {"ratio": 0.5})
    assert result.ns_per_row == 500.0
    assert "2,000,000 row/s" in result.line()
    assert "ratio=0.500" in result.line()
    assert json.loads(result.record())["cores"] == os.cpu_count()
