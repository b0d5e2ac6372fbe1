"""Where the peers are: installed on the machine, or unpacked under build/peers, where nothing starts by itself.

`fetch` takes Debian's packages with `apt-get download` and `dpkg-deb --extract`, which install nothing and need no
root, and statsd with npm. pysiaalarm comes with the tests' packages.
"""
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.harness import ROOT, first_line, tell

UNPACKED = ROOT / "build" / "peers"
DEBIAN = ("rsyslog", "mosquitto")
STATSD = "statsd@0.9.0"
FETCH = "python -m benchmarks.peers --fetch"
FETCH_S_MAX = 300
SYSTEM_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))


class Missing(Exception):
    """A peer that is not there; the text says how to get it."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A program that can be started.

    command      the program and what belongs before its own arguments
    version      as it says itself, and where it is from
    environment  for its process
    """
    command: tuple[str, ...]
    version: str
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


def tocsin() -> Installed:
    program = ROOT / ".venv" / "bin" / "tocsin"
    if not program.exists():
        raise Missing("not built: make build")
    commit = first_line("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=8")
    return Installed((str(program),), f"{version('tocsin')} ({commit})")


def floor() -> Installed:
    if shutil.which("gcc") is None and shutil.which("cc") is None:
        raise Missing("no C compiler: apt-get install gcc")
    return Installed((), "this tree")


def pysiaalarm() -> Installed:
    try:
        return Installed((), f"{version('pysiaalarm')} (PyPI)")
    except PackageNotFoundError:
        raise Missing("not installed: pip install pysiaalarm") from None


def rsyslog() -> Installed:
    program, environment, where = debian_program("rsyslogd", "rsyslog")
    modules = sorted(str(path) for path in (UNPACKED / "root").glob("usr/lib/*/rsyslog"))
    command = [program, *(["-M", ":".join(modules)] if where == "unpacked" and modules else [])]
    said = output([program, "-v"], environment)
    return Installed(tuple(command), f"{version_in(said, 'rsyslogd')} (Debian, {where})", environment)


def mosquitto() -> Installed:
    program, environment, where = debian_program("mosquitto", "mosquitto")
    said = output([program, "-h"], environment)
    return Installed((program,), f"{version_in(said, 'mosquitto version')} (Debian, {where})", environment)


def statsd() -> Installed:
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        raise Missing(f"no node: apt-get install nodejs npm, then {FETCH}")
    found = [UNPACKED / "node_modules" / "statsd"]
    if linked := shutil.which("statsd"):
        found.append(Path(linked).resolve().parent.parent)
    for directory in found:
        if (directory / "stats.js").exists():
            told = json.loads((directory / "package.json").read_text())["version"]
            return Installed((node, str(directory / "stats.js")), f"{told} (npm), node {first_line(node, '-v')[1:]}")
    raise Missing(f"not installed: {FETCH}, or npm install --global {STATSD}")


def debian_program(name: str, package: str) -> tuple[str, dict[str, str], str]:
    """Return (path, environment, "installed" or "unpacked") of a program that Debian packs.

    Raises  Missing
    """
    if found := shutil.which(name, path=SYSTEM_PATH):
        return found, dict(os.environ), "installed"
    root = UNPACKED / "root"
    for place in ("usr/sbin", "usr/bin", "sbin"):
        if (root / place / name).exists():
            libraries = [str(path) for pattern in ("usr/lib/*-linux-*", "lib/*-linux-*") for path in root.glob(pattern)]
            return (str(root / place / name), {**os.environ, "LD_LIBRARY_PATH": ":".join(sorted(libraries))},
                    "unpacked")
    raise Missing(f"not installed: apt-get install {package}, or {FETCH}")


def version_in(said: str, name: str) -> str:
    """The version behind `name` in what a program says of itself; "unknown" where there is none."""
    found = re.search(re.escape(name) + r"\s+v?(\d[\w.+~-]*)", said)
    return found[1].rstrip(".") if found else "unknown"


def new_packages(simulated: str) -> list[str]:
    """The packages that `apt-get --simulate install` would add; those that it would only renew are there already."""
    return re.findall(r"^Inst (\S+) \(", simulated, re.MULTILINE)


def fetch() -> bool:
    """Get what is missing into build/peers; tell what was done; return whether all of it could be had."""
    UNPACKED.mkdir(parents=True, exist_ok=True)
    return all([attempt(" ".join(DEBIAN), fetch_debian), attempt("statsd", fetch_statsd)])


def attempt(what: str, get: Callable[[], str]) -> bool:
    try:
        tell(f"{what}: {get()}")
    except (OSError, subprocess.SubprocessError) as failure:
        said = getattr(failure, "stderr", "") or str(failure)
        tell(f"{what}: could not be fetched: {said.strip()[-500:]}")
        return False
    return True


def fetch_debian() -> str:
    simulated = run(["apt-get", "--simulate", "--no-install-recommends", "install", *DEBIAN], UNPACKED)
    names = new_packages(simulated)
    if not names:
        return "installed already"
    packed = UNPACKED / "debian"
    packed.mkdir(exist_ok=True)
    run(["apt-get", "download", *names], packed)
    for file in sorted(packed.glob("*.deb")):
        run(["dpkg-deb", "--extract", str(file), str(UNPACKED / "root")], packed)
    return "unpacked " + " ".join(names)


def fetch_statsd() -> str:
    """Without its optional parts: two of them are compiled, and none of them is used here."""
    run(["npm", "install", "--prefix", str(UNPACKED), "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund",
         STATSD], UNPACKED)
    return f"unpacked {STATSD}"


def run(command: Sequence[str], directory: Path) -> str:
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True,
                          timeout=FETCH_S_MAX, env={**os.environ, "LC_ALL": "C"}).stdout


def output(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """What a program says, whatever its exit code: some end with 1 after their own help."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment)
    return done.stdout + done.stderr
