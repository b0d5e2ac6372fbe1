"""Fleet files: what they may say, the plans that come of them, and the frames that are wrong on purpose."""

import tomllib
from pathlib import Path

import pytest

from codec.reading import read_frames
from loadgen.groups import WRONG_TRANSMITTERS, FleetFile, configuration, plans, read_fleet, sized
from loadgen.misbehaviour import Answers, Misbehaving, Wrong, misbehaving, wanted
from loadgen.pacing import count_signals
from loadgen.plan import Plan

FLEETS = Path(__file__).parents[2] / "loadgen" / "fleets"
SECOND = 1_772_000_000
GROUP = '[[group]]\nname = "a"\n'


def read(tmp_path: Path, text: str) -> FleetFile:
    path = tmp_path / "fleet.toml"
    path.write_text(text)
    return read_fleet(path)


def planned(fleet: FleetFile, transmitters: int = 1000) -> list[Plan]:
    return plans(fleet, transmitters, host="127.0.0.1", port=1, duration_s=10.0, run="19a8f3c2b1047aa", second=SECOND)


@pytest.mark.parametrize("name", ["province.toml", "gbt26875.toml", "tocsin.toml"])
def test_accounts_and_numbers_of_the_examples_never_overlap(name):
    found = planned(read_fleet(FLEETS / name))
    assert sum(plan.transmitters for plan in found) == pytest.approx(1000, rel=0.1)
    number = 0
    for one, other in zip(found, found[1:], strict=False):
        assert one.account_first + one.transmitters + WRONG_TRANSMITTERS == other.account_first
        assert one.number_first == number
        number += count_signals(one.seed, one.alarms, one.frames)


@pytest.mark.parametrize(("text", "part"), [
    ("", "groups"), ("x = 1\n" + GROUP + "share = 1", "x: unknown"), ("[[group]]\nshare = 1", "name"),
    (GROUP, "either"), (GROUP + "share = 1\ntransmitters = 1", "either"), (GROUP + "share = 2", "share 2"),
    (GROUP + "share = 1\ncolour = 1", "colour: unknown"), (GROUP + "share = 1\nline = 1", "line 1"),
    (GROUP + "share = 1\ntransport = 'x'", "transport"), (GROUP + "share = 1\nmisbehave = { x = 1 }", "misbehave"),
    (GROUP + "share = 1\nmisbehave = { slow = 0.1 }", "slow is for tcp"),
    (GROUP + "share = 1\nmisbehave = { key = 0.1 }", "encrypted groups"),
    (GROUP + "share = 1\nencrypted = true", "secret"), (2 * (GROUP + "share = 0.5\n"), "same name"),
    (GROUP + "share = 1\nprotocol = 'x'", "protocol"), (GROUP + "share = 1\nprotocol = 'tocsin'", "secret"),
    (GROUP + "share = 1\nprotocol = 'tocsin'\ninterval = 0.9", "interval of 1"),
    (GROUP + "share = 1\nprotocol = 'tocsin'\nmisbehave = { clock = 0.1 }", "without clock"),
    (GROUP + "share = 1\nprotocol = 'tocsin'\nclock_spread = 1", "clock_spread: none"),
    (GROUP + "share = 1\nprotocol = 'tocsin'\nheartbeat = 'null'", "heartbeat"),
    (GROUP + "share = 1\nprotocol = 'tocsin'\nencrypted = true", "DC-09"),
    ("seed = [", "fleet.toml"), ("seed = true\n", "seed"),
    (GROUP + "share = 1\ninterval = 0", "interval"),
])
def test_what_is_wrong_is_told_with_file_and_key(tmp_path, text, part):
    with pytest.raises(ValueError, match=part) as told:
        read(tmp_path, text)
    assert str(told.value).startswith(str(tmp_path))


def test_one_without_account_in_its_header_is_alone(tmp_path):
    fleet = read(tmp_path, GROUP + "transmitters = 2\nheader_account = false\nheartbeat = 'ajax'")
    with pytest.raises(ValueError, match="one transmitter"):
        planned(fleet)


@pytest.mark.parametrize(("first", "more", "part"), [
    ("FFFFF0", "", "accounts"), ("00", "", "accounts"), ("A1", "interval = 1", "messages of one transmitter"),
])
def test_what_the_tocsin_profile_has_no_room_for(tmp_path, first, more, part):
    fleet = read(tmp_path, f"secret = 'long enough'\nfirst_account = '{first}'\n" + GROUP
                 + f"transmitters = 20\nprotocol = 'tocsin'\n{more}")
    with pytest.raises(ValueError, match=part):
        plans(fleet, 20, host="127.0.0.1", port=1, duration_s=10_000.0, run="r", second=SECOND)


