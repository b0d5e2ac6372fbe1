from codec.batch import Batch
from engine.filter.outcome import Outcome

def days(batch: Batch) -> set[int]:
    """Return the days since 1970, in UTC, on which the signals of a batch were received; insane ones left out."""
def raw_of(batch: Batch, index: int) -> bytes:
    """Return the frame of one row as it came. Raises IndexError."""
def is_signal(batch: Batch, index: int) -> bool:
    """Return whether a row is a signal; other kinds are not stored. Raises IndexError."""
def numbers_of(outcome: Outcome, index: int) -> tuple[int, int]:
    """Return the numbers of one event and of the signal behind it. Raises IndexError."""
def first_signal(outcome: Outcome, begin: int, end: int) -> int | None:
    """Return the number of the first signal of the batch behind one of the events [begin, end); None: there is none."""
def json_of(outcome: Outcome, index: int) -> bytes:
    """Return the JSON of one event as it came. Raises IndexError."""
