"""The provinces and communes of Vietnam, out of the data package `vietnam-provinces` and a table of corrections.

The package's JSON file is read; importing the package itself would build an enum of thousands of members. Where it is
not what is in force, `vietnam.tsv` says so, line by line with the reason. Areas of other countries come by import.
"""
from __future__ import annotations

import importlib.util
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

PACKAGE = "vietnam_provinces"
DIVISIONS = Path("data") / "nested-divisions.json"
CORRECTIONS = Path(__file__).parent / "vietnam.tsv"
KINDS = {"tỉnh": "province", "thành phố trung ương": "city", "xã": "commune", "phường": "ward",
         "đặc khu": "special_zone"}
FULL_NAMES = {"province": "Tỉnh", "city": "Thành phố", "commune": "Xã", "ward": "Phường", "special_zone": "Đặc khu"}


class NoAreas(Exception):
    """The data package is not there, or is none that we can read; the text is one line for the operator."""


@dataclass(frozen=True, slots=True)
class Area:
    """One area.

    code    a province's 2 digits, a commune's 5; leading zeros count
    parent  code of the province; empty: it is one
    kind    province, city, commune, ward, special_zone
    name    in full, such as "Phường Hoàn Kiếm"
    """

    code: str
    parent: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Correction:
    """What is in force of one unit; empty: as the package has it. unit: empty for the province itself."""

    code: str
    kind: str


Corrections = dict[tuple[str, str], Correction]


def vietnam() -> list[Area]:
    """Return the areas of Vietnam, each province before its communes. Reads a file of 0.6 MB; raises NoAreas."""
    try:
        divisions = json.loads(find_divisions().read_text("utf-8"))
        areas = list(correct(read_divisions(divisions), read_corrections(CORRECTIONS.read_text("utf-8"))))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoAreas(f"the data of the package vietnam-provinces cannot be read: {error}") from None
    twice = [code for code, times in Counter(area.code for area in areas).items() if times > 1]
    if twice:
        raise NoAreas(f"the package vietnam-provinces and our corrections give code {twice[0]} to two units")
    return areas


def find_divisions() -> Path:
    """Return the data file without importing its package. Raises NoAreas."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise NoAreas("install the package vietnam-provinces to have the areas of Vietnam")
    return Path(spec.submodule_search_locations[0]) / DIVISIONS


def read_divisions(divisions: Iterable[dict[str, object]]) -> Iterator[Area]:
    """Yield what the package says. Raises KeyError, ValueError, TypeError on a form that it does not have."""
    for province in divisions:
        code = f"{province['code']:02d}"
        kind = KINDS[str(province["division_type"])]
        yield Area(code, "", kind, in_full(kind, clean(str(province["name"]))))
        wards = province["wards"]
        if not isinstance(wards, list):
            raise TypeError(f"wards of {code} are no list")
        for ward in wards:
            yield Area(f"{ward['code']:05d}", code, KINDS[ward["division_type"]], clean(ward["name"]))


def read_corrections(text: str) -> Corrections:
    """Read the table; its head says what the columns are. Raises ValueError."""
    lines = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return {(province, unit): Correction(code, kind) for province, unit, code, kind in lines}


def correct(areas: Iterable[Area], corrections: Corrections) -> Iterator[Area]:
    for area in areas:
        correction = corrections.get((area.parent, area.name) if area.parent else (area.code, ""))
        if correction is not None:
            area = replace(area, code=correction.code or area.code)
            if correction.kind and correction.kind != area.kind:
                bare = area.name.removeprefix(FULL_NAMES[area.kind]).strip()
                area = replace(area, kind=correction.kind, name=in_full(correction.kind, bare))
        yield area


def in_full(kind: str, name: str) -> str:
    """Return a name with what the unit is before it; of provinces the package leaves that out."""
    return name if name.startswith(FULL_NAMES[kind] + " ") else f"{FULL_NAMES[kind]} {name}"


def clean(name: str) -> str:
    """Return a name with single blanks, in the form (NFC) in which it compares."""
    return " ".join(unicodedata.normalize("NFC", name).split())
