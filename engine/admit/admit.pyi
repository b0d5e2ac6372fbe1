from codec.batch import Batch
from engine.admit.levels import Levels
from engine.intake import Intake

class Admit(Intake):
    """An intake that takes out the frames it has admitted before.

    entries_max  signals remembered;  window_ns  how long;  hash_key  16 random bytes
    levels_max   components that are not quiet, whose last status word is remembered
    """

    duplicates: int
    evicted: int
    levels: Levels

    @property
    def entries_in(self) -> int:
        """Frames remembered."""
    def __init__(self, rows_max: int, arena_max: int, entries_max: int, window_ns: int, hash_key: bytes,
                 levels_max: int = 65536) -> None: ...
    def release(self, ticket: int) -> None:
        """As in Intake; status words count as durable with their rows."""
    def fail(self, ticket: int) -> None:
        """As in Intake; frames and status words are forgotten too: when they come again they are new."""
    def apply(self, batch: Batch) -> None:
        """Remember the frames of a journalled batch, after a restart."""
    def save(self) -> bytes:
        """Return every durable entry, with the key of its hashes."""
    def load(self, saved: bytes) -> None:
        """Fill an empty memory from what `save` gave. Raises ValueError when it is no such thing."""
    def check(self) -> None:
        """Raise AssertionError unless the indexes lead to entries of the ring and to nothing else."""
