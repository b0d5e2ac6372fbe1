from codec.batch import Batch
from engine.filter.outcome import Outcome
from engine.store.copy import Copy

ALARM_COLUMNS: tuple[str, ...]
VERDICT_COLUMNS: tuple[str, ...]

class AlarmCopy(Copy):
    """Alarms in the order of ALARM_COLUMNS."""

class VerdictCopy(Copy):
    """Later verdicts in the order of VERDICT_COLUMNS."""

class AlarmRows:
    """What the events of one transaction make of their alarms.

    partition  0..1023; stands in the upper bits of every id
    """

    def __init__(self, partition: int = 0) -> None: ...
    @property
    def count(self) -> int:
        """Alarms that have been met since the last let_go() or clear()."""
    @property
    def new(self) -> AlarmCopy:
        """Rows of alarms that were raised here."""
    @property
    def changed(self) -> AlarmCopy:
        """Rows of alarms that were raised before; a NULL among what happens once says that it did not happen here."""
    @property
    def verdicts(self) -> VerdictCopy:
        """What the events said later of the signals that raised their alarms."""
    def let_go(self) -> None:
        """Forget the events, and with them the batches they lie in; the copies stay."""
    def clear(self) -> None:
        """Forget everything; the memory stays. No memoryview of the copies may be out."""
    def note(self, batch: Batch, outcome: Outcome, begin: int, end: int) -> None:
        """Take in the events [begin, end) of `outcome`, which was made of `batch`, in their order.

        Canaries and mass losses are passed over. Raises MemoryError; then clear() comes next
        Cost  one pass
        """
    def write(self, raised_from: int, begin: int, end: int) -> None:
        """Write the rows of the alarms [begin, end), in the order in which they were met, once everything is noted.

        raised_from  the number of the signal behind the first event: an alarm from there on was raised here
        """
