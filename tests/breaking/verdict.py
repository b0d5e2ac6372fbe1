"""What became of every fire of a run, and which line faults were false; the database is asked itself, row by row."""
from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from loadgen.audit import Reconciliation
from tests.breaking.load import EVERYONE
from tests.breaking.world import World
from tests.integration.engine import until

SETTLE_S = 60.0
SENDING_S = 0.5                  # by which the truth of what was sent may be late
FIRES = "SELECT id, native, verdict FROM tocsin.signal WHERE native LIKE '%' || $1 || '%'"
LINE_FAULTS = """
SELECT account, received_at FROM tocsin.signal WHERE condition = 'line_fault' AND state = 'raised'"""
TWICE = """
SELECT signal_id FROM tocsin.event WHERE reason NOT IN ('unaccepted', 'mass_loss')
GROUP BY signal_id HAVING count(*) > 1"""
NAMED = 5                        # examples that a failure shows


@dataclass
class Verdict:
    """The sums of one run, or of several; `wrong` holds one line for each that is not as it must be."""

    frames: int = 0
    sent: int = 0                # fires
    acknowledged: int = 0
    stored: int = 0
    forwarded: int = 0
    lost: int = 0
    doubled: int = 0
    false_faults: int = 0
    true_faults: int = 0         # the generator itself was silent
    not_durable: int = 0
    reconnects: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Verdict) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @property
    def clean(self) -> bool:
        return not (self.wrong or self.lost or self.doubled or self.false_faults)


def judge(world: World, settle_s: float = SETTLE_S) -> Verdict:
    """End the load, wait until everything is where it belongs, at most `settle_s`, and compare."""
    load = world.load
    world.until_served(2 * EVERYONE)
    load.rest()
    world.until_stored_up()
    until(lambda: world.running.ask("/readyz")[0] == 200, "being ready", 30)
    by_engine = load.settle(settle_s)
    stored: dict[int, list[str]] = defaultdict(list)
    held = Counter()
    for row in world.ask(FIRES, load.run):
        for number in load.audit.numbers(row["native"]):
            stored[number].append(str(row["id"]))
            held[row["verdict"]] += row["verdict"] != "forward"
    found = load.reconcile({number: set(ids) for number, ids in stored.items()})
    rows_twice = [number for number, ids in stored.items() if len(ids) > 1]
    verdict = Verdict(frames=load.sent, sent=found.sent, acknowledged=found.acknowledged, stored=found.stored,
                      forwarded=found.forwarded, lost=len({*found.lost, *by_engine.lost}),
                      doubled=len({*found.doubled, *by_engine.doubled, *rows_twice}),
                      not_durable=load.audit.not_durable, reconnects=load.audit.reconnects)
    verdict.wrong = list(complaints(world, found, by_engine, rows_twice, held))
    judge_line_faults(world, verdict)
    return verdict


def complaints(world: World, found: Reconciliation, by_engine: Reconciliation, rows_twice: list[int],
               held: Counter[str]) -> list[str]:
    """Return one line for each kind of thing that is wrong, with examples."""
    run = world.load.run
    lines = [f"{what}: {len(numbers)}, such as " + ", ".join(f"{run}-{number}" for number in numbers[:NAMED])
             for what, numbers in (("acknowledged and not in the database", found.not_stored),
                                   ("acknowledged and not in the list of signals", by_engine.not_stored),
                                   ("acknowledged and never forwarded", found.not_forwarded),
                                   ("stored or forwarded under two ids", found.doubled),
                                   ("stored in two rows", rows_twice)) if numbers]
    if any(held.values()):
        lines.append(f"fires that were not forwarded by their verdict: {dict(held)}")
    if world.load.audit.gaps:
        lines.append(f"the stream had {world.load.audit.gaps} gaps")
    if twice := world.ask(TWICE):
        lines.append(f"signals with more than one event: {len(twice)}, such as {twice[0]['signal_id']}")
    if refused := world.ask("SELECT count(*) FROM tocsin.refused")[0]["count"]:
        lines.append(f"rows in tocsin.refused: {refused}")
    if not found.acknowledged:
        lines.append("nothing was acknowledged")
    return lines


def judge_line_faults(world: World, verdict: Verdict) -> None:
    """A line fault is false when its transmitter had sent within its supervision time; we know when it last did."""
    for row in world.ask(LINE_FAULTS):
        at_ns = int(row["received_at"].timestamp() * 1e6) * 1000
        silent_s = world.load.silent_s(row["account"], at_ns)
        if silent_s is not None and silent_s < world.supervision_s - SENDING_S:
            verdict.false_faults += 1
            if verdict.false_faults <= NAMED:
                verdict.wrong.append(f"line fault of {row['account']} at {row['received_at']:%H:%M:%S.%f}, "
                                     f"{silent_s:.1f} s after its last frame")
        else:
            verdict.true_faults += 1
