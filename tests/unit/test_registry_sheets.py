"""Files of the registry: every bad line is named, nothing is held without bound, and no key is shown."""
from __future__ import annotations

import csv
import io
import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.registry.fields import (
    AREAS,
    FACILITIES,
    KINDS,
    POINTS,
    TRANSMITTERS,
    BadField,
    Finding,
    Kind,
    Reader,
    Record,
    kind_of,
    text_of,
)
from engine.registry.sheets import LINE_BYTES_MAX, OBJECT_CHARACTERS_MAX, Sheet

SECRET = "00112233445566778899aabbccddeeff"


def read(data: bytes | str, kind: Kind | None = None) -> tuple[Kind | None, list[tuple[int, Record]], list[str]]:
    """Return kind, good rows and findings as texts."""
    sheet = Sheet(io.BytesIO(data if isinstance(data, bytes) else data.encode()), "f", kind)
    items = list(sheet.items())
    return (sheet.kind, [item for item in items if not isinstance(item, Finding)],
            [str(item) for item in items if isinstance(item, Finding)])


@pytest.mark.parametrize("data", [
    "code,parent,kind,name\n40,,province,Nghệ An\n17257,40,ward,Vinh\n",
    "\ufeffcode;parent;kind;name\r\n40;;province;Nghệ An\r\n17257;40;ward;Vinh\r\n",
    "Code\tPARENT\tkind\tname\n\n40\t\tprovince\tNghệ An\n17257\t40\tward\tVinh",
    '"code","parent","kind","name"\n"40","","province","Nghệ An"\n"17257","40","ward","Vinh"\n',
    '[{"code": "40", "kind": "province", "parent": null, "name": "Nghệ An"},\n'
    '{"code": "17257", "parent": "40", "kind": "ward", "name": "Vinh"}]',
    '\ufeff {"code": "40", "kind": "province", "parent": "", "name": "Nghệ An"}\n\n'
    '{"code": 17257, "parent": 40, "kind": "ward", "name": "Vinh"}',
])
def test_the_same_rows_in_each_form(data: str) -> None:
    kind, rows, findings = read(data)
    assert (kind, findings) == (AREAS, [])
    assert [record.values for _, record in rows] == [("40", None, "province", "Nghệ An"),
                                                     ("17257", "40", "ward", "Vinh")]
    assert {record.given for _, record in rows} == {0b1111}


def test_each_kind_is_told_by_its_columns() -> None:
    for kind in KINDS.values():
        assert kind_of(column.name for column in kind.columns) is kind
        assert kind_of(column.name for column in kind.columns if column.needed) is kind
    assert kind_of(["name"]) is kind_of(["point", "zone"]) is kind_of([]) is None
    assert read("name,zone\na,b\n")[2] == [
        "f:1: the columns are those of no kind of rows, or of several; tell which kind is meant"]


def test_all_columns_of_a_row() -> None:
    _, rows, findings = read(orjson.dumps({
        "id": "VN-1", "name": "Chợ Vinh", "address": "1 Cao Thắng", "latitude": 18.67, "longitude": "105.68",
        "kind": "market", "province": "40", "commune": "17257", "team": "vinh-1", "verification": "human",
        "contacts": [{"name": "Lê An", "phone": "+84912345678"}]}))
    assert findings == []
    assert rows[0][1].values == ("VN-1", "Chợ Vinh", "1 Cao Thắng", 18.67, 105.68, "market", "40", "17257", "vinh-1",
                                 "human", '[{"name":"Lê An","phone":"+84912345678"}]')
    _, rows, findings = read("transmitter,encrypted_only,key\ndc09:12ab,TRUE," + SECRET)
    assert (rows[0][1].values, rows[0][1].key, findings) == (
        ("dc09:12AB", None, "", "", "", "", False, True, "late", ""), bytes.fromhex(SECRET), [])
    assert rows[0][1].given == 1 << 0 | 1 << 7


