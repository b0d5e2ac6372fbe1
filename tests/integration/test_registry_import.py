"""Imports into a real PostgreSQL: all or nothing, every bad line named, and only what differs is written."""
from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from engine.registry.areas import vietnam
from engine.registry.fields import KINDS, Finding
from engine.registry.importing import Import, Report
from engine.registry.keys import KeyStore, KeyStoreError
from engine.registry.sheets import Sheet
from engine.store.migrate import migrate

AREAS = "code,parent,kind,name\n40,,province,Nghệ An\n17257,40,ward,Vinh\n42,,province,Hà Tĩnh\n"
FACILITIES = "id,name,province,commune,kind\nA,Chợ,40,17257,market\nB,Trường,42,,school\n"
TRANSMITTERS = "transmitter,facility,supervision,key\ndc09:1,A,DP4,00112233445566778899aabbccddeeff\ndc09:2a,B,,\n"
POINTS = "transmitter,point,condition,place\ndc09:1,1/2,smoke,Kho\ndc09:2A,7,manual_call_point,\n"
ALL = (POINTS, TRANSMITTERS, FACILITIES, AREAS)


class World:
    """A migrated database and a key store."""

    def __init__(self, connection: Any, keys: KeyStore) -> None:
        self.connection, self.keys = connection, keys
        self.findings: list[str] = []

    async def take(self, *files: str, dry_run: bool = False, replace: bool = False, pause_rows: int = 2,
                   keys: bool = True, **more: Any) -> Report:
        self.findings = []
        work = Import(self.connection, self.keys if keys else None, self.note, replace=replace, pause_rows=pause_rows)
        return await work.run([Sheet(io.BytesIO(text.encode()), f"f{number}") for number, text in enumerate(files)],
                              dry_run=dry_run, **more)

    def note(self, finding: Finding) -> None:
        self.findings.append(str(finding))

    async def rows(self, kind: str) -> list[tuple[Any, ...]]:
        columns = ", ".join(column.stored for column in KINDS[kind].stored)
        rows = await self.connection.fetch(f"SELECT {columns} FROM tocsin.{KINDS[kind].table} ORDER BY 1, 2")
        return [tuple(row) for row in rows]

    async def revision(self) -> int:
        return int(await self.connection.fetchval("SELECT revision FROM tocsin.registry"))


def counts(report: Report) -> dict[str, Sequence[int]]:
    return {name: (one.rows, one.added, one.changed, one.removed) for name, one in report.kinds.items()}


@pytest.fixture
async def world(database: str, tmp_path: Path) -> AsyncIterator[World]:
    connection = await asyncpg.connect(database)
    await migrate(connection)
    keys = KeyStore(tmp_path)
    keys.load()
    yield World(connection, keys)
    await connection.close()


async def test_all_kinds_in_any_order_of_files(world: World) -> None:
    dry = await world.take(*ALL, dry_run=True)
    expected = {"areas": (3, 3, 0, 0), "facilities": (2, 2, 0, 0), "transmitters": (2, 2, 0, 0), "points": (2, 2, 0, 0)}
    assert (counts(dry), dry.done, dry.bad, world.findings) == (expected, False, 0, [])
    assert await world.rows("facilities") == []
    assert await world.revision() == len(world.keys) == 0
    report = await world.take(*ALL)
    assert (counts(report), report.done) == (expected, True)
    assert await world.rows("facilities") == [
        ("A", "Chợ", "", None, None, "market", "40", "17257", "", "rules", "[]"),
        ("B", "Trường", "", None, None, "school", "42", "", "", "rules", "[]")]
    assert [row[:3] for row in await world.rows("transmitters")] == [("dc09:1", "A", "DP4"), ("dc09:2A", "B", "")]
    assert await world.rows("points") == [("dc09:1", "1/2", "smoke", "", "Kho"),
                                          ("dc09:2A", "7", "manual_call_point", "", "")]
    assert dict(world.keys.all()) == {"dc09:1": bytes.fromhex("00112233445566778899aabbccddeeff")}
    assert await world.revision() == 1


async def test_the_same_again_changes_nothing(world: World) -> None:
    await world.take(*ALL)
    before = await world.revision()
    report = await world.take(*ALL)
    assert {name: one[1:] for name, one in counts(report).items()} == dict.fromkeys(KINDS, (0, 0, 0))
    assert await world.revision() == before


async def test_columns_that_a_file_does_not_have_stay(world: World) -> None:
    await world.take(*ALL)
    report = await world.take("id,name,latitude\nA,Chợ Vinh,18.5\nC,Kho,\n")
    assert counts(report) == {"facilities": (2, 1, 1, 0)}
    assert [row[:8] for row in await world.rows("facilities")] == [
        ("A", "Chợ Vinh", "", 18.5, None, "market", "40", "17257"), ("B", "Trường", "", None, None, "school", "42", ""),
        ("C", "Kho", "", None, None, "other", "", "")]
    objects = [{"id": "A", "name": "Chợ Vinh", "team": "vinh-1"}, {"id": "B", "name": "Trường", "address": "1 Lê Lợi"}]
    report = await world.take(orjson.dumps(objects).decode())
    assert counts(report) == {"facilities": (2, 0, 2, 0)}
    assert [(row[2], row[3], row[8]) for row in await world.rows("facilities")][:2] == [
        ("", 18.5, "vinh-1"), ("1 Lê Lợi", None, "")]
    report = await world.take("id,name,latitude\nA,Chợ Vinh,\n")
    assert (await world.rows("facilities"))[0][3] is None    # a column that is there and empty


