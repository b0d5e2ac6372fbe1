"""The report of a run: one dictionary for machines, one table for people."""

from collections.abc import Sequence
from typing import Any

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]

from loadgen.audit import LISTED_MAX, Reconciliation
from loadgen.ceiling import CEILING_SHARE_MAX
from loadgen.plan import Outcomes, Plan

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}
CURVE_STEPS = 8  # points of a latency curve for each nine: 0, 25.0, 43.8, ... 90, ... 99 percent
REACHED_SHARE_MIN = 0.95  # of the asked rate; below it the generator did not keep up
Report = dict[str, Any]


def latency(histogram: HdrHistogram) -> dict[str, float | None]:
    """Return percentiles and maximum in ms; None where nothing was measured."""
    if not histogram.get_total_count():
        return dict.fromkeys((*PERCENTILES, "max"))
    values = histogram.get_percentile_to_value_dict(list(PERCENTILES.values()))
    result: dict[str, float | None] = {name: round(values[at] / 1e6, 3) for name, at in PERCENTILES.items()}
    result["max"] = round(histogram.get_max_value() / 1e6, 3)
    return result


def latencies(outcomes: Outcomes) -> dict[str, Any]:
    """Return the latencies of all frames, and of heartbeats and signals apart."""
    heartbeats = HdrHistogram.decode(outcomes.histograms["heartbeats"])
    signals = HdrHistogram.decode(outcomes.histograms["signals"])
    apart = {"heartbeats": latency(heartbeats), "signals": latency(signals)}
    heartbeats.add(signals)
    return {**latency(heartbeats), **apart}


def curve(histogram: HdrHistogram) -> dict[str, Any]:
    """Return latency by percentile, at even steps of log 1/(1-p) as far as the count bears, and the maximum last."""
    count = histogram.get_total_count()
    percents: list[float] = []
    while count and (rest := 10 ** (-len(percents) / CURVE_STEPS)) * count > 1:
        percents.append(100 * (1 - rest))
    values = histogram.get_percentile_to_value_dict(percents) if percents else {}
    latencies_ms = [round(values[percent] / 1e6, 4) for percent in percents]
    return {
        "count": count,
        "percentile": [round(percent, 9) for percent in percents] + [100.0] * bool(count),
        "ms": latencies_ms + [round(histogram.get_max_value() / 1e6, 4)] * bool(count),
    }


def report(plan: Plan, outcomes: Outcomes, ceiling: float | None, machine: dict[str, str | int]) -> Report:
    """Return what the fleet saw; what only the audit knows is null until `add_audit`.

    Without replies all that follows from them is null, and frames that the kernel did not take count as never sent.
    """
    counts = outcomes.counts
    unsent = 0 if plan.replies else outcomes.network["unsendable"]
    heartbeats, frames = counts["heartbeats"] - unsent, counts["heartbeats"] + counts["signals"] - unsent
    limit = generator_limit(plan, outcomes, ceiling)
    return {
        "sent": counts["signals"],
        "acknowledged": counts["acknowledged"],
        "stored": None,
        "forwarded": None,
        "lost": None,
        "doubled": None,
        "unacknowledged": counts["signals"] - counts["acknowledged"],
        "frames": frames,
        "rate": round(frames / outcomes.sending_s, 1),
        "latency": latencies(outcomes),
        "curves": {name: curve(HdrHistogram.decode(outcomes.histograms[name])) for name in ("heartbeats", "signals")},
        "throughput": {"seconds": [], "sent": [], "acknowledged": []},
        "ceiling": None if ceiling is None else round(ceiling),
        "generator_limited": bool(limit),
        "machine": machine,
        "heartbeats": {
            "sent": heartbeats,
            "answered": counts["heartbeats_answered"] if plan.replies else None,
            "unanswered": heartbeats - counts["heartbeats_answered"] if plan.replies else None,
        },
        "unanswered": frames - counts["heartbeats_answered"] - counts["acknowledged"] if plan.replies else None,
        "retransmissions": counts["retransmissions"],
        "withheld": counts["withheld"],
        "replies": {name: counts[name] for name in ("doubles", "unexpected", "unreadable", "refused", "naks")},
        "behind": round(outcomes.behind_ns / 1e6, 3),
        "network": {**outcomes.network, "reopened": outcomes.reopened},
        "generator_cpu_seconds": round(outcomes.cpu_s, 2),
        "asked": {
            "to": f"{plan.host}:{plan.port}", "transport": plan.transport, "links": plan.links,
            "rate": None if plan.full_speed else plan.rate, "replies": plan.replies,
            "transmitters": plan.transmitters, "alarms": plan.alarms, "duration": plan.duration_s, "seed": plan.seed,
            "run": plan.run,
        },
        "kernel": {},
        "audit": "off",
        "failures": [],
        "warnings": warnings(plan, outcomes, limit),
    }


