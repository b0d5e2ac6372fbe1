"""The registry over HTTP, by the real server, a real PostgreSQL and a real key store."""
from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import asyncpg
import orjson
import pytest

from engine.operate.access import Holder, Role, digest_of
from engine.operate.registry_routes import RegistryRoutes
from engine.registry.editing import Editing
from engine.registry.keys import NAME, KeyStore
from engine.store.migrate import migrate
from tests.http_world import make_world

SECRET = "00112233445566778899aabbccddeeff"
WHO = {"by": "Lê An", "why": "new building"}
TOKENS = {role: f"a-token-for-the-role-of-{role.name}" for role in Role}
FACILITY = {"name": "Chợ Vinh", "address": "1 Cao Thắng", "latitude": 18.67, "longitude": 105.68, "kind": "market",
            "province": "40", "commune": "17257", "team": "vinh-1", "verification": "human",
            "contacts": [{"name": "Lê An", "phone": "+84912345678"}]}


class World:
    """The server, who asks it, and what it journalled."""

    def __init__(self, url: str, database: str, keys: KeyStore, session: aiohttp.ClientSession) -> None:
        self.url, self.database, self.keys, self.session = url, database, keys, session
        self.journal: list[dict[str, Any]] = []
        self.journal_takes = True

    async def journal_change(self, text: str) -> bool:
        if self.journal_takes:
            self.journal.append(orjson.loads(text))
        return self.journal_takes

    async def ask(self, method: str, path: str, status: int = 200, body: object = None, data: bytes | None = None,
                  role: Role = Role.ADMIN, kind: str = "application/json") -> Any:
        headers = {"Authorization": f"Bearer {TOKENS[role]}"}
        if body is not None or data is not None:
            headers["Content-Type"] = kind
        data = orjson.dumps(body) if data is None and body is not None else data
        async with self.session.request(method, self.url + path, data=data, headers=headers) as response:
            text = await response.text()
            assert response.status == status, text
            assert SECRET not in text
            if status >= 400:
                assert response.content_type == "application/problem+json"
            return orjson.loads(text) if text else None

    async def fetch(self, statement: str) -> list[Any]:
        connection = await asyncpg.connect(self.database)
        try:
            rows: list[Any] = await connection.fetch(statement)
            return rows
        finally:
            await connection.close()


@asynccontextmanager
async def serving(database: str, directory: Path, import_bytes_max: int = 100_000) -> AsyncIterator[World]:
    keys = KeyStore(directory)
    keys.load()
    async with aiohttp.ClientSession() as session:
        world = World("", database, keys, session)
        editing = Editing(database, keys, lambda text: world.journal_change(text))
        holders = tuple(Holder(role.name, role, digest_of(token)) for role, token in TOKENS.items())
        async with make_world(holders, more=[RegistryRoutes(editing, 1000, import_bytes_max)]) as http:
            world.url = http.url
            yield world
        await editing.close()


@pytest.fixture
async def world(database: str, tmp_path: Path) -> AsyncIterator[World]:
    connection = await asyncpg.connect(database)
    await migrate(connection)
    await connection.close()
    async with serving(database, tmp_path) as world:
        yield world


