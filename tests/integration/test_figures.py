"""Figures of one small day, worked out by hand, from the tables to the HTTP API."""
from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import aiohttp
import asyncpg
import pytest

from engine.figures_view import FiguresView
from engine.operate.figures_routes import FiguresRoutes
from engine.operate.routes import LIST_ROWS_MAX
from engine.store.figures import Figures
from engine.store.migrate import migrate
from engine.store.settings import StoreSettings
from tests.http_world import World, make_world

DAY = datetime(2026, 1, 1, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)
HOSTILE = '=HYPERLINK("http://x", "a")\r\nb, "c"'
ASKED = "from=2026-01-01&to=2026-01-02"


def hour(hours: float) -> datetime:
    return DAY + timedelta(hours=hours)


PATHS = [   # key, supervision, enrolled
    ("dc09:0001/a", 90_000, hour(-999)), ("dc09:0001/b", 90_000, hour(12)), ("dc09:0002/x", None, hour(-999)),
    ("dc09:0002/expected", None, hour(0)), ("dc09:0003/a", 90_000, hour(-999)), ("dc09:0009/late", 90_000, hour(24)),
    ("dc09:0009/b", 90_000, NEXT - timedelta(seconds=10))]
FAULTS = [  # path, raised, cleared, begin known
    ("dc09:0001/a", hour(-20), hour(-10), True), ("dc09:0001/a", hour(-1), hour(1), True),
    ("dc09:0001/a", hour(12), hour(12.5), True), ("dc09:0001/a", hour(25), hour(26), True),
    ("dc09:0001/b", hour(18), None, True),
    ("dc09:0002/expected", hour(0) + timedelta(seconds=90), hour(6), True),
    ("dc09:0003/a", hour(-5), hour(0), True), ("dc09:0003/a", hour(0), hour(0) + timedelta(seconds=10), True),
    ("dc09:0003/a", hour(10), hour(10), False), ("dc09:0003/a", hour(24), None, True)]
ALARMS = [  # opened, facility, area, verification, answered, accepted after
    (hour(0), "school", "40/17257/vinh-1", "confirmed", "true", 10),
    (hour(1), "school", "40/17257/vinh-1", "false", "false", 30),
    (hour(2), "school", "40/17257/vinh-1", "unconfirmed", None, None),
    (hour(3), "school", "40/17257/vinh-1", "test", None, 5),
    (hour(4), "school", "40/17257/vinh-1", "late", None, 120),
    (hour(24), "school", "40/17257/vinh-1", "false", "false", 1),
    (hour(0) - timedelta(microseconds=1), "school", "40/17257/vinh-1", "false", None, 3600),
    (hour(5), None, None, "confirmed", None, None),
    (hour(6), "gone", "40/17257/vinh-1", "confirmed", None, 59)]


@asynccontextmanager
async def world_of(view: FiguresView) -> AsyncIterator[World]:
    """Serve figures; their connections end with the block."""
    async with make_world(more=(FiguresRoutes(view, LIST_ROWS_MAX),)) as world:
        yield world
    await view.close()


