"""The HTTP API on real sockets, over a small engine."""
from __future__ import annotations

import base64
from pathlib import Path

import aiohttp
import pytest

from engine.clock import FakeClock
from engine.config import HttpToken
from engine.operate.access import BadTokenFile, Holder, Role, holders_of
from engine.operate.lag import EVERY_NS
from engine.operate.server import NeedsTokens, Operate
from engine.operate.view import Check, RejectedQuestion, SignalQuestion, TransmitterQuestion
from tests.http_world import FIRST, Log, View, World, make_world

TOKEN = "a-token-of-more-than-24-characters"


async def get(world: World, path: str, status: int = 200, **headers: str) -> dict[str, object]:
    """Return a JSON answer; an error must be a problem."""
    async with aiohttp.ClientSession() as session, session.get(world.url + path, headers=headers) as response:
        assert response.status == status, await response.text()
        if status >= 400:
            assert response.content_type == "application/problem+json"
        body = await response.json(content_type=None)
        if status >= 400:
            assert body["status"] == status
            assert body["title"]
            assert body["detail"]
        assert isinstance(body, dict)
        return body


async def test_alarms_and_status() -> None:
    async with make_world() as world:
        world.log.add(2)
        body = await get(world, "/v1/alarms")
        assert body == {"position": str(FIRST + 2), "alarms": [{"alarm_id": str(FIRST + 1)},
                                                               {"alarm_id": str(FIRST + 2)}]}
        assert await get(world, "/v1/status") == world.view.status()


async def test_health() -> None:
    clock = FakeClock()
    async with make_world(clock=clock) as world, aiohttp.ClientSession() as session:
        async def ask(path: str) -> tuple[int, str]:
            async with session.get(world.url + path) as response:
                assert response.content_type == "text/plain"
                return response.status, await response.text()

        assert await ask("/livez") == (200, "ok\n")
        assert await ask("/readyz") == (200, "ready\n")
        assert (await ask("/readyz?verbose"))[1].splitlines() == [
            "[+]journal ok", "[+]listeners ok", "[+]event_loop ok", "ready"]
        world.view.database = False
        assert (await ask("/readyz"))[0] == 200
        world.view.checks[0] = Check("journal", False, "disk full")
        assert await ask("/readyz") == (503, "[-]journal disk full\nnot ready\n")
        assert await ask("/livez") == (200, "ok\n")
        world.view.checks[0] = Check("journal", True)
        clock.advance(EVERY_NS + 5_000_000_000)
        world.lag.sample()
        status, text = await ask("/readyz?verbose")
        assert status == 503
        assert "[-]event_loop 5.000 s late, allowed 1.000 s" in text


async def test_metrics_in_both_formats() -> None:
    async with make_world() as world, aiohttp.ClientSession() as session:
        async with session.get(f"{world.url}/metrics") as response:
            assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert "# EOF" not in await response.text()
        accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
        async with session.get(f"{world.url}/metrics", headers=accept) as response:
            assert response.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
            text = await response.text()
        assert text.endswith("# EOF\n")
        assert 'tocsin_http_requests_total{code="200"} 1\n' in text
        assert "tocsin_subscribers 0\n" in text
        assert "tocsin_process_resident_memory_bytes " in text


async def test_transmitters_in_pieces() -> None:
    async with make_world() as world:
        world.view.fleet = [{"key": f"dc09:{n:04}", "state": "online" if n % 2 else "silent"} for n in range(25)]
        got, path = [], "/v1/transmitters?limit=10&area=79"
        while True:
            body = await get(world, path)
            assert isinstance(body["transmitters"], list)
            got += body["transmitters"]
            if body["next"] is None:
                break
            path = f"/v1/transmitters?limit=10&area=79&cursor={body['next']}"
        assert got == world.view.fleet
        assert world.view.asked[1] == TransmitterQuestion(None, "79", "dc09:0009", 10)
        body = await get(world, "/v1/transmitters?state=silent")
        assert body["transmitters"] == world.view.fleet[::2]


async def test_one_transmitter_by_its_key() -> None:
    async with make_world() as world:
        world.view.fleet = [{"key": "gbt26875:889@nghe-an", "state": "online"}, {"key": "dc09:1@a/b", "state": "late"}]
        assert await get(world, "/v1/transmitters/gbt26875:889@nghe-an") == world.view.fleet[0]
        assert await get(world, "/v1/transmitters/gbt26875%3A889%40nghe-an") == world.view.fleet[0]
        assert await get(world, "/v1/transmitters/dc09:1@a/b") == world.view.fleet[1]
        await get(world, "/v1/transmitters/dc09:2", 404)


async def test_signals_newest_first_in_pieces() -> None:
    async with make_world() as world:
        world.view.stored = [{"id": str(n)} for n in range(30, 0, -1)]
        body = await get(world, "/v1/signals?limit=20&account=dc09:0123@north&class=fire")
        assert body["signals"] == world.view.stored[:20]
        assert world.view.asked[-1] == SignalQuestion("dc09", "0123", "north", "fire", None, 20)
        body = await get(world, f"/v1/signals?limit=20&account=0123&cursor={body['next']}")
        assert body == {"signals": world.view.stored[20:], "next": None}
        assert world.view.asked[-1] == SignalQuestion(None, "0123", None, None, 11, 20)
        await get(world, "/v1/signals?limit=10000")