def test_a_counter_of_the_tocsin_profile_is_used_once_and_rises(tmp_path):
    fleet = read(tmp_path, "secret = 'long enough'\n" + GROUP + "transmitters = 900\nprotocol = 'tocsin'\n"
                 "interval = 1\nmisbehave = { crc = 1, replay = 1, slow = 1 }\ntransport = 'tcp'")
    plan, = planned(fleet)
    by: dict[int, list[int]] = {}
    for frame in wanted(plan, sized(fleet, 1)[0], 5):
        by.setdefault(frame.transmitter, []).append(frame.sequence)
    assert len(by) == WRONG_TRANSMITTERS
    for sequences in by.values():
        assert sequences == list(range(1, 2 * len(sequences), 2))
        assert sequences[-1] + 1 <= plan.duration_s + 2, "the next run begins above"


def test_the_same_file_gives_the_same_frames(tmp_path):
    text = GROUP + "transmitters = 50\nencrypted = true\nclock_spread = 9\nmisbehave = { crc = 0.5 }"
    one, two = (read(tmp_path, "secret = 'long enough'\n" + text) for _ in range(2))
    for first, second in zip(planned(one), planned(two), strict=True):
        a, b = first.speaker(), second.speaker()
        assert a is not None and b is not None
        assert all(a.frame(i, 3, SECOND, number=7) == b.frame(i, 3, SECOND, number=7) for i in range(50))
        assert wanted(first, sized(one, 1)[0], 5) == wanted(second, sized(two, 1)[0], 5) != []


def test_the_engine_can_be_given_every_key(tmp_path):
    fleet = read(tmp_path, "secret = 'long enough'\n" + GROUP + "transmitters = 3\nencrypted = true")
    tables = list(configuration(planned(fleet)))
    assert len(tables) == 3 + WRONG_TRANSMITTERS
    assert len(set(tables)) == len(tables)


def wrong_ones(tmp_path: Path, more: str = "encrypted = true\ntransport = 'tcp'") -> tuple[Misbehaving, Plan]:
    group = GROUP + f"transmitters = 3\n{more}\nmisbehave = {{ crc = 0.1 }}"
    fleet = read(tmp_path, "secret = 'long enough'\n" + group)
    found = planned(fleet)
    return misbehaving(found, sized(fleet, 3), 100)[0], found[0]


@pytest.mark.parametrize("protocol", ["dc09", "gbt26875", "tocsin"])
def test_wrong_frames_are_wrong_in_what_they_are_for(tmp_path, protocol):
    of, plan = wrong_ones(tmp_path, f"protocol = '{protocol}'")
    tables = tomllib.loads("".join(configuration([plan]))).get("transmitter", [])
    key = bytes.fromhex(tables[plan.transmitters + 3]["key"]) if tables else None

    def found(kind: str) -> list[dict[str, object]]:
        return read_frames(b"".join(of.writes(Wrong(kind, 0.0, 100, 3, 7), SECOND)), SECOND * 10**9, key=key)

    assert found("crc")[0]["status"] != "ok"
    assert found("cut")[0]["status"] != "ok"
    assert [one["status"] for one in found("coalesce")] == ["ok", "ok"]
    assert len({str(one) for one in found("replay")}) == 1
    assert found("slow") == found("replay")[:1]
    if protocol != "tocsin":
        assert found("clock")[0]["timestamp"] != found("slow")[0]["timestamp"]


@pytest.mark.parametrize("more", ["encrypted = true", "protocol = 'tocsin'"])
def test_a_strangers_key_opens_nothing(tmp_path, more):
    of, plan = wrong_ones(tmp_path, more)
    good, strange = (of.writes(Wrong(kind, 0.0, 100, 0, 7), SECOND)[0] for kind in ("replay", "key"))
    table = list(configuration([plan]))[plan.transmitters]
    key = bytes.fromhex(tomllib.loads(table)["transmitter"][0]["key"])
    assert read_frames(good, SECOND * 10**9, key=key)[0]["status"] == "ok"
    assert read_frames(strange, SECOND * 10**9, key=key)[0]["status"] != "ok"


@pytest.mark.parametrize(("kind", "word", "expected"), [
    ("crc", "silent", True), ("crc", "refused", True), ("crc", "acknowledged", False), ("key", "acknowledged", False),
    ("cut", "silent", True), ("replay", "acknowledged", True), ("replay", "silent", False), ("clock", "refused", True),
    ("clock", "acknowledged", True), ("slow", "silent", False), ("coalesce", "acknowledged", True),
    ("crc", "unreadable", False),
])
def test_what_is_expected(kind, word, expected):
    answers = Answers()
    answers.note(Wrong(kind, 0.0, 5, 0, 1), word)
    assert answers.counts[kind] == {"sent": 1, word: 1, "expected" if expected else "unexpected": 1}
    assert answers.acknowledged == {5: word == "acknowledged"}