def generator_limit(plan: Plan, outcomes: Outcomes, ceiling: float | None) -> str:
    """Return why the generator, and not the receiver, was the limit of the run; empty when it was not."""
    counts = outcomes.counts
    rate = (counts["heartbeats"] + counts["signals"] + counts["withheld"]) / outcomes.sending_s
    if plan.full_speed:
        return "it sent as fast as it could"
    if ceiling is not None and plan.rate > CEILING_SHARE_MAX * ceiling:
        return (f"the asked rate of {plan.rate:,.0f} is above {CEILING_SHARE_MAX} of the generator's own ceiling of "
                f"{ceiling:,.0f} frames/s")
    if rate < REACHED_SHARE_MIN * plan.rate:
        return f"of the asked rate of {plan.rate:,.0f} frames/s it reached {rate:,.0f}"
    return ""


def warnings(plan: Plan, outcomes: Outcomes, limit: str) -> list[str]:
    """Return what makes the numbers doubtful without making the run fail; `limit` is of `generator_limit`."""
    found = []
    if limit:
        found.append(f"the generator was the limit: {limit}" + (", latencies include it" if plan.replies else ""))
    if outcomes.counts["withheld"]:
        found.append(f"{outcomes.counts['withheld']} frames withheld: too many of their transmitter were unanswered")
    if outcomes.network["drops"]:
        found.append(f"the generator's own sockets dropped {outcomes.network['drops']} replies")
    return found


def add_audit(into: Report, result: Reconciliation, grown: dict[str, float], gaps: int, reconnects: int) -> None:
    """Enter what the audit found, and what it fails for."""
    into.update(
        sent=result.sent, acknowledged=result.acknowledged, stored=result.stored, forwarded=result.forwarded,
        lost=len(result.lost), doubled=len(result.doubled), unacknowledged=len(result.unacknowledged),
    )
    into["signals"] = {
        "not_stored": result.not_stored[:LISTED_MAX], "not_forwarded": result.not_forwarded[:LISTED_MAX],
        "doubled": result.doubled[:LISTED_MAX], "unacknowledged": result.unacknowledged[:LISTED_MAX],
    }
    into["metrics"] = grown
    into["stream"] = {"gaps": gaps, "reconnects": reconnects}
    failures = into["failures"]
    if result.not_stored:
        failures.append(f"{len(result.not_stored)} acknowledged signals are not stored: {listed(result.not_stored)}")
    if result.not_forwarded:
        failures.append(f"{len(result.not_forwarded)} acknowledged signals never left on the stream: "
                        f"{listed(result.not_forwarded)}")
    if result.doubled:
        failures.append(f"{len(result.doubled)} signals have more than one id: {listed(result.doubled)}")
    if gaps:
        failures.append(f"the stream told of {gaps} gaps: what was forwarded is not fully known")


def judge(into: Report, heartbeat_loss: float) -> None:
    """Enter what the fleet itself fails for, and the verdict."""
    failures, heartbeats = into["failures"], into["heartbeats"]
    if not into["asked"]["replies"]:
        judge_unheard(into)
    elif heartbeats["unanswered"] > heartbeat_loss * heartbeats["sent"]:
        failures.append(
            f"{heartbeats['unanswered']} of {heartbeats['sent']} heartbeats unanswered, more than the share of "
            f"{heartbeat_loss}{drop_hint(into)}"
        )
    if into["unacknowledged"]:
        failures.append(f"{into['unacknowledged']} signals were never acknowledged, after all their tries")
    if into["audit"] != "off":
        into["audit"] = "failed" if failures else "clean"