@pytest.fixture
async def day(database: str) -> AsyncIterator[str]:
    connection = await asyncpg.connect(database)
    await migrate(connection)
    await connection.executemany(
        "INSERT INTO tocsin.area (code, parent, kind, name) VALUES ($1, $2, $3, $4)",
        [("40", None, "province", "Nghệ An"), ("17257", "40", "commune", "Thành Vinh"),
         ("79", None, "province", "Hồ Chí Minh")])
    await connection.executemany(
        "INSERT INTO tocsin.facility (id, name, kind, province, commune, team) VALUES ($1, $2, $3, $4, $5, $6)",
        [("school", "A school", "school", "40", "17257", "vinh-1"), ("mill", HOSTILE, "other", "40", "17257", ""),
         ("none-yet", "+84 nothing", "other", "79", "", "")])
    await connection.executemany("INSERT INTO tocsin.transmitter (key, facility) VALUES ($1, $2)",
                                 [("dc09:0001", "school"), ("dc09:0002", "mill"), ("dc09:0003", None)])
    await connection.executemany(
        "INSERT INTO tocsin.path (key, number, transmitter, supervision_ms, enrolled_at, last_seen_at) "
        "VALUES ($1, 0, split_part($1::text, '/', 1), $2, $3, CASE WHEN $1 LIKE '%/a' THEN now() END)", PATHS)
    await connection.executemany(
        "INSERT INTO tocsin.line_fault_row (path, transmitter, raised_at, cleared_at, raised_id, cleared_id) "
        "VALUES ($1, split_part($1::text, '/', 1), $2, $3, CASE WHEN $4 THEN 1 END, "
        "CASE WHEN $3::timestamptz IS NOT NULL THEN 2 END)",
        FAULTS)
    await connection.executemany(
        "INSERT INTO tocsin.alarm (id, state, priority, count, revision, updated_at, signal_id, event_number, "
        "opened_at, facility, area, verification, answered, accepted_at) "
        "VALUES ($1, 'raised', 1, 1, 1, now(), $1, $1, $2::timestamptz, $3, $4, $5, $6, "
        "$2::timestamptz + $7 * interval '1 s')",
        [(number, *alarm) for number, alarm in enumerate(ALARMS)])
    await connection.close()
    yield database


@pytest.fixture
async def figures(day: str) -> AsyncIterator[Figures]:
    figures = Figures(day)
    yield figures
    await figures.close()


def part(row: dict[str, Any], names: str) -> tuple[object, ...]:
    return tuple(round(row[name], 6) if isinstance(row[name], float) else row[name] for name in names.split())


LINES = "paths paths_supervised supervised_s fault_s availability availability_lowest line_faults " \
    "line_faults_carried line_faults_open line_faults_without_begin line_fault_longest_s"
VERDICTS = "alarms unconfirmed confirmed false test late answered_true answered_false unanswered false_ratio"
ACCEPTANCE = "accepted not_accepted accept_p50_s accept_p95_s accept_max_s accepted_within_30_s accepted_within_60_s"
NOTHING = (0, 0, 0, 0, 0, 0, 0, 0, 0, None)


async def test_paths(figures: Figures) -> None:
    names = "path supervised_s fault_s availability line_faults line_faults_carried line_faults_open " \
        "line_faults_without_begin line_fault_longest_s"
    rows = [part(row, names) for facility in ("school", "mill", "")
            for row in await figures.paths(DAY, NEXT, facility, None, 100)]
    assert rows == [
        ("dc09:0001/a", 86400, 5400, 0.9375, 1, 1, 0, 0, 3600),
        ("dc09:0001/b", 43200, 21600, 0.5, 1, 0, 1, 0, 21600),
        ("dc09:0002/expected", 21600, 21510, round(90 / 21600, 6), 1, 0, 0, 0, 21510),   # until it was heard
        ("dc09:0002/x", None, 0, None, 0, 0, 0, 0, None),
        ("dc09:0003/a", 86400, 10, round(1 - 10 / 86400, 6), 2, 0, 0, 1, 10),
        ("dc09:0009/b", 10, 0, 1, 0, 0, 0, 0, None)]
    assert [row["path"] for row in await figures.paths(DAY, NEXT, "school", "dc09:0001/a", 1)] == ["dc09:0001/b"]


