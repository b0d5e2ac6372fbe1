from codec.batch import Batch

def expand_levels(batch: Batch) -> list[int]:
    """Make signals of every level row as if the words before had been quiet, and return the rows that are quiet still.

    Raises  ValueError when the batch has no room
    """

def expand_level(batch: Batch, index: int, before: int) -> int:
    """Make signals of the level row at `index`, compared with the word `before`: the first takes its place.

    Returns  how many signals; 0: nothing changed; -1: no room; in both cases the row is as it was
    Raises   IndexError when no level row stands there
    """

def read_meanings() -> dict[tuple[int, int, int], tuple[int, int, int]]:
    """Return codes/gbt26875.tsv as {(data type, system or component type, bit): (class, condition, state)}."""
