"""What the operating system says about the engine's own process."""
from __future__ import annotations

import os
import resource
from pathlib import Path

from engine.operate.metrics import Metrics

STATM = Path("/proc/self/statm")
DESCRIPTORS = "/proc/self/fd"


def resident_bytes() -> int:
    return int(STATM.read_text().split()[1]) * resource.getpagesize()


def open_files() -> int:
    return len(os.listdir(DESCRIPTORS)) - 1      # the listing itself holds one


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def bind_process(metrics: Metrics) -> None:
    """Bind the process's own readings."""
    metrics.bind("tocsin_process_resident_memory_bytes", resident_bytes)
    metrics.bind("tocsin_process_open_files", open_files)
    metrics.bind("tocsin_process_cpu_seconds_total", cpu_seconds)