async def test_facilities(figures: Figures) -> None:
    rows = {row["facility"]: row for row in await figures.facilities(DAY, NEXT, None, None, 100)}
    assert list(rows) == ["", "mill", "none-yet", "school"]
    school, mill, empty, none = rows["school"], rows["mill"], rows["none-yet"], rows[""]
    assert part(school, "name kind area transmitters transmitters_heard") == (
        "A school", "school", "40/17257/vinh-1", 1, 1)
    assert part(school, LINES) == (2, 2, 129600, 27000, round(1 - 27000 / 129600, 6), 0.5, 2, 1, 1, 0, 21600)
    assert part(school, VERDICTS) == (5, 1, 1, 1, 1, 1, 1, 1, 2, 0.5)
    assert part(school, ACCEPTANCE) == (3, 1, 30, 120, 120, 0.5, 0.5)
    assert part(mill, LINES) == (2, 1, 21600, 21510, *[round(90 / 21600, 6)] * 2, 1, 0, 0, 0, 21510)
    assert (mill["transmitters"], mill["transmitters_heard"]) == (1, 0)
    assert part(mill, VERDICTS) == NOTHING
    assert part(empty, "transmitters " + LINES) == (0, 0, 0, None, 0, None, None, 0, 0, 0, 0, None)
    assert part(empty, ACCEPTANCE) == (0, 0, None, None, None, None, None)
    assert part(none, "name area transmitters " + LINES) == (
        None, "", 1, 2, 2, 86410, 10, *[round(1 - 10 / 86410, 6), round(1 - 10 / 86400, 6)], 2, 0, 0, 1, 10)
    assert part(none, VERDICTS) == (1, 0, 1, 0, 0, 0, 0, 0, 1, 0)
    assert part(none, ACCEPTANCE) == (0, 1, None, None, None, 0, 0)


async def test_facilities_in_pieces_and_of_an_area(figures: Figures) -> None:
    async def asked(area: str | None, after: str | None, limit: int) -> list[str]:
        return [row["facility"] for row in await figures.facilities(DAY, NEXT, area, after, limit)]
    assert await asked(None, None, 1) == [""]
    assert await asked(None, "", 2) == ["mill", "none-yet"]
    assert await asked(None, "none-yet", 2) == ["school"]
    assert await asked(None, "school", 2) == []
    for area, found in (("40", ["mill", "school"]), ("17257", ["mill", "school"]), ("40/17257", ["mill", "school"]),
                        ("40/17257/vinh-1", ["school"]), ("vinh-1", ["school"]), ("4", []), ("40/1", []),
                        ("79", ["none-yet"]), ("'; DROP", [])):
        assert await asked(area, None, 10) == found, area


async def test_areas(figures: Figures) -> None:
    provinces = {row["area"]: row for row in await figures.areas("province", DAY, NEXT, None, 100)}
    assert {area: row["name"] for area, row in provinces.items()} == {"": None, "40": "Nghệ An", "79": "Hồ Chí Minh"}
    assert part(provinces["40"], "facilities transmitters transmitters_heard " + LINES) == (
        2, 2, 1, 4, 3, 151200, 48510, round(1 - 48510 / 151200, 6), round(90 / 21600, 6), 3, 1, 1, 0, 21600)
    assert part(provinces["40"], VERDICTS) == (6, 1, 2, 1, 1, 1, 1, 1, 3, round(1 / 3, 6))
    assert part(provinces["40"], ACCEPTANCE) == (4, 1, 30, 120, 120, 0.4, 0.6)
    assert part(provinces["79"], "facilities alarms paths") == (1, 0, 0)
    assert part(provinces[""], "facilities transmitters alarms paths") == (0, 1, 1, 2)
    communes = [part(row, "area name alarms") for row in await figures.areas("commune", DAY, NEXT, None, 100)]
    assert communes == [("", None, 1), ("40/17257", "Thành Vinh", 6), ("79", None, 0)]
    teams = [part(row, "area facilities alarms fault_s") for row in await figures.areas("team", DAY, NEXT, None, 100)]
    assert teams == [("", 0, 1, 10), ("40/17257", 1, 0, 21510), ("40/17257/vinh-1", 1, 6, 27000), ("79", 1, 0, 0)]
    assert [row["area"] for row in await figures.areas("team", DAY, NEXT, "40/17257", 1)] == ["40/17257/vinh-1"]


