from engine.clock import Clock
from engine.intake import Intake
from engine.paths import PathTable
from engine.supervise.listening import ListeningClock
from engine.supervise.wheel import Wheel

class Supervisor:
    """Raises and clears line faults. Its work comes in slices of at most some 1 ms."""

    line_faults: int
    cleared: int
    looked_at: int

    def __init__(self, paths: PathTable, wheel: Wheel, listening: ListeningClock, clock: Clock,
                 intake: Intake) -> None: ...
    def turn(self) -> bool:
        """Look at the paths whose time may have come. Returns True when there is more to do at once."""
    def clear_returned(self) -> None:
        """Hand over the end of the line fault of every path that was heard again."""