async def test_a_facility_with_all_that_hangs_on_it(world: World) -> None:
    await world.ask("GET", "/v1/facilities/VN-1", 404)
    assert await world.ask("PUT", "/v1/facilities/VN-1", 201, FACILITY | WHO) is None
    await world.ask("PUT", "/v1/facilities/VN-1", 204, FACILITY | WHO | {"name": "Chợ Vinh 2"})
    await world.ask("PUT", "/v1/registry/transmitters/dc09:12ab@hue", 201, {"facility": "VN-1", "supervision": "DP4",
                                                                            "note": "Tầng 2"} | WHO)
    points = "/v1/registry/transmitters/dc09:12AB@hue/points/"
    await world.ask("PUT", points + "1/2", 201, {"condition": "smoke", "place": "Kho"} | WHO)
    await world.ask("PUT", points + quote("Tầng 3/5", safe=""), 201, {"zone": "3"} | WHO)
    found = await world.ask("GET", "/v1/facilities/VN-1", role=Role.READ)
    revision = found.pop("revision")
    assert isinstance(revision, str)
    assert found.pop("transmitters") == [{
        "transmitter": "dc09:12AB@hue", "facility": "VN-1", "supervision": "DP4", "network": "", "window_past": "",
        "window_future": "", "check_clear_stamps": False, "encrypted_only": False, "stale": "late", "note": "Tầng 2",
        "revision": str(int(revision) + 1), "has_key": False, "points": [
            {"transmitter": "dc09:12AB@hue", "point": "1/2", "condition": "smoke", "zone": "", "place": "Kho",
             "revision": str(int(revision) + 2)},
            {"transmitter": "dc09:12AB@hue", "point": "Tầng 3/5", "condition": "", "zone": "3", "place": "",
             "revision": str(int(revision) + 3)}]}]
    assert found == FACILITY | {"id": "VN-1", "name": "Chợ Vinh 2"}
    await world.ask("PUT", "/v1/facilities/VN-1", 204, {"name": "Chợ"} | WHO)     # replaced, not patched
    assert (await world.ask("GET", "/v1/facilities/VN-1"))["kind"] == "other"
    assert (await world.ask("GET", points.rstrip("/")))["points"][0]["point"] == "1/2"
    await world.ask("DELETE", points + "1/2", 204, WHO)
    await world.ask("DELETE", points + "1/2", 404, WHO)
    await world.ask("DELETE", "/v1/facilities/VN-1", 204, WHO)
    found = await world.ask("GET", "/v1/registry/transmitters/dc09:12AB@hue")
    assert (found["facility"], [point["point"] for point in found["points"]]) == (None, ["Tầng 3/5"])


async def test_a_key_is_set_and_never_shown(world: World, tmp_path: Path) -> None:
    key = "/v1/registry/transmitters/dc09:1/key"
    await world.ask("PUT", key, 404, {"key": SECRET} | WHO)
    await world.ask("PUT", "/v1/registry/transmitters/dc09:1", 201, WHO)
    for role in (Role.READ, Role.OPERATE):
        await world.ask("PUT", key, 403, {"key": SECRET} | WHO, role=role)
        await world.ask("DELETE", key, 403, WHO, role=role)
    await world.ask("PUT", key, 204, {"key": SECRET} | WHO)
    assert world.keys.all() == {"dc09:1": bytes.fromhex(SECRET)}
    assert (await world.ask("GET", "/v1/registry/transmitters/dc09:1"))["has_key"] is True
    assert (await world.ask("GET", "/v1/registry/transmitters"))["transmitters"][0]["has_key"] is True
    await world.ask("GET", key, 405)
    for wrong in (SECRET + "0", "", None, [SECRET], 5):
        await world.ask("PUT", key, 422, {"key": wrong} | WHO)
    await world.ask("PUT", "/v1/registry/transmitters/dc09:1", 422, {"key": SECRET} | WHO)
    await world.ask("PUT", "/v1/registry/transmitters/dc09:1", 204, {"encrypted_only": True} | WHO)
    assert "needs one" in (await world.ask("DELETE", key, 422, WHO))["detail"]
    await world.ask("PUT", "/v1/registry/transmitters/dc09:1", 204, WHO)
    await world.ask("DELETE", key, 204, WHO)
    assert not world.keys.has("dc09:1")
    assert "only with a key" in (await world.ask("PUT", "/v1/registry/transmitters/dc09:1", 422,
                                                 {"encrypted_only": True} | WHO))["detail"]
    await world.ask("PUT", key, 204, {"key": SECRET} | WHO)
    await world.ask("DELETE", "/v1/registry/transmitters/dc09:1", 204, WHO)
    assert not world.keys.has("dc09:1")
    assert SECRET not in str(await world.fetch("SELECT a::text FROM tocsin.registry_audit AS a")) + str(world.journal)
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    await world.ask("PUT", "/v1/registry/transmitters/tocsin:7", 201, WHO)
    assert "32 bytes" in (await world.ask("PUT", "/v1/registry/transmitters/tocsin:7/key", 422,
                                          {"key": SECRET} | WHO))["detail"]