def judge_unheard(into: Report) -> None:
    """Enter what a run fails for in which no replies are waited for: frames that never left."""
    if into["network"]["unsendable"]:
        into["failures"].append(f"{into['network']['unsendable']} frames were not taken by the kernel")
    if into["network"]["errors"]:
        into["failures"].append(f"{into['network']['errors']} network errors: does anybody listen on "
                                f"{into['asked']['to']}?")


def drop_hint(into: Report) -> str:
    """Return where unanswered frames may have gone, as far as the kernel tells."""
    hints = [f"{name} {value}" for name, value in into["kernel"].items() if value]
    if into["network"]["drops"]:
        hints.append(f"the generator's own sockets {into['network']['drops']}")
    if into["network"]["unsendable"]:
        hints.append(f"never sent for want of room or a connection {into['network']['unsendable']}")
    return f" (dropped on this machine: {', '.join(hints)})" if hints else ""


def listed(numbers: list[int]) -> str:
    """Return the first few numbers as text."""
    return ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")


def headline(of: Report) -> str:
    """Return who sent what, in one line."""
    asked = of["asked"]
    wanted = "as fast as it goes" if asked["rate"] is None else f"of {asked['rate']:,.0f}/s asked"
    return (f"{asked['transmitters']:,} transmitters to {asked['to']} by {asked['transport']}"
            f"{'' if asked['replies'] else ' without replies'}, {of['frames']:,} frames, {of['rate']:,.0f}/s {wanted}")


def machine_line(of: Report) -> str:
    """Return the generator's ceiling and what it was measured on, in one line."""
    machine = of["machine"]
    ceiling = "was not measured" if of["ceiling"] is None else f"{of['ceiling']:,} frames/s"
    return (f"generator's ceiling {ceiling}, on {machine['cores']} cores of {machine['cpu']}, kernel "
            f"{machine['kernel']}, Python {machine['python']}")


def answer_lines(of: Report) -> list[str]:
    """Return what came back: signals, heartbeats, frames and latencies."""
    def milliseconds(name: str, values: dict[str, float | None]) -> str:
        cells = (f"{'-' if values[key] is None else format(values[key], ',.2f'):>10}" for key in (*PERCENTILES, "max"))
        return f"  {name:<14}" + "".join(cells)

    heartbeats = of["heartbeats"]
    shown = {key: "-" if of[key] is None else of[key] for key in ("stored", "forwarded", "lost", "doubled")}
    return [
        f"  signals       sent {of['sent']}  acknowledged {of['acknowledged']}  stored {shown['stored']}  "
        f"forwarded {shown['forwarded']}  lost {shown['lost']}  doubled {shown['doubled']}",
        f"  heartbeats    sent {heartbeats['sent']}  answered {heartbeats['answered']}  "
        f"unanswered {heartbeats['unanswered']}",
        f"  frames        retransmissions {of['retransmissions']}  withheld {of['withheld']}  "
        + "  ".join(f"{name} {value}" for name, value in of["replies"].items()),
        f"  latency, ms   {'p50':>10}{'p90':>10}{'p99':>10}{'p99.9':>10}{'max':>10}",
        milliseconds("all", of["latency"]),
        milliseconds("heartbeats", of["latency"]["heartbeats"]),
        milliseconds("signals", of["latency"]["signals"]),
    ]


def table(of: Report, groups: Sequence[str] = ()) -> str:
    """Return the report for people; `groups` are lines on the groups of a fleet."""
    lines = [
        headline(of),
        f"  {machine_line(of)}",
        *(answer_lines(of) if of["asked"]["replies"] else []),
        *groups,
        *([] if of["asked"]["rate"] is None else [f"  the generator itself ran at most {of['behind']} ms late"]),
        *(f"  warning: {text}" for text in of["warnings"]),
        *(f"  FAILED: {text}" for text in of["failures"]),
        f"  audit {of['audit']}",
    ]
    return "\n".join(lines) + "\n"
