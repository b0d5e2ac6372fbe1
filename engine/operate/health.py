"""Whether the engine can do its work now."""
from __future__ import annotations

from engine.operate.lag import LagSampler
from engine.operate.view import Check, EngineView


class Health:
    """Readiness: what the engine says of itself, and whether its loop keeps up.

    lag_ns_max   the loop is too slow when one of its last five seconds' samples was later than this
    """

    def __init__(self, view: EngineView, lag: LagSampler, lag_ns_max: int = 1_000_000_000) -> None:
        self._view = view
        self._lag = lag
        self._lag_ns_max = lag_ns_max

    def checks(self) -> list[Check]:
        """Return every check, failed or not."""
        worst_ns = self._lag.worst_ns()
        lag = Check("event_loop", worst_ns <= self._lag_ns_max,
                    f"{worst_ns / 1e9:.3f} s late, allowed {self._lag_ns_max / 1e9:.3f} s")
        return [*self._view.ready(), lag]

    def report(self, verbose: bool) -> tuple[bool, str]:
        """Return whether all is well, and a text: one line a check where it is verbose or something is wrong."""
        checks = self.checks()
        ok = all(check.ok for check in checks)
        lines = [f"[+]{check.name} ok" if check.ok else f"[-]{check.name} {check.detail or 'failed'}"
                 for check in checks if verbose or not check.ok]
        return ok, "\n".join([*lines, "ready" if ok else "not ready"]) + "\n"