async def test_a_period_that_goes_on_and_one_that_has_not_begun(figures: Figures) -> None:
    """What is open is in fault until now, and the future counts for nothing."""
    now = datetime.now(UTC)
    [_, path] = await figures.paths(now - timedelta(hours=1), now + timedelta(days=1), "school", None, 10)
    assert 3600 <= path["supervised_s"] < 3660
    assert (path["fault_s"], path["availability"]) == (path["supervised_s"], 0)
    assert await figures.paths(now + timedelta(days=1), now + timedelta(days=2), "school", None, 10) == []


async def test_time_to_subscribers(figures: Figures, day: str) -> None:
    names = "quarters events mean_ms p50_ms p95_ms max_ms within_last_bound"
    [row] = await figures.forward(DAY, NEXT)
    assert part(row, names) == (0, 0, None, None, None, None, None)
    connection = await asyncpg.connect(day)
    await connection.executemany(
        "INSERT INTO tocsin.forward_quarter VALUES ($1, $2, $3, '{1, 10, 100}', $4)",
        [(hour(0), 10, 40.0, [9, 1, 0, 0]), (hour(1), 10, 160.0, [0, 10, 0, 0]), (hour(24), 1, 999.0, [0, 0, 0, 1])])
    [row] = await figures.forward(DAY, NEXT)
    assert part(row, names) == (2, 20, 10, 10, 10, 10, 1)
    [row] = await figures.forward(DAY, hour(25))
    assert part(row, names) == (3, 21, round(1199 / 21, 6), 10, 10, None, round(20 / 21, 6))
    await connection.close()


