from engine.filter.outcome import Outcome
from engine.histogram import Histogram

CLASS_BITS: dict[str, int]
"""The bit of each class in a class mask."""
VERIFICATION_BITS: dict[str, int]
"""The bit of each verification in a verification mask, of those that may be asked for."""
VERIFICATION_OWN: int
"""The mask of the engine's own subscriber: canaries alone."""
CLASS_ALL: int
VERIFICATION_DEFAULT: int
"""All but test; an event without a verification is in it too, so that none falls through."""

class Selection:
    """What one subscriber wants.

    class_mask, verification_mask   bits by the numbers of `SignalClass` and `Verification`
    area   as it stands escaped in JSON; empty = all. An event's area matches when it equals it or goes on with '/';
           an event without an area matches always, because an alarm of unknown place must not fall between two areas
    """

    def __init__(self, class_mask: int = ..., verification_mask: int = ..., area: bytes = b"") -> None: ...
    def select(self, outcome: Outcome, after_number: int, size_max: int = 65536) -> tuple[bytes, int, int]:
        """Concatenate the wanted blocks of the events numbered above `after_number`, in one pass.

        size_max   bytes; the blocks stop before it is passed, but at least one is taken
        Returns    (blocks, last_number, count): `last_number` is the last event looked at, wanted or not, and
                   `after_number` when there was none; call again with it until it no longer rises
        """
    def record(self, outcome: Outcome, after_number: int, last_number: int, histogram: Histogram, now_ns: int) -> None:
        """Count `now_ns - received_ns` of each wanted event above `after_number` up to `last_number`."""
