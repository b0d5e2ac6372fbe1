"""What all measurements share: results, pairs in turn, the machine, and what must not be measured at all."""
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parent.parent
SEED = 20211
Size = Literal["smoke", "full"]


class NotBuilt(Exception):
    """A module that the measurement needs does not exist yet."""


class Refused(Exception):
    """The build or the outcome is none whose figures may be shown."""


@dataclass(frozen=True, slots=True)
class Result:
    """One figure.

    name         benchmark, dot, what was measured
    size         smoke figures prove that the benchmark runs, nothing else
    rows         rows (frames, paths, appends) of one round
    unit         what a row is
    rows_per_s   median of the rounds
    spread       (largest - smallest) / median of the rounds, 0 for a single round
    digest       of the result, equal for equal work; empty where the result is not fixed
    facts        further figures of this measurement, their unit last in the name
    """
    name: str
    size: Size
    rows: int
    unit: str
    rows_per_s: float
    spread: float = 0.0
    digest: str = ""
    facts: Mapping[str, float | int | str] = field(default_factory=dict)

    @property
    def ns_per_row(self) -> float:
        return 1e9 / self.rows_per_s if self.rows_per_s else 0.0

    def line(self) -> str:
        """The result for people."""
        facts = "  ".join(f"{name}={show(value)}" for name, value in self.facts.items())
        return (f"{self.name:<22} {self.rows_per_s:>14,.0f} {self.unit}/s {self.ns_per_row:>12,.1f} ns "
                f"±{self.spread:.0%}  {self.digest[:12]}  {facts}")

    def record(self) -> str:
        """The result as one line of JSON, with the machine and the build."""
        return json.dumps({**asdict(self), "facts": dict(self.facts), "ns_per_row": self.ns_per_row, **machine()})


@dataclass(frozen=True, slots=True)
class Rounds:
    """The rates of one side, round by round, in rows a second."""
    rates: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.rates)

    @property
    def best(self) -> float:
        return max(self.rates)

    @property
    def spread(self) -> float:
        return (max(self.rates) - min(self.rates)) / self.median if self.median else 0.0


def show(value: float | int | str) -> str:
    return f"{value:,.3f}" if isinstance(value, float) else str(value)


def in_turn(rounds: int, sides: Mapping[str, Callable[[], float]]) -> dict[str, Rounds]:
    """Run every side once in each round, so that a slow minute of the machine hits all of them.

    sides    by name, what runs once and returns its rate in rows a second; every second round backwards
    """
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds):
        for name in list(sides) if turn % 2 == 0 else reversed(list(sides)):
            rates[name].append(sides[name]())
    return {name: Rounds(tuple(values)) for name, values in rates.items()}


def ratio(above: Rounds, below: Rounds) -> float:
    """The median over the rounds of above / below: each pair ran side by side."""
    return statistics.median(one / other for one, other in zip(above.rates, below.rates, strict=True))


def digest(*parts: bytes) -> str:
    """A hash of the result, to see that two runs did the same work."""
    total = hashlib.blake2b(digest_size=8)
    for part in parts:
        total.update(part)
    return total.hexdigest()


def need(*modules: str) -> None:
    """Raise NotBuilt naming those of `modules` that do not exist. One that exists and is broken raises as ever."""
    missing = [module for module in modules if not exists(module)]
    if missing:
        raise NotBuilt(", ".join(missing))


def exists(module: str) -> bool:
    parent = module.rpartition(".")[0]
    return (not parent or exists(parent)) and find_spec(module) is not None


def refuse_slow_builds() -> None:
    """Raise Refused when the extensions were built to be looked at and not to be fast."""
    switches = ROOT / "build" / "switches"
    built = switches.read_text().split()[0] if switches.exists() else "BUILD=release"
    if built != "BUILD=release":
        raise Refused(f"built with {built}; figures of it say nothing: run `make build` with BUILD=release")


@cache
def machine() -> dict[str, str | int]:
    """What the figures belong to: processor, cores, kernel, versions, commit, build."""
    switches = ROOT / "build" / "switches"
    return {
        "cpu": cpu_model(), "cores": os.cpu_count() or 0, "kernel": platform.release(),
        "python": platform.python_version(), "cython": version("Cython"), "uvloop": version("uvloop"),
        "compiler": first_line("gcc", "--version"),
        "commit": first_line("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"),
        "build": switches.read_text().strip() if switches.exists() else "not built",
    }


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def first_line(*command: str) -> str:
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return said.partition("\n")[0]


def memory_bytes(pid: int | str = "self") -> int:
    """Bytes of private memory that a process really occupies. Source: /proc/PID/smaps_rollup, Anonymous."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no Anonymous line in /proc/{pid}/smaps_rollup")


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