async def test_over_http_as_json(day: str) -> None:
    async with world_of(FiguresView.of(day)) as world, aiohttp.ClientSession(world.url) as client:
        cursor, seen = "", []
        while cursor is not None:
            async with client.get(f"/v1/figures/facilities?{ASKED}&limit=1&cursor={cursor}") as response:
                body = await response.json()
                assert (body["from"], body["to"]) == ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
            seen += [row["facility"] for row in body["facilities"]]
            cursor = body["next"]
        assert seen == ["", "mill", "none-yet", "school"]
        for query, found in (("facilities?area=40", 2), ("areas?level=team", 4), ("areas?", 3), ("paths?facility=", 2)):
            async with client.get(f"/v1/figures/{query}&{ASKED}") as response:
                body = await response.json()
                assert len(body[query.partition("?")[0]]) == found
                assert body["next"] is None
        async with client.get(f"/v1/figures/forward?{ASKED}") as response:
            assert (await response.json())["events"] == 0
        offset = "from=2026-01-01T07:00:00+07:00&to=2026-01-02T00:00:00Z"
        async with client.get(f"/v1/figures/areas?{offset}") as response:
            assert (await response.json())["from"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("csv_rows", [1, 1000])
async def test_over_http_as_csv(day: str, csv_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.operate.figures_routes.CSV_ROWS", csv_rows)
    async with world_of(FiguresView.of(day)) as world, aiohttp.ClientSession(world.url) as client:
        async with client.get(f"/v1/figures/facilities?{ASKED}", headers={"Accept": "text/csv"}) as response:
            text = await response.text()
            assert response.content_type == "text/csv"
            assert response.headers["Content-Disposition"] == \
                'attachment; filename="tocsin-facilities-20260101-20260102.csv"'
        assert text.startswith("facility,name,kind,area,transmitters,")
        assert text.endswith("\r\n")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert [(row["facility"], row["name"]) for row in rows] == [
            ("", ""), ("mill", "'" + HOSTILE), ("none-yet", "'+84 nothing"), ("school", "A school")]
        assert (rows[3]["availability_lowest"], rows[3]["false_ratio"], rows[2]["availability"]) == ("0.5", "0.5", "")
        async with client.get(f"/v1/figures/areas?{ASKED}&format=csv&level=commune") as response:
            assert [line.split(",")[:2] for line in (await response.text()).splitlines()] == [
                ["area", "name"], ["", ""], ["40/17257", "Thành Vinh"], ["79", ""]]
        async with client.get(f"/v1/figures/paths?{ASKED}&format=csv&facility=none-yet") as response:
            assert await response.text() == ""


@pytest.mark.parametrize(("query", "said"), [
    ("areas", "from"), ("areas?from=2026-01-01", "to"), ("areas?from=yesterday&to=2026-01-02", "from"),
    ("areas?from=2026-01-02&to=2026-01-02", "later"), ("areas?from=2026-01-01&to=2027-02-06", "400"),
    (f"areas?{ASKED}&level=street", "level"), (f"areas?{ASKED}&format=xml", "format"),
    (f"areas?{ASKED}&limit=0", "limit"), (f"areas?{ASKED}&cursor=eA", "cursor"),
    (f"paths?{ASKED}", "facility"), (f"facilities?{ASKED}&area=%00", "area"),
    (f"paths?{ASKED}&facility=%00", "facility"), (f"facilities?{ASKED}&area={'x' * 129}", "area"),
    ("areas?from=0001-01-01T00:00:00%2B14:00&to=2026-01-02", "from"), ("areas?from=99999999999&to=2", "from")])
async def test_bad_questions(query: str, said: str) -> None:
    async with world_of(FiguresView.of("postgresql://tocsin@127.0.0.1:9/none")) as world, \
            aiohttp.ClientSession(world.url) as client, client.get(f"/v1/figures/{query}") as response:
        body = await response.json(content_type="application/problem+json")
        assert response.status == 400
        assert body["detail"].startswith((said, "to: "))
        assert said in body["detail"]


@pytest.mark.parametrize("query", ["facilities", "areas", "paths", "forward"])
@pytest.mark.parametrize("form", ["json", "csv"])
async def test_a_database_that_is_away(query: str, form: str) -> None:
    async with world_of(FiguresView.of("postgresql://tocsin@127.0.0.1:9/none")) as world, \
            aiohttp.ClientSession(world.url) as client, \
            client.get(f"/v1/figures/{query}?{ASKED}&facility=&format={form}") as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert response.content_type == "application/problem+json"


async def test_an_answer_that_takes_too_long(day: str) -> None:
    locked = await asyncpg.connect(day)
    view = FiguresView(Figures(day, StoreSettings(figures_s_max=0.2)))
    async with locked.transaction(), world_of(view) as world, aiohttp.ClientSession(world.url) as client:
        await locked.execute("LOCK TABLE tocsin.alarm")
        async with client.get(f"/v1/figures/areas?{ASKED}") as response:
            assert response.status == 503
    await locked.close()


async def test_a_csv_that_cannot_be_finished_is_cut_off(day: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.operate.figures_routes.CSV_ROWS", 1)
    view = FiguresView.of(day)
    whole, asked = view.facilities, 0

    async def facilities(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 3:
            await view.close()
            connection = await asyncpg.connect(day)
            await connection.execute("ALTER TABLE tocsin.alarm RENAME TO hidden")
            await connection.close()
        return await whole(*arguments)
    monkeypatch.setattr(view, "facilities", facilities)
    async with world_of(view) as world, aiohttp.ClientSession(world.url) as client:
        with pytest.raises(aiohttp.ClientError):
            async with client.get(f"/v1/figures/facilities?{ASKED}&format=csv") as response:
                assert response.status == 200
                await response.read()
    assert asked == 3


async def test_hostile_ids_of_areas_and_facilities_find_nothing(day: str) -> None:
    async with world_of(FiguresView.of(day)) as world, aiohttp.ClientSession(world.url) as client:
        for text in ("' OR 1=1 --", "%", "\\", "ờ", "{a,b}"):
            async with client.get(f"/v1/figures/paths?{ASKED}&facility={quote(text)}") as response:
                assert (await response.json())["paths"] == []
