"""The alerting rules, the pages that they name and the metrics that an engine really shows agree."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.operate.table import TABLE
from tests.integration.in_process import running

ROOT = Path(__file__).parents[2]
RULES = (ROOT / "deploy/alerts.yml").read_text()
PAGE = (ROOT / "docs/alerts.md").read_text()
RULE = re.compile(r"      - alert: (?P<alert>\w+)\n        expr: (?P<expr>.+)\n(?:        for: [0-9]+[smh]\n)?"
                  r"        labels: \{severity: (?:page|ticket)\}\n        annotations:\n"
                  r'          summary: "[^"\n]+"\n          runbook: docs/alerts\.md#(?P<anchor>[a-z-]+)\n')
METRIC = re.compile(r"tocsin_[a-z_]+")
CHOSEN = re.compile(r'(tocsin_[a-z_]+)\{([a-z]+)(?:=|!=|=~)"([a-z_|]+)"\}')
ELSEWHERE = {"damaged-journal"}          # the engine does not start, so that no metric tells


def sections() -> dict[str, str]:
    """Return the page's sections by anchor."""
    parts = re.split(r"^### (.+)\n", PAGE, flags=re.MULTILINE)
    return {title.lower().replace(" ", "-"): text for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def rules() -> list[dict[str, str]]:
    return [match.groupdict() for match in RULE.finditer(RULES)]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What an engine shows: the names of its samples, and each as name{label="value"}."""
    with running(tmp_path_factory.mktemp("alerts")) as engine:
        samples = [line.rpartition(" ")[0] for line in engine.ask("/metrics")[1].splitlines() if line[0] != "#"]
    found = set()
    for name, _, labels in (sample.partition("{") for sample in samples):
        found |= {name, *(f"{name}{{{label}}}" for label in re.findall(r'[a-z]+="[^"]*"', labels))}
    return found


def test_every_rule_is_whole() -> None:
    assert len(rules()) == RULES.count("- alert:") > 30
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert rule["expr"].count("(") == rule["expr"].count(")"), rule["alert"]


def test_every_metric_of_a_rule_is_shown_by_an_engine(shown: set[str]) -> None:
    for rule in rules():
        missing = [name for name in METRIC.findall(rule["expr"]) if name not in shown]
        assert not missing, (rule["alert"], missing)


def test_every_label_of_a_rule_is_shown_from_the_start(shown: set[str]) -> None:
    """A counter that begins with its first event has no increase yet, and the first event is the one that counts."""
    checked = 0
    for rule in rules():
        for name, label, values in CHOSEN.findall(rule["expr"]):
            for value in values.split("|"):
                checked += 1
                assert f'{name}{{{label}="{value}"}}' in shown, rule["alert"]
    assert checked > 10


def test_every_rule_has_its_section() -> None:
    pages = sections()
    for rule in rules():
        assert f"`{rule['alert']}`" in pages[rule["anchor"]], rule["alert"]
    assert set(pages) == {rule["anchor"] for rule in rules()} | ELSEWHERE


def test_every_link_and_metric_of_the_page_is_one() -> None:
    links = re.findall(r"\]\(#([a-z-]+)\)", PAGE)
    assert set(links) <= set(sections())
    for name in METRIC.findall(PAGE):
        assert name in TABLE, name


def test_each_section_says_what_to_do() -> None:
    for anchor, text in sections().items():
        assert "- Do: " in text or "| go to |" in text, anchor
