"""A child process that dies with us and is never root."""
from __future__ import annotations

import asyncio
import ctypes
import enum
import os
import shutil
import signal
import stat
import subprocess
import threading
import warnings
from pathlib import Path

from engine.store.binaries import Binaries

NOBODY = 65534
PR_SET_PDEATHSIG = 1                 # prctl(2)
LIBC = ctypes.CDLL(None, use_errno=True)


class Demotion(enum.Enum):
    """How a child of root stops being root."""

    NONE = "none"                    # we are not root
    NOBODY = "nobody"                # setuid; programs and data must be reachable for nobody
    NAMESPACE = "namespace"          # a user namespace in which root is nobody; files stay root's
    CAPABILITY = "capability"        # nobody, but file modes do not stop it: where containers forbid namespaces


def choose_demotion(binaries: Binaries, directory: Path) -> Demotion:
    """Return how to start a server that uses `binaries` and lives in `directory`."""
    if os.geteuid() != 0:
        return Demotion.NONE
    library = binaries.postgres.parent.parent / "lib"
    if all(reachable(path) for path in (binaries.postgres, binaries.initdb, library, directory.parent)):
        return Demotion.NOBODY
    if namespaces_work():
        return Demotion.NAMESPACE
    return Demotion.CAPABILITY if shutil.which("setpriv") else Demotion.NOBODY


def namespaces_work() -> bool:
    """Whether a user namespace may be made here; many containers say no."""
    if shutil.which("unshare") is None or shutil.which("setpriv") is None:
        return False
    tried = subprocess.run(["unshare", "--user", f"--map-user={NOBODY}", "true"], capture_output=True, check=False)
    return tried.returncode == 0


def reachable(path: Path) -> bool:
    """Whether nobody may go down to `path` and read it, by the mode bits of everything above."""
    path = path.resolve()
    return path.exists() and all(passable(place) for place in [path, *path.parents])


def passable(place: Path) -> bool:
    found = place.stat()
    shift = 6 if found.st_uid == NOBODY else 3 if found.st_gid == NOBODY else 0
    return bool(found.st_mode >> shift & stat.S_IXOTH)


class Child:
    """One running child, in its own process group, with nothing on stdin and all it says in `log`.

    Threads  made in the main thread only: the kernel sends the death signal when the *thread* that forked ends
    """

    def __init__(self, arguments: list[str], log: int, demotion: Demotion) -> None:
        assert threading.current_thread() is threading.main_thread()
        parent = os.getpid()
        if demotion is Demotion.NAMESPACE:
            # The namespace takes the death signal away; so it is asked for again from within.
            arguments = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}",
                         "setpriv", "--pdeathsig", "INT", *arguments]
        if demotion is Demotion.CAPABILITY:
            arguments = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                         "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override",
                         "--pdeathsig", "INT", *arguments]

        def before_exec() -> None:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
            if os.getppid() != parent:           # it died in between
                os._exit(1)

        identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if demotion is Demotion.NOBODY else {}
        with warnings.catch_warnings():
            # Newer Pythons warn of any fork beside threads; between fork and exec we only make two system calls.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", umask=0o077,
                start_new_session=True, preexec_fn=before_exec, env=environment(),
                **identity)  # type: ignore[call-overload]
        self.pid: int = self._process.pid
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._handle = os.pidfd_open(self.pid)
        self._loop.add_reader(self._handle, self._reap)

    def _reap(self) -> None:
        self._loop.remove_reader(self._handle)
        os.close(self._handle)
        self._process.wait()
        self.ended.set()

    async def wait(self) -> int:
        """Return its exit code when it has ended; minus the signal where one ended it."""
        await self.ended.wait()
        assert self._process.returncode is not None
        return int(self._process.returncode)

    def kill(self, number: int) -> None:
        """Send a signal; nothing happens when it has ended."""
        self._process.send_signal(number)


def environment() -> dict[str, str]:
    """The variables a server needs; none of ours that could change its settings or its libraries."""
    kept = {name: os.environ[name] for name in ("PATH", "TZ") if name in os.environ}
    return {"PATH": os.defpath, **kept, "LC_ALL": "C"}