def test_every_bad_line_is_named() -> None:
    _, rows, findings = read("id,name,latitude,kind\n,A,,\na b,A,,\nb,,,\nc,C,91,\nd,D,nan,\ne,E,1,castle\n\nf,F,1\n"
                             "g,G,,\n" + "x" * 37 + ",A,,\nh,H,\"1\" ,\n")
    assert [record.values[0] for _, record in rows] == ["g"]
    assert [finding.split(" ")[0] for finding in findings] == [f"f:{line}:" for line in (2, 3, 4, 5, 6, 7, 9, 11, 12)]
    assert findings[1] == 'f:3: id = "a b": allowed is 1 to 36 of 0-9 A-Z a-z _ . : -'
    assert findings[3] == 'f:5: latitude = "91": allowed is degrees from -90 to 90, such as 18.6734'
    assert "one of other, residential" in findings[5]
    assert findings[6] == "f:9: 3 cells; needed are 4, as in the first line"


@pytest.mark.parametrize(("head", "said"), [
    ("id,nam", 'column = "nam": did you mean name?'), ("id,name,colour", 'column = "colour": allowed are id, name'),
    ("id,name,id", "stands twice"), ("id,kind,latitude", "the column is needed"), ("", "empty"), ("\n\n", "no kind"),
    (",".join("abcdefgh" * 20), "more than 64 columns"), ("name," + "x" * LINE_BYTES_MAX, "longer than"),
])
def test_a_head_that_cannot_be(head: str, said: str) -> None:
    _, rows, findings = read(head + "\na,b\n" * bool(head.strip()), FACILITIES if "," in head else None)
    assert not rows
    assert findings
    assert any(said in finding for finding in findings)
    assert len(findings) < 5


@pytest.mark.parametrize("data", [
    "transmitter,supervision,key\ndc09:1,%s,\n", "transmitter,key\ndc09:1,%s0\n", "transmitter,key\ntocsin:1,%s\n",
    "transmitter,facility,key\n%s,,\n", "transmitter,key,note\ndc09:1,%s\n", 'transmitter,key\ndc09:1,"%s"x\n',
    '{"transmitter": "dc09:1", "key": ["%s"]}', '{"transmitter": "dc09:1", "key": "%s"', '{"transmitter": "%s"}',
    '{"transmitter": "dc09:1", "keys": "%s"}', '[{"transmitter": "dc09:1", "key": "%s0"}]',
    '{"transmitter": "tocsin:9", "key": "%s"}', '"%s"'])
def test_no_finding_shows_a_key(data: str) -> None:
    _, rows, findings = read(data.replace("%s", SECRET), TRANSMITTERS)
    assert not rows
    assert findings
    assert SECRET not in "".join(findings)
    with pytest.raises(BadField) as caught:
        Reader(TRANSMITTERS).read({"transmitter": "dc09:1", "key": SECRET + "0"})
    assert SECRET not in str(caught.value) + caught.value.value


def test_hostile_csv() -> None:
    head = "id,name,address\n"
    assert read(head + 'a,"A\n' + "x\n" * 200_000)[2][0].startswith("f:2: no CSV: field larger")
    assert read(head + f"a,A,{'x' * 1_000_000}\nb,B,\n")[2] == ["f:2: no CSV: field larger than field limit (131072)"]
    assert len(read(head + f"a,A,{'x' * 1_000_000}\nb,B,\n")[1]) == 1
    assert read(head + f"a,A,{'x' * 3_000_000}\nb,B,\n")[2] == [f"f:2: longer than {LINE_BYTES_MAX} bytes"]
    assert read(head + "a,A\0,x\nb,B,\n")[2] == ["f:2: a NUL in it; allowed is UTF-8"]
    assert read(head.encode() + "a,Nhà,\nb,B,\n".encode("latin-1"))[2] == ["f:2: byte 5 is no UTF-8; allowed is UTF-8"]
    assert read((head + "a,A,\n").encode("utf-16"))[2][0].startswith("f:1: ")
    assert read(head + 'a,"x"y,\nb,B,\n')[2] == ["f:2: no CSV: ',' expected after '\"'"]
    assert read(head + 'a,"x')[2] == ["f:2: no CSV: unexpected end of data"]
    assert read(head + 'a,"two\nlines",\nb,B,\n')[2][0].startswith("f:2: name = ")
    assert read(head + "a,A,\rb,B,\n")[2][0].startswith("f:2: ")
    assert len(read(head + "," * 900_000 + "\nb,B,\n")[1]) == 1


