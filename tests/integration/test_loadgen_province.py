"""The fleet of the example file against the real engine: every habit and every misbehaviour, and a clean audit."""
from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.engine import ROOT, Engine, data_directory, serve, tocsin

FLEETS = ROOT / "loadgen" / "fleets"
FILE = FLEETS / "province.toml"
TOCSIN = FLEETS / "tocsin.toml"
TRANSMITTERS, SECONDS = "1500", "3"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_keys(FILE, tmp_path_factory) + write_keys(TOCSIN, tmp_path_factory)


def write_keys(file: Path, directories: pytest.TempPathFactory) -> str:
    path = directories.mktemp("fleet") / "keys.toml"
    done = tocsin("loadgen", "--fleet", str(file), "--transmitters", TRANSMITTERS, "--write-config", str(path))
    assert done.returncode == 0, done.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_text()


@pytest.fixture(scope="module")
def engine(keys: str) -> Iterator[Engine]:
    with data_directory() as data, serve(data, keys) as running:
        yield running


def faster(file: Path, directory: Path) -> Path:
    """Return an example file with each transmitter heard every second and more alarms: a small run has all in it."""
    text = file.read_text().replace("share = ", "interval = 1\nshare = ").replace("alarms = 0.001\n", "")
    path = directory / "faster.toml"
    path.write_text(text.replace("interval = 1\n", "interval = 1\nalarms = 0.02\n"))
    return path


def test_keys_stand_for_every_encrypted_transmitter(keys: str) -> None:
    tables = tomllib.loads(keys)["transmitter"]
    tagged = [table for table in tables if table["account"].startswith("tocsin:")]
    assert len(tagged) == 1500 + 2 * 8 + 45 + 8
    assert {len(table["key"]) for table in tagged} == {64}
    assert len(tables) - len(tagged) == 150 + 8 + 60 + 8
    assert len({table["key"] for table in tables}) == len({table["account"] for table in tables}) == len(tables)


def play(engine: Engine, file: Path, directory: Path) -> dict[str, Any]:
    """Run a fleet with a clean audit and return its report."""
    done = tocsin("loadgen", "--fleet", str(faster(file, directory)), "--transmitters", TRANSMITTERS, "--duration",
                  SECONDS, "--to", f"{engine.place[0]}:{engine.place[1]}", "--http", f"http://{engine.http}",
                  "--no-ceiling", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert (report["failures"], report["audit"], report["forbidden"]) == ([], "clean", 0)
    assert report["acknowledged"] == report["stored"] == report["forwarded"] == report["sent"] > 60
    for group in report["groups"]:
        assert group["signals"]["acknowledged"] == group["signals"]["sent"] > 0
        assert group["heartbeats"]["answered"] == group["heartbeats"]["sent"] > 0
        assert group["latency"]["p999"] > 0
    return report


def kinds(report: dict[str, Any]) -> set[str]:
    """Return the ways in which frames were wrong on purpose."""
    return {kind for group in report["groups"] for kind in group["misbehaviour"]}


def test_a_province_with_a_clean_audit(engine: Engine, tmp_path: Path) -> None:
    assert kinds(play(engine, FILE, tmp_path)) == {"crc", "key", "cut", "coalesce", "replay", "clock", "slow"}


def test_gbt_26875_with_a_clean_audit(engine: Engine, tmp_path: Path) -> None:
    assert kinds(play(engine, FLEETS / "gbt26875.toml", tmp_path)) == {"crc", "cut", "coalesce", "replay", "slow"}


def test_the_tocsin_profile_with_a_clean_audit_and_once_more(engine: Engine, tmp_path: Path) -> None:
    """The second run goes on above the counters of the first."""
    for _ in range(2):
        assert kinds(play(engine, TOCSIN, tmp_path)) == {"crc", "key", "cut", "coalesce", "replay", "slow"}
