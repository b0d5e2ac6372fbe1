"""The scripted day of a province: each scene ends as a fire officer would want."""
import sys

import pytest

from tests.day.__main__ import main


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_each_scene_of_the_day_ends_as_a_fire_officer_would_want(capsys: pytest.CaptureFixture[str]) -> None:
    result = main()
    table = capsys.readouterr().out
    sys.stdout.write(table)
    assert result == 0, table
    assert " 0 wrong" in table