async def test_every_change_says_who_and_why(world: World) -> None:
    path = "/v1/facilities/VN-1"
    for missing in ({}, {"by": "An"}, {"by": "An", "why": " "}, {"by": 5, "why": "x"}, {"by": "An", "why": "x" * 201},
                    {"by": "An\n", "why": "x"}):
        await world.ask("PUT", path, 422, {"name": "A"} | missing)
        await world.ask("DELETE", path, 422, missing)
    await world.ask("PUT", path, 201, {"name": "A"} | WHO, role=Role.OPERATE)
    await world.ask("PUT", path, 204, {"name": "A"} | WHO)               # nothing changed, nothing noted
    await world.ask("PUT", path, 204, {"name": "B", "team": "t"} | WHO)
    await world.ask("DELETE", path, 204, WHO)
    told = [{"change": "registry", "action": action, "kind": "facility", "key": "VN-1", "point": "", **WHO,
             "token": token} for action, token in (("put", "OPERATE"), ("put", "ADMIN"), ("delete", "ADMIN"))]
    assert world.journal == told
    listed = await world.ask("GET", "/v1/registry/changes?limit=2", role=Role.READ)
    assert [(one["action"], one["by"], one["token"]) for one in listed["changes"]] == [
        ("delete", "Lê An", "ADMIN"), ("put", "Lê An", "ADMIN")]
    assert listed["changes"][1]["detail"]["before"]["name"] == "A"
    rest = await world.ask("GET", f"/v1/registry/changes?limit=2&cursor={listed['next']}")
    assert [one["detail"] for one in rest["changes"]] == [{"before": None}]


async def test_roles_and_forms(world: World) -> None:
    await world.ask("PUT", "/v1/facilities/A", 403, {"name": "A"} | WHO, role=Role.READ)
    await world.ask("POST", "/v1/registry/import", 403, data=b"", role=Role.READ, kind="text/csv")
    await world.ask("PUT", "/v1/facilities/A", 415, data=b"name=A", kind="application/x-www-form-urlencoded")
    await world.ask("POST", "/v1/registry/import?by=a&why=b", 415, data=b"id,name\n", kind="text/plain")
    for data in (b"", b"[]", b"{", b"[" * 5000, b"\xff"):
        await world.ask("PUT", "/v1/facilities/A", 400, data=data, kind="application/json")
    for wrong in ({}, {"name": ""}, {"name": "A", "latitude": 91}, {"name": "A", "kind": "castle"}, {"name": {}},
                  {"name": "A", "colour": "red"}, {"name": "A", "id": "B"}, {"name": "A\u0000"}, {"name": "x" * 97},
                  {"name": "A", "contacts": "x"}, {"name": "A", "contacts": [{"name": 1}]}):
        await world.ask("PUT", "/v1/facilities/A", 422, wrong | WHO)
    assert await world.ask("PUT", "/v1/facilities/A", 413, {"name": "A" * 70_000} | WHO)
    await world.ask("PUT", "/v1/facilities/a%20b", 422, {"name": "A"} | WHO)
    await world.ask("PUT", "/v1/registry/transmitters/ftp:1", 400, WHO)
    await world.ask("PUT", "/v1/registry/transmitters/dc09:1", 422, {"facility": "none"} | WHO)
    await world.ask("PUT", "/v1/registry/transmitters/dc09:1", 422, {"supervision": "DP9"} | WHO)
    await world.ask("PUT", "/v1/registry/transmitters/dc09:1/points/1", 422, WHO)
    for query in ("limit=0", "cursor=%ff", "kind=castle", "area=%00", "q=%00", "area=" + "x" * 300):
        await world.ask("GET", f"/v1/facilities?{query}", 400)
    assert await world.fetch("SELECT 1 FROM tocsin.registry_audit") == []


