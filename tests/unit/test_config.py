"""The configuration: precedence, ranges, one line for each error, and the round trip through `tocsin config`."""
import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import units
from engine.config import Config, ConfigError, Listener
from engine.configure import load, render, settings
from engine.setting import Setting
from engine.supervise.presets import PRESETS
from engine.units import Address

SECOND_NS, KEY = 10**9, "00112233445566778899aabbccddeeff"
RANGED = [(name, setting) for name, setting in settings()
          if " from " in setting.allowed and name != "supervision.default"]


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write_file(text: str) -> str:
        file = tmp_path / "tocsin.toml"
        file.write_text(text)
        return str(file)
    return write_file


def ends_of(setting: Setting) -> tuple[str, str]:
    """The ends of a range, as the setting itself tells them to people."""
    match = re.search(r' from "?([^" ]+)"? to "?([^"]+)"?', setting.allowed)
    assert match is not None
    return match[1], match[2]


def refused(*arguments: Any, **named: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(*arguments, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_defaults_are_the_contract() -> None:
    config = load()
    assert (str(config.listen.address), str(config.http)) == ("127.0.0.1:10914", "127.0.0.1:8914")
    assert (config.data, config.database) == ("./tocsin-data", "")
    assert config.listeners == (Listener("default", Address("127.0.0.1", 10914), "", "any"),)
    assert config.supervision.default_ns == 90 * SECOND_NS
    assert config.unknown_accounts.policy == "enrol"
    assert config.retention.signals_ns == 400 * 86400 * SECOND_NS


def test_every_key_has_a_reason_and_what_is_allowed() -> None:
    for name, setting in settings():
        assert setting.why and setting.allowed and "\n" not in setting.why + setting.allowed, name


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(write: Any) -> None:
    file = write("[listen]\nheld_max = 2300\nconnections_max = 2300\nbatch_rows = 2300\n")
    config = load(file, {"TOCSIN_LISTEN_CONNECTIONS_MAX": "2400", "TOCSIN_LISTEN_BATCH_ROWS": "2400"},
                  {"listen.batch_rows": "2500"})
    listen = config.listen
    assert (listen.held_max, listen.connections_max, listen.batch_rows) == (2300, 2400, 2500)
    assert listen.held_per_connection_max == 256


def test_the_contract_s_flags_have_their_variables(write: Any) -> None:
    environment = {"TOCSIN_LISTEN": "127.0.0.1:1", "TOCSIN_HTTP": "[::1]:2", "TOCSIN_DATA": "/d",
                   "TOCSIN_DATABASE": "postgresql:///x", "TOCSIN_CONFIG": write("[log]\nlevel = 'debug'\n"),
                   "TOCSIN_SERVICE_HOST": "10.0.0.1", "TOCSIN_PORT": "tcp://10.0.0.1:1", "OTHER": "x"}
    config = load(None, environment)
    assert [str(config.listen.address), str(config.http), config.data, config.database, config.log.level] == [
        "127.0.0.1:1", "[::1]:2", "/d", "postgresql:///x", "debug"]


@pytest.mark.parametrize(("text", "named"), [
    ("[journal]\nsegmnt = '1MiB'", ["journal.segmnt", "did you mean journal.segment?"]),
    ("colour = 'red'", ["colour"]),
    ("[journal]\nsegment = '3 bananas'", ["journal.segment", "3 bananas", '"1MiB" to "4GiB"']),
    ("[journal]\nsegment = 64", ["journal.segment", "64"]),
    ("[journal]\nreserve = 0.6", ["journal.reserve", "0.6", "0.0 to 0.5"]),
    ("[journal]\nreserve = nan", ["journal.reserve"]),
    ("journal = 5", ["journal", "5", "section"]),
    ("[listen]\nheld_max = true", ["listen.held_max", "true", "whole number"]),
    ("[listen]\nheld_max = '5'", ["listen.held_max", "whole number"]),
    ("[listen]\nidle_timeout = '0s'", ["listen.idle_timeout", "0s", '"1s" to "31d"']),
    ("[listen]\nidle_timeout = '5 min'", ["listen.idle_timeout", "5 min"]),
    ("[filter]\nsecurity = 1", ["filter.security", "true or false"]),
    ("[store]\nheartbeats = 'some'", ["store.heartbeats", "some", '"rollup"']),
    ("[store]\nheartbeats = ['all']", ["store.heartbeats"]),
    ("http = '127.0.0.1'", ["http", "127.0.0.1", "HOST:PORT"]),
    ("http = '127.0.0.1:65536'", ["http", "65536"]),
    ("http = '0.0.0.0:8914'", ["http", "0.0.0.0:8914", "http_token"]),
    ("[supervision]\ndefault = 'DP5'", ["supervision.default", "DP5", "DP4"]),
    ("[listen]\nreceivers = 16" + "".join(f"\n[[listener]]\nname = 'l{n}'\nlisten = '127.0.0.1:{n}'"
                                          for n in range(1, 6)), ["listen.receivers", "64"]),
    ("[listen]\nheld_max = 10", ["listen.held_per_connection_max", "256", "listen.held_max"]),
    ("[journal]\nbytes_max = '64MiB'", ["journal.bytes_max", "4 times"]),
    ("[unknown_accounts]\nlimit = 3000000", ["unknown_accounts.limit", "paths.max"]),
    ("listener = 'x'", ["listener", "[[listener]]"]),
    ("[[listener]]\nname = 'A b'", ["listener[0].name", "A b"]),
    ("[[listener]]\nprotocol = 'engine'", ["listener[0].protocol", "engine", "dc09"]),
    ("[[listener]]\nname = 'a'\n[[listener]]\nname = 'a'\nlisten = '127.0.0.1:5'", ["a stands twice"]),
    ("[[transmitter]]\nsupervision = '30s'", ["transmitter[0].account"]),
    ("[[transmitter]]\naccount = 'x:1'", ["transmitter[0].account", "x:1", "dc09"]),
    ("[[transmitter]]\naccount = 'dc09:1'\nkey_file = '/nowhere/k'", ["transmitter[0].key_file", "/nowhere/k"]),
    ("[[http_token]]\nfile = '/nowhere/t'", ["http_token[0].file", "/nowhere/t"]),
    ("database = 'mysql://x'", ["database", "postgresql://"]),
    ("a = ", ["tocsin.toml", "TOML"]),
    ('data = "a\\u0000"', ["data", "a directory"]),
])
def test_an_error_names_key_value_and_what_is_allowed_in_one_line(write: Any, text: str, named: list[str]) -> None:
    message = refused(write(text))
    assert all(part in message for part in named), message
    assert "allowed" in message or "did you mean" in message, message


def test_errors_of_flags_and_environment_name_their_source() -> None:
    assert "TOCSIN_LISTEN_HELD_MAX" in refused(None, {"TOCSIN_LISTEN_HELD_MAX": "many"})
    assert "did you mean TOCSIN_LISTEN_HELD_MAX?" in refused(None, {"TOCSIN_LISTEN_HELDMAX": "5"})
    assert "flag" in refused(None, {}, {"http": "nowhere"})
    assert "no key" in refused(None, {}, {"http.nowhere": "1"})
    assert "allowed is a readable TOML file" in refused("/nowhere/tocsin.toml")


@pytest.mark.parametrize(("name", "setting"), RANGED, ids=[name for name, _ in RANGED])
def test_ranges_hold_at_both_ends(name: str, setting: Setting) -> None:
    low_text, high_text = ends_of(setting)
    low, high = (setting.read(setting.plain(text)) for text in (low_text, high_text))
    step = 0.001 if setting.plain is float else 1
    for value in (low, high):
        assert setting.read(setting.write(value)) == value
    for value in (low - step, high + step):
        with pytest.raises(ValueError):
            setting.read(setting.write(value))


def test_presets() -> None:
    for name in PRESETS:
        assert load(None, {}, {"supervision.default": name}).supervision.default_ns > 0
    assert load(None, {}, {"supervision.default": "SP1"}).supervision.default_ns == 32 * 86400 * SECOND_NS
    assert load(None, {}, {"supervision.default": "DP3"}).supervision.default_ns == 180 * SECOND_NS


@pytest.mark.parametrize(("text", "seconds"), [
    ("90s", (90, 0, 0)), ("1.5h", (5400, 0, 0)), ("SP6", (20, 0, 0)), ("DP1", (90_000, 180_000, 90_000)),
    ("DP2", (1800, 90_000, 1800)), ("DP3", (180, 90_000, 180)), ("DP4", (90, 18_000, 90)),
    ("NFPA-single", (3600, 0, 0)), ("NFPA-dual", (21_600, 21_600, 21_600)), ("90s/5h", (90, 18_000, 90)),
    ("90s/60s", (90, 60, 60)), ("90s/5h/30s", (90, 18_000, 30)),
])
def test_supervision_times_by_name_and_by_value_are_printed_as_they_were_written(tmp_path: Path, text: str,
                                                                                 seconds: tuple[int, ...]) -> None:
    config = load(None, {}, {"supervision.default": text})
    default = config.supervision.default
    assert (default.primary_ns, default.alternate_ns, default.alone_ns) == tuple(
        value * SECOND_NS for value in seconds)
    assert round_trip(config, tmp_path / "printed.toml") == config
    assert f'default = "{text}"' in (tmp_path / "printed.toml").read_text()


@pytest.mark.parametrize("text", ["4s", "50d", "90s/", "90s/5h/6h", "90s/5h/90s/90s", "DP4/5h", "dp4", "90s/1s"])
def test_supervision_times_that_cannot_be(text: str) -> None:
    assert "DP4" in refused(None, {}, {"supervision.default": text})


def round_trip(config: Config, file: Path) -> Config:
    file.write_text(render(config))
    return load(str(file))


@pytest.mark.parametrize("end", [0, 1])
def test_the_printed_configuration_reads_back_as_the_same(tmp_path: Path, end: int) -> None:
    """With every value at one end of its range, but where two must fit each other, and with every table filled."""
    config = load()
    assert round_trip(config, tmp_path / "default.toml") == config
    apart = {"listen.held_max", "listen.held_per_connection_max", "journal.segment", "journal.bytes_max", "paths.max",
             "unknown_accounts.limit"}
    flags = {name: ends_of(setting)[end] for name, setting in RANGED if name not in apart}
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "key").write_text(KEY)
    file = tmp_path / "full.toml"
    file.write_text(f"""
        data = 'a "quoted" \\ path'
        database = "postgresql://u@h/db?x=y"
        [[listener]]
        name = "north"
        listen = "[::1]:4000"
        realm = "nghe-an"
        protocol = "dc09"
        [[transmitter]]
        account = "dc09:0abc@nghe-an"
        key_file = "{tmp_path / "key"}"
        supervision = "DP4"
        [[transmitter]]
        account = "dc09:1"
        [[http_token]]
        file = "{tmp_path / "token"}"
        role = "admin"
        """)
    config = load(str(file), {}, {**flags, "http": "0.0.0.0:80", "filter.medical": "true", "log.format": "json"})
    assert config.transmitters[0].account == "dc09:0ABC@nghe-an"
    assert config.transmitters[0].key == bytes.fromhex(KEY)
    assert config.transmitters[1].supervision.primary_ns == 0
    assert round_trip(config, tmp_path / "again.toml") == config


def test_secrets_are_shown_nowhere(write: Any, tmp_path: Path) -> None:
    file = write(f"""
        database = "postgresql://user:pa55word@host/db?password=pa55word"
        [[transmitter]]
        account = "dc09:1"
        key = "{KEY}"
        """)
    config = load(file)
    for text in (repr(config), render(config), str(config)):
        assert KEY not in text and "pa55word" not in text and str(bytes.fromhex(KEY)) not in text
    assert "postgresql://user@host/db" in render(config)
    again = refused(write(render(config)))       # refused, and not run without the key
    assert "transmitter[0].key" in again
    assert "abc" not in refused(write('[[transmitter]]\naccount = "dc09:1"\nkey = "abc"'))
    assert "pa55" not in refused(write('database = "postgresql://user:pa55@word@host"'))


@pytest.mark.parametrize(("text", "flags", "expected"), [
    ("listen = '127.0.0.1:5'", {}, ["default 127.0.0.1:5"]),
    ("", {"listen": "127.0.0.1:6"}, ["default 127.0.0.1:6"]),
    ("[[listener]]\nname = 'a'\nlisten = '127.0.0.1:7'", {}, ["a 127.0.0.1:7"]),
    ("[[listener]]\nname = 'a'\nlisten = '127.0.0.1:7'", {"listen": "127.0.0.1:6"},
     ["a 127.0.0.1:7", "default 127.0.0.1:6"]),
    ("[[listener]]\nname = 'default'\nrealm = 'r'\nlisten = '127.0.0.1:7'", {"listen": "127.0.0.1:6"},
     ["default 127.0.0.1:6"]),
    ("[[listener]]\nname = 'a'\nlisten = '127.0.0.1:6'", {"listen": "127.0.0.1:6"}, ["a 127.0.0.1:6"]),
    ("[[listener]]\nrealm = 'r'\n[listen]\naddress = '127.0.0.1:6'", {}, ["default 127.0.0.1:6"]),
])
def test_where_transmitters_call(write: Any, tmp_path: Path, text: str, flags: dict[str, str],
                                 expected: list[str]) -> None:
    config = load(write(text), {}, flags)
    assert [f"{listener.name} {listener.listen}" for listener in config.listeners] == expected
    again = round_trip(config, tmp_path / "again.toml")
    assert again.listeners == config.listeners


def test_a_configuration_cannot_be_changed() -> None:
    config = load()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.listen.held_max = 5               # type: ignore[misc]
    assert not hasattr(config.listen, "__dict__")


@given(st.integers(0, 10**20))
def test_durations_read_back(ns: int) -> None:
    assert units.read_duration_ns(units.write_duration(ns)) == ns


@given(st.integers(0, 10**12 - 1))
def test_sizes_read_back(size: int) -> None:
    assert units.read_size(units.write_size(size)) == size


@pytest.mark.parametrize(("text", "ns"), [("90s", 90 * SECOND_NS), ("15m", 900 * SECOND_NS), ("1.5h", 5400 * SECOND_NS),
                                          ("250 ms", SECOND_NS // 4), ("7d", 7 * 86400 * SECOND_NS), ("0s", 0)])
def test_durations_as_people_write_them(text: str, ns: int) -> None:
    assert units.read_duration_ns(text) == ns


@pytest.mark.parametrize("text", ["", "90", "s", "-1s", "1e3s", "1 min", "1  s", "1s ", "0.0000001ms", "\u0661s", "1S",
                                  "1h30m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError):
        units.read_duration_ns(text)


@pytest.mark.parametrize("text", ["", ":80", "host", "host:", "a b:1", "[::1]", "::1:80", "[1.2.3.4]:5", "h:99999",
                                  "u@h:1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):
        units.read_address(text)


def test_loopback() -> None:
    inside = ("127.0.0.9:1", "[::1]:1", "localhost:1")
    outside = ("0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.org:1")
    assert all(units.read_address(text).loopback for text in inside)
    assert not any(units.read_address(text).loopback for text in outside)
