"""The store's numbers."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How much is written at once, and how long anything may take."""

    batch_rows: int = 20_000             # rows of one transaction, 1..1000000; one entry more at most
    batch_bytes: int = 64 << 20          # COPY bytes of one transaction; one entry more at most
    backoff_s_min: float = 0.1           # pause before the first new try to connect
    backoff_s_max: float = 5.0
    connect_s_max: float = 10.0
    write_s_max: float = 120.0           # for one COPY or statement; longer counts as a lost connection
    query_s_max: float = 5.0             # for one query of the API, waiting for a connection included
    figures_s_max: float = 60.0          # for one piece of the figures over a period
    lock_s_max: float = 2.0              # for the lock that a new day partition needs; then its rows go to the default

    def __post_init__(self) -> None:
        assert 1 <= self.batch_rows <= 1_000_000
        assert self.batch_bytes >= 1
        assert 0 < self.backoff_s_min <= self.backoff_s_max
