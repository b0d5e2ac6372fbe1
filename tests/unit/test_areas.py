"""The areas of Vietnam: the package's data, corrected, against facts that were counted elsewhere."""
from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from engine.registry import areas
from engine.registry.areas import Area, Correction, NoAreas, correct, read_corrections, read_divisions, vietnam

COMMUNES = {
    "01": 126, "04": 56, "08": 124, "11": 45, "12": 38, "14": 75, "15": 99, "19": 92, "20": 65, "22": 54, "24": 99,
    "25": 148, "31": 114, "33": 104, "37": 129, "38": 166, "40": 130, "42": 69, "44": 78, "46": 40, "48": 94,
    "51": 96, "52": 135, "56": 65, "66": 102, "68": 124, "75": 95, "79": 168, "80": 96, "82": 102, "86": 124,
    "91": 102, "92": 103, "96": 64}
CITIES = {"01", "31", "46", "48", "75", "79", "92"}
PACKAGED = [{"name": "Tỉnh X", "code": 5, "division_type": "tỉnh", "wards": [
    {"name": "Xã  Bắc Hoà", "code": 70, "division_type": "xã"},
    {"name": "Phường Y", "code": 73, "division_type": "phường"}]}]


def test_counts_codes_and_kinds() -> None:
    found = vietnam()
    provinces = [area for area in found if not area.parent]
    communes = Counter(area.parent for area in found if area.parent)
    assert len(provinces) == 34
    assert dict(communes) == COMMUNES
    assert Counter(area.kind for area in found) == {"province": 27, "city": 7, "commune": 2611, "ward": 697,
                                                    "special_zone": 13}
    assert {area.code for area in provinces if area.kind == "city"} == CITIES
    assert len({area.code for area in found}) == 34 + 3321
    assert all(len(area.code) == (5 if area.parent else 2) and area.code.isdigit() for area in found)
    assert all(area.name == areas.clean(area.name) for area in found)


def test_what_the_package_of_2025_does_not_have_yet() -> None:
    found = {area.code: area for area in vietnam()}
    assert found["75"] == Area("75", "", "city", "Thành phố Đồng Nai")
    assert found["26368"] == Area("26368", "75", "ward", "Phường Long Thành")
    assert found["00226"].name == "Phường Văn Miếu - Quốc Tử Giám"
    assert found["40"] == Area("40", "", "province", "Tỉnh Nghệ An")


def test_a_correction_changes_what_differs_and_nothing_else() -> None:
    corrections = {("05", ""): Correction("", "city"), ("05", "Xã Bắc Hoà"): Correction("00071", ""),
                   ("05", "Phường Z"): Correction("00099", "")}
    assert list(correct(read_divisions(PACKAGED), corrections)) == [
        Area("05", "", "city", "Thành phố X"), Area("00071", "05", "commune", "Xã Bắc Hoà"),
        Area("00073", "05", "ward", "Phường Y")]
    right = list(correct(read_divisions(PACKAGED), {("05", "Phường Y"): Correction("00073", "ward")}))
    assert right == list(read_divisions(PACKAGED))


def test_each_correction_names_one_unit() -> None:
    lines = [line for line in areas.CORRECTIONS.read_text("utf-8").splitlines() if not line.startswith("#")]
    corrections = read_corrections("\n".join(lines))
    assert len(corrections) == len(lines) < 150
    assert all(correction.code or correction.kind for correction in corrections.values())
    with pytest.raises(ValueError, match="unpack"):
        read_corrections("05\tXã A")


@pytest.mark.parametrize("written", ["", "{}x", "[1]", '[{"code": 1}]',
                                     '[{"name": "X", "code": 1, "division_type": "?"}]',
                                     json.dumps([PACKAGED[0] | {"wards": 3}]),
                                     json.dumps([PACKAGED[0], PACKAGED[0]])])
def test_a_package_that_we_cannot_read(written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "divisions.json"
    file.write_text(written)
    monkeypatch.setattr(areas, "find_divisions", lambda: file)
    with pytest.raises(NoAreas):
        vietnam()
    monkeypatch.undo()
    monkeypatch.setattr(areas, "PACKAGE", "no_such_package_here")
    with pytest.raises(NoAreas, match="install"):
        vietnam()
