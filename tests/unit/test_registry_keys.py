"""The key store: what is set is there after a crash, and no key is ever shown."""
from __future__ import annotations

import logging
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.registry import keys
from engine.registry.keys import NAME, KeyStore, KeyStoreError

KEY = bytes(range(16))
OTHER = bytes(range(32))
TRANSMITTERS = st.sampled_from(["dc09:1", "dc09:2", "tocsin:7@hue"])
CHANGES = st.lists(st.tuples(TRANSMITTERS, st.sampled_from([None, KEY, OTHER])), max_size=12)


def opened(directory: Path) -> KeyStore:
    store = KeyStore(directory)
    store.load()
    return store


def test_set_replace_and_remove(tmp_path: Path) -> None:
    store = opened(tmp_path / "data")
    assert not store.has("dc09:1")
    store.set("dc09:1", KEY)
    store.set("tocsin:7@hue", OTHER)
    store.set("dc09:1", OTHER)
    assert opened(tmp_path / "data").all() == store.all() == {"dc09:1": OTHER, "tocsin:7@hue": OTHER}
    store.remove("dc09:1")
    store.remove("dc09:never")
    assert not opened(tmp_path / "data").has("dc09:1")
    assert stat.S_IMODE((tmp_path / "data" / NAME).stat().st_mode) == 0o600


def test_a_change_does_not_write_the_file_anew(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.write((f"dc09:{number}", KEY) for number in range(10_000))
    before = (tmp_path / NAME).stat()
    store.set("dc09:1", OTHER)
    after = (tmp_path / NAME).stat()
    assert after.st_ino == before.st_ino
    assert after.st_size - before.st_size == len("dc09:1") + 2 + 64


def test_outdated_lines_go_when_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "LINES_MIN", 10)
    store, beside = opened(tmp_path), opened(tmp_path)
    for _ in range(12):
        store.set("dc09:1", KEY)
    assert beside.reload()
    assert opened(tmp_path).all() == {"dc09:1": KEY}
    assert (tmp_path / NAME).read_text().count("\n") == 1
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    store.set("dc09:2", OTHER)                   # a writer that had the old file
    assert beside.changed()
    assert beside.reload()
    assert beside.all() == opened(tmp_path).all() == {"dc09:1": KEY, "dc09:2": OTHER}


def test_another_process_is_noticed(tmp_path: Path) -> None:
    engine, command = opened(tmp_path), opened(tmp_path)
    assert not engine.changed()
    command.set("dc09:1", KEY)
    assert engine.changed()
    assert engine.reload()
    assert engine.all() == {"dc09:1": KEY}
    assert not engine.changed()
    assert not engine.reload()
    (tmp_path / NAME).unlink()
    assert engine.reload()
    assert not engine.all()


def test_the_engine_is_told_which_keys_changed(tmp_path: Path) -> None:
    opened(tmp_path).set("dc09:1", KEY)
    engine = KeyStore(tmp_path, watch=True)
    engine.load()
    assert not engine.changed()
    assert engine.take_changed() == set()
    opened(tmp_path).set("dc09:2", OTHER)
    engine.set("dc09:3", KEY)                    # which reads the other one's change, too
    assert engine.changed()
    assert engine.take_changed() == {"dc09:2", "dc09:3"}
    assert not engine.changed()
    engine.remove("dc09:1")
    assert engine.take_changed() == {"dc09:1"}
    assert [engine.get(f"dc09:{number}") for number in (1, 2, 3)] == [b"", OTHER, KEY]
    (tmp_path / NAME).unlink()
    assert engine.reload()
    assert engine.take_changed() == {"dc09:2", "dc09:3"}


def test_threads_of_one_store(tmp_path: Path) -> None:
    store = opened(tmp_path)

    def work(first: int) -> None:
        for number in range(first, first + 30):
            store.set(f"dc09:{number}", KEY)
            store.reload()
    threads = [threading.Thread(target=work, args=(first,)) for first in (100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.all() == opened(tmp_path).all()
    assert len(store) == 90


@settings(max_examples=60, deadline=None)
@given(CHANGES, CHANGES, st.integers(0, 2000))
def test_a_crash_at_any_byte(tmp_path_factory: pytest.TempPathFactory, first: list[tuple[str, bytes | None]],
                             later: list[tuple[str, bytes | None]], cut: int) -> None:
    directory = tmp_path_factory.mktemp("keys")
    opened(directory).write(first)
    file = directory / NAME
    whole = file.read_bytes() if file.exists() else b""
    torn = whole[:cut % (len(whole) + 1)]
    if whole:
        file.write_bytes(torn)
    expected: dict[str, bytes] = {}
    for line in torn.split(b"\n")[:-1]:
        name, digits = line.decode().split()
        if digits == "-":
            expected.pop(name, None)
        else:
            expected[name] = bytes.fromhex(digits)
    store = opened(directory)
    assert store.all() == expected
    store.write(later)
    for name, key in later:
        expected.pop(name, None) if key is None else expected.update({name: key})
    assert store.all() == opened(directory).all() == expected


def test_writers_beside_each_other(tmp_path: Path) -> None:
    def work(first: int) -> None:
        store = opened(tmp_path)
        for number in range(first, first + 40):
            store.set(f"dc09:{number}", KEY)
    threads = [threading.Thread(target=work, args=(first,)) for first in (100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened(tmp_path)) == 120


def test_lines_that_are_none_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret = "00112233445566778899aabbccddeef"
    (tmp_path / NAME).write_bytes(f"dc09:1 {secret}\n\ndc09:2 {secret}z\n\0\0\n".encode() + b"\xff "
                                  + KEY.hex().encode() + b"\ndc09:3 " + KEY.hex().encode() + b"\n")
    (tmp_path / NAME).chmod(0o600)
    with caplog.at_level(logging.DEBUG):
        assert opened(tmp_path).all() == {"dc09:3": KEY}
    assert [record.__dict__["lines"] for record in caplog.records] == [5]
    assert secret not in caplog.text


@pytest.mark.parametrize(("transmitter", "key"), [("", KEY), ("dc09:1 2", KEY), ("dc09:1\n", KEY), ("dc09:é", KEY),
                                                  ("dc09:1", b""), ("dc09:1", KEY + b"x")])
def test_no_such_key(transmitter: str, key: bytes, tmp_path: Path) -> None:
    store = opened(tmp_path)
    with pytest.raises(ValueError, match="transmitter|the key of dc09:1 has") as caught:
        store.set(transmitter, key)
    assert key.hex() not in str(caught.value) or not key
    assert not opened(tmp_path).all()


def test_a_file_that_others_may_read(tmp_path: Path) -> None:
    opened(tmp_path).set("dc09:1", KEY)
    (tmp_path / NAME).chmod(0o640)
    with pytest.raises(KeyStoreError, match="allowed is mode 0600"):
        opened(tmp_path)


def test_a_disk_that_does_not_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(tmp_path)
    store.set("dc09:1", KEY)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(KeyStoreError, match="No space left"):
        store.set("dc09:2", OTHER)
    monkeypatch.undo()
    assert opened(tmp_path).all() == {"dc09:1": KEY}