async def test_what_is_not_named_goes_where_that_is_asked_for(world: World) -> None:
    await world.take(*ALL)
    assert counts(await world.take("transmitter\ndc09:2A\n", replace=True, dry_run=True)) == {
        "transmitters": (1, 0, 0, 1)}
    assert world.keys.has("dc09:1")
    report = await world.take("transmitter\ndc09:2A\n", replace=True)
    assert (counts(report), report.done) == ({"transmitters": (1, 0, 0, 1)}, True)
    assert [row[0] for row in await world.rows("transmitters")] == ["dc09:2A"]
    assert [row[0] for row in await world.rows("points")] == ["dc09:2A"]
    assert not world.keys.has("dc09:1")
    gone = await world.connection.fetch("SELECT kind, key FROM tocsin.registry_gone ORDER BY kind")
    assert [tuple(row) for row in gone] == [("point", "dc09:1"), ("transmitter", "dc09:1")]


async def test_what_one_row_alone_cannot_tell(world: World) -> None:
    report = await world.take(
        AREAS + "40,,province,Twice\n1,99,ward,Orphan\n2,2,ward,Own\n",
        "id,name,province,commune\nA,A,40,17257\nB,B,17257,\nC,C,42,17257\nA,A,,\nD,D,,17257\nE,E,40,42\n",
        "transmitter,facility,encrypted_only\ndc09:1,A,\ndc09:1@hue,none,\nDC09:1,,\ndc09:3,,true\n",
        "transmitter,point\ndc09:1,1\ndc09:9,1\ndc09:1,1\n")
    assert (report.bad, report.done, await world.rows("areas")) == (len(world.findings), False, [])
    assert sorted(world.findings) == sorted([
        'f0:5: code = "40": it stands there twice', 'f0:6: parent = "99": allowed is the code of an area',
        'f0:7: parent = "2": allowed is the code of another area',
        'f1:3: province = "17257": allowed is the code of a province',
        'f1:4: commune = "17257": allowed is the code of a commune of its province',
        'f1:5: id = "A": it stands there twice',
        'f1:6: commune = "17257": allowed is the code of a commune of its province',
        'f1:7: commune = "42": allowed is the code of a commune of its province',
        'f2:3: facility = "none": allowed is the id of a facility',
        'f2:4: transmitter = "DC09:1": allowed is PROTOCOL:ACCOUNT or PROTOCOL:ACCOUNT@REALM, such as dc09:1234 or '
        'gbt26875:889@nghe-an', 'f2:5: encrypted_only = "true": allowed only with a key',
        'f3:3: transmitter = "dc09:9": allowed is a transmitter of the registry',
        'f3:4: point = "1": it stands there twice'])


async def test_areas_are_asked_for_only_where_there_are_any(world: World) -> None:
    assert (await world.take("id,name,province,commune\nA,A,99,99001\n")).done
    findings = await world.take("code,kind,name\n40,province,N\n", replace=True)
    assert (findings.bad, world.findings) == (1, ["facility A: its area would go; --replace keeps what is used"])


async def test_one_bad_line_and_nothing_counts(world: World) -> None:
    report = await world.take(AREAS, FACILITIES + "C,,,,\n", TRANSMITTERS)
    assert (report.done, report.bad, world.findings) == (False, 1, [
        "f1:4: name: needed is 1 to 96 bytes of text without control characters"])
    assert not await world.rows("facilities")
    assert not len(world.keys)


async def test_no_key_reaches_database_log_or_finding(world: World, caplog: pytest.LogCaptureFixture) -> None:
    secret = "00112233445566778899aabbccddeeff"
    with caplog.at_level(logging.DEBUG):
        await world.take(*ALL)
        await world.take(f"transmitter,facility,key\ndc09:1,none,{secret}\ndc09:5,,{secret}0\ntocsin:1,,{secret}\n")
    assert len(world.findings) == 3
    assert secret not in caplog.text + "".join(world.findings)
    tables = await world.connection.fetch("SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE "
                                          "schemaname = 'tocsin'")
    for table in tables:
        rows = await world.connection.fetch(f"SELECT t::text AS row FROM {table['name']} AS t")
        assert not any(secret in row["row"] for row in rows)


async def test_keys_need_a_key_store(world: World) -> None:
    with pytest.raises(KeyStoreError, match="--data"):
        await world.take(TRANSMITTERS.replace(",A,", ",,").replace(",B,", ",,"), keys=False)
    assert not await world.rows("transmitters")
    assert (await world.take("transmitter\ndc09:1\n", keys=False)).done


async def test_what_must_be_true_when_it_counts(world: World) -> None:
    async def refuse(_: Report) -> None:
        raise RuntimeError("no")
    with pytest.raises(RuntimeError):
        await world.take(*ALL, then=refuse)
    assert not await world.rows("facilities")
    assert not len(world.keys)
    assert (await world.take(*ALL)).done                     # the connection is as it was


async def test_vietnam(world: World) -> None:
    areas = [{"code": area.code, "parent": area.parent, "kind": area.kind, "name": area.name} for area in vietnam()]
    text = orjson.dumps(areas).decode()
    assert counts(await world.take(text, pause_rows=1000)) == {"areas": (3355, 3355, 0, 0)}
    assert counts(await world.take(text, pause_rows=1000)) == {"areas": (3355, 0, 0, 0)}
