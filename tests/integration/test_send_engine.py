"""`tocsin send` against the real engine: good frames, and each way of being wrong."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.engine import Engine, data_directory, serve, tocsin

KEY = "00112233445566778899aabbccddeeff"
CONFIG = f"""
[[transmitter]]
account = "dc09:E001"
key = "{KEY}"
[[transmitter]]
account = "tocsin:1207"
key = "{KEY}{KEY}"
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with data_directory() as data, serve(data, CONFIG) as running:
        yield running


def say(engine: Engine, *arguments: str, transport: str = "tcp") -> tuple[int, str, str]:
    done = tocsin("send", "--to", f"{engine.place[0]}:{engine.place[1]}", "--transport", transport, *arguments)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("event", ["fire", "restore", "heartbeat"])
def test_encrypted(engine: Engine, transport: str, event: str) -> None:
    code, out, error = say(engine, "--account", "E001", "--key", KEY, "--event", event, transport=transport)
    assert (code, error) == (0, "")
    assert "ACK  acknowledged" in out and "opened with the key" in out


@pytest.mark.parametrize("how", ["coalesce", "replay", "slow"])
def test_what_a_receiver_must_bear(engine: Engine, how: str) -> None:
    code, out, error = say(engine, "--account", "5E0D", "--misbehave", how, "--text", f"by {how}")
    assert (code, error) == (0, "")
    assert out.count("ACK  acknowledged") == (1 if how == "slow" else 2)
    stored = engine.ask("/v1/signals?account=5E0D&limit=100")[1].decode()
    assert stored.count(f"by {how}") >= 1


@pytest.mark.parametrize(("more", "told"), [
    (("--account", "5E0D", "--misbehave", "crc"), "wrong checksum"),
    (("--account", "5E0D", "--misbehave", "cut"), "without its end"),
])
def test_what_it_passes_over_in_silence(engine: Engine, more: tuple[str, ...], told: str) -> None:
    code, _, error = say(engine, *more, "--timeout", "0.5", transport="udp")
    assert code == 1
    assert told in error and "/v1/rejected" in error


def test_another_key_is_no_acknowledgement(engine: Engine) -> None:
    code, out, _ = say(engine, "--account", "E001", "--key", KEY, "--misbehave", "key", "--timeout", "0.5")
    assert code == 1
    assert "ACK" not in out.replace("*ACK", "")


def test_a_clock_that_is_off_is_told_by_how_much(engine: Engine) -> None:
    code, out, _ = say(engine, "--account", "E001", "--key", KEY, "--event", "heartbeat", "--misbehave", "clock=-2h")
    assert code == 1
    assert "NAK  refused" in out
    assert "s behind the receiver's" in out
    assert 7195 <= int(out.split("the stamp was ")[1].split()[0]) <= 7205


@pytest.mark.parametrize("how", [None, "coalesce", "replay", "slow"])
def test_gbt_26875(engine: Engine, how: str | None) -> None:
    more = ("--misbehave", how) if how else ()
    code, out, error = say(engine, "--protocol", "gbt26875", "--account", "4660", "--event", "fire", *more)
    assert (code, error) == (0, "")
    assert out.count("confirm  confirmed") == (2 if how in ("coalesce", "replay") else 1)
    assert out.startswith("sent      40 40 ")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_tocsin_profile(engine: Engine, transport: str) -> None:
    """A counter again with other bytes is refused with the highest one; the next after it is accepted."""
    base = 100 if transport == "udp" else 200
    told = []
    for counter, event in ((base, "heartbeat"), (base + 1, "fire"), (base + 1, "trouble"), (base + 2, "restore")):
        code, out, error = say(engine, "--protocol", "tocsin", "--account", "1207", "--key", KEY + KEY,
                               "--event", event, "--sequence", str(counter), transport=transport)
        assert error == ""
        assert "its tag is right for what was sent" in out
        told.append((code, f"the next is {counter + 1}" in out))
    assert told == [(0, False), (0, False), (1, True), (0, False)]


def test_the_tocsin_profile_with_another_key_gets_silence(engine: Engine) -> None:
    code, out, error = say(engine, "--protocol", "tocsin", "--account", "1207", "--key", KEY[::-1] + KEY, "--timeout",
                           "0.5")
    assert code == 1
    assert "received" not in out
    assert "no reply" in error