def test_hostile_json() -> None:
    for deep in ("[" * 100_000, '{"id": "a", "name": ' + "[" * 5000 + "]" * 5000 + "}"):
        assert read(deep)[2] == ["f:1: no JSON: nested too deeply; nothing behind it was read"]
    assert read('{"id": "' + "x" * (OBJECT_CHARACTERS_MAX + 10) + '"')[2][0].startswith("f:1: no JSON: ")
    assert "longer" in read('{"id": "' + "x" * (OBJECT_CHARACTERS_MAX + 10) + '"}')[2][0]
    assert len(read('{"id": 1' + "0" * 5000 + "}")[2]) == 1
    assert len(read('{"id": "a", "name": "\\ud800"}')[2]) == 1
    assert len(read('{"id": "a", "name": "b\\u0000"}')[2]) == 1
    assert len(read('{"id": "a", "name": true, "latitude": Infinity}')[2]) == 1
    assert read('[{"id": "a", "name": "A"} {"id": "b", "name": "B"}]')[2] == [
        "f:1: no JSON: needed is a comma or ]; nothing behind it was read"]
    kind, rows, findings = read(b'{"id": "a", "name": "A"}\n{"id": "\xff"}')
    assert (kind, rows, findings) == (None, [], ["f:1: not UTF-8; allowed is UTF-8; nothing behind it was read"])
    assert read('{"id": "a", "name": "A"}\n[1]\n{"id": "b", "name": "B"}')[2] == ["f:2: needed is an object"]
    assert read("[]") == (None, [], [])
    assert read('[{"id": "a", "name": "A"}')[2] == ["f:1: no JSON: needed is a comma or ]; nothing behind it was read"]
    assert read('[{"id": "a", "name": "A"},')[2] == ["f:1: no JSON: the array does not end"]


CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([b"", b"id,name,kind\n", b"transmitter,key\n", b"[", b'{"id":']))
def test_any_bytes_are_rows_or_findings(data: bytes, before: bytes) -> None:
    read(before + data)
    read(before + data, POINTS)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.fixed_dictionaries({"id": CELL, "name": CELL, "address": CELL}), min_size=1, max_size=5))
def test_csv_and_json_say_the_same(rows: list[dict[str, str]]) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, ["id", "name", "address"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    if any(set("\0\r\n") & set("".join(row.values())) for row in rows):
        return                           # a line end in a cell is refused in both, and moves the CSV's numbers
    from_csv = read(out.getvalue(), FACILITIES)
    from_json = read("\n".join(json.dumps(row) for row in rows), FACILITIES)
    assert [record for _, record in from_csv[1]] == [record for _, record in from_json[1]]
    assert len(from_csv[2]) == len(from_json[2])


@pytest.mark.parametrize(("value", "text"), [("a", "a"), (None, ""), (True, "true"), (False, "false"), (7, "7"),
                                             (1.5, "1.5"), ([], "[]"), ({"a": "é"}, '{"a":"é"}')])
def test_values_of_json(value: object, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(("cell", "fits"), [
    ("DP4", True), ("SP6", True), ("NFPA-dual", True), ("90s", True), ("", True), ("4s", False), ("50d", False),
    ("DP9", False), ("dp4", False), ("90", False)])
def test_supervision_as_people_write_it(cell: str, fits: bool) -> None:
    row = {"transmitter": "dc09:1", "supervision": cell}
    if fits:
        assert Reader(TRANSMITTERS).read(row).values[2] == cell
    else:
        with pytest.raises(BadField, match="NFPA-dual"):
            Reader(TRANSMITTERS).read(row)


@pytest.mark.parametrize("cell", ["{}", "[1]", "[[]]", "[{}]", '[{"name": 1}]', '[{"mail": "a"}]', "[", "null",
                                  '[{"name": "a\\nb"}]', json.dumps([{"name": "a"}] * 21), "[" * 20_000])
def test_contacts_that_cannot_be(cell: str) -> None:
    with pytest.raises(BadField, match="allowed is a JSON array"):
        Reader(FACILITIES).read({"id": "a", "name": "A", "contacts": cell})