async def test_lists(world: World) -> None:
    lines = ["id,name,address,kind,province,commune,team"]
    lines += [f"F{number:03},Nhà {number},{number} Lê Lợi,{'hotel' if number % 2 else 'other'},"
              f"{40 + number % 2},{17257 + number % 3},team-{number % 5}" for number in range(60)]
    await world.ask("POST", "/v1/registry/import?kind=facilities&by=An&why=start", data="\n".join(lines).encode(),
                    kind="text/csv")

    async def ids(query: str) -> list[int]:
        found = await world.ask("GET", f"/v1/facilities?limit=1000&{query}")
        return [int(one["id"][1:]) for one in found["facilities"]]
    every = range(60)
    assert await ids("") == list(every)
    assert await ids("area=40") == [one for one in every if one % 2 == 0]
    assert await ids("area=17258") == [one for one in every if one % 3 == 1]
    assert await ids("area=team-3") == [one for one in every if one % 5 == 3]
    assert await ids("area=40/17258") == [one for one in every if one % 2 == 0 and one % 3 == 1]
    assert await ids("area=40/17258/team-4") == [4, 34]
    assert await ids("area=17258/40") == await ids("area=40/team-4") == []
    assert await ids("kind=hotel&area=40") == []
    assert await ids("q=nhà%205") == [5, *range(50, 60)]
    assert await ids("q=" + quote("%")) == await ids("q=_") == await ids("q=%5C") == []
    assert await ids("q=" + quote("59 lê")) == [59]
    pages, cursor = [], ""
    while cursor is not None:
        page = await world.ask("GET", f"/v1/facilities?limit=25&cursor={cursor}")
        pages.append(len(page["facilities"]))
        cursor = page["next"]
    assert pages == [25, 25, 10]


async def test_areas(world: World) -> None:
    rows = [{"code": "40", "kind": "province", "name": "Nghệ An"},
            {"code": "42", "kind": "province", "name": "Hà Tĩnh"},
            {"code": "17257", "parent": "40", "kind": "ward", "name": "Vinh"}]
    await world.ask("POST", "/v1/registry/import?by=An&why=start", body=rows)
    assert [one["code"] for one in (await world.ask("GET", "/v1/areas"))["areas"]] == ["40", "42"]
    found = (await world.ask("GET", "/v1/areas?parent=40"))["areas"]
    assert [(one["code"], one["parent"], one["kind"], one["name"]) for one in found] == [
        ("17257", "40", "ward", "Vinh")]
    await world.ask("PUT", "/v1/facilities/A", 422, {"name": "A", "province": "99"} | WHO)
    await world.ask("PUT", "/v1/facilities/A", 201, {"name": "A", "province": "40", "commune": "17257"} | WHO)


async def test_an_import(world: World) -> None:
    good = f"transmitter,supervision,key\ndc09:1,DP4,{SECRET}\ndc09:2,,\n".encode()
    path = "/v1/registry/import?kind=transmitters"
    dry = await world.ask("POST", path + "&dry_run=true", data=good, kind="text/csv", role=Role.OPERATE)
    assert dry == {"done": False, "bad": 0, "findings": [], "kinds": {
        "transmitters": {"rows": 2, "added": 2, "changed": 0, "removed": 0, "keys": 1}}}
    await world.ask("POST", path, 422, data=good, kind="text/csv")       # by and why are missing
    assert not len(world.keys)
    who = "&by=An&why=t%E1%BA%A5t%20c%E1%BA%A3"
    assert (await world.ask("POST", path + who, data=good, kind="text/csv"))["done"] is True
    assert world.keys.has("dc09:1")
    bad = f"transmitter,supervision\ndc09:3,DP9\n{SECRET},\ndc09:4,\n".encode()
    for query, status in ((path + "&dry_run=true", 200), (path + who, 422)):
        told = await world.ask("POST", query, status, data=bad, kind="text/csv")
        assert (told["bad"], told["done"]) == (2, False)
        assert [(one["line"], one["column"], one["value"]) for one in told["findings"]] == [
            (2, "supervision", '"DP9"'), (3, "transmitter", "(not shown)")]
    replaced = await world.ask("POST", path + who + "&replace=true", data=b"transmitter\ndc09:2\n", kind="text/csv")
    assert replaced["kinds"]["transmitters"] == {"rows": 1, "added": 0, "changed": 0, "removed": 1, "keys": 0}
    assert not len(world.keys)
    audit = await world.fetch("SELECT action, kind, key, why FROM tocsin.registry_audit")
    assert [tuple(row) for row in audit] == [("import", "transmitter", "", "tất cả")] * 2
    await world.ask("POST", path + who, 413, data=b"transmitter\n" + b"dc09:1\n" * 20_000, kind="text/csv")
    many = b"transmitter\n" + b"x\n" * 2000
    told = await world.ask("POST", path + "&dry_run=true", data=many, kind="text/csv")
    assert (told["bad"], len(told["findings"])) == (2000, 1000)
    await world.ask("POST", "/v1/registry/import?kind=tables&dry_run=true", 400, data=b"", kind="text/csv")
    await world.ask("POST", "/v1/registry/import?dry_run=yes", 400, data=b"", kind="text/csv")


