"""How fast the generator itself can go, and on what machine: nothing that it measures later means more than this."""

import os
import platform
from dataclasses import replace
from pathlib import Path

from loadgen.child import with_sink
from loadgen.plan import FULL_SPEED, Plan
from loadgen.shapes import Style

CEILING_SECONDS = 0.4
CEILING_WINDOW = 1024  # frames outstanding: fits the socket buffers, so that none is lost
CEILING_SHARE_MAX = 0.8  # a rate above this share of the ceiling measures the generator, too


async def measure(plan: Plan, seconds: float = CEILING_SECONDS) -> float:
    """Return the frames a second that the plan's transport reaches against a null receiver on loopback.

    Counted are frames that were answered, or that came to the receiver where the plan waits for no replies.
    Raises  loadgen.child.FleetError
    """
    outcomes, frames = await with_sink(
        plan.transport,
        lambda port: replace(
            plan, host="127.0.0.1", port=port, rate=FULL_SPEED, alarms=0.0, duration_s=seconds,
            window=CEILING_WINDOW if plan.replies else 0, style=Style(), clock_spread_s=0.0,
        ),
        replies=plan.replies,
    )
    return (outcomes.counts["heartbeats_answered"] if plan.replies else frames) / outcomes.sending_s


def machine() -> dict[str, str | int]:
    """Return what the numbers were measured on."""
    return {
        "cpu": cpu_model(Path("/proc/cpuinfo")),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def cpu_model(cpuinfo: Path) -> str:
    """Return the processor's name, or its architecture where the kernel gives no name."""
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
