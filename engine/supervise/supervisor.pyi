from engine.clock import Clock
from engine.intake import Intake
from engine.paths import PathTable
from engine.supervise.listening import ListeningClock
from engine.supervise.wheel import Wheel

class Supervisor:
    """Raises and clears line faults, and system faults of transmitters with several paths.

    Its work comes in slices of at most some 1 ms.
    """

    line_faults: int
    cleared: int
    looked_at: int
    excused: int
    system_faults: int
    system_cleared: int

    def __init__(self, paths: PathTable, wheel: Wheel, listening: ListeningClock, clock: Clock,
                 intake: Intake) -> None: ...
    @property
    def impaired(self) -> bool:
        """Whether line faults of the last hour may be ours, because we lost more than may be credited."""
    def note_drops(self, drops: int) -> None:
        """Hear how often frames were lost by our doing: a full receive buffer, a connection that we had to close."""
    def turn(self) -> bool:
        """Look at the paths whose time may have come. Returns True when there is more to do at once."""
    def clear_returned(self) -> None:
        """Hand over the end of the line fault of every path that was heard again."""
