"""The threat model names tests; each of them must be there, and each answer must name one."""
import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "threat-model.md").read_text()
NAMED = sorted(set(re.findall(r"`([a-z0-9_/]+\.py)::([a-z0-9_]+)`", TEXT)))


def names_in(file: Path) -> set[str]:
    """Every function of a test file that is run."""
    return {node.name for node in ast.parse(file.read_text()).body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_every_named_test_is_there(file: str, name: str) -> None:
    assert name in names_in(ROOT / "tests" / file)


def test_every_answer_names_a_test() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| attack")
            and not line.startswith("| where")]
    assert len(rows) > 25 and len(NAMED) > 40
    assert [row for row in rows if not re.search(r"`[a-z0-9_/]+\.py::test_[a-z0-9_]+` ?[|,]", row)] == []
    assert TEXT.count("::") == len(re.findall(r"`[a-z0-9_/]+\.py::[a-z0-9_]+`", TEXT)) + TEXT.count("`file::test`")