async def test_signals_without_the_database() -> None:
    async with make_world() as world:
        world.view.database = False
        await get(world, "/v1/signals", 503)
        await get(world, "/v1/alarms")


async def test_rejected() -> None:
    async with make_world() as world:
        world.view.refused = [{"number": "2", "bytes": "0a30", "reason": "checksum", "peer": "192.0.2.7:4000",
                               "answered": None}]
        body = await get(world, "/v1/rejected?source=192.0.2.7&account=0123")
        assert body == {"rejected": world.view.refused, "next": None}
        assert world.view.asked[-1] == RejectedQuestion("192.0.2.7", "0123", None, 100)


@pytest.mark.parametrize(("path", "status"), [
    ("/nothing", 404), ("/v1/", 404), ("/v1/signals?limit=0", 400), ("/v1/signals?limit=10001", 400),
    ("/v1/signals?limit=x", 400), ("/v1/signals?cursor=%21%21", 400), ("/v1/signals?cursor=YQ", 400),
    ("/v1/signals?cursor=" + "A" * 600, 400), ("/v1/signals?class=bad", 400), ("/v1/transmitters?limit=-1", 400),
    ("/v1/transmitters?cursor=%ff", 400),
])
async def test_every_error_is_a_problem(path: str, status: int) -> None:
    async with make_world() as world:
        await get(world, path, status)


async def test_a_wrong_method_is_a_problem() -> None:
    async with (make_world() as world, aiohttp.ClientSession() as session,
                session.post(f"{world.url}/v1/alarms") as response):
        assert (response.status, response.content_type) == (405, "application/problem+json")
        assert set(response.headers["Allow"].split(",")) == {"GET", "HEAD"}


async def test_a_fault_of_ours_is_a_500_without_a_trace(caplog: pytest.LogCaptureFixture) -> None:
    async with make_world() as world:
        world.view.status = lambda: 1 / 0    # type: ignore[assignment, return-value]
        body = await get(world, "/v1/status", 500)
        assert "division" not in str(body)
        assert "ZeroDivisionError" in caplog.text


def holder(name: str, role: Role, directory: Path) -> Holder:
    path = directory / f"{name}.token"
    path.write_text(f"{TOKEN}-{name}\n")
    path.chmod(0o600)
    [found] = holders_of([HttpToken(str(path), role.name.lower())]) or ()
    return found


async def test_tokens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    holders = (holder("wall", Role.READ, tmp_path), holder("chief", Role.ADMIN, tmp_path))
    assert [found.name for found in holders] == ["wall", "chief"]
    async with make_world(holders) as world, aiohttp.ClientSession() as session:
        for path in ("/livez", "/readyz"):
            async with session.get(world.url + path) as response:
                assert response.status == 200
        for path in ("/", "/metrics", "/v1/alarms", "/v1/alarms/stream", "/nothing"):
            await get(world, path, 401)
        basic = base64.b64encode(f"anyone:{TOKEN}-wall".encode()).decode()
        for good in (f"Bearer {TOKEN}-wall", f"bearer {TOKEN}-chief", f"Basic {basic}"):
            await get(world, "/v1/alarms", Authorization=good)
        for bad in (f"Bearer {TOKEN}", "Bearer ", TOKEN, f"Digest {TOKEN}-wall", "Basic !", "Basic /w=="):
            await get(world, "/v1/alarms", 401, Authorization=bad)
        async with session.get(f"{world.url}/v1/alarms") as response:
            assert response.headers["WWW-Authenticate"].startswith("Bearer ")
        for role, status in (("wall", 403), ("chief", 405)):
            async with session.post(f"{world.url}/v1/alarms",
                                    headers={"Authorization": f"Bearer {TOKEN}-{role}"}) as response:
                assert response.status == status
    assert TOKEN not in caplog.text


async def test_token_files_that_must_not_be_used(tmp_path: Path) -> None:
    path = tmp_path / "x.token"
    for text in ("short\n", "", f"{TOKEN} {TOKEN}\n", "é" * 30):
        path.write_text(text)
        path.chmod(0o600)
        with pytest.raises(BadTokenFile, match=r"x\.token"):
            holders_of([HttpToken(str(path), "read")])
    path.write_text(TOKEN)
    path.chmod(0o640)
    with pytest.raises(BadTokenFile, match="0600"):
        holders_of([HttpToken(str(path), "read")])


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_beyond_loopback_only_with_tokens(host: str) -> None:
    async with make_world() as world:
        with pytest.raises(NeedsTokens):
            await Operate(View(Log()), world.forward, world.lag).start(host, 0)


async def test_the_console_is_one_file() -> None:
    async with make_world() as world, aiohttp.ClientSession() as session:
        async with session.get(world.url) as response:
            assert response.content_type == "text/html"
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            page = await response.text()
        assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in page
        assert 'rel="icon" href="data:' in page
        assert "EventSource" in page
