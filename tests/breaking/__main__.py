"""`make break MINUTES=10`: the engine under load, everything that can fail failing, and then what became of each fire.

Every round has an engine, a database and a load of its own; every second one has the embedded PostgreSQL. Exit 0:
nothing was lost, nothing doubled, no line fault was false. 1: something was, and what is needed to look into it is
printed. A seed repeats the faults, their order and the load; when each meets the engine is left to the machine.
"""
from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
import traceback
from collections import Counter

from tests.breaking.faults import FAULTS
from tests.breaking.sequence import play
from tests.breaking.verdict import Verdict, judge
from tests.breaking.world import World
from tests.integration.engine import new_directory, remove_directory

ROUND_S = 120.0                  # of breaking; then comes the audit
AUDIT_S = 8.0                    # that an audit takes
KILLS = ("engine killed", "engine and PostgreSQL killed")
LOAD_S_MORE = 600.0              # a load ends when its round does, and never before


class Break:
    """Some rounds and their sums."""

    def __init__(self, minutes: float, seed: int) -> None:
        self.minutes, self.seed = minutes, seed
        self.began = time.monotonic()
        self.end = self.began + minutes * 60
        self.injected: Counter[str] = Counter()
        self.restarts_s: list[float] = []
        self.sums = Verdict()
        self.rounds = 0

    def run(self) -> int:
        """Run all rounds, print the table, and return the exit code."""
        say(f"breaking Tocsin for {self.minutes:g} minutes; SEED={self.seed}")
        while self.sums.clean and (left := self.end - time.monotonic()) > AUDIT_S or not self.rounds:
            self.rounds += 1
            self.round(max(5.0, min(ROUND_S, left) - AUDIT_S))
        say(self.table())
        for line in self.sums.wrong:
            say(line)
        return 0 if self.sums.clean else 1

    def round(self, seconds: float) -> None:
        """Break one world and judge it; what it left is kept where something is wrong."""
        embedded = self.rounds % 2 == 0
        data = new_directory()
        say(f"round {self.rounds}: " + ("PostgreSQL embedded" if embedded else "PostgreSQL elsewhere"))
        verdict = Verdict()
        world = World(data, embedded=embedded, seed=self.seed + self.rounds - 1, seconds=seconds + LOAD_S_MORE)
        try:
            with world:
                play(world, time.monotonic() + seconds, lambda line: self.step(world, line))
                verdict = judge(world)
                world.stop()
        except Exception:  # whatever it is, the table comes, and with it the seed
            verdict.wrong.append(traceback.format_exc())
        self.injected += world.injected
        self.restarts_s += world.restarts_s
        if verdict.clean:
            remove_directory(data)
            say(f"round {self.rounds}: {verdict.acknowledged:,} fires acknowledged, none lost, none doubled")
        else:
            verdict.wrong.append(f"round {self.rounds}: logs, journal and database are in {data}")
        self.sums.add(verdict)

    def step(self, world: World, line: str) -> None:
        passed = int(time.monotonic() - self.began)
        say(f"{passed // 60:3}:{passed % 60:02}  {world.load.sent:7,} frames, {world.load.answered:7,} answered   "
            + line)

    def table(self) -> str:
        """Return what was done and what came of it."""
        sums, again = self.sums, self.restarts_s or [0.0]
        rows: list[tuple[str, str]] = [(fault.name, f"{self.injected[fault.name]:,}") for fault in FAULTS]
        rows += [("", ""), ("kills of the engine", f"{sum(self.injected[name] for name in KILLS):,}"),
                 ("ready again after, median and worst", f"{statistics.median(again):.1f} s, {max(again):.1f} s"),
                 ("", "")]
        rows += [("frames sent", f"{sums.frames:,}"), ("fires sent", f"{sums.sent:,}"),
                 ("fires acknowledged", f"{sums.acknowledged:,}"), ("stored", f"{sums.stored:,}"),
                 ("forwarded", f"{sums.forwarded:,}"), ("lost", f"{sums.lost:,}"), ("doubled", f"{sums.doubled:,}"),
                 ("false line faults", f"{sums.false_faults:,}"),
                 ("shown as not durable", f"{sums.not_durable:,}"),
                 ("the subscriber came again", f"{sums.reconnects:,}")]
        width = max(len(name) for name, _ in rows) + 2
        head = f"\nSEED={self.seed}, {self.minutes:g} minutes, {self.rounds} rounds"
        return "\n".join([head, *(f"  {name:{width}}{value:>12}".rstrip() for name, value in rows)])


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.breaking", description="Break the real engine on purpose.")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (%(default)s)")
    parser.add_argument("--seed", type=int, help="of the sequence of faults and of the load (random)")
    given = parser.parse_args()
    seed = random.SystemRandom().getrandbits(31) if given.seed is None else given.seed
    return Break(given.minutes, seed).run()


if __name__ == "__main__":
    sys.exit(main())
