"""Rules as data: what a file may say, the way into the journal and back, and which rule fits, against a slow model."""
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.words import CLASS_TEXT, CONDITION_TEXT
from engine.command import main
from engine.config import ConfigError
from engine.filter.rule_file import (
    CLASSES,
    FACILITY_WAYS,
    FIRST_RULE,
    SECONDS,
    VERIFIED,
    Cancel,
    Chatter,
    MassLoss,
    Rulebook,
    WrittenRule,
    clash,
    default_rulebook,
    read_file,
)
from engine.filter.rulebook import CompiledBook
from engine.words import KIND_TEXT, WAY_TEXT

LAST = '[[rule]]\nname = "rest"\nverified = "none"\n'
HOSPITAL = """
version = 7

[[rule]]
name = "hospitals"
class = ["fire"]
facility_kind = ["hospital"]
area = ["40"]
verified = "coincidence"
by = ["repetition", "another_detector"]
within = "90s"
priority = -1

[[rule]]
name = "rest"
verified = "human"
"""


def rule(**keys: Any) -> str:
    return "[[rule]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())


def test_a_file_becomes_rules() -> None:
    book = Rulebook.read(HOSPITAL)
    assert book.version == 7
    assert book.rules[0] == WrittenRule("hospitals", ("fire",), (), ("hospital",), (), ("40",), "coincidence",
                                        ("another_detector", "repetition"), 90 * 10**9, -1)
    assert book.rules[1] == WrittenRule("rest", verified="human")
    assert (book.chatter, book.cancel, book.mass_loss) == (Chatter(), Cancel(), MassLoss())
    assert book.rule_name(FIRST_RULE) == "hospitals"
    assert book.rule_name(FIRST_RULE + 2) == book.rule_name(1) == ""


def test_the_shipped_rules() -> None:
    book = default_rulebook()
    assert [rule.name for rule in book.rules] == ["at-once", "as-facility"]
    assert book.rules[0].conditions == ("manual_call_point", "waterflow", "fire_confirmed")
    assert (book.rules[1].seconds, book.rules[1].within_ns) == (("another_detector", "another_zone"), 600 * 10**9)
    assert book.chatter == Chatter(3, 600 * 10**9, 1)
    assert book.mass_loss == MassLoss(20, 0.3, 60 * 10**9, 500_000_000, 0.1)
    assert not book.accept_within_ns
    assert not book.security
    assert not book.medical


