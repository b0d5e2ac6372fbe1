"""`tocsin loadgen --fleet`: the groups of a fleet file side by side, those that misbehave among them, and one audit."""

import asyncio
from dataclasses import dataclass, replace

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]

from loadgen.audit import Audit
from loadgen.child import Progress, run_plan
from loadgen.groups import Group
from loadgen.misbehaviour import NEVER_STORED, Answers, Misbehaving, misbehaving
from loadgen.plan import Outcomes, Plan
from loadgen.report import Report, latencies, listed
from loadgen.transmitters import Outcome

ACKNOWLEDGED, UNSENT = bytes([Outcome.OUTCOME_ACKNOWLEDGED]), bytes([Outcome.OUTCOME_UNSENT])


@dataclass(frozen=True, slots=True)
class Mixed:
    """What a fleet saw: all together, each group, and the answers to what was wrong on purpose."""

    whole: Outcomes
    each: list[Outcomes]
    answers: list[Answers]


def added(counts: list[dict[str, int]]) -> dict[str, int]:
    """Return the sums by name."""
    return {name: sum(of.get(name, 0) for of in counts) for name in {name: None for of in counts for name in of}}


def merged(each: list[Outcomes]) -> Outcomes:
    """Return the outcomes of all groups as of one fleet; signals follow one another as the groups do."""
    histograms = {}
    for name in each[0].histograms:
        whole = HdrHistogram.decode(each[0].histograms[name])
        for of in each[1:]:
            whole.add(HdrHistogram.decode(of.histograms[name]))
        histograms[name] = whole.encode()
    return Outcomes(
        counts=added([of.counts for of in each]), network=added([of.network for of in each]),
        outcomes=b"".join(of.outcomes for of in each), histograms=histograms,
        sending_s=max(of.sending_s for of in each), behind_ns=max(of.behind_ns for of in each),
        cpu_s=sum(of.cpu_s for of in each), reopened=sum(of.reopened for of in each),
    )


def total(plans: list[Plan]) -> Plan:
    """Return a plan that stands for all in the report."""
    transports = {plan.transport for plan in plans}
    frames = sum(plan.frames for plan in plans)
    return replace(
        plans[0], transport=transports.pop() if len(transports) == 1 else "udp and tcp",
        links=sum(plan.links for plan in plans), transmitters=sum(plan.transmitters for plan in plans),
        rate=sum(plan.rate for plan in plans), group="",
        alarms=sum(plan.alarms * plan.frames for plan in plans) / frames,
    )


async def run_mixed(plans: list[Plan], groups: tuple[Group, ...], signals: int, progress: Progress) -> Mixed:
    """Run all groups at once, each in a process of its own, and beside them the frames that misbehave.

    signals   of all groups together
    progress  of all groups together
    Raises    FleetError
    """
    seen = [(0, 0)] * len(plans)
    latest_ns = 0

    def shown(index: int) -> Progress:
        def show(sent: int, answered: int, at_ns: int) -> None:
            nonlocal latest_ns
            seen[index], latest_ns = (sent, answered), max(latest_ns, at_ns)
            progress(sum(sent for sent, _ in seen), sum(answered for _, answered in seen), latest_ns)
        return show

    wrong: list[Misbehaving] = misbehaving(plans, groups, signals)
    running = [run_plan(plan, shown(index)) for index, plan in enumerate(plans)]
    found = await asyncio.gather(asyncio.gather(*running), asyncio.gather(*(one.run() for one in wrong)))
    each, answers = list(found[0]), list(found[1])
    whole = merged(each)
    assert len(whole.outcomes) == signals, "signals were numbered otherwise than planned"
    extra = b"".join(ACKNOWLEDGED if answers[index].acknowledged[frame.number] else UNSENT
                     for index, one in enumerate(wrong)
                     for frame in sorted(one.frames, key=lambda frame: frame.number))
    return Mixed(replace(whole, outcomes=whole.outcomes + extra), each, answers)


def add_groups(into: Report, plans: list[Plan], found: Mixed) -> None:
    """Enter each group's counts and latencies, and what came back to its wrong frames."""
    into["groups"] = []
    for plan, outcomes, answers in zip(plans, found.each, found.answers, strict=True):
        counts = outcomes.counts
        unexpected = {kind: of["unexpected"] for kind, of in answers.counts.items() if of["unexpected"]}
        into["groups"].append({
            "group": plan.group, "protocol": plan.style.protocol, "encrypted": plan.style.encrypted,
            "transport": plan.transport, "transmitters": plan.transmitters, "rate": round(plan.rate, 3),
            "heartbeats": {"sent": counts["heartbeats"], "answered": counts["heartbeats_answered"]},
            "signals": {"sent": counts["signals"], "acknowledged": counts["acknowledged"]},
            "replies": {name: counts[name] for name in ("doubles", "unexpected", "unreadable", "refused", "naks")},
            "retransmissions": counts["retransmissions"], "latency": latencies(outcomes),
            "misbehaviour": {kind: dict(of) for kind, of in sorted(answers.counts.items())},
        })
        if unexpected:
            told = ", ".join(f"{kind} {count}" for kind, count in sorted(unexpected.items()))
            into["failures"].append(f"group {plan.group}: unexpected answers to wrong frames: {told}")


def forbidden(found: Mixed, audit: Audit) -> list[int]:
    """Return the numbers of signals that came by frames that nobody may take, and were seen all the same."""
    kinds = {number: kind for answers in found.answers for number, kind in answers.kinds.items()}
    return sorted(number for number, kind in kinds.items()
                  if kind in NEVER_STORED and (number in audit.stored or number in audit.forwarded))


def add_forbidden(into: Report, numbers: list[int]) -> None:
    """Enter what should not have been stored."""
    into["forbidden"] = len(numbers)
    if numbers:
        into["failures"].append(f"{len(numbers)} signals of wrong frames were taken: {listed(numbers)}")


def group_lines(of: Report) -> list[str]:
    """Return the groups for people, two lines each and one for each kind of misbehaviour."""
    lines = []
    for group in of.get("groups", []):
        p50, p99, most = (group["latency"][name] for name in ("p50", "p99", "max"))
        beats, signals = group["heartbeats"], group["signals"]
        cipher = " encrypted" if group["encrypted"] else ""
        lines.append(f"  {group['group']}: {group['transmitters']:,} {group['protocol']}{cipher} "
                     f"by {group['transport']}")
        lines.append(f"    heartbeats {beats['answered']} of {beats['sent']}  signals {signals['acknowledged']} of "
                     f"{signals['sent']}  p50 {p50} p99 {p99} max {most} ms")
        lines += [f"    wrong on purpose, {kind}: " + "  ".join(f"{word} {count}" for word, count in words.items())
                  for kind, words in group["misbehaviour"].items()]
    return lines
