from typing import Any

from codec.batch import Batch
from engine.filter.outcome import Outcome

class Comparison:
    """Counts two sides of the same history and finds where they differ.

    since_ns, until_ns  what was received from the one on and before the other is looked at; ns since 1970
    area                only events of this area, "40", "40/17257" or any one part, and those without an area;
                        empty: all
    """

    def __init__(self, since_ns: int, until_ns: int, area: str = "") -> None: ...
    @property
    def signals(self) -> int:
        """Signals that were looked at; 0 with an area."""
    @property
    def differences(self) -> int:
        """What `compare` found in all."""
    def compare(self, batch: Batch, was: Outcome, would: Outcome) -> \
            list[tuple[int | None, int | None, int | None, int | None]]:
        """Return what differs: row, index of the event in `was`, in `would`, and the alarm; None where there is none.

        The alarm is that in `was` where both have an event. Without any it is a row whose verdict or reason differs.
        Raises  ValueError when outcomes and batch do not belong together
        Cost    one pass over rows and events; a Python object for what differs alone
        """
    def tallies(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the counts of both sides: verdicts {(verdict, reason): signals}, events {(type, verification):
        events}, priorities {priority: events that raise an alarm}; zeros are left out."""