@pytest.mark.parametrize(("toml", "said"), [
    ("x", "new.toml: Expected '=' after a key in a key/value pair (at end of document); allowed is TOML in UTF-8"),
    ("x = " + "[" * 5000, "new.toml: "),
    (LAST, "version is missing (new.toml): allowed are no rules without it"),
    ("version = 0\n" + LAST, "version = 0 (new.toml): allowed is a whole number of the rules from 1 to 2147483647"),
    ("version = true\n" + LAST, "version = true (new.toml): allowed is a whole number"),
    ('version = "1"\n' + LAST, 'version = "1" (new.toml): allowed is a whole number'),
    ("version = 1", "rule: there are 0 (new.toml): allowed is [[rule]], 1 to 64 times"),
    ("version = 1\nrule = 5", "rule = 5 (new.toml): allowed is [[rule]], 1 to 64 times"),
    ("version = 1\nrule = [5]", "rule = [5] (new.toml): allowed is [[rule]], 1 to 64 times"),
    ("version = 1\nrulle = 5", "rulle is no key (new.toml): did you mean rule?"),
    ("version = 1\nqq = 5", "qq is no key (new.toml): allowed are version, rule, chatter, cancel, mass_loss"),
    ("version = 1\nsecurity = true", "security is no key (new.toml): allowed are version"),
    ('"a\\nb" = 1', '"a\\nb" is no key (new.toml): allowed are version'),
    ("version = 1\nchatter = 5", "chatter = 5 (new.toml): allowed is a section"),
    ("version = 1\n[chatter]\ntime = 5", "chatter.time is no key (new.toml): did you mean chatter.times?"),
    ("version = 1\n[chatter]\ntimes = 1",
     "chatter.times = 1 (new.toml): allowed is a whole number of times from 2 to 1000"),
    ("version = 1\n[chatter]\nwithin = 5", 'chatter.within = 5 (new.toml): allowed is a duration from "1s" to "1d"'),
    ('version = 1\n[cancel]\nwithin = "2d"', 'cancel.within = "2d" (new.toml): allowed is a duration from "1s" to'),
    ("version = 1\n[mass_loss]\nshare = nan", "mass_loss.share = NaN (new.toml): allowed is a share from 0.0 to 1.0"),
    ("version = 1\n[mass_loss]\nshare = 1979-05-27", 'mass_loss.share = "1979-05-27" (new.toml): allowed is a share'),
    ("version = 1\n[mass_loss]\nshare = 0.05\n" + LAST,
     "mass_loss.restored = 0.1 (new.toml): allowed is at most mass_loss.share (0.05)"),
    ("version = 1\n" + rule(verified="none"), "rule[0].name is missing (new.toml): allowed is no rule without it"),
    ("version = 1\n" + rule(name="A b", verified="none"),
     'rule[0].name = "A b" (new.toml): allowed is 1 to 31 of a-z 0-9 _ - in quotes, a letter or digit first'),
    ("version = 1\n" + rule(name="a" * 32, verified="none"), 'rule[0].name = "aaaa'),
    ("version = 1\n" + rule(name="x"), "rule[0].verified is missing (rule x, new.toml): allowed is no rule without it"),
    ("version = 1\n" + rule(name="x", verified="maybe"),
     'rule[0].verified = "maybe" (rule x, new.toml): allowed is one of "at_once", "none", "coincidence", "human", '),
    ("version = 1\n" + rule(name="x", verified="none", kind=["hotel"]),
     "rule[0].kind is no key (rule x, new.toml): "),
    ("version = 1\n" + rule(name="x", verified="none", facility_kind=["hotl"]),
     '; "hotl" is none: did you mean hotel?'),
    ("version = 1\n" + rule(name="x", verified="none", condition=["smoke", "smoke"]),
     'rule[0].condition = ["smoke", "smoke"] (rule x, new.toml): allowed is a list of conditions'),
    ("version = 1\n" + rule(name="x", verified="none", **{"class": []}),
     'rule[0].class = [] (rule x, new.toml): allowed is a list of some of "fire", "gas", "prealarm"'),
    ("version = 1\n" + rule(name="x", verified="none", **{"class": ["fault"]}), '; "fault" is none'),
    ("version = 1\n" + rule(name="x", verified="none", **{"class": "fire"}), 'rule[0].class = "fire"'),
    ("version = 1\n" + rule(name="x", verified="none", **{"class": [["fire"]]}), '; ["fire"] is none'),
    ("version = 1\n" + rule(name="x", verified="none", area=["a b"]),
     'rule[0].area = ["a b"] (rule x, new.toml): allowed is a list of 1 to 8 codes in quotes'),
    ("version = 1\n" + rule(name="x", verified="none", area=[40]), "rule[0].area = [40] (rule x, new.toml): "),
    ("version = 1\n" + rule(name="x", verified="none", area=[str(code) for code in range(9)]), "rule[0].area = "),
    ("version = 1\n" + rule(name="x", verified="none", priority=9),
     "rule[0].priority = 9 (rule x, new.toml): allowed is a whole number of steps from -5 to 5"),
    ("version = 1\n" + rule(name="x", verified="human", by=["repetition"]),
     'rule[0].by = ["repetition"] (rule x, new.toml): allowed only with verified = "coincidence" or "as_facility"'),
    ("version = 1\n" + rule(name="x", verified="at_once", within="10m"), 'rule[0].within = "10m" (rule x, new.toml): '),
    ("version = 1\n" + rule(name="x", verified="coincidence", by=["repetition"]),
     'rule[0].within is missing (rule x, new.toml): allowed is no rule with verified = "coincidence" without it'),
    ("version = 1\n" + rule(name="x", verified="as_facility", within="10m"), "rule[0].by is missing (rule x, "),
    ("version = 1\n" + rule(name="x", verified="none", area=["40"]),
     "rule[0].area (rule x, new.toml): allowed is a last rule that fits every alarm, without class, condition, "),
    ("version = 1\n" + rule(name="rest", verified="none", area=["40"]) + LAST,
     'rule[1].name = "rest" (new.toml): allowed is a name that no other rule has'),
    ("version = 1\n" + rule(name="x", verified="none") + LAST,
     "rule[1] (rule rest, new.toml) is never reached, as rule x before it fits all that it fits: allowed is "),
    ("version = 1\n" + rule(name="x", verified="none", area=["40", "41"])
     + rule(name="y", verified="human", area=["40"], facility_kind=["hotel"]) + LAST, "rule[1] (rule y, new.toml) is "),
    ("version = 1\n" + "".join(rule(name=f"r{n}", verified="none", area=[f"a{n}"]) for n in range(64)) + LAST,
     "rule: there are 65 (new.toml): allowed is [[rule]], 1 to 64 times"),
])
def test_what_a_file_may_not_say(toml: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Rulebook.read(toml, "new.toml")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_file(str(tmp_path / "none.toml"))
    (tmp_path / "latin.toml").write_bytes(b"# \xff\nversion = 1\n")
    with pytest.raises(ConfigError, match="allowed is TOML in UTF-8"):
        read_file(str(tmp_path / "latin.toml"))


def test_one_version_is_one_book() -> None:
    book = Rulebook.read(HOSPITAL)
    other = Rulebook.read(HOSPITAL.replace("90s", "91s"))
    assert clash(book, other).startswith("version = 7: allowed is another number than that of the rules in force")
    assert not clash(None, other)
    assert not clash(book, Rulebook.read(HOSPITAL.replace("90s", "1.5m") + "\n# said in other words\n"))
    assert not clash(book, Rulebook.read(HOSPITAL.replace("version = 7", "version = 8")))
    assert not clash(book, dataclasses.replace(book, security=True, accept_within_ns=5))    # not said in the file
    assert book != dataclasses.replace(book, security=True)
    assert Rulebook.read(HOSPITAL + "[mass_loss]\nshare = 1\n").digest \
        == Rulebook.read(HOSPITAL + "[mass_loss]\nshare = 1.0\n").digest


@pytest.mark.parametrize("text", [
    "", "[]", "{", "[" * 5000, '{"version":1}', "null",
    default_rulebook().to_json().replace('"security":false', '"security":0'),
    default_rulebook().to_json().replace('"accept_within":0', '"accept_within":-1'),
    default_rulebook().to_json().replace('"accept_within":0,', ""),
])
def test_what_is_no_rules_in_a_journal(text: str) -> None:
    with pytest.raises(ConfigError):
        Rulebook.from_json(text)


def subsets(options: tuple[str, ...]) -> Any:
    return st.sets(st.sampled_from(options)).map(lambda some: tuple(word for word in options if word in some))


CONDITIONS = tuple(CONDITION_TEXT.values())
AREAS = ("40", "17257", "vinh-1", "a" * 31)
SPANS = st.integers(1, 86_400).map(lambda seconds: seconds * 10**9)


@st.composite
def written_rules(draw: st.DrawFn, name: str) -> WrittenRule:
    verified = draw(st.sampled_from(VERIFIED))
    waits = verified in ("coincidence", "as_facility")
    return WrittenRule(
        name, draw(subsets(CLASSES)), draw(subsets(CONDITIONS[:5])), draw(subsets(tuple(KIND_TEXT.values()))),
        draw(subsets(FACILITY_WAYS)), tuple(sorted(draw(subsets(AREAS)))), verified,
        draw(subsets(SECONDS).filter(bool)) if waits else (), draw(SPANS) if waits else 0, draw(st.integers(-5, 5)))


@st.composite
def books(draw: st.DrawFn) -> Rulebook:
    rules = [draw(written_rules(f"r{number}")) for number in range(draw(st.integers(0, 3)))]
    rules.append(dataclasses.replace(draw(written_rules("rest")), classes=(), conditions=(), kinds=(), ways=(),
                                     areas=()))
    share = draw(st.floats(0, 1))
    return Rulebook(
        draw(st.integers(1, 2**31 - 1)), tuple(rules), Chatter(draw(st.integers(2, 1000)), draw(SPANS)),
        Cancel(draw(SPANS)), MassLoss(share=share, restored_share=share / 2), draw(st.integers(0, 10**12)),
        draw(st.booleans()), draw(st.booleans()))


@settings(max_examples=50)
@given(books())
def test_into_the_journal_and_back(book: Rulebook) -> None:
    text = book.to_json()
    assert text.isascii()
    assert "\n" not in text
    assert "\t" not in text
    try:
        again = Rulebook.from_json(text)
    except ConfigError as error:
        assert "is never reached" in str(error)      # the strategy does not look out for that
        return
    assert again == book
    assert again.to_json() == text
    assert CompiledBook(again).compiled() == CompiledBook(book).compiled()


def slow_match(book: Rulebook, signal_class: int, condition: int, kind: int | None, way: int,
               areas: tuple[str, str, str]) -> int | None:
    """Say it as docs/rules.md does."""
    for index, one in enumerate(book.rules):
        if CLASS_TEXT[signal_class] in (one.classes or CLASSES) \
                and (not one.conditions or CONDITION_TEXT.get(condition, "unknown") in one.conditions) \
                and (not one.kinds or kind is not None and KIND_TEXT.get(kind, "other") in one.kinds) \
                and (not one.ways or WAY_TEXT[way] in one.ways) \
                and (not one.areas or set(areas) & set(one.areas)):
            return index
    return None


@settings(max_examples=100)
@given(books(), st.sampled_from(sorted(CLASS_TEXT)), st.integers(0, 12) | st.sampled_from([129, 130, 300, 65535]),
       st.none() | st.integers(0, 20), st.integers(0, 3), st.tuples(*[st.sampled_from(("", *AREAS, "99"))] * 3))
def test_the_first_rule_that_fits(book: Rulebook, signal_class: int, condition: int, kind: int | None, way: int,
                                  areas: tuple[str, str, str]) -> None:
    found = CompiledBook(book).match(signal_class, condition, kind, way, *areas)
    assert found == slow_match(book, signal_class, condition, kind, way, areas)
    assert (found is not None) == (CLASS_TEXT[signal_class] in CLASSES)


def test_said_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new.toml"
    file.write_text(HOSPITAL)
    assert main(["rules", str(file), "--data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Rules, version 7, {Rulebook.read(HOSPITAL).digest} ({file}).\n")
    assert ("  1. hospitals: A fire from a building of kind hospital in area 40 is confirmed by another detector or "
            "the same detector again (restored in between) within 90 seconds, and one step more urgent.\n") in said
    assert "  2. rest: Any other fire, gas or pre-alarm is confirmed, or declared false, by a person.\n" in said


def test_without_a_file_the_rules_in_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "--data", str(tmp_path)]) == 0
    assert "shipped with this program" in capsys.readouterr().out
    assert main(["rules", "--toml"]) == 0
    assert Rulebook.read(capsys.readouterr().out) == default_rulebook()


def test_a_wrong_file_is_one_line_and_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new.toml"
    file.write_text("version = 1")
    assert main(["rules", str(file), "--data", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("tocsin rules: rule: there are 0")
    assert said.count("\n") == 1


def test_the_documents_example_is_right() -> None:
    text = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
    book = Rulebook.read(text.partition("```toml\n")[2].partition("```")[0], "docs/rules.md")
    assert [rule.name for rule in book.rules] == ["at-once", "hospitals", "as-facility"]
    for rule in dataclasses.fields(WrittenRule):
        assert f"`{rule.metadata['setting'].key or rule.name.removesuffix('_ns')}`" in text
    for word in (*CLASSES, *SECONDS, *VERIFIED, *FACILITY_WAYS):
        assert word in text
