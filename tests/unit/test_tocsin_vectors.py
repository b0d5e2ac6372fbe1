"""The vectors of the Tocsin profile against both readers, and the document against the vectors and the code."""
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

from codec import reference, reference_tocsin
from codec.reading import build_message, checksum, encode_reply, read_frames, reply_to, split_status
from codec.words import CLASS_TEXT, CONDITION_TEXT, STATE_TEXT

ROOT = Path(__file__).parents[2]
VECTORS: list[dict[str, Any]] = json.loads((ROOT / "tests/vectors/tocsin.json").read_text())
BY_NAME = {vector["name"]: vector for vector in VECTORS}
DOCUMENT = (ROOT / "docs/tocsin-profile.md").read_text()
ANSWERS = {"accepted": (1, 0x20), "stale": (2, 0x21), "unable": (3, 0x22)}
NOW_NS = 1_767_225_600 * 10**9
ANSWERED = [vector for vector in VECTORS if vector["reply"]]
SILENT = [vector for vector in VECTORS if not vector["reply"]]


def name(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def both(vector: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """What each reader finds; flags are in order."""
    data, key = bytes.fromhex(vector["message"]), bytes.fromhex(vector["key"])
    found = [read_frames(data, NOW_NS, key=key), reference.read_frames(data, NOW_NS, reference.Profile(key=key))]
    for frame in [frame for one in found for frame in one]:
        for signal in frame.get("signals", []):
            signal["flags"] = sorted(signal["flags"])
    return found


def test_the_file_is_what_its_maker_makes() -> None:
    spec = importlib.util.spec_from_file_location("make_tocsin", ROOT / "tests/vectors/make_tocsin.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert maker.vectors() == VECTORS
    assert len(BY_NAME) == len(VECTORS) > 60


@pytest.mark.parametrize("vector", ANSWERED, ids=name)
def test_what_an_authentic_message_says(vector: dict[str, Any]) -> None:
    for (found,) in both(vector):
        assert (found["status"], found["account"], found["sequence"], found["signals"], found["lives"]) == (
            vector["status"], str(vector["key_id"]), vector["counter"], vector["signals"], vector["lives"])
        if vector["status"] == "ok":
            assert found["kind"] == ("signal" if vector["signals"] else "heartbeat")


@pytest.mark.parametrize("vector", ANSWERED, ids=name)
def test_its_reply(vector: dict[str, Any]) -> None:
    data, key = bytes.fromhex(vector["message"]), bytes.fromhex(vector["key"])
    answer, kind = ANSWERS[vector["answer"]]
    reply = bytes.fromhex(vector["reply"])
    counter = vector["highest"] or 0
    assert encode_reply(data, answer, NOW_NS, key=key, counter=counter) == reply
    assert reference_tocsin.reply_to(data, key, kind, counter if vector["answer"] == "stale" else None) == reply
    assert len(reply) == 21
    if vector["answer"] != "stale":                            # that is the engine's word
        assert reply_to(data, NOW_NS, key=key) == reply


@pytest.mark.parametrize("vector", SILENT, ids=name)
def test_what_gets_silence(vector: dict[str, Any]) -> None:
    for found in both(vector):
        assert found[0]["status"] == vector["status"]
        assert not any(frame["status"] == "ok" for frame in found)
    assert reply_to(bytes.fromhex(vector["message"]), NOW_NS, key=bytes.fromhex(vector["key"])) == b""


@pytest.mark.parametrize("vector", ANSWERED, ids=name)
def test_our_writer_makes_the_same_bytes(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["message"])
    assert build_message(vector["key_id"], vector["counter"], bytes.fromhex(vector["key"]), data[13:-8]) == data
    assert split_status(data) == ("ok", len(data))


# ---- the document ----------------------------------------------------------------------------------------------


def table(heading: str) -> dict[int, str]:
    section = DOCUMENT.partition(f"\n### {heading}\n")[2].partition("\n##")[0]
    return {int(number): word for number, word in re.findall(r"^\| (\d+) \| (\w+) \|$", section, re.MULTILINE)}


def test_its_tables_of_numbers_are_those_of_the_code() -> None:
    assert table("Class") == {number: word for number, word in CLASS_TEXT.items() if number}
    assert table("State") == {number: word for number, word in STATE_TEXT.items() if number}
    assert table("Condition") == CONDITION_TEXT


def test_its_examples_are_vectors() -> None:
    shown = re.findall(r"^```hex ([^\n]+)\n(.*?)\n```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert len(shown) >= 9
    for name_shown, lines in shown:
        vector = BY_NAME[name_shown]
        expected = [vector["message"], *([vector["reply"]] if vector["reply"] else [])]
        assert [bytes.fromhex(line).hex() for line in lines.splitlines()] == expected


def test_its_items_are_bodies_of_vectors() -> None:
    bodies = {bytes.fromhex(vector["message"])[13:-8] for vector in ANSWERED}
    shown = re.findall(r"^\|[^|]*\| `((?:[0-9A-F]{2} ?){2,})` \|$", DOCUMENT, re.MULTILINE)
    assert len(shown) == 5
    assert {bytes.fromhex(item) for item in shown} <= bodies


def test_its_numbers() -> None:
    assert f"{checksum(b'123456789'):04X}" == "BB3D"
    assert "`123456789` is `BB3D`" in DOCUMENT
    assert "21 a heartbeat and every reply, 30 a fire" in DOCUMENT
    assert [len(BY_NAME[one]["message"]) // 2 for one in ("heartbeat", "fire", "1400 bytes")] == [21, 30, 1400]


def test_its_links_lead_somewhere() -> None:
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
               for heading in re.findall(r"^#+ (.+)$", DOCUMENT, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", DOCUMENT):
        assert target[1:] in anchors if target.startswith("#") else (ROOT / "docs" / target).exists(), target
