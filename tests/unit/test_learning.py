"""Supervision times from the silences that paths showed: proposed, applied, and the same after a replay."""
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from codec.batch import Batch
from engine.operate.problem import problems
from engine.operate.supervision_routes import SupervisionRoutes
from engine.store.path_rows import Rollups
from engine.supervise.learning import Learner
from engine.supervise.presets import smallest_preset
from tests.unit.supervise_world import World

QUARTER_S = 900
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def learner(world, mode="propose", min_ms=5000, max_ms=DAY_MS):
    return Learner(world.paths, world.admit, world.clock, mode, min_ms, max_ms)


def beat(world, account, every_s, times, line=0):
    for _ in range(times):
        world.run(every_s, step_ms=1000)
        world.hear(account, line)


def end_quarter(world):
    Rollups(world.paths).gather(0, 1000)


def times_of(found):
    return [(one["transmitter"], one["usual_ms"], one["longest_ms"], one["proposed_ms"], one["preset"])
            for one in found]


def test_a_time_is_proposed_from_the_third_frame_on_that_three_silences_fit_into():
    world = World()
    found = learner(world)
    world.hear("0001")
    beat(world, "0001", 30, 1)
    assert found.proposals(None, 10) == []
    beat(world, "0001", 30, 1)
    [proposal] = found.proposals(None, 10)
    assert (proposal["path"], proposal["frames"], proposal["typical_ms"]) == ("dc09:0001/default/L0", 3, None)
    assert times_of([proposal]) == [("dc09:0001", 30_000, 30_000, 90_000, "SP5")]
    assert (proposal["supervision_ms"], proposal["named"], proposal["learned"]) == (90_000, False, False)


def test_what_happened_in_one_quarter_of_an_hour_alone_is_not_usual():
    world = World(default=(3_600_000,))
    found = learner(world)
    world.hear("0001")
    for quarter in range(4):
        beat(world, "0001", 60, 14)
        if quarter == 1:
            world.run(400, step_ms=1000)
            world.hear("0001")
        end_quarter(world)
    [proposal] = found.proposals(None, 10)
    assert times_of([proposal]) == [("dc09:0001", 60_000, 400_000, 180_000, "SP4")]
    assert proposal["typical_ms"] == pytest.approx(60_000, rel=0.2)


def test_nothing_is_kept_where_learning_is_off():
    world = World()
    learner(world, "off")
    world.hear("0001")
    beat(world, "0001", 30, 3)
    end_quarter(world)
    assert learner(world, "off").proposals(None, 10) == []


def test_the_bounds_hold():
    world = World()
    world.hear("0001")
    beat(world, "0001", 10, 3)
    assert learner(world, min_ms=45_000).proposals(None, 1)[0]["proposed_ms"] == 45_000
    assert learner(world, max_ms=20_000).proposals(None, 1)[0]["proposed_ms"] == 20_000
    assert [smallest_preset(ms) for ms in (1, 20_000, 20_001, HOUR_MS, 33 * DAY_MS)] == [
        "SP6", "SP6", "SP5", "SP2", None]


def test_proposals_come_in_pages():
    world = World()
    for account in ("0001", "0002", "0003"):
        world.hear(account)
        beat(world, account, 5, 3)
    found = learner(world)
    first = found.proposals(None, 2)
    assert [one["transmitter"] for one in first + found.proposals(first[-1]["number"], 2)] == [
        "dc09:0001", "dc09:0002", "dc09:0003"]


def test_applied_a_path_that_nobody_named_gets_its_time_and_a_replay_gives_the_same():
    world = World({"dc09:0002": (90_000,)})
    applied = learner(world, "apply", min_ms=90_000)
    for account in ("0001", "0002"):
        world.hear(account)
    for _ in range(2):
        world.run(600, step_ms=1000)
        world.hear("0001")
        world.hear("0002")
    applied.turn()
    assert len(world.admit) == 1
    world.lose()
    assert world.paths.show(0)["supervision_ms"] == 90_000
    applied.turn()
    world.land()
    applied.turn()
    assert (len(world.admit), applied.learned) == (0, 2)
    shown = [world.paths.show(number) for number in (0, 1)]
    assert [(one["supervision_ms"], one["learned"]) for one in shown] == [(1_800_000, True), (90_000, False)]
    again = world.again(snapshot=False)
    assert [again.paths.show(number)["supervision_ms"] for number in (0, 1)] == [1_800_000, 90_000]
    saved = world.again(snapshot=True)
    assert [saved.paths.show(number)["learned"] for number in (0, 1)] == [True, False]
    faults = len(world.rows)
    world.run(1700, step_ms=1000)
    assert [path for path, *_ in world.rows[faults:]] == [1]
    world.run(150, step_ms=1000)
    assert [path for path, *_ in world.rows[faults:]] == [1, 0]


def test_somebodys_word_goes_before_what_was_learned():
    world = World()
    applied = learner(world, "apply")
    world.hear("0001")
    beat(world, "0001", 10, 3)
    applied.turn()
    world.land()
    assert world.paths.show(0)["supervision_ms"] == 30_000
    world.paths.supervise_transmitter("dc09:0001", 60_000)
    applied.turn()
    assert (len(world.admit), world.paths.show(0)["supervision_ms"], world.paths.show(0)["learned"]) == (
        0, 60_000, False)


def test_a_learned_time_is_longer_at_once_and_shorter_only_by_half():
    world = World()
    applied = learner(world, "apply")
    world.hear("0001")
    beat(world, "0001", 20, 3)
    for every_s, learned_ms in ((20, 60_000), (30, 90_000), (20, 90_000)):
        beat(world, "0001", every_s, 20)
        applied.turn()
        world.land()
        assert world.paths.show(0)["supervision_ms"] == learned_ms
    for _ in range(5):
        beat(world, "0001", 10, 20)
        end_quarter(world)
        applied.turn()
        world.land()
    assert world.paths.show(0)["supervision_ms"] == 30_000


def test_the_row_says_what_it_is():
    world = World()
    applied = learner(world, "apply")
    world.hear("0001")
    beat(world, "0001", 10, 3)
    applied.turn()
    assert Batch.view(world.admit.batch.encode()).row(0)["native"] == "dc09:0001/default/L0 supervision=30000 learned"


async def test_the_route() -> None:
    world = World()
    for account in ("0001", "0002"):
        world.hear(account)
        beat(world, account, 10, 3)
    found = learner(world)
    application = web.Application(middlewares=[problems])
    SupervisionRoutes(found.mode, found.proposals, 100).add_to(application)
    async with TestClient(TestServer(application)) as client:
        first = orjson.loads(await (await client.get("/v1/supervision/proposals?limit=1")).read())
        assert (first["learn"], [one["transmitter"] for one in first["proposals"]]) == ("propose", ["dc09:0001"])
        rest = orjson.loads(await (await client.get(f"/v1/supervision/proposals?cursor={first['next']}")).read())
        assert ([one["transmitter"] for one in rest["proposals"]], rest["next"]) == (["dc09:0002"], None)
        assert (await client.get("/v1/supervision/proposals?limit=0")).status == 400
        assert (await client.get("/v1/supervision/proposals?cursor=x")).status == 400