async def test_without_admin_no_file_brings_keys(world: World) -> None:
    data = f"transmitter,key\ndc09:1,{SECRET}\n".encode()
    await world.ask("POST", "/v1/registry/import?by=An&why=x", 403, data=data, kind="text/csv", role=Role.OPERATE)
    assert not len(world.keys)
    assert await world.fetch("SELECT 1 FROM tocsin.transmitter") == []


async def test_what_is_away(world: World, database: str, tmp_path: Path) -> None:
    world.journal_takes = False
    assert "journal" in (await world.ask("PUT", "/v1/facilities/A", 503, {"name": "A"} | WHO))["detail"]
    world.journal_takes = True
    await world.ask("GET", "/v1/facilities/A", 404)
    assert await world.fetch("SELECT 1 FROM tocsin.registry_audit") == []
    await world.ask("PUT", "/v1/registry/transmitters/dc09:1", 201, WHO)
    (tmp_path / NAME).touch(0o644)
    (tmp_path / NAME).chmod(0o644)
    await world.ask("PUT", "/v1/registry/transmitters/dc09:1/key", 503, {"key": SECRET} | WHO)
    async with serving("postgresql://tocsin@127.0.0.1:9/none", tmp_path / "other") as lonely:
        for method, path, body in (("GET", "/v1/facilities", None), ("GET", "/v1/areas", None),
                                   ("PUT", "/v1/facilities/A", {"name": "A"} | WHO),
                                   ("DELETE", "/v1/facilities/A", WHO)):
            assert "database" in (await lonely.ask(method, path, 503, body))["detail"]


async def test_the_documentation_works(world: World, tmp_path: Path) -> None:
    """Its files import as they stand, and its calls of curl succeed in their order."""
    text = (Path(__file__).parents[2] / "docs" / "registry.md").read_text()
    files = dict(re.findall(r"```csv (\w+\.csv)\n(.*?)```", text, re.DOTALL))
    assert sorted(files) == ["areas.csv", "facilities.csv", "points.csv", "transmitters.csv"]
    for name in ("areas.csv", "facilities.csv", "transmitters.csv", "points.csv"):
        (tmp_path / name).write_text(files[name])
        told = await world.ask("POST", "/v1/registry/import?by=An&why=x", data=files[name].encode(), kind="text/csv")
        assert sum(counts["added"] for counts in told["kinds"].values()) == files[name].count("\n") - 1
    script = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).replace("http://127.0.0.1:8914", world.url)
    (tmp_path / ".curlrc").write_text(
        f'fail-with-body\nsilent\nshow-error\nheader = "Authorization: Bearer {TOKENS[Role.ADMIN]}"\n')
    if shutil.which("curl") is None:
        pytest.skip("no curl here: the calls in docs/registry.md are not tried")
    process = await asyncio.create_subprocess_exec(
        "sh", "-ec", script, cwd=tmp_path, env={"PATH": os.environ["PATH"], "CURL_HOME": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    assert '"has_key":true' in said
    assert "Trường Lê Lợi" in said
